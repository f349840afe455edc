/* What a peer asks of us: whole blocks, in the order asked, straight from the store. */
#include "core/peer.h"

#define SEND_HIGH_WATER KIB(512) /* queued at the socket, before the next block waits */

static bool may_ask(const struct peer *peer, const struct peer_msg *msg)
{
    const struct metainfo *meta = peer->swarm->meta;

    if (msg->index >= meta->piece_count || msg->length == 0)
        return false;
    /* libtorrent up to 2.0.12 asks for whole blocks even where the file ends earlier, and takes a
     * shorter answer for an error: such a request is right up to the end of the last block. */
    uint32_t bytes = metainfo_piece_bytes(meta, msg->index);
    uint64_t padded = (uint64_t)merkle_blocks(bytes) * BLOCK_LENGTH;
    return msg->begin < bytes &&
           (msg->length > LIMIT_PEER_REQUEST || (uint64_t)msg->begin + msg->length <= padded);
}

static void reject(struct peer *peer, uint32_t piece, uint32_t begin, uint32_t length)
{
    if (!peer->fast)
        return; /* without BEP 6 silence is the only no */
    peer_send(peer, &(struct peer_msg){
                        .kind = PEER_REJECT, .index = piece, .begin = begin, .length = length});
}

bool peer_wants_block(struct peer *peer, const struct peer_msg *msg)
{
    if (!may_ask(peer, msg))
        return false;
    /* Longer than a block: refused and not punished, as libtorrent does. The release may have
     * expired since the peer was unchoked. */
    if (msg->length > LIMIT_PEER_REQUEST || peer->am_choking ||
        !site_may_share(peer->swarm->site) || !bitfield_get(&peer->swarm->have, msg->index) ||
        peer->wanted.count >= PEER_UPLOAD_QUEUE) {
        reject(peer, msg->index, msg->begin, msg->length);
        return true;
    }
    struct peer_request request = {msg->index, msg->begin, msg->length, peer->node->now_ms};
    request_queue_push(&peer->wanted, &request);
    peer_serve(peer);
    return true;
}

void peer_unwants_block(struct peer *peer, const struct peer_msg *msg)
{
    uint32_t place = request_queue_find(&peer->wanted, msg->index, msg->begin);

    if (place == UINT32_MAX)
        return; /* it is on its way already */
    struct peer_request request = request_queue_remove(&peer->wanted, place);
    reject(peer, request.piece, request.begin, request.length);
}

void peer_refuse_all(struct peer *peer)
{
    while (peer->wanted.count > 0) {
        struct peer_request request = request_queue_remove(&peer->wanted, 0);
        reject(peer, request.piece, request.begin, request.length);
    }
}

static void send_block(struct peer *peer, const struct peer_request *request)
{
    struct swarm *swarm = peer->swarm;
    uint32_t file = metainfo_file_of_piece(swarm->meta, request->piece);
    uint32_t real = metainfo_piece_bytes(swarm->meta, request->piece) - request->begin;
    struct peer_msg msg = {.kind = PEER_PIECE, .index = request->piece, .begin = request->begin};

    real = real < request->length ? real : request->length;
    msg.payload.length = request->length; /* the data follows from the store */
    struct effect *effect = update_add(swarm->node->update, EFFECT_SEND_BLOCK, 64);
    peer_msg_encode(&msg, &effect->text);
    effect->peer.conn = peer->conn;
    effect->peer.file = update_file(&swarm->meta->files[file]);
    effect->peer.piece_length = swarm->meta->piece_length;
    effect->peer.offset =
        (uint64_t)swarm_piece_offset(swarm, file, request->piece) * swarm->meta->piece_length +
        request->begin;
    effect->peer.length = real;
    effect->peer.pad = request->length - real;
    peer->send_queued += effect->text.length + request->length;
    peer->out_ms = swarm->node->now_ms;
    swarm->site->uploaded += real;
}

void peer_serve(struct peer *peer)
{
    while (peer->wanted.count > 0 && peer->send_queued < SEND_HIGH_WATER) {
        struct peer_request request = request_queue_remove(&peer->wanted, 0);
        send_block(peer, &request);
    }
}

void peer_sent(struct peer *peer, size_t queued)
{
    peer->send_queued = queued;
    if (peer->swarm != NULL && peer->handshaken)
        peer_serve(peer);
}
