/* core/cache: the books. */
#include "core/cache_impl.h"

#include "base/mem.h"

#include <string.h>

#define DEFAULT_MAX  UINT64_C(5000000000)
#define DEFAULT_PART 10

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
void cache_tidy_site(struct cache *cache, struct cache_site *site)
{
    if (site->files == 0 && site->quota == 0 && !site->keep)
        free_site(cache, site);
}

/* --- leaving */

void cache_forget(struct cache *cache, struct cache_file *file)
{
    cache_leave_queue(cache, file);
    list_remove(&file->of_site);
    file->site->files--;
    file->site->bytes -= file->length;
    cache->totals.files--;
    cache->totals.bytes -= file->length;
    HASH_DEL(cache->files, file);
    mem_free(file);
}

/* --- quotas */

void cache_set_quota(struct cache *cache, uint64_t quota)
{
    cache->quota = quota;
    cache_trim_ghosts(cache);
}

void cache_set_site_quota(struct cache *cache, const char *name, uint64_t quota)
{
    struct cache_site *site = get_site(cache, name);

    site->quota = quota;
    cache_tidy_site(cache, site);
}

static void requeue_all(struct cache *cache, struct list *files)
{
    list_for_each(link, next, files)
    {
        struct cache_file *file = list_entry(link, struct cache_file, of_site);
        if (file->site->keep)
            cache_leave_queue(cache, file);
        else
            cache_enter_queue(cache, file);
    }
}

void cache_set_keep(struct cache *cache, const char *name, bool keep)
{
    struct cache_site *site = get_site(cache, name);

    site->keep = keep;
    requeue_all(cache, &site->old);
    requeue_all(cache, &site->current);
    cache_tidy_site(cache, site);
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

static void add(struct cache *cache, const uint8_t root[HASH_LENGTH], struct cache_site *site,
                uint64_t length)
{
    struct cache_file *file = mem_zalloc(sizeof *file);

    memcpy(file->root, root, HASH_LENGTH);
    file->length = length;
    file->site = site;
    file->holds = 1;
    file->queue = cache_take_ghost(cache, root) ? QUEUE_MAIN : QUEUE_SMALL;
    list_init(&file->link);
    list_push_back(&site->current, &file->of_site);
    site->files++;
    site->bytes += length;
    cache->totals.files++;
    cache->totals.bytes += length;
    HASH_ADD(hh, cache->files, root, HASH_LENGTH, file);
}

void cache_load(struct cache *cache, const struct cache_record *record)
{
    if (find(cache, record->root) != NULL)
        return;
    struct cache_site *site = get_site(cache, record->site);
    add(cache, record->root, site, record->length);
    if (record->old)
        cache_set_old(cache, record->root, true);
    cache_release(cache, record->root);
    if (site->used_s < record->used_s)
        site->used_s = record->used_s;
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
        cache_make_room(cache, site, length);
        add(cache, root, site, length);
    }
    cache_tidy_site(cache, site);
    return answer;
}

/* --- files */

bool cache_hold(struct cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct cache_file *file = find(cache, root);

    if (file == NULL)
        return false;
    cache_leave_queue(cache, file);
    file->holds++;
    return true;
}

void cache_release(struct cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct cache_file *file = find(cache, root);

    if (file == NULL || file->holds == 0)
        return;
    file->holds--;
    cache_enter_queue(cache, file);
}

void cache_use(struct cache *cache, const uint8_t root[HASH_LENGTH], uint64_t now_s)
{
    struct cache_file *file = find(cache, root);

    if (file == NULL)
        return;
    if (file->uses < CACHE_USES_MAX)
        file->uses++;
    if (file->queue == QUEUE_OLD) /* another site has it, or the new release again */
        cache_change_queue(cache, file, QUEUE_MAIN);
    if (file->site->used_s < now_s)
        file->site->used_s = now_s;
}

void cache_site_used(struct cache *cache, const char *name, uint64_t now_s)
{
    struct cache_site *site = find_site(cache, name);

    if (site != NULL && site->used_s < now_s)
        site->used_s = now_s;
}

bool cache_set_old(struct cache *cache, const uint8_t root[HASH_LENGTH], bool old)
{
    struct cache_file *file = find(cache, root);

    if (file == NULL || old == (file->queue == QUEUE_OLD))
        return false;
    cache_change_queue(cache, file, old ? QUEUE_OLD : QUEUE_MAIN);
    return true;
}

static void change_site(struct cache *cache, struct cache_file *file, struct cache_site *site)
{
    struct cache_site *from = file->site;

    cache_leave_queue(cache, file);
    list_remove(&file->of_site);
    from->files--;
    from->bytes -= file->length;
    file->site = site;
    site->files++;
    site->bytes += file->length;
    list_push_back(file->queue == QUEUE_OLD ? &site->old : &site->current, &file->of_site);
    cache_enter_queue(cache, file);
    cache_tidy_site(cache, from);
}

bool cache_adopt(struct cache *cache, const uint8_t root[HASH_LENGTH], const char *name)
{
    struct cache_file *file = find(cache, root);

    if (file == NULL || file->site->name[0] != '\0' || name[0] == '\0')
        return false;
    change_site(cache, file, get_site(cache, name));
    return true;
}

void cache_drop(struct cache *cache, const uint8_t root[HASH_LENGTH])
{
    struct cache_file *file = find(cache, root);

    if (file == NULL)
        return;
    struct cache_site *site = file->site;
    cache_forget(cache, file);
    cache_tidy_site(cache, site);
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
        cache_forget(cache, file);
        cache_tidy_site(cache, site);
    }
    return freed;
}

void cache_free(struct cache *cache)
{
    struct cache_file *file, *next_file;
    struct cache_site *site, *next_site;

    if (cache == NULL)
        return;
    HASH_ITER(hh, cache->files, file, next_file) cache_forget(cache, file);
    HASH_ITER(hh, cache->sites, site, next_site) free_site(cache, site);
    cache_forget_ghosts(cache);
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

static struct cache_site_view view_of(const struct cache_site *site)
{
    return (struct cache_site_view){.site = site->name,
                                    .totals = {site->files, site->bytes},
                                    .quota = site->quota,
                                    .used_s = site->used_s,
                                    .keep = site->keep};
}

struct cache_site_view cache_view_site(const struct cache *cache, const char *name)
{
    const struct cache_site *site = find_site(cache, name);

    return site != NULL ? view_of(site) : (struct cache_site_view){.site = name};
}

void cache_each_site(const struct cache *cache,
                     void (*each)(void *user, const struct cache_site_view *view), void *user)
{
    for (const struct cache_site *site = cache->sites; site != NULL; site = site->hh.next) {
        struct cache_site_view view = view_of(site);
        each(user, &view);
    }
}

const char *cache_owner(const struct cache *cache, const uint8_t root[HASH_LENGTH], bool *ret_old)
{
    const struct cache_file *file = find(cache, root);

    if (file == NULL)
        return NULL;
    *ret_old = file->queue == QUEUE_OLD;
    return file->site->name;
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
