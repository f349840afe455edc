/* Finding peers: what the files share that do it. Layer: core (pure); private to them.
 *
 *   swarm_candidates.c  addresses that we know: from whom, bans, when to try again
 *   swarm_dial.c        whom we dial, and when
 *   trackers.h          those that trackers know */
#pragma once

#include "core/peer.h"

/* --- swarm_candidates.c */

/* Is that stranger's address on a network that we share? Loopback and private addresses are
 * dialled only from a host that listens on such an address itself. */
bool find_shares_network(const struct address *ours, const struct address *address);
/* When it may be dialled (again). */
uint64_t find_due_ms(const struct swarm *swarm, const struct candidate *candidate);

/* --- swarm_dial.c */

/* Does a page use this swarm now, or has one lately? */
bool find_is_active(const struct swarm *swarm);
/* Dials whom it may; returns when the next one is due. */
uint64_t find_dial(struct swarm *swarm);

/* --- swarm_trackers.c */

/* Announces where it is due; returns when it is next. */
uint64_t find_ask_trackers(struct swarm *swarm);
