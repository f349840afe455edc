/* The loopback HTTP server that hands verified bytes to the extension (host/PROTOCOL.md 3).
 * Layer: io.
 *
 * It checks method, Host and the URL's shape, tells the owner `open`, and waits: the owner
 * answers with gateway_head (or gateway_fail), then says with gateway_ready how far the file is
 * verified; the gateway sends with sendfile as far as that and never further. All calls may be
 * made from inside `open` and `closed`, except gateway_free; a stream that is over does nothing.
 *
 * The path reaches the owner byte for byte as the client sent it, or the request is refused: so
 * libwebsockets, which decodes percent signs, turns "+" into a blank and resolves ".." before
 * anyone can look, cannot be the parser here. Ours is wire/request_head, the sockets are watched
 * by the loop.
 *
 * Limits: LIMIT_GATEWAY_*. A connection over the count takes the place of an idle one. A client
 * that closes its sending half counts as gone. Refusals are logged at info. */
#pragma once

#include "base/bytes.h"
#include "io/loop.h"

struct gateway_open {
    uint64_t stream;
    const char *token; /* 32 lower-case hex digits */
    uint64_t seq;
    const char *path;  /* raw, begins with '/' */
    const char *range; /* the Range header or NULL; NULL with HEAD (RFC 9110 14.2) */
    bool head_only;    /* HEAD */
};

struct gateway_events {
    void *user;
    void (*open)(void *user, const struct gateway_open *open);
    /* The client has gone or has everything. Not called after gateway_fail. */
    void (*closed)(void *user, uint64_t stream);
};

struct gateway_head {
    int status;            /* 200, 206, 416 */
    uint64_t first, end;   /* the bytes [first, end) of the file are the body */
    uint64_t length;       /* of the whole file */
    const char *content_type;
    const char *etag;      /* hex digits, quoted by the gateway, or NULL */
    int fd;                /* of the content file; dup'ed by the gateway; unused without a body */
};

struct gateway;
enum err gateway_new(struct loop *loop, const struct gateway_events *events, struct gateway **ret);
uint16_t gateway_port(const struct gateway *gateway);
void gateway_head(struct gateway *gateway, uint64_t stream, const struct gateway_head *head);
/* All bytes of the body before file offset `upto` are verified and in the file. */
void gateway_ready(struct gateway *gateway, uint64_t stream, uint64_t upto);
/* Before the head: answers that status with no body. After it: what is verified is still sent,
 * then the connection is closed short of Content-Length. */
void gateway_fail(struct gateway *gateway, uint64_t stream, int status);
void gateway_free(struct gateway *gateway);
