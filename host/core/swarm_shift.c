/* What waits in the queue of a busy peer is asked of one that is idle. Pieces are asked for when
 * they come in sight, often when only one has them; by the time it is their turn others have them
 * too, and have nothing to do. The queue's last pieces are those that it will not give for long. */
#include "core/crowd.h"
#include "core/peer.h"

#define IDLE_BLOCKS 8       /* a peer that is asked for less than so many, ... */
#define BUSY_MORE   8       /* ... takes over from one that is asked for so many more, ... */
#define BUSY_MS     500     /* ... and that needs so much longer for it; */
#define OLD_MS      500     /* or, if it is asked for nothing, what has waited so long */
#define SHIFTS_MAX  2       /* of a piece: where nobody gives anything it would go round for ever */
#define SLOW_RATE   KIB(16) /* bytes a second, of a peer that has given nothing yet */

/* The whole piece that was asked of this peer last, if none of it has come and nobody else is asked
 * for it. */
static struct piece *last_piece(struct swarm *swarm, const struct peer *from)
{
    uint32_t last = from->asked.count - 1;
    struct piece *piece = swarm_find_piece(swarm, request_queue_at(&from->asked, last)->piece);

    if (piece == NULL || piece->storing || piece->received > 0 || piece->alone != 0 ||
        piece->shifts >= SHIFTS_MAX || piece->block_count > from->asked.count)
        return NULL;
    for (uint32_t i = 0; i < piece->block_count; i++)
        if (piece->blocks[i].requests != 1 ||
            request_queue_at(&from->asked, last - i)->piece != piece->number)
            return NULL;
    return piece;
}

uint64_t swarm_busy_ms(const struct peer *peer)
{
    uint64_t rate = peer->rate > SLOW_RATE ? peer->rate : SLOW_RATE;
    return (uint64_t)peer->asked.count * BLOCK_LENGTH * 1000 / rate;
}

static bool is_busier(const struct peer *other, const struct peer *peer)
{
    uint64_t now = peer->node->now_ms;

    if (other->asked.count == 0)
        return false;
    uint64_t asked_ms = request_queue_at(&other->asked, other->asked.count - 1)->sent_ms;
    if (peer->asked.count == 0 && now >= asked_ms + OLD_MS)
        return true;
    if (peer->asked.count == 0)
        node_wake(peer->node, asked_ms + OLD_MS);
    return other->asked.count >= peer->asked.count + BUSY_MORE &&
           swarm_busy_ms(other) >= swarm_busy_ms(peer) + BUSY_MS;
}

static void shift(struct piece *piece, struct peer *from, struct peer *to)
{
    for (uint32_t i = 0; i < piece->block_count; i++) {
        struct peer_request request = peer_take_asked(from, from->asked.count - 1);
        peer_cancel(from, request.piece, request.begin, request.length);
        peer_request(to, request.piece, request.begin, request.length);
    }
    piece->shifts++;
    if (from->piece == piece)
        from->piece = NULL;
    to->piece = piece;
}

bool swarm_take_over(struct swarm *swarm, struct peer *peer)
{
    struct peer *from = NULL;
    struct piece *piece = NULL;

    if (peer->asked.count >= IDLE_BLOCKS || peer->suspect || crowd_is_big(swarm) ||
        !node_has(swarm->node, PART_ENDGAME) || !site_may_waste(swarm->site))
        return false;
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *other = list_entry(link, struct peer, in_swarm);
        if (other == peer || !is_busier(other, peer) ||
            (from != NULL && swarm_busy_ms(other) <= swarm_busy_ms(from)))
            continue;
        struct piece *last = last_piece(swarm, other);
        if (last == NULL || !bitfield_get(&peer->have, last->number))
            continue;
        from = other;
        piece = last;
    }
    if (from != NULL)
        shift(piece, from, peer);
    return from != NULL;
}
