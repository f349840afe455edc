#include "io/transfer_log.h"

#include "base/log.h"
#include "base/mem.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA                                                                                     \
    "CREATE TABLE transfer (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, "         \
    "kind INTEGER NOT NULL, seq INTEGER NOT NULL, bytes INTEGER NOT NULL, size INTEGER NOT NULL, " \
    "site TEXT NOT NULL, path TEXT NOT NULL, peer TEXT NOT NULL) STRICT"

enum statement { BEGIN, COMMIT, ROLLBACK, PUT, TRIM, EACH, CLEAR, STATEMENT_COUNT };

static const char *const texts[STATEMENT_COUNT] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [PUT] = "INSERT INTO transfer (time, kind, seq, bytes, size, site, path, peer) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [TRIM] = "DELETE FROM transfer WHERE id <= (SELECT max(id) FROM transfer) - ?1",
    [EACH] = "SELECT id, time, kind, seq, bytes, size, site, path, peer FROM transfer "
             "WHERE (?1 = 0 OR id < ?1) AND (?2 IS NULL OR site = ?2) "
             "AND (?3 = 0 OR (?3 >> kind) & 1) ORDER BY id DESC LIMIT ?4",
    [CLEAR] = "DELETE FROM transfer WHERE ?1 IS NULL OR site = ?1",
};

struct waiting {
    struct transfer line;
    char *site, *path, *peer; /* owned */
};

struct transfer_log {
    char *path;
    uint64_t most;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct waiting waiting[LIMIT_LOG_BATCH];
    size_t count;
};

/* --- the file */

static enum err err_of(int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return ERR_OK;
    case SQLITE_FULL:
        return ERR_NO_SPACE;
    case SQLITE_READONLY:
        return ERR_READ_ONLY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_SYNTAX;
    default:
        return ERR_IO;
    }
}

static void db_close(struct transfer_log *log)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(log->statements[i]);
        log->statements[i] = NULL;
    }
    sqlite3_close(log->db);
    log->db = NULL;
}

/* Exactly our table and nothing else (but SQLite's own), or an empty file. */
static enum err db_check(struct transfer_log *log, bool *ret_empty)
{
    sqlite3_stmt *rows = NULL;
    bool ours = false, odd = false;
    int result = sqlite3_prepare_v2(
        log->db, "SELECT sql FROM sqlite_schema WHERE name <> 'sqlite_sequence'", -1, &rows, NULL);

    while (result == SQLITE_OK && (result = sqlite3_step(rows)) == SQLITE_ROW) {
        const char *sql = (const char *)sqlite3_column_text(rows, 0);
        bool same = sql != NULL && strcmp(sql, SCHEMA) == 0;
        odd = odd || !same;
        ours = ours || same;
        result = SQLITE_OK;
    }
    sqlite3_finalize(rows);
    *ret_empty = !ours;
    return odd ? ERR_SYNTAX : err_of(result);
}

static enum err db_open(struct transfer_log *log)
{
    bool empty = false;
    int result = sqlite3_open_v2(log->path, &log->db,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW |
                                     SQLITE_OPEN_NOMUTEX,
                                 NULL);
    if (result == SQLITE_OK)
        result = sqlite3_db_config(log->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_db_config(log->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    enum err err = err_of(result);
    if (err == ERR_OK)
        err = db_check(log, &empty);
    if (err == ERR_OK)
        err = err_of(sqlite3_exec(log->db,
                                  "PRAGMA temp_store = MEMORY; "
                                  "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                                  "PRAGMA secure_delete = ON",
                                  NULL, NULL, NULL));
    if (err == ERR_OK && empty)
        err = err_of(sqlite3_exec(log->db, SCHEMA, NULL, NULL, NULL));
    for (size_t i = 0; i < STATEMENT_COUNT && err == ERR_OK; i++)
        err = err_of(sqlite3_prepare_v3(log->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                        &log->statements[i], NULL));
    if (err != ERR_OK)
        db_close(log);
    return err;
}

static void db_remove(const struct transfer_log *log)
{
    static const char *const ends[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char *name = mem_printf("%s%s", log->path, ends[i]);
        unlink(name);
        mem_free(name);
    }
}

static enum err db_open_or_renew(struct transfer_log *log)
{
    enum err err = db_open(log);

    if (err != ERR_SYNTAX)
        return err;
    log_warning("the log of transfers cannot be read, and is begun anew");
    db_remove(log);
    return db_open(log);
}

/* Runs a statement without rows. */
static enum err run(struct transfer_log *log, enum statement which)
{
    int result = sqlite3_step(log->statements[which]);

    sqlite3_reset(log->statements[which]);
    return err_of(result);
}

/* A file found broken is begun anew for the next time. */
static enum err recover(struct transfer_log *log, enum err err)
{
    if (err == ERR_SYNTAX && log->db != NULL) {
        db_close(log);
        if (db_open_or_renew(log) != ERR_OK)
            log_warning("there is no log of transfers for now");
    }
    return err;
}

/* --- what waits */

static void forget(struct waiting *waiting)
{
    mem_free(waiting->site);
    mem_free(waiting->path);
    mem_free(waiting->peer);
}

static void drop_waiting(struct transfer_log *log, const char *site)
{
    size_t kept = 0;

    for (size_t i = 0; i < log->count; i++) {
        if (site == NULL || strcmp(log->waiting[i].site, site) == 0)
            forget(&log->waiting[i]);
        else
            log->waiting[kept++] = log->waiting[i];
    }
    log->count = kept;
}

static bool same_line(const struct waiting *waiting, const struct transfer *transfer)
{
    return waiting->line.kind == transfer->kind && waiting->line.seq == transfer->seq &&
           strcmp(waiting->path, transfer->path) == 0 &&
           strcmp(waiting->peer, transfer->peer) == 0 && strcmp(waiting->site, transfer->site) == 0;
}

enum err transfer_log_add(struct transfer_log *log, const struct transfer *transfer)
{
    if ((unsigned)transfer->kind >= TRANSFER_KIND_COUNT_ || strlen(transfer->site) > LIMIT_SITE ||
        strlen(transfer->path) > LIMIT_PATH || strlen(transfer->peer) > LIMIT_LOG_PEER ||
        transfer->bytes > INT64_MAX || transfer->size > INT64_MAX || transfer->seq > INT64_MAX ||
        transfer->time > INT64_MAX)
        return ERR_RANGE;
    for (size_t i = log->count; i-- > 0;) {
        struct transfer *line = &log->waiting[i].line;
        if (same_line(&log->waiting[i], transfer) && line->bytes <= INT64_MAX - transfer->bytes) {
            line->bytes += transfer->bytes;
            line->time = transfer->time;
            return ERR_OK;
        }
    }
    if (log->count == LIMIT_LOG_BATCH && transfer_log_flush(log) != ERR_OK)
        return ERR_BUSY;
    struct waiting *waiting = &log->waiting[log->count++];
    *waiting = (struct waiting){.line = *transfer,
                                .site = mem_strdup(transfer->site),
                                .path = mem_strdup(transfer->path),
                                .peer = mem_strdup(transfer->peer)};
    return ERR_OK;
}

static enum err put(struct transfer_log *log, const struct waiting *waiting)
{
    sqlite3_stmt *put = log->statements[PUT];
    const struct transfer *line = &waiting->line;
    const uint64_t numbers[] = {line->time, (uint64_t)line->kind, line->seq, line->bytes,
                                line->size};
    const char *const words[] = {waiting->site, waiting->path, waiting->peer};

    for (int i = 0; i < 5; i++)
        sqlite3_bind_int64(put, i + 1, (sqlite3_int64)numbers[i]);
    for (int i = 0; i < 3; i++)
        sqlite3_bind_text(put, i + 6, words[i], -1, SQLITE_STATIC);
    enum err err = run(log, PUT);
    sqlite3_clear_bindings(put);
    return err;
}

static enum err write_batch(struct transfer_log *log)
{
    enum err err = run(log, BEGIN);

    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < log->count && err == ERR_OK; i++)
        err = put(log, &log->waiting[i]);
    if (err == ERR_OK) {
        sqlite3_bind_int64(log->statements[TRIM], 1, (sqlite3_int64)log->most);
        err = run(log, TRIM);
    }
    if (err == ERR_OK)
        err = run(log, COMMIT);
    if (err != ERR_OK)
        run(log, ROLLBACK);
    return err;
}

enum err transfer_log_flush(struct transfer_log *log)
{
    if (log->count == 0)
        return ERR_OK;
    enum err err = log->db == NULL ? db_open_or_renew(log) : ERR_OK;
    if (err == ERR_OK)
        err = write_batch(log);
    if (err != ERR_OK)
        return recover(log, err);
    drop_waiting(log, NULL);
    return ERR_OK;
}

/* --- reading and forgetting */

static struct transfer read_line(sqlite3_stmt *row)
{
    return (struct transfer){.id = (uint64_t)sqlite3_column_int64(row, 0),
                             .time = (uint64_t)sqlite3_column_int64(row, 1),
                             .kind = (enum transfer_kind)sqlite3_column_int64(row, 2),
                             .seq = (uint64_t)sqlite3_column_int64(row, 3),
                             .bytes = (uint64_t)sqlite3_column_int64(row, 4),
                             .size = (uint64_t)sqlite3_column_int64(row, 5),
                             .site = (const char *)sqlite3_column_text(row, 6),
                             .path = (const char *)sqlite3_column_text(row, 7),
                             .peer = (const char *)sqlite3_column_text(row, 8)};
}

enum err transfer_log_each(struct transfer_log *log, const struct transfer_filter *filter,
                           void (*each)(void *user, const struct transfer *transfer), void *user)
{
    if (filter->limit == 0 || filter->limit > LIMIT_LOG_PAGE || filter->before > INT64_MAX ||
        filter->kinds >= 1u << TRANSFER_KIND_COUNT_)
        return ERR_RANGE;
    enum err err = transfer_log_flush(log);
    if (log->db == NULL)
        return err != ERR_OK ? err : ERR_IO;
    sqlite3_stmt *rows = log->statements[EACH];
    sqlite3_bind_int64(rows, 1, (sqlite3_int64)filter->before);
    sqlite3_bind_text(rows, 2, filter->site, -1, SQLITE_STATIC); /* NULL binds NULL */
    sqlite3_bind_int64(rows, 3, filter->kinds);
    sqlite3_bind_int64(rows, 4, (sqlite3_int64)filter->limit);
    int result;
    while ((result = sqlite3_step(rows)) == SQLITE_ROW) {
        struct transfer line = read_line(rows);
        if (line.site != NULL && line.path != NULL && line.peer != NULL)
            each(user, &line);
    }
    sqlite3_reset(rows);
    sqlite3_clear_bindings(rows);
    return recover(log, err_of(result));
}

enum err transfer_log_clear(struct transfer_log *log, const char *site)
{
    drop_waiting(log, site);
    if (log->db == NULL)
        return db_open_or_renew(log);
    sqlite3_bind_text(log->statements[CLEAR], 1, site, -1, SQLITE_STATIC);
    enum err err = run(log, CLEAR);
    sqlite3_clear_bindings(log->statements[CLEAR]);
    /* What was deleted must not stay readable in the log that SQLite keeps of its writes. */
    if (err == ERR_OK)
        err = err_of(
            sqlite3_wal_checkpoint_v2(log->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
    return recover(log, err);
}

/* --- life */

enum err transfer_log_open(const char *dir, uint64_t most, struct transfer_log **ret)
{
    struct transfer_log *log = mem_zalloc(sizeof *log);

    log->path = mem_printf("%s/transfers.sqlite", dir);
    log->most = most;
    enum err err = db_open_or_renew(log);
    if (err != ERR_OK) {
        mem_free(log->path);
        mem_free(log);
        log = NULL;
    }
    *ret = log;
    return err;
}

void transfer_log_close(struct transfer_log *log)
{
    if (log == NULL)
        return;
    if (transfer_log_flush(log) != ERR_OK)
        log_warning("the last transfers are not in the log");
    drop_waiting(log, NULL);
    db_close(log);
    mem_free(log->path);
    mem_free(log);
}
