/* Trackers of a swarm, and an announce over UDP. Layer: core (pure); private to finding peers.
 *
 *   swarm_trackers.c  whom we announce to, when, and what came of it
 *   tracker_ask.c     one announce over HTTP or UDP
 *   udp_announce.c    the exchanges of BEP 15 */
#pragma once

#include "core/find.h"
#include "wire/udp_tracker.h"

/* One announce over UDP: connect, announce, each sent again until there is a reply. */
struct udp_announce {
    struct node *node;
    uint64_t op; /* 0: not under way */
    char host[UDP_TRACKER_HOST];
    uint16_t port;
    bool public_only;
    uint8_t family; /* 4, 6: only over that; 0: either */
    struct tracker_announce announce;
    uint64_t connection, connection_until_ms; /* 0: none */
    bool connecting;
    unsigned attempt;
    uint32_t transaction;
    uint64_t deadline_ms;
    /* reply: NULL unless ERR_OK; borrowed */
    void (*done)(void *owner, enum err result, const struct tracker_reply *reply);
    void *owner;
    struct list in_node; /* farewells: nobody owns them */
};

/* node, host, port, public_only, announce, done and owner are set. */
void udp_announce_start(struct udp_announce *udp);
void udp_announce_cancel(struct udp_announce *udp);
/* Sends it again or gives up when that is due; returns when it is next. */
uint64_t udp_announce_tick(struct udp_announce *udp);
/* A last one, which outlives the swarm: `from` is copied; nobody learns of its end. */
void udp_announce_farewell(const struct udp_announce *from);

/* One way to a tracker: over one family, or over whichever there is (BEP 7). */
struct tracker {
    struct swarm *swarm;
    char *url;
    uint8_t family;        /* 4, 6: only over that; 0: either */
    struct tracker *other; /* the other family's way to the same tracker, or NULL */
    bool is_udp;
    struct download http;
    struct udp_announce udp;
    enum tracker_event event;   /* of the announce under way */
    bool announced;             /* it counts us */
    bool told_completed;        /* the announce under way says that nothing is left */
    bool completed;             /* it knows that we have everything */
    uint16_t port;              /* ours, as it was told last */
    uint32_t size;              /* of the swarm, as it said last */
    uint32_t failures;          /* in a row */
    uint64_t asked_ms;          /* when the announce under way began */
    uint64_t next_ms, needy_ms; /* when the next one is due; the same while a page finds nobody */
};

/* tracker_ask.c; at the end: tracker_answered (swarm_trackers.c). */
void tracker_ask(struct tracker *tracker, enum tracker_event event);
bool tracker_is_asked(const struct tracker *tracker);
void tracker_farewell(struct tracker *tracker); /* says `stopped`; nobody waits for the answer */
void tracker_init(struct tracker *tracker, struct swarm *swarm, const char *url, uint8_t family);
/* Our port for those that it tells of us. */
uint16_t tracker_port(const struct tracker *tracker);
void tracker_done(struct tracker *tracker);
/* reply: NULL unless ERR_OK. retry_s: what HTTP's Retry-After said, or 0. */
void tracker_answered(struct tracker *tracker, enum err result, const struct tracker_reply *reply,
                      uint32_t retry_s);
