/* Fair use: what the visitor's connection is spared. Layer: core (pure).
 *
 *   rates    all that peers are sent, and all that comes from peers and sites, passes a bucket each
 *            (limiter.h). Blocks wait for theirs. What comes is counted after the fact: while the
 *            bucket is in debt nothing is read from any socket (EFFECT_RECEIVE), and no more is
 *            asked of peers than comes in ASK_MS. Small documents (releases, torrents, trackers)
 *            are counted and not held up: they are few, and pages wait for them.
 *   month    blocks are counted by calendar month, UTC. When the cap is reached all sites are as in
 *            zone "fetch" until the month ends. A clock that goes back changes nothing.
 *   pause    no peer at all; pages get their files from the cache and the sites.
 *
 * Metered networks and battery are in surroundings.h, slots in choker.h. */
#pragma once

#include "core/event.h"
#include "core/limiter.h"

struct node;
struct peer;
struct swarm;

struct fair_use {
    uint64_t settings[SETTING_COUNT_];
    struct limiter up, down;
    struct meter sent, received; /* for status */
    bool holding;                /* nothing is read from sockets */
    uint64_t held_ms;            /* when that last began or ended */
    bool ever_held;
    uint64_t month, month_bytes; /* 12 x year + month - 1 */
    bool month_changed;          /* that, or the totals, since it was saved */
    uint64_t save_ms;
    bool paused;
    uint64_t pause_until_ms, pause_until_s; /* UINT64_MAX: until resumed */
    bool gives;                             /* as peers have been told last */
};

void fair_use_init(struct node *node);
void fair_use_restore(struct node *node, const struct settings_record *record);
struct settings_record fair_use_record(const struct node *node);
uint64_t fair_use_tick(struct node *node); /* returns when to be woken next */

/* --- what the visitor says */
void fair_use_set(struct node *node, const struct api_request *request);
void fair_use_pause(struct node *node, uint64_t minutes); /* 0: until resumed */
void fair_use_resume(struct node *node);
void fair_use_surroundings(struct node *node, const struct surroundings *now);
uint64_t fair_use_paused_s(const struct node *node); /* still; UINT64_MAX: until resumed */
/* For status: "on", "paused", "month" (its cap is reached), or as surroundings_forbid says. */
const char *fair_use_state(const struct node *node);

void fair_use_look_at_calendar(struct node *node); /* so that fair.month is right */

/* --- giving */
bool fair_use_may_give(const struct node *node);           /* anything to anybody */
bool fair_use_may_send(struct node *node, uint64_t bytes); /* now; else the node will be woken */
void fair_use_sent_block(struct node *node, uint64_t bytes);
void fair_use_sent(struct node *node, uint64_t bytes); /* other messages: never held up */
uint64_t fair_use_queue(const struct node *node);      /* bytes at the sockets, at most */

/* --- taking */
void fair_use_received(struct node *node, uint64_t bytes);
/* While the disk is slower than the site no bodies are read: they would pile up in memory. (What
 * peers send has been asked for, and no more is.) */
void fair_use_look_at_disk(struct node *node);
uint64_t fair_use_download_rate(const struct node *node); /* 0: no limit */
/* May peers of this swarm be asked for one more block? Each swarm that waits has its share. */
bool fair_use_may_ask(const struct swarm *swarm);
/* It is the visitor's own cap that is slow, and not this swarm's peers. */
bool fair_use_slows(const struct swarm *swarm);
