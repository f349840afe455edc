/* Peers' connections over WebSocket (RFC 6455), as io/tcp.h has them over TCP; and the metrics of a
 * super-node, which is plain HTTP on loopback. libwebsockets on the loop. Layer: io.
 *
 * The byte stream of the peer wire in binary messages, whatever their borders; subprotocol
 * "fringe.bittorrent"; one connection for one bundle. No compression: the bytes have none left.
 *
 *   server   behind a proxy that ends TLS. Who sends an Origin header is a web page and is refused.
 *            Text frames, and messages over WS_MESSAGE_MAX, end the connection.
 *   client   TLS is verified, for the name in the URL; no redirect is followed, no proxy asked, no
 *            name looked up here. Masking (the RFC wants it) makes what a client sends cost much;
 *            it sends requests, and no blocks.
 *
 * Both ping what has been silent for WS_PING_S, and end it WS_DEAD_S after its last sign of life.
 */
#pragma once

#include "base/bytes.h"
#include "io/loop.h"
#include "wire/address.h"

#include <stddef.h>

#define WS_CONN     (UINT64_C(1) << 62) /* in every number */
#define WS_ACCEPTED (UINT64_C(1) << 63) /* and this */

struct ws_events { /* as struct tcp_events */
    void *user;
    void (*opened)(void *user, uint64_t conn, const struct address *remote);
    void (*bytes)(void *user, uint64_t conn, const uint8_t *data, size_t length);
    void (*sent)(void *user, uint64_t conn, size_t queued, size_t backlog);
    void (*closed)(void *user, uint64_t conn, enum err why);
    void (*metrics)(void *user, struct buf *out); /* text; NULL without a metrics address */
};

struct ws_options {
    const char *ca_file;            /* for dialling; NULL: the system's */
    struct address listen, metrics; /* family 0: not */
    unsigned places;                /* accepted connections at once */
};

struct ws;
enum err ws_new(struct loop *loop, const struct ws_options *options, const struct ws_events *events,
                struct ws **ret);
uint16_t ws_port(const struct ws *ws);         /* 0: not listening */
uint16_t ws_metrics_port(const struct ws *ws); /* 0: not listening */

struct ws_target {
    struct address address;
    bool tls;
    const char *authority, *path; /* the Host header; its name is what the certificate must show */
};
void ws_dial(struct ws *ws, uint64_t conn, const struct ws_target *to);
/* The rest is as in io/tcp.h; unknown numbers: nothing. */
void ws_send(struct ws *ws, uint64_t conn, const void *data, size_t length);
void ws_send_file(struct ws *ws, uint64_t conn, const void *head, size_t head_length, int fd,
                  uint64_t offset, size_t length, size_t pad);
void ws_flush(struct ws *ws);
void ws_close(struct ws *ws, uint64_t conn);
void ws_receive(struct ws *ws, bool held);
void ws_stop_listening(struct ws *ws);
void ws_free(struct ws *ws);
