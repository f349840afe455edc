/* A connection from before the torrent was known. How many pieces there are is not known either, so
 * what the peer says it has is kept as it came, and counted when the swarm is ready. */
#include "core/getting.h"
#include "core/peer_impl.h"
#include "core/strikes.h"

#include "base/mem.h"

static bool keep_one(struct peer *peer, uint32_t piece)
{
    struct buf *haves = &peer->early->haves;

    if (piece >= LIMIT_TORRENT_PIECES)
        return peer_refuse(peer, STRIKE_MALFORMED, "has a piece that does not exist");
    while (haves->length <= piece / 8)
        buf_put_u8(haves, 0);
    uint8_t bit = (uint8_t)(0x80 >> piece % 8);
    if ((haves->data[piece / 8] & bit) != 0)
        return peer_allow_chatter(peer, 1);
    haves->data[piece / 8] |= bit;
    return true;
}

static bool keep_have(struct peer *peer, const struct peer_msg *msg)
{
    struct peer_early *early = peer->early;

    if (early->said)
        return peer_refuse(peer, STRIKE_MALFORMED, "said twice what it has");
    early->said = true;
    early->all = msg->kind == PEER_HAVE_ALL;
    if (msg->kind == PEER_BITFIELD)
        buf_put(&early->bits, msg->payload.data, msg->payload.length);
    peer_settle(peer);
    return true;
}

static bool reject(struct peer *peer, const struct peer_msg *msg, enum peer_msg_kind kind)
{
    struct peer_msg answer = *msg;

    answer.kind = kind;
    if (peer->fast || kind == PEER_HASH_REJECT)
        peer_send(peer, &answer);
    return true;
}

static bool handle_extended(struct peer *peer, const struct peer_msg *msg)
{
    struct node *node = peer->node;
    uint64_t conn = peer->conn;

    if (msg->extended_id != EXTENSION_HANDSHAKE && msg->extended_id != EXTENSION_UT_METADATA)
        return true; /* of pieces that we know nothing of */
    bool handshake = msg->extended_id == EXTENSION_HANDSHAKE;
    if ((handshake && !peer_allow_chatter(peer, PEER_HANDSHAKE_COST)) ||
        !peer_handle_extended(peer, msg))
        return false;
    if (handshake)
        getting_peer_ready(peer);
    return node_find_peer(node, conn) != NULL;
}

bool peer_early_message(struct peer *peer, const struct peer_msg *msg)
{
    bool useful = msg->kind == PEER_EXTENDED || msg->kind == PEER_HASHES || msg->kind == PEER_HAVE;

    if (!useful && !peer_allow_chatter(peer, 1))
        return false;
    switch (msg->kind) {
    case PEER_CHOKE:
    case PEER_UNCHOKE:
        peer->peer_choking = msg->kind == PEER_CHOKE;
        return true;
    case PEER_INTERESTED:
    case PEER_NOT_INTERESTED:
        peer->peer_interested = msg->kind == PEER_INTERESTED;
        return true;
    case PEER_HAVE:
        return keep_one(peer, msg->index);
    case PEER_BITFIELD:
    case PEER_HAVE_ALL:
    case PEER_HAVE_NONE:
        return keep_have(peer, msg);
    case PEER_REQUEST:
        return reject(peer, msg, PEER_REJECT);
    case PEER_HASH_REQUEST:
        return reject(peer, msg, PEER_HASH_REJECT);
    case PEER_EXTENDED:
        return handle_extended(peer, msg);
    case PEER_HASHES:
        if (peer->layers_asked == 0)
            return peer_allow_chatter(peer, PEER_HASHES_COST);
        return getting_hashes(peer, &msg->hash);
    case PEER_HASH_REJECT:
        getting_rejected(peer, &msg->hash);
        return true;
    default:
        return true;
    }
}

void peer_early_begin(struct peer *peer)
{
    peer->early = mem_zalloc(sizeof *peer->early);
    buf_init(&peer->early->bits, LIMIT_PEER_MESSAGE);
    buf_init(&peer->early->haves, LIMIT_TORRENT_PIECES / 8);
}

static void early_free(struct peer_early *early)
{
    buf_done(&early->bits);
    buf_done(&early->haves);
    mem_free(early);
}

void peer_early_done(struct peer *peer)
{
    if (peer->early != NULL)
        early_free(peer->early);
    peer->early = NULL;
}

static void hear_again(struct peer *peer, const struct peer_early *early)
{
    struct peer_msg msg = {.kind = early->all               ? PEER_HAVE_ALL
                                   : early->bits.length > 0 ? PEER_BITFIELD
                                                            : PEER_HAVE_NONE};

    msg.payload = span_of(early->bits.data, early->bits.length);
    if (early->said && !peer_handle_message(peer, &msg))
        return;
    for (uint32_t i = 0; i < early->haves.length * 8; i++) {
        if ((early->haves.data[i / 8] & (0x80 >> i % 8)) == 0)
            continue;
        msg = (struct peer_msg){.kind = PEER_HAVE, .index = i};
        if (!peer_handle_message(peer, &msg))
            return;
    }
}

/* It learns what we have, and what it said is heard as if it said it now. */
void peer_early_over(struct peer *peer)
{
    struct peer_early *early = peer->early;

    if (early == NULL)
        return;
    peer->early = NULL;
    bitfield_init(&peer->have, peer->swarm->meta->piece_count);
    if (peer->extended)
        peer_send_extended(peer);
    peer_update_choke(peer);
    hear_again(peer, early);
    early_free(early);
}
