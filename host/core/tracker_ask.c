/* One announce to one tracker, over HTTP (BEP 3) or UDP (BEP 15). */
#include "core/trackers.h"

#include "core/find.h"

#include "base/mem.h"

#include <string.h>

#define HTTP_TIME_MS 15000
#define NUM_WANT     50

/* --- what we say */

static uint64_t bytes_left(const struct swarm *swarm)
{
    uint64_t left = 0;

    if (swarm->meta == NULL)
        return BLOCK_LENGTH; /* nobody knows, but not nothing */
    if (!site_may_share(swarm->site))
        return swarm->meta->length; /* who gives nothing is no seed */
    for (uint32_t i = bitfield_next_zero(&swarm->have, 0, swarm->have.bits); i != BITFIELD_NONE;
         i = bitfield_next_zero(&swarm->have, i + 1, swarm->have.bits))
        left += metainfo_piece_bytes(swarm->meta, i);
    return left;
}

/* The router's mapping is for IPv4. */
uint16_t tracker_port(const struct tracker *tracker)
{
    const struct node *node = tracker->swarm->node;

    return tracker->family == 6 ? node->config.listen.port : node_public_port(node);
}

static struct tracker_announce make_announce(const struct tracker *tracker,
                                             enum tracker_event event)
{
    const struct swarm *swarm = tracker->swarm;
    struct tracker_announce announce = {.port = tracker_port(tracker),
                                        .uploaded = swarm->site->uploaded,
                                        .downloaded = swarm->site->bytes[SOURCE_PEERS] +
                                                      swarm->site->bytes[SOURCE_SUPERNODE],
                                        .left = bytes_left(swarm),
                                        .event = event,
                                        .num_want = event == TRACKER_STOPPED ? 0 : NUM_WANT};

    memcpy(announce.infohash, swarm->infohash, SHORT_HASH_LENGTH);
    memcpy(announce.peer_id, swarm->peer_id, PEER_ID_LENGTH);
    memcpy(&announce.key, swarm->peer_id + 8, sizeof announce.key);
    return announce;
}

static bool is_at_home_everywhere(const struct address *listen)
{
    static const uint8_t any[16];
    return memcmp(listen->ip, any, sizeof any) == 0 || address_is_public(listen);
}

/* A release must not make the host knock at doors in the visitor's own network. Who listens on a
 * private address, or visits a site on this machine, is on such a network on purpose. */
bool find_must_be_public(const struct swarm *swarm)
{
    const struct node_config *config = &swarm->node->config;

    if (strncmp(swarm->site->name, "http://", 7) == 0 || !is_at_home_everywhere(&config->listen))
        return false;
    for (size_t i = 0; i < config->listen_too_count; i++)
        if (!is_at_home_everywhere(&config->listen_too[i]))
            return false;
    return true;
}

/* --- HTTP */

static void http_done(void *owner, struct download *download, enum err result, int status,
                      uint32_t retry_after_s)
{
    struct tracker *tracker = owner;
    struct tracker_reply reply = {0};

    (void)status;
    if (result == ERR_OK)
        result = tracker_reply_parse(download->body.data, download->body.length, &reply);
    tracker_answered(tracker, result, result == ERR_OK ? &reply : NULL, retry_after_s);
    tracker_reply_done(&reply);
}

/* False: the URL is none that we can use. */
static bool make_url(const struct tracker *tracker, enum tracker_event event, struct buf *ret)
{
    struct tracker_announce announce = make_announce(tracker, event);

    buf_init(ret, LIMIT_URL + 1024);
    bool fits = tracker_announce_url(tracker->url, &announce, ret) == ERR_OK;
    buf_put_u8(ret, 0);
    return fits && !ret->failed;
}

static void ask_http(struct tracker *tracker, enum tracker_event event)
{
    struct buf url;

    if (make_url(tracker, event, &url)) {
        tracker->http.owner = tracker;
        tracker->http.done = http_done;
        tracker->http.public_only = find_must_be_public(tracker->swarm);
        tracker->http.family = tracker->family;
        download_start(tracker->swarm->node, &tracker->http, (const char *)url.data,
                       LIMIT_TRACKER_REPLY, HTTP_TIME_MS);
    }
    buf_done(&url);
}

static void farewell_http(struct tracker *tracker)
{
    struct node *node = tracker->swarm->node;
    struct effect *effect = update_add(node->update, EFFECT_HTTP_GET, 0);

    effect->http.op = node_number(node);
    effect->http.max = LIMIT_TRACKER_REPLY;
    effect->http.timeout_ms = HTTP_TIME_MS;
    effect->http.public_only = find_must_be_public(tracker->swarm);
    effect->http.family = tracker->family;
    make_url(tracker, TRACKER_STOPPED, &effect->text); /* it was good enough to announce to */
}

/* --- UDP */

static void udp_done(void *owner, enum err result, const struct tracker_reply *reply)
{
    tracker_answered(owner, result, reply, 0);
}

/* --- both */

void tracker_ask(struct tracker *tracker, enum tracker_event event)
{
    tracker->event = event;
    tracker->told_completed = bytes_left(tracker->swarm) == 0;
    tracker->port = tracker_port(tracker);
    tracker->asked_ms = tracker->swarm->node->now_ms;
    if (tracker->is_udp) {
        tracker->udp.announce = make_announce(tracker, event);
        tracker->udp.public_only = find_must_be_public(tracker->swarm);
        udp_announce_start(&tracker->udp);
    } else {
        ask_http(tracker, event);
    }
    if (!tracker_is_asked(tracker))
        tracker_answered(tracker, ERR_BAD_URL, NULL, 0);
}

bool tracker_is_asked(const struct tracker *tracker)
{
    return tracker->http.op != 0 || tracker->udp.op != 0;
}

void tracker_farewell(struct tracker *tracker)
{
    if (!tracker->announced)
        return;
    tracker->announced = false;
    if (!tracker->is_udp) {
        farewell_http(tracker);
        return;
    }
    tracker->udp.announce = make_announce(tracker, TRACKER_STOPPED);
    udp_announce_farewell(&tracker->udp);
}

void tracker_init(struct tracker *tracker, struct swarm *swarm, const char *url, uint8_t family)
{
    *tracker = (struct tracker){.swarm = swarm, .url = mem_strdup(url), .family = family};
    list_init(&tracker->udp.in_node);
    tracker->is_udp = udp_tracker_url(url, tracker->udp.host, &tracker->udp.port) == ERR_OK;
    tracker->udp.node = swarm->node;
    tracker->udp.family = family;
    tracker->udp.done = udp_done;
    tracker->udp.owner = tracker;
}

void tracker_done(struct tracker *tracker)
{
    download_cancel(tracker->swarm->node, &tracker->http);
    download_done(&tracker->http);
    udp_announce_cancel(&tracker->udp);
    mem_free(tracker->url);
}
