/* What the gateway's files share. Layer: io, private to gateway*.c.
 *
 *   gateway.c          the listener, the public calls, the sweep of overdue connections
 *   gateway_conn.c     one connection: read a head, tell the owner, send, again
 *   gateway_reply.c    the heads of replies
 *   gateway_url.c      the shape of the URL
 */
#pragma once

#include "base/limits.h"
#include "base/list.h"
#include "io/gateway.h"
#include "wire/request_head.h"

#include <uthash.h>

/* A body up to this long leaves together with its head in one write: a third less work. */
#define GATEWAY_SCRATCH KIB(64)
#define GATEWAY_HEAD    1024u
#define NEVER           UINT64_MAX

struct conn;

struct gateway {
    struct gateway_events events;
    uv_poll_t listener;
    uv_timer_t sweep;
    int fd, open_handles;
    bool paused; /* no descriptors left: the sweep takes up accepting again */
    uint16_t port;
    char host[32]; /* what Host must be */
    uint64_t last_stream;
    struct conn *by_stream; /* uthash */
    struct list conns;
    size_t count;
    uint8_t scratch[GATEWAY_HEAD + GATEWAY_SCRATCH];
};

enum conn_state {
    CONN_READING,   /* idle, or a part of a head has come */
    CONN_OPEN,      /* the owner was told and has not answered */
    CONN_SENDING,
    CONN_LINGERING, /* all is said; waits for the client's end, so that no reset eats the reply */
    CONN_CLOSED,    /* only waits for libuv */
};

struct conn {
    struct list link;
    UT_hash_handle hh;
    struct gateway *gateway;
    uv_poll_t poll;
    int fd, polled;
    enum conn_state state;
    bool running;      /* its own code is on the stack and will look at what changed */
    uint64_t deadline; /* uv_now */

    uint64_t stream;   /* 0: none that the owner knows */
    bool keep_alive, head_only;
    int file;          /* -1: no body */
    uint64_t at, end, ready; /* of the file: next to send, end of the body, verified so far */
    size_t head_sent, head_length;
    char head[GATEWAY_HEAD];

    size_t in_length;
    char in[LIMIT_GATEWAY_HEADERS];
};

/* --- gateway_conn.c */
void conn_new(struct gateway *gateway, int fd);    /* takes fd */
void conn_close(struct conn *conn);                /* from the loop only: tells `closed` */
void conn_forget_stream(struct conn *conn);        /* without a word */
void conn_reply(struct conn *conn, int status);    /* a reply without a body */
void conn_changed(struct conn *conn);              /* there may be something to send */

/* --- gateway_reply.c: write conn->head */
void reply_write_error(struct conn *conn, int status);
void reply_write_head(struct conn *conn, const struct gateway_head *head);

/* --- gateway_url.c */
struct gateway_url {
    char token[33];
    uint64_t seq;
    char path[LIMIT_PATH + 1]; /* raw */
};
bool gateway_url_parse(struct span target, struct gateway_url *ret_url);
