#include "core/cache.h"

#include "base/list.h"
#include "base/mem.h"

#include <string.h>
#include <uthash.h>

#define USES_MAX     3
#define SMALL_PART   10 /* the small queue's share of the quota: one in so many */
#define DEFAULT_MAX  UINT64_C(5000000000)
#define DEFAULT_PART 10
#define USES_TO_STAY 2 /* in the small queue */

enum queue { QUEUE_SMALL, QUEUE_MAIN, QUEUE_OLD, QUEUE_COUNT };

struct cache_site {
    UT_hash_handle hh;
    char *name;
    uint64_t quota; /* 0: none */
    bool keep;
    uint64_t files, bytes, movable; /* movable: bytes of files that are in a queue */
    struct list old, current;
};

struct cache_file {
    UT_hash_handle hh;
    uint8_t root[HASH_LENGTH];
    uint64_t length;
    struct cache_site *site;
    struct list link;    /* in its queue, when queued */
    struct list of_site; /* in site.old or site.current */
    enum queue queue;
    bool queued;
    uint8_t uses;
    unsigned holds;
};

struct ghost {
    UT_hash_handle hh;
    uint8_t root[HASH_LENGTH];
    uint64_t length;
};

struct cache {
    uint64_t quota;
    cache_gone gone;
    void *user;
    struct cache_file *files;
    struct cache_site *sites;
    struct ghost *ghosts; /* uthash keeps the order of insertion */
    uint64_t ghost_bytes;
    struct cache_totals totals;
    uint64_t movable;
    struct list queues[QUEUE_COUNT];
    uint64_t queue_bytes[QUEUE_COUNT];
};

struct cache *cache_new(uint64_t quota, cache_gone gone, void *user)
{
    struct cache *cache = mem_zalloc(sizeof *cache);

    cache->quota = quota;
    cache->gone = gone;
    cache->user = user;
    for (int i = 0; i < QUEUE_COUNT; i++)
        list_init(&cache->queues[i]);
    return cache;
}

/* --- lookups */

static struct cache_file *find(const struct cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct cache_file *file = NULL;

    HASH_FIND(hh, cache->files, root, HASH_LENGTH, file);
    return file;
}

static struct cache_site *find_site(const struct cache *cache, const char *name)
{
    struct cache_site *site = NULL;

    HASH_FIND_STR(cache->sites, name, site);
    return site;
}

static struct cache_site *get_site(struct cache *cache, const char *name)
{
    struct cache_site *site = find_site(cache, name);

    if (site != NULL)
        return site;
    site = mem_zalloc(sizeof *site);
    site->name = mem_strdup(name);
    list_init(&site->old);
    list_init(&site->current);
    HASH_ADD_KEYPTR(hh, cache->sites, site->name, strlen(site->name), site);
    return site;
}

static void free_site(struct cache *cache, struct cache_site *site)
{
    HASH_DEL(cache->sites, site);
    mem_free(site->name);
    mem_free(site);
}

/* One without files and without a choice is forgotten. */
static void tidy_site(struct cache *cache, struct cache_site *site)
{
    if (site->files == 0 && site->quota == 0 && !site->keep)
        free_site(cache, site);
}

/* --- queues */

static void leave_queue(struct cache *cache, struct cache_file *file)
{
    if (!file->queued)
        return;
    file->queued = false;
    list_remove(&file->link);
    cache->queue_bytes[file->queue] -= file->length;
    cache->movable -= file->length;
    file->site->movable -= file->length;
}

static void enter_queue(struct cache *cache, struct cache_file *file)
{
    if (file->queued || file->holds > 0 || file->site->keep)
        return;
    file->queued = true;
    list_push_back(&cache->queues[file->queue], &file->link);
    cache->queue_bytes[file->queue] += file->length;
    cache->movable += file->length;
    file->site->movable += file->length;
}

static void change_queue(struct cache *cache, struct cache_file *file, enum queue queue)
{
    leave_queue(cache, file);
    file->queue = queue;
    enter_queue(cache, file);
    list_remove(&file->of_site);
    list_push_back(queue == QUEUE_OLD ? &file->site->old : &file->site->current, &file->of_site);
}

static struct cache_file *first(struct cache *cache, enum queue queue)
{
    return list_empty(&cache->queues[queue])
               ? NULL
               : list_entry(cache->queues[queue].next, struct cache_file, link);
}

/* --- ghosts */

static void forget_ghost(struct cache *cache, struct ghost *ghost)
{
    cache->ghost_bytes -= ghost->length;
    HASH_DEL(cache->ghosts, ghost);
    mem_free(ghost);
}

/* As many bytes as the main queue may have. */
static void trim_ghosts(struct cache *cache)
{
    uint64_t most = cache->quota - cache->quota / SMALL_PART;

    while (cache->ghosts != NULL &&
           (cache->ghost_bytes > most || HASH_COUNT(cache->ghosts) > CACHE_GHOSTS_MAX))
        forget_ghost(cache, cache->ghosts);
}

static bool take_ghost(struct cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct ghost *ghost = NULL;

    HASH_FIND(hh, cache->ghosts, root, HASH_LENGTH, ghost);
    if (ghost == NULL)
        return false;
    forget_ghost(cache, ghost);
    return true;
}

static void add_ghost(struct cache *cache, const struct cache_file *file)
{
    take_ghost(cache, file->root);
    struct ghost *ghost = mem_zalloc(sizeof *ghost);
    memcpy(ghost->root, file->root, HASH_LENGTH);
    ghost->length = file->length;
    cache->ghost_bytes += file->length;
    HASH_ADD(hh, cache->ghosts, root, HASH_LENGTH, ghost);
    trim_ghosts(cache);
}

/* --- leaving */

static void forget(struct cache *cache, struct cache_file *file)
{
    leave_queue(cache, file);
    list_remove(&file->of_site);
    file->site->files--;
    file->site->bytes -= file->length;
    cache->totals.files--;
    cache->totals.bytes -= file->length;
    HASH_DEL(cache->files, file);
    mem_free(file);
}

static void evict(struct cache *cache, struct cache_file *file)
{
    if (file->queue == QUEUE_SMALL)
        add_ghost(cache, file);
    cache->gone(cache->user, file->root, file->length);
    forget(cache, file);
}

/* Ends: each turn returns, moves a file out of the small queue, or takes a use from one. */
static struct cache_file *next_victim(struct cache *cache)
{
    struct cache_file *file = first(cache, QUEUE_OLD);

    while (file == NULL) {
        struct cache_file *young = first(cache, QUEUE_SMALL), *proven = first(cache, QUEUE_MAIN);

        if (young == NULL && proven == NULL)
            return NULL;
        if (young != NULL &&
            (proven == NULL || cache->queue_bytes[QUEUE_SMALL] > cache->quota / SMALL_PART)) {
            if (young->uses < USES_TO_STAY)
                return young;
            young->uses = 0;
            change_queue(cache, young, QUEUE_MAIN);
        } else if (proven->uses == 0) {
            return proven;
        } else {
            proven->uses--;
            leave_queue(cache, proven);
            enter_queue(cache, proven);
        }
    }
    return file;
}

/* Over the site's own quota: its old files, then the first that was not used since its last turn.
 */
static struct cache_file *site_victim(struct cache_site *site)
{
    list_for_each(link, next, &site->old)
    {
        struct cache_file *file = list_entry(link, struct cache_file, of_site);
        if (file->queued)
            return file;
    }
    for (int turn = 0; turn <= USES_MAX; turn++) {
        list_for_each(link, next, &site->current)
        {
            struct cache_file *file = list_entry(link, struct cache_file, of_site);
            if (file->queued && file->uses <= turn)
                return file;
        }
    }
    return NULL;
}

/* --- quotas */

void cache_set_quota(struct cache *cache, uint64_t quota)
{
    cache->quota = quota;
    trim_ghosts(cache);
}

void cache_set_site_quota(struct cache *cache, const char *name, uint64_t quota)
{
    struct cache_site *site = get_site(cache, name);

    site->quota = quota;
    tidy_site(cache, site);
}

static void requeue_all(struct cache *cache, struct list *files)
{
    list_for_each(link, next, files)
    {
        struct cache_file *file = list_entry(link, struct cache_file, of_site);
        if (file->site->keep)
            leave_queue(cache, file);
        else
            enter_queue(cache, file);
    }
}

void cache_set_keep(struct cache *cache, const char *name, bool keep)
{
    struct cache_site *site = get_site(cache, name);

    site->keep = keep;
    requeue_all(cache, &site->old);
    requeue_all(cache, &site->current);
    tidy_site(cache, site);
}

static bool site_is_over(const struct cache_site *site, uint64_t more)
{
    return site->quota > 0 && site->bytes + more > site->quota;
}

bool cache_shrink(struct cache *cache, unsigned most)
{
    struct cache_site *site, *next;

    HASH_ITER(hh, cache->sites, site, next)
    {
        while (site_is_over(site, 0) && site->movable > 0) {
            if (most-- == 0)
                return true;
            evict(cache, site_victim(site));
        }
        tidy_site(cache, site);
    }
    while (cache->totals.bytes > cache->quota && cache->movable > 0) {
        if (most-- == 0)
            return true;
        struct cache_file *file = next_victim(cache);
        site = file->site;
        evict(cache, file);
        tidy_site(cache, site);
    }
    return false;
}

static enum cache_answer may_add(const struct cache *cache, const struct cache_site *site,
                                 uint64_t length)
{
    uint64_t fixed = cache->totals.bytes - cache->movable;

    if (length > cache->quota || fixed > cache->quota - length)
        return CACHE_OVER_QUOTA;
    fixed = site->bytes - site->movable;
    if (site->quota > 0 && (length > site->quota || fixed > site->quota - length))
        return CACHE_OVER_SITE_QUOTA;
    return CACHE_RESERVED;
}

static void make_room(struct cache *cache, struct cache_site *site, uint64_t length)
{
    while (site_is_over(site, length))
        evict(cache, site_victim(site));
    while (cache->totals.bytes + length > cache->quota) {
        struct cache_file *file = next_victim(cache);
        struct cache_site *other = file->site;
        evict(cache, file);
        if (other != site)
            tidy_site(cache, other);
    }
}

static void add(struct cache *cache, const uint8_t root[HASH_LENGTH], struct cache_site *site,
                uint64_t length)
{
    struct cache_file *file = mem_zalloc(sizeof *file);

    memcpy(file->root, root, HASH_LENGTH);
    file->length = length;
    file->site = site;
    file->holds = 1;
    file->queue = take_ghost(cache, root) ? QUEUE_MAIN : QUEUE_SMALL;
    list_init(&file->link);
    list_push_back(&site->current, &file->of_site);
    site->files++;
    site->bytes += length;
    cache->totals.files++;
    cache->totals.bytes += length;
    HASH_ADD(hh, cache->files, root, HASH_LENGTH, file);
}

enum cache_answer cache_reserve(struct cache *cache, const uint8_t root[HASH_LENGTH],
                                const char *name, uint64_t length)
{
    struct cache_file *file = find(cache, root);

    if (file != NULL && file->length != length)
        return CACHE_OTHER_LENGTH;
    if (file != NULL) {
        cache_hold(cache, root);
        return CACHE_RESERVED;
    }
    struct cache_site *site = get_site(cache, name);
    enum cache_answer answer = may_add(cache, site, length);
    if (answer == CACHE_RESERVED) {
        make_room(cache, site, length);
        add(cache, root, site, length);
    }
    tidy_site(cache, site);
    return answer;
}

/* --- files */

bool cache_hold(struct cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct cache_file *file = find(cache, root);

    if (file == NULL)
        return false;
    leave_queue(cache, file);
    file->holds++;
    return true;
}

void cache_release(struct cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct cache_file *file = find(cache, root);

    if (file == NULL || file->holds == 0)
        return;
    file->holds--;
    enter_queue(cache, file);
}

void cache_use(struct cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct cache_file *file = find(cache, root);

    if (file != NULL && file->uses < USES_MAX)
        file->uses++;
}

void cache_set_old(struct cache *cache, const uint8_t root[HASH_LENGTH], bool old)
{
    struct cache_file *file = find(cache, root);

    if (file != NULL && old != (file->queue == QUEUE_OLD))
        change_queue(cache, file, old ? QUEUE_OLD : QUEUE_MAIN);
}

void cache_drop(struct cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct cache_file *file = find(cache, root);

    if (file == NULL)
        return;
    struct cache_site *site = file->site;
    forget(cache, file);
    tidy_site(cache, site);
}

struct cache_totals cache_clear(struct cache *cache, const char *name)
{
    struct cache_totals freed = {0, 0};
    struct cache_file *file, *next;

    HASH_ITER(hh, cache->files, file, next)
    {
        struct cache_site *site = file->site;
        if (file->holds > 0 || (name != NULL && strcmp(site->name, name) != 0))
            continue;
        freed.files++;
        freed.bytes += file->length;
        cache->gone(cache->user, file->root, file->length);
        forget(cache, file);
        tidy_site(cache, site);
    }
    return freed;
}

void cache_free(struct cache *cache)
{
    struct cache_file *file, *next_file;
    struct cache_site *site, *next_site;

    if (cache == NULL)
        return;
    HASH_ITER(hh, cache->files, file, next_file) forget(cache, file);
    HASH_ITER(hh, cache->sites, site, next_site) free_site(cache, site);
    while (cache->ghosts != NULL)
        forget_ghost(cache, cache->ghosts);
    mem_free(cache);
}

/* --- what there is */

bool cache_has(const struct cache *cache, const uint8_t root[HASH_LENGTH])
{
    return find(cache, root) != NULL;
}

struct cache_totals cache_totals(const struct cache *cache)
{
    return cache->totals;
}

struct cache_totals cache_site_totals(const struct cache *cache, const char *name)
{
    const struct cache_site *site = find_site(cache, name);

    return site == NULL ? (struct cache_totals){0, 0}
                        : (struct cache_totals){site->files, site->bytes};
}

uint64_t cache_quota_default(uint64_t disk_free)
{
    return disk_free / DEFAULT_PART < DEFAULT_MAX ? disk_free / DEFAULT_PART : DEFAULT_MAX;
}

uint64_t cache_quota_now(uint64_t quota, uint64_t used, uint64_t disk_free, uint64_t floor)
{
    uint64_t least = disk_free < floor ? floor - disk_free : 0; /* to be given back */
    uint64_t most = used > least ? used - least : 0;

    if (disk_free > floor)
        most = disk_free - floor > UINT64_MAX - used ? UINT64_MAX : used + (disk_free - floor);
    return quota < most ? quota : most;
}
