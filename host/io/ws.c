/* io/ws: libwebsockets' context and listeners, dialling, and the public calls. */
#include "io/ws_private.h"

#include "base/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define WORK_BUFFER                                                                                \
    KIB(64) /* of the whole context: its default of 4 KiB costs 2 to 5 times as much */
#define HANDSHAKES    512 /* with headers to be read, at once */
#define HANDSHAKE_S   10
#define DESTROY_CALLS 8
#define DESTROY_TURNS 16
#define HEADERS_MAX   KIB(4)

static const lws_retry_bo_t liveness = {.secs_since_valid_ping = WS_PING_S,
                                        .secs_since_valid_hangup = WS_DEAD_S};

static const struct lws_protocols server_protocols[] = {
    {.name = "http", .callback = ws_server_callback, .rx_buffer_size = WS_SERVER_READ},
    {.name = WS_PROTOCOL,
     .callback = ws_server_callback,
     .rx_buffer_size = WS_SERVER_READ,
     .tx_packet_size = WS_SEND}, /* it would send no more at once than it reads */
    {.name = NULL},
};
static const struct lws_protocols client_protocols[] = {
    {.name = WS_PROTOCOL, .callback = ws_client_callback, .rx_buffer_size = WS_CLIENT_READ},
    {.name = NULL},
};
static const struct lws_protocols metrics_protocols[] = {
    {.name = "http",
     .callback = ws_metrics_callback,
     .per_session_data_size = sizeof(struct ws_page)},
    {.name = NULL},
};

/* --- birth */

static void log_line(int level, const char *line)
{
    int length = (int)strcspn(line, "\n");

    if (level == LLL_ERR)
        log_info("libwebsockets: %.*s", length, line);
    else
        log_debug("libwebsockets: %.*s", length, line);
}

static enum err make_context(struct ws *ws)
{
    void *loops[] = {&ws->loop->uv};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
        .foreign_loops = loops,
        .pt_serv_buf_size = WORK_BUFFER,
        .max_http_header_pool = HANDSHAKES,
        .max_http_header_data = HEADERS_MAX,
        .timeout_secs = HANDSHAKE_S,
        .user = ws,
        .pcontext = &ws->context, /* NULL when it has gone */
    };

    lws_set_log_level(LLL_ERR | LLL_WARN, log_line);
    ws->context = lws_create_context(&info);
    if (ws->context != NULL)
        return ERR_OK;
    log_error("libwebsockets does not start: is the package libwebsockets-evlib-uv installed?");
    return ERR_IO;
}

/* The proxy variables of the environment do not concern us: a proxy of port 0 is none. */
static struct lws_context_creation_info vhost_info(const char *name,
                                                   const struct lws_protocols *protocols)
{
    return (struct lws_context_creation_info){
        .vhost_name = name,
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .http_proxy_address = "127.0.0.1:0",
        .timeout_secs = HANDSHAKE_S,
        .keepalive_timeout = HANDSHAKE_S,
        .retry_and_idle_policy = &liveness,
    };
}

static enum err listen_on(struct ws *ws, const struct address *address, const char *name,
                          const struct lws_protocols *protocols, struct lws_vhost **ret)
{
    static const uint8_t any[16];
    struct lws_context_creation_info info = vhost_info(name, protocols);
    char text[ADDRESS_TEXT], ip[ADDRESS_TEXT];

    address_format(address, text);
    snprintf(ip, sizeof ip, "%.*s", (int)(strrchr(text, ':') - text), text);
    if (ip[0] == '[')
        snprintf(ip, sizeof ip, "%.*s", (int)(strcspn(text + 1, "]")), text + 1);
    info.port = address->port;
    info.iface = memcmp(address->ip, any, sizeof any) == 0 ? NULL : ip;
    info.options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
    if (address->family == 4)
        info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
    *ret = lws_create_vhost(ws->context, &info);
    if (*ret != NULL)
        return ERR_OK;
    log_error("cannot listen on %s", text);
    return ERR_BUSY;
}

/* Without it dialling fails, and nothing else. */
static void make_client(struct ws *ws)
{
    struct lws_context_creation_info info = vhost_info("client", client_protocols);

    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    if (ws->options.ca_file != NULL) {
        info.client_ssl_ca_filepath = ws->options.ca_file;
        info.options |= LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
    }
    ws->client = lws_create_vhost(ws->context, &info);
    if (ws->client == NULL)
        log_error("TLS does not start for WebSockets");
}

static void run_deferred(void *user)
{
    struct ws *ws = user;

    while (!ws->freed && !list_empty(&ws->deferred)) {
        struct ws_conn *conn = list_entry(ws->deferred.next, struct ws_conn, deferred);
        ws_conn_end_tell(conn, conn->doom);
    }
}

enum err ws_new(struct loop *loop, const struct ws_options *options, const struct ws_events *events,
                struct ws **ret)
{
    struct ws *ws = mem_zalloc(sizeof *ws);

    ws->loop = loop;
    ws->events = *events;
    ws->options = *options;
    list_init(&ws->dirty);
    list_init(&ws->deferred);
    ws->later = loop_timer_new(loop, run_deferred, ws);
    enum err err = make_context(ws);
    if (err == ERR_OK && options->listen.family != 0)
        err = listen_on(ws, &options->listen, "peers", server_protocols, &ws->listener);
    if (err == ERR_OK && options->metrics.family != 0)
        err = listen_on(ws, &options->metrics, "metrics", metrics_protocols, &ws->metrics);
    if (err == ERR_OK && options->listen.family == 0 && options->metrics.family == 0)
        make_client(ws);
    if (err != ERR_OK) {
        ws_free(ws);
        return err;
    }
    *ret = ws;
    return ERR_OK;
}

static uint16_t port_of(struct lws_vhost *vhost)
{
    return vhost != NULL ? (uint16_t)lws_get_vhost_listen_port(vhost) : 0;
}

uint16_t ws_port(const struct ws *ws)
{
    return port_of(ws->listener);
}

uint16_t ws_metrics_port(const struct ws *ws)
{
    return port_of(ws->metrics);
}

/* --- dialling */

void ws_dial(struct ws *ws, uint64_t number, const struct ws_target *to)
{
    char text[ADDRESS_TEXT], ip[ADDRESS_TEXT];
    struct address address = address_plain(&to->address);
    struct ws_conn *conn = ws_conn_new(ws, number, NULL);

    assert((number & WS_CONN) != 0);
    if (ws->client == NULL) {
        ws_conn_doom(conn, ERR_TLS);
        return;
    }
    conn->remote = address;
    address_format(&address, text);
    bool v6 = text[0] == '[';
    snprintf(ip, sizeof ip, "%.*s", (int)strcspn(text + v6, v6 ? "]" : ":"), text + v6);
    struct lws_client_connect_info info = {
        .context = ws->context,
        .vhost = ws->client,
        .address = ip,
        .port = address.port,
        .ssl_connection = (to->tls ? LCCSCF_USE_SSL : 0) | LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
        .path = to->path,
        .host = to->authority,
        .protocol = WS_PROTOCOL,
        .alpn = "http/1.1",
        .ietf_version_or_minus_one = -1,
        .pwsi = &conn->wsi,
        .opaque_user_data = conn,
        .retry_and_idle_policy = &liveness,
    };
    conn->dialling = true;
    struct lws *wsi = lws_client_connect_via_info(&info);
    conn->dialling = false;
    if (wsi == NULL)
        ws_conn_doom(conn, ERR_NETWORK);
}

/* --- sending */

static struct ws_conn *find_with_room(struct ws *ws, uint64_t number, size_t length)
{
    struct ws_conn *conn = ws_conn_find(ws, number);

    if (conn == NULL)
        return NULL;
    if (length > LIMIT_PEER_SEND_QUEUE || conn->queue.length > LIMIT_PEER_SEND_QUEUE - length) {
        ws_conn_doom(conn, ERR_TOO_LARGE);
        return NULL;
    }
    if (conn->open && list_empty(&conn->dirty))
        list_push_back(&ws->dirty, &conn->dirty);
    return conn;
}

void ws_send(struct ws *ws, uint64_t number, const void *data, size_t length)
{
    struct ws_conn *conn = find_with_room(ws, number, length);

    if (conn != NULL)
        tcp_queue_put(&conn->queue, data, length);
}

void ws_send_file(struct ws *ws, uint64_t number, const void *head, size_t head_length, int fd,
                  uint64_t offset, size_t length, size_t pad)
{
    struct ws_conn *conn = find_with_room(ws, number, head_length + length + pad);

    if (conn == NULL)
        return;
    tcp_queue_put(&conn->queue, head, head_length);
    enum err err = tcp_queue_put_file(&conn->queue, fd, offset, length);
    if (err != ERR_OK)
        ws_conn_doom(conn, err);
    else
        tcp_queue_put_zeros(&conn->queue, pad);
}

void ws_flush(struct ws *ws)
{
    while (!list_empty(&ws->dirty)) {
        struct ws_conn *conn = list_entry(ws->dirty.next, struct ws_conn, dirty);

        list_remove(&conn->dirty);
        if (conn->wsi != NULL && conn->doom == ERR_OK)
            lws_callback_on_writable(conn->wsi);
    }
}

void ws_close(struct ws *ws, uint64_t number)
{
    struct ws_conn *conn;

    HASH_FIND(hh, ws->conns, &number, sizeof number, conn); /* a doomed one too */
    if (conn != NULL)
        ws_conn_end(conn);
}

void ws_receive(struct ws *ws, bool held)
{
    if (ws->held == held)
        return;
    ws->held = held;
    for (struct ws_conn *conn = ws->conns; conn != NULL; conn = conn->hh.next)
        if (conn->open && conn->wsi != NULL)
            lws_rx_flow_control(conn->wsi, !held);
}

/* --- the end */

/* The port stays taken until the process ends; who comes is sent away at once. */
void ws_stop_listening(struct ws *ws)
{
    ws->deaf = true;
}

/* On a loop that is not its own libwebsockets is destroyed in two calls: the first begins to close
 * all handles, and the second, when the loop has closed them, frees. So this is called when the
 * loop does not run. Its callbacks find nobody any more. */
void ws_free(struct ws *ws)
{
    if (ws == NULL)
        return;
    ws->freed = ws->deaf = true;
    while (ws->conns != NULL)
        ws_conn_end(ws->conns);
    for (int i = 0; ws->context != NULL && i < DESTROY_CALLS; i++) {
        lws_context_destroy(ws->context);
        for (int turn = 0; ws->context != NULL && turn < DESTROY_TURNS; turn++)
            uv_run(&ws->loop->uv, UV_RUN_NOWAIT);
    }
    tcp_pool_done(&ws->pool);
    loop_timer_free(ws->later);
    mem_free(ws);
}
