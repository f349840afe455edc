/* io/store: what the cache's books (core/cache.h) need: whose each file is, what the visitor chose
 * for a site's files, removal, and the disk's room. */
#include "io/store_private.h"

#include "base/limits.h"
#include "base/log.h"
#include "wire/json.h"
#include "wire/url.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A site's name as it was stored: a foreign one counts as none. */
static const char *site_of(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return text != NULL && strlen(text) <= LIMIT_SITE && site_check(text) == ERR_OK ? text : "";
}

/* --- every file */

static bool read_cached(sqlite3_stmt *statement, struct store_cached *ret)
{
    const void *root = sqlite3_column_blob(statement, 0);
    sqlite3_int64 length = sqlite3_column_int64(statement, 1);
    sqlite3_int64 used = sqlite3_column_int64(statement, 2);

    if (root == NULL || sqlite3_column_bytes(statement, 0) != HASH_LENGTH || length <= 0 ||
        (uint64_t)length > LIMIT_FILE_LENGTH)
        return false;
    *ret = (struct store_cached){.root = root,
                                 .length = (uint64_t)length,
                                 .used_s = used > 0 ? (uint64_t)used : 0,
                                 .site = site_of(statement, 3),
                                 .old = sqlite3_column_int64(statement, 4) != 0};
    return true;
}

enum err store_each_cached(struct store *store,
                           void (*each)(void *user, const struct store_cached *file), void *user)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_CACHED_EACH];
    struct store_cached file;
    int result;

    while ((result = sqlite3_step(statement)) == SQLITE_ROW)
        if (read_cached(statement, &file))
            each(user, &file);
    enum err err = store_db_err(store, result, "be read");
    store_db_reset(store, STATEMENT_CACHED_EACH);
    return err;
}

/* "abcd...": a content file's name in its folder "ab". */
static bool is_content(const char *folder, const char *name, uint8_t ret_root[HASH_LENGTH])
{
    return strlen(name) == 2 * HASH_LENGTH && memcmp(name, folder, 2) == 0 &&
           hex_decode(ret_root, HASH_LENGTH, name, 2 * HASH_LENGTH);
}

static void look_at(struct store *store, const uint8_t root[HASH_LENGTH],
                    void (*each)(void *user, const struct store_cached *file), void *user)
{
    struct stat status;

    if (!store_content_stat(store, root, &status) || status.st_size <= 0 ||
        (uint64_t)status.st_size > LIMIT_FILE_LENGTH)
        return;
    struct store_cached file = {
        .root = root,
        .site = "",
        .length = (uint64_t)status.st_size,
        .used_s = status.st_mtim.tv_sec > 0 ? (uint64_t)status.st_mtim.tv_sec : 0};
    each(user, &file);
}

void store_each_content(struct store *store, unsigned folder,
                        void (*each)(void *user, const struct store_cached *file), void *user)
{
    uint8_t byte = (uint8_t)folder, root[HASH_LENGTH];
    char name[3] = "";

    hex_encode(name, &byte, 1);
    int fd = store->content < 0
                 ? -1
                 : openat(store->content, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (entries == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries))
        if (is_content(name, entry->d_name, root))
            look_at(store, root, each, user);
    closedir(entries);
}

/* --- whose they are */

static enum err put_owner(struct store *store, const struct store_owner *owner)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_CACHED_PUT];

    sqlite3_bind_blob(statement, 1, owner->root, HASH_LENGTH, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, owner->site, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 3, owner->old);
    return store_db_run(store, STATEMENT_CACHED_PUT);
}

static enum err begin(struct store *store)
{
    return store->stand_in == STAND_IN_READING ? store->trouble
                                               : store_db_run(store, STATEMENT_BEGIN);
}

/* All that was written since begin(), or, after an error, nothing. */
static enum err finish(struct store *store, enum err err)
{
    if (err == ERR_OK)
        err = store_db_run(store, STATEMENT_COMMIT);
    if (err != ERR_OK && sqlite3_get_autocommit(store->db) == 0)
        store_db_run(store, STATEMENT_ROLLBACK);
    return err;
}

enum err store_save_owners(struct store *store, const struct store_owner *owners, size_t count)
{
    enum err err = begin(store);

    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = put_owner(store, &owners[i]);
    return finish(store, err);
}

/* --- what the visitor chose */

enum err store_each_choice(struct store *store,
                           void (*each)(void *user, const struct store_choice *choice), void *user)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_CHOICE_EACH];
    int result;

    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        sqlite3_int64 quota = sqlite3_column_int64(statement, 1);
        struct store_choice choice = {.site = site_of(statement, 0),
                                      .quota = quota > 0 ? (uint64_t)quota : 0,
                                      .keep = sqlite3_column_int64(statement, 2) != 0};
        if (choice.site[0] != '\0')
            each(user, &choice);
    }
    enum err err = store_db_err(store, result, "be read");
    store_db_reset(store, STATEMENT_CHOICE_EACH);
    return err;
}

enum err store_save_choice(struct store *store, const struct store_choice *choice)
{
    bool none = choice->quota == 0 && !choice->keep;
    enum store_statement which = none ? STATEMENT_CHOICE_DELETE : STATEMENT_CHOICE_PUT;
    sqlite3_stmt *statement = store->statements[which];

    if (choice->quota > INT64_MAX)
        return ERR_RANGE;
    if (store->stand_in == STAND_IN_READING)
        return store->trouble;
    sqlite3_bind_text(statement, 1, choice->site, -1, SQLITE_STATIC);
    if (!none) {
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)choice->quota);
        sqlite3_bind_int(statement, 3, choice->keep);
    }
    return store_db_run(store, which);
}

/* --- what was shared of a site */

static uint64_t counted(sqlite3_stmt *statement, int column)
{
    sqlite3_int64 number = sqlite3_column_int64(statement, column);

    return number > 0 && (uint64_t)number <= JSON_INTEGER_MAX ? (uint64_t)number : 0;
}

enum err store_each_shared(struct store *store,
                           void (*each)(void *user, const struct store_shared *shared), void *user)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_SHARED_EACH];
    int result;

    if (store->stand_in != STAND_IN_READING)
        store_db_run(store, STATEMENT_SHARED_TRIM);
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_shared shared = {site_of(statement, 0), counted(statement, 1),
                                      counted(statement, 2)};
        if (shared.site[0] != '\0')
            each(user, &shared);
    }
    enum err err = store_db_err(store, result, "be read");
    store_db_reset(store, STATEMENT_SHARED_EACH);
    return err;
}

static enum err put_shared(struct store *store, const struct store_shared *shared)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_SHARED_PUT];

    sqlite3_bind_text(statement, 1, shared->site, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)shared->down);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)shared->up);
    return store_db_run(store, STATEMENT_SHARED_PUT);
}

enum err store_save_shared(struct store *store, const struct store_shared *list, size_t count)
{
    enum err err = begin(store);

    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = put_shared(store, &list[i]);
    return finish(store, err);
}

enum err store_forget_shared(struct store *store, const char *site)
{
    if (store->stand_in == STAND_IN_READING)
        return store->trouble;
    sqlite3_bind_text(store->statements[STATEMENT_SHARED_DELETE], 1, site, -1, SQLITE_STATIC);
    return store_db_run(store, STATEMENT_SHARED_DELETE);
}

/* --- is it here? */

bool store_has_content(const struct store *store, const uint8_t root[HASH_LENGTH])
{
    struct stat status;

    return store->content >= 0 && store_content_stat(store, root, &status);
}

bool store_is_whole(const struct store *store, const uint8_t root[HASH_LENGTH])
{
    const struct store_file *file = store_file_find((struct store *)store, root);

    return file != NULL && store_file_complete(file);
}

/* --- removal */

static enum err delete_rows(struct store *store, const uint8_t root[HASH_LENGTH])
{
    sqlite3_bind_blob(store->statements[STATEMENT_CACHED_DELETE], 1, root, HASH_LENGTH,
                      SQLITE_STATIC);
    enum err err = store_db_run(store, STATEMENT_CACHED_DELETE);
    return err == ERR_OK ? store_row_delete(store, root) : err;
}

/* The totals lose what they held for it. */
static void uncount(struct store *store, const uint8_t root[HASH_LENGTH])
{
    struct store_file *file = store_file_find(store, root);
    struct store_row row;

    if (file != NULL) {
        bitfield_clear(&file->have);
        store_file_recount(store, file);
        store_file_free(store, file);
    } else if (store_row_get(store, root, &row) == ERR_OK) {
        store->totals.bytes -= row.bytes;
        store->totals.files -= row.complete;
        store_row_done(store);
    }
}

enum err store_remove(struct store *store, const uint8_t root[HASH_LENGTH])
{
    struct store_file *file = store_file_find(store, root);
    char name[STORE_NAME];

    if (file != NULL && store_file_in_use(file))
        return ERR_BUSY;
    if (store->stand_in != STAND_IN_NONE)
        return store->trouble;
    store_content_name(root, name);
    if (unlinkat(store->content, name, 0) != 0 && errno != ENOENT) {
        log_error("cannot remove %s/content/%s: %s", store->path, name, strerror(errno));
        return store_err_of(errno);
    }
    uncount(store, root);
    return delete_rows(store, root); /* a row that stays cannot harm: its content is not there */
}

/* --- the disk */

enum err store_disk(const struct store *store, struct store_disk *ret)
{
    struct statvfs status;

    *ret = (struct store_disk){0};
    if (store->dir < 0 || fstatvfs(store->dir, &status) != 0)
        return ERR_IO;
    ret->free = (uint64_t)status.f_bavail * status.f_frsize;
    ret->size = (uint64_t)status.f_blocks * status.f_frsize;
    return ERR_OK;
}
