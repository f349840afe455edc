/* The torrent from peers: `info` by ut_metadata (BEP 9), the piece layers by hash requests (BEP
 * 52). Layer: core (pure); owned by a swarm that has no torrent. Nothing is believed before it has
 * the info-hash, or proves itself against a file's root. */
#pragma once

#include "core/peer.h"
#include "wire/ut_metadata.h"

void getting_start(struct swarm *swarm); /* again: nothing */
void getting_stop(struct swarm *swarm);
uint64_t getting_tick(struct swarm *swarm);

/* What peers do. False: the peer has been closed. */
void getting_peer_ready(struct peer *peer); /* it has told what it speaks */
void getting_peer_left(struct peer *peer);
bool getting_info(struct peer *peer, const struct ut_metadata *msg); /* data, or a reject */
bool getting_hashes(struct peer *peer, const struct peer_hashes *answer);
void getting_rejected(struct peer *peer, const struct peer_hashes *request);

/* A connection from before the torrent was known (peer_early.c): what it said meanwhile is kept. */
bool peer_early_message(struct peer *peer, const struct peer_msg *msg);
void peer_early_over(struct peer *peer); /* the swarm is ready; may close */
