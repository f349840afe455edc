/* Which file of an older version a file was. Layer: app; private to publish_delta.c. */
#pragma once

#include "app/publish.h"
#include "wire/delta.h"

/* A file that has changed. */
struct publish_pair {
    const char *old_dir;
    const struct publish_file *old, *file;
    char name[DELTA_NAME];
    bool made; /* a patch was worth it */
};

struct publish_pairs {
    struct publish_pair *items;
    size_t count, capacity;
};

/* Adds those of `files` whose old version is among `before`, of the folder old_dir, and that may
 * have a patch. */
void publish_find_pairs(struct publish_pairs *pairs, const struct publish_files *files,
                        const char *old_dir, const struct publish_files *before);
