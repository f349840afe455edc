#include "wire/metainfo.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

void metainfo_free(struct metainfo *meta)
{
    if (meta == NULL)
        return;
    mem_free(meta->name);
    mem_free(meta->files);
    mem_free(meta->by_path);
    mem_free(meta->paths);
    mem_free(meta->layers);
    mem_free(meta);
}

/* As strcmp, which by_path is sorted by; a NUL in the wanted path equals nothing. */
static int compare_path(const char *path, size_t length, const char *with)
{
    size_t with_length = strlen(with);
    int order = memcmp(path, with, length < with_length ? length : with_length);

    return order != 0 ? order : (length > with_length) - (length < with_length);
}

uint32_t metainfo_find_path(const struct metainfo *meta, const char *path, size_t length)
{
    uint32_t low = 0, high = meta->file_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_path(path, length, meta->files[meta->by_path[middle]].path);
        if (order == 0)
            return meta->by_path[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return UINT32_MAX;
}

/* The last file that begins at or before the piece: an empty file begins where the next one
 * does, so it is never the last. */
uint32_t metainfo_file_of_piece(const struct metainfo *meta, uint32_t piece)
{
    uint32_t low = 0, high = meta->file_count;

    assert(piece < meta->piece_count);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (meta->files[middle].first_piece <= piece)
            low = middle;
        else
            high = middle;
    }
    return low;
}

int metainfo_by_root(const void *a, const void *b, void *files)
{
    const struct metainfo_file *list = files;
    return memcmp(list[*(const uint32_t *)a].root, list[*(const uint32_t *)b].root, HASH_LENGTH);
}

uint32_t metainfo_piece_bytes(const struct metainfo *meta, uint32_t piece)
{
    const struct metainfo_file *file = &meta->files[metainfo_file_of_piece(meta, piece)];
    uint64_t left = file->length - (uint64_t)(piece - file->first_piece) * meta->piece_length;

    return left < meta->piece_length ? (uint32_t)left : meta->piece_length;
}

const uint8_t *metainfo_piece_hash(const struct metainfo *meta, uint32_t piece)
{
    const struct metainfo_file *file = &meta->files[metainfo_file_of_piece(meta, piece)];

    if (file->layer == NULL)
        return file->root;
    return file->layer + (size_t)(piece - file->first_piece) * HASH_LENGTH;
}
