/* io/gateway: the listener and the owner's calls. Those only note what changed and let libuv
 * call when the socket can take it, so that no event is ever told from inside a call. */
#include "io/gateway.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/gateway_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG     511
#define ACCEPTS_MAX 32 /* in one turn */
#define SWEEP_MS    1000

static void can_accept(uv_poll_t *poll, int status, int events);

static struct conn *find(struct gateway *gateway, uint64_t stream)
{
    struct conn *conn;

    HASH_FIND(hh, gateway->by_stream, &stream, sizeof stream, conn);
    return conn;
}

/* --- overdue connections */

static void sweep(uv_timer_t *timer)
{
    struct gateway *gateway = timer->data;
    uint64_t now = uv_now(timer->loop);

    list_for_each(link, next, &gateway->conns)
    {
        struct conn *conn = list_entry(link, struct conn, link);
        if (conn->deadline <= now)
            conn_close(conn);
    }
    if (gateway->paused) {
        gateway->paused = false;
        uv_poll_start(&gateway->listener, UV_READABLE, can_accept);
    }
    if (gateway->count == 0)
        uv_timer_stop(timer);
}

/* Room for a new client: the idle connection that has the least time left goes. */
static bool make_room(struct gateway *gateway)
{
    struct conn *victim = NULL;

    if (gateway->count < LIMIT_GATEWAY_CONNECTIONS)
        return true;
    list_for_each(link, next, &gateway->conns)
    {
        struct conn *conn = list_entry(link, struct conn, link);
        if (conn->state == CONN_READING && (victim == NULL || conn->deadline < victim->deadline))
            victim = conn;
    }
    if (victim == NULL)
        return false;
    conn_close(victim);
    return true;
}

/* --- accepting */

static void accept_failed(struct gateway *gateway)
{
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
        return;
    log_warning("gateway: cannot accept a connection: %s", strerror(errno));
    gateway->paused = true;
    uv_poll_stop(&gateway->listener);
    uv_timer_start(&gateway->sweep, sweep, SWEEP_MS, SWEEP_MS);
}

static void can_accept(uv_poll_t *poll, int status, int events)
{
    struct gateway *gateway = poll->data;
    int one = 1;

    (void)events;
    for (int i = 0; i < ACCEPTS_MAX && status == 0; i++) {
        int fd = accept4(gateway->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            accept_failed(gateway);
            return;
        }
        if (!make_room(gateway)) {
            log_info("gateway: refused a connection: %zu are in use", gateway->count);
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conn_new(gateway, fd);
        if (!uv_is_active((uv_handle_t *)&gateway->sweep))
            uv_timer_start(&gateway->sweep, sweep, SWEEP_MS, SWEEP_MS);
    }
}

/* --- birth and death */

static enum err listen_on_loopback(int *ret_fd, uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, BACKLOG) != 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        log_error("gateway: cannot listen: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    *ret_fd = fd;
    *ret_port = ntohs(address.sin_port);
    return ERR_OK;
}

static void handle_closed(uv_handle_t *handle)
{
    struct gateway *gateway = handle->data;

    if (--gateway->open_handles == 0)
        mem_free(gateway);
}

enum err gateway_new(struct loop *loop, const struct gateway_events *events, struct gateway **ret)
{
    struct gateway *gateway = mem_zalloc(sizeof *gateway);
    enum err err = listen_on_loopback(&gateway->fd, &gateway->port);

    if (err == ERR_OK && uv_poll_init(&loop->uv, &gateway->listener, gateway->fd) != 0) {
        close(gateway->fd);
        err = ERR_IO;
    }
    if (err != ERR_OK) {
        mem_free(gateway);
        return err;
    }
    gateway->events = *events;
    list_init(&gateway->conns);
    snprintf(gateway->host, sizeof gateway->host, "127.0.0.1:%u", gateway->port);
    uv_timer_init(&loop->uv, &gateway->sweep);
    gateway->listener.data = gateway->sweep.data = gateway;
    gateway->open_handles = 2;
    uv_poll_start(&gateway->listener, UV_READABLE, can_accept);
    *ret = gateway;
    return ERR_OK;
}

uint16_t gateway_port(const struct gateway *gateway)
{
    return gateway->port;
}

void gateway_free(struct gateway *gateway)
{
    if (gateway == NULL)
        return;
    list_for_each(link, next, &gateway->conns)
    {
        struct conn *conn = list_entry(link, struct conn, link);
        conn_forget_stream(conn);
        conn_close(conn);
    }
    uv_close((uv_handle_t *)&gateway->listener, handle_closed);
    uv_close((uv_handle_t *)&gateway->sweep, handle_closed);
    close(gateway->fd);
}

/* --- the owner's answers */

void gateway_head(struct gateway *gateway, uint64_t stream, const struct gateway_head *head)
{
    struct conn *conn = find(gateway, stream);
    bool has_body;

    if (conn == NULL || conn->state != CONN_OPEN)
        return;
    has_body = head->status != 416 && !conn->head_only && head->end > head->first;
    if (has_body)
        conn->file = fcntl(head->fd, F_DUPFD_CLOEXEC, 0);
    if (has_body && conn->file < 0) {
        log_warning("gateway: cannot keep a content file open: %s", strerror(errno));
        conn_reply(conn, 503);
    } else {
        reply_write_head(conn, head);
        conn->at = conn->ready = has_body ? head->first : 0;
        conn->end = has_body ? head->end : 0;
        conn->state = CONN_SENDING;
    }
    conn_changed(conn);
}

void gateway_ready(struct gateway *gateway, uint64_t stream, uint64_t upto)
{
    struct conn *conn = find(gateway, stream);

    if (conn == NULL || conn->state != CONN_SENDING || upto <= conn->ready)
        return;
    conn->ready = upto;
    conn_changed(conn);
}

void gateway_fail(struct gateway *gateway, uint64_t stream, int status)
{
    struct conn *conn = find(gateway, stream);

    if (conn == NULL)
        return;
    conn_forget_stream(conn);
    if (conn->state == CONN_OPEN) {
        conn_reply(conn, status);
    } else if (conn->at < conn->end) {
        /* What is verified still leaves, and then the end comes short of Content-Length. */
        conn->end = conn->ready < conn->end ? conn->ready : conn->end;
        conn->keep_alive = false;
    }
    conn_changed(conn);
}
