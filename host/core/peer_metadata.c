/* The info dictionary, for peers that know only its hash (BEP 9). It is not kept in memory with
 * every bundle: who asks makes the store read it again, and it stays for a short while. */
#include "core/getting.h"
#include "core/peer_impl.h"
#include "core/strikes.h"

#include "wire/ut_metadata.h"

#define KEEP_MS 10000

/* --- the bytes */

static void load_info(struct swarm *swarm)
{
    if (swarm->info_op != 0)
        return;
    swarm->info_op = node_op_begin(swarm->node, OP_INFO, swarm);
    struct effect *effect = update_add(swarm->node->update, EFFECT_LOAD_TORRENT, 0);
    effect->store.op = swarm->info_op;
    memcpy(effect->store.infohash, swarm->infohash, HASH_LENGTH);
}

/* The store's copy may have gone bad: then nobody gets it. */
static bool keep_info(struct swarm *swarm, struct span torrent)
{
    struct span info;
    uint8_t hash[HASH_LENGTH];

    if (metainfo_find_info(torrent, &info) != ERR_OK)
        return false;
    sha256(info.data, info.length, hash);
    if (memcmp(hash, swarm->infohash, HASH_LENGTH) != 0)
        return false;
    buf_done(&swarm->info);
    buf_init(&swarm->info, LIMIT_METADATA);
    buf_put(&swarm->info, info.data, info.length);
    return true;
}

/* --- answers */

static void send_message(struct peer *peer, const struct ut_metadata *msg)
{
    struct buf payload;

    buf_init(&payload, BLOCK_LENGTH + KIB(1));
    ut_metadata_encode(msg, &payload);
    peer_send_extension(peer, EXTENSION_UT_METADATA, &payload);
    buf_done(&payload);
}

static bool reject(struct peer *peer, uint32_t piece)
{
    send_message(peer, &(struct ut_metadata){.kind = UT_METADATA_REJECT, .piece = piece});
    return true;
}

static void answer(struct peer *peer, uint32_t piece)
{
    const struct buf *info = &peer->swarm->info;
    uint32_t total = (uint32_t)info->length;

    if (!site_may_share(peer->swarm->site) || piece >= ut_metadata_pieces(total)) {
        reject(peer, piece);
        return;
    }
    struct ut_metadata msg = {.kind = UT_METADATA_DATA, .piece = piece, .total_size = total};
    msg.data =
        span_of(info->data + (size_t)piece * BLOCK_LENGTH, ut_metadata_piece_length(total, piece));
    send_message(peer, &msg);
}

static void answer_waiting(struct peer *peer)
{
    for (uint32_t i = 0; i < peer->metadata_count; i++)
        answer(peer, peer->metadata_asked[i]);
    peer->metadata_count = 0;
}

void peer_info_loaded(void *owner, const struct event *event)
{
    struct swarm *swarm = owner;

    swarm->info_op = 0;
    if (event->store.result != ERR_OK || !keep_info(swarm, event->store.torrent))
        buf_done(&swarm->info); /* everybody is refused */
    swarm->info_until_ms = swarm->node->now_ms + KEEP_MS;
    node_wake(swarm->node, swarm->info_until_ms);
    list_for_each(link, next, &swarm->peers)
        answer_waiting(list_entry(link, struct peer, in_swarm));
}

uint64_t peer_info_tick(struct swarm *swarm)
{
    if (swarm->info.length == 0)
        return UINT64_MAX;
    if (swarm->node->now_ms < swarm->info_until_ms)
        return swarm->info_until_ms;
    buf_done(&swarm->info);
    return UINT64_MAX;
}

void peer_ask_info(struct peer *peer, uint32_t piece)
{
    send_message(peer, &(struct ut_metadata){.kind = UT_METADATA_REQUEST, .piece = piece});
}

/* --- the request */

static bool handle_request(struct peer *peer, uint32_t piece)
{
    struct swarm *swarm = peer->swarm;
    uint64_t burst = 2 * ut_metadata_pieces(swarm->meta->info_length) + 4 * LIMIT_METADATA_S;
    uint64_t level = flood_add(&peer->metadata_work, peer->node->now_ms, LIMIT_METADATA_S, 1);

    if (level > 4 * burst)
        return peer_refuse(peer, STRIKE_FLOOD, "floods us with requests for metadata");
    if (level > burst || !site_may_share(swarm->site) ||
        piece >= ut_metadata_pieces(swarm->meta->info_length))
        return reject(peer, piece);
    if (swarm->info.length > 0) {
        answer(peer, piece);
        return true;
    }
    if (peer->metadata_count == LIMIT_METADATA_QUEUE)
        return reject(peer, piece);
    peer->metadata_asked[peer->metadata_count++] = piece;
    load_info(swarm);
    return true;
}

bool peer_handle_metadata(struct peer *peer, struct span payload)
{
    struct ut_metadata msg;

    if (ut_metadata_decode(payload, &msg) != ERR_OK)
        return peer_refuse(peer, STRIKE_MALFORMED, "sent a malformed ut_metadata");
    if (msg.kind == UT_METADATA_REQUEST)
        return peer->early != NULL ? reject(peer, msg.piece) : handle_request(peer, msg.piece);
    return msg.kind == UT_METADATA_UNKNOWN || getting_info(peer, &msg);
}
