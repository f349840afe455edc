/* Who sent what does not have its hash. The hash of a piece says only that something in it is
 * wrong. So a peer that has the piece, best of all one that gave nothing of it, is asked for the
 * hashes of its blocks (BEP 52): they prove themselves against the piece's hash, and tell exactly
 * which blocks are wrong. Who sent those is banned, the others are kept and only the wrong ones
 * asked anew. Meanwhile the page does not wait: the origin's hedge goes on.
 *
 * Where nobody answers, a lone giver is banned; with several the case stays open (blame_cases.c).
 */
#include "core/blame.h"
#include "core/strikes.h"

#include "base/mem.h"

#include <string.h>

#define ANSWER_MS     1500 /* then somebody else is asked */
#define TRIES_MAX     3
#define INQUIRIES_MAX 8 /* at once, for a swarm */
#define LEFT_KEPT     64
#define QUICK_BLOCKS  16 /* from one giver: asked anew sooner than an answer comes */

struct inquiry {
    struct list in_swarm;
    struct swarm *swarm;
    struct blame_blocks blocks; /* what was sent */
    uint64_t tried[TRIES_MAX], asked_ms;
    uint32_t tries;
    bool asking; /* the last one tried has not answered yet */
};

/* A peer that gave blocks and has gone: it may turn out that they were wrong. */
struct left_peer {
    uint64_t conn;
    struct address remote;
};

/* --- culprits */

static void log_liar(struct swarm *swarm, const struct address *remote)
{
    char text[ADDRESS_TEXT];

    address_format(remote, text);
    node_log_once(swarm->node, span_of(remote, sizeof *remote),
                  "peer %s sent bytes that do not have their hash", text);
}

/* It has come back before it was found out. */
static void close_all_of(struct node *node, const struct address *remote)
{
    struct peer *peer, *next;

    HASH_ITER(hh, node->peers, peer, next)
    {
        if (address_same_ip(&peer->remote, remote) && strikes_ban_address(node, &peer->remote))
            peer_close(peer, false);
    }
}

/* Whether it is connected or not. */
void blame_strike(struct swarm *swarm, uint64_t conn, unsigned points)
{
    struct peer *peer = node_find_peer(swarm->node, conn);
    struct address buffer;

    for (uint32_t i = 0; peer == NULL && swarm->left != NULL && i < LEFT_KEPT; i++) {
        const struct left_peer *left = &swarm->left[i];
        if (left->conn != conn)
            continue;
        log_liar(swarm, &left->remote);
        if (strikes_add(swarm->node, strikes_name(&left->remote, &buffer), points))
            close_all_of(swarm->node, &left->remote);
        return;
    }
    if (peer == NULL)
        return;
    log_liar(swarm, &peer->remote);
    if (peer_strike(peer, points))
        peer_close(peer, false);
}

static bool gave_some(const struct inquiry *inquiry, uint64_t conn)
{
    for (uint32_t i = 0; i < inquiry->blocks.count; i++)
        if (inquiry->blocks.from[i] == conn)
            return true;
    return false;
}

static bool has_one_giver(const struct inquiry *inquiry)
{
    for (uint32_t i = 1; i < inquiry->blocks.count; i++)
        if (inquiry->blocks.from[i] != inquiry->blocks.from[0])
            return false;
    return true;
}

/* Nobody says which block was wrong: its one giver is banned; of several it will be found out.
 * Takes the blocks. */
static void leave_open(struct inquiry *inquiry)
{
    if (has_one_giver(inquiry)) {
        blame_strike(inquiry->swarm, inquiry->blocks.from[0], STRIKE_BAD_BYTES);
        return;
    }
    blame_cases_open(inquiry->swarm, &inquiry->blocks);
    inquiry->blocks = (struct blame_blocks){0};
}

/* --- the inquiry's life */

static void inquiry_free(struct inquiry *inquiry)
{
    inquiry->swarm->inquiry_count--;
    list_remove(&inquiry->in_swarm);
    mem_free(inquiry->blocks.leaves);
    mem_free(inquiry->blocks.from);
    mem_free(inquiry);
}

static struct inquiry *inquiry_new(struct piece *piece, const uint8_t *leaves)
{
    struct swarm *swarm = piece->swarm;
    struct inquiry *inquiry = mem_zalloc(sizeof *inquiry);

    inquiry->swarm = swarm;
    inquiry->blocks.piece = piece->number;
    inquiry->blocks.count = piece->block_count;
    inquiry->blocks.leaves = mem_dup(leaves, (size_t)piece->block_count * HASH_LENGTH);
    inquiry->blocks.from = mem_calloc(piece->block_count, sizeof *inquiry->blocks.from);
    for (uint32_t i = 0; i < piece->block_count; i++)
        inquiry->blocks.from[i] = piece->blocks[i].from;
    list_push_back(&swarm->inquiries, &inquiry->in_swarm);
    swarm->inquiry_count++;
    return inquiry;
}

/* The piece that it is about, unless it came from elsewhere meanwhile. */
static struct piece *judged_piece(const struct inquiry *inquiry)
{
    struct piece *piece = swarm_find_piece(inquiry->swarm, inquiry->blocks.piece);
    return piece != NULL && piece->judged ? piece : NULL;
}

static void give_up(struct inquiry *inquiry)
{
    struct swarm *swarm = inquiry->swarm;
    struct piece *piece = judged_piece(inquiry);

    if (piece != NULL)
        swarm_drop_piece(swarm, piece);
    list_remove(&inquiry->in_swarm); /* a peer that is closed now must not find it */
    leave_open(inquiry);
    inquiry_free(inquiry);
    swarm_fill_peers(swarm);
}

/* --- asking */

static struct peer_hashes request_for(const struct inquiry *inquiry)
{
    const struct metainfo *meta = inquiry->swarm->meta;
    uint32_t number = metainfo_file_of_piece(meta, inquiry->blocks.piece);
    const struct metainfo_file *file = &meta->files[number];
    uint32_t whole = meta->piece_length / BLOCK_LENGTH;
    struct peer_hashes request = {.count = whole};

    memcpy(request.root, file->root, HASH_LENGTH);
    request.index = swarm_piece_offset(inquiry->swarm, number, inquiry->blocks.piece) * whole;
    if (file->pieces == 1) /* its tree is no higher than it needs */
        request.count = 1u << merkle_height(inquiry->blocks.count);
    return request;
}

static bool was_tried(const struct inquiry *inquiry, uint64_t conn)
{
    for (uint32_t i = 0; i < inquiry->tries; i++)
        if (inquiry->tried[i] == conn)
            return true;
    return false;
}

/* Whom to ask: who gave nothing of it, if there is such a peer. */
static struct peer *choose_witness(const struct inquiry *inquiry)
{
    struct peer *second = NULL;

    list_for_each(link, next, &inquiry->swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (!bitfield_get(&peer->have, inquiry->blocks.piece) || was_tried(inquiry, peer->conn))
            continue;
        if (!gave_some(inquiry, peer->conn))
            return peer;
        second = peer;
    }
    return second;
}

/* False: there is nobody (any more). */
static bool ask(struct inquiry *inquiry)
{
    struct swarm *swarm = inquiry->swarm;
    struct peer *peer = inquiry->tries < TRIES_MAX ? choose_witness(inquiry) : NULL;
    struct peer_msg msg = {.kind = PEER_HASH_REQUEST};

    inquiry->asking = peer != NULL;
    if (peer == NULL)
        return false;
    inquiry->tried[inquiry->tries++] = peer->conn;
    inquiry->asked_ms = swarm->node->now_ms;
    msg.hash = request_for(inquiry);
    peer_send(peer, &msg);
    node_wake(swarm->node, inquiry->asked_ms + ANSWER_MS);
    return true;
}

static void ask_next(struct inquiry *inquiry)
{
    if (!ask(inquiry))
        give_up(inquiry);
}

bool blame_begin(struct piece *piece, const struct event *event)
{
    struct swarm *swarm = piece->swarm;
    size_t whole = (size_t)piece->block_count * HASH_LENGTH;

    if (event->store.leaves.length != whole || event->store.data.length != piece->length)
        return false;
    struct inquiry *inquiry = inquiry_new(piece, event->store.leaves.data);
    bool quick = has_one_giver(inquiry) && piece->block_count <= QUICK_BLOCKS;
    if (quick || swarm->inquiry_count > INQUIRIES_MAX || !ask(inquiry)) {
        leave_open(inquiry);
        inquiry_free(inquiry);
        return false;
    }
    piece->data = mem_dup(event->store.data.data, piece->length);
    piece->storing = false;
    bitfield_unset(&swarm->storing, piece->number);
    piece->judged = true;
    swarm->node->storing_bytes -= piece->length;
    if (has_one_giver(inquiry)) /* only what is good of it is still to be found out */
        blame_strike(swarm, inquiry->blocks.from[0], STRIKE_BAD_BYTES);
    return true;
}

/* --- the answer */

static struct inquiry *find_inquiry(struct peer *peer, const struct peer_hashes *answer)
{
    list_for_each(link, next, &peer->swarm->inquiries)
    {
        struct inquiry *inquiry = list_entry(link, struct inquiry, in_swarm);
        struct peer_hashes request = request_for(inquiry);
        if (inquiry->asking && inquiry->tried[inquiry->tries - 1] == peer->conn &&
            peer_hashes_match(&request, answer))
            return inquiry;
    }
    return NULL;
}

static bool is_right(const struct inquiry *inquiry, const struct peer_hashes *answer)
{
    unsigned height = merkle_height(answer->count);

    return answer->hashes.length == (size_t)answer->count * HASH_LENGTH &&
           merkle_prove(answer->hashes.data, answer->count, 0, 0, height, NULL, 0,
                        metainfo_piece_hash(inquiry->swarm->meta, inquiry->blocks.piece)) == ERR_OK;
}

static bool is_wrong_block(const struct inquiry *inquiry, const uint8_t *right, uint32_t block)
{
    size_t at = (size_t)block * HASH_LENGTH;
    return memcmp(right + at, inquiry->blocks.leaves + at, HASH_LENGTH) != 0;
}

/* The good blocks stay; the others may be asked of anybody again. */
static void keep_good(const struct inquiry *inquiry, const uint8_t *right)
{
    struct piece *piece = judged_piece(inquiry);

    if (piece == NULL)
        return;
    piece->judged = false;
    piece->moved_ms = piece->swarm->node->now_ms;
    for (uint32_t i = 0; i < piece->block_count; i++) {
        if (!is_wrong_block(inquiry, right, i))
            continue;
        piece->blocks[i].received = false;
        piece->received--;
        piece->swarm->loose++;
    }
}

static void sentence(struct inquiry *inquiry, const uint8_t *right)
{
    keep_good(inquiry, right);
    list_remove(&inquiry->in_swarm);
    for (uint32_t i = 0; i < inquiry->blocks.count; i++)
        if (is_wrong_block(inquiry, right, i))
            blame_strike(inquiry->swarm, inquiry->blocks.from[i], STRIKE_BAD_BYTES);
    inquiry_free(inquiry);
}

static void bad_proof(struct peer *peer)
{
    char text[ADDRESS_TEXT];

    address_format(&peer->remote, text);
    node_log_once(peer->node, span_of(&peer->remote, sizeof peer->remote),
                  "peer %s sent hashes that do not prove", text);
    if (peer_strike(peer, STRIKE_BAD_PROOF))
        peer_close(peer, false);
}

bool blame_hashes(struct peer *peer, const struct peer_hashes *answer)
{
    struct swarm *swarm = peer->swarm;
    uint64_t conn = peer->conn;
    struct inquiry *inquiry = find_inquiry(peer, answer);

    if (inquiry == NULL)
        return true; /* too late, or nobody asked */
    inquiry->asking = false;
    if (is_right(inquiry, answer)) {
        sentence(inquiry, answer->hashes.data);
        swarm_fill_peers(swarm);
    } else {
        bad_proof(peer);
        ask_next(inquiry);
    }
    return node_find_peer(swarm->node, conn) != NULL; /* it may have been sentenced itself */
}

bool blame_rejected(struct peer *peer, const struct peer_hashes *request)
{
    struct swarm *swarm = peer->swarm;
    uint64_t conn = peer->conn;
    struct inquiry *inquiry = find_inquiry(peer, request);

    if (inquiry != NULL)
        ask_next(inquiry);
    return node_find_peer(swarm->node, conn) != NULL;
}

/* --- the rest */

static void remember_left(struct peer *peer)
{
    struct swarm *swarm = peer->swarm;

    if (!peer->gave_blocks || (swarm->pieces == NULL && list_empty(&swarm->inquiries)))
        return;
    if (swarm->left == NULL)
        swarm->left = mem_calloc(LEFT_KEPT, sizeof *swarm->left);
    swarm->left[swarm->left_next++ % LEFT_KEPT] = (struct left_peer){peer->conn, peer->remote};
}

void blame_peer_left(struct peer *peer)
{
    remember_left(peer);
    list_for_each(link, next, &peer->swarm->inquiries)
    {
        struct inquiry *inquiry = list_entry(link, struct inquiry, in_swarm);
        if (inquiry->asking && inquiry->tried[inquiry->tries - 1] == peer->conn) {
            inquiry->asked_ms = 0; /* somebody else is asked at the next tick */
            node_wake(peer->node, peer->node->now_ms);
        }
    }
}

uint64_t blame_tick(struct swarm *swarm)
{
    uint64_t now = swarm->node->now_ms, wake = UINT64_MAX;

    list_for_each(link, next, &swarm->inquiries)
    {
        struct inquiry *inquiry = list_entry(link, struct inquiry, in_swarm);
        if (now >= inquiry->asked_ms + ANSWER_MS)
            ask_next(inquiry);
        else if (inquiry->asked_ms + ANSWER_MS < wake)
            wake = inquiry->asked_ms + ANSWER_MS;
    }
    return wake;
}

void blame_done(struct swarm *swarm)
{
    blame_cases_done(swarm);
    list_for_each(link, next, &swarm->inquiries)
        inquiry_free(list_entry(link, struct inquiry, in_swarm));
    mem_free(swarm->left);
    swarm->left = NULL;
}
