/* Super-nodes, both sides. Layer: core (pure).
 *
 * A super-node is the same node with `config.supernode`: it holds its sites whole, takes nothing
 * from visitors, and gives to all of them (supernode.c). What it has not got yet it says that it
 * has: who asks for it waits until the site has given it, which is asked for each file once,
 * however many wait. It suggests different pieces to different visitors (BEP 6), names them to
 * each other (swarm_pex.c), and looks for new releases.
 *
 * A visitor keeps one connection to one of those that the release names (swarm_supernode.c).
 *
 * In a node of the other kind every function here does nothing. */
#pragma once

#include "core/peer.h"

/* A visitor's super-node may be fetching what it is asked for: it gets longer than other peers
 * before the site is asked itself. */
#define SUPERNODE_HEDGE_MS 1500

/* --- a super-node */

bool supernode_serves(const struct node *node, const char *site);
/* Walking over thousands of peers is not worth it for each of their deadlines. */
uint64_t supernode_next_tick_ms(const struct node *node);
uint64_t supernode_tick(struct node *node);
uint64_t supernode_site_tick(struct site *site);
void supernode_site_done(struct site *site);
/* Sees to it that enough is being fetched of what is missing; returns when to look again. */
uint64_t supernode_fill(struct swarm *swarm);
void supernode_piece_arrived(struct swarm *swarm, uint32_t piece);
void supernode_want_failed(struct want *want);
/* Keeps a request for what is not there yet; false: it must be refused. */
bool supernode_keep(struct peer *peer, const struct peer_request *request);
bool supernode_unkeep(struct peer *peer, uint32_t piece, uint32_t begin);
void supernode_suggest(struct peer *peer, const struct peer_request *request);
void supernode_asks(struct peer *peer); /* may it be given something now? */
void supernode_serve(struct node *node);
bool supernode_is_stalled(const struct peer *peer);
void supernode_drain(struct node *node);

/* --- a visitor */

/* Is what we wait for likely to come from a super-node? */
bool supernode_is_bringing(const struct swarm *swarm);
void supernode_link_ended(struct swarm *swarm, const struct peer *peer);
