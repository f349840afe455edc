/* io/ws: one connection from its birth to its end, as libwebsockets tells of it. */
#include "io/ws_private.h"

#include <stdio.h>
#include <string.h>

#define WRITE_ROUNDS 8 /* for one connection, before the others have their turn */

/* --- birth and death */

struct ws_conn *ws_conn_new(struct ws *ws, uint64_t number, struct lws *wsi)
{
    struct ws_conn *conn = mem_zalloc(sizeof *conn);

    conn->number = number;
    conn->ws = ws;
    conn->wsi = wsi;
    tcp_queue_init(&conn->queue, &ws->pool);
    list_init(&conn->dirty);
    list_init(&conn->deferred);
    ws->accepted += (number & WS_ACCEPTED) != 0;
    HASH_ADD(hh, ws->conns, number, sizeof conn->number, conn);
    return conn;
}

struct ws_conn *ws_conn_find(const struct ws *ws, uint64_t number)
{
    struct ws_conn *conn;

    HASH_FIND(hh, ws->conns, &number, sizeof number, conn);
    return conn != NULL && conn->doom == ERR_OK ? conn : NULL;
}

/* The other side gets a close frame, if it takes one; libwebsockets' own object lives on until
 * then, and knows us no more. */
void ws_conn_end(struct ws_conn *conn)
{
    struct ws *ws = conn->ws;
    struct lws *wsi = conn->wsi;

    list_remove(&conn->dirty);
    list_remove(&conn->deferred);
    HASH_DELETE(hh, ws->conns, conn);
    ws->accepted -= (conn->number & WS_ACCEPTED) != 0;
    if (wsi != NULL) {
        lws_set_opaque_user_data(wsi, NULL);
        if (conn->open) {
            lws_rx_flow_control(wsi, 1);
            lws_callback_on_writable(wsi);
            lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, WS_CLOSE_S);
        } else {
            lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
        }
    }
    tcp_queue_clear(&conn->queue);
    mem_free(conn);
}

void ws_conn_end_tell(struct ws_conn *conn, enum err why)
{
    struct ws *ws = conn->ws;
    uint64_t number = conn->number;

    ws_conn_end(conn);
    if (!ws->freed)
        ws->events.closed(ws->events.user, number, why);
}

void ws_conn_doom(struct ws_conn *conn, enum err why)
{
    if (conn->doom != ERR_OK)
        return;
    conn->doom = why;
    list_push_back(&conn->ws->deferred, &conn->deferred);
    loop_timer_set(conn->ws->later, 0);
}

/* --- its events */

static struct ws_conn *conn_of(struct lws *wsi)
{
    return lws_get_opaque_user_data(wsi);
}

static int refuse(struct lws *wsi, enum lws_close_status status)
{
    struct ws_conn *conn = conn_of(wsi);

    lws_close_reason(wsi, status, NULL, 0);
    conn->wsi = NULL; /* it ends by what we return */
    lws_set_opaque_user_data(wsi, NULL);
    ws_conn_end_tell(conn, ERR_SYNTAX);
    return -1;
}

static int has_received(struct lws *wsi, const uint8_t *data, size_t length)
{
    struct ws_conn *conn = conn_of(wsi);

    if (conn == NULL || conn->doom != ERR_OK)
        return 0;
    if (!lws_frame_is_binary(wsi))
        return refuse(wsi, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE);
    if (lws_is_first_fragment(wsi))
        conn->message = 0;
    conn->message += length;
    if (conn->message + lws_remaining_packet_payload(wsi) > WS_MESSAGE_MAX)
        return refuse(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE);
    if (length > 0)
        conn->ws->events.bytes(conn->ws->events.user, conn->number, data, length);
    return 0;
}

/* A frame is a chunk of the queue: it has room in front of it for the frame's head. */
static int write_queue(struct ws_conn *conn)
{
    size_t before = conn->queue.length;
    uv_buf_t buf;

    while (conn->doom == ERR_OK && conn->queue.length > 0 && !lws_send_pipe_choked(conn->wsi)) {
        tcp_queue_front(&conn->queue, &buf, 1);
        if (lws_write(conn->wsi, (unsigned char *)buf.base, buf.len, LWS_WRITE_BINARY) <
            (int)buf.len)
            return -1;
        tcp_queue_drop(&conn->queue, buf.len);
    }
    if (conn->queue.length < before && conn->queue.length < WS_LOW_WATER && conn->doom == ERR_OK)
        conn->ws->events.sent(conn->ws->events.user, conn->number, conn->queue.length, 0);
    return 0;
}

/* Whoever hears that something has been sent gives more: that need not wait for another turn. */
static int may_write(struct lws *wsi)
{
    for (int round = 0; round < WRITE_ROUNDS; round++) {
        struct ws_conn *conn = conn_of(wsi);
        if (conn == NULL) { /* it has been given up */
            lws_close_reason(wsi, LWS_CLOSE_STATUS_GOINGAWAY, NULL, 0);
            return -1;
        }
        if (conn->queue.length == 0 || conn->doom != ERR_OK || lws_send_pipe_choked(wsi))
            break;
        if (write_queue(conn) != 0)
            return -1;
    }
    struct ws_conn *conn = conn_of(wsi);
    if (conn == NULL || conn->queue.length > 0)
        lws_callback_on_writable(wsi);
    return 0;
}

static int has_closed(struct lws *wsi, enum err why)
{
    struct ws_conn *conn = conn_of(wsi);

    if (conn == NULL)
        return 0;
    lws_set_opaque_user_data(wsi, NULL);
    conn->wsi = NULL;
    if (conn->dialling) /* inside ws_dial */
        ws_conn_doom(conn, why);
    else if (conn->doom == ERR_OK)
        ws_conn_end_tell(conn, why);
    return 0;
}

static void has_opened(struct ws_conn *conn)
{
    struct ws *ws = conn->ws;

    conn->open = true;
    if (ws->held)
        lws_rx_flow_control(conn->wsi, 0);
    if (conn->queue.length > 0)
        lws_callback_on_writable(conn->wsi);
    ws->events.opened(ws->events.user, conn->number, &conn->remote);
}

/* --- the server's side */

/* The proxy in front says whose connection it is: the last address is its own word. Only one on
 * this machine is believed. */
static void take_forwarded(struct lws *wsi, struct address *remote)
{
    char text[256], with_port[256 + 8];
    struct address named;

    if (!address_is_loopback(remote) ||
        lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_X_FORWARDED_FOR) <= 0)
        return;
    const char *last = strrchr(text, ',');
    last = last != NULL ? last + 1 : text;
    last += strspn(last, " ");
    bool v6 = strchr(last, ':') != NULL && last[0] != '[';
    snprintf(with_port, sizeof with_port, v6 ? "[%s]:1" : "%s:1", last);
    if (address_parse(with_port, &named) != ERR_OK)
        return;
    named.port = remote->port;
    *remote = address_plain(&named);
}

static bool find_remote(struct lws *wsi, struct address *ret)
{
    char ip[64], text[80];

    if (lws_get_peer_simple(wsi, ip, sizeof ip) == NULL)
        return false;
    snprintf(text, sizeof text, strchr(ip, ':') != NULL ? "[%s]:1" : "%s:1", ip);
    if (address_parse(text, ret) != ERR_OK)
        return false;
    *ret = address_plain(ret);
    return true;
}

static int has_accepted(struct ws *ws, struct lws *wsi)
{
    struct address remote;

    if (ws->deaf || ws->accepted >= ws->options.places || !find_remote(wsi, &remote))
        return -1;
    take_forwarded(wsi, &remote);
    struct ws_conn *conn = ws_conn_new(ws, WS_CONN | WS_ACCEPTED | ++ws->last_accepted, wsi);
    conn->remote = remote;
    lws_set_opaque_user_data(wsi, conn);
    has_opened(conn);
    return 0;
}

/* Browsers always send Origin, our hosts never. So no web page can make its visitors' browsers take
 * our places. */
static int judge(struct ws *ws, struct lws *wsi)
{
    return ws->deaf || ws->accepted >= ws->options.places ||
           strcmp(lws_get_protocol(wsi)->name, WS_PROTOCOL) != 0 ||
           lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) > 0;
}

int ws_server_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                       size_t length)
{
    struct ws *ws = lws_context_user(lws_get_context(wsi));

    (void)user;
    switch (reason) {
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
        return ws->deaf || ws->accepted >= ws->options.places;
    case LWS_CALLBACK_HTTP: /* no upgrade */
        return lws_return_http_status(wsi, 426, NULL) != 0 || lws_http_transaction_completed(wsi);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return judge(ws, wsi);
    case LWS_CALLBACK_ESTABLISHED:
        return has_accepted(ws, wsi);
    case LWS_CALLBACK_RECEIVE:
        return has_received(wsi, in, length);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return may_write(wsi);
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY: /* the last word in any case */
        return has_closed(wsi, ERR_NETWORK);
    default:
        return 0;
    }
}

/* --- the client's */

static enum err failure(const char *text)
{
    bool tls = text != NULL && (strstr(text, "SSL") != NULL || strstr(text, "cert") != NULL ||
                                strstr(text, "tls") != NULL || strstr(text, "CA ") != NULL);
    return tls ? ERR_TLS : ERR_NETWORK;
}

int ws_client_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                       size_t length)
{
    struct ws_conn *conn;

    (void)user;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        conn = conn_of(wsi);
        if (conn == NULL)
            return -1;
        conn->wsi = wsi;
        has_opened(conn);
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return has_received(wsi, in, length);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return may_write(wsi);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        return has_closed(wsi, failure(in));
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
    case LWS_CALLBACK_WSI_DESTROY: /* the last word in any case */
        return has_closed(wsi, ERR_NETWORK);
    default:
        return 0;
    }
}
