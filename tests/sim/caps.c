#include "caps.h"

#include "base/limits.h"
#include "base/mem.h"
#include "core/crowd.h"
#include "core/peer_impl.h"
#include "core/strikes.h"
#include "core/trackers.h"
#include "visitor.h"

/* What stands beside the code that keeps it, and not in limits.h. */
#define OUTSTANDING_MAX 256 /* blocks asked of one peer */
#define ACTIVE_MAX      100  /* requests to one site */
#define INQUIRIES_MAX   8
#define FAREWELLS_MAX   64
#define STRAYS_MAX      256
#define BELIEVE_MS      45000 /* the longest that a claim on one piece is believed */
#define LATE_MS         1000  /* after the step in which it would have been due */

/* No more is asked for once STORING_MAX is with the store. What has been asked by then still comes:
 * what all peers have outstanding, and a body from each origin request. */
#define STORING_OVER MIB(64)

static void at_most(const struct visitor *visitor, const char *what, uint64_t count, uint64_t cap)
{
    if (count > cap)
        world_fail(visitor->world, "%s is over a cap: %s: %llu of %llu", visitor->host->name, what,
                   (unsigned long long)count, (unsigned long long)cap);
}

static void same(const struct visitor *visitor, const char *what, uint64_t kept, uint64_t counted)
{
    if (kept != counted)
        world_fail(visitor->world, "%s counts wrong: %s: keeps %llu, there are %llu",
                   visitor->host->name, what, (unsigned long long)kept,
                   (unsigned long long)counted);
}

static void always(const struct visitor *visitor, bool is_so, const char *what, uint64_t number)
{
    if (!is_so)
        world_fail(visitor->world, "%s is not consistent: %s %llu", visitor->host->name, what,
                   (unsigned long long)number);
}

/* --- caps: one peer */

static void check_peer(const struct visitor *visitor, const struct peer *peer)
{
    uint32_t reqq = peer->reqq > 0 && peer->reqq < OUTSTANDING_MAX ? peer->reqq : OUTSTANDING_MAX;

    at_most(visitor, "requests outstanding at a peer", peer->asked.count, OUTSTANDING_MAX);
    at_most(visitor, "blocks to have outstanding at a peer", peer->target,
            reqq > PEER_TARGET_START ? reqq : PEER_TARGET_START);
    at_most(visitor, "LIMIT_PEER_REQUESTS_IN", peer->wanted.count, LIMIT_PEER_REQUESTS_IN);
    at_most(visitor, "LIMIT_PEER_MESSAGE", peer->in.length, LIMIT_PEER_MESSAGE + 4);
    at_most(visitor, "LIMIT_HASH_READS", peer->hash_job_count, LIMIT_HASH_READS);
    at_most(visitor, "LIMIT_METADATA_QUEUE", peer->metadata_count, LIMIT_METADATA_QUEUE);
    at_most(visitor, "LIMIT_ALLOWED_FAST", peer->allowed_count, LIMIT_ALLOWED_FAST);
    at_most(visitor, "LIMIT_CHATTER", peer->chatter.level / 1000, LIMIT_CHATTER);
    at_most(visitor, "LIMIT_HASH_WORK", peer->hash_work.level / 1000, 2 * LIMIT_HASH_WORK);
    at_most(visitor, "LIMIT_CLAIM_BURST", peer->claims_heard, LIMIT_CLAIM_BURST);
    at_most(visitor, "blocks that nobody asked for", peer->strays, STRAYS_MAX);
    at_most(visitor, "LIMIT_PEER_SEND_QUEUE", peer->send_queued, LIMIT_PEER_SEND_QUEUE);
    uint64_t now = visitor->node->now_ms;
    if (!peer->handshaken)
        at_most(visitor, "LIMIT_HANDSHAKE_MS", now - peer->opened_ms, LIMIT_HANDSHAKE_MS + LATE_MS);
    at_most(visitor, "LIMIT_PEER_IDLE_MS", now - peer->in_ms, LIMIT_PEER_IDLE_MS + LATE_MS);
    if (peer->early != NULL)
        at_most(visitor, "what a peer said early", peer->early->bits.length, LIMIT_PEER_MESSAGE);
}

/* --- caps: one swarm */

static void check_swarm(const struct visitor *visitor, const struct swarm *swarm)
{
    at_most(visitor, "LIMIT_PEERS_PER_SWARM", swarm->connections, LIMIT_PEERS_PER_SWARM);
    at_most(visitor, "LIMIT_PEER_CANDIDATES", HASH_COUNT(swarm->candidates),
            LIMIT_PEER_CANDIDATES + NODE_MAX_PEERS);
    at_most(visitor, "LIMIT_CLAIMERS", HASH_COUNT(swarm->claimers), LIMIT_CLAIMERS);
    at_most(visitor, "LIMIT_TRACKERS", swarm->tracker_count, 2 * LIMIT_TRACKERS);
    at_most(visitor, "inquiries", swarm->inquiry_count, INQUIRIES_MAX);
    at_most(visitor, "LIMIT_METADATA", swarm->info.length, LIMIT_METADATA);
    at_most(visitor, "LIMIT_SWARM_SIZE", crowd_size(swarm), LIMIT_SWARM_SIZE);
    for (size_t i = 0; i < swarm->tracker_count; i++)
        at_most(visitor, "LIMIT_TRACKER_REPLY", swarm->trackers[i]->http.body.length,
                LIMIT_TRACKER_REPLY);
    if (swarm->meta == NULL)
        return;
    at_most(visitor, "pieces on their way", HASH_COUNT(swarm->pieces), swarm->meta->piece_count);
    at_most(visitor, "pieces claimed", HASH_COUNT(swarm->claims), swarm->meta->piece_count);
}

static void check_site(const struct visitor *visitor, const struct site *site)
{
    uint32_t releases = 0;

    for (const struct site_release *r = site->current; r != NULL; r = r->older)
        releases++;
    at_most(visitor, "SITE_RELEASES_KEPT", releases, SITE_RELEASES_KEPT);
    at_most(visitor, "LIMIT_WANTS_WAITING", site->waiting_count, LIMIT_WANTS_WAITING);
    at_most(visitor, "LIMIT_WANTS_WAITING", site->asker_count, LIMIT_WANTS_WAITING);
    at_most(visitor, "requests to the origin", site->origin_active, ACTIVE_MAX);
    at_most(visitor, "LIMIT_RELEASE", site->json.length, LIMIT_RELEASE);
    at_most(visitor, "LIMIT_SIGNATURE", site->signature.length, LIMIT_SIGNATURE);
    list_for_each(link, next, &site->swarms)
        check_swarm(visitor, list_entry(link, struct swarm, in_site));
}

void caps_check(struct visitor *visitor)
{
    const struct node *node = visitor->node;

    at_most(visitor, "LIMIT_PEERS", HASH_COUNT(node->peers), LIMIT_PEERS);
    at_most(visitor, "LIMIT_STRIKES", HASH_COUNT(node->strikes), LIMIT_STRIKES);
    at_most(visitor, "LIMIT_SITES", HASH_COUNT(node->sites), LIMIT_SITES);
    at_most(visitor, "LIMIT_DOCS", HASH_COUNT(node->docs), LIMIT_DOCS);
    at_most(visitor, "farewells", node->farewell_count, FAREWELLS_MAX);
    at_most(visitor, "bytes that the store has not taken yet", node->storing_bytes,
            STORING_MAX + STORING_OVER);
    if (node->storing_bytes > visitor->counts.max_storing)
        visitor->counts.max_storing = node->storing_bytes;
    for (const struct doc *doc = node->docs; doc != NULL; doc = doc->hh.next)
        at_most(visitor, "LIMIT_DOC_FILES", HASH_COUNT(doc->seen), LIMIT_DOC_FILES);
    for (const struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        check_peer(visitor, peer);
    for (const struct site *site = node->sites; site != NULL; site = site->hh.next)
        check_site(visitor, site);
}

/* --- counted again: peers */

static void recount_peers(const struct visitor *visitor, const struct swarm *swarm)
{
    uint32_t connections = 0, settling = 0, speakers = 0, wanting = 0, asked = 0;

    for (const struct peer *peer = visitor->node->peers; peer != NULL; peer = peer->hh.next) {
        if (peer->swarm != swarm)
            continue;
        connections++;
        settling += !peer->settled;
        speakers += peer->in_crowd;
        wanting += peer->wanting;
        asked += peer->asked.count;
    }
    same(visitor, "connections of a swarm", swarm->connections, connections);
    same(visitor, "peers that have not said what they have", swarm->settling, settling);
    same(visitor, "peers that speak fringe_claim", swarm->speakers, speakers);
    same(visitor, "peers that want something", swarm->wanting, wanting);
    same(visitor, "blocks asked for", swarm->asked, asked);
}

static void recount_addresses(const struct visitor *visitor)
{
    for (const struct peer *peer = visitor->node->peers; peer != NULL; peer = peer->hh.next) {
        uint32_t count = 0;
        for (const struct peer *p = visitor->node->peers; p != NULL; p = p->hh.next)
            count += p->incoming && address_same_ip(&p->remote, &peer->remote);
        at_most(visitor, "LIMIT_PEERS_PER_ADDRESS", count, LIMIT_PEERS_PER_ADDRESS);
    }
}

static void recount_candidates(const struct visitor *visitor, const struct swarm *swarm)
{
    uint32_t named = 0;

    for (const struct candidate *c = swarm->candidates; c != NULL; c = c->hh.next) {
        named += c->source == CANDIDATE_PEX || c->source == CANDIDATE_ITSELF;
        if (c->source != CANDIDATE_PEX || c->from == 0)
            continue;
        uint32_t from = 0;
        for (const struct candidate *other = swarm->candidates; other != c; other = other->hh.next)
            from += other->source == CANDIDATE_PEX && other->from == c->from;
        at_most(visitor, "LIMIT_PEX_FROM_PEER", from + 1, LIMIT_PEX_FROM_PEER);
    }
    at_most(visitor, "candidates that peers have named", named, LIMIT_PEER_CANDIDATES / 4 * 3);
}

static void recount_availability(const struct visitor *visitor, const struct swarm *swarm)
{
    uint32_t pieces = swarm->meta->piece_count;
    uint16_t *counted = mem_calloc(pieces, sizeof *counted);

    for (const struct peer *peer = visitor->node->peers; peer != NULL; peer = peer->hh.next)
        for (uint32_t i = 0; peer->swarm == swarm && i < peer->have.bits; i++)
            counted[i] = (uint16_t)(counted[i] + bitfield_get(&peer->have, i));
    for (uint32_t i = 0; i < pieces; i++)
        same(visitor, "peers that have a piece",
             swarm->availability != NULL ? swarm->availability[i] : 0, counted[i]);
    mem_free(counted);
}

/* --- counted again: pieces */

static uint32_t requests_for(const struct visitor *visitor, const struct piece *piece)
{
    uint32_t count = 0;

    for (const struct peer *peer = visitor->node->peers; peer != NULL; peer = peer->hh.next)
        for (uint32_t i = 0; peer->swarm == piece->swarm && i < peer->asked.count; i++)
            count += request_queue_at(&peer->asked, i)->piece == piece->number;
    return count;
}

static uint64_t recount_piece(const struct visitor *visitor, const struct piece *piece)
{
    uint32_t requests = 0, received = 0, loose = 0;

    always(visitor, bitfield_get(&piece->swarm->taken, piece->number), "on its way, not taken",
           piece->number);
    if (piece->storing) /* a twin of it may be there already */
        return 0;
    always(visitor, !bitfield_get(&piece->swarm->have, piece->number), "on its way, and there",
           piece->number);
    for (uint32_t i = 0; i < piece->block_count; i++) {
        requests += piece->blocks[i].requests;
        received += piece->blocks[i].received;
        loose += !piece->blocks[i].received && piece->blocks[i].requests == 0;
    }
    same(visitor, "requests for a piece", requests, requests_for(visitor, piece));
    same(visitor, "blocks of a piece", piece->received, received);
    return loose;
}

static uint64_t recount_pieces(const struct visitor *visitor, const struct swarm *swarm)
{
    uint64_t loose = 0, storing = 0;

    for (const struct piece *piece = swarm->pieces; piece != NULL; piece = piece->hh.next) {
        loose += recount_piece(visitor, piece);
        storing += piece->storing ? piece->length : 0;
    }
    same(visitor, "blocks that nobody has been asked for", swarm->loose, loose);
    return storing;
}

/* Equal files arrive together: a piece of one that is there is not asked for in another. */
static void check_twins(const struct visitor *visitor, const struct swarm *swarm, uint32_t file)
{
    const struct metainfo_file *one = &swarm->meta->files[file];
    const struct metainfo_file *other = &swarm->meta->files[swarm->twins[file]];

    for (uint32_t i = 0; i < one->pieces; i++)
        always(visitor,
               bitfield_get(&swarm->have, one->first_piece + i) ==
                   bitfield_get(&swarm->have, other->first_piece + i),
               "in one of two equal files: piece", one->first_piece + i);
}

/* Whatever it believes to have, and tells others, has been verified and written. */
static void check_have(const struct visitor *visitor, const struct swarm *swarm)
{
    const struct metainfo *meta = swarm->meta;

    for (uint32_t i = 0; i < meta->piece_count; i++) {
        if (!bitfield_get(&swarm->have, i))
            continue;
        const struct metainfo_file *file = &meta->files[metainfo_file_of_piece(meta, i)];
        uint64_t first = (uint64_t)(i - file->first_piece) * meta->piece_length;
        always(visitor, bitfield_get(&swarm->taken, i), "there, and not taken", i);
        always(visitor,
               visitor->disk->lost || disk_has(visitor->disk, file->root, meta->piece_length, first,
                                               first + metainfo_piece_bytes(meta, i)),
               "not on the disk: piece", i);
    }
}

/* --- counted again: claims */

static void recount_claims(const struct visitor *visitor, const struct swarm *swarm)
{
    uint64_t now = visitor->node->now_ms;

    for (const struct claimer *by = swarm->claimers; by != NULL; by = by->hh.next) {
        uint32_t live = 0;
        for (const struct claim *claim = swarm->claims; claim != NULL; claim = claim->hh.next)
            live += claim->by == by;
        same(visitor, "pieces that somebody claims", by->live, live);
        at_most(visitor, "LIMIT_CLAIMS", live, LIMIT_CLAIMS);
    }
    for (const struct claim *claim = swarm->claims; claim != NULL; claim = claim->hh.next) {
        at_most(visitor, "a claimed piece", claim->piece + 1ull, swarm->meta->piece_count);
        at_most(visitor, "a claim's life", claim->expires_ms, now + BELIEVE_MS);
    }
}

/* --- counted again: all */

static uint64_t recount_swarm(const struct visitor *visitor, const struct swarm *swarm,
                              uint32_t *fetches)
{
    uint32_t own = 0;

    recount_peers(visitor, swarm);
    recount_candidates(visitor, swarm);
    list_for_each(link, next, &swarm->wants) own +=
        list_entry(link, struct want, in_swarm)->fetch != NULL;
    same(visitor, "requests to the origin of a swarm", swarm->origin_fetches, own);
    *fetches += own;
    if (swarm->state != SWARM_READY)
        return 0;
    recount_availability(visitor, swarm);
    recount_claims(visitor, swarm);
    check_have(visitor, swarm);
    for (uint32_t i = 0; swarm->twins != NULL && i < swarm->meta->file_count; i++)
        check_twins(visitor, swarm, i);
    return recount_pieces(visitor, swarm);
}

void caps_recount(struct visitor *visitor)
{
    const struct node *node = visitor->node;
    uint64_t storing = 0;

    for (const struct site *site = node->sites; site != NULL; site = site->hh.next) {
        uint32_t fetches = 0;
        list_for_each(link, next, &site->swarms) storing +=
            recount_swarm(visitor, list_entry(link, struct swarm, in_site), &fetches);
        same(visitor, "requests to a site", site->origin_active, fetches);
    }
    same(visitor, "bytes that the store has not taken yet", node->storing_bytes, storing);
    same(visitor, "connections", HASH_COUNT(node->peers), HASH_COUNT(visitor->sockets));
    recount_addresses(visitor);
}

bool caps_is_banned(const struct visitor *visitor, const struct host *host)
{
    return visitor->node != NULL && strikes_ban_address(visitor->node, &host->address);
}
