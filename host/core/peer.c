/* One connection: its birth and death, its bytes, its time. What messages mean is in the other
 * peer_*.c (peer.h names them). */
#include "core/crowd.h"
#include "core/getting.h"
#include "core/peer_impl.h"
#include "core/strikes.h"
#include "core/supernode.h"

#include "base/mem.h"

#include <string.h>

#define KEEP_ALIVE_MS 120000
#define DEAD_MS       30000 /* asked and no block for so long: it goes */
#define TELLERS       8     /* of a bundle */
#define REDUNDANT_MS  1000  /* two that have everything: what has been said may still arrive */
#define SERVE_MS      250   /* between looks at requests that wait for the uplink */

/* --- birth and death */

static struct peer *peer_new(struct node *node, uint64_t conn, const struct address *remote)
{
    struct peer *peer = mem_zalloc(sizeof *peer);

    peer->node = node;
    peer->conn = conn;
    peer->remote = *remote;
    peer->am_choking = peer->peer_choking = true;
    peer->target = PEER_TARGET_START;
    peer->slow_start = true;
    peer->opened_ms = peer->in_ms = peer->out_ms = node->now_ms;
    peer->redundant_ms = UINT64_MAX;
    buf_init(&peer->in, LIMIT_PEER_MESSAGE + 4);
    list_init(&peer->in_swarm);
    list_init(&peer->hash_jobs);
    list_init(&peer->in_asking);
    list_init(&peer->in_cold);
    HASH_ADD(hh, node->peers, conn, sizeof peer->conn, peer);
    node_wake(node, node->now_ms + LIMIT_HANDSHAKE_MS);
    return peer;
}

void peer_join_swarm(struct peer *peer, struct swarm *swarm)
{
    peer->swarm = swarm;
    swarm->connections++;
    if (swarm->settling++ == 0)
        swarm->settle_ms = swarm->node->now_ms;
}

struct peer *peer_dial(struct swarm *swarm, const struct address *to)
{
    struct node *node = swarm->node;
    struct peer *peer = peer_new(node, node_number(node), to);

    peer->dialable = address_plain(to);
    peer_join_swarm(peer, swarm);
    struct effect *effect = update_add(node->update, EFFECT_DIAL, 0);
    effect->peer.conn = peer->conn;
    effect->peer.to = *to;
    return peer;
}

struct peer *peer_dial_url(struct swarm *swarm, const char *url, bool public_only)
{
    const struct address nobody = {.family = 0};
    bool websocket = strncmp(url, "ws", 2) == 0;
    struct node *node = swarm->node;
    struct peer *peer =
        peer_new(node, node_number(node) | (websocket ? CONN_WEBSOCKET : 0), &nobody);

    peer->is_supernode = true;
    peer_join_swarm(peer, swarm);
    struct effect *effect = update_add(node->update, EFFECT_DIAL, strlen(url) + 1);
    effect->peer.conn = peer->conn;
    effect->peer.public_only = public_only;
    buf_put(&effect->text, url, strlen(url) + 1);
    return peer;
}

/* One machine must not take all places; on loopback it may be many. */
static bool is_crowded(struct node *node, const struct address *remote)
{
    uint32_t count = 0;
    uint32_t most = node->config.supernode ? LIMIT_SUPERNODE_ADDRESS : LIMIT_PEERS_PER_ADDRESS;

    if (address_is_loopback(remote))
        return false;
    for (const struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        count += address_same_ip(&peer->remote, remote);
    return count > most;
}

void peer_accepted(struct node *node, uint64_t conn, const struct address *remote)
{
    struct peer *peer = peer_new(node, conn, remote);

    peer->incoming = peer->opened = true;
    if (HASH_COUNT(node->peers) <= node_max_peers(node) && !is_crowded(node, remote) &&
        !node->fair.paused && !node->draining && !strikes_ban_address(node, remote))
        return;
    node->counts.refused++;
    peer_close(peer, false);
}

/* It has said what it has, or it never will: nobody need wait for it any more. */
void peer_settle(struct peer *peer)
{
    struct swarm *swarm = peer->swarm;

    if (peer->settled || swarm == NULL)
        return;
    peer->settled = true;
    if (--swarm->settling == 0)
        swarm_consider_origin(swarm);
}

static void forget_pieces(struct peer *peer)
{
    struct swarm *swarm = peer->swarm;

    for (uint32_t i = bitfield_next_one(&peer->have, 0, peer->have.bits); i != BITFIELD_NONE;
         i = bitfield_next_one(&peer->have, i + 1, peer->have.bits))
        swarm_piece_moved(swarm, i, -1);
    bitfield_done(&peer->have);
}

static void peer_free(struct peer *peer)
{
    struct node *node = peer->node;
    struct swarm *swarm = peer->swarm;

    HASH_DEL(node->peers, peer);
    list_remove(&peer->in_asking);
    list_remove(&peer->in_cold);
    node->send_queued -= peer->send_queued;
    peer_hashes_done(peer);
    peer_early_done(peer);
    if (swarm != NULL) {
        list_remove(&peer->in_swarm);
        swarm_peer_ended(swarm, peer);
        supernode_link_ended(swarm, peer);
        peer_drop_requests(peer, false);
        blame_peer_left(peer);
        getting_peer_left(peer);
        crowd_peer_left(peer);
        forget_pieces(peer);
        swarm->connections--;
        peer_settle(peer);
    }
    buf_done(&peer->in);
    mem_free(peer->pex);
    request_queue_done(&peer->asked);
    request_queue_done(&peer->wanted);
    request_queue_done(&peer->cold);
    mem_free(peer);
    if (swarm == NULL)
        return;
    swarm_fill_peers(swarm);
    swarm_consider_origin(swarm); /* it may have been the last that had what is wanted */
}

void peer_close(struct peer *peer, bool ban)
{
    if (ban)
        peer_strike(peer, STRIKE_BAD_BYTES);
    struct effect *effect = update_add(peer->node->update, EFFECT_CLOSE, 0);
    effect->peer.conn = peer->conn;
    peer_free(peer);
}

void peer_closed(struct peer *peer)
{
    peer_free(peer);
}

/* --- sending */

void peer_send(struct peer *peer, const struct peer_msg *msg)
{
    if (peer->later_count > 0)
        peer_send_later(peer);
    peer_msg_encode(msg, update_send(peer->node->update, peer->conn));
    peer->out_ms = peer->node->now_ms;
}

void peer_send_simple(struct peer *peer, enum peer_msg_kind kind)
{
    peer_send(peer, &(struct peer_msg){.kind = kind});
}

bool peer_refuse(struct peer *peer, unsigned strike, const char *why)
{
    char text[ADDRESS_TEXT];

    address_format(&peer->remote, text);
    node_log_once(peer->node, span_of(peer->remote.ip, sizeof peer->remote.ip),
                  "peer %s is dropped: it %s", text, why);
    peer->node->counts.malformed++;
    if (strike > 0)
        peer_strike(peer, strike);
    peer_close(peer, false);
    return false;
}

bool peer_strike(struct peer *peer, unsigned strike)
{
    struct address buffer;

    return strikes_add(peer->node, strikes_name(&peer->remote, &buffer), strike);
}

void peer_opened(struct peer *peer, const struct address *remote)
{
    peer->opened = true;
    peer->opened_ms = peer->in_ms = peer->node->now_ms;
    if (peer->is_supernode) { /* who it is, is known only now */
        peer->remote = *remote;
        if (strikes_ban_address(peer->node, remote)) {
            peer_close(peer, false);
            return;
        }
    }
    if (!peer->incoming)
        peer_send_handshake(peer);
}

/* --- bytes */

/* Takes one handshake or message from data. ERR_MORE: there is none yet. ERR_CANCELLED: closed. */
static enum err take_one(struct peer *peer, struct span data, size_t *ret_used)
{
    struct peer_handshake handshake;
    struct peer_msg msg;

    *ret_used = HANDSHAKE_LENGTH;
    enum err err = peer->handshaken ? peer_msg_decode(data.data, data.length, &msg, ret_used)
                                    : peer_handshake_decode(data.data, data.length, &handshake);
    if (err == ERR_MORE)
        return err;
    if (err != ERR_OK) {
        peer_refuse(peer, peer->handshaken ? STRIKE_MALFORMED : 0,
                    peer->handshaken ? "sent a malformed message" : "does not speak BitTorrent");
        return ERR_CANCELLED;
    }
    bool alive = peer->handshaken ? peer_handle_message(peer, &msg)
                                  : peer_handle_handshake(peer, &handshake);
    return alive ? ERR_OK : ERR_CANCELLED;
}

/* How many more bytes the begun message in peer->in needs; it may say so in two steps. */
static size_t missing(const struct peer *peer)
{
    size_t whole = HANDSHAKE_LENGTH;

    if (peer->handshaken && peer->in.length < 4)
        return 4 - peer->in.length;
    if (peer->handshaken)
        whole = 4 + (size_t)load_u32be(peer->in.data);
    return whole > peer->in.length ? whole - peer->in.length : 1;
}

/* Completes a begun message from the front of *data. */
static enum err take_begun(struct peer *peer, struct span *data)
{
    size_t wanted = missing(peer), used;
    size_t taken = wanted < data->length ? wanted : data->length;

    buf_put(&peer->in, data->data, taken);
    *data = span_of(data->data + taken, data->length - taken);
    enum err err = take_one(peer, span_of(peer->in.data, peer->in.length), &used);
    if (err == ERR_OK) /* a block's room for each of fifty neighbours would be most of our memory */
        buf_done(&peer->in);
    return err;
}

void peer_bytes(struct peer *peer, struct span data)
{
    enum err err = ERR_OK;
    size_t used;

    peer->in_ms = peer->node->now_ms;
    while (data.length > 0) {
        if (peer->in.length > 0) {
            err = take_begun(peer, &data);
        } else {
            err = take_one(peer, data, &used);
            if (err == ERR_OK)
                data = span_of(data.data + used, data.length - used);
            else if (err == ERR_MORE) {
                buf_put(&peer->in, data.data, data.length);
                return;
            }
        }
        if (err == ERR_CANCELLED)
            return;
    }
}

/* --- time */

/* Over a few connections of our own kind new releases are heard of, whatever the files: those that
 * have lasted longest. */
static bool tells_releases(const struct peer *peer)
{
    uint32_t before = 0;

    if (peer->speaks[EXTENSION_FRINGE_RELEASE] == 0)
        return false;
    list_for_each(link, next, &peer->swarm->peers)
    {
        const struct peer *other = list_entry(link, struct peer, in_swarm);
        if (other == peer)
            return true;
        before += other->speaks[EXTENSION_FRINGE_RELEASE] != 0;
        if (before >= TELLERS)
            return false;
    }
    return false;
}

/* Neither can ever give the other anything (BEP 21). Who has other uses for a connection says so by
 * speaking fringe_claim, and then upload_only is no more than the state of the moment. */
static bool is_redundant(const struct peer *peer)
{
    if (!peer->handshaken || !swarm_complete(peer->swarm))
        return false;
    /* Over it new releases and other visitors are heard of, as long as the site is open. */
    if (peer->is_supernode ||
        (peer->node->config.supernode && peer->speaks[EXTENSION_FRINGE_CLAIM] != 0))
        return false;
    if (tells_releases(peer))
        return false;
    bool done = peer->upload_only && peer->speaks[EXTENSION_FRINGE_CLAIM] == 0;
    return done || bitfield_full(&peer->have);
}

bool peer_check_redundant(struct peer *peer)
{
    if (!is_redundant(peer)) {
        peer->redundant_ms = UINT64_MAX;
        return false;
    }
    if (peer->redundant_ms == UINT64_MAX)
        peer->redundant_ms = peer->node->now_ms + REDUNDANT_MS;
    node_wake(peer->node, peer->redundant_ms);
    return peer->node->now_ms >= peer->redundant_ms;
}

static uint64_t first_deadline(const struct peer *peer)
{
    uint64_t at = peer->in_ms + LIMIT_PEER_IDLE_MS;
    uint64_t alive = peer->out_ms + KEEP_ALIVE_MS;

    at = alive < at ? alive : at;
    if (peer->later_count > 0 && peer->later_ms < at)
        at = peer->later_ms;
    if (peer->asked.count > 0) {
        uint64_t due = peer->block_ms + (peer->snubbed ? DEAD_MS : PEER_SNUB_MS);
        at = due < at ? due : at;
    }
    if (peer->quiet_until_ms > peer->node->now_ms && peer->quiet_until_ms < at)
        at = peer->quiet_until_ms;
    if (peer->wanted.count > 0 && peer->node->now_ms + SERVE_MS < at)
        at = peer->node->now_ms + SERVE_MS; /* somebody's stall may have made room */
    return at;
}

uint64_t peer_tick(struct peer *peer)
{
    uint64_t now = peer->node->now_ms;

    if (!peer->handshaken) {
        if (now < peer->opened_ms + LIMIT_HANDSHAKE_MS)
            return peer->opened_ms + LIMIT_HANDSHAKE_MS;
        peer_close(peer, false);
        return UINT64_MAX;
    }
    bool asked = peer->asked.count > 0;
    if (now >= peer->in_ms + LIMIT_PEER_IDLE_MS || supernode_is_stalled(peer) ||
        (asked && now >= peer->block_ms + DEAD_MS) || peer_check_redundant(peer) ||
        strikes_ban_address(peer->node, &peer->remote)) {
        peer_close(peer, false);
        return UINT64_MAX;
    }
    if (peer->later_count > 0 && now >= peer->later_ms)
        peer_send_later(peer);
    if (now >= peer->out_ms + KEEP_ALIVE_MS)
        peer_send_simple(peer, PEER_KEEP_ALIVE);
    if (peer->wanted.count > 0)
        peer_serve_all(peer->node);
    if (asked && !peer->snubbed && now >= peer->block_ms + PEER_SNUB_MS) {
        peer->snubbed = true;
        peer_drop_requests(peer, true);
        swarm_fill_peers(peer->swarm);
    } else if (!asked) {
        swarm_fill_peer(peer->swarm, peer);
    }
    return first_deadline(peer);
}
