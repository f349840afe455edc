/* HTTP client for origins and trackers: libcurl's multi interface on the loop. Layer: io.
 *
 * TLS always verified; HTTP/2 when offered; no cookies, no credentials, no proxies from the
 * environment unless the visitor's system says so, no redirects followed (a redirect is the
 * caller's ERR_STATUS), `Accept-Encoding: identity`; at most LIMIT_ORIGIN_CONNECTIONS to a
 * host. DNS does not block the loop. */
#pragma once

#include "base/bytes.h"
#include "io/loop.h"

struct http_request {
    uint64_t op;           /* the caller's number */
    const char *url;
    bool has_range;
    uint64_t first, last;  /* inclusive, when has_range */
    uint64_t max;          /* more body bytes than this: ERR_TOO_LARGE */
    uint32_t timeout_ms;   /* of the whole transfer; 0: only the stall limit */
};

struct http_head {
    int status;
    bool has_length, has_range;
    uint64_t length;              /* Content-Length */
    uint64_t first, last, total;  /* Content-Range of a 206; total UINT64_MAX: unknown */
};

struct http_events {
    void *user;
    void (*head)(void *user, uint64_t op, const struct http_head *head); /* final response only */
    void (*body)(void *user, uint64_t op, const uint8_t *data, size_t length);
    /* once per request, unless cancelled. retry_after_s: 0 when not said (capped at an hour) */
    void (*done)(void *user, uint64_t op, enum err result, int status, uint32_t retry_after_s);
};

struct http;
/* ca_file: PEM to trust instead of the system's, or NULL. */
enum err http_new(struct loop *loop, const char *ca_file, const struct http_events *events,
                  struct http **ret);
void http_get(struct http *http, const struct http_request *request);
void http_cancel(struct http *http, uint64_t op); /* no event follows */
void http_free(struct http *http);                /* cancels all */
