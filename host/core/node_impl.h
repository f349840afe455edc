/* The node's inside: what the core's modules share. Layer: core (pure); private to it.
 *
 * One owner per object: node owns sites, clients, documents and streams; a site owns its releases
 * and swarms; a swarm owns its peers, wants and pieces on their way. Whatever waits for an event
 * holds an op number; freeing the owner drops the op, and a late event finds nobody. */
#pragma once

#include "base/list.h"
#include "core/choker.h"
#include "core/fair_use.h"
#include "core/flood.h"
#include "core/health.h"
#include "core/node.h"
#include "core/rng.h"
#include "core/surroundings.h"

#include <uthash.h>

struct site;
struct peer;
struct stream;
struct doc;
struct client;

/* --- operations under way */

enum op_kind {
    OP_DOWNLOAD,
    OP_DATAGRAM,
    OP_ORIGIN,
    OP_TORRENT,
    OP_CONTENT,
    OP_PIECE,
    OP_INFO,
    OP_CASE, /* swarm_blame.c */
    OP_LEAVES,
    OP_REBUILD /* struct delta */
};

struct op {
    uint64_t number;
    enum op_kind kind;
    void *owner; /* struct download, udp_announce, origin_fetch, swarm, swarm, piece, swarm,
                    hash_job */
    UT_hash_handle hh;
};

/* Our address, as a peer sees it. */
#define SIGHTINGS 16
struct sighting {
    struct address by, address;
};

struct node {
    struct node_config config;
    struct rng rng;
    uint64_t now_ms, wall_s; /* of the step at hand */
    struct update *update;   /* of the step at hand */
    uint64_t last_number;    /* of ops and dialled connections */
    uint64_t deadline_ms;
    struct op *ops;
    struct site *sites;
    struct peer *peers; /* by connection, all swarms and not yet in one */
    struct stream *streams;
    struct doc *docs;       /* oldest first */
    struct client *clients; /* those that said hello as an extension */
    struct log_key *logged;
    struct strikes *strikes;
    uint64_t cache_files, cache_bytes;
    uint64_t up_bytes, up_since_ms, up_rate; /* what the uplink takes, bytes a second */
    uint64_t blocks_served;
    uint32_t rebuilding;    /* files, from patches (delta.h) */
    uint64_t storing_bytes; /* handed to the store, not yet written */
    struct health health;
    enum err store_error;    /* why the store could not write last; ERR_OK: it could */
    uint64_t store_retry_ms; /* then: pages go to their sites until that time */
    bool bodies_held;        /* for the disk's sake (fair_use.h) */
    struct address external; /* the router's address and the port that it maps; port 0: none */
    struct address seen_as;  /* our address as others see it, port 0; family 0: not known */
    bool tracker_saw;        /* that was a tracker */
    struct sighting sightings[SIGHTINGS]; /* what peers say of it: a ring (seen_as.c) */
    uint32_t sighting_next;
    struct list farewells; /* struct udp_announce: last words to trackers, under way */
    uint32_t farewell_count;
    struct {
        bool on;
        char cookie[17]; /* to know our own messages by */
        uint64_t next_ms;
        struct flood flood;
    } lsd;
    const char *mapping_state, *mapping_method; /* static text */
    struct fair_use fair;
    struct byte_totals before; /* of earlier runs, and of sites that are forgotten */
    struct surroundings_watch surroundings;
    struct choker choker;
    struct list asking;   /* a super-node's peers that may be given a block now */
    uint64_t send_queued; /* bytes of blocks at all sockets */
    uint64_t ticked_ms;
    bool draining;
    struct node_metrics counts; /* since the start; what is a state is filled in when asked for */
};

/* Where the internet reaches us: the router's port when it maps one, else our own; 0: nowhere. */
uint16_t node_public_port(const struct node *node);
/* The same for one peer: who is on our own network, or speaks IPv6, does not pass the router. */
uint16_t node_port_for(const struct node *node, const struct address *peer);

/* Places for connections. */
static inline uint32_t node_max_peers(const struct node *node)
{
    return node->config.connections > 0 ? node->config.connections : LIMIT_PEERS;
}

static inline bool node_has(const struct node *node, enum node_part part)
{
    return (node->config.without & part) == 0;
}
void node_seen_as(struct node *node, const struct address *by, const struct address *address);
/* In all runs; and something has been moved just now. */
struct byte_totals node_ever(const struct node *node);
void node_add_totals(struct byte_totals *totals, const struct site *site);
uint64_t node_number(struct node *node);
struct peer *node_find_peer(const struct node *node, uint64_t conn); /* NULL: gone */
uint64_t node_op_begin(struct node *node, enum op_kind kind, void *owner);
void node_op_end(struct node *node, uint64_t number); /* unknown or 0: nothing */
/* Be woken at `at_ms` or before. */
void node_wake(struct node *node, uint64_t at_ms);
enum zone node_default_zone(const struct node *node);

/* --- node_tell.c: answers, the log, events for extensions */
void node_tell_to(struct node *node, uint64_t client); /* it wants events; again: nothing */
void node_tell_no_more(struct node *node, uint64_t client);
void node_tell_health(struct node *node);
/* `site` NULL: of all sites without a choice. */
void node_tell_zone(struct node *node, const struct site *site, uint64_t except);
void node_tell_done(struct node *node);
struct effect *node_answer(struct node *node, uint64_t client,
                           struct buf *json); /* takes json's memory */
/* Says a thing once per key: a hostile peer must not fill the log. */
void node_log_once(struct node *node, struct span key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Dispatches for node.c. */
void node_handle_request(struct node *node, uint64_t client, const struct api_request *request);

/* --- a small document over HTTP, collected whole */

struct download {
    uint64_t op; /* 0: not under way */
    struct buf body;
    bool public_only; /* the URL is a stranger's: not to this machine or a private network */
    uint8_t family;   /* 4, 6: only over that; 0: either */
    bool conditional; /* asks with the validator: done says status 304 if nothing has changed */
    char validator[LIMIT_VALIDATOR]; /* of the last answer that had one */
    uint32_t max_age_s;              /* as this answer says; 0: it does not */
    uint64_t date_s;                 /* the same */
    void (*done)(void *owner, struct download *download, enum err result, int status,
                 uint32_t retry_after_s);
    void *owner;
};

/* done is called once, with the body in download->body; ERR_STATUS for anything but 200. */
void download_start(struct node *node, struct download *download, const char *url, size_t max,
                    uint32_t timeout_ms);
void download_cancel(struct node *node, struct download *download);
void download_done(struct download *download); /* frees the body */
void download_head(struct download *download, const struct event *event);
void download_body(struct node *node, struct download *download, const struct event *event);
void download_finish(struct node *node, struct download *download, const struct event *event);

/* --- exchanges of datagrams (udp_announce.c) */

struct udp_announce;
void udp_announce_heard(struct udp_announce *udp, const struct event *event);
uint64_t lsd_tick(struct node *node); /* swarm_lsd.c */
void lsd_heard(struct node *node, const struct event *event);
uint64_t farewells_tick(struct node *node);
void farewells_free(struct node *node);

/* --- counters of one document (asset.c) */

struct doc_file {
    uint64_t key; /* names the file: the first bytes of root xor length */
    UT_hash_handle hh;
};

struct doc {
    char id[LIMIT_DOC_ID + 1];
    uint64_t serial;   /* never used again, so a want may hold it after the doc is gone */
    struct site *site; /* whose release it belongs to; NULL: none yet */
    uint64_t seq;      /* that one's number */
    uint64_t used_ms;
    uint64_t files, bytes[SOURCE_COUNT_];
    struct doc_file *seen;
    UT_hash_handle hh;
};

struct doc *doc_get(struct node *node, const char *id, bool create);
struct doc *doc_by_serial(struct node *node, uint64_t serial);
void doc_close(struct node *node, const char *id);
/* A page stays with the release that it began with: the number that its requests mean. */
uint64_t doc_release(struct node *node, const char *id, const struct site *site, uint64_t seq);
void doc_pin(struct node *node, const char *id, struct site *site, uint64_t seq);
bool docs_read(const struct site *site, uint64_t seq); /* is a page of that release open? */
bool docs_open(const struct site *site);               /* is a page of it? */
void docs_forget_site(struct node *node, const struct site *site);
void doc_free(struct node *node, struct doc *doc);
