/* Many small worlds with everything that can go wrong (chaos.h), one after the other from their
 * seeds. The world's invariants hold throughout; when the trouble is over, every file that
 * somebody wants comes in time, because one honest source lives: the origin, or a visitor that has
 * everything; and no honest visitor has been banned by another. SIM_SEED=n runs that seed alone,
 * SIM_RUNS=n so many from SIM_FROM on; with SIM_TIMES each tells that it begins. */
#include "caps.h"
#include "chaos.h"

#define RUNS       60
#define TROUBLE_MS 20000
#define FINISH_MS  60000 /* and four times what the bytes take on the slower of two links */
#define RETRIES    30
#define QUIET_MS   300000
#define QUIET_MAX  20000 /* steps of a visitor in that time: keep-alives and announces */

static uint64_t finish_ms(const struct chaos *chaos, const struct visitor *visitor)
{
    uint64_t rate = chaos->visitors[0]->host->link.up;

    if (visitor->host->link.down < rate)
        rate = visitor->host->link.down;
    return FINISH_MS + 4 * chaos->bytes * 1000 / rate;
}

/* What a page does: it asks, and goes to the origin itself when it must; here it asks again. */
static void load_at_last(struct chaos *chaos, struct visitor *visitor, size_t file, bool head_only)
{
    struct world *world = chaos->scene.world;
    uint64_t end_us = world->now_us + finish_ms(chaos, visitor) * 1000;
    char path[40];

    chaos_path(chaos, file, path, sizeof path);
    for (int i = 0; i < RETRIES; i++) {
        struct fetch *fetch =
            fetch_begin_range(visitor, SITE, chaos->scene.site->seq, path, "end", NULL, head_only);
        fetch_wait(fetch, finish_ms(chaos, visitor));
        if (fetch->state == FETCH_DONE)
            return;
        if (world->now_us > end_us)
            break;
        world_run(world, 3000);
    }
    world_fail(world, "%s does not get %s though all is well", visitor->host->name, path);
}

static void load_all(struct chaos *chaos, size_t files, bool head_only)
{
    for (size_t i = 0; i < chaos->visitor_count; i++)
        for (size_t f = 0; f < files && chaos_is_there(chaos, i); f++)
            load_at_last(chaos, chaos->visitors[i], f, head_only);
}

/* The first visitor gets it all, the others learn what there is; then the origin goes. */
static void leave_one_source(struct chaos *chaos)
{
    for (size_t f = 0; f < chaos->file_count; f++)
        load_at_last(chaos, chaos->visitors[0], f, false);
    load_all(chaos, 2, true); /* of each bundle one */
    server_set_down(chaos->scene.site->server, true);
}

static uint64_t count_steps(const struct chaos *chaos)
{
    uint64_t steps = 0;

    for (size_t i = 0; i < chaos->visitor_count; i++)
        steps += chaos_is_there(chaos, i) ? chaos->visitors[i]->counts.steps : 0;
    return steps;
}

static void check_bans(const struct chaos *chaos, size_t number)
{
    for (size_t i = 0; i < chaos->visitor_count; i++)
        if (chaos->visitors[i] != NULL &&
            caps_is_banned(chaos->visitors[number], chaos->visitors[i]->host))
            world_fail(chaos->scene.world, "v%zu has banned v%zu, which is honest", number, i);
}

static void check_end(struct chaos *chaos)
{
    uint64_t steps = count_steps(chaos);

    for (size_t i = 0; i < chaos->visitor_count; i++) {
        if (!chaos_is_there(chaos, i))
            continue;
        caps_recount(chaos->visitors[i]);
        check_bans(chaos, i);
    }
    world_run(chaos->scene.world, QUIET_MS);
    steps = count_steps(chaos) - steps;
    if (steps > QUIET_MAX * chaos->visitor_count)
        world_fail(chaos->scene.world, "no rest: %llu steps in five quiet minutes",
                   (unsigned long long)steps);
}

static uint64_t run(uint64_t seed)
{
    struct chaos chaos = chaos_new(seed);
    struct world *world = chaos.scene.world;
    uint64_t end_us = world_elapsed_us(world) + TROUBLE_MS * 1000;

    while (world_elapsed_us(world) < end_us) {
        trouble(&chaos);
        world_run(world, chaos_pick(&chaos, 400));
    }
    trouble_is_over(&chaos);
    /* Strangers to each other would have to wait for a tracker's next answer. */
    if (!chaos.strangers && chaos_chance(&chaos, 40))
        leave_one_source(&chaos);
    world_run(world, 15000);
    load_all(&chaos, chaos.file_count, false);
    check_end(&chaos);
    uint64_t hash = world->trace_hash;
    chaos_free(&chaos);
    return hash;
}

START_TEST(test_chaos)
{
    const char *runs = getenv("SIM_RUNS"), *first = getenv("SIM_FROM");
    uint64_t from = first != NULL ? strtoull(first, NULL, 10) : 1;
    uint64_t count = getenv("SIM_SEED") != NULL ? 1
                     : runs != NULL             ? strtoull(runs, NULL, 10)
                                                : RUNS;

    replay_limit_time();
    for (uint64_t seed = from; seed < from + count; seed++) {
        if (getenv("SIM_TIMES") != NULL)
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        run(seed);
    }
}
END_TEST

START_TEST(test_chaos_is_the_same_again)
{
    for (uint64_t seed = 1; seed <= 3; seed++)
        ck_assert_uint_eq(run(seed), run(seed));
}
END_TEST

TEST_MAIN("sim_random", TESTS(test_chaos, test_chaos_is_the_same_again))
