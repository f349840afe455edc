#include "transfer.h"

#include "base/limits.h"
#include "base/mem.h"
#include "visitor.h"

#include <string.h>

#define SLAB KIB(64) /* how much of a body stands before a server's link */

static struct transfer *transfer_find(struct world *world, uint64_t number)
{
    struct transfer *transfer;
    HASH_FIND(hh, world->transfers, &number, sizeof number, transfer);
    return transfer;
}

static void transfer_free(struct transfer *transfer)
{
    HASH_DEL(transfer->world->transfers, transfer);
    list_remove(&transfer->in_visitor);
    buf_done(&transfer->own_body);
    mem_free(transfer->path);
    mem_free(transfer->condition);
    mem_free(transfer);
}

struct resource *transfer_resource(const struct transfer *transfer)
{
    char path[LIMIT_PATH + 1];
    size_t length = strcspn(transfer->path, "?");

    if (length > LIMIT_PATH)
        return NULL;
    memcpy(path, transfer->path, length);
    path[length] = '\0';
    return server_get(transfer->server, path);
}

/* --- how it ends, for the visitor */

static void count_sent(struct transfer *transfer)
{
    struct conn *conn = link_find(transfer->world, transfer->conn);
    uint64_t left = transfer->pushed - (conn != NULL ? link_queued(conn, 0) : 0);
    struct resource *resource = transfer_resource(transfer);

    if (resource != NULL)
        resource->sent += left - transfer->counted;
    transfer->server->sent += left - transfer->counted;
    transfer->counted = left;
}

static void start_waiting(struct visitor *visitor, const struct server *server);

/* Takes the transfer off the world and starts those that waited for its connection. */
static void transfer_remove(struct transfer *transfer)
{
    struct world *world = transfer->world;
    struct server *server = transfer->server;
    struct visitor *visitor = visitor_find(world, transfer->visitor);
    struct conn *conn = link_find(world, transfer->conn);

    count_sent(transfer);
    transfer_free(transfer);
    if (conn != NULL && conn->ends[1].open)
        link_close(conn, 1);
    start_waiting(visitor, server);
}

static void finish(struct transfer *transfer, enum err result)
{
    struct visitor *visitor = visitor_find(transfer->world, transfer->visitor);
    struct event event = {.kind = EVENT_HTTP_DONE};

    event.http.op = transfer->op;
    event.http.status = transfer->status;
    event.http.result = result;
    event.http.retry_after_s = transfer->retry_after_s;
    world_trace(transfer->world, "%s < done %s %d %s", visitor->host->name, transfer->path,
                transfer->status, err_name(result));
    transfer_remove(transfer);
    visitor_step(visitor, &event);
}

static void fire_finish(struct world *world, uint64_t number, uint64_t result)
{
    struct transfer *transfer = transfer_find(world, number);
    if (transfer != NULL)
        finish(transfer, (enum err)result);
}

/* --- the server's side of the connection */

static void push_body(struct transfer *transfer, struct conn *conn)
{
    uint64_t limit = reply_limit(transfer);
    uint8_t data[16384];

    while (transfer->pushed < limit && link_queued(conn, 0) < SLAB) {
        uint64_t left = limit - transfer->pushed;
        size_t length = left < sizeof data ? (size_t)left : sizeof data;
        reply_read(transfer, transfer->body_first + transfer->pushed, data, length);
        transfer->pushed += length;
        link_send(conn, 0, data, length);
    }
    if (transfer->pushed < limit || link_queued(conn, 0) > 0 || !conn->ends[0].open)
        return;
    if (limit != transfer->fault.stall_at)
        link_finish(conn, 0);
}

static void server_sent(void *owner, struct conn *conn, int side, size_t queued)
{
    struct transfer *transfer = transfer_find(owner, conn->ends[side].name);

    (void)queued;
    if (transfer == NULL)
        return;
    count_sent(transfer);
    push_body(transfer, conn);
}

static void server_closed(void *owner, struct conn *conn, int side, enum err why)
{
    (void)owner;
    (void)conn;
    (void)side;
    (void)why;
}

static const struct link_events server_events = {.sent = server_sent, .closed = server_closed};

/* --- the visitor's side */

static bool has_length(const struct transfer *transfer)
{
    return !transfer->fault.no_length && !transfer->fault.endless;
}

static void client_bytes(void *owner, struct conn *conn, int side, const uint8_t *data,
                         size_t length)
{
    struct world *world = owner;
    struct transfer *transfer = transfer_find(world, conn->ends[side].name);

    if (transfer == NULL)
        return;
    transfer->moved_us = world->now_us;
    transfer->got += length;
    if (transfer->status >= 300)
        return;
    if (transfer->got > transfer->max) {
        finish(transfer, ERR_TOO_LARGE);
        return;
    }
    struct visitor *visitor = visitor_find(world, transfer->visitor);
    struct event event = {.kind = EVENT_HTTP_BODY};
    uint64_t number = transfer->number;
    event.http.op = transfer->op;
    event.http.data = span_of(data, length);
    if (transfer->paced)
        gauges_received(visitor, length);
    visitor_step(visitor, &event);
    transfer = transfer_find(world, number);
    /* Content-Length tells the end: nobody waits for the connection's. */
    if (transfer != NULL && has_length(transfer) &&
        transfer->got == transfer->body_end - transfer->body_first)
        finish(transfer, ERR_OK);
}

static void client_closed(void *owner, struct conn *conn, int side, enum err why)
{
    struct transfer *transfer = transfer_find(owner, conn->ends[side].name);

    if (transfer == NULL)
        return;
    if (why == ERR_OK && transfer->got < transfer->body_end - transfer->body_first &&
        !transfer->fault.no_length)
        why = ERR_NETWORK;
    finish(transfer, why);
}

static const struct link_events client_events = {.bytes = client_bytes, .closed = client_closed};

static void fire_head(struct world *world, uint64_t number, uint64_t b)
{
    struct transfer *transfer = transfer_find(world, number);
    struct event event = {.kind = EVENT_HTTP_HEAD};

    (void)b;
    if (transfer == NULL)
        return;
    transfer->answered = true;
    transfer->moved_us = world->now_us;
    event.http.op = transfer->op;
    event.http.status = transfer->status;
    event.http.has_length = has_length(transfer);
    event.http.length = transfer->body_end - transfer->body_first;
    event.http.has_range = transfer->partial;
    event.http.total = UINT64_MAX;
    event.http.date_s = WORLD_WALL_S + world_elapsed_us(world) / 1000000;
    const struct resource *resource = transfer_resource(transfer);
    if (resource != NULL && (transfer->status == 200 || transfer->status == 304)) {
        event.http.validator = resource->validator;
        event.http.max_age_s = resource->max_age_s;
    }
    if (transfer->partial) {
        event.http.first = transfer->body_first;
        event.http.last = transfer->body_end - 1;
        event.http.total = transfer_resource(transfer)->length;
    }
    struct visitor *visitor = visitor_find(world, transfer->visitor);
    world_trace(world, "%s < head %s %d", visitor->host->name, transfer->path, transfer->status);
    bool too_large = event.http.has_length && event.http.length > transfer->max;
    visitor_step(visitor, &event);
    if (too_large)
        fire_finish(world, number, ERR_TOO_LARGE);
}

/* No byte for so long: host/io/http gives up. */
static void fire_stall_check(struct world *world, uint64_t number, uint64_t b)
{
    struct transfer *transfer = transfer_find(world, number);

    (void)b;
    if (transfer == NULL)
        return;
    uint64_t limit_us = LIMIT_HTTP_STALL_MS * 1000ull;
    if (transfer->paced && visitor_find(world, transfer->visitor)->host->shuts)
        transfer->moved_us = world->now_us; /* it is ourselves who do not read */
    if (world->now_us - transfer->moved_us >= limit_us)
        finish(transfer, ERR_TIMEOUT);
    else
        world_at(world, transfer->moved_us + limit_us, fire_stall_check, number, 0);
}

/* --- the response */

static void fire_respond(struct world *world, uint64_t number, uint64_t b)
{
    struct transfer *transfer = transfer_find(world, number);

    (void)b;
    if (transfer == NULL)
        return;
    struct visitor *visitor = visitor_find(world, transfer->visitor);
    struct host *host = transfer->server->host;
    world_after(world, link_travel_us(host, visitor->host), fire_head, number, 0);
    struct conn *conn =
        link_join(host, &server_events, world, visitor->host, &client_events, world);
    conn->ends[0].name = conn->ends[1].name = number;
    conn->unheld = !transfer->paced;
    conn->body = true;
    transfer->conn = conn->number;
    push_body(transfer, conn);
}

static void fire_arrives(struct world *world, uint64_t number, uint64_t b)
{
    struct transfer *transfer = transfer_find(world, number);

    (void)b;
    if (transfer == NULL)
        return;
    struct host *host = visitor_find(world, transfer->visitor)->host;
    struct server *server = transfer->server;
    if (host->island != server->host->island) {
        world_at(world, transfer->begun_us + LIMIT_HTTP_CONNECT_MS * 1000ull, fire_finish, number,
                 ERR_TIMEOUT);
    } else if (server->down) {
        world_after(world, link_travel_us(host, server->host), fire_finish, number, ERR_NETWORK);
    } else {
        reply_decide(transfer);
        world_after(world, transfer->fault.delay_ms * 1000ull, fire_respond, number, 0);
    }
}

/* --- requests */

static uint32_t active_at(const struct visitor *visitor, const struct server *server)
{
    uint32_t count = 0;

    list_for_each(link, next, &visitor->transfers)
    {
        const struct transfer *t = list_entry(link, struct transfer, in_visitor);
        count += t->active && (server == NULL || t->server == server);
    }
    return count;
}

uint32_t server_active(const struct visitor *visitor)
{
    return active_at(visitor, NULL);
}

static void start(struct transfer *transfer)
{
    struct world *world = transfer->world;
    struct host *host = visitor_find(world, transfer->visitor)->host;
    uint64_t one_way_us = link_travel_us(host, transfer->server->host);

    transfer->active = true;
    transfer->begun_us = transfer->moved_us = world->now_us;
    /* TCP and TLS take two round trips, the request half of one. Kept connections are not
     * modelled: small files pay more than in life. */
    world_after(world, 5 * one_way_us, fire_arrives, transfer->number, 0);
    world_after(world, LIMIT_HTTP_STALL_MS * 1000ull, fire_stall_check, transfer->number, 0);
    if (transfer->timeout_ms > 0)
        world_after(world, transfer->timeout_ms * 1000ull, fire_finish, transfer->number,
                    ERR_TIMEOUT);
}

static void start_waiting(struct visitor *visitor, const struct server *server)
{
    list_for_each(link, next, &visitor->transfers)
    {
        struct transfer *t = list_entry(link, struct transfer, in_visitor);
        if (t->active || t->server != server)
            continue;
        if (active_at(visitor, server) < LIMIT_ORIGIN_CONNECTIONS)
            start(t);
        return;
    }
}

void server_request(struct visitor *visitor, const struct http_want *want)
{
    struct world *world = visitor->world;
    const char *authority = strstr(want->url, "://");

    if (authority == NULL)
        world_fail(world, "%s asks for a thing that is no URL: %s", visitor->host->name, want->url);
    size_t site_length = (size_t)(authority - want->url) + 3 + strcspn(authority + 3, "/?");
    struct server *server = server_find(world, want->url, site_length);
    if (server == NULL)
        world_fail(world, "%s asks a server that there is not: %s", visitor->host->name, want->url);
    struct transfer *transfer = mem_zalloc(sizeof *transfer);
    *transfer =
        (struct transfer){.world = world,
                          .number = world_number(world),
                          .visitor = visitor->number,
                          .op = want->op,
                          .server = server,
                          .path = mem_strdup(want->url + site_length),
                          .has_range = want->has_range,
                          .first = want->first,
                          .last = want->last,
                          .max = want->max,
                          .timeout_ms = want->timeout_ms,
                          .paced = want->paced,
                          .condition = want->condition != NULL ? mem_strdup(want->condition) : NULL,
                          .fault = FAULT_NONE};
    buf_init(&transfer->own_body, MIB(1));
    HASH_ADD(hh, world->transfers, number, sizeof transfer->number, transfer);
    list_push_back(&visitor->transfers, &transfer->in_visitor);
    if (active_at(visitor, server) < LIMIT_ORIGIN_CONNECTIONS)
        start(transfer);
}

bool server_cancel(struct visitor *visitor, uint64_t op)
{
    list_for_each(link, next, &visitor->transfers)
    {
        struct transfer *transfer = list_entry(link, struct transfer, in_visitor);
        if (transfer->op != op)
            continue;
        transfer_remove(transfer);
        return true;
    }
    return false;
}

void server_forget_visitor(struct visitor *visitor)
{
    list_for_each(link, next, &visitor->transfers)
        transfer_free(list_entry(link, struct transfer, in_visitor));
}

void transfers_free(struct world *world)
{
    struct transfer *transfer, *next;
    HASH_ITER(hh, world->transfers, transfer, next)
    transfer_free(transfer);
}
