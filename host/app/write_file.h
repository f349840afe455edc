/* Files that appear whole or not at all: a temporary file beside the target, fsync, rename,
 * fsync of the folder. Layer: app. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Several files that change together: all are written beside their targets first, so that a full
 * disk or a crash meanwhile leaves everything as it was; then they are renamed in the order in
 * which they were added. */
struct write_set {
    struct write_item {
        char *path, *temp;
    } * items;
    size_t count, capacity;
};

/* Both: false after a message. */
bool write_set_add(struct write_set *set, const char *path, const void *data, size_t length,
                   mode_t mode);
bool write_set_commit(struct write_set *set);
/* Takes back what was not committed. */
void write_set_done(struct write_set *set);

/* A set of one. False after a message. */
bool write_file(const char *path, const void *data, size_t length, mode_t mode);
/* The folders that are missing, for everyone to read; false after a message. */
bool write_folders(const char *path);
