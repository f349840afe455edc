#include "core/asker.h"

#include "base/mem.h"
#include "core/swarm.h"

/* Well within the time after which an extension takes the host for dead (common/limits.js). */
#define ASKER_WAIT_MS 700

bool asker_may_inline(const struct api_request *request, const struct asset *asset)
{
    uint64_t length = asset->swarm->meta->files[asset->file].length;
    return length > 0 && length <= request->inline_max;
}

bool asker_waits(const struct asset *asset, uint64_t client, const struct api_request *request)
{
    struct site *site = asset->swarm->site;
    struct want *want = swarm_find_want(asset->swarm, asset->file);

    if (want == NULL || swarm_has_file(asset->swarm, asset->file) ||
        !asker_may_inline(request, asset) || site->asker_count >= LIMIT_WANTS_WAITING)
        return false;
    struct waiting *asker = mem_zalloc(sizeof *asker);
    asker->client = client;
    asker->request = *request;
    asker->deadline_ms = site->node->now_ms + ASKER_WAIT_MS;
    list_push_back(&want->askers, &asker->in_site);
    site->asker_count++;
    node_wake(site->node, asker->deadline_ms);
    origin_asked_again(want);
    origin_consider(want);
    want_check_failed(want);
    return true;
}

/* Takes the one that has waited longest. */
static struct waiting *take(struct want *want)
{
    struct waiting *asker = list_entry(want->askers.next, struct waiting, in_site);

    list_remove(&asker->in_site);
    want->swarm->site->asker_count--;
    return asker;
}

void askers_answer(struct want *want)
{
    struct site *site = want->swarm->site;

    want->swarm->streamed_ms = site->node->now_ms; /* the page reads */
    while (!list_empty(&want->askers)) {
        struct waiting *asker = take(want);
        site_answer_want(site, asker->client, &asker->request);
        mem_free(asker);
    }
}

void askers_leave(struct want *want)
{
    struct site *site = want->swarm->site;

    while (!list_empty(&want->askers)) {
        struct waiting *asker = take(want);
        asker->request.inline_max = 0;
        site_wait(site, asker->client, &asker->request);
        mem_free(asker);
        node_wake(site->node, site->node->now_ms);
    }
}

void askers_tick(struct want *want)
{
    struct site *site = want->swarm->site;

    while (!list_empty(&want->askers)) {
        struct waiting *oldest = list_entry(want->askers.next, struct waiting, in_site);
        if (site->node->now_ms < oldest->deadline_ms) {
            node_wake(site->node, oldest->deadline_ms);
            return;
        }
        struct waiting *asker = take(want);
        asker->request.inline_max = 0;
        if (!site_answer_want(site, asker->client, &asker->request))
            site_wait(site, asker->client, &asker->request);
        mem_free(asker);
    }
}
