/* An announce over UDP (BEP 15): connect, then announce with the connection id that came back. */
#include "core/trackers.h"

#include "base/mem.h"

#include <string.h>

#define FAREWELLS_MAX     64
#define FAREWELL_ATTEMPTS 2

/* --- sending */

static bool is_connected(const struct udp_announce *udp)
{
    return udp->node->now_ms < udp->connection_until_ms;
}

static void send_datagram(struct udp_announce *udp, const struct buf *packet)
{
    struct effect *effect = update_add(udp->node->update, EFFECT_DATAGRAM, KIB(1));

    effect->datagram.op = udp->op;
    effect->datagram.port = udp->port;
    effect->datagram.public_only = udp->public_only;
    effect->datagram.family = udp->family;
    effect->datagram.data = strlen(udp->host) + 1;
    buf_put(&effect->text, udp->host, effect->datagram.data);
    buf_put(&effect->text, packet->data, packet->length);
}

static void send_next(struct udp_announce *udp)
{
    struct buf packet;

    buf_init(&packet, 128);
    udp->transaction = (uint32_t)rng_u64(&udp->node->rng);
    udp->connecting = !is_connected(udp);
    if (udp->connecting)
        udp_tracker_put_connect(udp->transaction, &packet);
    else
        udp_tracker_put_announce(udp->connection, udp->transaction, &udp->announce, &packet);
    send_datagram(udp, &packet);
    buf_done(&packet);
    udp->deadline_ms = udp->node->now_ms + udp_tracker_timeout_ms(udp->attempt);
    node_wake(udp->node, udp->deadline_ms);
}

void udp_announce_start(struct udp_announce *udp)
{
    udp->op = node_op_begin(udp->node, OP_DATAGRAM, udp);
    udp->attempt = 0;
    send_next(udp);
}

void udp_announce_cancel(struct udp_announce *udp)
{
    if (udp->op == 0)
        return;
    struct effect *effect = update_add(udp->node->update, EFFECT_DATAGRAM_END, 0);
    effect->datagram.op = udp->op;
    node_op_end(udp->node, udp->op);
    udp->op = 0;
}

/* --- the end */

static void finish(struct udp_announce *udp, enum err result, const struct tracker_reply *reply)
{
    udp_announce_cancel(udp);
    if (result != ERR_OK)
        udp->connection_until_ms = 0;
    udp->done(udp->owner, result, result == ERR_OK ? reply : NULL);
}

uint64_t udp_announce_tick(struct udp_announce *udp)
{
    if (udp->op == 0)
        return UINT64_MAX;
    if (udp->node->now_ms < udp->deadline_ms)
        return udp->deadline_ms;
    udp->attempt++;
    if (udp_tracker_timeout_ms(udp->attempt) == 0 ||
        (!list_empty(&udp->in_node) && udp->attempt == FAREWELL_ATTEMPTS)) {
        finish(udp, ERR_TIMEOUT, NULL);
        return UINT64_MAX;
    }
    send_next(udp);
    return udp->deadline_ms;
}

/* --- replies; the adapter lets only the tracker's own address through */

static void handle_reply(struct udp_announce *udp, const struct udp_tracker_reply *reply)
{
    if (reply->transaction != udp->transaction)
        return;
    if (reply->action == UDP_TRACKER_ERROR ||
        (reply->action == UDP_TRACKER_ANNOUNCE && !udp->connecting)) {
        finish(udp, ERR_OK, &reply->reply);
    } else if (reply->action == UDP_TRACKER_CONNECT && udp->connecting) {
        udp->connection = reply->connection;
        udp->connection_until_ms = udp->node->now_ms + UDP_TRACKER_CONNECTION_MS;
        send_next(udp);
    }
}

void udp_announce_heard(struct udp_announce *udp, const struct event *event)
{
    struct udp_tracker_reply reply;

    if (event->datagram.result != ERR_OK) {
        node_op_end(udp->node, udp->op); /* the adapter has ended it */
        udp->op = 0;
        finish(udp, event->datagram.result, NULL);
        return;
    }
    struct span data = event->datagram.data;
    if (udp_tracker_decode(data.data, data.length, event->datagram.from.family, &reply) != ERR_OK)
        return; /* nobody but the tracker can know the transaction: it may still answer */
    handle_reply(udp, &reply);
    udp_tracker_reply_done(&reply);
}

/* --- farewells */

static void farewell_free(struct udp_announce *udp)
{
    list_remove(&udp->in_node);
    udp->node->farewell_count--;
    mem_free(udp);
}

static void farewell_done(void *owner, enum err result, const struct tracker_reply *reply)
{
    (void)result;
    (void)reply;
    farewell_free(owner);
}

void udp_announce_farewell(const struct udp_announce *from)
{
    struct node *node = from->node;

    if (node->farewell_count >= FAREWELLS_MAX)
        return;
    struct udp_announce *udp = mem_dup(from, sizeof *from);
    udp->op = 0;
    udp->done = farewell_done;
    udp->owner = udp;
    list_init(&udp->in_node);
    list_push_back(&node->farewells, &udp->in_node);
    node->farewell_count++;
    udp_announce_start(udp);
}

uint64_t farewells_tick(struct node *node)
{
    uint64_t wake = UINT64_MAX;

    list_for_each(link, next, &node->farewells)
    {
        uint64_t at = udp_announce_tick(list_entry(link, struct udp_announce, in_node));
        wake = at < wake ? at : wake;
    }
    return wake;
}

void farewells_free(struct node *node)
{
    list_for_each(link, next, &node->farewells)
        farewell_free(list_entry(link, struct udp_announce, in_node));
}
