#include "link.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define CHUNK     KIB(16)
#define BORDER_US 200000 /* how often something held between islands tries again */

/* --- hosts */

struct host *link_host_new(struct world *world, const char *name, const struct link *link)
{
    struct host *host = mem_zalloc(sizeof *host);
    uint32_t number = ++world->last_host;

    host->world = world;
    host->number = world_number(world);
    snprintf(host->name, sizeof host->name, "%s", name);
    host->link = *link;
    host->alive = true;
    /* Public addresses, so that one learned from a tracker may be dialled. */
    host->address = (struct address){
        .family = 4, .ip = {20, 1, (uint8_t)(number >> 8), (uint8_t)number}, .port = 4000};
    list_init(&host->ready);
    list_init(&host->parked);
    HASH_ADD(hh, world->hosts, number, sizeof host->number, host);
    HASH_ADD(by_place, world->places, address.ip, sizeof host->address.ip, host);
    return host;
}

void link_host_move(struct host *host, const uint8_t ip[4])
{
    struct world *world = host->world;

    HASH_DELETE(by_place, world->places, host);
    memcpy(host->address.ip, ip, 4);
    HASH_ADD(by_place, world->places, address.ip, sizeof host->address.ip, host);
}

struct host *link_find_host(struct world *world, uint64_t number)
{
    struct host *host;
    HASH_FIND(hh, world->hosts, &number, sizeof number, host);
    return host;
}

struct address link_address6(const struct host *host)
{
    struct address address = {.family = 6, .ip = {0x2a, 0x00}, .port = host->address.port};

    memcpy(address.ip + 12, host->address.ip, 4);
    return address;
}

struct host *link_find_address(struct world *world, const struct address *address)
{
    struct host *host;

    HASH_FIND(by_place, world->places, address->ip, sizeof address->ip, host);
    return host != NULL && address_equal(&host->address, address) ? host : NULL;
}

uint64_t link_travel_us(const struct host *a, const struct host *b)
{
    return (uint64_t)a->link.latency_us + b->link.latency_us;
}

static bool hears(const struct host *a, const struct host *b)
{
    return a->alive && b->alive && a->island == b->island;
}

/* --- connections */

struct conn *link_find(struct world *world, uint64_t number)
{
    return number > 0 && number <= world->last_conn ? world->conn_table[number] : NULL;
}

/* Numbers are never used again, so a number is a place in a table. */
static void enter(struct conn *conn)
{
    struct world *world = conn->world;

    conn->number = ++world->last_conn;
    if (conn->number >= world->conn_places) {
        world->conn_places = 2 * world->conn_places + 1024;
        world->conn_table =
            mem_realloc(world->conn_table, world->conn_places * sizeof *world->conn_table);
    }
    world->conn_table[conn->number] = conn;
    HASH_ADD(hh, world->conns, number, sizeof conn->number, conn);
}

static void pipe_init(struct pipe *pipe, struct conn *conn, int side)
{
    pipe->conn = conn;
    pipe->side = side;
    pipe->last = &pipe->first;
    pipe->last_waiting = &pipe->waiting;
    list_init(&pipe->in_host);
}

static void drop_segment(struct pipe *pipe)
{
    struct segment *segment = pipe->waiting;

    pipe->waiting = segment->next;
    if (pipe->waiting == NULL)
        pipe->last_waiting = &pipe->waiting;
    mem_free(segment);
}

static void drop_waiting(struct pipe *pipe)
{
    while (pipe->waiting != NULL)
        drop_segment(pipe);
    pipe->length = 0;
}

static void pump(struct host *host);

static bool is_full(const struct host *host, uint64_t travel_us)
{
    return host->coming * 1000 >= host->link.down * (LINK_QUEUE_MS + travel_us / 1000);
}

/* Some of what was on its way to this host no longer is. */
static void came(struct host *host, struct chunk *chunk)
{
    if (!chunk->held)
        host->coming -= chunk->length;
    chunk->held = true;
    while (!list_empty(&host->parked)) {
        struct pipe *pipe = list_entry(host->parked.next, struct pipe, in_host);
        struct host *from = pipe->conn->ends[pipe->side].host;
        if (is_full(host, link_travel_us(from, host)))
            return;
        list_remove(&pipe->in_host);
        list_push_back(&from->ready, &pipe->in_host);
        pump(from);
    }
}

static void pipe_done(struct pipe *pipe)
{
    list_remove(&pipe->in_host);
    while (pipe->first != NULL) {
        struct chunk *chunk = pipe->first;
        pipe->first = chunk->next;
        came(pipe->conn->ends[1 - pipe->side].host, chunk);
        mem_free(chunk);
    }
    drop_waiting(pipe);
}

static struct conn *conn_new(struct world *world)
{
    struct conn *conn = mem_zalloc(sizeof *conn);

    conn->world = world;
    enter(conn);
    pipe_init(&conn->pipes[0], conn, 0);
    pipe_init(&conn->pipes[1], conn, 1);
    return conn;
}

static void conn_free(struct conn *conn)
{
    pipe_done(&conn->pipes[0]);
    pipe_done(&conn->pipes[1]);
    HASH_DEL(conn->world->conns, conn);
    conn->world->conn_table[conn->number] = NULL;
    mem_free(conn);
}

static void end_open(struct end *end, struct host *host, uint64_t name,
                     const struct link_events *events, void *owner)
{
    *end = (struct end){.host = host, .name = name, .events = events, .owner = owner, .open = true};
    host->open_conns++;
}

/* The owner of this end knows that it is dead, or never cared. */
static void end_shut(struct conn *conn, int side)
{
    if (!conn->ends[side].open)
        return;
    conn->ends[side].open = false;
    conn->ends[side].host->open_conns--;
}

/* Tells an end that it is over; may free the connection. */
static void tell_closed(struct conn *conn, int side, enum err why)
{
    struct end *end = &conn->ends[side];

    if (end->open) {
        end_shut(conn, side);
        end->events->closed(end->owner, conn, side, why);
    }
    if (!conn->ends[0].open && !conn->ends[1].open)
        conn_free(conn);
}

/* --- dialling */

static void fire_dial_failed(struct world *world, uint64_t number, uint64_t why)
{
    struct conn *conn = link_find(world, number);
    if (conn != NULL)
        tell_closed(conn, 0, (enum err)why);
}

static void fire_opened(struct world *world, uint64_t number, uint64_t side)
{
    struct conn *conn = link_find(world, number);
    if (conn != NULL && conn->ends[side].open)
        conn->ends[side].events->opened(conn->ends[side].owner, conn, (int)side);
}

static void fire_dial_arrives(struct world *world, uint64_t number, uint64_t host_number)
{
    struct conn *conn = link_find(world, number);
    struct host *to = link_find_host(world, host_number);

    if (conn == NULL)
        return;
    uint64_t back_us = link_travel_us(conn->ends[0].host, to);
    if (to->accept == NULL) {
        world_after(world, back_us, fire_dial_failed, number, ERR_NETWORK);
        return;
    }
    conn->established = true;
    end_open(&conn->ends[1], to, 0, to->accept, to->accept_owner);
    world_after(world, back_us, fire_opened, number, 0);
    fire_opened(world, number, 1);
}

struct conn *link_dial(struct host *from, const struct address *to, uint64_t name,
                       const struct link_events *events, void *owner)
{
    struct world *world = from->world;
    struct conn *conn = conn_new(world);
    struct host *host = link_find_address(world, to);

    end_open(&conn->ends[0], from, name, events, owner);
    if (host == NULL || host->link.nat || !hears(from, host))
        world_after(world, LINK_DIAL_MS * 1000ull, fire_dial_failed, conn->number, ERR_TIMEOUT);
    else
        world_after(world, link_travel_us(from, host), fire_dial_arrives, conn->number,
                    host->number);
    return conn;
}

struct conn *link_join(struct host *from, const struct link_events *from_events, void *from_owner,
                       struct host *to, const struct link_events *to_events, void *to_owner)
{
    struct conn *conn = conn_new(from->world);

    conn->established = true;
    end_open(&conn->ends[0], from, 0, from_events, from_owner);
    end_open(&conn->ends[1], to, 0, to_events, to_owner);
    return conn;
}

/* --- sending */

static void pipe_ready(struct pipe *pipe)
{
    struct host *host = pipe->conn->ends[pipe->side].host;

    list_remove(&pipe->in_host);
    if (pipe->length > 0 && pipe->on_way < LINK_WINDOW)
        list_push_back(&host->ready, &pipe->in_host);
    pump(host);
}

/* What goes at a time: whole blocks on a fast link, 20 ms' worth on a slow one. */
static size_t chunk_length(const struct host *host, const struct pipe *pipe)
{
    size_t length = host->link.up / 50;

    if (length > CHUNK)
        length = CHUNK;
    if (length < 1)
        length = 1;
    return length < pipe->length ? length : pipe->length;
}

static void take_bytes(struct pipe *pipe, uint8_t *to, size_t length)
{
    while (length > 0) {
        struct segment *segment = pipe->waiting;
        size_t taken = length < segment->length ? length : segment->length;
        memcpy(to, segment->data, taken);
        segment->data += taken;
        segment->length -= taken;
        to += taken;
        length -= taken;
        if (segment->length == 0)
            drop_segment(pipe);
    }
}

static struct chunk *take_chunk(struct pipe *pipe, size_t length)
{
    struct chunk *chunk = mem_alloc(sizeof *chunk + length);

    chunk->next = NULL;
    chunk->length = length;
    chunk->held = false;
    take_bytes(pipe, chunk->data, length);
    pipe->length -= length;
    pipe->on_way += length;
    *pipe->last = chunk;
    pipe->last = &chunk->next;
    return chunk;
}

static void fire_end_arrives(struct world *world, uint64_t number, uint64_t side)
{
    struct conn *conn = link_find(world, number);

    if (conn == NULL)
        return;
    if (conn->ends[0].host->island != conn->ends[1].host->island)
        world_after(world, BORDER_US, fire_end_arrives, number, side);
    else
        tell_closed(conn, 1 - (int)side, conn->pipes[side].why);
}

/* When a pipe that ends has nothing left, its end travels behind the last byte. */
static void send_end(struct pipe *pipe)
{
    struct conn *conn = pipe->conn;

    if (!pipe->ending || pipe->end_sent || pipe->length > 0 || pipe->on_way > 0)
        return;
    pipe->end_sent = true;
    if (!conn->ends[1 - pipe->side].open) {
        if (!conn->ends[pipe->side].open)
            conn_free(conn);
        return;
    }
    world_after(conn->world, link_travel_us(conn->ends[0].host, conn->ends[1].host),
                fire_end_arrives, conn->number, (uint64_t)pipe->side);
}

static void hold_back(struct host *host, uint64_t conn, uint64_t side)
{
    if (host->held_count == host->held_capacity) {
        host->held_capacity = 16 + 2 * host->held_capacity;
        host->held = mem_realloc(host->held, host->held_capacity * sizeof *host->held);
    }
    host->held[host->held_count++] = (struct held){conn, side};
}

static void fire_delivered(struct world *world, uint64_t number, uint64_t side)
{
    struct conn *conn = link_find(world, number);
    if (conn == NULL)
        return;
    struct pipe *pipe = &conn->pipes[side];
    struct chunk *chunk = pipe->first;
    struct end *to = &conn->ends[1 - side];

    bool holding = conn->body ? to->host->shuts : to->host->holding;
    if (to->open && holding && !conn->unheld) {
        hold_back(to->host, number, side);
        came(to->host, chunk);
        return;
    }

    pipe->first = chunk->next;
    if (pipe->first == NULL)
        pipe->last = &pipe->first;
    pipe->on_way -= chunk->length;
    to->host->received += chunk->length;
    came(to->host, chunk);
    if (pipe->on_way + chunk->length >= LINK_WINDOW)
        pipe_ready(pipe);
    if (to->open)
        to->events->bytes(to->owner, conn, 1 - (int)side, chunk->data, chunk->length);
    mem_free(chunk);
    conn = link_find(world, number);
    if (conn != NULL)
        send_end(&conn->pipes[side]);
}

/* What waits there takes no place of what others send. */
static void hold_at_border(struct pipe *pipe)
{
    struct chunk *chunk = pipe->first;

    while (chunk != NULL && chunk->held)
        chunk = chunk->next;
    if (chunk != NULL)
        came(pipe->conn->ends[1 - pipe->side].host, chunk);
}

/* The last hop: the receiver's link takes chunks one after the other. An island's border holds
 * them until it opens again. */
static void fire_arrives(struct world *world, uint64_t number, uint64_t packed)
{
    struct conn *conn = link_find(world, number);
    int side = (int)(packed & 1);
    uint64_t length = packed >> 1;

    if (conn == NULL)
        return;
    struct host *to = conn->ends[1 - side].host;
    if (to->island != conn->ends[side].host->island) {
        hold_at_border(&conn->pipes[side]);
        world_after(world, BORDER_US, fire_arrives, number, packed);
        return;
    }
    uint64_t begin_us = to->down_free_us > world->now_us ? to->down_free_us : world->now_us;
    to->down_free_us = begin_us + length * 1000000 / to->link.down;
    world_at(world, to->down_free_us, fire_delivered, number, (uint64_t)side);
}

static void fire_left(struct world *world, uint64_t number, uint64_t packed)
{
    struct host *host = link_find_host(world, number);
    struct conn *conn = link_find(world, packed >> 1);
    int side = (int)(packed & 1);

    host->sending = false;
    if (conn != NULL) {
        struct end *end = &conn->ends[side];
        pipe_ready(&conn->pipes[side]);
        if (end->open && end->events->sent != NULL)
            end->events->sent(end->owner, conn, side, conn->pipes[side].length);
    }
    pump(host);
}

/* The next pipe whose receiver can take something; the others wait for theirs. */
static struct pipe *next_ready(struct host *host)
{
    while (!list_empty(&host->ready)) {
        struct pipe *pipe = list_entry(host->ready.next, struct pipe, in_host);
        struct host *to = pipe->conn->ends[1 - pipe->side].host;
        list_remove(&pipe->in_host);
        if (!is_full(to, link_travel_us(host, to)))
            return pipe;
        list_push_back(&to->parked, &pipe->in_host);
    }
    return NULL;
}

static void pump(struct host *host)
{
    struct pipe *pipe = host->sending ? NULL : next_ready(host);

    if (pipe == NULL)
        return;
    struct conn *conn = pipe->conn;
    struct world *world = conn->world;
    struct chunk *chunk = take_chunk(pipe, chunk_length(host, pipe));
    uint64_t left_us = world->now_us + chunk->length * 1000000 / host->link.up;
    uint64_t at_us = left_us + link_travel_us(conn->ends[0].host, conn->ends[1].host);

    host->sending = true;
    host->sent += chunk->length;
    conn->ends[1 - pipe->side].host->coming += chunk->length;
    if (at_us < pipe->last_at_us)
        at_us = pipe->last_at_us;
    pipe->last_at_us = at_us;
    world_at(world, left_us, fire_left, host->number, conn->number << 1 | (uint64_t)pipe->side);
    world_at(world, at_us, fire_arrives, conn->number,
             (uint64_t)chunk->length << 1 | (uint64_t)pipe->side);
}

static void add_segment(struct pipe *pipe, struct segment *segment, const uint8_t *data,
                        size_t length)
{
    segment->next = NULL;
    segment->data = data;
    segment->length = length;
    *pipe->last_waiting = segment;
    pipe->last_waiting = &segment->next;
    pipe->length += length;
}

static void add_copy(struct pipe *pipe, const void *data, size_t length)
{
    struct segment *segment = mem_alloc(sizeof *segment + length);

    memcpy(segment->copy, data, length);
    add_segment(pipe, segment, segment->copy, length);
}

static void add_kept(struct pipe *pipe, const uint8_t *data, size_t length)
{
    if (length > 0)
        add_segment(pipe, mem_alloc(sizeof(struct segment)), data, length);
}

static void has_more(struct pipe *pipe)
{
    if (list_empty(&pipe->in_host))
        pipe_ready(pipe);
}

void link_send(struct conn *conn, int side, const void *data, size_t length)
{
    struct pipe *pipe = &conn->pipes[side];

    if (length == 0 || pipe->ending)
        return;
    add_copy(pipe, data, length);
    has_more(pipe);
}

void link_send_block(struct conn *conn, int side, struct span head, const uint8_t *data,
                     size_t length, size_t pad)
{
    static const uint8_t zeros[BLOCK_LENGTH];
    struct pipe *pipe = &conn->pipes[side];

    if (pipe->ending)
        return;
    add_copy(pipe, head.data, head.length);
    add_kept(pipe, data, length);
    add_kept(pipe, zeros, pad);
    has_more(pipe);
}

void link_hold(struct host *host, bool holding, bool bodies)
{
    host->holding = holding;
    host->shuts = bodies;
    if (holding && bodies)
        return;
    /* What is still to wait is held back again. */
    for (size_t i = 0; i < host->held_count; i++)
        world_after(host->world, 0, fire_delivered, host->held[i].conn, host->held[i].side);
    host->held_count = 0;
}

/* --- the end */

static void pipe_end(struct pipe *pipe, enum err why)
{
    if (pipe->ending)
        return;
    pipe->ending = true;
    pipe->why = why;
}

void link_close(struct conn *conn, int side)
{
    struct pipe *pipe = &conn->pipes[side];

    end_shut(conn, side);
    list_remove(&pipe->in_host);
    drop_waiting(pipe);
    pipe_end(pipe, ERR_NETWORK);
    if (!conn->established || !conn->ends[1 - side].open) {
        conn_free(conn);
        return;
    }
    send_end(pipe);
}

void link_finish(struct conn *conn, int side)
{
    end_shut(conn, side);
    pipe_end(&conn->pipes[side], ERR_OK);
    send_end(&conn->pipes[side]);
}

static void fire_broken(struct world *world, uint64_t number, uint64_t side)
{
    struct conn *conn = link_find(world, number);
    if (conn != NULL)
        tell_closed(conn, (int)side, ERR_NETWORK);
}

void link_break(struct conn *conn)
{
    for (uint64_t side = 0; side < 2; side++) {
        drop_waiting(&conn->pipes[side]);
        list_remove(&conn->pipes[side].in_host);
        pipe_end(&conn->pipes[side], ERR_NETWORK);
        if (conn->ends[side].open)
            world_after(conn->world, 0, fire_broken, conn->number, side);
    }
}

void link_host_down(struct host *host)
{
    struct conn *conn, *next;

    host->alive = false;
    link_hold(host, false, false);
    HASH_ITER(hh, host->world->conns, conn, next)
    {
        for (int side = 0; side < 2; side++) {
            if (conn->ends[side].host == host && conn->ends[side].open) {
                link_close(conn, side);
                break;
            }
        }
    }
}

void link_host_up(struct host *host)
{
    host->alive = true;
}

void link_free_all(struct world *world)
{
    struct conn *conn, *next;
    HASH_ITER(hh, world->conns, conn, next)
    conn_free(conn);
    mem_free(world->conn_table);
    struct host *host, *next_host;
    HASH_ITER(hh, world->hosts, host, next_host)
    {
        HASH_DEL(world->hosts, host);
        HASH_DELETE(by_place, world->places, host);
        mem_free(host->held);
        mem_free(host);
    }
}
