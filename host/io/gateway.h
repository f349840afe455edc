/* The loopback HTTP server that hands verified bytes to the extension (host/PROTOCOL.md 3):
 * libwebsockets on the foreign uv loop. Layer: io.
 *
 * It checks method, Host and the URL's shape, tells the owner `open`, and waits: the owner
 * answers with gateway_head (or gateway_fail), then says with gateway_ready how far the file is
 * verified; the gateway sends with sendfile as far as that. */
#pragma once

#include "base/bytes.h"
#include "io/loop.h"

struct gateway_open {
    uint64_t stream;
    const char *token; /* 32 lower-case hex digits */
    uint64_t seq;
    const char *path;  /* raw, begins with '/' */
    const char *range; /* the Range header or NULL */
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
    const char *content_type, *etag;
    int fd;                /* of the content file; dup'ed by the gateway; -1 with 416 or length 0 */
};

struct gateway;
enum err gateway_new(struct loop *loop, const struct gateway_events *events, struct gateway **ret);
uint16_t gateway_port(const struct gateway *gateway);
void gateway_head(struct gateway *gateway, uint64_t stream, const struct gateway_head *head);
/* All bytes of the body before file offset `upto` are verified and in the file. */
void gateway_ready(struct gateway *gateway, uint64_t stream, uint64_t upto);
/* Before the head: answers that status with no body. After it: closes short. */
void gateway_fail(struct gateway *gateway, uint64_t stream, int status);
void gateway_free(struct gateway *gateway);
