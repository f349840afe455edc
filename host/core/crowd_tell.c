/* What we tell a crowd: our own claims, those of others passed on, and whether we want anything
 * (PROTOCOL.md 4.7). */
#include "core/crowd.h"
#include "core/peer.h"
#include "wire/fringe_claim.h"

#include <string.h>

#define CLAIM_MIN_MS 1000
#define CLAIM_MESH_MIN_MS                                                                          \
    20000                      /* it goes a long way before it comes to who hears no HAVE of ours */
#define CLAIM_BIG_MIN_MS 45000 /* and what was claimed goes a longer one */
#define RENEW_MS         300   /* before its end a claim is renewed, while bytes come in */

/* --- our own claims */

static uint32_t ttl_ms(const struct swarm *swarm)
{
    uint64_t ttl = 3 * swarm->extent_ms;
    uint64_t least = swarm->speakers >= CROWD_MESH ? CLAIM_MESH_MIN_MS : CLAIM_MIN_MS;

    if (crowd_is_big(swarm))
        least = CLAIM_BIG_MIN_MS;
    if (ttl < least)
        return (uint32_t)least;
    return ttl < LIMIT_CLAIM_MS ? (uint32_t)ttl : LIMIT_CLAIM_MS;
}

static void send(struct peer *peer, const struct fringe_claim *claim)
{
    struct buf payload;

    buf_init(&payload, KIB(1));
    fringe_claim_encode(claim, &payload);
    peer_send_extension(peer, EXTENSION_FRINGE_CLAIM, &payload);
    buf_done(&payload);
}

static void begin_claim(struct swarm *swarm, struct fringe_claim *ret)
{
    *ret = (struct fringe_claim){.serial = swarm->claim_serial};
    memcpy(ret->claimer, swarm->peer_id, PEER_ID_LENGTH);
    ret->pass_on = crowd_size(swarm) > swarm->speakers + 1 || swarm->speakers >= CROWD_MESH;
}

static void add_extent(struct fringe_claim *claim, const struct origin_fetch *fetch, uint32_t ttl)
{
    claim->extents[claim->count++] =
        (struct fringe_extent){.first = fetch->piece,
                               .pieces = (uint16_t)(fetch->end - fetch->piece),
                               .ttl_ms = (uint16_t)ttl};
}

static void tell_all(struct swarm *swarm, const struct origin_fetch *fetch, uint32_t ttl)
{
    struct fringe_claim claim;

    if (fetch->piece >= fetch->end || !site_may_share(swarm->site) ||
        !node_has(swarm->node, PART_CLAIMS))
        return;
    swarm->claim_serial++;
    begin_claim(swarm, &claim);
    add_extent(&claim, fetch, ttl);
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (peer->speaks[EXTENSION_FRINGE_CLAIM] != 0)
            send(peer, &claim);
    }
}

/* A super-node has everything, as far as visitors know, and shares no fetch with anybody. */
static bool claims(const struct swarm *swarm)
{
    return site_may_share(swarm->site) && !swarm->node->config.supernode;
}

static void claim(struct origin_fetch *fetch)
{
    struct swarm *swarm = fetch->want->swarm;

    uint32_t pieces = fetch->end - fetch->piece;

    /* A lone visitor's long run: neighbours who come now find their own. */
    if (pieces > LIMIT_CLAIM_PIECES ||
        (swarm->speakers == 0 && pieces > crowd_extent_pieces(swarm)))
        return;
    fetch->claimed = true;
    fetch->claimed_until_ms = swarm->node->now_ms + ttl_ms(swarm);
    tell_all(swarm, fetch, ttl_ms(swarm));
    node_wake(swarm->node, fetch->claimed_until_ms - RENEW_MS);
}

void crowd_started(struct origin_fetch *fetch)
{
    struct swarm *swarm = fetch->want->swarm;

    swarm->origin_fetches++;
    fetch->started_ms = swarm->node->now_ms;
    if (claims(swarm))
        claim(fetch);
}

/* What is not there yet is given back at once. */
void crowd_ended(struct origin_fetch *fetch)
{
    struct swarm *swarm = fetch->want->swarm;
    uint64_t took = swarm->node->now_ms - fetch->started_ms;

    if (--swarm->origin_fetches == 0)
        swarm->free_ms = swarm->node->now_ms;
    swarm->crowd_ms = 0;
    if (fetch->piece < fetch->end && fetch->claimed)
        tell_all(swarm, fetch, 0);
    else if (fetch->piece == fetch->end)
        swarm->extent_ms = swarm->extent_ms > 0 ? (3 * swarm->extent_ms + took) / 4 : took;
}

/* --- those of others */

/* At once, so nothing is taken off the time. To all but whom it came from; the claimer is no
 * neighbour of ours unless it came from there. */
void crowd_pass_on(struct peer *from, const struct fringe_claim *said)
{
    struct fringe_claim claim = *said;

    if (!fringe_claim_pass_on(&claim, 0))
        return;
    list_for_each(link, next, &from->swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (peer != from && peer->speaks[EXTENSION_FRINGE_CLAIM] != 0)
            send(peer, &claim);
    }
}

/* --- who wants */

uint32_t crowd_extent_pieces(const struct swarm *swarm)
{
    uint32_t extent = crowd_is_big(swarm) ? CROWD_EXTENT_BIG : CROWD_EXTENT;
    uint32_t pieces = extent / swarm->meta->piece_length;
    return pieces > 0 ? pieces : 1;
}

/* A lone visitor fetches in one long run; with company it ends at the next extent. */
static void shorten(struct swarm *swarm, struct origin_fetch *fetch)
{
    uint32_t step = crowd_extent_pieces(swarm);

    if (fetch->claimed || fetch->end - fetch->piece <= step)
        return;
    fetch->end = fetch->piece + step;
    claim(fetch);
}

void crowd_peer_joined(struct peer *peer)
{
    struct swarm *swarm = peer->swarm;
    struct fringe_claim claim;

    swarm->speakers++;
    peer->in_crowd = true;
    if (swarm_is_idle(swarm))
        peer_send_extended(peer);
    if (!claims(swarm) || swarm->origin_fetches == 0)
        return;
    begin_claim(swarm, &claim);
    list_for_each(link, next, &swarm->wants)
    {
        struct origin_fetch *fetch = list_entry(link, struct want, in_swarm)->fetch;
        if (fetch == NULL || fetch->piece >= fetch->end)
            continue;
        shorten(swarm, fetch);
        if (fetch->claimed && claim.count < LIMIT_CLAIM_EXTENTS)
            add_extent(&claim, fetch, ttl_ms(swarm));
    }
    /* No new serial: who has heard of it from others already need not pass it on again. */
    claim.serial = swarm->claim_serial;
    if (claim.count > 0)
        send(peer, &claim);
}

void crowd_tell_all(struct swarm *swarm)
{
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (peer->speaks[EXTENSION_FRINGE_CLAIM] != 0)
            peer_send_extended(peer);
    }
}

void crowd_wants_changed(struct swarm *swarm)
{
    swarm->crowd_ms = 0;
    if (list_empty(&swarm->wants)) {
        swarm->idle_ms = swarm->node->now_ms;
        node_wake(swarm->node, swarm->idle_ms + SWARM_IDLE_MS);
    } else if (swarm->told_idle) {
        swarm->told_idle = false;
        if (site_may_share(swarm->site))
            crowd_tell_all(swarm);
    }
}

static uint64_t tell_idle(struct swarm *swarm)
{
    if (swarm->told_idle || !list_empty(&swarm->wants))
        return UINT64_MAX;
    if (!swarm_is_idle(swarm))
        return swarm->idle_ms + SWARM_IDLE_MS;
    swarm->told_idle = true;
    if (site_may_share(swarm->site))
        crowd_tell_all(swarm);
    list_for_each(link, next, &swarm->peers)
        peer_update_interest(list_entry(link, struct peer, in_swarm));
    return UINT64_MAX;
}

uint64_t crowd_tick(struct swarm *swarm)
{
    uint64_t now = swarm->node->now_ms, wake = tell_idle(swarm);

    if (swarm->origin_fetches == 0)
        return wake;
    list_for_each(link, next, &swarm->wants)
    {
        struct origin_fetch *fetch = list_entry(link, struct want, in_swarm)->fetch;
        if (fetch == NULL || !fetch->claimed || fetch->piece >= fetch->end)
            continue;
        uint64_t due = fetch->claimed_until_ms - RENEW_MS;
        if (now >= due && fetch->body_ms + ttl_ms(swarm) >= now) {
            claim(fetch);
            due = fetch->claimed_until_ms - RENEW_MS;
        }
        if (due > now && due < wake)
            wake = due;
    }
    return wake;
}
