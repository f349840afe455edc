#include "io/http_multi.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

struct socket {
    uv_poll_t poll;
    struct http_multi *multi;
    curl_socket_t fd;
};

static void act(struct http_multi *multi, curl_socket_t fd, int events)
{
    int running;

    multi->inside = true;
    curl_multi_socket_action(multi->curl, fd, events, &running);
    multi->inside = false;
    multi->after(multi->user);
}

/* --- sockets */

static void socket_ready(uv_poll_t *poll, int status, int events)
{
    struct socket *socket = poll->data;
    int mask = 0;

    if (status != 0)
        mask = CURL_CSELECT_ERR;
    if ((events & UV_READABLE) != 0)
        mask |= CURL_CSELECT_IN;
    if ((events & UV_WRITABLE) != 0)
        mask |= CURL_CSELECT_OUT;
    act(socket->multi, socket->fd, mask);
}

static void socket_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static struct socket *socket_new(struct http_multi *multi, curl_socket_t fd)
{
    struct socket *socket = mem_zalloc(sizeof *socket);

    socket->multi = multi;
    socket->fd = fd;
    socket->poll.data = socket;
    if (uv_poll_init_socket(multi->timer.loop, &socket->poll, fd) != 0) {
        log_error("http: cannot watch a socket");
        mem_free(socket);
        return NULL;
    }
    curl_multi_assign(multi->curl, fd, socket);
    return socket;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    struct socket *socket = known;
    int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                 ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (socket == NULL)
            return 0;
        curl_multi_assign(((struct http_multi *)user)->curl, fd, NULL);
        /* Stops watching at once: libcurl may close the descriptor when we return. */
        uv_close((uv_handle_t *)&socket->poll, socket_closed);
        return 0;
    }
    if (socket == NULL)
        socket = socket_new(user, fd);
    if (socket == NULL)
        return -1;
    return uv_poll_start(&socket->poll, events, socket_ready) == 0 ? 0 : -1;
}

/* --- the timer */

static void timer_fired(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *curl, long timeout_ms, void *user)
{
    struct http_multi *multi = user;

    (void)curl;
    if (timeout_ms < 0) {
        uv_timer_stop(&multi->timer);
        return 0;
    }
    /* 0 stays 0: one millisecond instead costs five times the time at 64 KiB ranges. */
    uv_update_time(multi->timer.loop);
    uv_timer_start(&multi->timer, timer_fired, (uint64_t)timeout_ms, 0);
    return 0;
}

static void timer_closed(uv_handle_t *handle)
{
    struct http_multi *multi = handle->data;

    multi->closed(multi->user);
}

/* --- the whole */

enum err http_multi_init(struct http_multi *multi, struct loop *loop, void (*after)(void *user),
                         void (*closed)(void *user), void *user)
{
    *multi = (struct http_multi){.after = after, .closed = closed, .user = user};
    if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS) == 0) {
        log_error("http: this libcurl looks names up in the foreground");
        return ERR_UNSUPPORTED;
    }
    multi->curl = curl_multi_init();
    if (multi->curl == NULL)
        return ERR_INTERNAL;
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi->curl, CURLMOPT_MAX_HOST_CONNECTIONS, (long)LIMIT_ORIGIN_CONNECTIONS);
    uv_timer_init(&loop->uv, &multi->timer);
    multi->timer.data = multi;
    return ERR_OK;
}

void http_multi_done(struct http_multi *multi)
{
    curl_multi_cleanup(multi->curl); /* removes its sockets; may set the timer once more */
    uv_close((uv_handle_t *)&multi->timer, timer_closed);
}
