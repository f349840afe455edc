/* Seeded randomness: ChaCha20 keyed by the node's seed, so a run can be replayed and nobody
 * without the seed can guess a token. Layer: core (pure). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint8_t key[32];
    uint64_t counter;
};

void rng_init(struct rng *rng, const uint8_t seed[32]);
void rng_bytes(struct rng *rng, void *out, size_t length);
uint64_t rng_u64(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t limit); /* 0 .. limit-1; limit >= 1 */
