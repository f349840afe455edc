/* A visitor's machine: the real core, and around it what host/io and host/app do for a daemon.
 * Every step's effects are carried out at once and in order; what they bring comes later.
 *
 * Checked at every step: the deadline is not in the past and ticks do not spin; effects name only
 * what is alive; the caps on connections and queues; no network for a site in zone off. */
#pragma once

#include "core/node.h"
#include "disk.h"
#include "fetch.h"
#include "gauge.h"
#include "link.h"
#include "sniff.h"

#include <jansson.h>

struct visitor_config {
    const char *name;
    struct link link;
    enum zone zone;              /* for sites not chosen */
    const struct host *peers[4]; /* tried for every bundle */
    bool deaf;                   /* does not listen */
    bool ipv6;                   /* listens on IPv6, too */
    uint64_t seed;               /* 0: from the world's */
    struct publisher *knows;     /* has its release and torrents from an earlier visit */
    bool holds;                  /* and all of its files */
};

/* One end of a connection to a peer. */
struct socket {
    uint64_t name; /* the node's or ours (top bit set) */
    uint64_t conn;
    int side;
    bool opened;
    struct sniff out; /* what the node says there */
    bool owes;        /* a block has gone in since the queue was last told to be empty */
    UT_hash_handle hh;
};

/* An exchange of datagrams. */
struct udp_talk {
    uint64_t op;
    UT_hash_handle hh;
};

struct choice {
    char *site;
    enum zone zone;
};

/* A request of the native API. */
struct ask {
    uint64_t number, client;
    struct api_request request;
    json_t *answer; /* NULL: not yet */
    bool has_body;  /* the file came with it */
    struct fetch *fetch;
    UT_hash_handle hh;
};

struct visitor_counts {
    uint64_t dials, accepts, steps, ticks, gets;
    uint64_t blocks_sent, block_bytes_sent;
    uint64_t haves_sent, stops;
    uint64_t needless_requests; /* for pieces that it has */
    uint64_t closed_by_us;
    uint32_t max_gets;
    uint64_t max_storing; /* bytes that its store had not taken yet */
};

struct visitor {
    struct world *world;
    uint64_t number;
    struct visitor_config config;
    enum zone default_zone; /* in force */
    struct host *host;
    struct node *node; /* NULL: not running */
    struct update update;
    struct disk *disk;
    struct socket *sockets;
    struct ask *asks;
    struct fetch *fetches; /* by stream, those with one */
    struct list all_fetches;
    struct list transfers; /* oldest first */
    struct choice *choices;
    size_t choice_count;
    bool listens;    /* to local discovery */
    bool watches;    /* wants to be told of its surroundings */
    bool watch_told; /* and has been */
    struct surroundings surroundings;
    uint32_t shouts;        /* messages of local discovery, each to both groups */
    uint64_t shout_us;      /* the last one of this run; 0: none */
    struct udp_talk *talks; /* exchanges of datagrams */
    uint64_t wake_us;       /* a wake-up is in the queue for then; 0: none */
    uint64_t run;           /* counts the starts: nothing of an earlier run arrives */
    uint64_t tick_ms;       /* the second that idle_ticks counts */
    uint32_t idle_ticks;
    uint64_t next_name, next_request;
    json_t *last_event; /* the last event without id that a client got */
    uint32_t events;
    int64_t skew_s; /* its clock is so much ahead */
    bool stepping;
    struct gauges gauges;
    struct visitor_counts counts;
    UT_hash_handle hh;
};

struct visitor *visitor_new(struct world *world, const struct visitor_config *config);
struct visitor *visitor_find(struct world *world, uint64_t number);
void visitors_free(struct world *world);
/* Like kill -9: everything but the disk is gone. */
void visitor_kill(struct visitor *visitor);
/* Starts again from the disk. */
void visitor_start(struct visitor *visitor);

/* --- the native API */
struct ask *visitor_ask(struct visitor *visitor, uint64_t client,
                        const struct api_request *request);
struct ask *visitor_site_open(struct visitor *visitor, const char *site, uint64_t seq,
                              const char *doc);
/* The choice is in force when this returns. */
struct ask *visitor_set_zone(struct visitor *visitor, const char *site, enum zone zone);
struct ask *visitor_site_status(struct visitor *visitor, const char *site, const char *doc);
struct ask *visitor_status(struct visitor *visitor);
/* Limits, in force when these return. */
struct ask *visitor_set(struct visitor *visitor, enum setting setting, uint64_t value);
struct ask *visitor_pause(struct visitor *visitor, uint64_t minutes);
struct ask *visitor_resume(struct visitor *visitor);
/* The network and the power are so from now on. */
void visitor_surroundings(struct visitor *visitor, enum said metered, enum said on_battery);
enum zone visitor_zone(const struct visitor *visitor, const char *site);
/* Runs until it is answered; fails the test when that takes longer than `ms`. */
json_t *ask_wait(struct visitor *visitor, struct ask *ask, uint64_t ms);
/* Fields of an answer, by a path such as "page.origin"; fails the test when missing. */
uint64_t ask_number(struct visitor *visitor, const struct ask *ask, const char *path);
const char *ask_text(struct visitor *visitor, const struct ask *ask, const char *path);

/* --- for the world's other parts */
/* Steps the node; fills in the time. */
void visitor_step(struct visitor *visitor, struct event *event);
struct socket *visitor_socket(struct visitor *visitor, uint64_t name);
/* Does no site allow the network? */
bool visitor_is_off(const struct visitor *visitor);
extern const struct link_events visitor_peer_events;
struct socket *visitor_add_socket(struct visitor *visitor, uint64_t name, struct conn *conn,
                                  int side);
void visitor_drop_socket(struct visitor *visitor, struct socket *socket);
void visitor_watch(struct visitor *visitor, bool on);                   /* its surroundings */
void visitor_do_effect(struct visitor *visitor, struct effect *effect); /* effects.c */
