/* What a peer asks of us: whole blocks, straight from the store; in which order says
 * upload_order.c. */
#include "core/choker.h"
#include "core/peer.h"
#include "core/supernode.h"
#include "core/upload_order.h"

#define QUEUE_MS       190 /* of the uplink's rate may be queued at the sockets */
#define QUEUE_MIN      KIB(64)
#define QUEUE_MAX      MIB(2)
#define QUEUE_PEER_MIN UPLOAD_ENOUGH /* for one peer, over a slow link */
#define QUEUE_PEER_MAX KIB(512)      /* for one peer */
#define RATE_DECAY     64            /* a second takes off so much of what the rate was too high */
#define STALL_MS       500
#define BLOCK_HEAD     13 /* before the block's bytes */

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

void peer_reject(struct peer *peer, uint32_t piece, uint32_t begin, uint32_t length)
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
    struct peer_request request = {.piece = msg->index,
                                   .begin = msg->begin,
                                   .length = msg->length,
                                   .head = swarm_is_head(peer->swarm, msg->index),
                                   .sent_ms = peer->node->now_ms};
    bool there = bitfield_get(&peer->swarm->have, msg->index);
    /* Longer than a block: refused and not punished, as libtorrent does. The release may have
     * expired since the peer was unchoked. */
    if (msg->length > LIMIT_PEER_REQUEST ||
        (peer->am_choking && !peer_takes_gift(peer, msg->index)) ||
        !site_may_share(peer->swarm->site) || peer->node->draining ||
        peer->wanted.count + peer->cold.count >= PEER_UPLOAD_QUEUE ||
        (!there && !supernode_keep(peer, &request))) {
        peer_reject(peer, msg->index, msg->begin, msg->length);
        return true;
    }
    supernode_suggest(peer, &request);
    if (!there)
        return true; /* it comes */
    upload_queue(peer, &request);
    supernode_asks(peer);
    node_wake(peer->node, peer->node->now_ms + STALL_MS);
    peer_serve_all(peer->node);
    return true;
}

void peer_unwants_block(struct peer *peer, const struct peer_msg *msg)
{
    uint32_t place = request_queue_find(&peer->wanted, msg->index, msg->begin);

    if (place == UINT32_MAX && supernode_unkeep(peer, msg->index, msg->begin)) {
        peer_reject(peer, msg->index, msg->begin, msg->length);
        return;
    }
    if (place == UINT32_MAX)
        return; /* it is on its way already */
    struct peer_request request = upload_unqueue(peer, place);
    peer_reject(peer, request.piece, request.begin, request.length);
}

void peer_refuse_all(struct peer *peer)
{
    while (peer->wanted.count > 0) {
        struct peer_request request = upload_unqueue(peer, 0);
        peer_reject(peer, request.piece, request.begin, request.length);
    }
    while (peer->cold.count > 0) {
        struct peer_request request = request_queue_remove(&peer->cold, 0);
        peer_reject(peer, request.piece, request.begin, request.length);
    }
    list_remove(&peer->in_cold);
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
    if (peer->send_queued == 0)
        peer->queue_moved_ms = swarm->node->now_ms;
    peer->send_queued += effect->text.length + request->length;
    peer->unreported += effect->text.length + request->length;
    swarm->node->send_queued += effect->text.length + request->length;
    peer->out_ms = swarm->node->now_ms;
    swarm->site->uploaded += real;
    struct transfer_tale tale = {.shared = true, .bytes = real, .peer = &peer->remote};
    transfer_tell(swarm, file, &tale);
    fair_use_sent_block(swarm->node, effect->text.length + request->length);
}

/* --- the uplink: one for all peers */

/* How much may be queued at the sockets: what the uplink takes in QUEUE_MS. More would only delay
 * what matters more than any block: HAVEs and claims behind it. */
static uint64_t queue_limit(const struct node *node)
{
    uint64_t limit = node->up_rate * QUEUE_MS / 1000;

    if (limit < QUEUE_MIN)
        limit = QUEUE_MIN;
    limit = limit < QUEUE_MAX ? limit : QUEUE_MAX;
    return limit < fair_use_queue(node) ? limit : fair_use_queue(node);
}

static void measure_uplink(struct node *node, size_t length)
{
    uint64_t elapsed = node->now_ms - node->up_since_ms;

    node->up_bytes += length;
    if (elapsed < 1000)
        return;
    uint64_t rate = node->up_bytes * 1000 / elapsed;
    /* A full downlink delays what tells us that bytes have arrived, and little to do is no lower
     * rate: what the uplink can do is what it did at best. */
    if (rate >= node->up_rate)
        node->up_rate = rate;
    else
        node->up_rate -= (node->up_rate - rate) / RATE_DECAY;
    node->up_bytes = 0;
    node->up_since_ms = node->now_ms;
}

/* A peer that takes nothing holds up itself and nobody else. */
static bool is_stalled(const struct peer *peer)
{
    return peer->send_queued > 0 && peer->node->now_ms >= peer->queue_moved_ms + STALL_MS;
}

/* Of what we gave to this peer: waits in front of the uplink. */
static size_t waiting(const struct peer *peer)
{
    if (is_stalled(peer))
        return 0;
    /* What the socket would not take waits for the peer, not for the link. */
    return peer->has_backlog ? peer->backlog + peer->unreported : peer->send_queued;
}

static uint64_t queued_at_sockets(const struct node *node)
{
    uint64_t queued = 0;

    for (const struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        queued += waiting(peer);
    return queued;
}

static size_t peer_limit(const struct peer *peer)
{
    return peer->backlog > 0 ? QUEUE_PEER_MIN : QUEUE_PEER_MAX;
}

static bool may_serve(const struct peer *peer)
{
    return peer->wanted.count > 0 && peer->send_queued < peer_limit(peer) && !is_stalled(peer) &&
           site_may_share(peer->swarm->site);
}

static bool somebody_waits(const struct node *node)
{
    for (const struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        if (may_serve(peer))
            return true;
    return false;
}

void peer_serve(struct peer *peer)
{
    struct peer_request request = upload_take(peer);
    send_block(peer, &request);
}

void peer_serve_all(struct node *node)
{
    if (node->config.supernode) {
        supernode_serve(node);
        return;
    }
    uint64_t queued = queued_at_sockets(node), limit = queue_limit(node);

    while (queued < limit) {
        struct peer *peer = upload_next(node, may_serve);
        if (peer == NULL)
            return;
        if (!fair_use_may_send(node, BLOCK_HEAD + BLOCK_LENGTH))
            break;
        peer_serve(peer);
        queued += BLOCK_LENGTH;
    }
    if (somebody_waits(node))
        choker_uplink_is_full(node);
}

void peer_sent(struct peer *peer, const struct event *event)
{
    size_t queued = event->peer.queued;

    peer->has_backlog = event->peer.has_backlog;
    peer->backlog = event->peer.backlog;
    peer->unreported = 0;
    if (queued < peer->send_queued)
        measure_uplink(peer->node, peer->send_queued - queued);
    if (queued != peer->send_queued)
        peer->queue_moved_ms = peer->node->now_ms;
    peer->node->send_queued -= peer->send_queued;
    peer->node->send_queued += queued;
    peer->send_queued = queued;
    supernode_asks(peer);
    peer_serve_all(peer->node);
}
