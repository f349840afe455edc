/* HTTP client for origins and trackers: libcurl's multi interface on the loop. Layer: io.
 *
 * TLS is always verified; HTTP/2 when offered; no cookies, no credentials, no redirects followed;
 * no proxy, whatever the environment says: what a page needs in spite of that its browser gets at
 * the origin; `Accept-Encoding: identity`; at most LIMIT_ORIGIN_CONNECTIONS to a host, shared by
 * HTTP/2 streams. DNS does not block the loop.
 *
 * Of a request first `head`, then `body` as often as needed, then `done`. `done` with ERR_OK means
 * that a whole response came, whatever its status: the caller looks at the status (a redirect or a
 * 404 is the caller's ERR_STATUS). The body of a status from 300 up is not told, nor is reading it
 * to its end a condition. Else `done` says
 *   ERR_NETWORK      no such host, no connection, or it broke before the end
 *   ERR_TLS          the certificate or the handshake
 *   ERR_TIMEOUT      LIMIT_HTTP_CONNECT_MS to connect, timeout_ms over all, or not a byte for
 *                    LIMIT_HTTP_STALL_MS
 *   ERR_TOO_LARGE    the body is, or was announced as, over `max`; or heads over LIMIT_HTTP_HEADERS
 *   ERR_UNSUPPORTED  a 2xx body in a Content-Encoding: its bytes are not the file's
 *   ERR_REFUSED      public_only, and the name led to this machine or a private network
 *   ERR_BAD_URL      not an http or https URL, or one with a user name
 * with the status if there was a head, else 0.
 *
 * http_get, http_cancel and http_receive may be called from any event, http_free from none. */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"
#include "io/loop.h"

struct http_request {
    uint64_t op;     /* the caller's number, of no request that runs */
    const char *url; /* sent as it is, "." and ".." too */
    bool has_range;
    uint64_t first, last;  /* inclusive, when has_range */
    uint64_t max;          /* more body bytes than this: ERR_TOO_LARGE */
    bool public_only;      /* a stranger named the host: only a public address will do */
    uint8_t family;        /* 4, 6: only over that; 0: either */
    uint32_t timeout_ms;   /* of the whole transfer; 0: only the stall limit */
    bool paced;            /* its body waits while http_receive says so */
    const char *condition; /* a head's validator: 304 when nothing has changed; NULL: none */
};

struct http_head {
    int status;
    bool has_length, has_range;
    uint64_t length;             /* Content-Length */
    uint64_t first, last, total; /* Content-Range of a 206; total UINT64_MAX: unknown */
    char
        validator[LIMIT_VALIDATOR]; /* "If-None-Match: ..." or "If-Modified-Since: ..."; "": none */
    uint32_t max_age_s;             /* Cache-Control; 0: not said */
    uint64_t date_s;                /* Date, and Age where a cache has answered; 0: not said */
};

struct http_events {
    void *user;
    void (*head)(void *user, uint64_t op, const struct http_head *head); /* final response only */
    void (*body)(void *user, uint64_t op, const uint8_t *data, size_t length);
    /* once per request, unless cancelled. retry_after_s: 0 when not said (capped at an hour) */
    void (*done)(void *user, uint64_t op, enum err result, int status, uint32_t retry_after_s);
};

struct http;
/* ca_file: PEM to trust instead of the system's, or NULL; ERR_NOT_FOUND when it is not readable. */
enum err http_new(struct loop *loop, const char *ca_file, const struct http_events *events,
                  struct http **ret);
void http_get(struct http *http, const struct http_request *request);
void http_cancel(struct http *http, uint64_t op); /* no event follows */
/* Back-pressure: no `body` for paced requests while held. With a chunk (what to take at a time; 0:
 * as much as there is) they use HTTP/1.1: streams of one connection cannot wait one by one. */
void http_receive(struct http *http, bool held, size_t chunk);
void http_free(struct http *http); /* cancels all */
