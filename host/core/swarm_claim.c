/* Claims: what neighbours say that they are fetching from the origin, what we say, and how far
 * anybody is believed (PROTOCOL.md 4.7). Who fetches what is decided in swarm_crowd.c. */
#include "base/mem.h"
#include "core/crowd.h"
#include "core/peer.h"
#include "wire/fringe_claim.h"

#include <string.h>

#define CLAIM_MIN_MS 1000
#define RENEW_MS     300   /* before its end a claim is renewed, while bytes come in */
#define CLAIMS_MAX   64    /* live pieces that one neighbour may claim */
#define BELIEVE_MS   10000 /* a claim on one piece, however often it is renewed */
#define STARVE_MS    1500  /* without any piece: claims are not waited for any longer */
#define BROKEN_MAX   8     /* pieces claimed in vain, before we stop believing */

/* --- claims of others */

static struct claim *find_claim(const struct swarm *swarm, uint32_t piece)
{
    struct claim *claim;

    HASH_FIND(hh, swarm->claims, &piece, sizeof piece, claim);
    return claim;
}

static struct peer *find_peer(const struct swarm *swarm, uint64_t conn)
{
    struct peer *peer;

    HASH_FIND(hh, swarm->node->peers, &conn, sizeof conn, peer);
    return peer;
}

static void release_claim(struct swarm *swarm, struct claim *claim, bool broken)
{
    struct peer *peer = claim->conn != 0 ? find_peer(swarm, claim->conn) : NULL;

    claim->conn = 0;
    if (peer == NULL)
        return;
    peer->claims--;
    if (broken && ++peer->broken_claims == BROKEN_MAX)
        crowd_peer_left(peer); /* as far as claims go */
}

static void put_claim(struct peer *peer, uint32_t piece, uint32_t ttl_ms)
{
    struct swarm *swarm = peer->swarm;
    struct claim *claim = find_claim(swarm, piece);

    if (claim == NULL) {
        claim = mem_zalloc(sizeof *claim);
        claim->piece = piece;
        HASH_ADD(hh, swarm->claims, piece, sizeof claim->piece, claim);
    }
    if (claim->conn != peer->conn) {
        release_claim(swarm, claim, false);
        claim->conn = peer->conn;
        claim->since_ms = swarm->node->now_ms;
        peer->claims++;
    }
    claim->expires_ms = swarm->node->now_ms + ttl_ms;
    if (claim->expires_ms > claim->since_ms + BELIEVE_MS)
        claim->expires_ms = claim->since_ms + BELIEVE_MS;
}

static void withdraw(struct peer *peer, uint32_t piece)
{
    struct claim *claim = find_claim(peer->swarm, piece);

    if (claim == NULL || claim->conn != peer->conn)
        return;
    release_claim(peer->swarm, claim, false);
    claim->expires_ms = peer->node->now_ms;
    peer->swarm->crowd_ms = 0;
}

void crowd_claim_heard(struct peer *peer, struct span payload)
{
    struct fringe_claim said;

    if (fringe_claim_decode(payload, &said) != ERR_OK || peer->broken_claims >= BROKEN_MAX)
        return;
    /* We pass none on, so we hear only who we are connected with: anything else is a lie. */
    if (said.hops != 0 || memcmp(said.claimer, peer->id, PEER_ID_LENGTH) != 0)
        return;
    for (size_t i = 0; i < said.count; i++)
        for (uint32_t k = 0; k < said.extents[i].pieces; k++) {
            uint32_t piece = said.extents[i].first + k;
            if (piece >= peer->swarm->meta->piece_count)
                break;
            if (said.extents[i].ttl_ms == 0)
                withdraw(peer, piece);
            else if (peer->claims < CLAIMS_MAX)
                put_claim(peer, piece, said.extents[i].ttl_ms);
        }
}

void crowd_peer_has(struct peer *peer, uint32_t piece)
{
    struct claim *claim = find_claim(peer->swarm, piece);

    if (claim == NULL)
        return;
    release_claim(peer->swarm, claim, false);
    HASH_DEL(peer->swarm->claims, claim);
    mem_free(claim);
    if (peer->broken_claims > 0)
        peer->broken_claims--;
}

void crowd_peer_left(struct peer *peer)
{
    struct swarm *swarm = peer->swarm;

    for (struct claim *claim = swarm->claims; claim != NULL && peer->claims > 0;
         claim = claim->hh.next) {
        if (claim->conn != peer->conn)
            continue;
        claim->conn = 0;
        claim->expires_ms = swarm->node->now_ms;
        peer->claims--;
    }
    swarm->crowd_ms = 0;
}

void crowd_done(struct swarm *swarm)
{
    struct claim *claim, *next;

    HASH_ITER(hh, swarm->claims, claim, next)
    {
        HASH_DEL(swarm->claims, claim);
        mem_free(claim);
    }
}

bool crowd_is_claimed(const struct swarm *swarm, uint32_t piece)
{
    const struct claim *claim = find_claim(swarm, piece);
    return claim != NULL && swarm->node->now_ms < claim->expires_ms;
}

/* Whoever claims must let us feel it: while nothing comes at all, no promise holds. So a liar
 * costs a page this long, and no longer. */
bool crowd_is_starved(const struct swarm *swarm)
{
    const struct want *oldest = list_entry(swarm->wants.next, struct want, in_swarm);
    uint64_t since = oldest->created_ms;

    since = swarm->piece_at_ms > since ? swarm->piece_at_ms : since;
    since = swarm->joined_ms > since ? swarm->joined_ms : since;
    return swarm->node->now_ms >= since + STARVE_MS && !fair_use_slows(swarm);
}

/* When may this piece be asked for, leaving the rank aside? 0: somebody has or brings it. */
uint64_t crowd_open_since(struct swarm *swarm, uint32_t piece)
{
    uint64_t now = swarm->node->now_ms;
    struct claim *claim = find_claim(swarm, piece);

    if (bitfield_get(&swarm->taken, piece) ||
        (swarm->availability != NULL && swarm->availability[piece] > 0))
        return 0;
    if (claim == NULL)
        return swarm->joined_ms;
    if (now < claim->expires_ms && !crowd_is_starved(swarm))
        return claim->expires_ms;
    if (claim->conn != 0)
        release_claim(swarm, claim, true);
    if (claim->expires_ms > now)
        claim->expires_ms = now;
    return claim->expires_ms > swarm->joined_ms ? claim->expires_ms : swarm->joined_ms;
}

/* --- our own claims */

static uint32_t ttl_ms(const struct swarm *swarm)
{
    uint64_t ttl = 3 * swarm->extent_ms;
    if (ttl < CLAIM_MIN_MS)
        return CLAIM_MIN_MS;
    return ttl < LIMIT_CLAIM_MS ? (uint32_t)ttl : LIMIT_CLAIM_MS;
}

static void send_claim(struct peer *peer, const struct origin_fetch *fetch, uint32_t ttl)
{
    struct swarm *swarm = peer->swarm;
    struct fringe_claim claim = {.serial = swarm->claim_serial, .count = 1};
    struct buf payload;

    memcpy(claim.claimer, swarm->peer_id, PEER_ID_LENGTH);
    claim.extents[0].first = fetch->piece;
    claim.extents[0].pieces = (uint16_t)(fetch->end - fetch->piece);
    claim.extents[0].ttl_ms = (uint16_t)ttl;
    buf_init(&payload, KIB(1));
    fringe_claim_encode(&claim, &payload);
    peer_send_extension(peer, EXTENSION_FRINGE_CLAIM, &payload);
    buf_done(&payload);
}

static void tell_all(struct swarm *swarm, const struct origin_fetch *fetch, uint32_t ttl)
{
    if (fetch->piece >= fetch->end || !site_may_share(swarm->site))
        return;
    swarm->claim_serial++;
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (peer->speaks[EXTENSION_FRINGE_CLAIM] != 0)
            send_claim(peer, fetch, ttl);
    }
}

static void claim(struct origin_fetch *fetch)
{
    struct swarm *swarm = fetch->want->swarm;

    if (fetch->end - fetch->piece > LIMIT_CLAIM_PIECES)
        return; /* a lone visitor's long run: neighbours who come now find their own */
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
    if (site_may_share(swarm->site))
        claim(fetch);
}

/* What is not there yet is given back at once. */
void crowd_ended(struct origin_fetch *fetch)
{
    struct swarm *swarm = fetch->want->swarm;
    uint64_t took = swarm->node->now_ms - fetch->started_ms;

    swarm->origin_fetches--;
    swarm->crowd_ms = 0;
    if (fetch->piece < fetch->end && fetch->claimed)
        tell_all(swarm, fetch, 0);
    else if (fetch->piece == fetch->end)
        swarm->extent_ms = swarm->extent_ms > 0 ? (3 * swarm->extent_ms + took) / 4 : took;
}

/* --- who wants */

uint32_t crowd_extent_pieces(const struct swarm *swarm)
{
    uint32_t pieces = CROWD_EXTENT / swarm->meta->piece_length;
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

    if (list_empty(&swarm->wants))
        peer_send_extended(peer);
    if (!site_may_share(swarm->site))
        return;
    list_for_each(link, next, &swarm->wants)
    {
        struct origin_fetch *fetch = list_entry(link, struct want, in_swarm)->fetch;
        if (fetch == NULL || fetch->piece >= fetch->end)
            continue;
        shorten(swarm, fetch);
        if (fetch->claimed)
            send_claim(peer, fetch, ttl_ms(swarm));
    }
}

void crowd_wants_changed(struct swarm *swarm)
{
    bool idle = list_empty(&swarm->wants);

    swarm->crowd_ms = 0;
    if (idle == swarm->told_idle || !site_may_share(swarm->site))
        return;
    swarm->told_idle = idle;
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (peer->speaks[EXTENSION_FRINGE_CLAIM] != 0)
            peer_send_extended(peer);
    }
}

uint64_t crowd_tick(struct swarm *swarm)
{
    uint64_t now = swarm->node->now_ms, wake = UINT64_MAX;

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
