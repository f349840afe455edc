/* What the parts of the store share. Layer: io, private to store.
 *
 *   store.c          opening, closing, the batch
 *   store_db.c       SQLite: opening what may be foreign or broken, statements, errors
 *   store_rows.c     rows of the table `file`
 *   store_files.c    files in memory: those open, pinned or not yet recorded
 *   store_content.c  content files: names, space, verification
 *   store_have.c     which pieces of a torrent are here
 *   store_sites.c    sites, torrents, settings
 *   store_cache.c    whose files they are, removal, the disk's room
 *   store_sync.c     content and index to the disk, off the loop's thread */
#pragma once

#include "base/list.h"
#include "io/store.h"
#include "io/table.h"

#include <sqlite3.h>
#include <sys/stat.h>

#define STORE_FDS       256   /* open at rest (after a flush) */
#define STORE_FDS_MAX   512   /* open at all, pinned ones not counted */
#define STORE_BATCH     128   /* changed files that are recorded without waiting for a flush */
#define STORE_TOUCH_S   3600  /* last_used is written when it is older */
#define STORE_SYNC_MS   30000 /* between two syncs: the system has written most by then itself */
#define STORE_WAL_PAGES 1000  /* of 4 KiB, from which on the next sync takes the index along */
#define STORE_WAL_MAX   16384 /* when that has not happened: at once */
#define STORE_NAME      68    /* "ab/abcd..." and its NUL */
#define STORE_BOOT      16

enum store_statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_FILE_GET,
    STATEMENT_FILE_PUT,
    STATEMENT_FILE_DELETE,
    STATEMENT_FILE_TOUCH,
    STATEMENT_FILE_SYNCED,
    STATEMENT_FILE_TOTALS,
    STATEMENT_SITE_EACH,
    STATEMENT_SITE_PUT,
    STATEMENT_SITE_TRIM,
    STATEMENT_SITE_BLOCK,
    STATEMENT_SITE_UNBLOCK,
    STATEMENT_TORRENT_GET,
    STATEMENT_TORRENT_PUT,
    STATEMENT_TORRENT_TOUCH,
    STATEMENT_SETTING_EACH,
    STATEMENT_SETTING_PUT,
    STATEMENT_CACHED_EACH,
    STATEMENT_CACHED_PUT,
    STATEMENT_CACHED_DELETE,
    STATEMENT_CHOICE_EACH,
    STATEMENT_CHOICE_PUT,
    STATEMENT_CHOICE_DELETE,
    STATEMENT_SHARED_TRIM,
    STATEMENT_SHARED_EACH,
    STATEMENT_SHARED_PUT,
    STATEMENT_SHARED_DELETE,
    STATEMENT_COUNT_
};

/* A content file in memory: while it is open, pinned or changed. */
struct store_file {
    UT_hash_handle hh;
    uint8_t root[HASH_LENGTH];
    uint64_t length;
    uint32_t piece_length;
    struct bitfield have;
    int fd; /* -1: not open */
    unsigned pins;
    struct list idle;     /* in store.idle: open and not pinned */
    struct list changed;  /* in store.changed: something to record */
    bool content_changed; /* else only last_used */
    bool trusted;         /* size and mtime_ns say what the content was when last seen */
    int64_t size, mtime_ns;
    bool lost; /* was not what the row said: unusable until it is loaded again */
    int64_t created, last_used;
    uint64_t counted_bytes; /* what the totals hold for it */
    bool counted_file;
};

/* A row of `file`, checked. `have` is borrowed until row_done. */
struct store_row {
    uint64_t length;
    uint32_t piece_length, pieces;
    bool complete, synced, this_boot;
    struct span have;
    uint64_t bytes;
    int64_t size, mtime_ns, created, last_used;
};

struct store_sync; /* a sync under way */

/* Recorded, but perhaps only in the page cache. */
struct store_unsynced {
    uint8_t root[HASH_LENGTH];
    int64_t mtime_ns;
};

/* In place of an index that cannot be opened for writing. */
enum store_stand_in {
    STAND_IN_NONE,
    STAND_IN_READING, /* the index as it was, only read */
    STAND_IN_EMPTY    /* one in memory: nothing is known */
};

struct store {
    char *path;
    int dir, content, lock; /* descriptors */
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT_];
    enum store_stand_in stand_in;
    enum err trouble; /* why there is a stand-in */
    uint64_t refused; /* bytes for which there was no room last */
    bool db_broken;   /* found corrupt while running: begun anew at the next flush */
    bool odd_row;     /* one was found, and said so */
    uint8_t boot[STORE_BOOT];
    struct store_file *files; /* uthash by root */
    struct list idle;         /* least recently used first */
    unsigned idle_count;
    struct list changed;
    unsigned changed_count;
    struct store_totals totals;
    uint8_t *piece; /* for verification, grown as needed */
    size_t piece_capacity;
    struct store_unsynced *unsynced;
    size_t unsynced_count, unsynced_capacity;
    uint64_t unsynced_since_ms; /* when the oldest of them came */
    struct store_sync *sync;    /* NULL: none under way */
    int wal_pages;              /* written since the last checkpoint, as SQLite tells */
    uint64_t synced_at_ms;      /* when the last sync began */
    uint32_t sync_ms;           /* STORE_SYNC_MS; tests shorten it */
};

/* --- store_db.c */
enum err store_db_open(struct store *store);
void store_db_close(struct store *store);
/* A stand-in for an index that cannot be written. */
enum err store_db_stand_in(struct store *store);
/* What the system's word means for who wanted to write. */
enum err store_err_of(int why);
/* Moves a broken index aside and begins a new one. */
enum err store_db_renew(struct store *store);
enum err store_db_err(struct store *store, int result, const char *what);
/* Runs a statement that gives no row, and resets it. */
enum err store_db_run(struct store *store, enum store_statement which);
void store_db_reset(struct store *store, enum store_statement which);

/* --- store_rows.c */
/* ERR_NOT_FOUND also for a row that cannot be right. On ERR_OK call row_done after use. */
enum err store_row_get(struct store *store, const uint8_t root[HASH_LENGTH], struct store_row *ret);
void store_row_done(struct store *store);
enum err store_row_put(struct store *store, const struct store_file *file,
                       const struct stat *status, bool synced);
enum err store_row_delete(struct store *store, const uint8_t root[HASH_LENGTH]);
enum err store_row_touch(struct store *store, const struct store_file *file);
enum err store_row_set_synced(struct store *store, const struct store_unsynced *which);
enum err store_row_totals(struct store *store, struct store_totals *ret);
/* Reads the row's bits into `have`, which has as many. False when they cannot be right: they must
 * add up to the row's bytes, so that a flipped bit does not stand for a piece. */
bool store_row_bits(const struct store_row *row, struct bitfield *have);
/* Nothing has happened to the content since the row was written. */
bool store_row_holds(const struct store_row *row, const struct stat *status);
int64_t store_mtime_ns(const struct stat *status);

/* --- store_files.c */
uint32_t store_piece_count(uint64_t length, uint32_t piece_length);
/* Of the pieces in `have`; the last one may be short. */
uint64_t store_verified_bytes(const struct bitfield *have, uint64_t length, uint32_t piece_length);
struct store_file *store_file_find(struct store *store, const uint8_t root[HASH_LENGTH]);
/* row may be NULL: nothing is known of it. */
struct store_file *store_file_new(struct store *store, const struct metainfo_file *file,
                                  uint32_t piece_length, const struct store_row *row);
/* The content has not been touched by others since it was seen last. */
bool store_file_holds(const struct store_file *file, const struct stat *status);
void store_file_seen(struct store_file *file, const struct stat *status);
/* Done with for now: its descriptor may be closed when there are too many. */
void store_file_rest(struct store *store, struct store_file *file);
/* Frees it when nothing needs it any more. */
void store_file_release(struct store *store, struct store_file *file);
void store_file_free(struct store *store, struct store_file *file);
bool store_file_complete(const struct store_file *file);
/* Is it the file that is asked for, with bits that mean the same? */
bool store_file_matches(const struct store_file *file, uint64_t length, uint32_t piece_length);
bool store_file_in_use(const struct store_file *file);
void store_file_change(struct store *store, struct store_file *file, bool content);
void store_file_recount(struct store *store, struct store_file *file);
void store_close_idle(struct store *store, unsigned keep);

/* --- store_content.c */
void store_content_name(const uint8_t root[HASH_LENGTH], char ret_name[STORE_NAME]);
/* False when there is no such regular file. */
bool store_content_stat(const struct store *store, const uint8_t root[HASH_LENGTH],
                        struct stat *ret);
/* Opens the file's content into file->fd, making it when `create`. */
enum err store_content_open(struct store *store, struct store_file *file, bool create,
                            struct stat *ret_status);
/* False: the disk let it be opened for reading only. */
bool store_can_write(int fd);
/* Gives it its full length, with the space reserved; an empty file that does not fit is removed. */
enum err store_content_reserve(struct store *store, struct store_file *file,
                               const struct stat *status);
/* Reads the open file and sets file->have to what has the right hashes. */
enum err store_content_verify(struct store *store, struct store_file *file,
                              const struct metainfo_file *wanted);

/* --- store_sync.c */
void store_sync_add(struct store *store, const uint8_t root[HASH_LENGTH], int64_t mtime_ns);
/* Records what a finished sync has done, and begins the next when it is time. */
void store_sync_step(struct store *store);
/* Waits for a sync under way and records what it has done. */
void store_sync_wait(struct store *store);
/* The same, then syncs the rest. */
void store_sync_end(struct store *store);
