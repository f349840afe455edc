/* Who sent what does not have its hash. */
#include "core/peer.h"

#define STRIKES_MAX 2 /* shares in bad pieces, before a peer is banned */

static bool only_from(const struct piece *piece, uint64_t conn)
{
    for (uint32_t i = 0; i < piece->block_count; i++)
        if (piece->blocks[i].from != conn)
            return false;
    return true;
}

static bool gave_some(const struct piece *piece, uint64_t conn)
{
    for (uint32_t i = 0; i < piece->block_count; i++)
        if (piece->blocks[i].from == conn)
            return true;
    return false;
}

/* A piece that does not hash: its one giver is banned; several share the suspicion. */
void swarm_blame(struct swarm *swarm, struct piece *piece)
{
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (!gave_some(piece, peer->conn))
            continue;
        char text[ADDRESS_TEXT];
        address_format(&peer->remote, text);
        node_log_once(swarm->node, span_of(&peer->remote, sizeof peer->remote),
                      "peer %s sent bytes that do not have their hash", text);
        if (only_from(piece, peer->conn) || ++peer->strikes >= STRIKES_MAX)
            peer_close(peer, true);
    }
}
