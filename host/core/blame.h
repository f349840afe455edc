/* Who sent wrong bytes (swarm_blame.c), and what becomes of it when no peer can prove that at once
 * (blame_cases.c). Layer: core (pure). */
#pragma once

#include "core/peer.h"

/* Of a bad piece: the hash of each block as it came, and the connection that it came from. */
struct blame_blocks {
    uint32_t piece, count;
    uint8_t *leaves;
    uint64_t *from;
};

/* Connected or gone. */
void blame_strike(struct swarm *swarm, uint64_t conn, unsigned points);

/* Nobody could say which blocks are wrong: takes the blocks, and waits for the piece to come right
 * from anywhere. Until then who gave some of them is asked for whole pieces only. */
void blame_cases_open(struct swarm *swarm, struct blame_blocks *blocks);
void blame_cases_piece_stored(struct swarm *swarm, uint32_t piece);
void blame_cases_leaves_loaded(void *owner, const struct event *event);
void blame_cases_done(struct swarm *swarm);
