/* What the tests of decoders share: inputs at their exact size on the heap, so that the sanitizer
 * sees a read past the end, and random damage. TEST_SEED=n repeats a run. */
#pragma once

#include "base/bytes.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint64_t mutate_seed(void)
{
    const char *env = getenv("TEST_SEED");
    uint64_t seed = env != NULL ? strtoull(env, NULL, 10) : (uint64_t)time(NULL) << 8 | 1;

    fprintf(stderr, "# TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static inline uint64_t mutate_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* An exact copy of data with one to four bytes changed, sometimes cut; mem_free it. */
static inline struct span mutate_copy(const void *data, size_t length, uint64_t *state)
{
    size_t kept = mutate_random(state) % 4 == 0 ? mutate_random(state) % (length + 1) : length;
    uint8_t *copy = mem_alloc(kept);

    if (kept > 0)
        memcpy(copy, data, kept);
    for (uint64_t n = mutate_random(state) % 4 + 1; kept > 0 && n > 0; n--)
        copy[mutate_random(state) % kept] = (uint8_t)mutate_random(state);
    return span_of(copy, kept);
}

static inline void mutate_free(struct span copy)
{
    mem_free((void *)(uintptr_t)copy.data);
}
