/* The visitor's requests about the cache: what is in it, and what is to go or to stay. */
#include "app/daemon_cache_impl.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct views {
    struct cache_site_view *list;
    size_t count, capacity;
};

static void collect(void *user, const struct cache_site_view *view)
{
    struct views *views = user;

    if (views->count == views->capacity) {
        views->capacity = 2 * views->capacity + 64;
        views->list = mem_realloc(views->list, views->capacity * sizeof *views->list);
    }
    views->list[views->count++] = *view;
}

static int largest_first(const void *a, const void *b)
{
    const struct cache_site_view *left = a, *right = b;

    if (left->totals.bytes != right->totals.bytes)
        return left->totals.bytes < right->totals.bytes ? 1 : -1;
    return strcmp(left->site, right->site);
}

static void put_view(struct daemon *daemon, struct api_answer *answer,
                     const struct cache_site_view *view)
{
    struct store_shared shared = daemon_shared_of(daemon, view->site);

    api_answer_open_object(answer, NULL);
    api_answer_text(answer, "site", view->site[0] != '\0' ? view->site : NULL);
    api_answer_number(answer, "bytes", view->totals.bytes);
    api_answer_number(answer, "files", view->totals.files);
    api_answer_number(answer, "last_used", view->used_s);
    api_answer_bool(answer, "keep", view->keep);
    api_answer_number(answer, "quota", view->quota);
    api_answer_number(answer, "down", shared.down);
    api_answer_number(answer, "up", shared.up);
    api_answer_close(answer);
}

static void put_sites(const struct daemon_cache *cache, struct api_answer *answer)
{
    struct views views = {0};

    cache_each_site(cache->books, collect, &views);
    if (views.count > 0)
        qsort(views.list, views.count, sizeof *views.list, largest_first);
    api_answer_open_array(answer, "sites");
    for (size_t i = 0; i < views.count && i < LIMIT_CACHE_SITES; i++)
        put_view(cache->daemon, answer, &views.list[i]);
    api_answer_close(answer);
    mem_free(views.list);
}

static void put_state(const struct daemon_cache *cache, struct api_answer *answer)
{
    struct cache_totals totals = cache_totals(cache->books);
    uint64_t chosen = cache_quota_chosen(cache);

    api_answer_number(answer, "bytes", totals.bytes);
    api_answer_number(answer, "files", totals.files);
    if (chosen != UINT64_MAX)
        api_answer_number(answer, "quota", chosen);
    api_answer_bool(answer, "quota_chosen", cache->chosen > 0);
    api_answer_bool(answer, "quota_lowered", cache->quota < chosen && chosen != UINT64_MAX);
    api_answer_number(answer, "disk_free", cache->disk.free);
    api_answer_number(answer, "going", HASH_COUNT(cache->going));
    put_sites(cache, answer);
}

/* --- changes */

static enum err clear(struct daemon_cache *cache, const char *site, struct api_answer *answer)
{
    struct transfer_log *log = cache->daemon->transfers;

    cache_end_idle_leases(cache);
    struct cache_totals freed = cache_clear(cache->books, site);
    struct cache_totals left =
        site != NULL ? cache_site_totals(cache->books, site) : cache_totals(cache->books);
    api_answer_number(answer, "files", freed.files);
    api_answer_number(answer, "bytes", freed.bytes);
    api_answer_number(answer, "in_use", left.files);
    enum err err = daemon_shared_forget(cache->daemon, site);
    return log != NULL && err == ERR_OK ? transfer_log_clear(log, site) : err;
}

static enum err choose(struct daemon_cache *cache, const struct api_request *request,
                       struct api_answer *answer)
{
    struct cache_site_view view = cache_view_site(cache->books, request->site);
    struct store_choice choice = {request->site, view.quota, view.keep};

    if (request->type == API_CACHE_KEEP)
        choice.keep = request->keep;
    else
        choice.quota = request->quota;
    cache_set_site_quota(cache->books, request->site, choice.quota);
    cache_set_keep(cache->books, request->site, choice.keep);
    daemon_cache_set_quota(cache->daemon, cache->chosen); /* what is over it goes */
    api_answer_bool(answer, "keep", choice.keep);
    api_answer_number(answer, "quota", choice.quota);
    return store_save_choice(cache->daemon->store, &choice);
}

void daemon_cache_request(struct daemon *daemon, uint64_t client, const struct api_request *request)
{
    struct api_answer *answer = api_answer_begin(request->id);
    enum err err = ERR_OK;
    struct buf json;

    buf_init(&json, LIMIT_FRAME_OUT);
    if (request->type == API_CACHE)
        put_state(daemon->cache, answer);
    else if (request->type == API_CACHE_CLEAR)
        err = clear(daemon->cache, request->site[0] != '\0' ? request->site : NULL, answer);
    else
        err = choose(daemon->cache, request, answer);
    api_answer_end(answer, &json);
    if (err != ERR_OK) {
        buf_clear(&json);
        api_answer_error(request->id, "failed", err_text(err), &json);
    }
    control_send(daemon->control, client, span_of(json.data, json.length));
    buf_done(&json);
}
