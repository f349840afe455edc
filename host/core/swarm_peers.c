/* Finding peers: those named on the command line, and those a tracker knows (BEP 3). */
#include "base/mem.h"
#include "core/peer.h"

#include <string.h>

#define ACTIVE_MS        300000 /* after its last use a swarm still looks for peers so long */
#define REDIAL_MS        5000   /* doubled with every failure */
#define REDIAL_MAX_MS    600000
#define FAILURES_MAX     6 /* a stranger that never answers is forgotten */
#define ANNOUNCE_MIN_MS  60000
#define ANNOUNCE_TIME_MS 15000
#define NUM_WANT         50

static bool is_active(const struct swarm *swarm)
{
    return site_may_use_peers(swarm->site) && swarm->state == SWARM_READY &&
           swarm->node->now_ms < swarm->used_ms + ACTIVE_MS;
}

/* --- addresses */

/* Is that stranger's address on a network that we share? Loopback and private addresses are
 * dialled only from a host that listens on such an address itself. */
static bool shares_network(const struct address *listen, const struct address *address)
{
    if (listen->family != address->family)
        return false;
    if (address_is_loopback(address) || address_is_loopback(listen))
        return address_is_loopback(address) && address_is_loopback(listen);
    size_t prefix = address->family == 4 ? 3 : 8;
    return memcmp(listen->ip, address->ip, prefix) == 0;
}

static bool may_dial(const struct swarm *swarm, const struct address *address)
{
    const struct address *listen = &swarm->node->config.listen;

    if (address->port == 0)
        return false;
    if (address_equal(address, listen) || address_equal(address, &swarm->node->external))
        return false; /* ourselves */
    return address_is_public(address) || shares_network(listen, address);
}

static struct candidate *find_candidate(struct swarm *swarm, const struct address *address)
{
    struct candidate *candidate;

    HASH_FIND(hh, swarm->candidates, address, sizeof *address, candidate);
    return candidate;
}

/* Struct padding must not decide whether two addresses are the same key. */
static struct address plain_address(const struct address *address)
{
    struct address plain;

    memset(&plain, 0, sizeof plain);
    plain.family = address->family;
    memcpy(plain.ip, address->ip, sizeof plain.ip);
    plain.port = address->port;
    return plain;
}

void swarm_add_candidate(struct swarm *swarm, const struct address *address, bool explicit_peer)
{
    struct address plain = plain_address(address);

    if (find_candidate(swarm, &plain) != NULL)
        return;
    if (!explicit_peer &&
        (!may_dial(swarm, &plain) || HASH_COUNT(swarm->candidates) >= LIMIT_PEER_CANDIDATES))
        return;
    struct candidate *candidate = mem_zalloc(sizeof *candidate);
    memcpy(&candidate->address, &plain, sizeof plain);
    candidate->explicit_peer = explicit_peer;
    HASH_ADD(hh, swarm->candidates, address, sizeof candidate->address, candidate);
}

bool swarm_is_banned(struct swarm *swarm, const struct address *address)
{
    for (struct candidate *c = swarm->candidates; c != NULL; c = c->hh.next)
        if (c->banned && address_same_ip(&c->address, address) &&
            (address_equal(&c->address, address) || !address_is_loopback(address)))
            return true;
    return false;
}

static void ban(struct swarm *swarm, const struct address *address)
{
    struct address plain = plain_address(address);
    struct candidate *candidate = find_candidate(swarm, &plain);

    if (candidate == NULL) {
        candidate = mem_zalloc(sizeof *candidate);
        memcpy(&candidate->address, &plain, sizeof plain);
        HASH_ADD(hh, swarm->candidates, address, sizeof candidate->address, candidate);
    }
    candidate->banned = true;
}

void swarm_peer_ended(struct swarm *swarm, const struct address *address, bool incoming,
                      bool handshaken, bool banned)
{
    struct address plain = plain_address(address);

    if (banned)
        ban(swarm, address);
    struct candidate *candidate = find_candidate(swarm, &plain);
    if (incoming || candidate == NULL)
        return;
    candidate->connected = false;
    candidate->failures = handshaken ? 1 : candidate->failures + 1;
    if (!candidate->explicit_peer && !candidate->banned && candidate->failures > FAILURES_MAX) {
        HASH_DEL(swarm->candidates, candidate);
        mem_free(candidate);
        return;
    }
    uint64_t delay = (uint64_t)REDIAL_MS << (candidate->failures < 8 ? candidate->failures - 1 : 7);
    candidate->next_ms = swarm->node->now_ms + (delay < REDIAL_MAX_MS ? delay : REDIAL_MAX_MS);
    node_wake(swarm->node, candidate->next_ms);
}

/* --- dialling */

static uint32_t count_peers(const struct node *node)
{
    return HASH_COUNT(node->peers);
}

static bool may_dial_more(const struct swarm *swarm)
{
    return swarm->connections < LIMIT_PEERS_PER_SWARM && count_peers(swarm->node) < LIMIT_PEERS;
}

/* Dials whom it may; returns when the next one is due. */
static uint64_t dial(struct swarm *swarm)
{
    uint64_t now = swarm->node->now_ms, wake = UINT64_MAX;
    struct candidate *candidate, *next;

    /* Who has everything waits to be found. */
    if (!is_active(swarm) || swarm_complete(swarm))
        return wake;
    HASH_ITER(hh, swarm->candidates, candidate, next)
    {
        if (candidate->connected || candidate->banned)
            continue;
        if (now < candidate->next_ms) {
            wake = candidate->next_ms < wake ? candidate->next_ms : wake;
            continue;
        }
        if (!may_dial_more(swarm))
            break;
        candidate->connected = true;
        peer_dial(swarm, &candidate->address);
    }
    return wake;
}

/* --- trackers */

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
        swarm->announced = true;
        wait_ms = reply.interval_s * UINT64_C(1000);
    } else {
        swarm->tracker++; /* the next one's turn */
    }
    if (result == ERR_OK)
        tracker_reply_done(&reply);
    swarm->announce_ms = swarm->node->now_ms + wait_ms;
    node_wake(swarm->node, swarm->announce_ms);
    dial(swarm);
    list_for_each(link, next, &swarm->wants)
        origin_consider(list_entry(link, struct want, in_swarm));
}

static void announce(struct swarm *swarm)
{
    const char *tracker = next_tracker(swarm);
    struct buf url;

    if (tracker == NULL || swarm->announce.op != 0 || swarm->node->now_ms < swarm->announce_ms)
        return;
    if (!is_active(swarm) && !site_may_share(swarm->site))
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

/* --- all together */

void swarm_find_peers(struct swarm *swarm)
{
    const struct node_config *config = &swarm->node->config;

    if (swarm->state != SWARM_READY || !site_may_use_peers(swarm->site))
        return;
    for (size_t i = 0; i < config->peer_count; i++)
        swarm_add_candidate(swarm, &config->peers[i], true);
    announce(swarm);
    uint64_t wake = dial(swarm);
    node_wake(swarm->node, wake);
}

uint64_t swarm_peers_tick(struct swarm *swarm)
{
    if (!site_may_use_peers(swarm->site))
        return UINT64_MAX;
    announce(swarm);
    uint64_t wake = dial(swarm);
    bool announces = next_tracker(swarm) != NULL && swarm->announce.op == 0 &&
                     (is_active(swarm) || site_may_share(swarm->site));
    if (announces && swarm->announce_ms < wake)
        wake = swarm->announce_ms;
    return wake;
}
