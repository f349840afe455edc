/* io/store: which pieces of a torrent are here. */
#include "io/store_private.h"

#include "base/log.h"

#include <string.h>

/* What memory or the index knows of a file. In doubt, its content is read. */
enum found { FOUND_NOTHING, FOUND_BITS, FOUND_DOUBT };

static void set_from(struct bitfield *have, const struct metainfo_file *file,
                     const struct bitfield *bits)
{
    for (uint32_t i = 0; i < file->pieces; i++) {
        if (bitfield_full(bits) || bitfield_get(bits, i))
            bitfield_set(have, file->first_piece + i);
    }
}

static enum found from_memory(const struct store_file *known, const struct metainfo_file *file,
                              uint32_t piece_length, struct bitfield *have)
{
    if (!store_file_matches(known, file->length, piece_length))
        return FOUND_NOTHING; /* another torrent has it in hand: not ours until it is complete */
    if (known->lost)
        return FOUND_DOUBT;
    set_from(have, file, &known->have);
    return FOUND_BITS;
}

static bool set_from_row(struct bitfield *have, const struct metainfo_file *file,
                         const struct store_row *row)
{
    struct bitfield bits;
    bool right;

    if (row->complete) {
        for (uint32_t i = 0; i < file->pieces; i++)
            bitfield_set(have, file->first_piece + i);
        return true;
    }
    bitfield_init(&bits, file->pieces);
    right = store_row_bits(row, &bits);
    if (right)
        set_from(have, file, &bits);
    bitfield_done(&bits);
    return right;
}

static enum found from_index(struct store *store, const struct metainfo_file *file,
                             uint32_t piece_length, struct bitfield *have)
{
    struct stat status;
    struct store_row row;
    enum found found = FOUND_DOUBT;
    bool there = store_content_stat(store, file->root, &status);

    if (store_row_get(store, file->root, &row) != ERR_OK)
        return there ? FOUND_DOUBT : FOUND_NOTHING;
    if (row.length != file->length && row.complete)
        found = FOUND_NOTHING; /* one of the two lies, and it is not the complete one */
    else if (there && row.length == file->length && store_row_holds(&row, &status) &&
             (row.complete || row.piece_length == piece_length) && set_from_row(have, file, &row))
        found = FOUND_BITS;
    store_row_done(store);
    return found;
}

/* The content cannot be read, perhaps because it is gone: its row goes with the next batch. */
static void forget(struct store *store, struct store_file *file)
{
    bitfield_clear(&file->have);
    store_file_recount(store, file);
    store_file_change(store, file, true);
}

/* Reads and hashes what is there. A fault of one file costs that file only. */
static void verify(struct store *store, const struct metainfo_file *file, uint32_t piece_length,
                   struct bitfield *have)
{
    struct store_file *known = store_file_find(store, file->root);
    struct store_row row;
    struct stat status;
    enum err err = ERR_OK;

    if (known == NULL) {
        bool has_row = store_row_get(store, file->root, &row) == ERR_OK;

        known = store_file_new(store, file, piece_length, has_row ? &row : NULL);
        if (has_row)
            store_row_done(store);
    }
    known->lost = false;
    if (known->fd < 0)
        err = store_content_open(store, known, false, &status);
    if (err == ERR_OK)
        err = store_content_verify(store, known, file);
    if (err == ERR_OK)
        log_debug("a content file was verified again: %u of %u pieces", known->have.count,
                  known->have.bits);
    else
        forget(store, known);
    set_from(have, file, &known->have);
    store_file_rest(store, known);
}

enum err store_load_have(struct store *store, const struct metainfo *meta,
                         struct bitfield *ret_have)
{
    bitfield_init(ret_have, meta->piece_count);
    for (uint32_t i = 0; i < meta->file_count; i++) {
        const struct metainfo_file *file = &meta->files[i];
        struct store_file *known;
        enum found found;

        if (file->pieces == 0)
            continue;
        known = store_file_find(store, file->root);
        if (known != NULL)
            found = from_memory(known, file, meta->piece_length, ret_have);
        else
            found = from_index(store, file, meta->piece_length, ret_have);
        if (found == FOUND_DOUBT)
            verify(store, file, meta->piece_length, ret_have);
        if (store->changed_count >= STORE_BATCH)
            store_flush(store);
    }
    return ERR_OK;
}
