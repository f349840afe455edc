/* io/store: SQLite. The file may be foreign, broken, or of a newer program. */
#include "io/store_private.h"

#include "base/limits.h"
#include "base/log.h"
#include "io/store_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_FIELDS                                                                                \
    "length, piece_length, have, bytes, boot, synced, size, mtime_ns, created, last_used"

static const char *const texts[STATEMENT_COUNT_] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_FILE_GET] = "SELECT " FILE_FIELDS " FROM file WHERE root = ?1",
    [STATEMENT_FILE_PUT] = "REPLACE INTO file (root, " FILE_FIELDS
                           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [STATEMENT_FILE_DELETE] = "DELETE FROM file WHERE root = ?1",
    [STATEMENT_FILE_TOUCH] = "UPDATE file SET last_used = ?2 WHERE root = ?1",
    [STATEMENT_FILE_SYNCED] = "UPDATE file SET synced = 1 WHERE root = ?1 AND mtime_ns = ?2",
    [STATEMENT_FILE_TOTALS] = "SELECT total(have IS NULL), total(bytes) FROM file",
    [STATEMENT_SITE_EACH] = "SELECT site, zone, key, seq, release, signature, "
                            "site IN (SELECT site FROM blocked) FROM site "
                            "ORDER BY last_used DESC, rowid DESC",
    [STATEMENT_SITE_PUT] = "REPLACE INTO site (site, zone, key, seq, release, signature, "
                           "last_used) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    /* Over the cap: a choice of the visitor's is kept longest. */
    [STATEMENT_SITE_TRIM] = "DELETE FROM site WHERE rowid IN (SELECT rowid FROM site ORDER BY "
                            "zone <> ?1 DESC, last_used DESC, rowid DESC LIMIT -1 OFFSET ?2)",
    [STATEMENT_SITE_BLOCK] = "REPLACE INTO blocked (site) VALUES (?1)",
    [STATEMENT_SITE_UNBLOCK] = "DELETE FROM blocked WHERE site = ?1 OR site NOT IN "
                               "(SELECT site FROM site)",
    [STATEMENT_TORRENT_GET] = "SELECT data, last_used FROM torrent WHERE infohash = ?1",
    [STATEMENT_TORRENT_PUT] =
        "REPLACE INTO torrent (infohash, data, last_used) VALUES (?1, ?2, ?3)",
    [STATEMENT_SETTING_EACH] = "SELECT name, value FROM setting",
    [STATEMENT_SETTING_PUT] = "REPLACE INTO setting (name, value) VALUES (?1, ?2)",
    [STATEMENT_CACHED_EACH] = "SELECT file.root, length, last_used, site, old FROM file "
                              "LEFT JOIN cached ON cached.root = file.root ORDER BY last_used",
    [STATEMENT_CACHED_PUT] = "REPLACE INTO cached (root, site, old) VALUES (?1, ?2, ?3)",
    [STATEMENT_CACHED_DELETE] = "DELETE FROM cached WHERE root = ?1",
    [STATEMENT_CHOICE_EACH] = "SELECT site, quota, keep FROM choice",
    [STATEMENT_CHOICE_PUT] = "REPLACE INTO choice (site, quota, keep) VALUES (?1, ?2, ?3)",
    [STATEMENT_CHOICE_DELETE] = "DELETE FROM choice WHERE site = ?1",
    [STATEMENT_SHARED_TRIM] = "DELETE FROM shared WHERE site NOT IN (SELECT site FROM site)",
    [STATEMENT_SHARED_EACH] = "SELECT site, down, up FROM shared",
    [STATEMENT_SHARED_PUT] = "REPLACE INTO shared (site, down, up) VALUES (?1, ?2, ?3)",
    [STATEMENT_SHARED_DELETE] = "DELETE FROM shared WHERE ?1 IS NULL OR site = ?1",
    [STATEMENT_TORRENT_TOUCH] = "UPDATE torrent SET last_used = ?2 WHERE infohash = ?1",
};

static bool is_broken(int result)
{
    return (result & 0xff) == SQLITE_CORRUPT || (result & 0xff) == SQLITE_NOTADB;
}

enum err store_db_err(struct store *store, int result, const char *what)
{
    if (result == SQLITE_OK || result == SQLITE_DONE || result == SQLITE_ROW)
        return ERR_OK;
    log_error("the index cannot %s: %s (%s)", what, sqlite3_errstr(result),
              store->db != NULL ? sqlite3_errmsg(store->db) : "not open");
    if (is_broken(result))
        store->db_broken = true;
    int why = store->db != NULL ? sqlite3_system_errno(store->db) : 0;
    switch (result & 0xff) {
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_READONLY:
        return ERR_READ_ONLY;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return store_err_of(why);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    default:
        return ERR_IO;
    }
}

void store_db_reset(struct store *store, enum store_statement which)
{
    if (store->statements[which] == NULL)
        return; /* no index: a renewal has failed */
    sqlite3_reset(store->statements[which]);
    sqlite3_clear_bindings(store->statements[which]);
}

enum err store_db_run(struct store *store, enum store_statement which)
{
    int result = sqlite3_step(store->statements[which]);

    store_db_reset(store, which);
    return store_db_err(store, result, "be written");
}

/* --- opening */

static enum err run_text(struct store *store, const char *text)
{
    return store_db_err(store, sqlite3_exec(store->db, text, NULL, NULL, NULL), "be set up");
}

/* The number that `text` gives, or -1. */
static sqlite3_int64 ask_number(struct store *store, const char *text, int *ret_result)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 number = -1;

    *ret_result = sqlite3_prepare_v2(store->db, text, -1, &statement, NULL);
    if (*ret_result == SQLITE_OK)
        *ret_result = sqlite3_step(statement);
    if (*ret_result == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

/* Makes what is missing from statement `from` on. */
static enum err create_schema(struct store *store, size_t from)
{
    enum err err = run_text(store, "BEGIN IMMEDIATE");
    char text[64];

    for (size_t i = from; i < STORE_SCHEMA_COUNT && err == ERR_OK; i++)
        err = run_text(store, store_schema[i]);
    snprintf(text, sizeof text, "PRAGMA user_version = %d", STORE_SCHEMA_NUMBER);
    if (err == ERR_OK)
        err = run_text(store, text);
    if (err == ERR_OK)
        err = run_text(store, "COMMIT");
    return err;
}

static bool schema_has(const char *text, size_t statements)
{
    for (size_t i = 0; i < statements; i++) {
        if (text != NULL && strcmp(text, store_schema[i]) == 0)
            return true;
    }
    return false;
}

/* Is it made of the first so many statements? */
static bool schema_is_ours(struct store *store, size_t statements)
{
    sqlite3_stmt *statement = NULL;
    size_t count = 0;
    bool ours = true;
    int result = sqlite3_prepare_v2(
        store->db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", -1, &statement, NULL);

    while (result == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        ours = ours && schema_has((const char *)sqlite3_column_text(statement, 0), statements);
        count++;
    }
    sqlite3_finalize(statement);
    return ours && count == statements;
}

/* ERR_MISMATCH: not an index of ours, or a broken one. */
static enum err check_schema(struct store *store)
{
    sqlite3_int64 version, tables, pages;
    int result;

    version = ask_number(store, "PRAGMA user_version", &result);
    if (result != SQLITE_ROW)
        return is_broken(result) ? ERR_MISMATCH : store_db_err(store, result, "be read");
    if (version > STORE_SCHEMA_NUMBER)
        return ERR_UNSUPPORTED;
    tables = ask_number(store, "SELECT count(*) FROM sqlite_schema", &result);
    if (result == SQLITE_ROW && version == 0 && tables == 0)
        return create_schema(store, 0);
    bool older = result == SQLITE_ROW && version > 0 && version < STORE_SCHEMA_NUMBER;
    if (older && schema_is_ours(store, store_schema_counts[version])) {
        enum err err = create_schema(store, store_schema_counts[version]);
        if (err != ERR_OK)
            return err;
        version = STORE_SCHEMA_NUMBER;
    }
    if (result != SQLITE_ROW || version != STORE_SCHEMA_NUMBER ||
        !schema_is_ours(store, STORE_SCHEMA_COUNT))
        return ERR_MISMATCH;
    /* A full check of a big index takes too long at every start; there a fault shows when the
     * page is read. */
    pages = ask_number(store, "PRAGMA page_count", &result);
    if (pages <= 4096 &&
        ask_number(store, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)", &result) != 1)
        return ERR_MISMATCH;
    return ERR_OK;
}

/* SQLite's own checkpoints would sync the disk in the middle of a commit, on the loop's thread:
 * store_sync makes them instead. */
static int has_committed(void *user, sqlite3 *db, const char *name, int pages)
{
    struct store *store = user;

    store->wal_pages = pages;
    if (pages >= STORE_WAL_MAX)
        sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK;
}

static enum err configure(struct store *store)
{
    sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, LIMIT_TORRENT + MIB(1));
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_busy_timeout(store->db, 200);
    sqlite3_wal_hook(store->db, has_committed, store);
    /* The system caches the file already; a confined daemon has no folder for temporary files. */
    return run_text(
        store,
        "PRAGMA cache_size = -256; "
        "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON; PRAGMA journal_mode = WAL; "
        "PRAGMA synchronous = NORMAL");
}

static enum err prepare(struct store *store)
{
    for (int i = 0; i < STATEMENT_COUNT_; i++) {
        int result = sqlite3_prepare_v3(store->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                        &store->statements[i], NULL);

        if (result != SQLITE_OK)
            return store_db_err(store, result, "be read");
    }
    return ERR_OK;
}

static enum err open_once(struct store *store)
{
    char *path = mem_printf("%s/index.sqlite", store->path);
    int fd, result;
    enum err err;

    /* SQLite gives its other files the mode of this one. What is no file at all gives way too. */
    fd = openat(store->dir, "index.sqlite", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        err = errno == EISDIR || errno == ELOOP ? ERR_MISMATCH : store_err_of(errno);
        log_error("cannot open %s: %s", path, strerror(errno));
        mem_free(path);
        return err;
    }
    close(fd);
    result = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    mem_free(path);
    err = store_db_err(store, result, "be opened");
    if (err == ERR_OK)
        err = configure(store);
    if (err == ERR_OK)
        err = check_schema(store);
    if (err == ERR_OK)
        err = prepare(store);
    return err;
}

void store_db_close(struct store *store)
{
    for (int i = 0; i < STATEMENT_COUNT_; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    sqlite3_close(store->db);
    store->db = NULL;
}

static void move_aside(struct store *store)
{
    log_warning("%s/index.sqlite is broken or not ours: moved to index.sqlite.corrupt; content "
                "will be found again by verification, sites' settings are lost",
                store->path);
    /* A folder in the index's place does not take the place of an older file. */
    if (renameat(store->dir, "index.sqlite", store->dir, "index.sqlite.corrupt") != 0 &&
        (unlinkat(store->dir, "index.sqlite.corrupt", 0) != 0 ||
         renameat(store->dir, "index.sqlite", store->dir, "index.sqlite.corrupt") != 0))
        log_error("cannot move the index aside: %s", strerror(errno));
    unlinkat(store->dir, "index.sqlite-wal", 0); /* of no use to another file */
    unlinkat(store->dir, "index.sqlite-shm", 0);
}

enum err store_db_renew(struct store *store)
{
    store_db_close(store);
    move_aside(store);
    store->db_broken = false;
    return open_once(store);
}

/* The index as it is on a disk that cannot be written. "immutable": without a log beside it. What
 * is only in the log is not seen, and found again by verification. */
static enum err open_for_reading(struct store *store)
{
    char *uri = mem_printf("file:/proc/self/fd/%d/index.sqlite?immutable=1", store->dir);
    int result = sqlite3_open_v2(
        uri, &store->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
    sqlite3_int64 version = -1;

    mem_free(uri);
    if (result == SQLITE_OK)
        version = ask_number(store, "PRAGMA user_version", &result);
    if (version != STORE_SCHEMA_NUMBER || !schema_is_ours(store, STORE_SCHEMA_COUNT))
        return ERR_IO;
    return prepare(store);
}

static enum err open_in_memory(struct store *store)
{
    int result =
        sqlite3_open_v2(":memory:", &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    enum err err = store_db_err(store, result, "be opened");

    if (err == ERR_OK)
        err = create_schema(store, 0);
    return err == ERR_OK ? prepare(store) : err;
}

enum err store_db_stand_in(struct store *store)
{
    store->db_broken = false;
    store->stand_in = STAND_IN_READING;
    if (store->dir >= 0 && open_for_reading(store) == ERR_OK)
        return ERR_OK;
    store_db_close(store);
    store->stand_in = STAND_IN_EMPTY;
    return open_in_memory(store);
}

enum err store_db_open(struct store *store)
{
    enum err err = open_once(store);

    if (err == ERR_MISMATCH || store->db_broken)
        err = store_db_renew(store);
    if (err == ERR_MISMATCH)
        err = ERR_IO; /* what we have just made cannot be broken: the disk is */
    if (err == ERR_UNSUPPORTED)
        log_error("%s/index.sqlite was written by a newer version", store->path);
    if (err != ERR_OK)
        store_db_close(store);
    return err;
}
