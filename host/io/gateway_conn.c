#include "base/log.h"
#include "base/mem.h"
#include "io/gateway_private.h"

#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MAX  MIB(4) /* sent on one connection before the others have their turn */
#define PIECE_MAX MIB(1)
#define LINGER_MS 2000
#define RANGE_MAX 128 /* a longer Range header can only be of several ranges */

static uint64_t after_ms(const struct conn *conn, uint64_t ms)
{
    return uv_now(conn->poll.loop) + ms;
}

static size_t smaller(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

/* Of the body, what may be sent now. */
static uint64_t body_ready(const struct conn *conn)
{
    uint64_t upto = conn->ready < conn->end ? conn->ready : conn->end;

    return upto > conn->at ? upto - conn->at : 0;
}

/* --- the stream that the owner knows */

void conn_forget_stream(struct conn *conn)
{
    if (conn->stream == 0)
        return;
    HASH_DEL(conn->gateway->by_stream, conn);
    conn->stream = 0;
}

static void end_stream(struct conn *conn)
{
    uint64_t stream = conn->stream;

    if (conn->file >= 0)
        close(conn->file);
    conn->file = -1;
    if (stream == 0)
        return;
    conn_forget_stream(conn);
    conn->gateway->events.closed(conn->gateway->events.user, stream);
}

/* --- the end */

static void conn_free(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void conn_close(struct conn *conn)
{
    if (conn->state == CONN_CLOSED)
        return;
    conn->state = CONN_CLOSED;
    list_remove(&conn->link);
    conn->gateway->count--;
    uv_close((uv_handle_t *)&conn->poll, conn_free); /* stops watching at once */
    close(conn->fd);
    end_stream(conn);
}

/* Closing with unread input would send a reset, and a reset can overtake what we have sent. */
static void linger(struct conn *conn)
{
    shutdown(conn->fd, SHUT_WR);
    conn->state = CONN_LINGERING;
    conn->deadline = after_ms(conn, LINGER_MS);
}

/* --- waiting for the socket */

static void watched(uv_poll_t *poll, int status, int events);

static int wanted(const struct conn *conn)
{
    int events = conn->in_length < sizeof conn->in ? UV_READABLE : 0;

    if (conn->state == CONN_LINGERING)
        return UV_READABLE;
    if (conn->state == CONN_SENDING &&
        (conn->head_sent < conn->head_length || body_ready(conn) > 0 || conn->at >= conn->end))
        events |= UV_WRITABLE;
    return events | UV_DISCONNECT;
}

static void watch(struct conn *conn)
{
    int events = wanted(conn);

    if (events == conn->polled)
        return;
    conn->polled = events;
    uv_poll_start(&conn->poll, events, watched);
}

/* --- sending. Each returns whether there is more to do now. */

static bool send_failed(struct conn *conn)
{
    if (errno == EINTR)
        return true;
    if (errno == EAGAIN)
        conn->deadline = after_ms(conn, LIMIT_GATEWAY_STALL_MS);
    else
        conn_close(conn);
    return false;
}

/* The head; with it the body when that is short enough to be copied. */
static bool send_head(struct conn *conn)
{
    uint8_t *bytes = conn->gateway->scratch;
    size_t head = conn->head_length - conn->head_sent;
    uint64_t ready = body_ready(conn);
    size_t body = ready <= GATEWAY_SCRATCH ? (size_t)ready : 0;
    ssize_t sent;

    memcpy(bytes, conn->head + conn->head_sent, head);
    if (body > 0 && pread(conn->file, bytes + head, body, (off_t)conn->at) != (ssize_t)body)
        body = 0; /* send_body will see what is wrong */
    sent = send(conn->fd, bytes, head + body, MSG_NOSIGNAL | (ready > body ? MSG_MORE : 0));
    if (sent < 0)
        return send_failed(conn);
    if ((size_t)sent < head) {
        conn->head_sent += (size_t)sent;
        return true;
    }
    conn->head_sent = conn->head_length;
    conn->at += (uint64_t)sent - head;
    return true;
}

static bool send_body(struct conn *conn)
{
    off_t offset = (off_t)conn->at;
    ssize_t sent = sendfile(conn->fd, conn->file, &offset, smaller(body_ready(conn), PIECE_MAX));

    if (sent < 0)
        return send_failed(conn);
    if (sent == 0) {
        log_error("gateway: a content file is shorter than it must be");
        conn_close(conn);
        return false;
    }
    conn->at += (uint64_t)sent;
    return true;
}

/* Everything that was asked for has left. */
static void reply_sent(struct conn *conn)
{
    end_stream(conn);
    if (conn->state == CONN_CLOSED)
        return;
    if (!conn->keep_alive) {
        linger(conn);
        return;
    }
    conn->state = CONN_READING;
    conn->deadline =
        after_ms(conn, conn->in_length > 0 ? LIMIT_GATEWAY_HEAD_MS : LIMIT_GATEWAY_IDLE_MS);
}

static bool send_some(struct conn *conn)
{
    uint64_t begin = conn->at;

    while (conn->head_sent < conn->head_length)
        if (!send_head(conn))
            return false;
    while (body_ready(conn) > 0 && conn->at - begin < TURN_MAX)
        if (!send_body(conn))
            return false;
    if (conn->at >= conn->end) {
        reply_sent(conn);
        return conn->state == CONN_READING;
    }
    /* Its turn is over; or the owner has not got further, and that is not the client's doing. */
    conn->deadline = body_ready(conn) > 0 ? after_ms(conn, LIMIT_GATEWAY_STALL_MS) : NEVER;
    return false;
}

/* --- requests */

void conn_reply(struct conn *conn, int status)
{
    reply_write_error(conn, status);
    conn->at = conn->end = conn->ready = 0;
    conn->state = CONN_SENDING;
}

static void refuse(struct conn *conn, int status, const char *why)
{
    log_info("gateway: refused a request: %s", why);
    conn_reply(conn, status);
}

static void open_stream(struct conn *conn, const struct gateway_url *url, const char *range)
{
    struct gateway *gateway = conn->gateway;
    struct gateway_open open = {.stream = ++gateway->last_stream,
                                .token = url->token,
                                .seq = url->seq,
                                .path = url->path,
                                .range = range,
                                .head_only = conn->head_only};

    conn->stream = open.stream;
    HASH_ADD(hh, gateway->by_stream, stream, sizeof conn->stream, conn);
    conn->state = CONN_OPEN;
    conn->deadline = NEVER;
    gateway->events.open(gateway->events.user, &open);
}

static void drop_input(struct conn *conn, size_t used)
{
    conn->in_length -= used;
    memmove(conn->in, conn->in + used, conn->in_length);
}

/* The input is dropped before the owner hears of it: by then everything is copied. */
static void answer(struct conn *conn, const struct request_head *head, size_t used)
{
    struct gateway_url url;
    char range[RANGE_MAX + 1];
    bool host_right = head->host.data != NULL && span_is(head->host, conn->gateway->host);
    bool get = span_is(head->method, "GET"), url_right;
    /* RFC 9110 14.2: a Range counts with GET only. */
    bool has_range = get && head->range.data != NULL && head->range.length <= RANGE_MAX;

    conn->head_only = span_is(head->method, "HEAD");
    conn->keep_alive = head->keep_alive && host_right && !head->has_body;
    if (has_range)
        memcpy(range, head->range.data, head->range.length);
    range[has_range ? head->range.length : 0] = '\0';
    url_right = gateway_url_parse(head->target, &url);
    if (!get && !conn->head_only)
        conn->keep_alive = false;
    drop_input(conn, used); /* `head` points nowhere from here on */
    if (!host_right)
        refuse(conn, 400, "wrong Host");
    else if (!get && !conn->head_only)
        refuse(conn, 405, "neither GET nor HEAD");
    else if (head->has_body)
        refuse(conn, 400, "it has a body");
    else if (!url_right)
        refuse(conn, 400, "malformed path");
    else
        open_stream(conn, &url, has_range ? range : NULL);
}

static bool take_request(struct conn *conn)
{
    struct request_head head;
    size_t used;
    enum err err = request_head_parse(span_of(conn->in, conn->in_length), &head, &used);

    if (err == ERR_MORE && conn->in_length < sizeof conn->in)
        return false;
    conn->keep_alive = false;
    if (err == ERR_MORE)
        refuse(conn, 400, "the head is too long");
    else if (err != ERR_OK)
        refuse(conn, 400, err_text(err));
    else
        answer(conn, &head, used);
    return true;
}

static void run(struct conn *conn)
{
    bool more = true;

    conn->running = true;
    while (more)
        switch (conn->state) {
        case CONN_READING:
            more = take_request(conn);
            break;
        case CONN_SENDING:
            more = send_some(conn);
            break;
        default:
            more = false;
        }
    conn->running = false;
    if (conn->state != CONN_CLOSED)
        watch(conn);
}

void conn_changed(struct conn *conn)
{
    if (!conn->running)
        watch(conn);
}

/* --- reading */

static void discard_input(struct conn *conn)
{
    ssize_t length = recv(conn->fd, conn->gateway->scratch, sizeof conn->gateway->scratch, 0);

    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR))
        conn_close(conn);
}

/* A client that has closed its half has gone: none of ours sends a request and then does that. */
static void read_input(struct conn *conn)
{
    size_t room = sizeof conn->in - conn->in_length;
    ssize_t length;

    if (conn->state == CONN_LINGERING) {
        discard_input(conn);
        return;
    }
    length = room == 0 ? -1 : recv(conn->fd, conn->in + conn->in_length, room, 0);
    if (length > 0) {
        if (conn->in_length == 0 && conn->state == CONN_READING)
            conn->deadline = after_ms(conn, LIMIT_GATEWAY_HEAD_MS);
        conn->in_length += (size_t)length;
    } else if (room > 0 && (length == 0 || (errno != EAGAIN && errno != EINTR))) {
        conn_close(conn);
    }
}

static void watched(uv_poll_t *poll, int status, int events)
{
    struct conn *conn = poll->data;

    if (status != 0) {
        conn_close(conn);
        return;
    }
    if ((events & UV_READABLE) != 0)
        read_input(conn);
    else if ((events & UV_DISCONNECT) != 0)
        conn_close(conn);
    if (conn->state != CONN_CLOSED)
        run(conn);
}

void conn_new(struct gateway *gateway, int fd)
{
    struct conn *conn = mem_alloc(sizeof *conn); /* the buffers need no zeroes */

    memset(conn, 0, offsetof(struct conn, head));
    conn->in_length = 0;
    if (uv_poll_init(gateway->listener.loop, &conn->poll, fd) != 0) {
        close(fd);
        mem_free(conn);
        return;
    }
    conn->poll.data = conn;
    conn->gateway = gateway;
    conn->fd = fd;
    conn->file = -1;
    conn->deadline = after_ms(conn, LIMIT_GATEWAY_IDLE_MS);
    list_push_back(&gateway->conns, &conn->link);
    gateway->count++;
    watch(conn);
}
