/* The node: one host's whole behaviour as a machine. Layer: core (pure).
 *
 * node_step takes one event with its time and appends the effects that follow; node_deadline
 * says when it wants to be woken with EVENT_TICK at the latest. No clock, no randomness but the
 * seed, no globals, no I/O: the same seed and the same events give the same effects, so the
 * daemon and the simulator run the very same code. */
#pragma once

#include "core/event.h"
#include "core/update.h"

#define NODE_SEED_LENGTH 32
#define NODE_MAX_PEERS   32 /* explicit ones */

/* Parts of the scheduler that the simulator leaves out to see what they bring (tests/sim). */
enum node_part {
    PART_SPARING = 1,   /* the origin is asked for what nobody has or brings only */
    PART_CLAIMS = 2,    /* neighbours are told what comes from the origin */
    PART_RANK = 4,      /* who of them fetches it */
    PART_RAREST = 8,    /* of peers, the rarest first */
    PART_HEAD = 16,     /* the first tenth before all else */
    PART_ASSIST = 32,   /* the origin helps who has too little to ask peers for */
    PART_HEDGE = 64,    /* and who gets nothing from them */
    PART_ENDGAME = 128, /* what is stuck at one peer is asked of another */
    PART_HURRY = 256    /* and what a page waits for sooner */
};

/* Every field is copied. */
struct node_config {
    uint8_t seed[NODE_SEED_LENGTH];
    enum zone default_zone; /* for sites not chosen yet, until set; never ZONE_DEFAULT */
    struct address listen;  /* where peers reach us; port 0: nowhere */
    struct address listen_too[LIMIT_LISTEN]; /* and there, on the same port */
    size_t listen_too_count;
    struct address peers[NODE_MAX_PEERS];
    size_t peer_count;    /* tried for every bundle */
    bool local_discovery; /* whatever the visitor's setting */
    /* A super-node (supernode.h): holds these sites whole and gives them to all; no other site. */
    bool supernode;
    const char *sites[LIMIT_SUPERNODE_SITES];
    size_t site_count;
    bool tells_transfers; /* EFFECT_TRANSFER */
    bool has_folder;      /* what it fetches costs the site nothing */
    uint32_t connections; /* at once; 0: LIMIT_PEERS */
    uint64_t start_ms;
    /* For hello and status only: what the node itself cannot know. */
    const char *version, *gateway, *data;
    uint64_t pid;
    unsigned without; /* parts; only the simulator sets it */
};

struct node;
struct node *node_new(const struct node_config *config);
void node_free(struct node *node);

void node_step(struct node *node, const struct event *event, struct update *update);
/* What is still to be said before the process ends: farewells to trackers. Nothing is stepped after
 * it. */
void node_farewell(struct node *node, struct update *update);
/* Monotonic milliseconds; UINT64_MAX: never. */
uint64_t node_deadline(const struct node *node);

/* For `status`: what the store says now; the adapter tells it when it changes much. */
void node_set_cache_totals(struct node *node, uint64_t files, uint64_t bytes);
/* Why nothing could be written to the store last; ERR_OK: it could. */
enum err node_store_error(const struct node *node);
/* What to remember at the end of a run: EFFECT_SAVE_SETTINGS comes only every few seconds. */
struct settings_record node_settings(const struct node *node);
/* Is there a site whose files may come from, or go to, other visitors? */
bool node_uses_peers(const struct node *node);
/* No new visitors, nothing more is asked for; what has been is still given (a super-node's end). */
void node_drain(struct node *node, struct update *update);
bool node_is_drained(const struct node *node);

/* What a super-node counts, for its metrics. */
struct node_metrics {
    uint32_t peers, websocket_peers; /* with a handshake */
    uint64_t refused;                /* connections: too many, banned, another torrent */
    uint64_t malformed;              /* connections ended for what came over them */
    uint64_t bad_pieces, origin_failures, store_errors;
    uint64_t unsent; /* bytes of blocks at the sockets */
};
void node_metrics(const struct node *node, struct node_metrics *ret);
struct node_site_metrics {
    const char *site;
    uint64_t seq, expires; /* of the current release; 0: none */
    uint64_t release_bytes, held_bytes, bytes[SOURCE_COUNT_], uploaded, wasted, releases;
    uint64_t asked, shared; /* site_spared */
    uint32_t peers;
};
void node_each_site_metrics(const struct node *node,
                            void (*each)(void *user, const struct node_site_metrics *metrics),
                            void *user);
/* Is anything going on for which the daemon should stay though no client is connected? */
bool node_is_busy(const struct node *node);
