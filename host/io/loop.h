/* The one libuv loop of a process, with timers and a clock. Layer: io.
 *
 * Every adapter takes the loop at birth and knows no other adapter; app wires them together.
 * Callbacks run on the loop's thread and never from inside the call that started them. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct loop {
    uv_loop_t uv;
};

enum err loop_init(struct loop *loop);
/* Runs until loop_stop, or until nothing is left to do. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Runs pending close callbacks; every handle must have been closed by its owner. */
void loop_done(struct loop *loop);
/* Monotonic milliseconds, as fresh as the moment of the call. */
uint64_t loop_now_ms(struct loop *loop);
/* Wall clock, seconds since 1970. */
uint64_t loop_wall_s(void);

/* One timer; setting it again moves it. Freed by loop_timer_free (closes asynchronously). */
struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *loop, void (*fire)(void *user), void *user);
void loop_timer_set(struct loop_timer *timer, uint64_t delay_ms); /* 0: next turn */
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);
