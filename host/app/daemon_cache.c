#include "app/daemon_cache.h"

#include "app/daemon_cache_impl.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

#define STEP_FILES 64    /* that go in one turn of the loop */
#define SOON_MS    1     /* between two such turns */
#define SWEEP_MS   20    /* between two folders that are looked through at start */
#define TIDY_MS    5000  /* leases */
#define QUIET_MS   30000 /* the disk's room, when nothing else is to do */
#define QUOTA_MS   1000  /* how old the disk's room may be when a file is reserved */
#define BUSY_MS    1000  /* a file that could not be removed is tried again */
#define OWNERS_MAX 512   /* that wait for the store's batch */
#define FOLDERS    256
#define FLOOR_MAX  UINT64_C(1000000000)
#define FLOOR_PART 20 /* of the disk stays free: one in so many, at most FLOOR_MAX */

/* --- what waits */

static void wake(struct daemon_cache *cache, uint64_t after_ms)
{
    uint64_t at = loop_now_ms(&cache->daemon->loop) + after_ms;

    if (cache->wake_ms != 0 && cache->wake_ms <= at)
        return;
    cache->wake_ms = at;
    loop_timer_set(cache->timer, after_ms);
}

static struct going *find_going(const struct daemon_cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct going *going = NULL;

    HASH_FIND(hh, cache->going, root, HASH_LENGTH, going);
    return going;
}

static void drop_going(struct daemon_cache *cache, struct going *going)
{
    HASH_DEL(cache->going, going);
    mem_free(going);
}

/* The books have let go of it; from the disk it goes later. */
static void gone(void *user, const uint8_t root[HASH_LENGTH], uint64_t length)
{
    struct daemon_cache *cache = user;

    (void)length;
    if (find_going(cache, root) != NULL)
        return;
    struct going *going = mem_zalloc(sizeof *going);
    memcpy(going->root, root, HASH_LENGTH);
    HASH_ADD(hh, cache->going, root, HASH_LENGTH, going);
    wake(cache, SOON_MS);
}

static void tell_node(struct daemon *daemon, const uint8_t root[HASH_LENGTH])
{
    struct event event = {.kind = EVENT_FILE_GONE};

    event.store.root = root;
    daemon_step(daemon, &event);
}

/* Behind the others. */
static void put_off(struct daemon_cache *cache, struct going *going)
{
    HASH_DEL(cache->going, going);
    HASH_ADD(hh, cache->going, root, HASH_LENGTH, going);
}

/* False: the store will not let it go now. What the node does when it hears of it may change the
 * list, so each turn begins at its head. */
static bool remove_some(struct daemon_cache *cache)
{
    bool good = true;

    for (unsigned left = STEP_FILES; cache->going != NULL && left > 0 && good; left--) {
        struct going *going = cache->going;
        uint8_t root[HASH_LENGTH];
        memcpy(root, going->root, HASH_LENGTH);
        good = store_remove(cache->daemon->store, root) == ERR_OK;
        if (!good) {
            put_off(cache, going);
            continue;
        }
        drop_going(cache, going);
        tell_node(cache->daemon, root);
    }
    return good;
}

/* --- the quota */

uint64_t cache_quota_chosen(const struct daemon_cache *cache)
{
    return cache->chosen > 0 ? cache->chosen : cache->standard;
}

static uint64_t floor_of(const struct store_disk *disk)
{
    return disk->size / FLOOR_PART < FLOOR_MAX ? disk->size / FLOOR_PART : FLOOR_MAX;
}

static void look_at_disk(struct daemon_cache *cache)
{
    uint64_t used = cache_totals(cache->books).bytes, quota = cache_quota_chosen(cache);

    cache->looked_ms = loop_now_ms(&cache->daemon->loop);
    if (store_disk(cache->daemon->store, &cache->disk) == ERR_OK) {
        cache->quota = cache_quota_now(quota, used, cache->disk.free, floor_of(&cache->disk));
    } else {
        cache->quota = quota;
    }
    cache_set_quota(cache->books, cache->quota);
}

void daemon_cache_set_quota(struct daemon *daemon, uint64_t quota)
{
    struct daemon_cache *cache = daemon->cache;

    cache->chosen = quota;
    look_at_disk(cache);
    wake(cache, SOON_MS);
}

enum err daemon_cache_room(struct daemon *daemon)
{
    const struct daemon_cache *cache = daemon->cache;

    look_at_disk(daemon->cache);
    return cache->disk.free < floor_of(&cache->disk) ? ERR_NO_SPACE : ERR_OK;
}

/* --- leases */

static struct lease *find_lease(const struct daemon_cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct lease *lease = NULL;

    HASH_FIND(hh, cache->leases, root, HASH_LENGTH, lease);
    return lease;
}

static void end_lease(struct daemon_cache *cache, struct lease *lease)
{
    cache_release(cache->books, lease->root);
    if (lease->fresh && !store_has_content(cache->daemon->store, lease->root))
        cache_drop(cache->books, lease->root); /* nothing came */
    list_remove(&lease->link);
    HASH_DEL(cache->leases, lease);
    mem_free(lease);
}

/* Takes over a hold of the books. */
static struct lease *new_lease(struct daemon_cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct lease *lease = mem_zalloc(sizeof *lease);

    memcpy(lease->root, root, HASH_LENGTH);
    list_init(&lease->link);
    HASH_ADD(hh, cache->leases, root, HASH_LENGTH, lease);
    wake(cache, TIDY_MS);
    return lease;
}

static void renew(struct daemon_cache *cache, struct lease *lease)
{
    lease->until_ms = loop_now_ms(&cache->daemon->loop) + CACHE_LEASE_MS;
    list_remove(&lease->link);
    list_push_back(&cache->by_age, &lease->link);
}

/* NULL: the file is not in the books. */
static struct lease *lease(struct daemon_cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct lease *lease = find_lease(cache, root);

    if (lease == NULL) {
        if (!cache_hold(cache->books, root))
            return NULL;
        lease = new_lease(cache, root);
        cache_use(cache->books, root, loop_wall_s());
    }
    renew(cache, lease);
    return lease;
}

static void end_old_leases(struct daemon_cache *cache)
{
    uint64_t now = loop_now_ms(&cache->daemon->loop);

    while (!list_empty(&cache->by_age)) {
        struct lease *oldest = list_entry(cache->by_age.next, struct lease, link);
        if (oldest->until_ms > now)
            break;
        if (oldest->streams > 0)
            renew(cache, oldest);
        else
            end_lease(cache, oldest);
    }
}

void cache_end_idle_leases(struct daemon_cache *cache)
{
    struct lease *lease, *next;

    HASH_ITER(hh, cache->leases, lease, next)
    if (lease->streams == 0)
        end_lease(cache, lease);
}

void daemon_cache_used(struct daemon *daemon, const uint8_t root[HASH_LENGTH])
{
    lease(daemon->cache, root);
}

void daemon_cache_given(struct daemon *daemon, const uint8_t root[HASH_LENGTH])
{
    struct lease *held = lease(daemon->cache, root);

    if (held != NULL)
        held->given = true;
}

/* Whole, and nobody has use for it now: it is a file as all others. */
static void end_if_over(struct daemon_cache *cache, struct lease *lease)
{
    if (lease->streams == 0 && !lease->given && store_is_whole(cache->daemon->store, lease->root))
        end_lease(cache, lease);
}

void daemon_cache_stored(struct daemon *daemon, const uint8_t root[HASH_LENGTH])
{
    struct lease *held = lease(daemon->cache, root);

    if (held != NULL)
        end_if_over(daemon->cache, held);
}

/* --- streams */

void daemon_cache_stream(struct daemon *daemon, uint64_t number, const uint8_t root[HASH_LENGTH])
{
    struct daemon_cache *cache = daemon->cache;
    struct lease *held = lease(cache, root);
    struct reading *reading = NULL;

    HASH_FIND(hh, cache->streams, &number, sizeof number, reading);
    if (held == NULL || reading != NULL)
        return;
    held->streams++;
    reading = mem_zalloc(sizeof *reading);
    reading->stream = number;
    memcpy(reading->root, root, HASH_LENGTH);
    HASH_ADD(hh, cache->streams, stream, sizeof reading->stream, reading);
}

void daemon_cache_stream_closed(struct daemon *daemon, uint64_t number)
{
    struct daemon_cache *cache = daemon->cache;
    struct reading *reading = NULL;

    HASH_FIND(hh, cache->streams, &number, sizeof number, reading);
    if (reading == NULL)
        return;
    struct lease *held = find_lease(cache, reading->root);
    if (held != NULL && held->streams > 0) {
        held->streams--;
        end_if_over(cache, held);
    }
    HASH_DEL(cache->streams, reading);
    mem_free(reading);
}

/* --- whose it is */

static void note_owner(struct daemon_cache *cache, const uint8_t root[HASH_LENGTH])
{
    if (cache->changed_count == OWNERS_MAX)
        daemon_cache_flush(cache->daemon);
    memcpy(cache->changed[cache->changed_count++], root, HASH_LENGTH);
    daemon_flush_soon(cache->daemon);
}

void daemon_cache_flush(struct daemon *daemon)
{
    struct daemon_cache *cache = daemon->cache;
    struct store_owner owners[OWNERS_MAX];
    size_t count = 0;

    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->changed_count; i++) {
        struct store_owner *owner = &owners[count];
        memcpy(owner->root, cache->changed[i], HASH_LENGTH);
        owner->site = cache_owner(cache->books, owner->root, &owner->old);
        count += owner->site != NULL;
    }
    cache->changed_count = 0; /* at worst a file is of no known site until its torrent is loaded */
    enum err err = count > 0 ? store_save_owners(daemon->store, owners, count) : ERR_OK;
    if (err != ERR_OK)
        log_warning("whose files are cached cannot be recorded: %s", err_text(err));
}

/* Is it the disk's fault, or as the visitor wants it? */
static enum err why_not(const struct daemon_cache *cache, enum cache_answer answer, uint64_t length)
{
    uint64_t chosen = cache_quota_chosen(cache);

    return answer == CACHE_OVER_QUOTA && cache->quota < chosen && length <= chosen ? ERR_NO_SPACE
                                                                                   : ERR_QUOTA;
}

enum err daemon_cache_reserve(struct daemon *daemon, const struct metainfo_file *file,
                              const char *site)
{
    struct daemon_cache *cache = daemon->cache;
    const uint8_t *root = file->root;
    struct going *going = find_going(cache, root);

    if (lease(cache, root) != NULL)
        return ERR_OK;
    if (loop_now_ms(&daemon->loop) >= cache->looked_ms + QUOTA_MS)
        look_at_disk(cache);
    enum cache_answer answer = cache_reserve(cache->books, root, site, file->length);
    if (answer == CACHE_OTHER_LENGTH) { /* what was found at start was no such file */
        cache_drop(cache->books, root);
        answer = cache_reserve(cache->books, root, site, file->length);
    }
    if (answer != CACHE_RESERVED)
        return why_not(cache, answer, file->length);
    if (going != NULL) /* it may stay */
        drop_going(cache, going);
    struct lease *held = new_lease(cache, root);
    held->fresh = true;
    cache_site_used(cache->books, site, loop_wall_s());
    renew(cache, held);
    note_owner(cache, root);
    return ERR_OK;
}

void daemon_cache_current(struct daemon *daemon, const struct metainfo *meta, const char *site)
{
    struct daemon_cache *cache = daemon->cache;

    for (uint32_t i = 0; i < meta->file_count; i++) {
        const uint8_t *root = meta->files[i].root;
        bool adopted = meta->files[i].pieces > 0 && cache_adopt(cache->books, root, site);
        if (meta->files[i].pieces > 0 && (cache_set_old(cache->books, root, false) || adopted))
            note_owner(cache, root);
    }
}

void daemon_cache_old(struct daemon *daemon, struct span roots)
{
    for (size_t at = 0; at + HASH_LENGTH <= roots.length; at += HASH_LENGTH)
        if (cache_set_old(daemon->cache->books, roots.data + at, true))
            note_owner(daemon->cache, roots.data + at);
}

/* --- its own time */

static void found(void *user, const struct store_cached *file)
{
    struct daemon_cache *cache = user;
    struct cache_record record = {.root = file->root,
                                  .site = file->site,
                                  .length = file->length,
                                  .used_s = file->used_s,
                                  .old = file->old};

    if (find_going(cache, file->root) == NULL)
        cache_load(cache->books, &record);
}

static void fired(void *user)
{
    struct daemon_cache *cache = user;
    bool good = true;

    cache->wake_ms = 0;
    end_old_leases(cache);
    if (cache->swept < FOLDERS)
        store_each_content(cache->daemon->store, cache->swept++, found, cache);
    look_at_disk(cache);
    bool more = cache_shrink(cache->books, STEP_FILES);
    if (cache->going != NULL)
        good = remove_some(cache);
    if (cache->going != NULL || more)
        wake(cache, good ? SOON_MS : BUSY_MS);
    if (cache->swept < FOLDERS)
        wake(cache, SWEEP_MS);
    wake(cache, list_empty(&cache->by_age) ? QUIET_MS : TIDY_MS);
}

static void chosen(void *user, const struct store_choice *choice)
{
    struct daemon_cache *cache = user;

    cache_set_site_quota(cache->books, choice->site, choice->quota);
    cache_set_keep(cache->books, choice->site, choice->keep);
}

/* A super-node holds its sites whole, whatever their size: only the disk limits it. */
static uint64_t standard_quota(const struct daemon_cache *cache)
{
    if (cache->daemon->options->supernode)
        return UINT64_MAX;
    return cache_quota_default(cache->disk.free + cache_totals(cache->books).bytes);
}

void daemon_cache_open(struct daemon *daemon)
{
    struct daemon_cache *cache = mem_zalloc(sizeof *cache);

    daemon->cache = cache;
    cache->daemon = daemon;
    list_init(&cache->by_age);
    cache->timer = loop_timer_new(&daemon->loop, fired, cache);
    cache->books = cache_new(UINT64_MAX, gone, cache);
    enum err err = store_each_choice(daemon->store, chosen, cache);
    if (err == ERR_OK)
        err = store_each_cached(daemon->store, found, cache);
    if (err != ERR_OK)
        log_error("cannot read what is cached: %s", err_text(err));
    store_disk(daemon->store, &cache->disk);
    cache->standard = standard_quota(cache);
    look_at_disk(cache);
    wake(cache, SWEEP_MS);
}

void daemon_cache_close(struct daemon *daemon)
{
    struct daemon_cache *cache = daemon->cache;
    struct going *going, *next_going;
    struct lease *lease, *next_lease;
    struct reading *reading, *next_reading;

    if (cache == NULL)
        return;
    daemon_cache_flush(daemon);
    /* What has left the books must not be on the disk without being in them. */
    HASH_ITER(hh, cache->going, going, next_going)
    {
        store_remove(daemon->store, going->root);
        drop_going(cache, going);
    }
    HASH_ITER(hh, cache->leases, lease, next_lease) end_lease(cache, lease);
    HASH_ITER(hh, cache->streams, reading, next_reading)
    {
        HASH_DEL(cache->streams, reading);
        mem_free(reading);
    }
    loop_timer_free(cache->timer);
    cache_free(cache->books);
    mem_free(cache);
    daemon->cache = NULL;
}
