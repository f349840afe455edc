/* Folders of the user's own. Layer: io. */
#pragma once

#include <stdbool.h>

/* Makes it, with those above it as far as they are missing: nobody else may look in. False with
 * errno: it cannot be made. */
bool folders_make(const char *path);
/* The same for the folder that `path` is in. */
bool folders_make_above(const char *path);
