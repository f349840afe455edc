/* Datagrams between visitors and servers: they travel for both latencies, and some are lost. */
#include "base/limits.h"
#include "base/mem.h"
#include "server.h"
#include "visitor.h"

#include <string.h>

/* --- exchanges */

static struct udp_talk *find_talk(struct visitor *visitor, uint64_t op)
{
    struct udp_talk *talk;

    HASH_FIND(hh, visitor->talks, &op, sizeof op, talk);
    return talk;
}

static void drop_talk(struct visitor *visitor, struct udp_talk *talk)
{
    HASH_DEL(visitor->talks, talk);
    mem_free(talk);
}

void datagram_end(struct visitor *visitor, uint64_t op)
{
    struct udp_talk *talk = find_talk(visitor, op);

    if (talk == NULL)
        world_fail(visitor->world, "%s ends an exchange that there is not", visitor->host->name);
    drop_talk(visitor, talk);
}

void datagrams_forget(struct visitor *visitor)
{
    struct udp_talk *talk, *next;

    HASH_ITER(hh, visitor->talks, talk, next)
    drop_talk(visitor, talk);
}

/* --- packets */

static struct packet *packet_new(struct world *world, const uint8_t *data, size_t length)
{
    struct packet *packet = mem_zalloc(sizeof *packet);

    packet->number = world_number(world);
    packet->data = mem_dup(data, length);
    packet->length = length;
    HASH_ADD(hh, world->packets, number, sizeof packet->number, packet);
    return packet;
}

static void packet_free(struct world *world, struct packet *packet)
{
    HASH_DEL(world->packets, packet);
    mem_free(packet->server);
    mem_free(packet->data);
    mem_free(packet);
}

void datagrams_free(struct world *world)
{
    struct packet *packet, *next;

    HASH_ITER(hh, world->packets, packet, next)
    packet_free(world, packet);
}

static void deliver(struct visitor *visitor, const struct server *server,
                    const struct packet *packet)
{
    struct event event = {.kind = EVENT_DATAGRAM};

    if (visitor->run != packet->run || find_talk(visitor, packet->op) == NULL)
        return;
    event.datagram.op = packet->op;
    event.datagram.from = packet->family == 6 ? link_address6(server->host) : server->host->address;
    event.datagram.data = span_of(packet->data, packet->length);
    world_trace(visitor->world, "%s < datagram %zu bytes", visitor->host->name, packet->length);
    visitor_step(visitor, &event);
}

static void fire_arrived(struct world *world, uint64_t number, uint64_t unused);

static void travel(struct visitor *visitor, struct server *server, struct packet *packet)
{
    packet->visitor = visitor->number;
    packet->server = mem_strdup(server->site);
    if (server->down || visitor->host->island != server->host->island ||
        world_chance(visitor->world, server->loss))
        packet_free(visitor->world, packet);
    else
        world_after(visitor->world, link_travel_us(visitor->host, server->host), fire_arrived,
                    packet->number, 0);
}

static void serve(struct visitor *visitor, struct server *server, const struct packet *packet)
{
    struct buf reply;

    server->datagrams++;
    buf_init(&reply, LIMIT_UDP_TRACKER_REPLY);
    struct address from =
        packet->family == 6 ? link_address6(visitor->host) : visitor->host->address;
    sim_tracker_datagram(server, &from, span_of(packet->data, packet->length), &reply);
    struct packet *answer = packet_new(visitor->world, reply.data, reply.length);
    answer->run = packet->run;
    answer->op = packet->op;
    answer->family = packet->family;
    answer->is_reply = true;
    travel(visitor, server, answer);
    buf_done(&reply);
}

static void hear(struct visitor *visitor, const struct packet *packet)
{
    struct event event = {.kind = EVENT_LSD_HEARD};

    if (!visitor->listens || visitor->run != packet->run)
        return;
    event.lsd.from = packet->from;
    event.lsd.data = span_of(packet->data, packet->length);
    visitor_step(visitor, &event);
}

static void fire_heard(struct world *world, uint64_t number, uint64_t unused)
{
    struct packet *packet;

    (void)unused;
    HASH_FIND(hh, world->packets, &number, sizeof number, packet);
    hear(visitor_find(world, packet->visitor), packet);
    packet_free(world, packet);
}

static void fire_arrived(struct world *world, uint64_t number, uint64_t unused)
{
    struct packet *packet;

    (void)unused;
    HASH_FIND(hh, world->packets, &number, sizeof number, packet);
    struct visitor *visitor = visitor_find(world, packet->visitor);
    struct server *server = server_find(world, packet->server, strlen(packet->server));
    if (packet->is_reply)
        deliver(visitor, server, packet);
    else
        serve(visitor, server, packet);
    packet_free(world, packet);
}

/* --- sending */

static void fire_failed(struct world *world, uint64_t number, uint64_t op)
{
    struct visitor *visitor = visitor_find(world, number);
    struct event event = {.kind = EVENT_DATAGRAM};
    struct udp_talk *talk = find_talk(visitor, op);

    if (talk == NULL)
        return;
    drop_talk(visitor, talk);
    event.datagram.op = op;
    event.datagram.result = ERR_NOT_FOUND;
    visitor_step(visitor, &event);
}

void datagram_send(struct visitor *visitor, const struct effect *effect)
{
    struct world *world = visitor->world;
    char *url = mem_printf("udp://%s:%u", (const char *)effect->text.data, effect->datagram.port);
    struct server *server = server_find(world, url, strlen(url));
    uint64_t op = effect->datagram.op;

    mem_free(url);
    if (find_talk(visitor, op) == NULL) {
        struct udp_talk *talk = mem_zalloc(sizeof *talk);
        talk->op = op;
        HASH_ADD(hh, visitor->talks, op, sizeof talk->op, talk);
    }
    uint8_t family = effect->datagram.family;
    if (server == NULL || (family != 0 && server->family != 0 && family != server->family)) {
        world_after(world, 1000, fire_failed, visitor->number, op);
        return;
    }
    struct packet *packet = packet_new(world, effect->text.data + effect->datagram.data,
                                       effect->text.length - effect->datagram.data);
    packet->run = visitor->run;
    packet->op = op;
    packet->family = family != 0 ? family : server->family;
    travel(visitor, server, packet);
}

/* --- local discovery */

static void check_shout(struct visitor *visitor, const struct effect *effect)
{
    uint64_t now = world_elapsed_us(visitor->world);

    if (visitor_is_off(visitor) || !visitor->listens)
        world_fail(visitor->world, "%s shouts, and was not told to", visitor->host->name);
    if (effect->lsd.family == 6)
        return;
    if (visitor->shout_us > 0 && now + 1000 < visitor->shout_us + 60000000) /* it counts in ms */
        world_fail(visitor->world, "%s shouts more than once a minute", visitor->host->name);
    visitor->shouts++;
    visitor->shout_us = now;
}

void datagram_shout(struct visitor *visitor, const struct effect *effect)
{
    struct world *world = visitor->world;

    check_shout(visitor, effect);
    for (struct visitor *to = world->visitors; to != NULL; to = to->hh.next) {
        if (!to->listens || to->host->island != visitor->host->island || effect->lsd.family != 4)
            continue;
        struct packet *packet = packet_new(world, effect->text.data, effect->text.length);
        packet->visitor = to->number;
        packet->run = to->run;
        packet->from = visitor->host->address;
        packet->from.port = 6771;
        world_after(world, 500, fire_heard, packet->number, 0);
    }
}
