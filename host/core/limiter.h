/* A token bucket that does not burst, and a meter. Layer: core (pure); time is passed in.
 *
 * A bucket begins empty and never holds more than LIMITER_MS of its rate (or `least` bytes, where
 * that is more), so that over any window of t seconds no more than rate * t + that passes. Where
 * `least` is a block and the rate is low, that is more than 5 % of a short window (below 330 KB/s
 * of any second): a block cannot be sent in parts. It is paid for before it leaves, so the excess
 * is one block once, however long the window is. What has come without being asked is spent all the
 * same: the bucket is then in debt, and shut until it is paid. A debt is hardly ever longer than
 * LIMITER_DEBT_MS: one big thing must not stop all others for minutes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LIMITER_MS         40
#define LIMITER_DEBT_MS    2000
#define LIMITER_DEBT_LEAST 32768 /* bytes: two blocks, however slow it is */

struct limiter {
    uint64_t rate;  /* bytes a second; 0: no limit */
    uint64_t least; /* bytes that the bucket holds at any rate */
    uint64_t at_ms; /* when `level` was right */
    int64_t level;  /* thousandths of a byte */
};

/* A new rate: what was saved up, or owed, at the old one is forgotten. */
void limiter_set(struct limiter *limiter, uint64_t rate, uint64_t least, uint64_t now_ms);
uint64_t limiter_capacity(const struct limiter *limiter); /* bytes */
/* May so many bytes pass now? More than the bucket holds pass when it is full. */
bool limiter_allows(struct limiter *limiter, uint64_t bytes, uint64_t now_ms);
void limiter_spend(struct limiter *limiter, uint64_t bytes, uint64_t now_ms);
/* When so many bytes will be allowed, if nothing is spent before; not before now_ms. */
uint64_t limiter_ready_ms(struct limiter *limiter, uint64_t bytes, uint64_t now_ms);

/* Bytes a second over the last METER_SECONDS whole ones. */
#define METER_SECONDS 4

struct meter {
    uint64_t second; /* the last one counted in */
    uint64_t bytes[METER_SECONDS + 1];
};

void meter_count(struct meter *meter, uint64_t bytes, uint64_t now_ms);
uint64_t meter_rate(struct meter *meter, uint64_t now_ms);
