/* core/cache: the queues of S3-FIFO, the ghosts, and which file goes next. */
#include "core/cache_impl.h"

#include "base/mem.h"

#include <string.h>

#define USES_TO_STAY 2 /* in the small queue */

/* --- queues */

void cache_leave_queue(struct cache *cache, struct cache_file *file)
{
    if (!file->queued)
        return;
    file->queued = false;
    list_remove(&file->link);
    cache->queue_bytes[file->queue] -= file->length;
    cache->movable -= file->length;
    file->site->movable -= file->length;
}

void cache_enter_queue(struct cache *cache, struct cache_file *file)
{
    if (file->queued || file->holds > 0 || file->site->keep)
        return;
    file->queued = true;
    list_push_back(&cache->queues[file->queue], &file->link);
    cache->queue_bytes[file->queue] += file->length;
    cache->movable += file->length;
    file->site->movable += file->length;
}

void cache_change_queue(struct cache *cache, struct cache_file *file, enum queue queue)
{
    cache_leave_queue(cache, file);
    file->queue = queue;
    cache_enter_queue(cache, file);
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
void cache_trim_ghosts(struct cache *cache)
{
    uint64_t most = cache->quota - cache->quota / CACHE_SMALL_PART;

    while (cache->ghosts != NULL &&
           (cache->ghost_bytes > most || HASH_COUNT(cache->ghosts) > CACHE_GHOSTS_MAX))
        forget_ghost(cache, cache->ghosts);
}

void cache_forget_ghosts(struct cache *cache)
{
    while (cache->ghosts != NULL)
        forget_ghost(cache, cache->ghosts);
}

bool cache_take_ghost(struct cache *cache, const uint8_t root[HASH_LENGTH])
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
    cache_take_ghost(cache, file->root);
    struct ghost *ghost = mem_zalloc(sizeof *ghost);
    memcpy(ghost->root, file->root, HASH_LENGTH);
    ghost->length = file->length;
    cache->ghost_bytes += file->length;
    HASH_ADD(hh, cache->ghosts, root, HASH_LENGTH, ghost);
    cache_trim_ghosts(cache);
}

static void evict(struct cache *cache, struct cache_file *file)
{
    if (file->queue == QUEUE_SMALL)
        add_ghost(cache, file);
    cache->gone(cache->user, file->root, file->length);
    cache_forget(cache, file);
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
            (proven == NULL || cache->queue_bytes[QUEUE_SMALL] > cache->quota / CACHE_SMALL_PART)) {
            if (young->uses < USES_TO_STAY)
                return young;
            young->uses = 0;
            cache_change_queue(cache, young, QUEUE_MAIN);
        } else if (proven->uses == 0) {
            return proven;
        } else {
            proven->uses--;
            cache_leave_queue(cache, proven);
            cache_enter_queue(cache, proven);
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
    for (int turn = 0; turn <= CACHE_USES_MAX; turn++) {
        list_for_each(link, next, &site->current)
        {
            struct cache_file *file = list_entry(link, struct cache_file, of_site);
            if (file->queued && file->uses <= turn)
                return file;
        }
    }
    return NULL;
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
        cache_tidy_site(cache, site);
    }
    while (cache->totals.bytes > cache->quota && cache->movable > 0) {
        if (most-- == 0)
            return true;
        struct cache_file *file = next_victim(cache);
        site = file->site;
        evict(cache, file);
        cache_tidy_site(cache, site);
    }
    return false;
}

void cache_make_room(struct cache *cache, struct cache_site *site, uint64_t length)
{
    while (site_is_over(site, length))
        evict(cache, site_victim(site));
    while (cache->totals.bytes + length > cache->quota) {
        struct cache_file *file = next_victim(cache);
        struct cache_site *other = file->site;
        evict(cache, file);
        if (other != site)
            cache_tidy_site(cache, other);
    }
}
