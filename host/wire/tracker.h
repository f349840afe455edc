/* HTTP tracker announces: BEP 3, 7, 23. Layer: wire (pure). */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "wire/address.h"
#include "wire/peer_msg.h"

enum tracker_event { TRACKER_NONE, TRACKER_COMPLETED, TRACKER_STARTED, TRACKER_STOPPED };

struct tracker_announce {
    uint8_t infohash[SHORT_HASH_LENGTH];
    uint8_t peer_id[PEER_ID_LENGTH];
    uint16_t port;
    uint64_t uploaded, downloaded, left;
    enum tracker_event event;
    uint32_t key, num_want;
};

/* Appends the announce URL: base with the query added ('?' or '&' as the base needs).
 * ERR_UNSUPPORTED for udp://, ERR_BAD_URL for all else that is not http:// or https://. */
enum err tracker_announce_url(const char *base, const struct tracker_announce *announce,
                              struct buf *out);

#define TRACKER_NEVER UINT32_MAX

struct tracker_reply {
    char failure[128];       /* "" or the tracker's failure reason, printable */
    uint32_t retry_s;        /* after a failure: not before (BEP 31); 0: not said; TRACKER_NEVER */
    uint32_t interval_s;     /* the longer of interval and min interval, clamped to 60 .. 86400;
                              * 1800 when absent */
    uint32_t min_interval_s; /* clamped alike; 0: not said */
    uint32_t seeders, leechers; /* as the tracker counts them; 0: not said */
    struct address external; /* ours, as the tracker sees it (BEP 24), port 0; family 0: not said */
    size_t count;
    struct address *peers; /* owned, at most LIMIT_TRACKER_PEERS; peers and peers6 together */
};

/* ERR_OK also for a failure (then there are no peers). Peers with port 0 or without a numeric
 * address are left out, and so are those over the limit. After an error *ret is empty. */
enum err tracker_reply_parse(const uint8_t *data, size_t length, struct tracker_reply *ret);
void tracker_reply_done(struct tracker_reply *reply);

/* --- for udp_tracker.c, whose replies hold the same things */
uint32_t tracker_clamp_interval(int64_t seconds);
/* ERR_SYNTAX: no whole number of peers. */
enum err tracker_reply_add(struct tracker_reply *reply, struct span compact, uint8_t family);
void tracker_reply_fail(struct tracker_reply *reply, struct span reason);
