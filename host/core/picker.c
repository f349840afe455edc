/* Which piece to ask a peer for: what a page reads next, and behind that its file in order, the
 * rarest within a window first so that neighbours do not all hold the same. */
#include "core/crowd.h"
#include "core/peer.h"

#define WINDOW                                                                                     \
    26 /* pieces from the first gap on; facts: strict order costs copies, this is free             \
        */

/* Another file of the same content is already bringing it. */
static bool twin_on_its_way(struct swarm *swarm, uint32_t file, uint32_t number)
{
    if (swarm->twins == NULL)
        return false;
    uint32_t offset = swarm_piece_offset(swarm, file, number);
    for (uint32_t twin = swarm->twins[file]; twin != file; twin = swarm->twins[twin])
        if (bitfield_get(&swarm->taken, swarm->meta->files[twin].first_piece + offset))
            return true;
    return false;
}

static bool is_free(const struct want *want, uint32_t number)
{
    return !origin_brings(want, number) && !twin_on_its_way(want->swarm, want->file, number);
}

/* Of equals one that the peer suggests (BEP 6), else one by lot. */
static bool is_drawn(struct swarm *swarm, const struct peer *peer, uint32_t piece, uint32_t best,
                     uint32_t *equals)
{
    bool suggested = peer_suggests(peer, piece);

    if (suggested == peer_suggests(peer, best))
        return rng_below(&swarm->node->rng, ++*equals) == 0;
    if (suggested)
        *equals = 1;
    return suggested;
}

/* The rarest of the `window` pieces from `from` on; beyond them, the first there is. In
 * a crowd equals are drawn by lot, or everybody would ask a lone seed for the same. */
static uint32_t pick_from(const struct want *want, const struct peer *peer, uint32_t from,
                          uint32_t window)
{
    const struct swarm *swarm = want->swarm;
    const struct metainfo_file *file = &swarm->meta->files[want->file];
    uint32_t end = file->first_piece + file->pieces;
    uint32_t best = UINT32_MAX, equals = 0;
    uint32_t upto = end - from > window ? from + window : end;
    bool crowd = crowd_is(swarm);

    for (;; from++) {
        from = bitfield_next_zero(&swarm->taken, from, end);
        if (from == BITFIELD_NONE || (best != UINT32_MAX && from >= upto))
            return best;
        if (!is_free(want, from))
            continue;
        if (!bitfield_get(&peer->have, from))
            continue;
        if (best != UINT32_MAX && !node_has(swarm->node, PART_RAREST))
            return best;
        if (best == UINT32_MAX || swarm->availability[from] < swarm->availability[best]) {
            best = from;
            equals = 1;
        } else if (crowd && swarm->availability[from] == swarm->availability[best] &&
                   is_drawn(want->swarm, peer, from, best, &equals)) {
            best = from;
        }
    }
}

/* In a crowd, and with the first tenth of the file there: from now on its pieces are worth most to
 * everybody when they are spread. */
static bool past_head(const struct want *want)
{
    const struct metainfo_file *file = &want->swarm->meta->files[want->file];
    bool past = want->head - file->first_piece >= swarm_head_pieces(file->pieces);

    return (past || !node_has(want->swarm->node, PART_HEAD)) && crowd_is(want->swarm);
}

static uint32_t pick_for_want(const struct want *want, const struct peer *peer)
{
    const struct metainfo *meta = want->swarm->meta;

    list_for_each(link, next, &want->streams)
    {
        const struct stream *stream = list_entry(link, struct stream, in_want);
        if (stream->status == 200 && past_head(want))
            continue; /* the page waits for all of it */
        uint32_t at =
            meta->files[want->file].first_piece + (uint32_t)(stream->ready / meta->piece_length);
        uint32_t piece = pick_from(want, peer, at, WINDOW);
        if (piece != UINT32_MAX)
            return piece;
    }
    return pick_from(want, peer, want->head, past_head(want) ? UINT32_MAX : WINDOW);
}

/* The same for a page of many files: with the first tenth of all that it wants there, the rarest
 * piece of all. In the page's order the last files would have one holder each until the end, and
 * that is who all would wait for. */
static bool past_pages_head(const struct swarm *swarm)
{
    if (list_empty(&swarm->wants) || !crowd_is(swarm))
        return false;
    const struct want *first = list_entry(swarm->wants.next, struct want, in_swarm);
    uint64_t there = first->before + first->head - swarm->meta->files[first->file].first_piece;
    return there >= swarm_head_pieces(swarm->wanted);
}

uint32_t picker_pick(struct swarm *swarm, const struct peer *peer)
{
    uint32_t best = UINT32_MAX, equals = 0;
    bool rarest = past_pages_head(swarm);

    list_for_each(link, next, &swarm->wants)
    {
        uint32_t piece = pick_for_want(list_entry(link, struct want, in_swarm), peer);
        if (piece == UINT32_MAX)
            continue;
        if (!rarest)
            return piece;
        if (best == UINT32_MAX || swarm->availability[piece] < swarm->availability[best]) {
            best = piece;
            equals = 1;
        } else if (swarm->availability[piece] == swarm->availability[best] &&
                   is_drawn(swarm, peer, piece, best, &equals)) {
            best = piece;
        }
    }
    return best;
}
