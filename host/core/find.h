/* Finding peers: what the files share that do it. Layer: core (pure); private to them.
 *
 *   swarm_candidates.c  addresses that we know: from whom, bans, when to try again
 *   swarm_dial.c        whom we dial, and when
 *   swarm_pex.c         those that peers know
 *   swarm_lsd.c         those on our own network
 *   swarm_supernode.c   the one that the release names
 *   trackers.h          those that trackers know */
#pragma once

#include "core/peer_impl.h"

/* --- swarm_candidates.c */

/* Is that stranger's address on a network that we share? Loopback and private addresses are
 * dialled only from a host that listens on such an address itself. */
bool find_shares_network(const struct address *ours, const struct address *address);
/* NULL: it is known already, may not be dialled, or there are too many. */
struct candidate *find_add(struct swarm *swarm, const struct address *address,
                           enum candidate_source source, uint64_t from);
/* The peer that named it takes it back: it goes, if nothing else has shown that it is there. */
void find_forget(struct swarm *swarm, const struct address *address, uint64_t from);
uint32_t find_count_from(const struct swarm *swarm, uint64_t from);
/* Its priority among others (BEP 40): the higher, the sooner it is dialled and the longer kept. */
uint32_t find_priority(const struct swarm *swarm, const struct address *address);
bool find_is_explicit(struct swarm *swarm, const struct address *address);
/* When it may be dialled (again). */
uint64_t find_due_ms(const struct swarm *swarm, const struct candidate *candidate);

/* --- swarm_dial.c */

/* Does a page use this swarm now, or has one lately? */
bool find_is_active(const struct swarm *swarm);
/* Dials whom it may; returns when the next one is due. */
uint64_t find_dial(struct swarm *swarm);

/* --- swarm_pex.c */

/* Tells peers of others where that is due; returns when it is next. */
uint64_t find_tell_peers(struct swarm *swarm);

/* Must what the release names be at a public address? So a site cannot make its visitors knock at
 * doors inside their networks (tracker_ask.c). */
bool find_must_be_public(const struct swarm *swarm);

/* --- swarm_supernode.c */

/* Sees to the connection to a super-node, and that there is no other where the site wants none;
 * returns when it is to be looked at next. */
uint64_t find_supernode(struct swarm *swarm);

/* --- trackers.h */

/* Announces where it is due; returns when it is next. */
uint64_t find_ask_trackers(struct swarm *swarm);
