/* Peers that a tracker knows (BEP 3). */
#include "core/find.h"

#include <string.h>

#define ANNOUNCE_MIN_MS  60000
#define ANNOUNCE_TIME_MS 15000
#define NUM_WANT         50

static const struct release *current_release(const struct swarm *swarm)
{
    return swarm->site->current != NULL ? swarm->site->current->release : NULL;
}

static bool is_http(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

/* The next HTTP tracker at or after swarm->tracker, or NULL. */
static const char *next_tracker(struct swarm *swarm)
{
    const struct release *release = current_release(swarm);

    if (release == NULL || release->tracker_count == 0)
        return NULL;
    for (size_t i = 0; i < release->tracker_count; i++) {
        size_t number = (swarm->tracker + i) % release->tracker_count;
        if (!is_http(release->trackers[number]))
            continue;
        swarm->tracker = number;
        return release->trackers[number];
    }
    return NULL;
}

static uint64_t bytes_left(const struct swarm *swarm)
{
    uint64_t left = 0;

    for (uint32_t i = bitfield_next_zero(&swarm->have, 0, swarm->have.bits); i != BITFIELD_NONE;
         i = bitfield_next_zero(&swarm->have, i + 1, swarm->have.bits))
        left += metainfo_piece_bytes(swarm->meta, i);
    return left;
}

/* A release must not make the host knock at doors in the visitor's own network. Who listens on a
 * private address, or visits a site on this machine, is on such a network on purpose. */
static bool tracker_must_be_public(const struct swarm *swarm)
{
    const struct address *listen = &swarm->node->config.listen;
    static const uint8_t any[16];
    bool everywhere = memcmp(listen->ip, any, sizeof any) == 0;

    return strncmp(swarm->site->name, "http://", 7) != 0 &&
           (everywhere || address_is_public(listen));
}

static bool put_announce(struct swarm *swarm, const char *tracker, enum tracker_event event,
                         struct buf *out)
{
    struct tracker_announce announce = {.port = node_public_port(swarm->node),
                                        .uploaded = swarm->site->uploaded,
                                        .downloaded = swarm->site->bytes[SOURCE_PEERS],
                                        .left = bytes_left(swarm),
                                        .event = event,
                                        .num_want = NUM_WANT};

    if (!site_may_share(swarm->site)) /* who gives nothing is no seed */
        announce.left = swarm->meta->length;
    memcpy(announce.infohash, swarm->infohash, SHORT_HASH_LENGTH);
    memcpy(announce.peer_id, swarm->peer_id, PEER_ID_LENGTH);
    memcpy(&announce.key, swarm->peer_id + 8, sizeof announce.key);
    return tracker_announce_url(tracker, &announce, out) == ERR_OK;
}

static void announce_done(void *owner, struct download *download, enum err result, int status,
                          uint32_t retry_after_s)
{
    struct swarm *swarm = owner;
    struct tracker_reply reply;
    uint64_t wait_ms = ANNOUNCE_MIN_MS;

    (void)status;
    (void)retry_after_s;
    if (result == ERR_OK)
        result = tracker_reply_parse(download->body.data, download->body.length, &reply);
    if (result == ERR_OK && reply.failure[0] == '\0') {
        for (size_t i = 0; i < reply.count; i++)
            swarm_add_candidate(swarm, &reply.peers[i], false);
        swarm->swarm_size = reply.seeders + reply.leechers;
        swarm->announced = true;
        wait_ms = reply.interval_s * UINT64_C(1000);
    } else {
        swarm->tracker++; /* the next one's turn */
    }
    if (result == ERR_OK)
        tracker_reply_done(&reply);
    swarm->announce_ms = swarm->node->now_ms + wait_ms;
    node_wake(swarm->node, swarm->announce_ms);
    find_dial(swarm);
    list_for_each(link, next, &swarm->wants)
        origin_consider(list_entry(link, struct want, in_swarm));
}

static void announce(struct swarm *swarm)
{
    const char *tracker = next_tracker(swarm);
    struct buf url;

    if (tracker == NULL || swarm->announce.op != 0 || swarm->node->now_ms < swarm->announce_ms)
        return;
    if (!find_is_active(swarm) && !site_may_share(swarm->site))
        return;
    buf_init(&url, LIMIT_URL + 1024);
    enum tracker_event event = swarm->announced ? TRACKER_NONE : TRACKER_STARTED;
    bool fits = put_announce(swarm, tracker, event, &url);
    buf_put_u8(&url, 0);
    swarm->announce_ms = swarm->node->now_ms + ANNOUNCE_MIN_MS;
    if (fits && !url.failed) {
        if (swarm->settling == 0)
            swarm->settle_ms = swarm->node->now_ms;
        swarm->announce.owner = swarm;
        swarm->announce.done = announce_done;
        swarm->announce.public_only = tracker_must_be_public(swarm);
        download_start(swarm->node, &swarm->announce, (const char *)url.data, LIMIT_TRACKER_REPLY,
                       ANNOUNCE_TIME_MS);
    }
    buf_done(&url);
}

/* Nobody waits for the answer to a farewell. */
void swarm_announce_stopped(struct swarm *swarm)
{
    const char *tracker = next_tracker(swarm);

    if (!swarm->announced || tracker == NULL || swarm->meta == NULL)
        return;
    swarm->announced = false;
    swarm->announce_ms = 0;
    struct effect *effect = update_add(swarm->node->update, EFFECT_HTTP_GET, LIMIT_URL + 1024);
    effect->http.op = node_number(swarm->node);
    effect->http.max = LIMIT_TRACKER_REPLY;
    effect->http.timeout_ms = ANNOUNCE_TIME_MS;
    effect->http.public_only = tracker_must_be_public(swarm);
    put_announce(swarm, tracker, TRACKER_STOPPED, &effect->text);
    buf_put_u8(&effect->text, 0);
}

void swarm_announce_again(struct swarm *swarm)
{
    if (!find_is_active(swarm) && !site_may_share(swarm->site))
        swarm_announce_stopped(swarm); /* there will be no other */
    else
        swarm->announce_ms = swarm->node->now_ms;
}

uint64_t find_ask_trackers(struct swarm *swarm)
{
    announce(swarm);
    bool announces = next_tracker(swarm) != NULL && swarm->announce.op == 0 &&
                     (find_is_active(swarm) || site_may_share(swarm->site));
    return announces ? swarm->announce_ms : UINT64_MAX;
}
