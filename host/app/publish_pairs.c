#include "app/publish_pairs.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* "app.3f2a91.js" -> "app.*.js": what has a digit and six letters or more changes with the content
 * in many names. */
static char *plain_name(const char *path)
{
    char *plain = mem_strdup(path), *out = plain;
    while (*path != '\0') {
        size_t length = 0;
        bool digit = false;
        while (isalnum((unsigned char)path[length]))
            digit = isdigit((unsigned char)path[length++]) != 0 || digit;
        if (length >= 6 && digit) {
            *out++ = '*';
        } else {
            memcpy(out, path, length);
            out += length;
        }
        path += length;
        while (*path != '\0' && !isalnum((unsigned char)*path))
            *out++ = *path++;
    }
    *out = '\0';
    return plain;
}

struct named {
    char *name;
    const struct publish_file *file;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static struct named *plain_names(const struct publish_files *files)
{
    struct named *names = mem_calloc(files->count, sizeof *names);
    for (size_t i = 0; i < files->count; i++)
        names[i] = (struct named){plain_name(files->items[i].path), &files->items[i]};
    if (files->count > 0)
        qsort(names, files->count, sizeof *names, by_name);
    return names;
}

static void free_names(struct named *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free(names[i].name);
    mem_free(names);
}

/* NULL where several have that name. */
static const struct publish_file *only_one(const struct named *names, size_t count,
                                           const char *path)
{
    struct named key = {plain_name(path), NULL};
    const struct named *found =
        count > 0 ? bsearch(&key, names, count, sizeof *names, by_name) : NULL;
    if (found != NULL && ((found > names && by_name(found, found - 1) == 0) ||
                          (found + 1 < names + count && by_name(found, found + 1) == 0)))
        found = NULL;
    mem_free(key.name);
    return found != NULL ? found->file : NULL;
}

static int by_path(const void *key, const void *item)
{
    return strcmp(key, ((const struct publish_file *)item)->path);
}

static const struct publish_file *find_path(const struct publish_files *files, const char *path)
{
    return files->count > 0
               ? bsearch(path, files->items, files->count, sizeof *files->items, by_path)
               : NULL;
}

static bool has_pair(const struct publish_pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->items[i].name, name) == 0)
            return true;
    }
    return false;
}

static void add_pair(struct publish_pairs *pairs, const char *old_dir,
                     const struct publish_file *old, const struct publish_file *file)
{
    uint64_t length = (uint64_t)file->info.st_size, old_length = (uint64_t)old->info.st_size;
    char name[DELTA_NAME];
    if (memcmp(old->root, file->root, HASH_LENGTH) == 0 || !delta_allowed(length, old_length))
        return;
    delta_name(file->root, old->root, name);
    if (has_pair(pairs, name))
        return;
    if (pairs->count == pairs->capacity) {
        pairs->capacity = pairs->capacity > 0 ? 2 * pairs->capacity : 64;
        pairs->items = mem_realloc(pairs->items, pairs->capacity * sizeof *pairs->items);
    }
    struct publish_pair *pair = &pairs->items[pairs->count++];
    *pair = (struct publish_pair){.old_dir = old_dir, .old = old, .file = file};
    memcpy(pair->name, name, sizeof name);
}

void publish_find_pairs(struct publish_pairs *pairs, const struct publish_files *files,
                        const char *old_dir, const struct publish_files *before)
{
    struct named *names = plain_names(before), *own = plain_names(files);
    for (size_t i = 0; i < files->count; i++) {
        const struct publish_file *file = &files->items[i];
        const struct publish_file *old = find_path(before, file->path);
        if (old == NULL && only_one(own, files->count, file->path) == file)
            old = only_one(names, before->count, file->path);
        if (old != NULL)
            add_pair(pairs, old_dir, old, file);
    }
    free_names(names, before->count);
    free_names(own, files->count);
}
