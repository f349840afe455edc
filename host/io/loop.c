/* io/loop: libuv's loop, timers and clocks. */
#include "io/loop.h"

#include "base/log.h"
#include "base/mem.h"

#include <signal.h>
#include <time.h>

enum err loop_init(struct loop *loop)
{
    int result;

    /* A peer that went away must be a result of write(), never the end of the process; nor may a
     * limit on file sizes. libuv writes to sockets without MSG_NOSIGNAL. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    result = uv_loop_init(&loop->uv);
    if (result != 0) {
        log_error("cannot make an event loop: %s", uv_strerror(result));
        return ERR_IO;
    }
    return ERR_OK;
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

static void close_forgotten(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (uv_is_closing(handle))
        return;
    /* Our own bug. Its memory is the owner's, so it is only kept from blocking the end. */
    log_error("a %s handle was left open at the end of the loop",
              uv_handle_type_name(handle->type));
    uv_close(handle, NULL);
}

void loop_done(struct loop *loop)
{
    int result;

    uv_walk(&loop->uv, close_forgotten, NULL);
    /* Ends when the close callbacks have run and the workers have handed back their jobs. A
     * loop_stop that came after the last run would end the first one early. */
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
        continue;
    result = uv_loop_close(&loop->uv);
    if (result != 0)
        log_error("the event loop did not close: %s", uv_strerror(result));
}

uint64_t loop_now_ms(struct loop *loop)
{
    (void)loop;
    return uv_hrtime() / 1000000;
}

uint64_t loop_wall_s(void)
{
    time_t now = time(NULL);

    return now < 0 ? 0 : (uint64_t)now;
}

/* --- timers */

struct loop_timer {
    uv_timer_t uv;
    void (*fire)(void *user);
    void *user;
};

static void timer_fired(uv_timer_t *uv)
{
    struct loop_timer *timer = uv->data;

    timer->fire(timer->user);
}

static void timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*fire)(void *user), void *user)
{
    struct loop_timer *timer = mem_zalloc(sizeof *timer);

    timer->fire = fire;
    timer->user = user;
    uv_timer_init(&loop->uv, &timer->uv); /* cannot fail */
    timer->uv.data = timer;
    return timer;
}

void loop_timer_set(struct loop_timer *timer, uint64_t delay_ms)
{
    /* libuv counts from the start of the turn: after a long callback a timer would fire early. */
    uv_update_time(timer->uv.loop);
    uv_timer_start(&timer->uv, timer_fired, delay_ms, 0);
}

void loop_timer_stop(struct loop_timer *timer)
{
    uv_timer_stop(&timer->uv);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer != NULL)
        uv_close((uv_handle_t *)&timer->uv, timer_closed);
}
