/* Pieces from peers: whole pieces from one peer each, so that a bad one has one culprit; blocks
 * that got stuck are asked of others. */
#include "base/mem.h"
#include "core/crowd.h"
#include "core/peer.h"

#include <string.h>

#define ASKED_MS     1000
#define ASKED_MIN    MIB(2)
#define ASKED_EACH   4    /* blocks of a peer, however many are asked of others */
#define STUCK_MS     1000 /* no block of a piece for so long: an idle peer may help */
#define STUCK_BIG_MS 1500

/* --- which block next */

static uint32_t block_length(const struct piece *piece, uint32_t block)
{
    uint32_t begin = block * BLOCK_LENGTH;
    uint32_t left = piece->length - begin;
    return left < BLOCK_LENGTH ? left : BLOCK_LENGTH;
}

static uint32_t loose_block(const struct piece *piece)
{
    for (uint32_t i = 0; i < piece->block_count; i++)
        if (!piece->blocks[i].received && piece->blocks[i].requests == 0)
            return i;
    return UINT32_MAX;
}

static bool may_ask(const struct peer *peer, const struct piece *piece)
{
    return !peer->peer_choking || peer_allows(peer, piece->number);
}

/* A piece whose blocks come from one peer has one culprit: so a suspect shares none, as long as
 * that holds nothing up. */
static bool may_join(const struct peer *peer, const struct piece *piece)
{
    if (piece->alone == peer->conn || peer->node->now_ms >= piece->moved_ms + STUCK_MS)
        return true;
    return piece->alone == 0 && !peer->suspect;
}

static struct piece *piece_with_loose_block(struct swarm *swarm, const struct peer *peer)
{
    if (swarm->loose == 0)
        return NULL;
    for (struct piece *piece = swarm->pieces; piece != NULL; piece = piece->hh.next)
        if (!piece->storing && may_ask(peer, piece) && bitfield_get(&peer->have, piece->number) &&
            may_join(peer, piece) && loose_block(piece) != UINT32_MAX)
            return piece;
    return NULL;
}

static struct piece *begin_piece(struct swarm *swarm, const struct peer *peer)
{
    uint32_t number = peer->peer_choking ? peer_pick_allowed(peer) : picker_pick(swarm, peer);
    if (number == UINT32_MAX)
        return NULL;
    struct piece *piece = swarm_add_piece(swarm, number);
    swarm->loose += piece->block_count;
    piece->alone = peer->suspect ? peer->conn : 0;
    swarm_hurry_soon(swarm);
    return piece;
}

void swarm_request_block(struct peer *peer, struct piece *piece, uint32_t block)
{
    if (piece->blocks[block].requests++ == 0)
        piece->swarm->loose--;
    peer_request(peer, piece->number, block * BLOCK_LENGTH, block_length(piece, block));
}

static bool request_next(struct swarm *swarm, struct peer *peer)
{
    struct piece *piece = peer->piece;
    bool same = piece != NULL && !piece->storing && may_ask(peer, piece) && may_join(peer, piece);
    uint32_t block = same ? loose_block(piece) : UINT32_MAX;

    if (block == UINT32_MAX) {
        piece = piece_with_loose_block(swarm, peer);
        if (piece == NULL)
            piece = begin_piece(swarm, peer);
        if (piece == NULL)
            return false;
        block = loose_block(piece);
    }
    peer->piece = piece;
    swarm_request_block(peer, piece, block);
    return true;
}

static void cancel_elsewhere(struct swarm *swarm, const struct piece *piece, uint32_t begin)
{
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        uint32_t place = request_queue_find(&peer->asked, piece->number, begin);
        if (place == UINT32_MAX)
            continue;
        struct peer_request request = peer_take_asked(peer, place);
        peer_cancel(peer, request.piece, request.begin, request.length);
    }
}

/* In a big crowd nearly everything waits for so long, and what is asked of two would fill the
 * uplinks with what comes twice: whoever had it in its queue is told that it need not. */
static void take_back(struct swarm *swarm, struct piece *piece, uint32_t block)
{
    cancel_elsewhere(swarm, piece, block * BLOCK_LENGTH);
    piece->blocks[block].requests = 0;
    swarm->loose++;
    piece->moved_ms = swarm->node->now_ms;
}

static void help_with(struct swarm *swarm, struct peer *peer, struct piece *piece)
{
    bool big = crowd_is_big(swarm);

    for (uint32_t i = 0; i < piece->block_count && peer->asked.count < peer->target; i++) {
        if (piece->blocks[i].received || piece->blocks[i].requests != 1)
            continue;
        if (big)
            take_back(swarm, piece, i);
        swarm_request_block(peer, piece, i);
    }
}

/* End-game: the peer has nothing else to do, so it is asked for what is stuck elsewhere. */
static void help_stuck(struct swarm *swarm, struct peer *peer)
{
    uint64_t now = swarm->node->now_ms;
    uint64_t stuck = crowd_is_big(swarm) ? STUCK_BIG_MS : STUCK_MS;

    if (!node_has(swarm->node, PART_ENDGAME) || !site_may_waste(swarm->site))
        return;
    for (struct piece *piece = swarm->pieces; piece != NULL; piece = piece->hh.next) {
        if (piece->storing || !bitfield_get(&peer->have, piece->number))
            continue;
        if (now < piece->moved_ms + stuck) {
            node_wake(swarm->node, piece->moved_ms + stuck);
            continue;
        }
        help_with(swarm, peer, piece);
        if (peer->asked.count > 0)
            return; /* else others help with this piece already */
    }
}

/* What is asked of one peer long before it can give it is not asked of others who could. So all
 * together are asked for what comes in ASKED_MS; one that has little to do, a little in any case.
 */
static bool has_room(const struct swarm *swarm, const struct peer *peer)
{
    uint64_t most = swarm->rate * ASKED_MS / 1000;

    most = most > ASKED_MIN ? most : ASKED_MIN;
    return peer->asked.count < ASKED_EACH || (uint64_t)swarm->asked * BLOCK_LENGTH < most;
}

void swarm_fill_peer(struct swarm *swarm, struct peer *peer)
{
    uint32_t target = peer->snubbed ? 1 : peer->target;

    if (!site_may_use_peers(swarm->site))
        return; /* switched off: not even a last word */
    peer_update_interest(peer);
    if (!peer->handshaken || !peer->am_interested ||
        (peer->peer_choking && peer->allowed_count == 0) ||
        swarm->node->now_ms < peer->quiet_until_ms || swarm->node->storing_bytes >= STORING_MAX)
        return;
    while (peer->asked.count < target && has_room(swarm, peer) && fair_use_may_ask(swarm))
        if (!request_next(swarm, peer))
            break;
    while (!peer->peer_choking && peer->asked.count < target && fair_use_may_ask(swarm))
        if (!swarm_take_over(swarm, peer))
            break;
    if (peer->asked.count == 0 && !peer->peer_choking)
        help_stuck(swarm, peer);
}

/* Most HAVEs are of pieces that we have, or of what is coming from elsewhere while this peer is
 * busy anyway: there are as many as pieces times neighbours. */
void swarm_fill_after_have(struct swarm *swarm, struct peer *peer, uint32_t piece)
{
    bool busy = peer->am_interested && peer->asked.count > 0;

    if (!bitfield_get(&swarm->have, piece) && !(busy && bitfield_get(&swarm->taken, piece)))
        swarm_fill_peer(swarm, peer);
}

void swarm_fill_peers(struct swarm *swarm)
{
    list_for_each(link, next, &swarm->peers)
        swarm_fill_peer(swarm, list_entry(link, struct peer, in_swarm));
}

void swarm_fill_all(struct node *node)
{
    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        list_for_each(link, next, &site->swarms)
            swarm_fill_peers(list_entry(link, struct swarm, in_site));
    }
}

/* --- blocks */

void swarm_block_lost(struct swarm *swarm, uint32_t number, uint32_t begin)
{
    struct piece *piece = swarm_find_piece(swarm, number);

    if (piece == NULL || piece->storing)
        return;
    struct block *block = &piece->blocks[begin / BLOCK_LENGTH];
    if (block->requests > 0 && --block->requests == 0 && !block->received)
        swarm->loose++;
    for (uint32_t i = 0; i < piece->block_count; i++)
        if (piece->blocks[i].received || piece->blocks[i].requests > 0)
            return;
    swarm_drop_piece(swarm, piece); /* nothing is left of it: it may be picked anew */
}

void swarm_cancel_piece(struct swarm *swarm, struct piece *piece)
{
    for (uint32_t i = 0; i < piece->block_count; i++)
        if (piece->blocks[i].requests > 0)
            cancel_elsewhere(swarm, piece, i * BLOCK_LENGTH);
    swarm_drop_piece(swarm, piece);
}

static void measure(struct swarm *swarm, const struct piece *piece, size_t length)
{
    uint64_t now = swarm->node->now_ms;
    uint64_t since = swarm->block_ms > piece->started_ms ? swarm->block_ms : piece->started_ms;

    swarm->gap_ms = now - since > swarm->gap_ms ? now - since : swarm->gap_ms - swarm->gap_ms / 16;
    swarm->block_ms = now;
    swarm->rate_bytes += length;
    uint64_t elapsed = now - swarm->rate_since_ms;
    if (elapsed < 1000)
        return;
    swarm->rate = swarm->rate_bytes * 1000 / elapsed;
    swarm->rate_bytes = 0;
    swarm->rate_since_ms = now;
}

/* A piece comes from one peer, as a rule; else from whom most of it came. */
static enum source source_of(const struct piece *piece)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < piece->block_count; i++)
        count += piece->blocks[i].by_supernode;
    return 2 * count > piece->block_count ? SOURCE_SUPERNODE : SOURCE_PEERS;
}

static void piece_complete(struct swarm *swarm, struct piece *piece)
{
    uint64_t took = swarm->node->now_ms - piece->started_ms;
    uint8_t *data = piece->data;

    swarm->piece_ms = swarm->piece_ms > 0 ? (3 * swarm->piece_ms + took) / 4 : took;
    piece->data = NULL;
    swarm_store_piece(swarm, piece, data, source_of(piece));
}

void swarm_block(struct swarm *swarm, struct peer *peer, uint32_t number, uint32_t begin,
                 struct span data)
{
    struct piece *piece = swarm_find_piece(swarm, number);

    if (piece == NULL || piece->storing) {
        swarm->site->wasted += data.length;
        return; /* others were quicker */
    }
    struct block *block = &piece->blocks[begin / BLOCK_LENGTH];
    if (block->requests > 0)
        block->requests--;
    if (block->received) {
        swarm->site->wasted += data.length;
        return;
    }
    if (piece->data == NULL)
        piece->data = mem_alloc(piece->length);
    memcpy(piece->data + begin, data.data, data.length);
    block->received = true;
    block->from = peer->conn;
    block->by_supernode = peer->is_supernode;
    peer->gave_blocks = true;
    piece->received++;
    piece->moved_ms = swarm->node->now_ms;
    measure(swarm, piece, data.length);
    if (block->requests > 0) {
        cancel_elsewhere(swarm, piece, begin);
        block->requests = 0;
    }
    if (piece->received == piece->block_count)
        piece_complete(swarm, piece);
}

/* --- availability */

void swarm_piece_moved(struct swarm *swarm, uint32_t number, int by)
{
    if (swarm->availability == NULL)
        swarm->availability = mem_calloc(swarm->meta->piece_count, sizeof *swarm->availability);
    swarm->availability[number] = (uint16_t)(swarm->availability[number] + by);
}
