/* Requests about the whole host: what it does, the limits, pause. */
#include "core/node_api_impl.h"
#include "core/peer.h"

#include <stdio.h>

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
    node_api_put_bytes(answer, bytes);
    api_answer_number(answer, "uploaded", uploaded);
    api_answer_number(answer, "wasted", wasted);
    api_answer_close(answer);
}

static void put_ever(const struct node *node, struct api_answer *answer)
{
    struct byte_totals ever = node_ever(node);

    api_answer_open_object(answer, "ever");
    node_api_put_bytes(answer, ever.bytes);
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

void node_api_status(struct node *node, uint64_t client, const struct api_request *request)
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
    node_api_finish(node, client, answer);
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

void node_api_settings(struct node *node, uint64_t client, const struct api_request *request)
{
    enum zone before = node_default_zone(node);

    fair_use_set(node, request);
    default_zone_set(node, before);
    struct api_answer *answer = api_answer_begin(request->id);
    put_settings(node, answer);
    node_api_finish(node, client, answer);
}

static void answer_sharing(struct node *node, uint64_t client, uint64_t id)
{
    struct api_answer *answer = api_answer_begin(id);
    put_sharing(node, answer);
    node_api_finish(node, client, answer);
}

void node_api_pause(struct node *node, uint64_t client, const struct api_request *request)
{
    fair_use_pause(node, request->minutes);
    answer_sharing(node, client, request->id);
}

void node_api_resume(struct node *node, uint64_t client, const struct api_request *request)
{
    fair_use_resume(node);
    answer_sharing(node, client, request->id);
}
