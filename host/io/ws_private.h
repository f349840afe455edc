/* What ws.c (context, listeners, dialling, the public calls), ws_conn.c (one connection) and
 * ws_metrics.c (HTTP) share. Layer: io, private to ws. */
#pragma once

#include "base/limits.h"
#include "base/list.h"
#include "io/table.h"
#include "io/tcp_queue.h"
#include "io/ws.h"

#include <libwebsockets.h>

#define WS_PROTOCOL    "fringe.bittorrent"
#define WS_MESSAGE_MAX MIB(1)
#define WS_PING_S      50
#define WS_DEAD_S      80
#define WS_CLOSE_S     5 /* for the other side to take the last frame */
#define WS_LOW_WATER   KIB(256)
#define WS_SERVER_READ KIB(2) /* memory of each connection */
#define WS_SEND        KIB(128)
#define WS_CLIENT_READ KIB(64)

struct ws {
    struct loop *loop;
    struct ws_events events;
    struct ws_options options;
    struct lws_context *context;
    struct lws_vhost *listener, *metrics, *client;
    struct ws_conn *conns; /* by number */
    unsigned accepted;
    uint64_t last_accepted;
    struct tcp_pool pool;
    struct list dirty;    /* with something to write */
    struct list deferred; /* that have ended inside the owner's call */
    struct loop_timer *later;
    bool held, deaf, freed;
};

struct ws_conn {
    UT_hash_handle hh;
    uint64_t number;
    struct ws *ws;
    struct lws *wsi; /* NULL: not yet, or no more */
    bool open, dialling;
    struct tcp_queue queue;
    struct address remote;
    struct list dirty, deferred;
    size_t message; /* bytes of the message that is coming in */
    enum err doom;
};

/* --- ws_conn.c */
struct ws_conn *ws_conn_new(struct ws *ws, uint64_t number, struct lws *wsi);
struct ws_conn *ws_conn_find(const struct ws *ws, uint64_t number); /* NULL also when doomed */
void ws_conn_end(struct ws_conn *conn);                             /* frees; tells nobody */
void ws_conn_end_tell(struct ws_conn *conn, enum err why);
void ws_conn_doom(struct ws_conn *conn, enum err why); /* on a later turn */
int ws_server_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                       size_t length);
int ws_client_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                       size_t length);

/* --- ws_metrics.c */
int ws_metrics_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                        size_t length);
struct ws_page {
    struct buf text;
    bool begun;
};
