/* io/loop: timers, clocks and a clean end. */
#include "check_main.h"
#include "io/loop.h"

#include <string.h>

struct probe {
    struct loop loop;
    struct loop_timer *first, *second;
    char order[16];
    uint64_t fired_ms;
};

static void fire_first(void *user)
{
    struct probe *probe = user;

    strcat(probe->order, "1");
    probe->fired_ms = loop_now_ms(&probe->loop);
    loop_stop(&probe->loop);
}

static void fire_second(void *user)
{
    struct probe *probe = user;

    strcat(probe->order, "2");
    /* Setting again moves it; freeing itself inside its own call is fine. */
    if (strlen(probe->order) < 3)
        loop_timer_set(probe->second, 1);
    else
        loop_timer_free(probe->second);
}

START_TEST(timers_fire_in_order_and_move)
{
    struct probe probe = {.order = ""};
    uint64_t begin;

    ck_assert_int_eq(loop_init(&probe.loop), ERR_OK);
    probe.first = loop_timer_new(&probe.loop, fire_first, &probe);
    probe.second = loop_timer_new(&probe.loop, fire_second, &probe);
    begin = loop_now_ms(&probe.loop);
    loop_timer_set(probe.first, 1);
    loop_timer_set(probe.second, 0);
    loop_timer_set(probe.first, 40);
    loop_run(&probe.loop);
    ck_assert_str_eq(probe.order, "2221");
    ck_assert_uint_ge(probe.fired_ms - begin, 39);
    loop_timer_free(probe.first);
    loop_done(&probe.loop);
}
END_TEST

START_TEST(a_stopped_timer_does_not_fire)
{
    struct probe probe = {.order = ""};

    ck_assert_int_eq(loop_init(&probe.loop), ERR_OK);
    probe.first = loop_timer_new(&probe.loop, fire_first, &probe);
    loop_timer_set(probe.first, 1);
    loop_timer_stop(probe.first);
    loop_run(&probe.loop); /* nothing left to do */
    ck_assert_str_eq(probe.order, "");
    loop_timer_free(probe.first);
    loop_timer_free(NULL);
    loop_done(&probe.loop);
}
END_TEST

START_TEST(a_timer_counts_from_the_call_not_from_the_turn)
{
    struct probe probe = {.order = ""};
    uint64_t begin;

    ck_assert_int_eq(loop_init(&probe.loop), ERR_OK);
    probe.first = loop_timer_new(&probe.loop, fire_first, &probe);
    uv_sleep(50); /* the loop's own idea of now is this old */
    begin = loop_now_ms(&probe.loop);
    loop_timer_set(probe.first, 30);
    loop_run(&probe.loop);
    ck_assert_uint_ge(probe.fired_ms - begin, 29);
    loop_timer_free(probe.first);
    loop_done(&probe.loop);
}
END_TEST

static void never(uv_timer_t *timer)
{
    (void)timer;
    ck_abort();
}

START_TEST(the_end_waits_for_nothing_forgotten)
{
    struct loop loop;
    uv_timer_t forgotten;

    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    uv_timer_init(&loop.uv, &forgotten);
    uv_timer_start(&forgotten, never, 1000000, 0);
    loop_stop(&loop);
    loop_done(&loop); /* logs it; does not hang for 1,000 s */
    ck_assert_uint_gt(loop_wall_s(), 1600000000);
}
END_TEST

TEST_MAIN("loop", TESTS(timers_fire_in_order_and_move, a_stopped_timer_does_not_fire,
                        a_timer_counts_from_the_call_not_from_the_turn,
                        the_end_waits_for_nothing_forgotten))
