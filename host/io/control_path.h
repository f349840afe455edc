/* The place of the control socket in the file system: at most one daemon listens there.
 * Layer: io, private to control.c. */
#pragma once

#include "base/err.h"

/* Makes the folder (0700), takes PATH.lock, clears a dead socket away and binds and listens.
 * *ret_socket and *ret_lock are the caller's to close. Errors as control_new. */
enum err control_path_take(const char *path, int *ret_socket, int *ret_lock);
