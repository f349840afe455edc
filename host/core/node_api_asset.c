/* Where a file comes from: the gateway, or the site. */
#include "base/mem.h"
#include "core/asker.h"
#include "core/node_api_impl.h"

#include <string.h>

void node_api_answer_origin(struct node *node, uint64_t client, uint64_t id, const char *reason)
{
    struct api_answer *answer = api_answer_begin(id);
    api_answer_text(answer, "via", "origin");
    api_answer_text(answer, "reason", reason);
    node_api_finish(node, client, answer);
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
    struct effect *effect = node_api_finish(site->node, client, answer);
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
        node_api_answer_origin(site->node, client, request->id, "zone-off");
        return true;
    }
    uint64_t seq = doc_release(site->node, request->doc, site, request->seq);
    struct asset asset = asset_resolve(site, seq, request->path);
    if (asset.reason != NULL) {
        node_api_answer_origin(site->node, client, request->id, asset.reason);
        return true;
    }
    if (asset.swarm == NULL)
        return false;
    if (cannot_store(site->node, &asset)) {
        node_api_answer_origin(site->node, client, request->id, "cannot-store");
        return true;
    }
    if (swarm_has_no_room(asset.swarm, asset.file) && !swarm_has_file(asset.swarm, asset.file)) {
        node_api_answer_origin(site->node, client, request->id, "no-room");
        return true;
    }
    doc_pin(site->node, request->doc, site, asset.release->release->seq);
    begin_want(site, &asset, request);
    if (!asker_waits(&asset, client, request))
        answer_gateway(site, client, request, &asset);
    return true;
}

void node_api_asset_want(struct node *node, uint64_t client, const struct api_request *request)
{
    struct site *site = site_get(node, request->site, true);

    site_learn_used(site);
    if (site_zone(site) != ZONE_OFF)
        site_need(site, request->seq);
    if (!site_answer_want(site, client, request))
        site_wait(site, client, request);
}
