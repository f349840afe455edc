/* Holds a visitor to its limits, with arithmetic of its own: over any window no more than the rate
 * times its length, and one bucket full; no more than the month's cap; nothing while paused,
 * over a metered network or on battery where the visitor wants that.
 *
 * The bound over all windows at once is a bucket that leaks at the rate and must not overflow. */
#pragma once

#include "core/event.h"
#include "wire/api.h"

struct world;
struct visitor;

struct gauge {
    uint64_t rate, slack; /* rate 0: no limit */
    double level;
    uint64_t at_us;
};

struct gauges {
    struct gauge up, down;
    uint64_t month_cap, month_bytes;
    bool unmetered_only, mains_only;
    uint64_t paused_until_us; /* 0: not paused */
};

/* The node begins, with what its disk remembers. */
void gauges_start(struct visitor *visitor);
/* A request that has been made and is in force now. */
void gauges_hear(struct visitor *visitor, const struct api_request *request);
void gauges_sent_block(struct visitor *visitor, uint64_t bytes);
void gauges_received(struct visitor *visitor, uint64_t bytes);
bool gauges_paused(const struct visitor *visitor);
