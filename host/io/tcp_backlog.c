/* io/tcp: tells the owner how much waits behind the sockets, as long as something does. */
#include "io/socket_backlog.h"
#include "io/tcp_private.h"

#define LOOK_MS 10

static void look(struct conn *conn)
{
    uv_os_fd_t fd;

    if (uv_fileno((const uv_handle_t *)&conn->uv, &fd) == 0)
        conn->backlog = socket_backlog(fd);
}

static void watch(struct conn *conn)
{
    struct tcp *tcp = conn->tcp;

    if (!list_empty(&conn->watched))
        return;
    if (list_empty(&tcp->watched))
        loop_timer_set(tcp->watch_timer, LOOK_MS);
    list_push_back(&tcp->watched, &conn->watched);
}

void tcp_backlog_sent(struct conn *conn, size_t length)
{
    if (conn->backlog.delayed)
        conn->backlog.bytes += length; /* until the next look */
    watch(conn);
}

/* The owner may close any of them when it is told. */
void tcp_backlog_look(void *user)
{
    struct tcp *tcp = user;
    struct list now;

    list_init(&now);
    list_take_all(&now, &tcp->watched);
    while (!list_empty(&now)) {
        struct conn *conn = list_entry(now.next, struct conn, watched);
        size_t before = conn->backlog.bytes;

        list_remove(&conn->watched);
        look(conn);
        if (conn->backlog.under_way)
            watch(conn);
        if (conn->backlog.bytes != before && conn->doom == ERR_OK)
            tcp_conn_tell_sent(conn);
    }
}
