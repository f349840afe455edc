#include "visitor.h"

#include "base/limits.h"
#include "base/mem.h"
#include "caps.h"
#include "publisher.h"
#include "server.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

#define SENT_BELOW     KIB(256) /* as host/io/tcp: a fuller queue is not told */
#define ACCEPTED       (1ull << 63)
#define IDLE_TICKS_MAX 200 /* in a second: more is a busy loop */
#define RECOUNT_EVERY  16  /* steps */

/* --- sockets */

struct socket *visitor_socket(struct visitor *visitor, uint64_t name)
{
    struct socket *socket;
    HASH_FIND(hh, visitor->sockets, &name, sizeof name, socket);
    return socket;
}

static uint32_t sockets_to(const struct visitor *visitor, const struct host *host)
{
    uint32_t count = 0;
    for (const struct socket *s = visitor->sockets; s != NULL; s = s->hh.next) {
        const struct conn *conn = link_find(visitor->world, s->conn);
        count += conn != NULL && conn->ends[1 - s->side].host == host;
    }
    return count;
}

struct socket *visitor_add_socket(struct visitor *visitor, uint64_t name, struct conn *conn,
                                  int side)
{
    struct socket *socket = mem_zalloc(sizeof *socket);

    socket->name = name;
    socket->conn = conn->number;
    socket->side = side;
    sniff_init(&socket->out);
    conn->ends[side].name = name;
    HASH_ADD(hh, visitor->sockets, name, sizeof socket->name, socket);
    return socket;
}

void visitor_drop_socket(struct visitor *visitor, struct socket *socket)
{
    HASH_DEL(visitor->sockets, socket);
    sniff_done(&socket->out);
    mem_free(socket);
}

static void peer_opened(void *owner, struct conn *conn, int side)
{
    struct visitor *visitor = owner;
    struct event event = {.kind = EVENT_PEER_OPENED};
    struct host *from = conn->ends[1 - side].host;

    if (side == 1) {
        visitor->counts.accepts++;
        visitor_add_socket(visitor, ACCEPTED | ++visitor->next_name, conn, side);
    }
    struct socket *socket = visitor_socket(visitor, conn->ends[side].name);
    socket->opened = true;
    event.peer.conn = socket->name;
    event.peer.remote = from->address;
    if (side == 1) /* a stranger comes from any port */
        event.peer.remote.port = (uint16_t)(20000 + conn->number % 40000);
    world_trace(visitor->world, "%s < opened %s%s", visitor->host->name, from->name,
                side == 1 ? " incoming" : "");
    visitor_step(visitor, &event);
    if (side == 1 && sockets_to(visitor, from) > LIMIT_PEERS_PER_ADDRESS)
        world_fail(visitor->world, "%s has too many connections with %s", visitor->host->name,
                   from->name);
}

static void peer_bytes(void *owner, struct conn *conn, int side, const uint8_t *data, size_t length)
{
    struct visitor *visitor = owner;
    struct event event = {.kind = EVENT_PEER_BYTES};

    event.peer.conn = conn->ends[side].name;
    event.peer.data = span_of(data, length);
    gauges_received(visitor, length);
    if (!visitor->world->bare)
        sniff_heard(&visitor_socket(visitor, event.peer.conn)->out, event.peer.data);
    visitor_step(visitor, &event);
}

static void peer_sent(void *owner, struct conn *conn, int side, size_t queued)
{
    struct visitor *visitor = owner;
    struct event event = {.kind = EVENT_PEER_SENT};

    struct socket *socket = visitor_socket(visitor, conn->ends[side].name);

    /* Among thousands, what tells of nothing new is left out. */
    if (queued >= SENT_BELOW || (visitor->world->bare && !socket->owes))
        return;
    socket->owes = queued > 0;
    event.peer.conn = conn->ends[side].name;
    event.peer.has_backlog = visitor->host->link.deep;
    if (event.peer.has_backlog)
        event.peer.backlog = queued;
    else
        event.peer.queued = queued;
    visitor_step(visitor, &event);
}

static void peer_closed(void *owner, struct conn *conn, int side, enum err why)
{
    struct visitor *visitor = owner;
    struct event event = {.kind = EVENT_PEER_CLOSED};
    struct socket *socket = visitor_socket(visitor, conn->ends[side].name);

    event.peer.conn = socket->name;
    event.peer.why = why != ERR_OK ? why : ERR_NETWORK;
    world_trace(visitor->world, "%s < closed %s %s", visitor->host->name,
                conn->ends[1 - side].host != NULL ? conn->ends[1 - side].host->name : "dial",
                err_name(why));
    visitor_drop_socket(visitor, socket);
    visitor_step(visitor, &event);
}

const struct link_events visitor_peer_events = {peer_opened, peer_bytes, peer_sent, peer_closed};

/* --- life */

static void copy_seed(struct visitor *visitor, uint8_t *seed)
{
    uint64_t own = visitor->config.seed != 0 ? visitor->config.seed : world_random(visitor->world);
    world_fill(own + visitor->run, seed, NODE_SEED_LENGTH);
}

void visitor_start(struct visitor *visitor)
{
    struct node_config config = {0};

    copy_seed(visitor, config.seed);
    config.default_zone = visitor->config.zone;
    if (!visitor->config.deaf)
        config.listen = visitor->host->address;
    if (visitor->config.ipv6)
        config.listen_too[config.listen_too_count++] = link_address6(visitor->host);
    for (size_t i = 0; i < 4 && visitor->config.peers[i] != NULL; i++)
        config.peers[config.peer_count++] = visitor->config.peers[i]->address;
    config.start_ms = world_now_ms(visitor->world);
    config.version = "sim";
    config.gateway = "http://127.0.0.1:9";
    config.data = "/sim";
    config.pid = visitor->number;
    config.without = visitor->world->without;
    config.tells_transfers = true; /* as the daemon has it: only a trace says nothing of them */
    visitor->run++;
    visitor->node = node_new(&config);
    link_host_up(visitor->host);
    if (!visitor->config.deaf)
        visitor->host->accept = &visitor_peer_events;
    visitor->host->accept_owner = visitor;
    world_trace(visitor->world, "%s starts", visitor->host->name);
    gauges_start(visitor);
    disk_restore(visitor->disk);
}

struct visitor *visitor_new(struct world *world, const struct visitor_config *config)
{
    struct visitor *visitor = mem_zalloc(sizeof *visitor);

    visitor->world = world;
    visitor->number = world_number(world);
    visitor->config = *config;
    visitor->default_zone = config->zone;
    visitor->host = link_host_new(world, config->name, &config->link);
    visitor->disk = disk_new(visitor);
    list_init(&visitor->all_fetches);
    list_init(&visitor->transfers);
    update_init(&visitor->update);
    HASH_ADD(hh, world->visitors, number, sizeof visitor->number, visitor);
    if (config->knows != NULL)
        disk_know(visitor->disk, config->knows);
    if (config->knows != NULL && config->holds)
        disk_hold(visitor->disk, config->knows);
    visitor_start(visitor);
    return visitor;
}

struct visitor *visitor_find(struct world *world, uint64_t number)
{
    struct visitor *visitor;
    HASH_FIND(hh, world->visitors, &number, sizeof number, visitor);
    return visitor;
}

void visitor_kill(struct visitor *visitor)
{
    struct socket *socket, *next;

    world_trace(visitor->world, "%s is killed", visitor->host->name);
    visitor->host->accept = NULL;
    link_host_down(visitor->host);
    HASH_ITER(hh, visitor->sockets, socket, next)
    visitor_drop_socket(visitor, socket);
    server_forget_visitor(visitor);
    datagrams_forget(visitor);
    visitor->listens = false;
    visitor->watches = visitor->watch_told = false;
    visitor->shout_us = 0;
    disk_stop(visitor->disk);
    fetches_break(visitor);
    node_free(visitor->node);
    visitor->node = NULL;
    visitor->wake_us = 0;
}

static void visitor_free(struct visitor *visitor)
{
    struct ask *ask, *next_ask;

    if (visitor->node != NULL)
        visitor_kill(visitor);
    list_for_each(link, next, &visitor->all_fetches)
        fetch_free(list_entry(link, struct fetch, in_visitor));
    HASH_ITER(hh, visitor->asks, ask, next_ask)
    {
        HASH_DEL(visitor->asks, ask);
        json_decref(ask->answer);
        mem_free(ask);
    }
    for (size_t i = 0; i < visitor->choice_count; i++)
        mem_free(visitor->choices[i].site);
    mem_free(visitor->choices);
    json_decref(visitor->last_event);
    update_done(&visitor->update);
    disk_free(visitor->disk);
    HASH_DEL(visitor->world->visitors, visitor);
    mem_free(visitor);
}

void visitors_free(struct world *world)
{
    struct visitor *visitor, *next;
    HASH_ITER(hh, world->visitors, visitor, next)
    visitor_free(visitor);
}

/* --- zones */

enum zone visitor_zone(const struct visitor *visitor, const char *site)
{
    for (size_t i = 0; i < visitor->choice_count; i++)
        if (strcmp(visitor->choices[i].site, site) == 0 && visitor->choices[i].zone != ZONE_DEFAULT)
            return visitor->choices[i].zone;
    return visitor->default_zone;
}

bool visitor_is_off(const struct visitor *visitor)
{
    if (visitor->default_zone != ZONE_OFF)
        return false;
    for (size_t i = 0; i < visitor->choice_count; i++)
        if (visitor_zone(visitor, visitor->choices[i].site) != ZONE_OFF)
            return false;
    return true;
}

static void remember_zone(struct visitor *visitor, const char *site, enum zone zone)
{
    for (size_t i = 0; i < visitor->choice_count; i++) {
        if (strcmp(visitor->choices[i].site, site) == 0) {
            visitor->choices[i].zone = zone;
            return;
        }
    }
    visitor->choices =
        mem_realloc(visitor->choices, (visitor->choice_count + 1) * sizeof *visitor->choices);
    visitor->choices[visitor->choice_count++] = (struct choice){mem_strdup(site), zone};
}

struct ask *visitor_set_zone(struct visitor *visitor, const char *site, enum zone zone)
{
    struct api_request request = {.type = API_SITE_ZONE, .zone = zone};

    snprintf(request.site, sizeof request.site, "%s", site);
    remember_zone(visitor, site, zone);
    return visitor_ask(visitor, 1, &request);
}

/* --- surroundings */

static void tell_surroundings(struct visitor *visitor)
{
    struct event event = {.kind = EVENT_SURROUNDINGS, .surroundings = visitor->surroundings};

    if (!visitor->watches)
        return;
    visitor->watch_told = true;
    world_trace(visitor->world, "%s < metered %d, on battery %d", visitor->host->name,
                (int)event.surroundings.metered, (int)event.surroundings.on_battery);
    visitor_step(visitor, &event);
}

static void fire_told(struct world *world, uint64_t number, uint64_t run)
{
    struct visitor *visitor = visitor_find(world, number);

    if (visitor->run == run)
        tell_surroundings(visitor);
}

/* The system takes a moment to say it for the first time. */
void visitor_watch(struct visitor *visitor, bool on)
{
    visitor->watches = on;
    visitor->watch_told = false;
    if (on)
        world_after(visitor->world, 50000, fire_told, visitor->number, visitor->run);
}

void visitor_surroundings(struct visitor *visitor, enum said metered, enum said on_battery)
{
    visitor->surroundings = (struct surroundings){metered, on_battery};
    tell_surroundings(visitor);
}

/* --- the step */

static void fire_wake(struct world *world, uint64_t number, uint64_t run)
{
    struct visitor *visitor = visitor_find(world, number);

    if (visitor->run != run || visitor->node == NULL || visitor->wake_us != world->now_us)
        return;
    visitor->wake_us = 0;
    struct event event = {.kind = EVENT_TICK};
    visitor->counts.ticks++;
    visitor_step(visitor, &event);
}

static void arm(struct visitor *visitor)
{
    uint64_t deadline_ms = node_deadline(visitor->node);

    if (deadline_ms == UINT64_MAX)
        return;
    if (deadline_ms <= world_now_ms(visitor->world))
        world_fail(visitor->world, "%s wants to be woken in the past", visitor->host->name);
    uint64_t at_us = deadline_ms * 1000;
    if (visitor->wake_us == at_us)
        return;
    visitor->wake_us = at_us;
    world_at(visitor->world, at_us, fire_wake, visitor->number, visitor->run);
}

/* A tick that does nothing is allowed; hundreds in a second are not. */
static void check_spinning(struct visitor *visitor, const struct event *event)
{
    uint64_t second = event->now_ms / 1000;

    if (second != visitor->tick_ms) {
        visitor->tick_ms = second;
        visitor->idle_ticks = 0;
    }
    if (event->kind == EVENT_TICK && visitor->update.count == 0 &&
        ++visitor->idle_ticks > IDLE_TICKS_MAX)
        world_fail(visitor->world, "%s wakes for nothing over and over", visitor->host->name);
}

/* After a step: the node may refuse a connection too many in the step that tells of it. */
static void check_caps(struct visitor *visitor)
{
    if (visitor->world->bare)
        return;
    caps_check(visitor);
    if (visitor->counts.steps % RECOUNT_EVERY == 0)
        caps_recount(visitor);
}

void visitor_step(struct visitor *visitor, struct event *event)
{
    struct world *world = visitor->world;

    if (visitor->node == NULL)
        return;
    if (visitor->stepping)
        world_fail(world, "the world steps %s inside a step", visitor->host->name);
    visitor->stepping = true;
    visitor->counts.steps++;
    event->now_ms = world_now_ms(world);
    event->wall_s = WORLD_WALL_S + world_elapsed_us(world) / 1000000 + (uint64_t)visitor->skew_s;
    node_step(visitor->node, event, &visitor->update);
    check_spinning(visitor, event);
    for (size_t i = 0; i < visitor->update.count; i++)
        visitor_do_effect(visitor, visitor->update.effects[i]);
    update_clear(&visitor->update);
    visitor->stepping = false;
    check_caps(visitor);
    arm(visitor);
}
