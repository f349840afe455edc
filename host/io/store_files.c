/* io/store: files in memory, and the calls that use them. */
#include "io/store_private.h"

#include "base/limits.h"
#include "base/log.h"

#include <assert.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint32_t store_piece_count(uint64_t length, uint32_t piece_length)
{
    return (uint32_t)((length + piece_length - 1) / piece_length);
}

bool store_file_complete(const struct store_file *file)
{
    return bitfield_full(&file->have);
}

bool store_file_matches(const struct store_file *file, uint64_t length, uint32_t piece_length)
{
    return file->length == length &&
           (file->piece_length == piece_length || store_file_complete(file));
}

bool store_file_in_use(const struct store_file *file)
{
    return file->pins > 0;
}

bool store_file_holds(const struct store_file *file, const struct stat *status)
{
    return file->trusted && status->st_size == file->size &&
           store_mtime_ns(status) == file->mtime_ns;
}

void store_file_seen(struct store_file *file, const struct stat *status)
{
    file->trusted = true;
    file->size = status->st_size;
    file->mtime_ns = store_mtime_ns(status);
}

struct store_file *store_file_find(struct store *store, const uint8_t root[HASH_LENGTH])
{
    struct store_file *file;

    HASH_FIND(hh, store->files, root, HASH_LENGTH, file);
    return file;
}

uint64_t store_verified_bytes(const struct bitfield *have, uint64_t length, uint32_t piece_length)
{
    uint64_t bytes = (uint64_t)have->count * piece_length;

    if (bitfield_get(have, have->bits - 1))
        bytes -= (uint64_t)have->bits * piece_length - length;
    return bytes;
}

void store_file_recount(struct store *store, struct store_file *file)
{
    uint64_t bytes = store_verified_bytes(&file->have, file->length, file->piece_length);
    bool complete = store_file_complete(file);

    store->totals.bytes += bytes - file->counted_bytes;
    store->totals.files += (uint64_t)complete - (uint64_t)file->counted_file;
    file->counted_bytes = bytes;
    file->counted_file = complete;
}

/* Takes over the row's bits when they are of the same pieces. */
static void load_bits(struct store *store, struct store_file *file, const struct store_row *row)
{
    file->created = row->created;
    file->last_used = row->last_used;
    file->counted_bytes = row->bytes;
    file->counted_file = row->complete;
    file->trusted = row->synced || row->this_boot;
    file->size = row->size;
    file->mtime_ns = row->mtime_ns;
    if (row->length != file->length)
        return;
    if (row->complete)
        bitfield_set_all(&file->have);
    else if (row->piece_length == file->piece_length)
        store_row_bits(row, &file->have);
    store_file_recount(store, file);
}

struct store_file *store_file_new(struct store *store, const struct metainfo_file *wanted,
                                  uint32_t piece_length, const struct store_row *row)
{
    struct store_file *file = mem_zalloc(sizeof *file);

    memcpy(file->root, wanted->root, HASH_LENGTH);
    file->length = wanted->length;
    file->piece_length = piece_length;
    file->fd = -1;
    bitfield_init(&file->have, store_piece_count(file->length, piece_length));
    list_init(&file->idle);
    list_init(&file->changed);
    file->created = file->last_used = (int64_t)time(NULL);
    if (row != NULL)
        load_bits(store, file, row);
    HASH_ADD(hh, store->files, root, HASH_LENGTH, file);
    return file;
}

static void leave_idle(struct store *store, struct store_file *file)
{
    if (list_empty(&file->idle))
        return;
    list_remove(&file->idle);
    store->idle_count--;
}

static void enter_idle(struct store *store, struct store_file *file)
{
    leave_idle(store, file);
    if (file->fd < 0 || file->pins > 0)
        return;
    list_push_back(&store->idle, &file->idle);
    store->idle_count++;
}

static void close_fd(struct store *store, struct store_file *file)
{
    struct stat status;

    leave_idle(store, file);
    if (file->fd < 0)
        return;
    /* We have been writing to it, or may have: its time has changed by that. */
    if ((file->content_changed || !store_file_complete(file)) && fstat(file->fd, &status) == 0)
        store_file_seen(file, &status);
    close(file->fd);
    file->fd = -1;
}

void store_file_free(struct store *store, struct store_file *file)
{
    close_fd(store, file);
    if (!list_empty(&file->changed)) {
        list_remove(&file->changed);
        store->changed_count--;
    }
    HASH_DELETE(hh, store->files, file);
    bitfield_done(&file->have);
    mem_free(file);
}

void store_file_release(struct store *store, struct store_file *file)
{
    if (file->fd < 0 && file->pins == 0 && list_empty(&file->changed) && !file->lost)
        store_file_free(store, file);
}

void store_file_change(struct store *store, struct store_file *file, bool content)
{
    file->content_changed |= content;
    if (!list_empty(&file->changed))
        return;
    list_push_back(&store->changed, &file->changed);
    store->changed_count++;
}

void store_close_idle(struct store *store, unsigned keep)
{
    while (store->idle_count > keep) {
        struct store_file *file = list_entry(store->idle.next, struct store_file, idle);

        /* Written to since the last record: its time has changed, so the row is to follow. */
        if (!store_file_complete(file))
            store_file_change(store, file, true);
        close_fd(store, file);
        store_file_release(store, file);
    }
}

void store_file_rest(struct store *store, struct store_file *file)
{
    enter_idle(store, file);
    if (store->idle_count > STORE_FDS_MAX)
        store_close_idle(store, STORE_FDS_MAX);
    store_file_release(store, file);
}

/* --- descriptors */

/* The file is in memory, but with another length, or with pieces of another length that are not
 * all there. The newcomer gets its place, unless that would cost something: a torrent that lies
 * about a length must not. */
static enum err give_way(struct store *store, struct store_file *file)
{
    uint8_t root[HASH_LENGTH];

    if (store_file_in_use(file) || store_file_complete(file))
        return ERR_MISMATCH;
    memcpy(root, file->root, HASH_LENGTH);
    store_flush(store);
    file = store_file_find(store, root); /* the flush may have let it go */
    if (file != NULL)
        store_file_free(store, file);
    return ERR_OK;
}

/* What is in memory about the file, or else in the index; ERR_MISMATCH when the root is taken by
 * something that is not this file. */
static enum err get_file(struct store *store, const struct metainfo_file *wanted,
                         uint32_t piece_length, struct store_file **ret)
{
    struct store_file *file = store_file_find(store, wanted->root);
    struct store_row row;
    enum err err;

    if (file != NULL && store_file_matches(file, wanted->length, piece_length)) {
        *ret = file;
        return ERR_OK;
    }
    if (file != NULL && give_way(store, file) != ERR_OK)
        return ERR_MISMATCH;
    err = store_row_get(store, wanted->root, &row);
    if (err == ERR_NOT_FOUND) {
        *ret = store_file_new(store, wanted, piece_length, NULL);
        store_file_change(store, *ret, true); /* it gets a row */
        return ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    if (row.complete && row.length != wanted->length)
        err = ERR_MISMATCH;
    else
        *ret = store_file_new(store, wanted, piece_length, &row);
    store_row_done(store);
    return err;
}

/* The content is not what it was when last seen. A file of one piece is checked at once; the
 * hashes of others are not at hand here, so they wait for store_load_have. */
static enum err recheck(struct store *store, struct store_file *file,
                        const struct metainfo_file *wanted)
{
    enum err err = ERR_OK;

    if (file->have.bits == 1)
        err = store_content_verify(store, file, wanted);
    else
        bitfield_clear(&file->have);
    store_file_recount(store, file);
    store_file_change(store, file, true);
    if (err == ERR_OK && file->have.count == 0) {
        log_warning("a content file is not what it was: it is verified before it is used again");
        file->lost = true;
        err = ERR_MISMATCH;
    }
    return err;
}

static enum err open_file(struct store *store, struct store_file *file,
                          const struct metainfo_file *wanted)
{
    bool complete = store_file_complete(file);
    struct stat status;
    enum err err;

    if (!complete && store->stand_in != STAND_IN_NONE)
        return store->trouble;
    err = store_content_open(store, file, true, &status);
    if (err == ERR_OK && file->have.count > 0 && !store_file_holds(file, &status))
        err = recheck(store, file, wanted);
    if (err == ERR_OK && !complete && !store_can_write(file->fd))
        return ERR_READ_ONLY;
    if (err == ERR_OK && (uint64_t)status.st_size != file->length) {
        err = store_content_reserve(store, file, &status);
        store_file_change(store, file, true);
    }
    return err;
}

/* Of a file that is open for a while and no longer written: is it still what it was? One that is
 * in use stays open all the same, and is verified through the same descriptor. */
static enum err look_again(struct store *store, struct store_file *file,
                           const struct metainfo_file *wanted)
{
    struct stat status;

    if (!store_file_complete(file) || file->content_changed || fstat(file->fd, &status) != 0 ||
        store_file_holds(file, &status))
        return ERR_OK;
    return recheck(store, file, wanted);
}

static void touch(struct store *store, struct store_file *file)
{
    int64_t now = (int64_t)time(NULL);

    if (now - file->last_used < STORE_TOUCH_S && file->last_used <= now)
        return;
    file->last_used = now;
    store_file_change(store, file, false);
}

enum err store_fd(struct store *store, const struct metainfo_file *wanted, uint32_t piece_length,
                  int *ret_fd)
{
    struct store_file *file;
    enum err err;

    assert(wanted->length > 0 && piece_length >= BLOCK_LENGTH);
    err = get_file(store, wanted, piece_length, &file);
    if (err != ERR_OK)
        return err;
    if (file->lost)
        return ERR_MISMATCH;
    if (file->fd >= 0) {
        err = look_again(store, file, wanted);
        if (err != ERR_OK)
            return err;
    } else {
        err = open_file(store, file, wanted);
        if (err != ERR_OK) {
            close_fd(store, file);
            store_file_release(store, file);
            return err;
        }
    }
    touch(store, file);
    store_file_rest(store, file);
    *ret_fd = file->fd;
    return ERR_OK;
}

void store_pin(struct store *store, const uint8_t root[HASH_LENGTH])
{
    struct store_file *file = store_file_find(store, root);

    if (file == NULL)
        return;
    file->pins++;
    leave_idle(store, file);
}

void store_unpin(struct store *store, const uint8_t root[HASH_LENGTH])
{
    struct store_file *file = store_file_find(store, root);

    if (file == NULL || file->pins == 0)
        return;
    file->pins--;
    enter_idle(store, file);
}

void store_mark_piece(struct store *store, const struct metainfo_file *wanted,
                      uint32_t piece_length, uint32_t piece_in_file)
{
    struct store_file *file = store_file_find(store, wanted->root);

    /* Not in memory, so nobody held it open while it was written. The piece alone would be known
     * to be right, not what the row says of others; for one piece that is all. */
    if (file == NULL && store_piece_count(wanted->length, piece_length) > 1) {
        log_warning("a piece was stored in a file that is not pinned: it is not recorded");
        return;
    }
    if (file == NULL && get_file(store, wanted, piece_length, &file) != ERR_OK)
        return;
    if (file->lost || !store_file_matches(file, wanted->length, piece_length))
        return; /* only forgotten: it will be fetched again */
    bitfield_set(&file->have, piece_in_file);
    store_file_recount(store, file);
    store_file_change(store, file, true); /* also when set before: the file's time has changed */
    if (store->changed_count >= STORE_BATCH)
        store_flush(store);
}

void store_doubt(struct store *store, const uint8_t root[HASH_LENGTH])
{
    struct store_file *file = store_file_find(store, root);

    if (file == NULL)
        return;
    log_warning("a content file is damaged: it is verified before it is used again");
    bitfield_clear(&file->have);
    file->lost = true;
    store_file_recount(store, file);
    store_file_change(store, file, true);
}
