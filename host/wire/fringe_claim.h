/* Our BEP 10 message `fringe_claim`: "I am fetching these pieces from the site, you need not"
 * (host/PROTOCOL.md 4.7). Layer: wire (pure).
 *
 * A claim is only a promise of a HAVE to come: whoever believes a false one loses the time until
 * it expires, which is why that time is capped. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "wire/peer_msg.h"

#include <stdbool.h>

/* Consecutive pieces of one file. */
struct fringe_extent {
    uint32_t first;
    uint16_t pieces; /* 1 .. LIMIT_CLAIM_PIECES */
    uint16_t ttl_ms; /* expires so long after it arrived; 0: the claim is withdrawn */
};

struct fringe_claim {
    uint8_t claimer[PEER_ID_LENGTH];
    uint32_t serial; /* rises with each message of one claimer */
    uint8_t hops;    /* 0: from the claimer itself */
    bool pass_on;    /* the claimer knows that not everybody hears it */
    size_t count;    /* 1 .. LIMIT_CLAIM_EXTENTS */
    struct fringe_extent extents[LIMIT_CLAIM_EXTENTS];
};

/* ERR_UNSUPPORTED: of a later version, to be ignored. Else ERR_TRUNCATED, ERR_RANGE or
 * ERR_TOO_LARGE. The caller knows how many pieces there are. */
enum err fringe_claim_decode(struct span payload, struct fringe_claim *ret);
void fringe_claim_encode(const struct fringe_claim *claim, struct buf *out);
/* Makes of a claim that arrived held_ms ago what is to be passed on: one hop more, what has
 * expired left out. False: nothing is to be passed on. Whether it was heard for the first time
 * is for the caller to know. */
bool fringe_claim_pass_on(struct fringe_claim *claim, uint32_t held_ms);
