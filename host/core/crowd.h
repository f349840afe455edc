/* A crowd: neighbours that want the same files at the same time elect who asks the origin for
 * what (swarm_crowd.c), tell each other with claims (crowd_tell.c), and believe them so far
 * (swarm_claim.c). Layer: core (pure). */
#pragma once

#include "core/swarm.h"

struct fringe_claim;

/* Of one origin request in a crowd; small files under way together are no more than half of it. */
#define CROWD_EXTENT      KIB(128)
#define CROWD_EXTENT_HEAD KIB(64)  /* of what pages read first */
#define CROWD_EXTENT_BIG  KIB(256) /* in a big crowd: fewer claims to pass on */

/* With so many neighbours not all of them know each other, and a tracker's count of more is to be
 * believed. */
#define CROWD_MESH 16

/* Are there neighbours who want something here and speak fringe_claim? Then crowd_consider decides
 * about the origin, and not swarm_origin.c. False where we do not share: who gives nothing has no
 * business in asking others to wait. */
bool crowd_is(const struct swarm *swarm);
/* Are there so many more visitors than neighbours that these cannot elect anybody? */
bool crowd_is_big(const struct swarm *swarm);
/* How many there are, as a tracker counted them: ours or, if they heard more, our neighbours'. */
uint32_t crowd_size(const struct swarm *swarm);
/* Asks the origin for what is due, if anything is. */
void crowd_consider(struct swarm *swarm);

/* An origin request of ours has begun, or is about to be freed. */
void crowd_started(struct origin_fetch *fetch);
void crowd_ended(struct origin_fetch *fetch);
void crowd_wants_changed(struct swarm *swarm); /* there are more, or fewer */
/* What neighbours do. */
bool crowd_claim_heard(struct peer *peer, struct span payload); /* false: it is malformed */
void crowd_peer_has(struct peer *peer, uint32_t piece);         /* a promise kept, perhaps */
void crowd_peer_joined(struct peer *peer);                      /* it speaks fringe_claim */
void crowd_peer_wants(struct peer *peer, bool wants);
void crowd_peer_counts(struct peer *peer, uint32_t swarm_size); /* so its tracker says */
void crowd_peer_left(struct peer *peer);
uint64_t crowd_tick(struct swarm *swarm); /* renews claims; returns when to be woken next */
void crowd_done(struct swarm *swarm);

/* --- between swarm_crowd.c, swarm_claim.c and crowd_tell.c */

/* Who claims: a neighbour, or somebody whom neighbours speak of. */
struct claimer {
    uint8_t id[PEER_ID_LENGTH];
    uint32_t serial;       /* the highest heard */
    uint32_t live, broken; /* pieces: claimed now; claimed in vain */
    UT_hash_handle hh;
};

/* Since when this piece may be asked for, ranks aside; in the future while a claim on it lives.
 * 0: somebody has or brings it. */
uint64_t crowd_open_since(struct swarm *swarm, uint32_t piece);
/* Nothing has come for long, though something is wanted (there must be a want). */
bool crowd_is_starved(const struct swarm *swarm);
bool crowd_is_claimed(const struct swarm *swarm, uint32_t piece);
uint32_t crowd_extent_pieces(const struct swarm *swarm); /* of one request */
void crowd_tell_all(struct swarm *swarm);                /* the extended handshake again */
/* Sends what one neighbour claims, or passes on, to the others. */
void crowd_pass_on(struct peer *from, const struct fringe_claim *claim);
