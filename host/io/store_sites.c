/* io/store: sites, torrents and settings. */
#include "io/store_private.h"

#include "base/limits.h"
#include "base/log.h"

#include <string.h>
#include <time.h>

#define KEY_LENGTH (sizeof(struct minisign_key))
#define SEQ_MAX    ((INT64_C(1) << 53) - 1)

_Static_assert(sizeof(struct minisign_key) == 40, "a key is stored as id and key, nothing else");

static struct span column_blob(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);

    return span_of(data, data == NULL ? 0 : (size_t)sqlite3_column_bytes(statement, column));
}

static bool read_site(sqlite3_stmt *statement, struct store_site *ret)
{
    const char *site = (const char *)sqlite3_column_text(statement, 0);
    sqlite3_int64 zone = sqlite3_column_int64(statement, 1);
    sqlite3_int64 seq = sqlite3_column_int64(statement, 3);
    struct span key = column_blob(statement, 2);

    memset(ret, 0, sizeof *ret);
    ret->release = column_blob(statement, 4);
    ret->signature = column_blob(statement, 5);
    if (site == NULL || site[0] == '\0' || strlen(site) > LIMIT_SITE ||
        strlen(site) != (size_t)sqlite3_column_bytes(statement, 0) || zone < ZONE_OFF ||
        zone > ZONE_DEFAULT || seq < 0 || seq > SEQ_MAX ||
        (key.length != 0 && key.length != KEY_LENGTH) || ret->release.length > LIMIT_RELEASE ||
        ret->signature.length > LIMIT_SIGNATURE)
        return false;
    ret->site = site;
    ret->zone = (enum zone)zone;
    ret->seq = (uint64_t)seq;
    ret->has_key = key.length != 0;
    ret->blocked = sqlite3_column_int64(statement, 6) != 0;
    if (ret->has_key)
        memcpy(&ret->key, key.data, KEY_LENGTH);
    return true;
}

enum err store_each_site(struct store *store,
                         void (*each)(void *user, const struct store_site *site), void *user)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_SITE_EACH];
    struct store_site site;
    enum err err;
    int result, count = 0;

    while ((result = sqlite3_step(statement)) == SQLITE_ROW && count++ < LIMIT_SITES) {
        if (read_site(statement, &site))
            each(user, &site);
        else
            log_warning("a site's row in the index cannot be right: it is ignored");
    }
    err = store_db_err(store, result, "be read");
    store_db_reset(store, STATEMENT_SITE_EACH);
    return err;
}

static void bind_span(sqlite3_stmt *statement, int index, struct span span)
{
    if (span.length > 0) /* else it stays NULL */
        sqlite3_bind_blob64(statement, index, span.data, span.length, SQLITE_STATIC);
}

static enum err mark_blocked(struct store *store, const struct store_site *site)
{
    enum store_statement number = site->blocked ? STATEMENT_SITE_BLOCK : STATEMENT_SITE_UNBLOCK;

    sqlite3_bind_text(store->statements[number], 1, site->site, -1, SQLITE_STATIC);
    return store_db_run(store, number);
}

enum err store_save_site(struct store *store, const struct store_site *site)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_SITE_PUT];
    enum err err;

    if (site->site[0] == '\0' || strlen(site->site) > LIMIT_SITE || site->seq > SEQ_MAX ||
        site->release.length > LIMIT_RELEASE || site->signature.length > LIMIT_SIGNATURE)
        return ERR_RANGE;
    sqlite3_bind_text(statement, 1, site->site, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, site->zone);
    if (site->has_key)
        sqlite3_bind_blob(statement, 3, &site->key, KEY_LENGTH, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)site->seq);
    bind_span(statement, 5, site->release);
    bind_span(statement, 6, site->signature);
    sqlite3_bind_int64(statement, 7, time(NULL));
    err = store_db_run(store, STATEMENT_SITE_PUT);
    if (err == ERR_OK)
        err = mark_blocked(store, site);
    if (err != ERR_OK)
        return err;
    statement = store->statements[STATEMENT_SITE_TRIM];
    sqlite3_bind_int(statement, 1, ZONE_DEFAULT);
    sqlite3_bind_int(statement, 2, LIMIT_SITES);
    return store_db_run(store, STATEMENT_SITE_TRIM);
}

/* --- torrents */

enum err store_save_torrent(struct store *store, const uint8_t infohash[HASH_LENGTH],
                            struct span torrent)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_TORRENT_PUT];

    if (torrent.length == 0 || torrent.length > LIMIT_TORRENT)
        return ERR_TOO_LARGE;
    sqlite3_bind_blob(statement, 1, infohash, HASH_LENGTH, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 2, torrent.data, torrent.length, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, time(NULL));
    return store_db_run(store, STATEMENT_TORRENT_PUT);
}

static void touch_torrent(struct store *store, const uint8_t infohash[HASH_LENGTH])
{
    sqlite3_stmt *statement = store->statements[STATEMENT_TORRENT_TOUCH];

    sqlite3_bind_blob(statement, 1, infohash, HASH_LENGTH, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, time(NULL));
    store_db_run(store, STATEMENT_TORRENT_TOUCH);
}

enum err store_load_torrent(struct store *store, const uint8_t infohash[HASH_LENGTH],
                            struct buf *ret_torrent)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_TORRENT_GET];
    enum err err = ERR_NOT_FOUND;
    bool touch = false;
    int result;

    sqlite3_bind_blob(statement, 1, infohash, HASH_LENGTH, SQLITE_STATIC);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        struct span data = column_blob(statement, 0);

        touch = time(NULL) - sqlite3_column_int64(statement, 1) > STORE_TOUCH_S;
        err = data.length > LIMIT_TORRENT ? ERR_TOO_LARGE : ERR_OK;
        if (err == ERR_OK)
            buf_put(ret_torrent, data.data, data.length);
        if (ret_torrent->failed)
            err = ERR_TOO_LARGE;
    } else if (result != SQLITE_DONE) {
        err = store_db_err(store, result, "be read");
    }
    store_db_reset(store, STATEMENT_TORRENT_GET);
    if (touch && err == ERR_OK)
        touch_torrent(store, infohash);
    return err;
}

/* --- settings */

enum err store_each_setting(struct store *store,
                            void (*each)(void *user, const struct store_setting *setting),
                            void *user)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_SETTING_EACH];
    int result;

    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        sqlite3_int64 value = sqlite3_column_int64(statement, 1);
        if (name != NULL && value >= 0)
            each(user, &(struct store_setting){name, (uint64_t)value});
    }
    enum err err = store_db_err(store, result, "be read");
    store_db_reset(store, STATEMENT_SETTING_EACH);
    return err;
}

static enum err put_setting(struct store *store, const struct store_setting *setting)
{
    sqlite3_stmt *statement = store->statements[STATEMENT_SETTING_PUT];

    if (setting->value > INT64_MAX)
        return ERR_RANGE;
    sqlite3_bind_text(statement, 1, setting->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)setting->value);
    return store_db_run(store, STATEMENT_SETTING_PUT);
}

enum err store_save_settings(struct store *store, const struct store_setting *settings,
                             size_t count)
{
    enum err err = store_db_run(store, STATEMENT_BEGIN);

    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = put_setting(store, &settings[i]);
    if (err == ERR_OK)
        err = store_db_run(store, STATEMENT_COMMIT);
    if (err != ERR_OK)
        store_db_run(store, STATEMENT_ROLLBACK);
    return err;
}
