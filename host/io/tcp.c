/* io/tcp: listening, dialling and the public calls. */
#include "io/tcp_private.h"

#include "base/log.h"
#include "io/sockaddr.h"

#include <assert.h>

#define TURN_MS 1 /* for those whose turn it is to show that they have something */

void tcp_handle_closed(struct tcp *tcp)
{
    if (--tcp->handles > 0)
        return;
    tcp_pool_done(&tcp->pool);
    mem_free(tcp);
}

static void handle_closed(uv_handle_t *handle)
{
    tcp_handle_closed(handle->data);
}

/* --- listening */

/* A stranger may not take all places, nor one address many. On loopback everybody is one
 * address, and it is this machine's own. */
static bool admits(const struct tcp *tcp, const struct conn *newcomer)
{
    unsigned same = 0;

    if (tcp->accepted > tcp->places)
        return false;
    if (address_is_loopback(&newcomer->remote))
        return true;
    for (const struct conn *conn = tcp->conns; conn != NULL; conn = conn->hh.next)
        same += address_same_ip(&conn->remote, &newcomer->remote);
    return same <= tcp->address_places; /* counts the newcomer itself */
}

static bool find_remote(struct conn *conn)
{
    struct sockaddr_storage storage;
    int length = sizeof storage;

    return uv_tcp_getpeername(&conn->uv, (struct sockaddr *)&storage, &length) == 0 &&
           sockaddr_to_address(&storage, &conn->remote);
}

/* libuv calls it for as many connections as wait. */
static void has_incoming(uv_stream_t *listener, int status)
{
    struct tcp *tcp = listener->data;
    struct conn *conn;

    if (status < 0) {
        if (!tcp->accept_failed) /* once: strangers can make it happen as often as they like */
            log_warning("cannot accept a peer: %s", uv_strerror(status));
        tcp->accept_failed = true;
        return;
    }
    tcp->accept_failed = false;
    conn = tcp_conn_new(tcp, TCP_ACCEPTED | ++tcp->last_accepted);
    if (uv_accept(listener, (uv_stream_t *)&conn->uv) != 0 || !find_remote(conn) ||
        !admits(tcp, conn)) {
        tcp_conn_end(conn);
        return;
    }
    tcp_conn_open(conn);
}

static enum err listen_failed(const struct address *address, int result)
{
    char text[ADDRESS_TEXT];

    address_format(address, text);
    log_error("cannot listen on %s: %s", text, uv_strerror(result));
    return result == UV_EADDRINUSE ? ERR_BUSY : ERR_IO;
}

static enum err listen_on(struct tcp *tcp, const struct address *wanted, bool alone)
{
    uv_tcp_t *listener = &tcp->listeners[tcp->listening];
    struct sockaddr_storage storage;
    struct address with_port = *wanted, bound, *address = &with_port;
    unsigned flags = address->family == 6 && !alone ? UV_TCP_IPV6ONLY : 0;
    int length = sizeof storage;
    int result;

    uv_tcp_init(&tcp->loop->uv, listener);
    listener->data = tcp;
    tcp->listening++;
    tcp->handles++;
    if (tcp->port != 0)
        address->port = tcp->port;
    sockaddr_from_address(address, &storage);
    result = uv_tcp_bind(listener, (struct sockaddr *)&storage, flags);
    if (result == 0)
        result = uv_listen((uv_stream_t *)listener, 128, has_incoming);
    if (result == 0)
        result = uv_tcp_getsockname(listener, (struct sockaddr *)&storage, &length);
    if (result != 0)
        return listen_failed(address, result);
    if (!sockaddr_to_address(&storage, &bound))
        return ERR_INTERNAL;
    tcp->port = bound.port;
    return ERR_OK;
}

/* --- dialling */

static void next_deadline(struct tcp *tcp)
{
    const struct conn *first;
    uint64_t now = loop_now_ms(tcp->loop);

    if (list_empty(&tcp->dialling)) {
        loop_timer_stop(tcp->dial_timer);
        return;
    }
    first = list_entry(tcp->dialling.next, struct conn, dialling);
    loop_timer_set(tcp->dial_timer, first->deadline_ms > now ? first->deadline_ms - now : 0);
}

static void dial_timed_out(void *user)
{
    struct tcp *tcp = user;
    uint64_t now = loop_now_ms(tcp->loop);

    while (!tcp->freed && !list_empty(&tcp->dialling)) {
        struct conn *conn = list_entry(tcp->dialling.next, struct conn, dialling);

        if (conn->deadline_ms > now)
            break;
        tcp_conn_end_tell(conn, ERR_TIMEOUT);
    }
    if (!tcp->freed)
        next_deadline(tcp);
}

static void has_connected(uv_connect_t *connect, int status)
{
    struct conn *conn = connect->data;

    if (conn->ended || conn->doom != ERR_OK)
        return;
    list_remove(&conn->dialling);
    if (status < 0) {
        tcp_conn_end_tell(conn, tcp_err(status));
        return;
    }
    tcp_conn_open(conn);
    tcp_flush(conn->tcp); /* what was sent before it was open */
}

void tcp_dial(struct tcp *tcp, uint64_t number, const struct address *to)
{
    struct sockaddr_storage storage;
    struct conn *conn;
    int result;

    assert((number & TCP_ACCEPTED) == 0 && tcp_conn_find(tcp, number) == NULL);
    conn = tcp_conn_new(tcp, number);
    conn->remote = *to;
    if (tcp->dialled > LIMIT_PEERS) {
        tcp_conn_doom(conn, ERR_BUSY);
        return;
    }
    sockaddr_from_address(to, &storage);
    conn->connect.data = conn;
    result = uv_tcp_connect(&conn->connect, &conn->uv, (struct sockaddr *)&storage, has_connected);
    if (result < 0) {
        tcp_conn_doom(conn, tcp_err(result));
        return;
    }
    conn->deadline_ms = loop_now_ms(tcp->loop) + LIMIT_DIAL_MS;
    list_push_back(&tcp->dialling, &conn->dialling);
    if (tcp->dialling.next == &conn->dialling)
        next_deadline(tcp);
}

/* --- sending */

static struct conn *find_with_room(struct tcp *tcp, uint64_t number, size_t length)
{
    struct conn *conn = tcp_conn_find(tcp, number);

    if (conn == NULL)
        return NULL;
    if (length > LIMIT_PEER_SEND_QUEUE || conn->queue.length > LIMIT_PEER_SEND_QUEUE - length) {
        tcp_conn_doom(conn, ERR_TOO_LARGE);
        return NULL;
    }
    if (conn->open && list_empty(&conn->dirty))
        list_push_back(&tcp->dirty, &conn->dirty);
    return conn;
}

void tcp_send(struct tcp *tcp, uint64_t number, const void *data, size_t length)
{
    struct conn *conn = find_with_room(tcp, number, length);

    if (conn != NULL)
        tcp_queue_put(&conn->queue, data, length);
}

void tcp_send_file(struct tcp *tcp, uint64_t number, const void *head, size_t head_length, int fd,
                   uint64_t offset, size_t length, size_t pad)
{
    struct conn *conn;
    enum err err;

    assert(head_length <= KIB(64) && pad <= BLOCK_LENGTH);
    if (length > LIMIT_PEER_SEND_QUEUE)
        length = LIMIT_PEER_SEND_QUEUE; /* too large with any head: the sum cannot overflow */
    conn = find_with_room(tcp, number, head_length + length + pad);
    if (conn == NULL)
        return;
    size_t gone = tcp_conn_send_file(conn, head, head_length, fd, offset, length);
    if (conn->doom != ERR_OK)
        return;
    size_t head_gone = gone < head_length ? gone : head_length;
    tcp_queue_put(&conn->queue, (const uint8_t *)head + head_gone, head_length - head_gone);
    offset += gone - head_gone;
    length -= gone - head_gone;
    err = tcp_queue_put_file(&conn->queue, fd, offset, length);
    if (err != ERR_OK) {
        tcp_conn_doom(conn, err);
        return;
    }
    tcp_queue_put_zeros(&conn->queue, pad);
}

void tcp_flush(struct tcp *tcp)
{
    while (!list_empty(&tcp->dirty)) {
        struct conn *conn = list_entry(tcp->dirty.next, struct conn, dirty);

        list_remove(&conn->dirty);
        tcp_conn_pump(conn);
    }
}

void tcp_close(struct tcp *tcp, uint64_t number)
{
    struct conn *conn;

    HASH_FIND(hh, tcp->conns, &number, sizeof number, conn); /* a doomed one too */
    if (conn == NULL)
        return;
    if (!list_empty(&conn->dirty)) { /* last words, as far as the system takes them */
        list_remove(&conn->dirty);
        tcp_conn_pump(conn);
    }
    tcp_conn_end(conn);
}

static void read_or_not(struct conn *conn)
{
    const struct tcp *tcp = conn->tcp;
    bool on = !conn->paused && !tcp->held && !(tcp->turns && conn->had_turn);

    if (conn->doom == ERR_OK && tcp_conn_read(conn, on) != ERR_OK)
        tcp_conn_doom(conn, ERR_NETWORK);
}

static void read_all_or_not(struct tcp *tcp)
{
    for (struct conn *conn = tcp->conns; conn != NULL; conn = conn->hh.next)
        read_or_not(conn);
}

/* Those that have not had their turn have nothing: a new round. */
static void round_is_over(void *user)
{
    struct tcp *tcp = user;

    tcp->turns = false;
    for (struct conn *conn = tcp->conns; conn != NULL; conn = conn->hh.next)
        conn->had_turn = false;
    read_all_or_not(tcp);
}

void tcp_pause(struct tcp *tcp, uint64_t number, bool paused)
{
    struct conn *conn = tcp_conn_find(tcp, number);

    if (conn == NULL || conn->paused == paused)
        return;
    conn->paused = paused;
    read_or_not(conn);
}

void tcp_receive(struct tcp *tcp, bool held, size_t chunk)
{
    tcp->held = held;
    tcp->turns = chunk > 0;
    tcp->read_length = chunk > 0 && chunk < TCP_READ_LENGTH ? chunk : TCP_READ_LENGTH;
    read_all_or_not(tcp);
    if (tcp->turns && !held)
        loop_timer_set(tcp->turn_timer, TURN_MS);
    else
        loop_timer_stop(tcp->turn_timer);
}

/* --- birth and end */

enum err tcp_new(struct loop *loop, const struct address *listen, size_t count,
                 const struct tcp_events *events, struct tcp **ret)
{
    struct tcp *tcp = mem_zalloc(sizeof *tcp);
    enum err err = ERR_OK;

    tcp->loop = loop;
    tcp->read_length = TCP_READ_LENGTH;
    tcp->places = LIMIT_PEERS;
    tcp->address_places = LIMIT_PEERS_PER_ADDRESS;
    tcp->events = *events;
    list_init(&tcp->deferred);
    list_init(&tcp->dirty);
    list_init(&tcp->dialling);
    list_init(&tcp->watched);
    tcp->watch_timer = loop_timer_new(loop, tcp_backlog_look, tcp);
    tcp->dial_timer = loop_timer_new(loop, dial_timed_out, tcp);
    tcp->turn_timer = loop_timer_new(loop, round_is_over, tcp);
    uv_idle_init(&loop->uv, &tcp->idle);
    tcp->idle.data = tcp;
    tcp->handles = 1;
    for (size_t i = 0; i < count && i < LIMIT_LISTEN && err == ERR_OK; i++)
        err = listen_on(tcp, &listen[i], count == 1);
    if (err != ERR_OK) {
        tcp_free(tcp);
        return err;
    }
    *ret = tcp;
    return ERR_OK;
}

uint16_t tcp_port(const struct tcp *tcp)
{
    return tcp->port;
}

void tcp_send_at_once(struct tcp *tcp)
{
    tcp->at_once = true;
}

void tcp_set_places(struct tcp *tcp, unsigned all, unsigned for_address)
{
    tcp->places = all;
    tcp->address_places = for_address;
}

void tcp_stop_listening(struct tcp *tcp)
{
    for (unsigned i = 0; i < tcp->listening; i++)
        uv_close((uv_handle_t *)&tcp->listeners[i], handle_closed);
    tcp->listening = 0;
}

void tcp_free(struct tcp *tcp)
{
    if (tcp == NULL)
        return;
    tcp->freed = true;
    while (tcp->conns != NULL)
        tcp_conn_end(tcp->conns);
    loop_timer_free(tcp->dial_timer);
    loop_timer_free(tcp->turn_timer);
    loop_timer_free(tcp->watch_timer);
    tcp_stop_listening(tcp);
    uv_close((uv_handle_t *)&tcp->idle, handle_closed);
}
