/* Metainfo: what is accepted is proven, can be looked up, and can be written and read again. */
#include "base/limits.h"
#include "base/mem.h"
#include "wire/metainfo.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_file(const struct metainfo *meta, uint32_t i)
{
    const struct metainfo_file *file = &meta->files[i];
    uint8_t root[HASH_LENGTH];

    check(metainfo_find_path(meta, file->path, strlen(file->path)) == i);
    check((file->layer != NULL) == (file->pieces > 1));
    if (file->layer != NULL) {
        merkle_file_root(file->layer, file->pieces, meta->piece_length, root);
        check(memcmp(root, file->root, HASH_LENGTH) == 0);
    }
}

static void check_pieces(const struct metainfo *meta)
{
    uint64_t length = 0;

    for (uint32_t i = 0; i < meta->piece_count; i++) {
        const struct metainfo_file *file = &meta->files[metainfo_file_of_piece(meta, i)];
        check(i >= file->first_piece && i - file->first_piece < file->pieces);
        check(metainfo_piece_bytes(meta, i) > 0);
        check(metainfo_piece_hash(meta, i) != NULL);
        length += metainfo_piece_bytes(meta, i);
    }
    check(length == meta->length);
}

static void check_same(const struct metainfo *a, const struct metainfo *b)
{
    check(a->file_count == b->file_count && a->piece_count == b->piece_count);
    check(strcmp(a->name, b->name) == 0 && a->piece_length == b->piece_length);
    for (uint32_t i = 0; i < a->file_count; i++) {
        check(strcmp(a->files[i].path, b->files[i].path) == 0);
        check(a->files[i].length == b->files[i].length);
        check(memcmp(a->files[i].root, b->files[i].root, HASH_LENGTH) == 0);
    }
}

static void round_trip(const struct metainfo *meta)
{
    struct metainfo_entry *entries = mem_calloc(meta->file_count, sizeof *entries);
    struct metainfo *again = NULL;
    struct buf out;
    uint8_t infohash[HASH_LENGTH];

    for (uint32_t i = 0; i < meta->file_count; i++) {
        const struct metainfo_file *file = &meta->files[i];
        entries[i] = (struct metainfo_entry){file->path, file->length, {0}, file->layer};
        memcpy(entries[i].root, file->root, HASH_LENGTH);
    }
    buf_init(&out, LIMIT_TORRENT);
    check(metainfo_write(meta->name, meta->piece_length, entries, meta->file_count, NULL, 0, NULL,
                         0, &out, infohash) == ERR_OK);
    check(metainfo_parse(out.data, out.length, &again) == ERR_OK);
    check(memcmp(again->infohash, infohash, HASH_LENGTH) == 0);
    check_same(meta, again);
    metainfo_free(again);
    buf_done(&out);
    mem_free(entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct metainfo *meta = NULL;
    uint8_t infohash[HASH_LENGTH];
    struct span info = {NULL, 0};

    bool found = metainfo_find_info(span_of(data, size), &info) == ERR_OK;
    if (metainfo_parse(data, size, &meta) != ERR_OK)
        return 0;
    check(found && info.length == meta->info_length);
    sha256(info.data, info.length, infohash);
    check(memcmp(meta->infohash, infohash, HASH_LENGTH) == 0);
    for (uint32_t i = 0; i < meta->file_count; i++)
        check_file(meta, i);
    check_pieces(meta);
    round_trip(meta);
    metainfo_free(meta);
    return 0;
}
