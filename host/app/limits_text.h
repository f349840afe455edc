/* The visitor's limits, said the same way by set, status, pause and resume. Layer: app. */
#pragma once

#include <jansson.h>

/* Of an object with the settings: "limits     upload 500 kB/s, ...". */
void limits_print(const json_t *settings);
/* Of an object with `sharing` and `paused_s`: a line that says whether anything is shared. */
void limits_print_sharing(const json_t *object);
