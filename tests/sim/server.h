/* A web server: a site's origin or a tracker. It has a link like every host, so a crowd shares its
 * rate; it counts what it sends, and does wrong what a test tells it to.
 *
 * The client's side is here too (what host/io/http does for the daemon): two connections a
 * server, set-up costs, the connect and stall limits, the cap on a body. */
#pragma once

#include "base/limits.h"
#include "core/update.h"
#include "link.h"

#define SERVER_NEVER UINT64_MAX

/* What goes wrong with a resource, or with a whole server. */
struct fault {
    int status; /* instead of 200; 0: none */
    uint32_t retry_after_s;
    uint32_t delay_ms; /* before the head */
    uint64_t stall_at; /* bytes of a body, then silence */
    uint64_t cut_at;   /* bytes of a body, then the connection breaks */
    uint64_t flip_at;  /* this byte of the resource is wrong */
    bool endless;      /* the body never ends */
    bool ignore_range; /* 200 and the whole body */
    bool other_range;  /* 206, and another range than was asked for */
    bool no_length;    /* no Content-Length */
    uint32_t times;    /* so many requests only; 0: all */
};

#define FAULT_NONE                                                                                 \
    ((struct fault){.stall_at = SERVER_NEVER, .cut_at = SERVER_NEVER, .flip_at = SERVER_NEVER})

struct resource {
    char *path;
    uint8_t *data;
    size_t length;
    struct fault fault;
    char validator[LIMIT_VALIDATOR]; /* changes with the content */
    uint32_t max_age_s;              /* that it says; 0: nothing */
    uint32_t requests, unchanged;    /* unchanged: of those answered with 304 */
    uint64_t sent;                   /* body bytes that left */
    UT_hash_handle hh;
};

struct server {
    struct world *world;
    char *site; /* "https://game.example" */
    struct host *host;
    bool down;          /* refuses connections */
    unsigned loss;      /* of datagrams, percent, each way */
    uint8_t family;     /* 4, 6: its name has only that for datagrams; 0: both */
    uint32_t datagrams; /* that arrived */
    struct fault fault; /* of every resource */
    struct resource *resources;
    /* Answers instead of the resources when set: a tracker. */
    int (*handle)(struct server *server, struct visitor *from, const char *path, struct buf *body);
    void *handler;
    uint32_t requests;
    uint64_t sent;
    UT_hash_handle hh;
};

struct server *server_new(struct world *world, const char *site, const struct link *link);
struct server *server_find(struct world *world, const char *url, size_t length);
/* Adds or replaces; copies data. */
struct resource *server_put(struct server *server, const char *path, const void *data,
                            size_t length);
struct resource *server_get(struct server *server, const char *path);
void server_remove(struct server *server, const char *path);
/* Breaks what is under way and refuses from now on; and the reverse. */
void server_set_down(struct server *server, bool down);
uint64_t server_sent_below(const struct server *server, const char *prefix);
uint32_t server_requests_below(const struct server *server, const char *prefix);
void servers_free(struct world *world);

/* --- for visitors */
struct http_want {
    uint64_t op;
    const char *url;
    bool has_range;
    uint64_t first, last, max;
    uint32_t timeout_ms;
    bool paced;            /* waits while the visitor's host does not read */
    const char *condition; /* NULL: none */
};
void server_request(struct visitor *visitor, const struct http_want *want);
/* False when there is no such request. */
bool server_cancel(struct visitor *visitor, uint64_t op);
void server_forget_visitor(struct visitor *visitor);
uint32_t server_active(const struct visitor *visitor);

/* --- a fake tracker (sim_tracker.c): BEP 3 and 23; BEP 15 when its site is "udp://name:port" */
struct sim_tracker_key {
    uint8_t infohash[20];
    struct address address;
};
struct sim_tracker_peer {
    struct sim_tracker_key key;
    size_t place; /* in peers */
    uint64_t left;
    UT_hash_handle hh;
};
struct sim_tracker {
    struct server *server;
    struct sim_tracker_peer **peers, *table;
    size_t count, capacity;
    bool random; /* names some at random; else the newest */
    uint32_t announces, stopped, connects;
    uint32_t events[4]; /* announces by enum tracker_event */
    uint32_t started6;  /* of these, over IPv6 */
    uint32_t stopped6;
    uint64_t connected_ms;
    uint32_t interval_s;
    const char *garbage; /* replied instead, when set */
};
struct sim_tracker *sim_tracker_new(struct world *world, const char *site);
void sim_tracker_datagram(struct server *server, const struct address *from, struct span data,
                          struct buf *reply);
void sim_tracker_free(struct sim_tracker *tracker); /* the server is the world's */
void sim_tracker_add(struct sim_tracker *tracker, const uint8_t infohash[20],
                     const struct address *address);

/* --- datagrams (datagram.c) */
struct packet {
    uint64_t number;
    uint64_t visitor, run, op;
    char *server; /* whose reply it is; or to whom it goes */
    uint8_t family;
    bool is_reply;
    struct address from; /* of local discovery: who says it; family 0: it is none */
    uint8_t *data;
    size_t length;
    UT_hash_handle hh;
};
void datagram_send(struct visitor *visitor, const struct effect *effect);
void datagram_end(struct visitor *visitor, uint64_t op);
/* To all that listen on the same island, the sender too. */
void datagram_shout(struct visitor *visitor, const struct effect *effect);
void datagrams_forget(struct visitor *visitor); /* it is killed */
void datagrams_free(struct world *world);
