#include "core/getting_impl.h"

#include "base/mem.h"
#include "core/peer_impl.h"
#include "core/strikes.h"
#include "wire/bencode.h"

#include <string.h>

#define INFO_ASKED 8     /* pieces of info under way, from one peer: a wrong one has one culprit */
#define DRIP_MS    10000 /* for all of info, and at this rate */
#define DRIP_RATE  KIB(32)

/* --- birth and death */

void getting_start(struct swarm *swarm)
{
    if (swarm->getting != NULL || swarm->meta != NULL || swarm->node->config.supernode)
        return; /* a super-node has all from the site itself */
    swarm->getting = mem_zalloc(sizeof *swarm->getting);
    swarm->getting->swarm = swarm;
    buf_init(&swarm->getting->info, LIMIT_METADATA);
    swarm_find_peers(swarm);
}

void getting_stop(struct swarm *swarm)
{
    struct getting *getting = swarm->getting;

    if (getting == NULL)
        return;
    swarm->getting = NULL;
    buf_done(&getting->info);
    metainfo_free(getting->bare);
    mem_free(getting->order);
    mem_free(getting->layers);
    mem_free(getting->chunks);
    mem_free(getting);
}

/* --- the info dictionary */

static struct peer *choose_source(const struct getting *getting)
{
    list_for_each(link, next, &getting->swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (peer->speaks[EXTENSION_UT_METADATA] != 0 && peer->metadata_size > 0 &&
            !peer->gives_no_info)
            return peer;
    }
    return NULL;
}

static void ask_info(struct getting *getting)
{
    struct peer *peer =
        getting->conn != 0 ? node_find_peer(getting->swarm->node, getting->conn) : NULL;
    uint32_t got = (uint32_t)getting->info.length / BLOCK_LENGTH;

    if (peer == NULL) {
        peer = choose_source(getting);
        getting->conn = peer != NULL ? peer->conn : 0;
        if (peer == NULL)
            return;
        buf_clear(&getting->info);
        getting->total = peer->metadata_size;
        getting->asked = got = 0;
        getting->moved_ms = getting->begun_ms = getting->swarm->node->now_ms;
    }
    uint32_t pieces = ut_metadata_pieces(getting->total);
    while (getting->asked < pieces && getting->asked < got + INFO_ASKED)
        peer_ask_info(peer, getting->asked++);
    node_wake(peer->node, getting->moved_ms + GETTING_ANSWER_MS);
}

/* This peer is of no use for it: the next one is asked, from the beginning. */
static void next_source(struct getting *getting)
{
    struct peer *peer = node_find_peer(getting->swarm->node, getting->conn);

    if (peer != NULL)
        peer->gives_no_info = true;
    getting->conn = 0;
    ask_info(getting);
}

/* --- all is there */

/* As the site would have given it, but for trackers and web seeds: those count from nobody. */
void getting_finish(struct getting *getting)
{
    struct swarm *swarm = getting->swarm;
    struct buf torrent;

    buf_init(&torrent, LIMIT_TORRENT);
    bencode_put_dict(&torrent);
    bencode_put_text(&torrent, "info");
    buf_put(&torrent, getting->info.data, getting->info.length);
    if (getting->order_count > 0)
        getting_layers_put(getting, &torrent);
    bencode_put_end(&torrent);
    getting_stop(swarm);
    if (torrent.failed)
        swarm_refuse_torrent(swarm, ERR_TOO_LARGE);
    else
        swarm_take_torrent(swarm, &torrent);
    buf_done(&torrent);
}

static void info_complete(struct getting *getting)
{
    struct swarm *swarm = getting->swarm;
    uint8_t hash[HASH_LENGTH];

    sha256(getting->info.data, getting->info.length, hash);
    if (memcmp(hash, swarm->infohash, HASH_LENGTH) != 0) {
        struct peer *liar = node_find_peer(getting->swarm->node, getting->conn);
        getting->conn = 0;
        peer_refuse(liar, STRIKE_BAD_BYTES, "sent metadata that does not have its hash");
        ask_info(getting);
        return;
    }
    getting->conn = 0;
    enum err err = metainfo_parse_info(getting->info.data, getting->info.length, &getting->bare);
    if (err != ERR_OK) {
        swarm_refuse_torrent(swarm, err); /* the publisher's own fault: no peer can mend it */
        getting_stop(swarm);
        return;
    }
    getting_layers_plan(getting);
    if (getting->left == 0)
        getting_finish(getting);
    else
        getting_layers_ask(getting);
}

bool getting_info(struct peer *peer, const struct ut_metadata *msg)
{
    struct swarm *swarm = peer->swarm;
    struct node *node = peer->node;
    struct getting *getting = swarm->getting;
    uint64_t conn = peer->conn;

    if (getting == NULL || getting->conn != conn)
        return true;
    bool next = msg->piece * (size_t)BLOCK_LENGTH == getting->info.length;
    if (msg->kind == UT_METADATA_REJECT || !next || msg->total_size != getting->total) {
        next_source(getting);
        return true;
    }
    buf_put(&getting->info, msg->data.data, msg->data.length);
    getting->moved_ms = node->now_ms;
    if (getting->info.length == getting->total)
        info_complete(getting);
    else
        ask_info(getting);
    return node_find_peer(node, conn) != NULL;
}

/* --- peers and time */

void getting_peer_ready(struct peer *peer)
{
    struct getting *getting = peer->swarm->getting;

    if (getting == NULL)
        return;
    if (getting->bare != NULL)
        getting_layers_ask(getting);
    else if (getting->conn == 0)
        ask_info(getting);
}

void getting_peer_left(struct peer *peer)
{
    struct getting *getting = peer->swarm->getting;

    if (getting == NULL)
        return;
    getting_layers_give_back(getting, peer);
    if (getting->conn == peer->conn)
        getting->conn = 0;
    node_wake(peer->node, peer->node->now_ms); /* others are asked at the next tick */
}

/* Who sends a byte now and then must not keep us from asking others. */
static bool drips(const struct getting *getting)
{
    return getting->swarm->node->now_ms >=
           getting->begun_ms + DRIP_MS + getting->total * UINT64_C(1000) / DRIP_RATE;
}

uint64_t getting_tick(struct swarm *swarm)
{
    struct getting *getting = swarm->getting;
    uint64_t now = swarm->node->now_ms;

    if (getting == NULL)
        return UINT64_MAX;
    if (getting->bare != NULL) {
        uint64_t wake = getting_layers_drop_slow(getting), late = now + GETTING_ANSWER_MS;
        getting_layers_ask(getting);
        return wake < late ? wake : late;
    }
    if (getting->conn != 0 && (now >= getting->moved_ms + GETTING_ANSWER_MS || drips(getting)))
        next_source(getting);
    else
        ask_info(getting);
    return getting->conn != 0 ? getting->moved_ms + GETTING_ANSWER_MS : UINT64_MAX;
}
