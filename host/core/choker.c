#include "core/choker.h"

#include "core/peer.h"

#include <stdlib.h>

#define TURN_MS       10000
#define OPTIMISTIC_MS 30000
#define FULL_MS       10000 /* after a request last had to wait, the uplink still counts as full */

bool choker_is_stranger(const struct peer *peer)
{
    return peer->speaks[EXTENSION_FRINGE_CLAIM] == 0;
}

/* Wants blocks and may get some at all. */
static bool asks(const struct peer *peer)
{
    return peer->handshaken && peer->peer_interested && choker_is_stranger(peer) &&
           peer->told_have && site_may_share(peer->swarm->site);
}

static bool is_full(const struct node *node)
{
    const struct choker *choker = &node->choker;
    return choker->full_ms > 0 && node->now_ms < choker->full_ms + FULL_MS;
}

static uint64_t slots(const struct node *node)
{
    return node->fair.settings[SETTING_SLOTS];
}

static void take_turn(struct peer *peer)
{
    peer->turn_ms = peer->node->now_ms;
    peer_set_choking(peer, false);
}

/* --- between turns */

static uint64_t count_served(const struct node *node)
{
    uint64_t count = 0;

    for (const struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        count += asks(peer) && !peer->am_choking;
    return count;
}

static void want_turn(struct node *node)
{
    if (node->choker.turn_ms == 0)
        node->choker.turn_ms = node->now_ms + TURN_MS;
    node_wake(node, node->choker.turn_ms);
}

void choker_consider(struct peer *peer)
{
    struct node *node = peer->node;

    if (!peer->peer_interested)
        return; /* its slot is free for others, and it may have it back when there is one */
    if (node->config.supernode) {
        take_turn(peer);
        return;
    }
    uint64_t others = count_served(node) - (asks(peer) && !peer->am_choking);
    if (!choker_is_stranger(peer) || !is_full(node) || others < slots(node)) {
        take_turn(peer);
        return;
    }
    if (!peer->am_choking)
        peer_set_choking(peer, true);
    want_turn(node);
}

void choker_uplink_is_full(struct node *node)
{
    bool was_full = is_full(node);

    node->choker.full_ms = node->now_ms;
    if (was_full || count_served(node) <= slots(node))
        return;
    node->choker.turn_ms = node->now_ms;
    node_wake(node, node->now_ms); /* in this very step */
}

void choker_settings_changed(struct node *node)
{
    want_turn(node);
}

/* --- turns */

/* Who gave us more comes first, then whose turn is longest ago. */
static int by_merit(const void *a, const void *b)
{
    const struct peer *left = *(struct peer *const *)a, *right = *(struct peer *const *)b;

    if (left->given != right->given)
        return left->given > right->given ? -1 : 1;
    if (left->turn_ms != right->turn_ms)
        return left->turn_ms < right->turn_ms ? -1 : 1;
    return left->conn < right->conn ? -1 : left->conn > right->conn;
}

static size_t collect(struct node *node, struct peer *ret[LIMIT_PEERS])
{
    size_t count = 0;

    for (struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        if (asks(peer) && count < LIMIT_PEERS)
            ret[count++] = peer;
    qsort(ret, count, sizeof *ret, by_merit);
    return count;
}

/* The optimistic slot: of those from `from` on, whose turn is longest ago; the list is changed so
 * that it stands at `from`. */
static void draw_lucky(struct node *node, struct peer **peers, size_t from, size_t count)
{
    size_t best = from;
    bool stays = node->now_ms < node->choker.lucky_ms;

    for (size_t i = from; i < count; i++) {
        if (stays && peers[i]->conn == node->choker.lucky) {
            best = i;
            break;
        }
        if (peers[i]->turn_ms < peers[best]->turn_ms)
            best = i;
    }
    struct peer *lucky = peers[best];
    peers[best] = peers[from];
    peers[from] = lucky;
    if (stays && lucky->conn == node->choker.lucky)
        return;
    node->choker.lucky = lucky->conn;
    node->choker.lucky_ms = node->now_ms + OPTIMISTIC_MS;
}

static void turn(struct node *node)
{
    struct peer *peers[LIMIT_PEERS];
    size_t count = collect(node, peers), most = (size_t)slots(node);

    node->choker.turn_ms = 0;
    if (!is_full(node) || count <= most) {
        most = count;
    } else {
        draw_lucky(node, peers, most - 1, count);
        node->choker.turn_ms = node->now_ms + TURN_MS;
    }
    for (size_t i = most; i < count; i++)
        peer_set_choking(peers[i], true);
    for (size_t i = 0; i < most; i++)
        take_turn(peers[i]);
    for (struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        peer->given = 0;
}

uint64_t choker_tick(struct node *node)
{
    struct choker *choker = &node->choker;

    if (choker->turn_ms > 0 && node->now_ms >= choker->turn_ms)
        turn(node);
    return choker->turn_ms > 0 ? choker->turn_ms : UINT64_MAX;
}
