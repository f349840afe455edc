#include "core/limiter.h"

#include <string.h>

#define MILLI 1000

/* --- the bucket */

void limiter_set(struct limiter *limiter, uint64_t rate, uint64_t least, uint64_t now_ms)
{
    *limiter = (struct limiter){.rate = rate, .least = least, .at_ms = now_ms};
}

uint64_t limiter_capacity(const struct limiter *limiter)
{
    uint64_t bytes = limiter->rate * LIMITER_MS / 1000;
    return bytes > limiter->least ? bytes : limiter->least;
}

static void refill(struct limiter *limiter, uint64_t now_ms)
{
    int64_t full = (int64_t)(limiter_capacity(limiter) * MILLI);

    if (now_ms <= limiter->at_ms)
        return;
    uint64_t elapsed = now_ms - limiter->at_ms;
    limiter->at_ms = now_ms;
    /* Bytes a second are thousandths of a byte a millisecond. So long fills it from any debt. */
    if (elapsed >= 1000000 || limiter->level + (int64_t)(limiter->rate * elapsed) > full)
        limiter->level = full;
    else
        limiter->level += (int64_t)(limiter->rate * elapsed);
}

static int64_t needed(const struct limiter *limiter, uint64_t bytes)
{
    uint64_t capacity = limiter_capacity(limiter);
    return (int64_t)((bytes < capacity ? bytes : capacity) * MILLI);
}

bool limiter_allows(struct limiter *limiter, uint64_t bytes, uint64_t now_ms)
{
    if (limiter->rate == 0)
        return true;
    refill(limiter, now_ms);
    return limiter->level >= needed(limiter, bytes);
}

static int64_t deepest(const struct limiter *limiter)
{
    int64_t debt = (int64_t)(limiter->rate * LIMITER_DEBT_MS);
    int64_t least = (int64_t)LIMITER_DEBT_LEAST * MILLI;
    return -(debt > least ? debt : least);
}

void limiter_spend(struct limiter *limiter, uint64_t bytes, uint64_t now_ms)
{
    if (limiter->rate == 0)
        return;
    refill(limiter, now_ms);
    limiter->level -= (int64_t)(bytes * MILLI);
    if (limiter->level < deepest(limiter))
        limiter->level = deepest(limiter);
}

uint64_t limiter_ready_ms(struct limiter *limiter, uint64_t bytes, uint64_t now_ms)
{
    if (limiter_allows(limiter, bytes, now_ms))
        return now_ms;
    uint64_t missing = (uint64_t)(needed(limiter, bytes) - limiter->level);
    return now_ms + (missing + limiter->rate - 1) / limiter->rate;
}

/* --- the meter */

static void turn(struct meter *meter, uint64_t second)
{
    if (second > meter->second + METER_SECONDS)
        memset(meter->bytes, 0, sizeof meter->bytes);
    for (uint64_t i = meter->second + 1; i <= second && i <= meter->second + METER_SECONDS; i++)
        meter->bytes[i % (METER_SECONDS + 1)] = 0;
    if (second > meter->second)
        meter->second = second;
}

void meter_count(struct meter *meter, uint64_t bytes, uint64_t now_ms)
{
    turn(meter, now_ms / 1000);
    meter->bytes[meter->second % (METER_SECONDS + 1)] += bytes;
}

uint64_t meter_rate(struct meter *meter, uint64_t now_ms)
{
    uint64_t sum = 0;

    turn(meter, now_ms / 1000);
    for (uint64_t i = 1; i <= METER_SECONDS; i++) /* not the one under way */
        sum += meter->bytes[(meter->second + i) % (METER_SECONDS + 1)];
    return sum / METER_SECONDS;
}
