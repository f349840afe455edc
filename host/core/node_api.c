/* The native API (host/PROTOCOL.md 2): one handler a request type. A request that cannot be
 * answered yet waits in its site, and comes back here when something has changed. */
#include "base/mem.h"
#include "core/asker.h"
#include "core/peer.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS 5000 /* then the page is sent to the origin */

static struct effect *finish(struct node *node, uint64_t client, struct api_answer *answer)
{
    struct buf json;

    buf_init(&json, LIMIT_FRAME_OUT);
    api_answer_end(answer, &json);
    return node_answer(node, client, &json);
}

static void refuse(struct node *node, uint64_t client, uint64_t id, const char *code,
                   const char *text)
{
    struct buf json;

    buf_init(&json, LIMIT_FRAME_OUT);
    api_answer_error(id, code, text, &json);
    node_answer(node, client, &json);
}

/* --- hello, status, stop */

static void handle_hello(struct node *node, uint64_t client, const struct api_request *request)
{
    if (request->api != 1) {
        refuse(node, client, request->id, "failed",
               "this host speaks version 1 of the native API: update the extension or the host");
        return;
    }
    struct api_answer *answer = api_answer_begin(request->id);
    api_answer_number(answer, "api", 1);
    api_answer_text(answer, "version", node->config.version);
    api_answer_number(answer, "pid", node->config.pid);
    api_answer_number(answer, "batch", LIMIT_BATCH);
    api_answer_text(answer, "gateway", node->config.gateway);
    api_answer_text(answer, "default_zone", zone_name(node_default_zone(node)));
    api_answer_open_object(answer, "health");
    health_put(node, answer);
    api_answer_close(answer);
    finish(node, client, answer);
}

static void put_bytes(struct api_answer *answer, const uint64_t bytes[SOURCE_COUNT_])
{
    for (int i = 0; i < SOURCE_COUNT_; i++)
        api_answer_number(answer, source_name((enum source)i), bytes[i]);
}

static void put_totals(struct node *node, struct api_answer *answer)
{
    uint64_t bytes[SOURCE_COUNT_] = {0}, uploaded = 0, wasted = 0;

    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        for (int i = 0; i < SOURCE_COUNT_; i++)
            bytes[i] += site->bytes[i];
        uploaded += site->uploaded;
        wasted += site->wasted;
    }
    api_answer_open_object(answer, "total");
    put_bytes(answer, bytes);
    api_answer_number(answer, "uploaded", uploaded);
    api_answer_number(answer, "wasted", wasted);
    api_answer_close(answer);
}

static void put_ever(const struct node *node, struct api_answer *answer)
{
    struct byte_totals ever = node_ever(node);

    api_answer_open_object(answer, "ever");
    put_bytes(answer, ever.bytes);
    api_answer_number(answer, "uploaded", ever.uploaded);
    api_answer_close(answer);
}

static uint32_t count_peers(const struct node *node)
{
    uint32_t count = 0;
    for (const struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        count += peer->handshaken;
    return count;
}

static void put_mapping(const struct node *node, struct api_answer *answer)
{
    char external[ADDRESS_TEXT] = "";

    if (node->external.port != 0)
        address_format(&node->external, external);
    api_answer_open_object(answer, "port_mapping");
    api_answer_text(answer, "state", node->mapping_state);
    api_answer_text(answer, "method", node->mapping_method);
    api_answer_text(answer, "external", external);
    api_answer_close(answer);
}

static void put_settings(const struct node *node, struct api_answer *answer)
{
    for (int i = 0; i < SETTING_COUNT_; i++)
        if (i != SETTING_DEFAULT_ZONE)
            api_answer_number(answer, setting_name((enum setting)i), node->fair.settings[i]);
    api_answer_text(answer, setting_name(SETTING_DEFAULT_ZONE), zone_name(node_default_zone(node)));
}

static void put_sharing(const struct node *node, struct api_answer *answer)
{
    uint64_t paused_s = fair_use_paused_s(node);

    api_answer_text(answer, "sharing", fair_use_state(node));
    api_answer_number(answer, "paused_s", paused_s != UINT64_MAX ? paused_s : 0);
}

static void put_fair_use(struct node *node, struct api_answer *answer)
{
    struct fair_use *fair = &node->fair;
    char month[32];

    fair_use_look_at_calendar(node);
    snprintf(month, sizeof month, "%04llu-%02llu", (unsigned long long)(fair->month / 12),
             (unsigned long long)(fair->month % 12 + 1));
    put_sharing(node, answer);
    surroundings_put(node, answer);
    api_answer_open_object(answer, "limits");
    put_settings(node, answer);
    api_answer_close(answer);
    api_answer_open_object(answer, "month");
    api_answer_text(answer, "name", month);
    api_answer_number(answer, "uploaded", fair->month_bytes);
    api_answer_close(answer);
    api_answer_open_object(answer, "rates");
    api_answer_number(answer, "upload", meter_rate(&fair->sent, node->now_ms));
    api_answer_number(answer, "download", meter_rate(&fair->received, node->now_ms));
    api_answer_close(answer);
}

static void handle_status(struct node *node, uint64_t client, const struct api_request *request)
{
    struct api_answer *answer = api_answer_begin(request->id);
    char listen[ADDRESS_TEXT] = "";

    if (node->config.listen.port != 0)
        address_format(&node->config.listen, listen);
    api_answer_text(answer, "version", node->config.version);
    api_answer_number(answer, "pid", node->config.pid);
    api_answer_number(answer, "uptime_s", (node->now_ms - node->config.start_ms) / 1000);
    api_answer_text(answer, "data", node->config.data);
    api_answer_text(answer, "listen", listen);
    put_mapping(node, answer);
    api_answer_text(answer, "gateway", node->config.gateway);
    api_answer_text(answer, "default_zone", zone_name(node_default_zone(node)));
    api_answer_number(answer, "peers", count_peers(node));
    api_answer_open_object(answer, "cache");
    api_answer_number(answer, "files", node->cache_files);
    api_answer_number(answer, "bytes", node->cache_bytes);
    api_answer_text(answer, "state", err_name(node->store_error));
    api_answer_close(answer);
    api_answer_open_object(answer, "health");
    health_put(node, answer);
    api_answer_close(answer);
    put_totals(node, answer);
    put_ever(node, answer);
    put_fair_use(node, answer);
    api_answer_number(answer, "sites", HASH_COUNT(node->sites));
    finish(node, client, answer);
}

static void handle_stop(struct node *node, uint64_t client, const struct api_request *request)
{
    finish(node, client, api_answer_begin(request->id));
    update_add(node->update, EFFECT_STOP, 0);
}

/* --- fair use */

/* For the sites without a choice of their own. */
static void default_zone_set(struct node *node, enum zone before)
{
    if (node_default_zone(node) == before)
        return;
    for (struct site *site = node->sites; site != NULL; site = site->hh.next)
        if (site->zone == ZONE_DEFAULT)
            site_zone_changed(site);
}

static void handle_settings(struct node *node, uint64_t client, const struct api_request *request)
{
    enum zone before = node_default_zone(node);

    fair_use_set(node, request);
    default_zone_set(node, before);
    struct api_answer *answer = api_answer_begin(request->id);
    put_settings(node, answer);
    finish(node, client, answer);
}

static void answer_sharing(struct node *node, uint64_t client, uint64_t id)
{
    struct api_answer *answer = api_answer_begin(id);
    put_sharing(node, answer);
    finish(node, client, answer);
}

static void handle_pause(struct node *node, uint64_t client, const struct api_request *request)
{
    fair_use_pause(node, request->minutes);
    answer_sharing(node, client, request->id);
}

static void handle_resume(struct node *node, uint64_t client, const struct api_request *request)
{
    fair_use_resume(node);
    answer_sharing(node, client, request->id);
}

/* --- sites */

static void put_zone(struct api_answer *answer, const struct site *site)
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

static bool try_site_open(struct site *site, uint64_t client, const struct api_request *request)
{
    const char *reason;
    uint64_t seq = doc_release(site->node, request->doc, site, request->seq);
    const char *state = site_state(site, seq, &reason);

    if (strcmp(state, "unknown") == 0)
        return false;
    struct api_answer *answer = api_answer_begin(request->id);
    put_zone(answer, site);
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
    finish(site->node, client, answer);
    return true;
}

static void handle_site_open(struct node *node, uint64_t client, const struct api_request *request)
{
    struct site *site = site_get(node, request->site, true);

    site_learn_used(site);
    if (site_zone(site) != ZONE_OFF)
        site_need(site, request->seq);
    if (!try_site_open(site, client, request))
        site_wait(site, client, request);
}

static void handle_site_zone(struct node *node, uint64_t client, const struct api_request *request)
{
    struct site *site = site_get(node, request->site, true);

    site_set_zone(site, request->zone);
    struct api_answer *answer = api_answer_begin(request->id);
    api_answer_text(answer, "zone", zone_name(site_zone(site)));
    finish(node, client, answer);
}

static void put_page(struct api_answer *answer, const struct doc *doc)
{
    static const uint64_t none[SOURCE_COUNT_];

    api_answer_open_object(answer, "page");
    api_answer_number(answer, "files", doc != NULL ? doc->files : 0);
    put_bytes(answer, doc != NULL ? doc->bytes : none);
    api_answer_close(answer);
}

static void put_site_totals(struct api_answer *answer, const struct site *site)
{
    api_answer_open_object(answer, "total");
    put_bytes(answer, site->bytes);
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

static void handle_site_status(struct node *node, uint64_t client,
                               const struct api_request *request)
{
    struct site *site = site_get(node, request->site, true);
    const char *reason;
    const char *state = site_state(site, 0, &reason);

    struct api_answer *answer = api_answer_begin(request->id);
    put_zone(answer, site);
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
    finish(node, client, answer);
}

static void handle_sites(struct node *node, uint64_t client, const struct api_request *request)
{
    struct api_answer *answer = api_answer_begin(request->id);

    api_answer_open_array(answer, "sites");
    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        const char *reason;
        api_answer_open_object(answer, NULL);
        api_answer_text(answer, "site", site->name);
        put_zone(answer, site);
        api_answer_text(answer, "state", site_state(site, 0, &reason));
        api_answer_text(answer, "life", site_life_name(site_life(site)));
        api_answer_number(answer, "seq", site->seq);
        api_answer_text(answer, "version",
                        site->current != NULL ? site->current->release->version : NULL);
        api_answer_close(answer);
    }
    api_answer_close(answer);
    finish(node, client, answer);
}

/* --- assets */

static void answer_origin(struct node *node, uint64_t client, uint64_t id, const char *reason)
{
    struct api_answer *answer = api_answer_begin(id);
    api_answer_text(answer, "via", "origin");
    api_answer_text(answer, "reason", reason);
    finish(node, client, answer);
}

static void answer_gateway(struct site *site, uint64_t client, const struct api_request *request,
                           const struct asset *asset)
{
    const struct metainfo_file *file = &asset->swarm->meta->files[asset->file];
    const struct release *release = asset->release->release;
    char etag[HEX_LENGTH(HASH_LENGTH)];

    struct api_answer *answer = api_answer_begin(request->id);
    char *url = mem_printf("%s/%s/%llu%s", site->node->config.gateway, site->token,
                           (unsigned long long)release->seq, request->path);
    hex_encode(etag, file->root, HASH_LENGTH);
    api_answer_text(answer, "via", "gateway");
    api_answer_text(answer, "url", url);
    api_answer_number(answer, "length", file->length);
    api_answer_text(answer, "content_type", asset_content_type(asset));
    api_answer_text(answer, "etag", etag);
    api_answer_open_object(answer, "headers");
    for (size_t i = 0; i < release->header_count; i++)
        api_answer_text(answer, release->headers[i].name, release->headers[i].value);
    api_answer_close(answer);
    mem_free(url);
    struct effect *effect = finish(site->node, client, answer);
    if (!asker_may_inline(request, asset) || !swarm_has_file(asset->swarm, asset->file))
        return;
    effect->answer.has_body = true;
    effect->answer.file = update_file(file);
    effect->answer.piece_length = asset->swarm->meta->piece_length;
}

/* The swarm begins before the gateway is asked: that saves the page a round trip. */
static void begin_want(struct site *site, const struct asset *asset,
                       const struct api_request *request)
{
    asset_count(site, request->doc, asset->swarm, asset->file);
    if (!swarm_has_file(asset->swarm, asset->file))
        want_get(asset->swarm, asset->file);
}

/* What cannot be kept need not come twice, to us and then to the page. One try now and then finds
 * out whether the disk is well again. */
static bool cannot_store(const struct node *node, const struct asset *asset)
{
    return node->store_error != ERR_OK && node->now_ms < node->store_retry_ms &&
           !swarm_has_file(asset->swarm, asset->file);
}

bool site_answer_want(struct site *site, uint64_t client, const struct api_request *request)
{
    if (site_zone(site) == ZONE_OFF) {
        answer_origin(site->node, client, request->id, "zone-off");
        return true;
    }
    uint64_t seq = doc_release(site->node, request->doc, site, request->seq);
    struct asset asset = asset_resolve(site, seq, request->path);
    if (asset.reason != NULL) {
        answer_origin(site->node, client, request->id, asset.reason);
        return true;
    }
    if (asset.swarm == NULL)
        return false;
    if (cannot_store(site->node, &asset)) {
        answer_origin(site->node, client, request->id, "cannot-store");
        return true;
    }
    if (swarm_has_no_room(asset.swarm, asset.file) && !swarm_has_file(asset.swarm, asset.file)) {
        answer_origin(site->node, client, request->id, "no-room");
        return true;
    }
    doc_pin(site->node, request->doc, site, asset.release->release->seq);
    begin_want(site, &asset, request);
    if (!asker_waits(&asset, client, request))
        answer_gateway(site, client, request, &asset);
    return true;
}

static void handle_asset_want(struct node *node, uint64_t client, const struct api_request *request)
{
    struct site *site = site_get(node, request->site, true);

    site_learn_used(site);
    if (site_zone(site) != ZONE_OFF)
        site_need(site, request->seq);
    if (!site_answer_want(site, client, request))
        site_wait(site, client, request);
}

static void handle_doc_close(struct node *node, uint64_t client, const struct api_request *request)
{
    doc_close(node, request->doc);
    finish(node, client, api_answer_begin(request->id));
}

void node_handle_request(struct node *node, uint64_t client, const struct api_request *request)
{
    static void (*const handlers[API_TYPE_COUNT_])(struct node *, uint64_t,
                                                   const struct api_request *) = {
        [API_HELLO] = handle_hello,
        [API_SITE_OPEN] = handle_site_open,
        [API_ASSET_WANT] = handle_asset_want,
        [API_DOC_CLOSE] = handle_doc_close,
        [API_SITE_STATUS] = handle_site_status,
        [API_SITE_ZONE] = handle_site_zone,
        [API_SITES] = handle_sites,
        [API_STATUS] = handle_status,
        [API_STOP] = handle_stop,
        [API_SETTINGS] = handle_settings,
        [API_PAUSE] = handle_pause,
        [API_RESUME] = handle_resume,
    };
    if (request->site[0] != '\0' && site_get(node, request->site, true) == NULL) {
        refuse(node, client, request->id, "too-many", "too many sites at once: try again later");
        return;
    }
    if (handlers[request->type] == NULL) { /* the adapter's own */
        refuse(node, client, request->id, "failed", "not of this host");
        return;
    }
    handlers[request->type](node, client, request);
}

/* --- waiting */

static bool try_waiting(struct site *site, struct waiting *waiting)
{
    if (waiting->request.type == API_SITE_OPEN)
        return try_site_open(site, waiting->client, &waiting->request);
    return site_answer_want(site, waiting->client, &waiting->request);
}

/* The page must not wait for ever. */
static void give_up(struct site *site, uint64_t client, const struct api_request *request)
{
    if (request->type != API_SITE_OPEN) {
        answer_origin(site->node, client, request->id, "failed");
        return;
    }
    struct api_answer *answer = api_answer_begin(request->id);
    put_zone(answer, site);
    api_answer_text(answer, "state", "failed");
    api_answer_text(answer, "reason", "failed");
    finish(site->node, client, answer);
}

void site_wait(struct site *site, uint64_t client, const struct api_request *request)
{
    if (site->waiting_count >= LIMIT_WANTS_WAITING) {
        give_up(site, client, request);
        return;
    }
    struct waiting *waiting = mem_zalloc(sizeof *waiting);
    waiting->client = client;
    waiting->request = *request;
    waiting->deadline_ms = site->node->now_ms + WAIT_MS;
    list_push_back(&site->waiting, &waiting->in_site);
    site->waiting_count++;
    node_wake(site->node, waiting->deadline_ms);
}

void site_answer_waiting(struct site *site)
{
    list_for_each(link, next, &site->waiting)
    {
        struct waiting *waiting = list_entry(link, struct waiting, in_site);
        bool late = site->node->now_ms >= waiting->deadline_ms;
        bool answered = try_waiting(site, waiting);
        if (!answered && !late)
            continue;
        if (!answered)
            give_up(site, waiting->client, &waiting->request);
        site->waiting_count--;
        list_remove(&waiting->in_site);
        mem_free(waiting);
    }
}
