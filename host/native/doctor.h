/* The one request that fringe-native does not pass on: "doctor" (host/PROTOCOL.md, section 2), so
 * that it is answered also where no daemon runs. `fringe doctor` does the work. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOCTOR_FRAME 256 /* the longest request that is looked at */

/* Is this JSON text the request? */
bool doctor_is_asked(const char *text, size_t length);
/* Becomes `fringe doctor`, which answers on stdout. Where that cannot be, says so itself and
 * returns. */
int doctor_answer(const char *program, const char *text, size_t length);
/* No daemon: answers the browser's first frame if it is the request. The exit status. */
int doctor_alone(const char *program);
