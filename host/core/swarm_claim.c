/* What others claim to be fetching from the origin, and how far they are believed (PROTOCOL.md
 * 4.7). What we say ourselves is in crowd_tell.c, who fetches what is decided in swarm_crowd.c. */
#include "base/mem.h"
#include "core/crowd.h"
#include "core/peer.h"
#include "wire/fringe_claim.h"

#include <string.h>

#define BELIEVE_MS      10000 /* a claim on one piece, however often it is renewed */
#define BELIEVE_MESH_MS 20000
#define BELIEVE_BIG_MS  45000 /* a file of 32 MiB takes 40 s to get everywhere */
#define STARVE_MS       1500  /* without any piece: claims are not waited for any longer */
#define BROKEN_MAX      8     /* pieces claimed in vain, before we stop believing */

/* --- claimers */

static struct claimer *find_claimer(const struct swarm *swarm, const uint8_t id[PEER_ID_LENGTH])
{
    struct claimer *claimer;

    HASH_FIND(hh, swarm->claimers, id, PEER_ID_LENGTH, claimer);
    return claimer;
}

static void forget_claimer(struct swarm *swarm, struct claimer *claimer)
{
    HASH_DEL(swarm->claimers, claimer);
    mem_free(claimer);
}

/* In place of the oldest of whom nothing is claimed; NULL: there is none, they are too many. */
static struct claimer *add_claimer(struct swarm *swarm, const uint8_t id[PEER_ID_LENGTH])
{
    if (HASH_COUNT(swarm->claimers) >= LIMIT_CLAIMERS) {
        struct claimer *oldest = swarm->claimers;
        while (oldest != NULL && oldest->live > 0)
            oldest = oldest->hh.next;
        if (oldest == NULL)
            return NULL;
        forget_claimer(swarm, oldest);
    }
    struct claimer *claimer = mem_zalloc(sizeof *claimer);
    memcpy(claimer->id, id, PEER_ID_LENGTH);
    HASH_ADD(hh, swarm->claimers, id, PEER_ID_LENGTH, claimer);
    return claimer;
}

static bool is_neighbour(const struct swarm *swarm, const uint8_t id[PEER_ID_LENGTH])
{
    list_for_each(link, next, &swarm->peers)
    {
        if (memcmp(list_entry(link, struct peer, in_swarm)->id, id, PEER_ID_LENGTH) == 0)
            return true;
    }
    return false;
}

/* --- claims */

static struct claim *find_claim(const struct swarm *swarm, uint32_t piece)
{
    struct claim *claim;

    HASH_FIND(hh, swarm->claims, &piece, sizeof piece, claim);
    return claim;
}

static void forget_claims(struct swarm *swarm, const struct claimer *claimer)
{
    for (struct claim *claim = swarm->claims; claim != NULL; claim = claim->hh.next) {
        if (claim->by != claimer)
            continue;
        claim->by = NULL;
        claim->expires_ms = swarm->node->now_ms;
    }
    swarm->crowd_ms = 0;
}

static void release_claim(struct swarm *swarm, struct claim *claim, bool broken)
{
    struct claimer *by = claim->by;

    claim->by = NULL;
    if (by == NULL)
        return;
    by->live--;
    if (!broken || ++by->broken != BROKEN_MAX)
        return;
    forget_claims(swarm, by);
    by->live = 0;
}

static uint64_t believe_ms(const struct swarm *swarm)
{
    if (crowd_is_big(swarm))
        return BELIEVE_BIG_MS;
    return swarm->speakers >= CROWD_MESH ? BELIEVE_MESH_MS : BELIEVE_MS;
}

static void put_claim(struct swarm *swarm, struct claimer *by, uint32_t piece, uint32_t ttl_ms)
{
    struct claim *claim = find_claim(swarm, piece);
    uint64_t now = swarm->node->now_ms;

    if (claim == NULL) {
        claim = mem_zalloc(sizeof *claim);
        claim->piece = piece;
        HASH_ADD(hh, swarm->claims, piece, sizeof claim->piece, claim);
    }
    if (claim->by != by) {
        release_claim(swarm, claim, false);
        claim->by = by;
        claim->since_ms = now;
        by->live++;
    }
    claim->expires_ms = now + ttl_ms;
    if (claim->expires_ms > claim->since_ms + believe_ms(swarm))
        claim->expires_ms = claim->since_ms + believe_ms(swarm);
}

static void withdraw(struct swarm *swarm, const struct claimer *by, uint32_t piece)
{
    struct claim *claim = find_claim(swarm, piece);

    if (claim == NULL || claim->by != by)
        return;
    release_claim(swarm, claim, false);
    claim->expires_ms = swarm->node->now_ms;
    swarm->crowd_ms = 0;
}

static void apply(struct swarm *swarm, struct claimer *by, const struct fringe_extent *extent)
{
    for (uint32_t piece = extent->first; piece < extent->first + extent->pieces; piece++) {
        if (extent->ttl_ms == 0)
            withdraw(swarm, by, piece);
        else if (by->live < LIMIT_CLAIMS && !bitfield_get(&swarm->have, piece))
            put_claim(swarm, by, piece, extent->ttl_ms);
    }
}

/* --- hearing them */

/* One neighbour cannot make us work, or shout, without end. */
static bool is_too_much(struct peer *peer)
{
    uint64_t now = peer->node->now_ms;
    uint64_t drained = (now - peer->claims_since_ms) * LIMIT_CLAIM_RATE / 1000;

    if (drained > 0) {
        peer->claims_heard -= drained < peer->claims_heard ? drained : peer->claims_heard;
        peer->claims_since_ms += drained * 1000 / LIMIT_CLAIM_RATE; /* parts of one are not lost */
    }
    if (peer->claims_heard >= LIMIT_CLAIM_BURST)
        return true;
    peer->claims_heard++;
    return false;
}

/* Does it lie within the torrent, and each extent within one file? */
static bool fits(const struct swarm *swarm, const struct fringe_claim *said)
{
    const struct metainfo *meta = swarm->meta;

    for (size_t i = 0; i < said->count; i++) {
        const struct fringe_extent *extent = &said->extents[i];
        uint32_t last = extent->first + extent->pieces - 1;
        if (last >= meta->piece_count ||
            metainfo_file_of_piece(meta, extent->first) != metainfo_file_of_piece(meta, last))
            return false;
    }
    return true;
}

/* May this neighbour say that of this claimer? */
static bool is_credible(const struct peer *peer, const struct fringe_claim *said)
{
    const struct swarm *swarm = peer->swarm;

    if (said->hops == 0)
        return memcmp(said->claimer, peer->id, PEER_ID_LENGTH) == 0;
    return memcmp(said->claimer, swarm->peer_id, PEER_ID_LENGTH) != 0 &&
           !is_neighbour(swarm, said->claimer);
}

bool crowd_claim_heard(struct peer *peer, struct span payload)
{
    struct swarm *swarm = peer->swarm;
    struct fringe_claim said;
    enum err err = fringe_claim_decode(payload, &said);

    if (err == ERR_UNSUPPORTED)
        return true;
    if (err != ERR_OK || !fits(swarm, &said))
        return false;
    if (!site_may_share(swarm->site) || is_too_much(peer))
        return true;
    struct claimer *by = find_claimer(swarm, said.claimer);
    if (by != NULL && (said.serial <= by->serial || by->broken >= BROKEN_MAX))
        return true;
    if (!is_credible(peer, &said))
        return true;
    if (by == NULL && (by = add_claimer(swarm, said.claimer)) == NULL)
        return true;
    by->serial = said.serial;
    for (size_t i = 0; i < said.count; i++)
        apply(swarm, by, &said.extents[i]);
    crowd_pass_on(peer, &said);
    return true;
}

void crowd_peer_has(struct peer *peer, uint32_t piece)
{
    struct claim *claim = find_claim(peer->swarm, piece);

    if (claim == NULL)
        return;
    if (claim->by != NULL && claim->by->broken > 0)
        claim->by->broken--;
    release_claim(peer->swarm, claim, false);
    HASH_DEL(peer->swarm->claims, claim);
    mem_free(claim);
}

void crowd_peer_left(struct peer *peer)
{
    struct swarm *swarm = peer->swarm;
    struct claimer *claimer = find_claimer(swarm, peer->id);

    crowd_peer_wants(peer, false);
    swarm->speakers -= peer->in_crowd;
    peer->in_crowd = false;
    if (claimer != NULL && claimer->live > 0) {
        forget_claims(swarm, claimer);
        claimer->live = 0;
    }
    swarm->crowd_ms = 0;
}

void crowd_done(struct swarm *swarm)
{
    struct claim *claim, *next;
    struct claimer *claimer, *next_claimer;

    HASH_ITER(hh, swarm->claims, claim, next)
    {
        HASH_DEL(swarm->claims, claim);
        mem_free(claim);
    }
    HASH_ITER(hh, swarm->claimers, claimer, next_claimer)
    forget_claimer(swarm, claimer);
    mem_free(swarm->ranks);
}

/* --- believing them */

bool crowd_is_claimed(const struct swarm *swarm, uint32_t piece)
{
    const struct claim *claim = find_claim(swarm, piece);
    return claim != NULL && swarm->node->now_ms < claim->expires_ms;
}

/* The more visitors there are, the more often a piece must double before it comes here. */
static uint64_t starve_ms(const struct swarm *swarm)
{
    uint64_t starve = STARVE_MS;

    if (!crowd_is_big(swarm))
        return starve;
    for (uint32_t size = swarm->speakers; size < crowd_size(swarm); size *= 2)
        starve += STARVE_MS;
    return starve;
}

/* Whoever claims must let us feel it: while nothing comes at all, no promise holds. So a liar
 * costs a page this long, and no longer. */
bool crowd_is_starved(const struct swarm *swarm)
{
    const struct want *oldest = list_entry(swarm->wants.next, struct want, in_swarm);
    uint64_t since = oldest->created_ms;

    since = swarm->piece_at_ms > since ? swarm->piece_at_ms : since;
    since = swarm->joined_ms > since ? swarm->joined_ms : since;
    return swarm->node->now_ms >= since + starve_ms(swarm) && !fair_use_slows(swarm);
}

/* When may this piece be asked for, leaving the rank aside? 0: somebody has or brings it. */
uint64_t crowd_open_since(struct swarm *swarm, uint32_t piece)
{
    uint64_t now = swarm->node->now_ms;

    if (bitfield_get(&swarm->taken, piece) ||
        (swarm->availability != NULL && swarm->availability[piece] > 0 &&
         node_has(swarm->node, PART_SPARING)) ||
        origin_brings_twin(swarm, piece))
        return 0;
    struct claim *claim = find_claim(swarm, piece);
    if (claim == NULL)
        return swarm->joined_ms;
    if (now < claim->expires_ms && !crowd_is_starved(swarm))
        return claim->expires_ms;
    /* In a big crowd it is nobody's fault that nothing comes yet. */
    release_claim(swarm, claim, now >= claim->expires_ms || !crowd_is_big(swarm));
    if (claim->expires_ms > now)
        claim->expires_ms = now;
    return claim->expires_ms > swarm->joined_ms ? claim->expires_ms : swarm->joined_ms;
}
