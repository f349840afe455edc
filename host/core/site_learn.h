/* Hearing of a site's next release (PROTOCOL.md 4.8). Layer: core (pure); owned by a site.
 *
 * A peer's word is a hint: a release that it has sent, and that the pinned key has signed, waits
 * here until the site itself shows the same signature. When that is asked is spread over a time
 * that grows with the swarm. Without a hint the site is asked now and then, with an ETag. */
#pragma once

#include "base/bytes.h"
#include "wire/fringe_release.h"

#include <stdbool.h>

struct site;
struct peer;

struct site_learn {
    uint8_t mark[FRINGE_SITE_MARK]; /* which site is meant */
    /* Verified with the pinned key, not yet confirmed; seq 0: none. */
    struct buf json, signature;
    uint64_t seq;
    uint64_t confirm_ms; /* when to ask the site about that */
    uint64_t poll_ms;    /* and about nothing in particular; 0: not set yet */
    uint32_t failures;   /* of either, in a row */
    uint64_t heard;      /* the highest number that peers have told of; 0: none that we lack */
    uint64_t asked_ms;   /* when the last of them was asked for it */
    uint64_t hinted_ms;  /* a peer's release was of a key that we do not know; 0: never */
    uint64_t hosts_ms;   /* when neighbours said how many hosts there are */
    uint32_t hosts;      /* the most of it */
    uint64_t used_ms;    /* a page was open */
    bool used, by_push;  /* by_push: the current release was heard of from peers */
};

void site_learn_init(struct site *site);
void site_learn_done(struct site *site);
/* A page of the site is open; it waits for that number (0: for none). True: it is being asked. */
void site_learn_used(struct site *site);
bool site_learn_confirm_now(struct site *site, uint64_t seq);
/* What the site showed when it was asked. */
enum site_showed { SITE_SHOWED_NOTHING, SITE_SHOWED_THE_SAME, SITE_SHOWED_A_RELEASE };
void site_learn_looked(struct site *site, enum site_showed showed);
uint64_t site_count_hosts(const struct site *site);            /* about how many have it */
void site_learn_hear_hosts(struct site *site, uint32_t hosts); /* a neighbour's count of them */
uint64_t site_learn_tick(struct site *site);
/* A peer has a release of a key that we do not know: perhaps it takes over from ours, which the
 * site can show. */
void site_learn_hint(struct site *site);
/* A random part of the time over which all hosts ask the site for a new release. */
uint64_t site_learn_spread_ms(const struct site *site);
uint64_t site_learn_seq(const struct site *site); /* the highest number that we could give */
void site_learn_forget(struct site_learn *learn); /* the release that a peer has sent */

/* --- site_gossip.c */
/* Our release has changed: tells neighbours. */
void site_learn_tell(struct site *site);
/* The release of that number, whose bytes the site has got, ends all sharing: it is the last thing
 * that neighbours hear of us. */
void site_learn_tell_the_end(struct site *site, uint64_t seq);
/* Who told of a newer release may be slow, or gone: asks the next one. Returns when to look
 * again. */
uint64_t site_learn_ask_tick(struct site *site);
/* A neighbour has said that it speaks fringe_release. */
void peer_tell_release(struct peer *peer);
