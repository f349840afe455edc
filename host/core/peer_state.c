/* What we tell a peer of ourselves: what we have, whether it may ask, whether we want something. */
#include "core/peer_impl.h"

#include "wire/lt_donthave.h"

#define LATER_MS  1000
#define LATER_MAX (sizeof((struct peer *)NULL)->later / sizeof *((struct peer *)NULL)->later)

/* Who has a piece is in no hurry to hear that we have it too, and a packet for a HAVE alone is
 * seven times as long as the HAVE: in a crowd that is a hundredth of everybody's uplink. */
void peer_have(struct peer *peer, uint32_t piece)
{
    bool done = bitfield_full(&peer->swarm->have);

    if (!peer->told_have || peer->told_all)
        return;
    if (done || piece >= peer->have.bits || !bitfield_get(&peer->have, piece)) {
        peer_send(peer, &(struct peer_msg){.kind = PEER_HAVE, .index = piece});
        return;
    }
    if (peer->later_count == 0) {
        peer->later_ms = peer->node->now_ms + LATER_MS;
        node_wake(peer->node, peer->later_ms);
    }
    peer->later[peer->later_count++] = piece;
    if (peer->later_count == LATER_MAX)
        peer_send_later(peer);
}

void peer_send_later(struct peer *peer)
{
    uint32_t count = peer->later_count;

    peer->later_count = 0;
    for (uint32_t i = 0; i < count; i++)
        peer_send(peer, &(struct peer_msg){.kind = PEER_HAVE, .index = peer->later[i]});
}

/* Who does not speak BEP 54 gets a reject when it asks. */
void peer_dont_have(struct peer *peer, uint32_t piece)
{
    struct buf payload;

    if (!peer->told_have || peer->told_all)
        return;
    buf_init(&payload, 4);
    lt_donthave_encode(piece, &payload);
    peer_send_extension(peer, EXTENSION_LT_DONTHAVE, &payload);
    buf_done(&payload);
}

/* In zone fetch nobody learns what we have: we would not give it anyway. */
void peer_send_have(struct peer *peer)
{
    const struct bitfield *have = &peer->swarm->have;
    bool share = site_may_share(peer->swarm->site);

    peer->told_have = share && peer->early == NULL;
    peer->told_all = peer->told_have && peer->fast && peer->node->config.supernode;
    if (peer->told_all) {
        peer_send_simple(peer, PEER_HAVE_ALL);
        return;
    }
    if (peer->fast && (!share || have->count == 0)) {
        peer_send_simple(peer, PEER_HAVE_NONE);
    } else if (peer->fast && bitfield_full(have)) {
        peer_send_simple(peer, PEER_HAVE_ALL);
    } else if (share && have->count > 0) {
        struct peer_msg msg = {.kind = PEER_BITFIELD};
        msg.payload = span_of(have->bytes, bitfield_bytes(have->bits));
        peer_send(peer, &msg);
    }
}

/* --- choke and interest */

void peer_set_choking(struct peer *peer, bool choking)
{
    if (peer->am_choking == choking)
        return;
    peer->am_choking = choking;
    peer_send_simple(peer, choking ? PEER_CHOKE : PEER_UNCHOKE);
    if (choking)
        peer_refuse_all(peer);
}

void peer_update_choke(struct peer *peer)
{
    bool share = site_may_share(peer->swarm->site);

    if (!peer->handshaken || peer->early != NULL)
        return;
    if (share && !peer->told_have) {
        peer->told_have = true;
        const struct bitfield *have = &peer->swarm->have;
        for (uint32_t i = bitfield_next_one(have, 0, have->bits); i != BITFIELD_NONE;
             i = bitfield_next_one(have, i + 1, have->bits))
            peer_have(peer, i);
    }
    if (share) {
        choker_consider(peer);
        return;
    }
    peer->later_count = 0; /* first: what is sent from here on must not take it along */
    peer_set_choking(peer, true);
    peer->told_have = peer->told_all = false;
}

static bool has_something_wanted(const struct peer *peer)
{
    const struct swarm *swarm = peer->swarm;

    list_for_each(link, next, &swarm->wants)
    {
        const struct want *want = list_entry(link, struct want, in_swarm);
        const struct metainfo_file *file = &swarm->meta->files[want->file];
        uint32_t end = file->first_piece + file->pieces;
        for (uint32_t i = bitfield_next_zero(&swarm->have, want->head, end); i != BITFIELD_NONE;
             i = bitfield_next_zero(&swarm->have, i + 1, end))
            if (bitfield_get(&peer->have, i))
                return true;
    }
    return false;
}

void peer_update_interest(struct peer *peer)
{
    bool none_wanted = list_empty(&peer->swarm->wants);

    if (peer->node->config.supernode)
        return; /* it takes nothing from visitors */
    if (!peer->handshaken || (peer->am_interested && !swarm_is_idle(peer->swarm)))
        return;
    if (peer->am_interested) {
        peer->am_interested = false;
        peer_send_simple(peer, PEER_NOT_INTERESTED);
    } else if (!none_wanted && has_something_wanted(peer)) {
        peer->am_interested = true;
        peer_send_simple(peer, PEER_INTERESTED);
    }
}
