/* io/tcp: one connection from its birth to its end. */
#include "io/tcp_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

enum err tcp_err(int uv_error)
{
    switch (uv_error) {
    case UV_ECONNREFUSED:
    case UV_EACCES:
    case UV_EPERM:
        return ERR_REFUSED;
    case UV_ETIMEDOUT:
        return ERR_TIMEOUT;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOBUFS:
        return ERR_BUSY;
    default:
        return ERR_NETWORK;
    }
}

struct conn *tcp_conn_new(struct tcp *tcp, uint64_t number)
{
    struct conn *conn = mem_zalloc(sizeof *conn);

    conn->number = number;
    conn->tcp = tcp;
    uv_tcp_init(&tcp->loop->uv, &conn->uv); /* makes no socket yet, cannot fail */
    conn->uv.data = conn;
    tcp->handles++;
    tcp_queue_init(&conn->queue, &tcp->pool);
    list_init(&conn->dirty);
    list_init(&conn->deferred);
    list_init(&conn->dialling);
    list_init(&conn->watched);
    if (number & TCP_ACCEPTED)
        tcp->accepted++;
    else
        tcp->dialled++;
    HASH_ADD(hh, tcp->conns, number, sizeof conn->number, conn);
    return conn;
}

struct conn *tcp_conn_find(const struct tcp *tcp, uint64_t number)
{
    struct conn *conn;

    HASH_FIND(hh, tcp->conns, &number, sizeof number, conn);
    return conn != NULL && conn->doom == ERR_OK ? conn : NULL;
}

static void conn_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    struct tcp *tcp = conn->tcp;

    tcp_queue_clear(&conn->queue); /* not before: a write may have been using it */
    mem_free(conn);
    tcp_handle_closed(tcp);
}

void tcp_conn_end(struct conn *conn)
{
    struct tcp *tcp = conn->tcp;

    if (conn->ended)
        return;
    conn->ended = true;
    list_remove(&conn->dirty);
    list_remove(&conn->deferred);
    list_remove(&conn->dialling);
    list_remove(&conn->watched);
    if (conn->number & TCP_ACCEPTED)
        tcp->accepted--;
    else
        tcp->dialled--;
    HASH_DELETE(hh, tcp->conns, conn);
    uv_close((uv_handle_t *)&conn->uv, conn_closed);
}

void tcp_conn_end_tell(struct conn *conn, enum err why)
{
    struct tcp *tcp = conn->tcp;
    uint64_t number = conn->number;

    tcp_conn_end(conn);
    tcp->events.closed(tcp->events.user, number, why);
}

/* --- what may not be told from inside the owner's call */

static void idle_fired(uv_idle_t *idle)
{
    tcp_conn_run_deferred(idle->data);
}

static void defer(struct conn *conn)
{
    struct tcp *tcp = conn->tcp;

    if (!list_empty(&conn->deferred))
        return;
    list_push_back(&tcp->deferred, &conn->deferred);
    uv_idle_start(&tcp->idle, idle_fired);
}

void tcp_conn_doom(struct conn *conn, enum err why)
{
    if (conn->doom != ERR_OK)
        return;
    conn->doom = why;
    list_remove(&conn->dirty);
    list_remove(&conn->dialling);
    tcp_conn_read(conn, false);
    defer(conn);
}

void tcp_conn_tell_sent(struct conn *conn)
{
    struct tcp *tcp = conn->tcp;

    conn->tell_sent = false;
    if (conn->queue.length < TCP_LOW_WATER)
        tcp->events.sent(tcp->events.user, conn->number, conn->queue.length, conn->backlog.bytes);
}

void tcp_conn_run_deferred(struct tcp *tcp)
{
    struct list now;

    /* What the owner defers meanwhile waits for the next turn, or two peers could keep the loop
     * here for good. */
    list_init(&now);
    list_take_all(&now, &tcp->deferred);
    while (!list_empty(&now)) {
        struct conn *conn = list_entry(now.next, struct conn, deferred);

        list_remove(&conn->deferred);
        if (conn->doom != ERR_OK)
            tcp_conn_end_tell(conn, conn->doom);
        else if (conn->tell_sent)
            tcp_conn_tell_sent(conn);
    }
    if (list_empty(&tcp->deferred) && !tcp->freed)
        uv_idle_stop(&tcp->idle);
}

/* --- the system's own queue
 *
 * What the system has taken cannot be overtaken or taken back. Left alone it takes more than 100
 * KiB for each of a crowd's connections, together seconds of a home's uplink, and the owner, who
 * counts what is queued, sees none of it. So it is to hold little that is not on the wire, and more
 * only where that leaves in no time. */

static void set_unsent(struct conn *conn, int unsent)
{
    uv_os_fd_t fd;

    if (conn->unsent == unsent || uv_fileno((const uv_handle_t *)&conn->uv, &fd) != 0)
        return;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) == 0)
        conn->unsent = unsent;
}

static void adapt_unsent(struct conn *conn)
{
    uint64_t waited = loop_now_ms(conn->tcp->loop) - conn->waits_since_ms;

    if (conn->unsent == 0)
        return;
    if (waited <= TCP_WAIT_LOW_MS && conn->unsent < (int)TCP_UNSENT_MAX)
        set_unsent(conn, 2 * conn->unsent);
    else if (waited >= TCP_WAIT_HIGH_MS && conn->unsent > (int)TCP_UNSENT_MIN)
        set_unsent(conn, conn->unsent / 2);
}

/* --- reading */

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct conn *conn = handle->data;

    (void)suggested;
    *ret_buf = uv_buf_init((char *)conn->tcp->read_buffer, (unsigned)conn->tcp->read_length);
}

static void has_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;
    struct tcp *tcp = conn->tcp;

    if (conn->ended || length == 0)
        return;
    conn->had_turn = tcp->turns;
    if (length > 0)
        tcp->events.bytes(tcp->events.user, conn->number, (const uint8_t *)buf->base,
                          (size_t)length);
    else
        tcp_conn_end_tell(conn, tcp_err((int)length));
}

enum err tcp_conn_read(struct conn *conn, bool on)
{
    uv_stream_t *stream = (uv_stream_t *)&conn->uv;
    int result;

    if (!conn->open)
        return ERR_OK;
    if (!on) {
        uv_read_stop(stream);
        return ERR_OK;
    }
    result = uv_read_start(stream, give_buffer, has_read);
    return result == 0 || result == UV_EALREADY ? ERR_OK : tcp_err(result);
}

void tcp_conn_open(struct conn *conn)
{
    struct tcp *tcp = conn->tcp;

    uv_tcp_nodelay(&conn->uv, 1);
    set_unsent(conn, tcp->at_once ? (int)TCP_UNSENT_MAX : (int)TCP_UNSENT_MIN);
    conn->open = true;
    if (!conn->paused && !tcp->held && tcp_conn_read(conn, true) != ERR_OK) {
        tcp_conn_end_tell(conn, ERR_NETWORK);
        return;
    }
    if (conn->queue.length > 0 && list_empty(&conn->dirty))
        list_push_back(&tcp->dirty, &conn->dirty);
    tcp->events.opened(tcp->events.user, conn->number, &conn->remote);
}

/* --- writing */

static void has_written(uv_write_t *write, int status)
{
    struct conn *conn = write->data;
    size_t length = conn->in_flight;

    conn->in_flight = 0;
    if (conn->ended || conn->doom != ERR_OK)
        return;
    if (status < 0) {
        tcp_conn_end_tell(conn, tcp_err(status));
        return;
    }
    tcp_queue_drop(&conn->queue, length);
    adapt_unsent(conn);
    tcp_conn_pump(conn);
    if (conn->doom == ERR_OK)
        tcp_conn_tell_sent(conn);
}

/* The socket is full: libuv writes the next few bytes when it empties, and then we the rest. */
static void write_later(struct conn *conn)
{
    uv_buf_t buf;
    int result;

    tcp_queue_front(&conn->queue, &buf, 1);
    if (buf.len > TCP_ASYNC)
        buf.len = TCP_ASYNC;
    conn->in_flight = buf.len;
    conn->waits_since_ms = loop_now_ms(conn->tcp->loop);
    conn->write.data = conn;
    result = uv_write(&conn->write, (uv_stream_t *)&conn->uv, &buf, 1, has_written);
    if (result < 0) {
        conn->in_flight = 0;
        tcp_conn_doom(conn, tcp_err(result));
    }
}

static bool is_full(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* One write of the system's: what has gone, 0 when it takes nothing now. */
static size_t gone(struct conn *conn, ssize_t result)
{
    if (result < 0 && !is_full(errno))
        tcp_conn_doom(conn, tcp_err(-errno));
    return result > 0 ? (size_t)result : 0;
}

size_t tcp_conn_send_file(struct conn *conn, const void *head, size_t head_length, int fd,
                          uint64_t offset, size_t length)
{
    off_t at = (off_t)offset;
    uv_os_fd_t to;

    if (!conn->tcp->at_once || !conn->open || uv_fileno((uv_handle_t *)&conn->uv, &to) != 0)
        return 0;
    tcp_conn_pump(conn); /* what was to leave before */
    if (conn->doom != ERR_OK || conn->queue.length > 0)
        return 0;
    conn->tell_sent = true;
    defer(conn);
    size_t sent = gone(conn, send(to, head, head_length, MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL));
    if (conn->doom != ERR_OK || sent < head_length)
        return sent;
    return sent + gone(conn, sendfile(to, fd, &at, length));
}

void tcp_conn_pump(struct conn *conn)
{
    uv_buf_t bufs[TCP_WRITE_BUFS];
    size_t before = conn->queue.length;

    if (!conn->open || conn->doom != ERR_OK)
        return;
    while (conn->in_flight == 0 && conn->queue.length > 0) {
        unsigned count = tcp_queue_front(&conn->queue, bufs, TCP_WRITE_BUFS);
        int written = uv_try_write((uv_stream_t *)&conn->uv, bufs, count);
        size_t asked = 0;

        for (unsigned i = 0; i < count; i++)
            asked += bufs[i].len;
        if (written < 0 && written != UV_EAGAIN) {
            tcp_conn_doom(conn, tcp_err(written));
            return;
        }
        if (written > 0)
            tcp_queue_drop(&conn->queue, (size_t)written);
        if (written < 0 || (size_t)written < asked)
            write_later(conn);
    }
    if (conn->queue.length < before)
        tcp_backlog_sent(conn, before - conn->queue.length);
    if (conn->queue.length < before && conn->doom == ERR_OK) {
        conn->tell_sent = true;
        defer(conn);
    }
}
