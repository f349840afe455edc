#include "io/udp.h"

#include "base/limits.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/sockaddr.h"
#include "io/table.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

struct udp {
    struct loop *loop;
    struct udp_events events;
    struct exchange *exchanges; /* by op */
    struct list failed;         /* to be told on a later turn */
    struct loop_timer *tell;
    unsigned handles; /* exchanges not yet let go; the last one frees the struct */
    bool freed;
    uint8_t buffer[LIMIT_UDP_TRACKER_REPLY];
};

struct exchange {
    struct udp *udp;
    uint64_t op;
    bool public_only, ended;
    uint8_t family; /* 0: either */
    bool resolving;
    unsigned open_sockets;
    uv_udp_t sockets[2]; /* for IPv4 and IPv6, as far as tried */
    uv_udp_t *socket;    /* the one that is connected; NULL: none yet */
    enum err why;        /* ERR_OK: lives */
    struct list failed;
    struct address to;
    uint8_t *data; /* the newest datagram, until the address is known */
    size_t length;
    uv_getaddrinfo_t lookup;
    UT_hash_handle hh;
};

/* --- the end of an exchange */

static void free_udp(struct udp *udp)
{
    if (udp->freed && udp->handles == 0)
        mem_free(udp);
}

/* libuv may still hold its socket or its lookup: the last of them frees. */
static void release(struct exchange *exchange)
{
    struct udp *udp = exchange->udp;

    if (exchange->resolving || exchange->open_sockets > 0)
        return;
    mem_free(exchange->data);
    mem_free(exchange);
    udp->handles--;
    free_udp(udp);
}

static void socket_closed(uv_handle_t *handle)
{
    struct exchange *exchange = handle->data;

    exchange->open_sockets--;
    release(exchange);
}

static void end_exchange(struct exchange *exchange)
{
    struct udp *udp = exchange->udp;

    exchange->ended = true;
    list_remove(&exchange->failed);
    HASH_DELETE(hh, udp->exchanges, exchange);
    if (exchange->resolving)
        uv_cancel((uv_req_t *)&exchange->lookup);
    for (unsigned i = 0; i < exchange->open_sockets; i++)
        uv_close((uv_handle_t *)&exchange->sockets[i], socket_closed);
    release(exchange);
}

/* Never from inside the owner's call. */
static void fail(struct exchange *exchange, enum err why)
{
    struct udp *udp = exchange->udp;

    if (exchange->why != ERR_OK)
        return;
    exchange->why = why;
    list_push_back(&udp->failed, &exchange->failed);
    loop_timer_set(udp->tell, 0);
}

static void tell_failed(void *user)
{
    struct udp *udp = user;

    while (!udp->freed && !list_empty(&udp->failed)) {
        struct exchange *exchange = list_entry(udp->failed.next, struct exchange, failed);
        uint64_t op = exchange->op;
        enum err why = exchange->why;

        end_exchange(exchange);
        udp->events.failed(udp->events.user, op, why);
    }
}

/* --- datagrams */

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct exchange *exchange = handle->data;

    (void)suggested;
    *ret_buf = uv_buf_init((char *)exchange->udp->buffer, LIMIT_UDP_TRACKER_REPLY);
}

static enum err udp_err(int uv_error)
{
    return uv_error == UV_ECONNREFUSED ? ERR_REFUSED : ERR_NETWORK;
}

static void has_received(uv_udp_t *socket, ssize_t length, const uv_buf_t *buf,
                         const struct sockaddr *from, unsigned flags)
{
    struct exchange *exchange = socket->data;
    struct udp *udp = exchange->udp;

    if (exchange->ended || exchange->why != ERR_OK)
        return;
    if (length < 0)
        fail(exchange, udp_err((int)length));
    else if (from != NULL && (flags & UV_UDP_PARTIAL) == 0)
        udp->events.received(udp->events.user, exchange->op, &exchange->to,
                             (const uint8_t *)buf->base, (size_t)length);
}

/* A datagram that does not leave at once is lost, as any may be: it will be sent again. */
static void send_now(struct exchange *exchange, const void *data, size_t length)
{
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)length);
    int result = uv_udp_try_send(exchange->socket, &buf, 1, NULL);

    if (result < 0 && result != UV_EAGAIN)
        fail(exchange, udp_err(result));
}

/* --- the address */

static bool open_socket(struct exchange *exchange, const struct address *to)
{
    struct sockaddr_storage storage;
    uv_udp_t *socket = &exchange->sockets[exchange->open_sockets];

    sockaddr_from_address(to, &storage);
    if (uv_udp_init(&exchange->udp->loop->uv, socket) != 0)
        return false;
    socket->data = exchange;
    exchange->open_sockets++;
    if (uv_udp_connect(socket, (struct sockaddr *)&storage) != 0 ||
        uv_udp_recv_start(socket, give_buffer, has_received) != 0)
        return false;
    exchange->to = *to;
    exchange->socket = socket;
    return true;
}

/* The first address of the family that may be sent to. */
static bool connect_family(struct exchange *exchange, const struct addrinfo *list, int family,
                           enum err *why)
{
    if (exchange->family != 0 && exchange->family != (family == AF_INET ? 4 : 6))
        return false;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        struct sockaddr_storage storage = {0};
        struct address to;

        if (at->ai_family != family || at->ai_addrlen > sizeof storage)
            continue;
        memcpy(&storage, at->ai_addr, at->ai_addrlen);
        if (!sockaddr_to_address(&storage, &to))
            continue;
        *why = ERR_REFUSED;
        if (exchange->public_only && !address_is_public(&to))
            continue;
        *why = ERR_NETWORK;
        return open_socket(exchange, &to);
    }
    return false;
}

/* IPv4 first where either will do: over it a tracker knows of IPv4 peers, which most are. */
static void has_resolved(uv_getaddrinfo_t *lookup, int status, struct addrinfo *list)
{
    struct exchange *exchange = lookup->data;
    enum err why = ERR_NOT_FOUND;

    exchange->resolving = false;
    if (exchange->ended) {
        uv_freeaddrinfo(list);
        release(exchange);
        return;
    }
    bool connected = status == 0 && (connect_family(exchange, list, AF_INET, &why) ||
                                     connect_family(exchange, list, AF_INET6, &why));
    uv_freeaddrinfo(list);
    if (!connected) {
        fail(exchange, why);
        return;
    }
    send_now(exchange, exchange->data, exchange->length);
    mem_free(exchange->data);
    exchange->data = NULL;
}

static void resolve(struct exchange *exchange, const struct udp_request *request)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
    char port[8];

    snprintf(port, sizeof port, "%u", request->port);
    exchange->lookup.data = exchange;
    exchange->resolving = uv_getaddrinfo(&exchange->udp->loop->uv, &exchange->lookup, has_resolved,
                                         request->host, port, &hints) == 0;
    if (!exchange->resolving)
        fail(exchange, ERR_NOT_FOUND);
}

/* --- the public calls */

static struct exchange *find_exchange(const struct udp *udp, uint64_t op)
{
    struct exchange *exchange;

    HASH_FIND(hh, udp->exchanges, &op, sizeof op, exchange);
    return exchange;
}

static struct exchange *new_exchange(struct udp *udp, const struct udp_request *request)
{
    struct exchange *exchange = mem_zalloc(sizeof *exchange);
    bool busy = HASH_COUNT(udp->exchanges) >= UDP_OPS_MAX;

    exchange->udp = udp;
    exchange->op = request->op;
    exchange->public_only = request->public_only;
    exchange->family = request->family;
    list_init(&exchange->failed);
    udp->handles++;
    HASH_ADD(hh, udp->exchanges, op, sizeof exchange->op, exchange);
    if (busy)
        fail(exchange, ERR_BUSY);
    else
        resolve(exchange, request);
    return exchange;
}

void udp_send(struct udp *udp, const struct udp_request *request)
{
    struct exchange *exchange = find_exchange(udp, request->op);

    if (exchange == NULL)
        exchange = new_exchange(udp, request);
    if (exchange->why != ERR_OK)
        return;
    if (exchange->socket != NULL) {
        send_now(exchange, request->data, request->length);
        return;
    }
    mem_free(exchange->data);
    exchange->data = mem_dup(request->data, request->length);
    exchange->length = request->length;
}

void udp_end(struct udp *udp, uint64_t op)
{
    struct exchange *exchange = find_exchange(udp, op);

    if (exchange != NULL)
        end_exchange(exchange);
}

struct udp *udp_new(struct loop *loop, const struct udp_events *events)
{
    struct udp *udp = mem_zalloc(sizeof *udp);

    udp->loop = loop;
    udp->events = *events;
    list_init(&udp->failed);
    udp->tell = loop_timer_new(loop, tell_failed, udp);
    return udp;
}

void udp_free(struct udp *udp)
{
    if (udp == NULL)
        return;
    udp->handles++; /* so that the loop below does not free it */
    while (udp->exchanges != NULL)
        end_exchange(udp->exchanges);
    loop_timer_free(udp->tell);
    udp->freed = true;
    udp->handles--;
    free_udp(udp);
}
