#include "core/peer.h"
#include "core/crowd.h"

#include "base/mem.h"

#include <string.h>

#define KEEP_ALIVE_MS 120000
#define SNUB_MS       5000  /* asked and no block for so long: its requests go to others */
#define DEAD_MS       30000 /* the same, and then it goes */
#define QUIET_MS      1000  /* after a reject */
#define SERVE_MS      250   /* between looks at requests that wait for the uplink */
#define STRAY_MAX     256   /* blocks that nobody asked for, before it is thrown out */
#define TARGET_MIN    8     /* blocks outstanding */
#define TARGET_START  16
#define TARGET_MAX    256
#define QUEUE_TIME_MS 500  /* of requests at the peer's rate, once that is known */
#define CLAIM_ID      1    /* our number for fringe_claim (BEP 10: the receiver chooses) */
#define RACE_MS       5000 /* two dials that crossed happen within this */

/* --- birth and death */

static struct peer *peer_new(struct node *node, uint64_t conn, const struct address *remote)
{
    struct peer *peer = mem_zalloc(sizeof *peer);

    peer->node = node;
    peer->conn = conn;
    peer->remote = *remote;
    peer->am_choking = peer->peer_choking = true;
    peer->target = TARGET_START;
    peer->slow_start = true;
    peer->opened_ms = peer->in_ms = peer->out_ms = node->now_ms;
    buf_init(&peer->in, LIMIT_PEER_MESSAGE + 4);
    list_init(&peer->in_swarm);
    HASH_ADD(hh, node->peers, conn, sizeof peer->conn, peer);
    node_wake(node, node->now_ms + LIMIT_HANDSHAKE_MS);
    return peer;
}

static void join_swarm(struct peer *peer, struct swarm *swarm)
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

    join_swarm(peer, swarm);
    struct effect *effect = update_add(node->update, EFFECT_DIAL, 0);
    effect->peer.conn = peer->conn;
    effect->peer.to = *to;
    return peer;
}

/* One machine must not take all places; on loopback it may be many. */
static bool is_crowded(struct node *node, const struct address *remote)
{
    uint32_t count = 0;

    if (address_is_loopback(remote))
        return false;
    for (const struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        count += address_same_ip(&peer->remote, remote);
    return count > LIMIT_PEERS_PER_ADDRESS;
}

void peer_accepted(struct node *node, uint64_t conn, const struct address *remote)
{
    struct peer *peer = peer_new(node, conn, remote);

    peer->incoming = peer->opened = true;
    if (HASH_COUNT(node->peers) > LIMIT_PEERS || is_crowded(node, remote))
        peer_close(peer, false);
}

static void consider_origin(struct swarm *swarm)
{
    list_for_each(link, next, &swarm->wants)
        origin_consider(list_entry(link, struct want, in_swarm));
}

/* It has said what it has, or it never will: nobody need wait for it any more. */
static void settle(struct peer *peer)
{
    struct swarm *swarm = peer->swarm;

    if (peer->settled || swarm == NULL)
        return;
    peer->settled = true;
    if (--swarm->settling == 0)
        consider_origin(swarm);
}

static void forget_pieces(struct peer *peer)
{
    struct swarm *swarm = peer->swarm;

    for (uint32_t i = bitfield_next_one(&peer->have, 0, peer->have.bits); i != BITFIELD_NONE;
         i = bitfield_next_one(&peer->have, i + 1, peer->have.bits))
        swarm_piece_moved(swarm, i, -1);
    bitfield_done(&peer->have);
}

static void peer_free(struct peer *peer, bool ban)
{
    struct node *node = peer->node;
    struct swarm *swarm = peer->swarm;

    HASH_DEL(node->peers, peer);
    if (swarm != NULL) {
        list_remove(&peer->in_swarm);
        peer_drop_requests(peer, false);
        crowd_peer_left(peer);
        forget_pieces(peer);
        swarm->connections--;
        swarm_peer_ended(swarm, &peer->remote, peer->incoming, peer->handshaken, ban);
        settle(peer);
    }
    buf_done(&peer->in);
    request_queue_done(&peer->asked);
    request_queue_done(&peer->wanted);
    mem_free(peer);
    if (swarm == NULL)
        return;
    swarm_fill_peers(swarm);
    consider_origin(swarm); /* it may have been the last that had what is wanted */
}

void peer_close(struct peer *peer, bool ban)
{
    struct effect *effect = update_add(peer->node->update, EFFECT_CLOSE, 0);
    effect->peer.conn = peer->conn;
    peer_free(peer, ban);
}

void peer_closed(struct peer *peer)
{
    peer_free(peer, false);
}

/* --- sending */

void peer_send(struct peer *peer, const struct peer_msg *msg)
{
    peer_msg_encode(msg, update_send(peer->node->update, peer->conn));
    peer->out_ms = peer->node->now_ms;
}

static void send_simple(struct peer *peer, enum peer_msg_kind kind)
{
    peer_send(peer, &(struct peer_msg){.kind = kind});
}

static void send_handshake(struct peer *peer)
{
    struct peer_handshake handshake = {.extended = true, .fast = true};

    memcpy(handshake.infohash, peer->swarm->infohash, SHORT_HASH_LENGTH);
    memcpy(handshake.peer_id, peer->swarm->peer_id, PEER_ID_LENGTH);
    peer_handshake_encode(&handshake, update_send(peer->node->update, peer->conn));
    peer->sent_handshake = true;
}

void peer_have(struct peer *peer, uint32_t piece)
{
    if (peer->told_have)
        peer_send(peer, &(struct peer_msg){.kind = PEER_HAVE, .index = piece});
}

/* In zone fetch nobody learns what we have: we would not give it anyway. */
static void send_have(struct peer *peer)
{
    const struct bitfield *have = &peer->swarm->have;
    bool share = site_may_share(peer->swarm->site);

    peer->told_have = share;
    if (peer->fast && (!share || have->count == 0)) {
        send_simple(peer, PEER_HAVE_NONE);
    } else if (peer->fast && bitfield_full(have)) {
        send_simple(peer, PEER_HAVE_ALL);
    } else if (share && have->count > 0) {
        struct peer_msg msg = {.kind = PEER_BITFIELD};
        msg.payload = span_of(have->bytes, bitfield_bytes(have->bits));
        peer_send(peer, &msg);
    }
}

/* upload_only (BEP 21) is said only to who speaks fringe_claim: libtorrent would leave us, and we
 * may want something again at any moment. */
void peer_send_extended(struct peer *peer)
{
    struct peer_extended extended = {.reqq = LIMIT_PEER_REQUESTS_IN,
                                     .port = peer->node->config.listen.port};
    struct buf payload;

    if (site_may_share(peer->swarm->site))
        extended.fringe_claim = CLAIM_ID;
    extended.upload_only = peer->claim_id != 0 && list_empty(&peer->swarm->wants);
    strcpy(extended.version, "fringe/" FRINGE_VERSION);
    buf_init(&payload, KIB(1));
    peer_extended_encode(&extended, &payload);
    struct peer_msg msg = {.kind = PEER_EXTENDED, .extended_id = 0};
    msg.payload = span_of(payload.data, payload.length);
    peer_send(peer, &msg);
    buf_done(&payload);
}

/* --- choke and interest */

void peer_update_choke(struct peer *peer)
{
    bool share = site_may_share(peer->swarm->site);

    if (!peer->handshaken)
        return;
    if (share && !peer->told_have) {
        peer->told_have = true;
        const struct bitfield *have = &peer->swarm->have;
        for (uint32_t i = bitfield_next_one(have, 0, have->bits); i != BITFIELD_NONE;
             i = bitfield_next_one(have, i + 1, have->bits))
            peer_have(peer, i);
    }
    if (share && peer->am_choking && peer->peer_interested) {
        peer->am_choking = false;
        send_simple(peer, PEER_UNCHOKE);
    } else if (!share && !peer->am_choking) {
        peer->am_choking = true;
        send_simple(peer, PEER_CHOKE);
        peer_refuse_all(peer);
    }
    if (!share)
        peer->told_have = false;
}

static bool has_something_wanted(const struct peer *peer)
{
    const struct swarm *swarm = peer->swarm;

    list_for_each(link, next, &swarm->wants)
    {
        const struct want *want = list_entry(link, struct want, in_swarm);
        const struct metainfo_file *file = &swarm->meta->files[want->file];
        uint32_t end = file->first_piece + file->pieces;
        for (uint32_t i = bitfield_next_zero(&swarm->have, want->head, end); i != BITFIELD_NONE;
             i = bitfield_next_zero(&swarm->have, i + 1, end))
            if (bitfield_get(&peer->have, i))
                return true;
    }
    return false;
}

void peer_update_interest(struct peer *peer)
{
    bool none_wanted = list_empty(&peer->swarm->wants);

    if (!peer->handshaken || (peer->am_interested && !none_wanted))
        return;
    if (peer->am_interested) {
        peer->am_interested = false;
        send_simple(peer, PEER_NOT_INTERESTED);
    } else if (!none_wanted && has_something_wanted(peer)) {
        peer->am_interested = true;
        send_simple(peer, PEER_INTERESTED);
    }
}

/* --- requests that we make */

void peer_request(struct peer *peer, uint32_t piece, uint32_t begin, uint32_t length)
{
    struct peer_request request = {piece, begin, length, peer->node->now_ms};

    if (peer->asked.count == 0) {
        peer->block_ms = peer->node->now_ms;
        node_wake(peer->node, peer->block_ms + SNUB_MS);
    }
    request_queue_push(&peer->asked, &request);
    peer_send(peer, &(struct peer_msg){
                        .kind = PEER_REQUEST, .index = piece, .begin = begin, .length = length});
}

void peer_cancel(struct peer *peer, uint32_t piece, uint32_t begin, uint32_t length)
{
    peer_send(peer, &(struct peer_msg){
                        .kind = PEER_CANCEL, .index = piece, .begin = begin, .length = length});
}

void peer_drop_requests(struct peer *peer, bool cancel)
{
    while (peer->asked.count > 0) {
        struct peer_request request = request_queue_remove(&peer->asked, peer->asked.count - 1);
        if (cancel)
            peer_cancel(peer, request.piece, request.begin, request.length);
        swarm_block_lost(peer->swarm, request.piece, request.begin);
    }
    peer->piece = NULL;
}

/* How many blocks to have outstanding: one more for each that arrives until the rate stops
 * rising, then what the peer gives in QUEUE_TIME_MS. */
static void measure(struct peer *peer, size_t length)
{
    uint64_t now = peer->node->now_ms, elapsed = now - peer->rate_since_ms;
    uint32_t most = peer->reqq > 0 ? peer->reqq : TARGET_MAX;

    most = most < TARGET_MAX ? most : TARGET_MAX;
    peer->rate_bytes += length;
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

/* --- messages; each returns false when the peer has been closed */

static bool refuse(struct peer *peer, const char *why)
{
    char text[ADDRESS_TEXT];

    address_format(&peer->remote, text);
    node_log_once(peer->node, span_of(peer->remote.ip, sizeof peer->remote.ip),
                  "peer %s is dropped: it %s", text, why);
    peer_close(peer, false);
    return false;
}

static bool handle_have(struct peer *peer, const struct peer_msg *msg)
{
    if (msg->index >= peer->have.bits)
        return refuse(peer, "has a piece that does not exist");
    peer->have_known = true;
    crowd_peer_has(peer, msg->index);
    if (bitfield_set(&peer->have, msg->index))
        swarm_piece_moved(peer->swarm, msg->index, 1);
    settle(peer);
    swarm_fill_peer(peer->swarm, peer);
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
        return refuse(peer, "said twice what it has");
    if (msg->kind == PEER_HAVE_ALL)
        bitfield_set_all(&peer->have);
    else if (msg->kind == PEER_BITFIELD &&
             !bitfield_load(&peer->have, msg->payload.data, msg->payload.length))
        return refuse(peer, "sent a bitfield of the wrong length");
    peer->have_known = true;
    count_have(peer);
    settle(peer);
    swarm_fill_peer(peer->swarm, peer);
    return true;
}

static bool handle_choke(struct peer *peer, const struct peer_msg *msg)
{
    peer->peer_choking = msg->kind == PEER_CHOKE;
    /* With BEP 6 every request is still answered; without it a choke has forgotten them. */
    if (peer->peer_choking && !peer->fast)
        peer_drop_requests(peer, false);
    swarm_fill_peer(peer->swarm, peer);
    return true;
}

static bool handle_interest(struct peer *peer, const struct peer_msg *msg)
{
    peer->peer_interested = msg->kind == PEER_INTERESTED;
    peer_update_choke(peer);
    return true;
}

static bool handle_piece(struct peer *peer, const struct peer_msg *msg)
{
    uint32_t place = request_queue_find(&peer->asked, msg->index, msg->begin);

    if (place == UINT32_MAX) /* cancelled, perhaps; many of them are an attack */
        return ++peer->strays < STRAY_MAX || refuse(peer, "sends what nobody asked for");
    /* Looked at before it is taken out: whoever closes must find it, to give the block back. */
    if (msg->payload.length != request_queue_at(&peer->asked, place)->length)
        return refuse(peer, "sent a block of another length than was asked");
    request_queue_remove(&peer->asked, place);
    peer->block_ms = peer->node->now_ms;
    peer->snubbed = false;
    peer->quiet_until_ms = 0;
    measure(peer, msg->payload.length);
    swarm_block(peer->swarm, peer, msg->index, msg->begin, msg->payload);
    swarm_fill_peer(peer->swarm, peer);
    return true;
}

static bool handle_reject(struct peer *peer, const struct peer_msg *msg)
{
    uint32_t place = request_queue_find(&peer->asked, msg->index, msg->begin);

    if (place == UINT32_MAX)
        return true;
    struct peer_request request = request_queue_remove(&peer->asked, place);
    /* Asking again at once would only go round in circles. */
    peer->quiet_until_ms = peer->node->now_ms + QUIET_MS;
    node_wake(peer->node, peer->quiet_until_ms);
    struct swarm *swarm = peer->swarm;
    swarm_block_lost(swarm, request.piece, request.begin);
    swarm_fill_peers(swarm);
    return true;
}

static bool handle_extended(struct peer *peer, const struct peer_msg *msg)
{
    if (msg->extended_id == CLAIM_ID)
        crowd_claim_heard(peer, msg->payload);
    if (msg->extended_id != 0)
        return true;
    struct peer_extended said;
    if (peer_extended_decode(msg->payload, &said) != ERR_OK)
        return refuse(peer, "sent a malformed extended handshake");
    if (said.reqq > 0) /* it may be sent again, and then adds to what was said (BEP 10) */
        peer->reqq = said.reqq;
    bool is_new = peer->claim_id == 0 && said.fringe_claim != 0;
    if (said.fringe_claim != 0)
        peer->claim_id = said.fringe_claim;
    peer->wanting = peer->claim_id != 0 && !said.upload_only;
    if (is_new)
        crowd_peer_joined(peer);
    return true;
}

static bool handle_hash_request(struct peer *peer, const struct peer_msg *msg)
{
    struct peer_msg answer = *msg;

    answer.kind = PEER_HASH_REJECT;
    peer_send(peer, &answer);
    return true;
}

static bool handle_message(struct peer *peer, const struct peer_msg *msg)
{
    switch (msg->kind) {
    case PEER_CHOKE:
    case PEER_UNCHOKE:
        return handle_choke(peer, msg);
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
        return peer_wants_block(peer, msg) || refuse(peer, "asks for what cannot be");
    case PEER_CANCEL:
        peer_unwants_block(peer, msg);
        return true;
    case PEER_PIECE:
        return handle_piece(peer, msg);
    case PEER_REJECT:
        return handle_reject(peer, msg);
    case PEER_EXTENDED:
        return handle_extended(peer, msg);
    case PEER_HASH_REQUEST:
        return handle_hash_request(peer, msg);
    default:
        return true; /* keep-alive, port, suggest, allowed fast, unknown: nothing to do */
    }
}

/* --- handshake */

static struct swarm *find_swarm(struct node *node, const uint8_t *infohash)
{
    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        if (!site_may_use_peers(site))
            continue;
        list_for_each(link, next, &site->swarms)
        {
            struct swarm *swarm = list_entry(link, struct swarm, in_site);
            if (swarm->state == SWARM_READY &&
                memcmp(swarm->infohash, infohash, SHORT_HASH_LENGTH) == 0)
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

static bool check_handshake(struct peer *peer, const struct peer_handshake *handshake)
{
    if (peer->swarm == NULL) {
        struct swarm *swarm = find_swarm(peer->node, handshake->infohash);
        if (swarm == NULL)
            return refuse(peer, "asks for a torrent that is not shared here");
        if (swarm->connections >= LIMIT_PEERS_PER_SWARM || swarm_is_banned(swarm, &peer->remote)) {
            peer_close(peer, false);
            return false;
        }
        join_swarm(peer, swarm);
    }
    if (memcmp(handshake->infohash, peer->swarm->infohash, SHORT_HASH_LENGTH) != 0)
        return refuse(peer, "answered for another torrent");
    memcpy(peer->id, handshake->peer_id, PEER_ID_LENGTH);
    if (memcmp(peer->id, peer->swarm->peer_id, PEER_ID_LENGTH) == 0) {
        peer_close(peer, true); /* ourselves: never again */
        return false;
    }
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

static bool handle_handshake(struct peer *peer, const struct peer_handshake *handshake)
{
    if (!check_handshake(peer, handshake))
        return false;
    peer->handshaken = true;
    peer->fast = handshake->fast;
    peer->extended = handshake->extended;
    bitfield_init(&peer->have, peer->swarm->meta->piece_count);
    list_push_back(&peer->swarm->peers, &peer->in_swarm);
    if (!peer->sent_handshake)
        send_handshake(peer);
    send_have(peer);
    if (peer->extended)
        peer_send_extended(peer);
    return true;
}

void peer_opened(struct peer *peer)
{
    peer->opened = true;
    peer->opened_ms = peer->in_ms = peer->node->now_ms;
    if (!peer->incoming)
        send_handshake(peer);
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
        refuse(peer, peer->handshaken ? "sent a malformed message" : "does not speak BitTorrent");
        return ERR_CANCELLED;
    }
    bool alive = peer->handshaken ? handle_message(peer, &msg) : handle_handshake(peer, &handshake);
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
    if (err == ERR_OK)
        buf_clear(&peer->in);
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

static uint64_t first_deadline(const struct peer *peer)
{
    uint64_t at = peer->in_ms + LIMIT_PEER_IDLE_MS;
    uint64_t alive = peer->out_ms + KEEP_ALIVE_MS;

    at = alive < at ? alive : at;
    if (peer->asked.count > 0) {
        uint64_t due = peer->block_ms + (peer->snubbed ? DEAD_MS : SNUB_MS);
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
    if (now >= peer->in_ms + LIMIT_PEER_IDLE_MS || (asked && now >= peer->block_ms + DEAD_MS)) {
        peer_close(peer, false);
        return UINT64_MAX;
    }
    if (now >= peer->out_ms + KEEP_ALIVE_MS)
        send_simple(peer, PEER_KEEP_ALIVE);
    if (peer->wanted.count > 0)
        peer_serve_all(peer->node);
    if (asked && !peer->snubbed && now >= peer->block_ms + SNUB_MS) {
        peer->snubbed = true;
        peer_drop_requests(peer, true);
        swarm_fill_peers(peer->swarm);
    } else if (!asked) {
        swarm_fill_peer(peer->swarm, peer);
    }
    return first_deadline(peer);
}
