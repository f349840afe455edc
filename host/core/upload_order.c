/* The order of uploads. Everybody's requests wait for one uplink, and what goes first decides for
 * how long pages wait:
 *
 *   - what a page reads first, the head, before anything else; of that, what fewest have, for who
 *     gets it gives it on while we give the next;
 *   - then whose request has waited longest, where who is nearly done is taken to have waited
 *     longer: in a crowd that comes little by little all would otherwise be done at the same time,
 *     which is late for all;
 *   - who has enough at its socket comes after those who have not: a receiver whose own link is
 *     full would only hold up the uplink;
 *   - in a big crowd what we gave to nobody yet.
 *
 * All this moves a request by seconds at most, so nobody waits for ever. */
#include "core/upload_order.h"

#include "base/mem.h"
#include "core/crowd.h"

#include <string.h>

#define HEAD_MS   5000 /* of a request for a head, before others */
#define HOLDER_MS 100  /* of it, for each neighbour who has the piece */
#define LOOK      64   /* requests of one peer, however many it has sent */
#define AHEAD_MS  6000 /* of a request of who has everything, before one of who has little */
/* Of a request in a big crowd, for each time that we have given its piece. */
#define SPREAD_MS 2000
#define BEGUN_MS  2000 /* of a piece that has been begun there */

/* --- the queue */

void upload_queue(struct peer *peer, const struct peer_request *request)
{
    request_queue_push(&peer->wanted, request);
    peer->wanted_heads += request->head;
}

struct peer_request upload_unqueue(struct peer *peer, uint32_t place)
{
    struct peer_request request = request_queue_remove(&peer->wanted, place);

    peer->wanted_heads -= request.head;
    return request;
}

/* --- in a big crowd: what we gave to nobody yet comes first
 *
 * Fifty neighbours ask for the first piece of an extent before the second is there, and that would
 * wait for seconds behind them. One of each goes out first: who has it gives it on. */

static void count_given(struct swarm *swarm, const struct peer_request *request)
{
    if (request->begin > 0 || !crowd_is_big(swarm))
        return;
    if (swarm->given == NULL)
        swarm->given = mem_calloc(swarm->meta->piece_count, sizeof *swarm->given);
    if (swarm->given[request->piece] < UINT16_MAX)
        swarm->given[request->piece]++;
}

/* Since when it waits, for who spreads. What has been begun goes on: who has half of many pieces
 * has nothing to give. */
static uint64_t spread_since(const struct swarm *swarm, const struct peer_request *request)
{
    if (request->begin > 0)
        return request->sent_ms > BEGUN_MS ? request->sent_ms - BEGUN_MS : 0;
    if (swarm->given == NULL)
        return request->sent_ms;
    return request->sent_ms + (uint64_t)swarm->given[request->piece] * SPREAD_MS;
}

/* The blocks of that piece go to the front of the queue, in their order. */
static void bring_forward(struct request_queue *queue, uint32_t place)
{
    uint32_t piece = request_queue_at(queue, place)->piece, front = 0;

    for (uint32_t i = place; i < queue->count; i++) {
        struct peer_request request = *request_queue_at(queue, i);
        if (request.piece != piece)
            continue;
        memmove(request_queue_at(queue, front + 1), request_queue_at(queue, front),
                (i - front) * sizeof request);
        *request_queue_at(queue, front++) = request;
    }
}

static void spread(struct peer *peer)
{
    struct request_queue *queue = &peer->wanted;
    uint64_t best = spread_since(peer->swarm, request_queue_at(queue, 0));
    uint32_t place = 0, upto = queue->count < LOOK ? queue->count : LOOK;

    for (uint32_t i = 1; i < upto; i++) {
        const struct peer_request *request = request_queue_at(queue, i);
        if (request->begin > 0 || spread_since(peer->swarm, request) >= best)
            continue;
        best = spread_since(peer->swarm, request);
        place = i;
    }
    if (place > 0)
        bring_forward(queue, place);
}

/* --- heads first */

static uint64_t head_since(const struct swarm *swarm, const struct peer_request *request)
{
    uint32_t holders = swarm->availability != NULL ? swarm->availability[request->piece] : 0;
    return request->sent_ms + (uint64_t)HOLDER_MS * holders;
}

/* Which of the peer's requests for heads; there must be one. */
static uint32_t head_place(const struct peer *peer)
{
    const struct request_queue *queue = &peer->wanted;
    uint32_t first = 0, best;

    while (!request_queue_at(queue, first)->head)
        first++;
    best = first;
    for (uint32_t i = first + 1; i < queue->count && i < first + LOOK; i++) {
        const struct peer_request *request = request_queue_at(queue, i);
        if (request->head && head_since(peer->swarm, request) <
                                 head_since(peer->swarm, request_queue_at(queue, best)))
            best = i;
    }
    return best;
}

static uint32_t next_place(const struct peer *peer)
{
    return peer->wanted_heads > 0 && !crowd_is_big(peer->swarm) ? head_place(peer) : 0;
}

/* --- who is next */

/* Since when its next request waits, moved by what that request is. */
static uint64_t waits_since(struct peer *peer)
{
    const struct bitfield *have = &peer->have;

    if (crowd_is_big(peer->swarm)) {
        spread(peer);
        return spread_since(peer->swarm, request_queue_at(&peer->wanted, 0));
    }
    const struct peer_request *request = request_queue_at(&peer->wanted, next_place(peer));
    if (request->head)
        return head_since(peer->swarm, request);
    uint64_t since = request->sent_ms + HEAD_MS;
    if (have->count < have->bits / HEAD_SHARE)
        return since; /* it has just begun */
    return since + AHEAD_MS * (uint64_t)(have->bits - have->count) / (have->bits + 1);
}

/* Where the next one is a stranger it is the turn of the strangers, and goes round among them: who
 * asks for more at once does not get more. */
struct peer *upload_next(struct node *node, bool (*may_serve)(const struct peer *peer))
{
    struct peer *best = NULL, *stranger = NULL;
    uint64_t longest = UINT64_MAX;
    bool best_has_enough = true;

    for (struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next) {
        if (!may_serve(peer))
            continue;
        uint64_t since = waits_since(peer);
        bool enough = peer->send_queued >= UPLOAD_ENOUGH;
        if (best == NULL || enough < best_has_enough ||
            (enough == best_has_enough && since < longest)) {
            best = peer;
            longest = since;
            best_has_enough = enough;
        }
        if (choker_is_stranger(peer) && (stranger == NULL || peer->served < stranger->served))
            stranger = peer;
    }
    return best != NULL && choker_is_stranger(best) ? stranger : best;
}

struct peer_request upload_take(struct peer *peer)
{
    struct peer_request request = upload_unqueue(peer, next_place(peer));

    count_given(peer->swarm, &request);
    peer->served = ++peer->node->blocks_served;
    return request;
}
