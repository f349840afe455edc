/* Requests about a site: open, its zone, its status; the list of all. */
#include "core/node_api_impl.h"
#include "core/peer.h"

#include <string.h>

void node_api_put_zone(struct api_answer *answer, const struct site *site)
{
    api_answer_text(answer, "zone", zone_name(site_zone(site)));
    api_answer_text(answer, "chosen", zone_name(site->zone));
}

static const char *site_state(struct site *site, uint64_t seq, const char **ret_reason)
{
    *ret_reason = NULL;
    if (site_zone(site) == ZONE_OFF)
        return "off";
    if (site_find_release(site, seq, ret_reason) != NULL)
        return "ready";
    return *ret_reason != NULL ? "failed" : "unknown";
}

static void put_release_summary(struct api_answer *answer, const struct release *release)
{
    api_answer_number(answer, "seq", release->seq);
    api_answer_text(answer, "version", release->version);
    api_answer_number(answer, "expires", release->expires);
}

bool node_api_try_open(struct site *site, uint64_t client, const struct api_request *request)
{
    const char *reason;
    uint64_t seq = doc_release(site->node, request->doc, site, request->seq);
    const char *state = site_state(site, seq, &reason);

    if (strcmp(state, "unknown") == 0)
        return false;
    struct api_answer *answer = api_answer_begin(request->id);
    node_api_put_zone(answer, site);
    api_answer_text(answer, "state", state);
    api_answer_text(answer, "reason", reason);
    if (strcmp(state, "ready") == 0) {
        const struct release *release = site_find_release(site, seq, &reason)->release;
        doc_pin(site->node, request->doc, site, release->seq);
        put_release_summary(answer, release);
        api_answer_open_array(answer, "bases");
        for (size_t i = 0; i < release->bundle_count; i++)
            api_answer_item_text(answer, release->bundles[i].base);
        if (release->catalog.base != NULL)
            api_answer_item_text(answer, release->catalog.base);
        api_answer_close(answer);
        /* With one bundle there is no doubt what the page will ask for next. */
        if (release->bundle_count == 1)
            site_start_swarms(site);
        if (release->supernode_count > 0) /* the connection may have been given up meanwhile */
            node_wake(site->node, site->node->now_ms);
    }
    node_api_finish(site->node, client, answer);
    return true;
}

void node_api_site_open(struct node *node, uint64_t client, const struct api_request *request)
{
    struct site *site = site_get(node, request->site, true);

    site_learn_used(site);
    if (site_zone(site) != ZONE_OFF)
        site_need(site, request->seq);
    if (!node_api_try_open(site, client, request))
        site_wait(site, client, request);
}

void node_api_site_zone(struct node *node, uint64_t client, const struct api_request *request)
{
    struct site *site = site_get(node, request->site, true);

    site_set_zone(site, request->zone);
    struct api_answer *answer = api_answer_begin(request->id);
    api_answer_text(answer, "zone", zone_name(site_zone(site)));
    node_api_finish(node, client, answer);
}

static void put_page(struct api_answer *answer, const struct doc *doc)
{
    static const uint64_t none[SOURCE_COUNT_];

    api_answer_open_object(answer, "page");
    api_answer_number(answer, "files", doc != NULL ? doc->files : 0);
    node_api_put_bytes(answer, doc != NULL ? doc->bytes : none);
    api_answer_close(answer);
}

static void put_site_totals(struct api_answer *answer, const struct site *site)
{
    api_answer_open_object(answer, "total");
    node_api_put_bytes(answer, site->bytes);
    api_answer_number(answer, "uploaded", site->uploaded);
    api_answer_number(answer, "wasted", site->wasted);
    api_answer_close(answer);
}

static void put_release(struct api_answer *answer, const struct site *site)
{
    uint64_t files, bytes = 0;

    if (site->current == NULL) {
        api_answer_text(answer, "release", NULL);
        return;
    }
    const struct release *release = site->current->release;
    files = release->catalog.files;
    for (size_t i = 0; i < release->bundle_count; i++) {
        files += release->bundles[i].files;
        bytes += release->bundles[i].bytes;
    }
    api_answer_open_object(answer, "release");
    put_release_summary(answer, release);
    api_answer_number(answer, "files", files);
    api_answer_number(answer, "bytes", bytes);
    api_answer_text(answer, "sharing", release->sharing);
    api_answer_close(answer);
}

/* What the site itself was spared (PROTOCOL.md 2). */
static void put_spared(struct api_answer *answer, const struct site *site)
{
    uint64_t asked, shared;

    site_spared(site, &asked, &shared);
    api_answer_open_object(answer, "spared");
    api_answer_number(answer, "asked", asked);
    api_answer_number(answer, "shared", shared);
    api_answer_close(answer);
}

void node_api_site_status(struct node *node, uint64_t client, const struct api_request *request)
{
    struct site *site = site_get(node, request->site, true);
    const char *reason;
    const char *state = site_state(site, 0, &reason);

    struct api_answer *answer = api_answer_begin(request->id);
    node_api_put_zone(answer, site);
    api_answer_text(answer, "state", state);
    api_answer_text(answer, "reason", reason);
    api_answer_text(answer, "life", site_life_name(site_life(site)));
    api_answer_text(answer, "origin", health_of_origin(site));
    put_release(answer, site);
    api_answer_number(answer, "peers", site_peer_count(site));
    put_page(answer, doc_get(node, request->doc, false));
    put_site_totals(answer, site);
    put_spared(answer, site);
    api_answer_bool(answer, "supernode", site->served);
    node_api_finish(node, client, answer);
}

void node_api_sites(struct node *node, uint64_t client, const struct api_request *request)
{
    struct api_answer *answer = api_answer_begin(request->id);

    api_answer_open_array(answer, "sites");
    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        const char *reason;
        api_answer_open_object(answer, NULL);
        api_answer_text(answer, "site", site->name);
        node_api_put_zone(answer, site);
        api_answer_text(answer, "state", site_state(site, 0, &reason));
        api_answer_text(answer, "life", site_life_name(site_life(site)));
        api_answer_number(answer, "seq", site->seq);
        api_answer_text(answer, "version",
                        site->current != NULL ? site->current->release->version : NULL);
        api_answer_close(answer);
    }
    api_answer_close(answer);
    node_api_finish(node, client, answer);
}
