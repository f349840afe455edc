/* io/store: content to the disk. fsync may take seconds, so it runs in a thread of its own, one
 * at a time and not often: by then the system has written most of it anyway. Until it is done the
 * rows say "not synced", and only a power cut makes that cost anything: a verification. The same
 * thread moves what was committed from the index's log into the index, which syncs too. */
#include "io/store_private.h"

#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* From so many files on, one call for the whole file system is cheaper. */
#define SYNC_ALL_FROM 32
/* Rows that are updated in one go when a sync has ended. */
#define UNSYNCED_MAX 8192

struct store_sync {
    pthread_t thread;
    int content; /* borrowed */
    char *index; /* its path, when it is to have a checkpoint */
    struct store_unsynced *which;
    size_t count;
    bool good;
    atomic_bool finished;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void store_sync_add(struct store *store, const uint8_t root[HASH_LENGTH], int64_t mtime_ns)
{
    struct store_unsynced *entry;

    if (store->unsynced_count >= UNSYNCED_MAX)
        return; /* it stays "not synced": at worst verified once more */
    if (store->unsynced_count == store->unsynced_capacity) {
        store->unsynced_capacity = 2 * store->unsynced_capacity + 64;
        store->unsynced =
            mem_realloc(store->unsynced, store->unsynced_capacity * sizeof *store->unsynced);
    }
    if (store->unsynced_count == 0)
        store->unsynced_since_ms = now_ms();
    entry = &store->unsynced[store->unsynced_count++];
    memcpy(entry->root, root, HASH_LENGTH);
    entry->mtime_ns = mtime_ns;
}

static bool sync_one(int content, const struct store_unsynced *which)
{
    char name[STORE_NAME];
    bool good;
    int fd;

    store_content_name(which->root, name);
    fd = openat(content, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return true; /* gone: its row cannot harm */
    good = fsync(fd) == 0;
    close(fd);
    return good;
}

static bool sync_content(const struct store_sync *sync)
{
    bool good = true;

    if (sync->count >= SYNC_ALL_FROM)
        return syncfs(sync->content) == 0;
    for (size_t i = 0; i < sync->count; i++)
        good = sync_one(sync->content, &sync->which[i]) && good;
    return good;
}

static void checkpoint(const char *path)
{
    sqlite3 *db = NULL;
    int result = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (result == SQLITE_OK)
        result = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (result != SQLITE_OK)
        log_warning("the index's log stays long: %s", sqlite3_errstr(result));
    sqlite3_close(db);
}

static void *run(void *user)
{
    struct store_sync *sync = user;

    if (sync->index != NULL)
        checkpoint(sync->index);
    sync->good = sync_content(sync);
    atomic_store(&sync->finished, true);
    return NULL;
}

/* What changed after it was handed over has another time and keeps its "not synced". */
static void record(struct store *store, const struct store_sync *sync)
{
    if (!sync->good) {
        log_error("content could not be written to the disk");
        return;
    }
    if (store_db_run(store, STATEMENT_BEGIN) != ERR_OK)
        return;
    for (size_t i = 0; i < sync->count; i++)
        store_row_set_synced(store, &sync->which[i]);
    store_db_run(store, STATEMENT_COMMIT);
}

static void free_sync(struct store_sync *sync)
{
    mem_free(sync->index);
    mem_free(sync->which);
    mem_free(sync);
}

void store_sync_wait(struct store *store)
{
    struct store_sync *sync = store->sync;

    if (sync == NULL)
        return;
    pthread_join(sync->thread, NULL);
    store->sync = NULL;
    record(store, sync);
    free_sync(sync);
}

static void take_unsynced(struct store *store, struct store_sync *ret)
{
    ret->content = store->content;
    ret->which = store->unsynced;
    ret->count = store->unsynced_count;
    store->unsynced = NULL;
    store->unsynced_count = store->unsynced_capacity = 0;
}

/* Counted from the oldest content that waits too: a sync in the middle of a transfer would write
 * what is still being written, and hold up whoever makes files or writes to this one. */
static bool is_time(const struct store *store)
{
    uint64_t now = now_ms();

    if (now - store->synced_at_ms < store->sync_ms)
        return false;
    return store->wal_pages >= STORE_WAL_PAGES ||
           (store->unsynced_count > 0 && now - store->unsynced_since_ms >= store->sync_ms);
}

bool store_waits_for_sync(const struct store *store)
{
    return store->unsynced_count > 0 || store->sync != NULL;
}

void store_sync_step(struct store *store)
{
    struct store_sync *sync;
    sigset_t all, old;
    int result;

    if (store->sync != NULL && atomic_load(&store->sync->finished))
        store_sync_wait(store);
    if (store->sync != NULL || !is_time(store))
        return;
    store->synced_at_ms = now_ms();
    sync = mem_zalloc(sizeof *sync);
    take_unsynced(store, sync);
    if (store->wal_pages >= STORE_WAL_PAGES)
        sync->index = mem_printf("%s/index.sqlite", store->path);
    store->wal_pages = 0;
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    result = pthread_create(&sync->thread, NULL, run, sync);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (result == 0) {
        store->sync = sync;
        return;
    }
    log_warning("cannot start a thread to sync: %s", strerror(result));
    free_sync(sync);
}

void store_sync_end(struct store *store)
{
    struct store_sync last = {0};

    store_sync_wait(store);
    if (store->unsynced_count == 0)
        return;
    take_unsynced(store, &last);
    last.good = sync_content(&last);
    record(store, &last);
    mem_free(last.which);
}
