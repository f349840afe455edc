/* What the HTTP client's files share. Layer: io, private to http*.c.
 *
 *   http.c            the public calls and the life of a transfer
 *   http_transfer.c   one transfer as libcurl sees it: its settings and callbacks, its result
 *   http_multi.c      libcurl's sockets and timer on the loop
 */
#pragma once

#include "base/list.h"
#include "io/http.h"
#include "io/http_multi.h"

#include <uthash.h>

struct http {
    struct http_events events;
    struct http_multi multi;
    struct curl_slist *headers;
    char *ca_file;
    struct transfer *by_op; /* uthash */
    struct list waiting, running, cancelled, idle;
    size_t idle_count;
    struct loop_timer *sweep; /* ends connecting that takes too long */
    bool sweeping;            /* the timer is set: as long as something runs */
    bool held;                /* paced bodies wait */
    size_t chunk;             /* of a paced body; 0: any */
    bool waits_longer;        /* this time peers are read first */
    struct list paused;       /* those that have something to give, in order */
    struct loop_timer *resume;
};

struct transfer {
    struct list link, paused;
    UT_hash_handle hh;
    struct http *http;
    CURL *easy;
    struct curl_slist *headers; /* its own; NULL: those of all */
    uint64_t op, max, received;
    size_t header_bytes;
    uint64_t connect_by; /* uv_now; 0: waits its turn, or is connected */
    bool public_only, paced, cancelled, connected, headed, discard;
    enum err verdict; /* why our own callback ended it */
};

/* ERR_UNSUPPORTED: this libcurl cannot do what we need. */
enum err transfer_new(struct http *http, struct transfer **ret);
void transfer_free(struct transfer *transfer);
void transfer_prepare(struct transfer *transfer, const struct http_request *request);
enum err transfer_result(const struct transfer *transfer, CURLcode code);
uint32_t transfer_retry_after(const struct transfer *transfer);
