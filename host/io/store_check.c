#include "io/store_check.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "io/store_private.h"
#include "io/store_schema.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 200000 /* looked at, of the index and of the disk each */
#define STRAY_S   60     /* a younger one may be on its way into the index */
#define BUSY_MS   2000

/* --- the index */

/* `mode` is a part of SQLite's URI. The path is percent-encoded there. */
static int open_index(const char *path, const char *mode, sqlite3 **ret)
{
    struct buf uri;

    buf_init(&uri, KIB(16));
    buf_put_text(&uri, "file:");
    for (const unsigned char *c = (const unsigned char *)path; *c != '\0'; c++)
        buf_printf(&uri, *c == '%' || *c == '?' || *c == '#' ? "%%%02x" : "%c", *c);
    buf_put_text(&uri, mode);
    buf_put_u8(&uri, 0);
    int result = uri.failed ? SQLITE_CANTOPEN
                            : sqlite3_open_v2((const char *)uri.data, ret,
                                              SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    buf_done(&uri);
    if (result == SQLITE_OK)
        sqlite3_busy_timeout(*ret, BUSY_MS);
    if (result == SQLITE_OK)
        result = sqlite3_exec(*ret, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    return result;
}

/* The first row's first column, as text; an error's words otherwise. */
static int ask(sqlite3 *db, const char *text, char *ret, size_t size)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, text, -1, &statement, NULL);

    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    const unsigned char *answer = result == SQLITE_ROW ? sqlite3_column_text(statement, 0) : NULL;
    snprintf(ret, size, "%s", answer != NULL ? (const char *)answer : sqlite3_errmsg(db));
    sqlite3_finalize(statement);
    return result;
}

static uint64_t ask_number(sqlite3 *db, const char *text)
{
    char answer[64];

    return ask(db, text, answer, sizeof answer) == SQLITE_ROW ? strtoull(answer, NULL, 10) : 0;
}

static void look_at_index(sqlite3 *db, struct store_check *ret)
{
    char answer[sizeof ret->trouble];

    ret->schema = (int)ask_number(db, "PRAGMA user_version");
    if (ask(db, "PRAGMA quick_check(1)", answer, sizeof answer) != SQLITE_ROW ||
        strcmp(answer, "ok") != 0)
        memcpy(ret->trouble, answer, sizeof answer);
    if (ret->trouble[0] != '\0' || ret->schema < 1 || ret->schema > STORE_SCHEMA_NUMBER)
        return;
    ret->files = ask_number(db, "SELECT count(*) FROM file");
    ret->bytes = ask_number(db, "SELECT CAST(total(bytes) AS INTEGER) FROM file");
}

/* --- the files */

static void look_for_missing(sqlite3 *db, int content, struct store_check *ret)
{
    sqlite3_stmt *statement = NULL;
    char name[STORE_NAME];
    struct stat info;
    int seen = 0;

    if (sqlite3_prepare_v2(db, "SELECT root FROM file WHERE bytes > 0", -1, &statement, NULL) !=
        SQLITE_OK)
        return;
    while (sqlite3_step(statement) == SQLITE_ROW) {
        if (sqlite3_column_bytes(statement, 0) != HASH_LENGTH)
            continue;
        if (seen++ == FILES_MAX) {
            ret->all_seen = false;
            break;
        }
        store_content_name(sqlite3_column_blob(statement, 0), name);
        ret->missing += fstatat(content, name, &info, AT_SYMLINK_NOFOLLOW) != 0;
    }
    sqlite3_finalize(statement);
}

static bool is_named(sqlite3_stmt *statement, const uint8_t root[HASH_LENGTH])
{
    sqlite3_reset(statement);
    sqlite3_bind_blob(statement, 1, root, HASH_LENGTH, SQLITE_STATIC);
    return sqlite3_step(statement) == SQLITE_ROW;
}

struct stray_search {
    sqlite3_stmt *statement;
    struct store_check *ret;
    unsigned seen;
    time_t now;
};

static void look_at_file(struct stray_search *search, int folder, const char *name)
{
    uint8_t root[HASH_LENGTH];
    struct stat info;

    if (strlen(name) != 2 * HASH_LENGTH || !hex_decode(root, HASH_LENGTH, name, 2 * HASH_LENGTH) ||
        is_named(search->statement, root) ||
        fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode) ||
        search->now - info.st_mtim.tv_sec < STRAY_S)
        return;
    search->ret->strays++;
    search->ret->stray_bytes += (uint64_t)info.st_blocks * 512;
}

static void look_into(struct stray_search *search, int content, unsigned number)
{
    char name[3];

    snprintf(name, sizeof name, "%02x", number & 0xff);
    int fd = openat(content, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (entries == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(entries)) != NULL && search->seen < FILES_MAX;
         search->seen++)
        look_at_file(search, fd, entry->d_name);
    closedir(entries);
}

static void look_for_strays(sqlite3 *db, int content, struct store_check *ret)
{
    struct stray_search search = {.ret = ret, .now = time(NULL)};

    if (sqlite3_prepare_v2(db, "SELECT 1 FROM file WHERE root = ?1", -1, &search.statement, NULL) !=
        SQLITE_OK)
        return;
    for (unsigned folder = 0; folder < 256; folder++)
        look_into(&search, content, folder);
    ret->all_seen = ret->all_seen && search.seen < FILES_MAX;
    sqlite3_finalize(search.statement);
}

static void look_at_files(sqlite3 *db, const char *dir, struct store_check *ret)
{
    char *path = mem_printf("%s/content", dir);
    int content = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    mem_free(path);
    if (content < 0)
        return;
    look_for_missing(db, content, ret);
    look_for_strays(db, content, ret);
    close(content);
}

/* --- all of it */

static enum err judge_opening(int result, sqlite3 *db, struct store_check *ret)
{
    switch (result & 0xff) {
    case SQLITE_OK:
        return ERR_OK;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        snprintf(ret->trouble, sizeof ret->trouble, "%s", sqlite3_errmsg(db));
        return ERR_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_READONLY:
        return ERR_READ_ONLY;
    default:
        return ERR_IO;
    }
}

static bool is_there(const char *dir, const char *name)
{
    char *path = mem_printf("%s/%s", dir, name);
    bool there = access(path, F_OK) == 0;

    mem_free(path);
    return there;
}

enum err store_check(const char *dir, struct store_check *ret)
{
    char *path = mem_printf("%s/index.sqlite", dir);
    sqlite3 *db = NULL;

    *ret = (struct store_check){.schema_known = STORE_SCHEMA_NUMBER, .all_seen = true};
    ret->put_aside = is_there(dir, "index.sqlite.corrupt");
    ret->there = is_there(dir, "index.sqlite");
    if (!ret->there) {
        mem_free(path);
        return ERR_OK;
    }
    int result = open_index(path, "?mode=ro", &db);
    if ((result & 0xff) == SQLITE_CANTOPEN || (result & 0xff) == SQLITE_READONLY) {
        /* On a read-only disk there is no place for the files that go with a log. */
        sqlite3_close(db);
        result = open_index(path, "?immutable=1", &db);
    }
    enum err err = judge_opening(result, db, ret);
    if (err == ERR_OK && ret->trouble[0] == '\0')
        look_at_index(db, ret);
    if (err == ERR_OK && ret->trouble[0] == '\0' && ret->schema == STORE_SCHEMA_NUMBER)
        look_at_files(db, dir, ret);
    sqlite3_close(db);
    mem_free(path);
    return err;
}
