/* minisign keys in files: reading with a password, from a file or the terminal. Layer: app. */
#pragma once

#include "base/bytes.h"
#include "wire/minisign.h"

#include <stdbool.h>

/* All of a file of at most `max` bytes; false after a message. */
bool file_read(const char *path, size_t max, struct buf *out);
/* The secret key; asks on the terminal when it needs a password and password_file is NULL.
 * False after a message. The caller wipes *ret. */
bool key_file_load(const char *path, const char *password_file, struct minisign_secret *ret);
/* The first line of the file, or typed on the terminal (twice when `confirm`); NULL after a
 * message. key_file_wipe it. */
char *key_file_password(const char *password_file, bool confirm);
void key_file_wipe(char *password);
