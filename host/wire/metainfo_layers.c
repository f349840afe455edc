/* The piece layers of a torrent: dict of root -> 32 bytes a piece, for each file of two or more
 * pieces. The files, sorted by root, run beside the dict, which is sorted by root, too. */
#include "wire/metainfo_layers.h"

#include "base/mem.h"
#include "wire/bencode.h"

#include <stdlib.h>
#include <string.h>

static int compare_roots(const void *a, const void *b)
{
    const struct metainfo_file *const *x = a, *const *y = b;

    return memcmp((*x)->root, (*y)->root, HASH_LENGTH);
}

/* The end of the run of files that have the root of sorted[from]. Equal roots are equal bytes,
 * so they must be of equal length; then they share one layer. */
static enum err find_run(struct metainfo_file **sorted, size_t from, size_t count, size_t *ret_end)
{
    size_t end = from + 1;

    for (; end < count && compare_roots(&sorted[from], &sorted[end]) == 0; end++)
        if (sorted[end]->length != sorted[from]->length)
            return ERR_MISMATCH;
    *ret_end = end;
    return ERR_OK;
}

static enum err layer_bytes(struct metainfo_file **sorted, size_t count, size_t *ret_bytes)
{
    size_t end = 0;

    *ret_bytes = 0;
    for (size_t i = 0; i < count; i = end) {
        enum err err = find_run(sorted, i, count, &end);
        if (err != ERR_OK)
            return err;
        if (sorted[i]->pieces > 1)
            *ret_bytes += (size_t)sorted[i]->pieces * HASH_LENGTH;
    }
    return ERR_OK;
}

/* The next entry of the dict must be this file's layer and hash up to its root. */
static enum err read_layer(struct bencode *in, struct span *key, const struct metainfo_file *file,
                           uint32_t piece_length, uint8_t *ret_layer)
{
    uint8_t root[HASH_LENGTH];

    if (!bencode_next_key(in, key))
        return in->err != ERR_OK ? in->err : ERR_MISSING;
    if (key->length != HASH_LENGTH)
        return ERR_SYNTAX;
    int order = memcmp(key->data, file->root, HASH_LENGTH);
    if (order != 0)
        return order > 0 ? ERR_MISSING : ERR_MISMATCH;
    struct span layer = bencode_bytes(in);
    if (in->err != ERR_OK)
        return in->err;
    if (layer.length != (size_t)file->pieces * HASH_LENGTH)
        return ERR_MISMATCH;
    memcpy(ret_layer, layer.data, layer.length);
    merkle_file_root(ret_layer, file->pieces, piece_length, root);
    return memcmp(root, file->root, HASH_LENGTH) == 0 ? ERR_OK : ERR_BAD_HASH;
}

static enum err match_layers(struct metainfo *meta, struct metainfo_file **sorted, size_t count,
                             struct span layers)
{
    struct bencode in;
    struct span key = {NULL, 0};
    uint8_t *layer = meta->layers;
    size_t end = 0;

    bencode_init(&in, layers.data, layers.length);
    bencode_enter_dict(&in);
    for (size_t i = 0; i < count; i = end) {
        enum err err = find_run(sorted, i, count, &end);
        if (err == ERR_OK && sorted[i]->pieces > 1)
            err = read_layer(&in, &key, sorted[i], meta->piece_length, layer);
        if (err != ERR_OK)
            return err;
        if (sorted[i]->pieces <= 1)
            continue;
        for (size_t same = i; same < end; same++)
            sorted[same]->layer = layer;
        layer += (size_t)sorted[i]->pieces * HASH_LENGTH;
    }
    if (bencode_next_key(&in, &key))
        return ERR_MISMATCH; /* a layer that no file needs */
    return bencode_finish(&in);
}

enum err metainfo_read_layers(struct span layers, struct metainfo *meta)
{
    struct metainfo_file **sorted = mem_calloc(meta->file_count, sizeof *sorted);
    size_t count = 0, bytes = 0;

    for (uint32_t i = 0; i < meta->file_count; i++)
        if (meta->files[i].length > 0)
            sorted[count++] = &meta->files[i];
    qsort(sorted, count, sizeof *sorted, compare_roots);
    enum err err = layer_bytes(sorted, count, &bytes);
    if (err == ERR_OK && bytes > layers.length)
        err = ERR_MISSING; /* before any memory is spent on it */
    if (err == ERR_OK) {
        meta->layers = mem_alloc(bytes);
        err = match_layers(meta, sorted, count, layers);
    }
    mem_free(sorted);
    return err;
}
