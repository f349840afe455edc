/* Files that appear whole or not at all: a temporary file beside the target, fsync, rename,
 * fsync of the folder. Layer: app. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* False after a message. */
bool write_file(const char *path, const void *data, size_t length, mode_t mode);
/* The folders that are missing, for everyone to read; false after a message. */
bool write_folders(const char *path);
