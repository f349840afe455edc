/* The native API (host/PROTOCOL.md 2): one handler a request type. A request that cannot be
 * answered yet waits in its site, and comes back here when something has changed. */
#include "core/node_api_impl.h"

#include "base/mem.h"

#define WAIT_MS 5000 /* then the page is sent to the origin */

struct effect *node_api_finish(struct node *node, uint64_t client, struct api_answer *answer)
{
    struct buf json;

    buf_init(&json, LIMIT_FRAME_OUT);
    api_answer_end(answer, &json);
    return node_answer(node, client, &json);
}

void node_api_refuse(struct node *node, uint64_t client, uint64_t id, const char *code,
                     const char *text)
{
    struct buf json;

    buf_init(&json, LIMIT_FRAME_OUT);
    api_answer_error(id, code, text, &json);
    node_answer(node, client, &json);
}

void node_api_put_bytes(struct api_answer *answer, const uint64_t bytes[SOURCE_COUNT_])
{
    for (int i = 0; i < SOURCE_COUNT_; i++)
        api_answer_number(answer, source_name((enum source)i), bytes[i]);
}

/* --- hello, stop, and the dispatch */

static void handle_hello(struct node *node, uint64_t client, const struct api_request *request)
{
    if (request->api != 1) {
        node_api_refuse(
            node, client, request->id, "failed",
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
    node_api_finish(node, client, answer);
}

static void handle_stop(struct node *node, uint64_t client, const struct api_request *request)
{
    node_api_finish(node, client, api_answer_begin(request->id));
    update_add(node->update, EFFECT_STOP, 0);
}

static void handle_doc_close(struct node *node, uint64_t client, const struct api_request *request)
{
    doc_close(node, request->doc);
    node_api_finish(node, client, api_answer_begin(request->id));
}

void node_handle_request(struct node *node, uint64_t client, const struct api_request *request)
{
    static void (*const handlers[API_TYPE_COUNT_])(struct node *, uint64_t,
                                                   const struct api_request *) = {
        [API_HELLO] = handle_hello,
        [API_SITE_OPEN] = node_api_site_open,
        [API_ASSET_WANT] = node_api_asset_want,
        [API_DOC_CLOSE] = handle_doc_close,
        [API_SITE_STATUS] = node_api_site_status,
        [API_SITE_ZONE] = node_api_site_zone,
        [API_SITES] = node_api_sites,
        [API_STATUS] = node_api_status,
        [API_STOP] = handle_stop,
        [API_SETTINGS] = node_api_settings,
        [API_PAUSE] = node_api_pause,
        [API_RESUME] = node_api_resume,
    };
    if (request->site[0] != '\0' && site_get(node, request->site, true) == NULL) {
        node_api_refuse(node, client, request->id, "too-many",
                        "too many sites at once: try again later");
        return;
    }
    if (handlers[request->type] == NULL) { /* the adapter's own */
        node_api_refuse(node, client, request->id, "failed", "not of this host");
        return;
    }
    handlers[request->type](node, client, request);
}

/* --- waiting */

static bool try_waiting(struct site *site, struct waiting *waiting)
{
    if (waiting->request.type == API_SITE_OPEN)
        return node_api_try_open(site, waiting->client, &waiting->request);
    return site_answer_want(site, waiting->client, &waiting->request);
}

/* The page must not wait for ever. */
static void give_up(struct site *site, uint64_t client, const struct api_request *request)
{
    if (request->type != API_SITE_OPEN) {
        node_api_answer_origin(site->node, client, request->id, "failed");
        return;
    }
    struct api_answer *answer = api_answer_begin(request->id);
    node_api_put_zone(answer, site);
    api_answer_text(answer, "state", "failed");
    api_answer_text(answer, "reason", "failed");
    node_api_finish(site->node, client, answer);
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
