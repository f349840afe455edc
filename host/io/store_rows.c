/* io/store: rows of the table `file`. */
#include "io/store_private.h"

#include "base/limits.h"
#include "base/log.h"

#include <string.h>
#include <time.h>

int64_t store_mtime_ns(const struct stat *status)
{
    return (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
}

bool store_row_holds(const struct store_row *row, const struct stat *status)
{
    return (row->synced || row->this_boot) && status->st_size == row->size &&
           store_mtime_ns(status) == row->mtime_ns;
}

static struct span column_blob(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column); /* before _bytes: it converts */

    return span_of(data, (size_t)sqlite3_column_bytes(statement, column));
}

/* The file is ours, but may have been touched by anybody: nothing in it is taken on trust. */
static bool read_row(const struct store *store, sqlite3_stmt *statement, struct store_row *ret)
{
    sqlite3_int64 length = sqlite3_column_int64(statement, 0);
    sqlite3_int64 piece_length = sqlite3_column_int64(statement, 1);
    struct span boot = column_blob(statement, 4);

    if (length <= 0 || (uint64_t)length > LIMIT_FILE_LENGTH || piece_length < BLOCK_LENGTH ||
        piece_length > LIMIT_PIECE_LENGTH || (piece_length & (piece_length - 1)) != 0)
        return false;
    ret->length = (uint64_t)length;
    ret->piece_length = (uint32_t)piece_length;
    ret->pieces = store_piece_count(ret->length, ret->piece_length);
    ret->complete = sqlite3_column_type(statement, 2) == SQLITE_NULL;
    ret->have = column_blob(statement, 2);
    if (!ret->complete && ret->have.length != bitfield_bytes(ret->pieces))
        return false;
    ret->bytes = (uint64_t)sqlite3_column_int64(statement, 3);
    if (ret->bytes > ret->length || (ret->complete && ret->bytes != ret->length))
        return false;
    ret->this_boot = boot.length == STORE_BOOT && memcmp(boot.data, store->boot, STORE_BOOT) == 0;
    ret->synced = sqlite3_column_int64(statement, 5) == 1;
    ret->size = sqlite3_column_int64(statement, 6);
    ret->mtime_ns = sqlite3_column_int64(statement, 7);
    ret->created = sqlite3_column_int64(statement, 8);
    ret->last_used = sqlite3_column_int64(statement, 9);
    return true;
}

bool store_row_bits(const struct store_row *row, struct bitfield *have)
{
    if (bitfield_load(have, row->have.data, row->have.length) &&
        store_verified_bytes(have, row->length, row->piece_length) == row->bytes)
        return true;
    log_warning("a row of the index has impossible pieces: they are verified again");
    bitfield_clear(have);
    return false;
}

enum err store_row_get(struct store *store, const uint8_t root[HASH_LENGTH], struct store_row *ret)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_FILE_GET];
    enum err err = ERR_NOT_FOUND;
    int result;

    sqlite3_bind_blob(statement, 1, root, HASH_LENGTH, SQLITE_STATIC);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        if (read_row(store, statement, ret))
            return ERR_OK;
        if (!store->odd_row) /* once: there may be a million */
            log_warning("a row of the index cannot be right: its file is verified again");
        store->odd_row = true;
    } else if (result != SQLITE_DONE) {
        err = store_db_err(store, result, "be read");
    }
    store_row_done(store);
    return err;
}

void store_row_done(struct store *store)
{
    store_db_reset(store, STATEMENT_FILE_GET);
}

enum err store_row_put(struct store *store, const struct store_file *file,
                       const struct stat *status, bool synced)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_FILE_PUT];

    sqlite3_bind_blob(statement, 1, file->root, HASH_LENGTH, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)file->length);
    sqlite3_bind_int64(statement, 3, file->piece_length);
    if (!store_file_complete(file)) /* else it stays NULL */
        sqlite3_bind_blob64(statement, 4, file->have.bytes, bitfield_bytes(file->have.bits),
                            SQLITE_STATIC);
    sqlite3_bind_int64(statement, 5, (sqlite3_int64)file->counted_bytes);
    sqlite3_bind_blob(statement, 6, store->boot, STORE_BOOT, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 7, synced);
    sqlite3_bind_int64(statement, 8, status->st_size);
    sqlite3_bind_int64(statement, 9, store_mtime_ns(status));
    sqlite3_bind_int64(statement, 10, file->created);
    sqlite3_bind_int64(statement, 11, file->last_used);
    return store_db_run(store, STATEMENT_FILE_PUT);
}

enum err store_row_delete(struct store *store, const uint8_t root[HASH_LENGTH])
{
    sqlite3_bind_blob(store->statements[STATEMENT_FILE_DELETE], 1, root, HASH_LENGTH,
                      SQLITE_STATIC);
    return store_db_run(store, STATEMENT_FILE_DELETE);
}

enum err store_row_touch(struct store *store, const struct store_file *file)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_FILE_TOUCH];

    sqlite3_bind_blob(statement, 1, file->root, HASH_LENGTH, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, file->last_used);
    return store_db_run(store, STATEMENT_FILE_TOUCH);
}

enum err store_row_set_synced(struct store *store, const struct store_unsynced *which)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_FILE_SYNCED];

    sqlite3_bind_blob(statement, 1, which->root, HASH_LENGTH, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, which->mtime_ns);
    return store_db_run(store, STATEMENT_FILE_SYNCED);
}

enum err store_row_totals(struct store *store, struct store_totals *ret)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_FILE_TOTALS];
    int result = sqlite3_step(statement);
    double files = 0, bytes = 0;

    if (result == SQLITE_ROW) {
        files = sqlite3_column_double(statement, 0);
        bytes = sqlite3_column_double(statement, 1);
    }
    store_db_reset(store, STATEMENT_FILE_TOTALS);
    /* total() cannot overflow, but a foreign row may make it anything. */
    ret->files = files >= 0 && files < 1e15 ? (uint64_t)files : 0;
    ret->bytes = bytes >= 0 && bytes < 1e18 ? (uint64_t)bytes : 0;
    return store_db_err(store, result, "be read");
}
