/* The handshake (BEP 3): which swarm it is about, and whether we want this connection. */
#include "core/peer_impl.h"

#include <string.h>

#define RACE_MS 5000 /* two dials that crossed happen within this */

void peer_send_handshake(struct peer *peer)
{
    struct peer_handshake handshake = {.extended = true, .fast = true};

    memcpy(handshake.infohash, peer->swarm->infohash, SHORT_HASH_LENGTH);
    memcpy(handshake.peer_id, peer->swarm->peer_id, PEER_ID_LENGTH);
    peer_handshake_encode(&handshake, update_send(peer->node->update, peer->conn));
    peer->sent_handshake = true;
}

static struct swarm *find_swarm(struct node *node, const uint8_t *infohash)
{
    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        if (!site_may_use_peers(site) || site_has_supernodes_only(site))
            continue;
        list_for_each(link, next, &site->swarms)
        {
            struct swarm *swarm = list_entry(link, struct swarm, in_site);
            if (swarm_is_open(swarm) && memcmp(swarm->infohash, infohash, SHORT_HASH_LENGTH) == 0)
                return swarm;
        }
    }
    return NULL;
}

static struct peer *find_twin(const struct peer *peer)
{
    list_for_each(link, next, &peer->swarm->peers)
    {
        struct peer *other = list_entry(link, struct peer, in_swarm);
        if (memcmp(other->id, peer->id, PEER_ID_LENGTH) == 0)
            return other;
    }
    return NULL;
}

/* Two connections between the same two: when their dials have crossed, both ends keep the one
 * that the larger peer id dialled; else the newer one goes. */
static bool is_better_twin(const struct peer *peer, const struct peer *old)
{
    bool we_are_larger = memcmp(peer->swarm->peer_id, peer->id, PEER_ID_LENGTH) > 0;

    if (peer->incoming == old->incoming || peer->node->now_ms > old->opened_ms + RACE_MS)
        return false;
    return peer->incoming != we_are_larger;
}

static bool choose_swarm(struct peer *peer, const struct peer_handshake *handshake)
{
    if (peer->swarm == NULL) {
        struct swarm *swarm = find_swarm(peer->node, handshake->infohash);
        if (swarm == NULL) {
            peer->node->counts.refused++;
            peer->node->counts.malformed--; /* it is none */
        }
        if (swarm == NULL)
            return peer_refuse(peer, 0, "asks for a torrent that is not shared here");
        if (!swarm_make_room(swarm, peer)) {
            peer_close(peer, false);
            return false;
        }
        peer_join_swarm(peer, swarm);
    }
    if (memcmp(handshake->infohash, peer->swarm->infohash, SHORT_HASH_LENGTH) != 0)
        return peer_refuse(peer, 0, "answered for another torrent");
    return true;
}

static bool is_only_one(struct peer *peer, const struct peer_handshake *handshake)
{
    memcpy(peer->id, handshake->peer_id, PEER_ID_LENGTH);
    struct peer *twin = find_twin(peer);
    if (twin == NULL)
        return true;
    if (is_better_twin(peer, twin)) {
        peer_close(twin, false);
        return true;
    }
    peer_close(peer, false);
    return false;
}

static bool is_self(const struct peer *peer, const struct peer_handshake *handshake)
{
    return memcmp(handshake->peer_id, peer->swarm->peer_id, PEER_ID_LENGTH) == 0;
}

/* The other end is this host. The end that has dialled must learn it, so as never to dial that
 * address again: so the other one answers, and waits for it to close. */
static bool handle_self(struct peer *peer)
{
    peer->is_self = true;
    if (peer->incoming && !peer->sent_handshake) {
        peer_send_handshake(peer);
        return true;
    }
    peer_close(peer, false);
    return false;
}

bool peer_handle_handshake(struct peer *peer, const struct peer_handshake *handshake)
{
    if (!choose_swarm(peer, handshake))
        return false;
    if (is_self(peer, handshake))
        return handle_self(peer);
    if (!is_only_one(peer, handshake))
        return false;
    peer->handshaken = true;
    peer->fast = handshake->fast;
    peer->extended = handshake->extended;
    if (peer->swarm->state == SWARM_READY)
        bitfield_init(&peer->have, peer->swarm->meta->piece_count);
    else
        peer_early_begin(peer);
    list_push_back(&peer->swarm->peers, &peer->in_swarm);
    if (!peer->sent_handshake)
        peer_send_handshake(peer);
    peer_send_have(peer);
    if (peer->extended)
        peer_send_extended(peer);
    return true;
}
