/* How much somebody has asked of us lately: a bucket that leaks at a steady rate, so that a burst
 * is allowed and a flood shows. Layer: core (pure). All zero is an empty one. */
#pragma once

#include <stdint.h>

struct flood {
    uint64_t level, at_ms; /* level in thousandths */
};

/* Adds `cost` and returns how full it is; `leak` runs out in a second. */
static inline uint64_t flood_add(struct flood *flood, uint64_t now_ms, uint64_t leak, uint64_t cost)
{
    uint64_t leaked = (now_ms - flood->at_ms) * leak;

    flood->level -= leaked < flood->level ? leaked : flood->level;
    flood->at_ms = now_ms;
    flood->level += cost * 1000;
    return flood->level / 1000;
}
