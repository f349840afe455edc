/* The daemon's adapters: opened, closed, and what they tell, of which each is one event. */
#include "app/daemon_impl.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* --- adapters' callbacks: each is one event */

void daemon_peer_opened(void *user, uint64_t conn, const struct address *remote)
{
    struct event event = {.kind = EVENT_PEER_OPENED};
    event.peer.conn = conn;
    event.peer.remote = *remote;
    daemon_step(user, &event);
}

void daemon_peer_bytes(void *user, uint64_t conn, const uint8_t *data, size_t length)
{
    struct event event = {.kind = EVENT_PEER_BYTES};
    event.peer.conn = conn;
    event.peer.data = span_of(data, length);
    daemon_step(user, &event);
}

void daemon_peer_sent(void *user, uint64_t conn, size_t queued, size_t backlog)
{
    struct event event = {.kind = EVENT_PEER_SENT};
    event.peer.conn = conn;
    event.peer.queued = queued;
    event.peer.has_backlog = true;
    event.peer.backlog = backlog;
    daemon_step(user, &event);
}

void daemon_peer_closed(void *user, uint64_t conn, enum err why)
{
    struct event event = {.kind = EVENT_PEER_CLOSED};
    event.peer.conn = conn;
    event.peer.why = why;
    daemon_step(user, &event);
}

static void got_http_head(void *user, uint64_t op, const struct http_head *head)
{
    struct event event = {.kind = EVENT_HTTP_HEAD};
    event.http.op = op;
    event.http.status = head->status;
    event.http.has_length = head->has_length;
    event.http.length = head->length;
    event.http.has_range = head->has_range;
    event.http.first = head->first;
    event.http.last = head->last;
    event.http.total = head->total;
    event.http.validator = head->validator;
    event.http.max_age_s = head->max_age_s;
    event.http.date_s = head->date_s;
    daemon_step(user, &event);
}

static void http_body(void *user, uint64_t op, const uint8_t *data, size_t length)
{
    struct event event = {.kind = EVENT_HTTP_BODY};
    event.http.op = op;
    event.http.data = span_of(data, length);
    daemon_step(user, &event);
}

static void http_done(void *user, uint64_t op, enum err result, int status, uint32_t retry_after_s)
{
    struct event event = {.kind = EVENT_HTTP_DONE};
    event.http.op = op;
    event.http.result = result;
    event.http.status = status;
    event.http.retry_after_s = retry_after_s;
    daemon_step(user, &event);
}

static void datagram_received(void *user, uint64_t op, const struct address *from,
                              const uint8_t *data, size_t length)
{
    struct event event = {.kind = EVENT_DATAGRAM};
    event.datagram.op = op;
    event.datagram.from = *from;
    event.datagram.data = span_of(data, length);
    daemon_step(user, &event);
}

static void datagram_failed(void *user, uint64_t op, enum err why)
{
    struct event event = {.kind = EVENT_DATAGRAM};
    event.datagram.op = op;
    event.datagram.result = why;
    daemon_step(user, &event);
}

void daemon_lsd_heard(void *user, const struct address *from, const uint8_t *data, size_t length)
{
    struct event event = {.kind = EVENT_LSD_HEARD};
    event.lsd.from = *from;
    event.lsd.data = span_of(data, length);
    daemon_step(user, &event);
}

static void stream_opened(void *user, const struct gateway_open *open)
{
    struct event event = {.kind = EVENT_STREAM_OPENED};
    event.stream.stream = open->stream;
    event.stream.token = open->token;
    event.stream.seq = open->seq;
    event.stream.path = open->path;
    event.stream.range = open->range;
    event.stream.head_only = open->head_only;
    daemon_step(user, &event);
}

static void stream_was_closed(void *user, uint64_t stream)
{
    struct event event = {.kind = EVENT_STREAM_CLOSED};
    event.stream.stream = stream;
    daemon_cache_stream_closed(user, stream);
    daemon_step(user, &event);
}

static void port_mapped(void *user, const struct portmap_state *state)
{
    struct event event = {.kind = EVENT_PORT_MAPPED};
    event.mapping.external = state->external;
    event.mapping.state = state->state;
    event.mapping.method = state->method;
    daemon_step(user, &event);
}

static void client_opened(void *user, uint64_t client)
{
    struct daemon *daemon = user;
    (void)client;
    loop_timer_stop(daemon->idle_timer);
}

static void answer_bad_request(struct daemon *daemon, uint64_t client, uint64_t id,
                               const char *code, enum err err)
{
    struct buf json;

    buf_init(&json, LIMIT_FRAME_OUT);
    api_answer_error(id, code, err_text(err), &json);
    control_send(daemon->control, client, span_of(json.data, json.length));
    buf_done(&json);
}

static void client_message(void *user, uint64_t client, struct span json)
{
    struct daemon *daemon = user;
    struct api_request request;
    const char *code = "bad-request";

    enum err err = api_request_parse(json, &request, &code);
    if (err != ERR_OK) {
        log_info("a client's request is refused: %s", err_text(err));
        if (request.id == 0)
            control_close(daemon->control, client);
        else
            answer_bad_request(daemon, client, request.id, code, err);
        return;
    }
    if (request.type == API_LOG || request.type == API_LOG_CLEAR) {
        daemon_log_request(daemon, client, &request);
        return;
    }
    if (request.type >= API_CACHE && request.type <= API_CACHE_QUOTA) {
        daemon_cache_request(daemon, client, &request);
        return;
    }
    if (request.type == API_STATUS) {
        struct store_totals totals = store_totals(daemon->store);
        node_set_cache_totals(daemon->node, totals.files, totals.bytes);
    }
    struct event event = {.kind = EVENT_REQUEST};
    event.client.client = client;
    event.client.request = &request;
    daemon_step(daemon, &event);
    if (request.type == API_SETTINGS)
        daemon_cache_set_quota(daemon, node_settings(daemon->node).settings[SETTING_CACHE_QUOTA]);
    daemon_look_for_router(daemon);
}

void daemon_arm_idle_exit(struct daemon *daemon)
{
    if (daemon->options->idle_exit_s > 0 && control_clients(daemon->control) == 0)
        loop_timer_set(daemon->idle_timer, daemon->options->idle_exit_s * UINT64_C(1000));
}

static void client_closed(void *user, uint64_t client)
{
    struct daemon *daemon = user;
    struct event event = {.kind = EVENT_CLIENT_CLOSED};

    event.client.client = client;
    daemon_step(daemon, &event);
    daemon_arm_idle_exit(daemon);
}

static void piece_done(void *user, const struct hasher_result *result)
{
    daemon_piece_done(user, result);
}

/* --- opening and closing */

enum err daemon_open_adapters(struct daemon *daemon)
{
    const struct daemon_options *options = daemon->options;
    const struct tcp_events tcp = {daemon, daemon_peer_opened, daemon_peer_bytes, daemon_peer_sent,
                                   daemon_peer_closed};
    const struct http_events http = {daemon, got_http_head, http_body, http_done};
    const struct udp_events udp = {daemon, datagram_received, datagram_failed};
    const struct gateway_events gateway = {daemon, stream_opened, stream_was_closed};
    const char *what = options->data;

    enum err err = store_open(options->data, &daemon->store);
    if (err == ERR_OK && options->supernode)
        err = store_trouble(daemon->store); /* it would give nothing */
    if (err == ERR_OK) {
        what = "the peers' port";
        err = tcp_new(&daemon->loop, options->listen, options->listen_count, &tcp, &daemon->tcp);
    }
    if (err == ERR_OK && options->supernode) {
        tcp_set_places(daemon->tcp, options->connections, LIMIT_SUPERNODE_ADDRESS);
        tcp_send_at_once(daemon->tcp);
    }
    if (err == ERR_OK) {
        what = options->ca_file != NULL ? options->ca_file : "the HTTP client";
        err = http_new(&daemon->loop, options->ca_file, &http, &daemon->http);
    }
    if (err == ERR_OK && (options->websocket.family != 0 || options->metrics.family != 0)) {
        what = "the WebSocket or metrics port";
        err = daemon_open_ws(daemon);
    }
    if (err == ERR_OK && options->webroot != NULL) {
        what = options->webroot;
        err = webroot_new(&daemon->loop, options->webroot, &http, &daemon->webroot);
    }
    if (err == ERR_OK) {
        what = "the gateway";
        err = gateway_new(&daemon->loop, &gateway, &daemon->gateway);
    }
    if (err != ERR_OK)
        log_error("cannot open %s: %s", what, err_text(err));
    daemon->udp = udp_new(&daemon->loop, &udp);
    daemon->resolver = resolver_new(&daemon->loop, daemon_resolved, daemon);
    daemon->hasher = hasher_new(&daemon->loop, piece_done, daemon);
    return err;
}

/* Last of all: who can connect finds everything ready. */
enum err daemon_open_control(struct daemon *daemon)
{
    const struct control_events events = {daemon, client_opened, client_message, client_closed};
    enum err err = control_new(&daemon->loop, daemon->options->socket, &events, &daemon->control);

    if (err != ERR_OK)
        log_error("cannot open the socket %s: %s", daemon->options->socket, err_text(err));
    return err;
}

void daemon_open_portmap(struct daemon *daemon)
{
    struct address listen = daemon->options->listen[0];

    listen.port = tcp_port(daemon->tcp);
    if (!daemon->options->no_port_map && !daemon->options->supernode)
        daemon->portmap =
            portmap_new(&daemon->loop, &portmap_defaults, &listen, port_mapped, daemon);
}

void daemon_close_adapters(struct daemon *daemon)
{
    struct node *node = daemon->node;

    daemon->node = NULL; /* late callbacks find nobody */
    if (node != NULL) {
        struct settings_record record = node_settings(node);
        daemon_save_settings(daemon, &record);
    }
    daemon_health_end(daemon);
    if (daemon->control != NULL)
        control_free(daemon->control);
    if (daemon->gateway != NULL)
        gateway_free(daemon->gateway);
    ws_free(daemon->ws);
    webroot_free(daemon->webroot);
    daemon_dial_done(daemon);
    resolver_free(daemon->resolver);
    if (daemon->http != NULL)
        http_free(daemon->http);
    if (daemon->tcp != NULL)
        tcp_free(daemon->tcp);
    udp_free(daemon->udp);
    multicast_free(daemon->multicast);
    portmap_free(daemon->portmap);
    if (daemon->hasher != NULL)
        hasher_free(daemon->hasher);
    daemon_cache_close(daemon);
    daemon_shared_close(daemon);
    if (daemon->store != NULL)
        store_close(daemon->store);
    transfer_log_close(daemon->transfers);
    node_free(node);
    daemon_forget_pieces(daemon);
    daemon_forget_rebuilding(daemon);
    update_done(&daemon->update);
}
