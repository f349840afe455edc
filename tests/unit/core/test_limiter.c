/* core/limiter: over any window no more than rate * t and a bucket full; nothing is saved up. */
#include "base/limits.h"
#include "check_main.h"
#include "core/limiter.h"

START_TEST(without_a_rate_everything_passes)
{
    struct limiter limiter;

    limiter_set(&limiter, 0, BLOCK_LENGTH, 1000);
    limiter_spend(&limiter, UINT64_C(1) << 40, 1000);
    ck_assert(limiter_allows(&limiter, UINT64_C(1) << 40, 1000));
    ck_assert_uint_eq(limiter_ready_ms(&limiter, UINT64_C(1) << 40, 1000), 1000);
}
END_TEST

START_TEST(it_begins_empty_and_fills)
{
    struct limiter limiter;

    limiter_set(&limiter, 1000000, BLOCK_LENGTH, 5000);
    ck_assert_uint_eq(limiter_capacity(&limiter), 40000);
    ck_assert(!limiter_allows(&limiter, 1, 5000));
    ck_assert(!limiter_allows(&limiter, 10001, 5010));
    ck_assert(limiter_allows(&limiter, 10000, 5010));
    ck_assert_uint_eq(limiter_ready_ms(&limiter, 16384, 5010), 5017);
    ck_assert(!limiter_allows(&limiter, 16384, 5016));
    ck_assert(limiter_allows(&limiter, 16384, 5017));
    /* An hour later it holds no more than it may. */
    limiter_allows(&limiter, 1, 5000 + 3600000);
    limiter_spend(&limiter, 40000, 5000 + 3600000);
    ck_assert(!limiter_allows(&limiter, 1, 5000 + 3600000));
}
END_TEST

START_TEST(a_slow_one_lets_a_whole_block_pass)
{
    struct limiter limiter;

    limiter_set(&limiter, 1000, BLOCK_LENGTH, 0);
    ck_assert_uint_eq(limiter_capacity(&limiter), BLOCK_LENGTH);
    ck_assert_uint_eq(limiter_ready_ms(&limiter, BLOCK_LENGTH, 0), 16384);
    ck_assert(limiter_allows(&limiter, BLOCK_LENGTH, 16384));
    /* More than it ever holds passes when it is full, and is owed. */
    ck_assert(limiter_allows(&limiter, BLOCK_LENGTH + 13, 16384));
    limiter_spend(&limiter, BLOCK_LENGTH + 13, 16384);
    ck_assert_uint_eq(limiter_ready_ms(&limiter, 0, 16384), 16384 + 13);
}
END_TEST

START_TEST(debts_are_paid_but_not_for_ever)
{
    struct limiter limiter;

    limiter_set(&limiter, 100000, 1024, 0);
    limiter_spend(&limiter, 50000, 0);
    ck_assert_uint_eq(limiter_ready_ms(&limiter, 0, 0), 500);
    limiter_spend(&limiter, 64 * UINT64_C(1000000), 0);
    ck_assert_uint_eq(limiter_ready_ms(&limiter, 0, 0), LIMITER_DEBT_MS);
    /* A clock that stands still, or jumps, gives nothing away. */
    ck_assert(!limiter_allows(&limiter, 0, 0));
    ck_assert(limiter_allows(&limiter, 4000, UINT64_MAX / 2));
    ck_assert(!limiter_allows(&limiter, 4000, 0) || limiter.at_ms == UINT64_MAX / 2);
}
END_TEST

/* Takes whole blocks whenever they are allowed; looks at the fullest window of one second. */
static uint64_t fullest_second(uint64_t rate, uint32_t step_ms, uint64_t *ret_total)
{
    static uint32_t passed[20000];
    struct limiter limiter;
    uint64_t total = 0, window = 0, fullest = 0;

    limiter_set(&limiter, rate, BLOCK_LENGTH, 0);
    for (uint32_t ms = 0; ms < 20000; ms++) {
        passed[ms] = 0;
        for (; ms % step_ms == 0 && limiter_allows(&limiter, BLOCK_LENGTH, ms);
             passed[ms] += BLOCK_LENGTH)
            limiter_spend(&limiter, BLOCK_LENGTH, ms);
        total += passed[ms];
        window += passed[ms];
        window -= ms >= 1000 ? passed[ms - 1000] : 0;
        fullest = window > fullest ? window : fullest;
    }
    *ret_total = total;
    return fullest;
}

START_TEST(no_window_is_over_the_rate)
{
    static const uint64_t rates[] = {8192, 50000, 100000, 500000, 1000000, 12500000};

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        for (uint32_t step = 1; step <= 5; step += 4) {
            uint64_t total, fullest = fullest_second(rates[i], step, &total);
            uint64_t slack = rates[i] / 25 > BLOCK_LENGTH ? rates[i] / 25 : BLOCK_LENGTH;
            ck_assert_uint_le(fullest, rates[i] + slack);
            /* Who looks late loses a little. */
            ck_assert_uint_ge(total + slack, rates[i] * 20 * (step == 1 ? 99 : 94) / 100);
            ck_assert_uint_le(total, rates[i] * 20);
        }
    }
}
END_TEST

START_TEST(the_meter_forgets)
{
    struct meter meter = {0};

    ck_assert_uint_eq(meter_rate(&meter, 0), 0);
    for (uint64_t ms = 0; ms < 10000; ms += 10)
        meter_count(&meter, 1000, ms);
    ck_assert_uint_eq(meter_rate(&meter, 10000), 100000);
    ck_assert_uint_eq(meter_rate(&meter, 12500), 50000);
    ck_assert_uint_eq(meter_rate(&meter, 14000), 0);
    meter_count(&meter, 4000, 90000000);
    ck_assert_uint_eq(meter_rate(&meter, 90000000), 0);
    ck_assert_uint_eq(meter_rate(&meter, 90001000), 1000);
}
END_TEST

TEST_MAIN("limiter", TESTS(without_a_rate_everything_passes, it_begins_empty_and_fills,
                           a_slow_one_lets_a_whole_block_pass, debts_are_paid_but_not_for_ever,
                           no_window_is_over_the_rate, the_meter_forgets))
