/* The daemon's inside, shared by daemon.c (its life), daemon_adapters.c (events in),
 * daemon_effects.c (effects out) and daemon_settings.c (the visitor's limits in the store),
 * daemon_rebuild.c (new files from patches), daemon_cache.c (what stays and what goes),
 * daemon_dial.c (to super-nodes), daemon_health.c (the disk, the network, the power),
 * daemon_supernode.c (a super-node's beginning and end). Layer: app; private. */
#pragma once

#include "app/daemon.h"
#include "app/daemon_cache.h"
#include "base/list.h"
#include "core/node.h"
#include "io/control.h"
#include "io/gateway.h"
#include "io/hasher.h"
#include "io/http.h"
#include "io/multicast.h"
#include "io/network.h"
#include "io/portmap.h"
#include "io/resolver.h"
#include "io/store.h"
#include "io/surroundings.h"
#include "io/tcp.h"
#include "io/transfer_log.h"
#include "io/udp.h"
#include "io/webroot.h"
#include "io/ws.h"

#include <uthash.h>

/* An event that an effect answered at once, with what it owns. */
struct answer {
    struct list link;
    struct event event;
    bool loads_torrent; /* when it is its turn: many at once would be many in memory */
    uint8_t infohash[HASH_LENGTH];
    struct buf torrent;
    struct bitfield have;
    uint8_t root[HASH_LENGTH];
};

/* A piece in the hands of the hasher: what to record when it is good. */
struct storing {
    uint64_t op;
    bool reading; /* it is in the store, and only read */
    struct metainfo_file file;
    uint32_t piece_length, piece;
    UT_hash_handle hh;
};

struct rebuilding;

struct daemon {
    const struct daemon_options *options;
    struct loop loop;
    struct loop_timer *timer, *flush_timer, *idle_timer;
    struct loop_timer *probe_timer; /* daemon_health.c: the store is looked at again */
    bool probing, restart;
    bool flush_due;                        /* the flush timer is set for a batch */
    struct network *network;               /* NULL: the system does not tell */
    struct surroundings_bus *surroundings; /* NULL: nobody wants to know */
    struct loop_timer *report_timer; /* daemon_supernode.c: the next report; the end of draining */
    uv_signal_t signals[3];
    struct store *store;
    struct transfer_log *transfers; /* daemon_log.c; NULL: none is kept */
    struct tcp *tcp;
    struct http *http;
    struct udp *udp;
    struct ws *ws;           /* NULL: not needed yet */
    struct webroot *webroot; /* NULL: there is none, all is asked of the site */
    struct resolver *resolver;
    struct dialling *dialling;   /* super-nodes whose names are being looked up */
    struct multicast *multicast; /* NULL: local discovery is off */
    struct gateway *gateway;
    struct control *control;
    struct hasher *hasher;
    struct portmap *portmap;    /* NULL: no router is asked */
    struct daemon_cache *cache; /* daemon_cache.c */
    struct site_sums *shared;   /* daemon_shared.c */
    struct node *node;
    struct update update;
    struct list answers;
    struct storing *storing;
    struct rebuilding *rebuilding; /* daemon_rebuild.c */
    bool draining;
    bool ending; /* nothing is stepped any more; what was said last is on its way */
};

void daemon_step(struct daemon *daemon, struct event *event);
void daemon_carry_out(struct daemon *daemon, struct update *update);
void daemon_flush_soon(struct daemon *daemon);
void daemon_piece_done(struct daemon *daemon, const struct hasher_result *result);
void daemon_lsd_heard(void *user, const struct address *from, const uint8_t *data, size_t length);
/* Something that the store had is not there as it was: the node must hear of it. */
void daemon_file_lost(struct daemon *daemon, const struct metainfo_file *file);
void daemon_rebuild(struct daemon *daemon, struct effect *effect);
void daemon_rebuilt(struct daemon *daemon, const struct hasher_result *result);
void daemon_forget_pieces(struct daemon *daemon);
void daemon_forget_rebuilding(struct daemon *daemon);

/* --- daemon_dial.c: super-nodes are named by URL */
void daemon_dial(struct daemon *daemon, const struct effect *effect);
void daemon_dial_cancel(struct daemon *daemon, uint64_t conn); /* unknown: nothing */
void daemon_resolved(void *user, uint64_t conn, enum err result, const struct address *address);
void daemon_dial_done(struct daemon *daemon);
/* Opens what is needed for WebSockets; again: nothing. */
enum err daemon_open_ws(struct daemon *daemon);

/* The router lets peers in only while there is a site for which the visitor has chosen that. */
void daemon_look_for_router(struct daemon *daemon);

/* --- daemon_adapters.c */
enum err daemon_open_adapters(struct daemon *daemon);
void daemon_open_portmap(struct daemon *daemon);
/* Last of all: who can connect finds everything ready. */
enum err daemon_open_control(struct daemon *daemon);
void daemon_arm_idle_exit(struct daemon *daemon);
void daemon_close_adapters(struct daemon *daemon);
void daemon_peer_opened(void *user, uint64_t conn, const struct address *remote);
void daemon_peer_bytes(void *user, uint64_t conn, const uint8_t *data, size_t length);
void daemon_peer_sent(void *user, uint64_t conn, size_t queued, size_t backlog);
void daemon_peer_closed(void *user, uint64_t conn, enum err why);

/* --- daemon_supernode.c */
void daemon_supernode_begin(struct daemon *daemon);
/* True: it drains, and ends by itself. */
bool daemon_supernode_drain(struct daemon *daemon);
void daemon_supernode_stepped(struct daemon *daemon); /* has all that was asked for been given? */
void daemon_supernode_report(void *user);
void daemon_supernode_metrics(void *user, struct buf *out);
void daemon_supernode_end(struct daemon *daemon);

/* --- daemon_health.c */
void daemon_health_begin(struct daemon *daemon);
void daemon_health_stepped(struct daemon *daemon); /* is the store to be looked at again? */
void daemon_store_failed(struct daemon *daemon, enum err why);
void daemon_health_probe(void *user);
void daemon_health_end(struct daemon *daemon);
void daemon_surroundings(struct daemon *daemon, bool on); /* EFFECT_SURROUNDINGS */

/* --- daemon_log.c: what came from whom */
void daemon_log_open(struct daemon *daemon);
void daemon_log_transfer(struct daemon *daemon, const struct effect *effect);
void daemon_log_flush(struct daemon *daemon);
void daemon_log_request(struct daemon *daemon, uint64_t client, const struct api_request *request);

/* --- daemon_shared.c: what was shared of each site */
void daemon_shared_open(struct daemon *daemon);
void daemon_shared_close(struct daemon *daemon);                              /* before the store */
void daemon_shared_count(struct daemon *daemon, const struct effect *effect); /* EFFECT_TRANSFER */
void daemon_shared_flush(struct daemon *daemon); /* with the store's batch */
struct store_shared daemon_shared_of(struct daemon *daemon, const char *site);
enum err daemon_shared_forget(struct daemon *daemon, const char *site); /* NULL: of all */

void daemon_load_settings(struct daemon *daemon, struct settings_record *ret);
void daemon_save_settings(struct daemon *daemon, const struct settings_record *record);
