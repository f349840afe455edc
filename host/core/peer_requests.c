/* What we ask of a peer: blocks, and what comes of it. */
#include "core/peer_impl.h"
#include "core/strikes.h"

#define QUIET_MS      1000 /* after a reject */
#define STRAY_MAX     256  /* blocks that nobody asked for, before it is thrown out */
#define TARGET_MIN    8    /* blocks outstanding */
#define TARGET_MAX    256
#define QUEUE_TIME_MS 500 /* of requests at the peer's rate, once that is known */

/* --- asking */

void peer_request(struct peer *peer, uint32_t piece, uint32_t begin, uint32_t length)
{
    struct peer_request request = {
        .piece = piece, .begin = begin, .length = length, .sent_ms = peer->node->now_ms};

    if (peer->asked.count == 0) {
        peer->block_ms = peer->node->now_ms;
        node_wake(peer->node, peer->block_ms + PEER_SNUB_MS);
    }
    request_queue_push(&peer->asked, &request);
    peer->swarm->asked++;
    peer_send(peer, &(struct peer_msg){
                        .kind = PEER_REQUEST, .index = piece, .begin = begin, .length = length});
}

struct peer_request peer_take_asked(struct peer *peer, uint32_t place)
{
    peer->swarm->asked--;
    return request_queue_remove(&peer->asked, place);
}

void peer_cancel(struct peer *peer, uint32_t piece, uint32_t begin, uint32_t length)
{
    peer->cancelled++;
    peer_send(peer, &(struct peer_msg){
                        .kind = PEER_CANCEL, .index = piece, .begin = begin, .length = length});
}

void peer_drop_requests(struct peer *peer, bool cancel)
{
    while (peer->asked.count > 0) {
        struct peer_request request = peer_take_asked(peer, peer->asked.count - 1);
        if (cancel)
            peer_cancel(peer, request.piece, request.begin, request.length);
        swarm_block_lost(peer->swarm, request.piece, request.begin);
    }
    peer->piece = NULL;
}

void peer_give_back(struct peer *peer, uint32_t piece)
{
    for (uint32_t i = peer->asked.count; i-- > 0;) {
        if (request_queue_at(&peer->asked, i)->piece != piece)
            continue;
        struct peer_request request = peer_take_asked(peer, i);
        swarm_block_lost(peer->swarm, request.piece, request.begin);
    }
}

/* How many blocks to have outstanding: one more for each that arrives until the rate stops
 * rising, then what the peer gives in QUEUE_TIME_MS. */
static void measure(struct peer *peer, size_t length)
{
    uint64_t now = peer->node->now_ms, elapsed = now - peer->rate_since_ms;
    uint32_t most = peer->reqq > 0 ? peer->reqq : TARGET_MAX;

    most = most < TARGET_MAX ? most : TARGET_MAX;
    peer->rate_bytes += length;
    peer->given += length;
    if (peer->slow_start && peer->target < most)
        peer->target++;
    if (elapsed < 1000)
        return;
    peer->rate = peer->rate_bytes * 1000 / elapsed;
    peer->rate_bytes = 0;
    peer->rate_since_ms = now;
    if (peer->slow_start && peer->rate > peer->best_rate + peer->best_rate / 10) {
        peer->best_rate = peer->rate;
        return;
    }
    peer->slow_start = false;
    uint64_t blocks = peer->rate * QUEUE_TIME_MS / 1000 / BLOCK_LENGTH;
    if (blocks < TARGET_MIN)
        blocks = TARGET_MIN;
    peer->target = (uint32_t)(blocks < most ? blocks : most);
}

/* --- answers; each returns false when the peer has been closed */

bool peer_handle_choke(struct peer *peer, const struct peer_msg *msg)
{
    peer->peer_choking = msg->kind == PEER_CHOKE;
    /* With BEP 6 every request is still answered; without it a choke has forgotten them. */
    if (peer->peer_choking && !peer->fast)
        peer_drop_requests(peer, false);
    swarm_fill_peer(peer->swarm, peer);
    return true;
}

/* What was taken back may have been on its way; many that were not are an attack. */
static bool answers_cancel(struct peer *peer)
{
    if (peer->cancelled == 0)
        return false;
    peer->cancelled--;
    return true;
}

bool peer_handle_piece(struct peer *peer, const struct peer_msg *msg)
{
    uint32_t place = request_queue_find(&peer->asked, msg->index, msg->begin);

    if (place == UINT32_MAX) {
        peer->swarm->site->wasted += msg->payload.length;
        if (answers_cancel(peer))
            return true;
        return ++peer->strays < STRAY_MAX ||
               peer_refuse(peer, STRIKE_FLOOD, "sends what nobody asked for");
    }
    /* Looked at before it is taken out: whoever closes must find it, to give the block back. */
    if (msg->payload.length != request_queue_at(&peer->asked, place)->length)
        return peer_refuse(peer, STRIKE_MALFORMED, "sent a block of another length than was asked");
    peer_take_asked(peer, place);
    peer->block_ms = peer->node->now_ms;
    peer->snubbed = false;
    peer->quiet_until_ms = 0;
    measure(peer, msg->payload.length);
    swarm_block(peer->swarm, peer, msg->index, msg->begin, msg->payload);
    swarm_fill_peer(peer->swarm, peer);
    return true;
}

bool peer_handle_reject(struct peer *peer, const struct peer_msg *msg)
{
    uint32_t place = request_queue_find(&peer->asked, msg->index, msg->begin);

    if (place == UINT32_MAX) {
        answers_cancel(peer);
        return true;
    }
    struct peer_request request = peer_take_asked(peer, place);
    /* Asking again at once would only go round in circles. */
    peer->quiet_until_ms = peer->node->now_ms + QUIET_MS;
    node_wake(peer->node, peer->quiet_until_ms);
    struct swarm *swarm = peer->swarm;
    swarm_block_lost(swarm, request.piece, request.begin);
    swarm_fill_peers(swarm);
    return true;
}
