/* What a peer says: each message to whom it concerns. */
#include "core/crowd.h"
#include "core/getting.h"
#include "core/peer_impl.h"
#include "core/strikes.h"

#define FLAP_COST 4 /* of LIMIT_CHATTER, as those in peer_impl.h */

bool peer_allow_chatter(struct peer *peer, unsigned cost)
{
    return flood_add(&peer->chatter, peer->node->now_ms, LIMIT_CHATTER_S, cost) <= LIMIT_CHATTER ||
           peer_refuse(peer, STRIKE_FLOOD, "floods us with messages that lead to nothing");
}

/* --- what it has */

static bool handle_have(struct peer *peer, const struct peer_msg *msg)
{
    if (msg->index >= peer->have.bits)
        return peer_refuse(peer, STRIKE_MALFORMED, "has a piece that does not exist");
    peer->have_known = true;
    crowd_peer_has(peer, msg->index);
    if (bitfield_set(&peer->have, msg->index))
        swarm_piece_moved(peer->swarm, msg->index, 1);
    else if (!peer_allow_chatter(peer, 1))
        return false;
    peer_check_redundant(peer);
    peer_settle(peer);
    swarm_fill_after_have(peer->swarm, peer, msg->index);
    return true;
}

static void count_have(struct peer *peer)
{
    const struct bitfield *have = &peer->have;

    for (uint32_t i = bitfield_next_one(have, 0, have->bits); i != BITFIELD_NONE;
         i = bitfield_next_one(have, i + 1, have->bits))
        swarm_piece_moved(peer->swarm, i, 1);
}

static bool handle_bitfield(struct peer *peer, const struct peer_msg *msg)
{
    if (peer->have_known)
        return peer_refuse(peer, STRIKE_MALFORMED, "said twice what it has");
    if (msg->kind == PEER_HAVE_ALL)
        bitfield_set_all(&peer->have);
    else if (msg->kind == PEER_BITFIELD &&
             !bitfield_load(&peer->have, msg->payload.data, msg->payload.length))
        return peer_refuse(peer, STRIKE_MALFORMED, "sent a bitfield of the wrong length");
    peer->have_known = true;
    count_have(peer);
    peer_check_redundant(peer);
    peer_settle(peer);
    swarm_fill_peer(peer->swarm, peer);
    return true;
}

static bool handle_interest(struct peer *peer, const struct peer_msg *msg)
{
    if (!peer_allow_chatter(peer, FLAP_COST))
        return false;
    peer->peer_interested = msg->kind == PEER_INTERESTED;
    peer_update_choke(peer);
    if (peer->peer_interested)
        peer_send_gifts(peer);
    return true;
}

/* --- all of them */

bool peer_handle_message(struct peer *peer, const struct peer_msg *msg)
{
    if (peer->early != NULL)
        return peer_early_message(peer, msg);
    switch (msg->kind) {
    case PEER_CHOKE:
    case PEER_UNCHOKE:
        return peer_allow_chatter(peer, FLAP_COST) && peer_handle_choke(peer, msg);
    case PEER_INTERESTED:
    case PEER_NOT_INTERESTED:
        return handle_interest(peer, msg);
    case PEER_HAVE:
        return handle_have(peer, msg);
    case PEER_BITFIELD:
    case PEER_HAVE_ALL:
    case PEER_HAVE_NONE:
        return handle_bitfield(peer, msg);
    case PEER_REQUEST:
        return peer_wants_block(peer, msg) ||
               peer_refuse(peer, STRIKE_MALFORMED, "asks for what cannot be");
    case PEER_CANCEL:
        peer_unwants_block(peer, msg);
        return true;
    case PEER_PIECE:
        return peer_handle_piece(peer, msg);
    case PEER_REJECT:
        return peer_handle_reject(peer, msg);
    case PEER_EXTENDED:
        return (msg->extended_id != 0 || peer_allow_chatter(peer, PEER_HANDSHAKE_COST)) &&
               peer_handle_extended(peer, msg);
    case PEER_HASH_REQUEST:
        return peer_handle_hash_request(peer, &msg->hash);
    case PEER_HASHES:
        return peer_allow_chatter(peer, PEER_HASHES_COST) && blame_hashes(peer, &msg->hash);
    case PEER_HASH_REJECT:
        return peer_allow_chatter(peer, 1) && blame_rejected(peer, &msg->hash);
    case PEER_ALLOWED_FAST:
        return peer_handle_allowed(peer, msg->index);
    case PEER_SUGGEST:
        return peer_handle_suggest(peer, msg->index);
    default:
        return peer_allow_chatter(peer, 1); /* keep-alive, port, unknown */
    }
}
