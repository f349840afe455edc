/* Near the deadline: the piece that a page waits for right now, when it is late, is asked of a
 * second peer as well; the blocks that come second are cancelled. What late means is measured:
 * twice what a piece has taken lately. It costs at most the few blocks that cross, and
 * site_may_waste bounds it. */
#include "core/crowd.h"
#include "core/peer.h"
#include "wire/peer_msg.h"

#define LATE_FIRST_MS 300 /* as long as nothing has been measured */
#define LATE_MIN_MS   150
#define LATE_MAX_MS   800

static uint64_t late_ms(const struct swarm *swarm)
{
    uint64_t late = 2 * swarm->piece_ms;

    if (late == 0)
        return LATE_FIRST_MS;
    if (late < LATE_MIN_MS)
        return LATE_MIN_MS;
    return late < LATE_MAX_MS ? late : LATE_MAX_MS;
}

/* The piece that the stream's reader needs next, if peers have been asked for it. */
static struct piece *waited_for(const struct stream *stream)
{
    struct swarm *swarm = stream->swarm;
    const struct metainfo_file *file = &swarm->meta->files[stream->file];
    uint32_t number = file->first_piece + (uint32_t)(stream->ready / swarm->meta->piece_length);
    struct piece *piece = swarm_find_piece(swarm, number);

    return piece == NULL || piece->storing || piece->judged || piece->alone != 0 || piece->hurried
               ? NULL
               : piece;
}

static bool is_asked(const struct peer *peer, const struct piece *piece)
{
    for (uint32_t i = 0; i < piece->block_count; i++)
        if (request_queue_find(&peer->asked, piece->number, i * BLOCK_LENGTH) != UINT32_MAX)
            return true;
    return false;
}

/* Who has it and would give it soonest, of those that are not asked for it, and need no longer than
 * the page has waited for it already. */
static struct peer *second_peer(struct swarm *swarm, const struct piece *piece, uint64_t waited_ms)
{
    struct peer *best = NULL;
    uint64_t best_ms = waited_ms;

    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (!peer->handshaken || peer->peer_choking || peer->snubbed || peer->suspect ||
            swarm->node->now_ms < peer->quiet_until_ms || !bitfield_get(&peer->have, piece->number))
            continue;
        uint64_t busy = swarm_busy_ms(peer);
        if (busy >= best_ms || is_asked(peer, piece))
            continue;
        best = peer;
        best_ms = busy;
    }
    return best;
}

static void ask_again(struct swarm *swarm, struct piece *piece, uint64_t waited_ms)
{
    struct peer *peer = second_peer(swarm, piece, waited_ms);

    if (peer == NULL || !site_may_waste(swarm->site) || !fair_use_may_ask(swarm))
        return;
    piece->hurried = true;
    for (uint32_t i = 0; i < piece->block_count; i++)
        if (!piece->blocks[i].received && piece->blocks[i].requests == 1)
            swarm_request_block(peer, piece, i);
}

void swarm_hurry_soon(const struct swarm *swarm)
{
    if (!crowd_is_big(swarm))
        node_wake(swarm->node, swarm->node->now_ms + LATE_MIN_MS);
}

/* When to look again. */
static uint64_t hurry_stream(struct swarm *swarm, const struct stream *stream)
{
    struct piece *piece = waited_for(stream);
    uint64_t now = swarm->node->now_ms;

    if (piece == NULL)
        return UINT64_MAX;
    uint64_t since = piece->moved_ms > stream->waits_ms ? piece->moved_ms : stream->waits_ms;
    uint64_t late = since + late_ms(swarm);
    if (now < late)
        return late;
    ask_again(swarm, piece, now - since);
    return piece->hurried ? UINT64_MAX : now + LATE_MIN_MS;
}

uint64_t swarm_hurry(const struct want *want)
{
    struct swarm *swarm = want->swarm;
    uint64_t wake = UINT64_MAX;

    if (!node_has(swarm->node, PART_HURRY) || crowd_is_big(swarm) || swarm->pieces == NULL)
        return wake;
    list_for_each(link, next, &want->streams)
    {
        uint64_t at = hurry_stream(swarm, list_entry(link, struct stream, in_want));
        wake = at < wake ? at : wake;
    }
    return wake;
}
