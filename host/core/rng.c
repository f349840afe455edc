#include "core/rng.h"

#include <sodium.h>
#include <string.h>

void rng_init(struct rng *rng, const uint8_t seed[32])
{
    memcpy(rng->key, seed, sizeof rng->key);
    rng->counter = 0;
}

void rng_bytes(struct rng *rng, void *out, size_t length)
{
    uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = {0};
    memcpy(nonce, &rng->counter, sizeof rng->counter);
    rng->counter++;
    crypto_stream_chacha20(out, length, nonce, rng->key);
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t value;
    rng_bytes(rng, &value, sizeof value);
    return value;
}

uint32_t rng_below(struct rng *rng, uint32_t limit)
{
    /* The bias of a 64-bit modulo is below 2^-32: of no matter for choosing a piece. */
    return (uint32_t)(rng_u64(rng) % limit);
}
