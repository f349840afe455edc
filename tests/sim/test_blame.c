/* Bad pieces that several gave blocks of, where nobody answers hash requests: who lied is found out
 * all the same, and nobody else is punished. Pieces have 64 blocks. */
#include "sim_test.h"

#define HASH_REQUEST 21
#define HONEST       2
#define LIARS        2

struct bench {
    struct scene scene;
    struct script *honest[HONEST], *liars[LIARS];
    struct visitor *visitor;
    bool breaks; /* the first liar's connection, when it has lied */
};

static bool say_nothing(struct script *script, struct script_conn *sc, uint8_t id, struct span body)
{
    (void)script;
    (void)sc;
    (void)body;
    return id == HASH_REQUEST;
}

static struct script *mute(struct scene *scene, const struct script_flags *flags)
{
    struct script *script = scene_script(scene, flags);

    script->hear = say_nothing;
    return script;
}

static void bench_begin(struct bench *bench, uint64_t seed, const struct script_flags *liar,
                        uint32_t liars)
{
    struct link fast = {.up = 8000000, .down = 8000000, .latency_us = 10000};
    struct visitor_config config = {.name = "v1", .link = fast, .zone = ZONE_SHARE};
    uint32_t peers = 0;

    memset(bench, 0, sizeof *bench);
    bench->scene = scene_new(seed);
    bench->scene.site->bundles[0].piece_length = MIB(1);
    publisher_add(bench->scene.site, 0, "a.js", 20000, 1);
    publisher_add(bench->scene.site, 0, "big.bin", MIB(6) + 21000, 2);
    publisher_publish(bench->scene.site);
    for (uint32_t i = 0; i < liars; i++)
        config.peers[peers++] = (bench->liars[i] = mute(&bench->scene, liar))->host;
    for (uint32_t i = 0; i < HONEST; i++)
        config.peers[peers++] =
            (bench->honest[i] = mute(&bench->scene, &(struct script_flags){0}))->host;
    /* The site is of no use. */
    server_get(bench->scene.site->server, "/static/big.bin")->fault.delay_ms = 600000;
    bench->visitor = visitor_new(bench->scene.world, &config);
}

static bool is_let_in(struct bench *bench, struct script *script)
{
    uint32_t opened = script->opened, closed = script->closed;

    if (opened > closed)
        return true;
    script_dial(script, bench->visitor->host);
    world_run(bench->scene.world, 500); /* a second, and two that have everything part */
    return script->opened == opened + 1 && script->closed == closed;
}

static uint32_t caught; /* liars, in all */

/* A lie may come too late to matter; one that mattered has a culprit. */
static void bench_check(struct bench *bench, uint32_t liars, const char *what)
{
    uint32_t banned = 0;

    visitor_site_open(bench->visitor, SITE, 1, "doc");
    world_run(bench->scene.world, 1000);
    struct fetch *fetch = fetch_begin(bench->visitor, SITE, 1, "/static/big.bin", "doc");
    if (bench->breaks) {
        world_run(bench->scene.world, 200);
        ck_assert_uint_eq(bench->liars[0]->blocks_served, 12);
        link_break(link_find(bench->scene.world, bench->liars[0]->conns->conn));
    }
    fetch_wait(fetch, 60000);
    ck_assert_msg(fetch->state == FETCH_DONE, "%s: %s", what, fetch_state_name(fetch->state));
    world_run(bench->scene.world, 500);
    for (uint32_t i = 0; i < HONEST; i++)
        ck_assert_msg(is_let_in(bench, bench->honest[i]), "%s: an honest one is banned", what);
    for (uint32_t i = 0; i < liars; i++)
        banned += !is_let_in(bench, bench->liars[i]);
    ck_assert_msg(banned > 0 || bench->visitor->disk->refused == 0, "%s: all go free", what);
    caught += banned;
    scene_free(&bench->scene);
}

/* Gives some blocks of a piece and leaves the rest to others; two do. */
START_TEST(test_liars_that_leave_the_rest_to_others)
{
    caught = 0;
    for (uint32_t blocks = 5; blocks <= 20; blocks += 5) {
        struct script_flags flags = {.flips = true, .stall_after = blocks};
        struct bench bench;

        bench_begin(&bench, 700 + blocks, &flags, 1);
        bench_check(&bench, 1, "one liar");
        bench_begin(&bench, 750 + blocks, &flags, 2);
        bench_check(&bench, 2, "two liars");
    }
    ck_assert_uint_ge(caught, 6);
}
END_TEST

START_TEST(test_a_liar_that_goes)
{
    caught = 0;
    struct script_flags flags = {.flips = true, .stall_after = 12};
    struct bench bench;

    bench_begin(&bench, 710, &flags, 1);
    bench.breaks = true;
    bench_check(&bench, 1, "gone");
    ck_assert_uint_eq(caught, 1);
}
END_TEST

/* The last block of a piece, which is short in the last piece of a file; and every other piece
 * only. */
START_TEST(test_liars_of_other_kinds)
{
    caught = 0;
    struct script_flags kinds[] = {{.flips_one = true, .flips_last = true},
                                   {.flips_one = true, .flips_block = 17},
                                   {.flips_one = true, .flips_block = 40, .flips_every = 2},
                                   {.flips_one = true, .flips_last = true, .flips_every = 2}};
    char what[16];

    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (unsigned seed = 0; seed < 3; seed++) {
            struct bench bench;

            snprintf(what, sizeof what, "kind %u", i);
            bench_begin(&bench, 720 + 10 * i + seed, &kinds[i], 1);
            bench_check(&bench, 1, what);
        }
    }
    ck_assert_uint_ge(caught, 9);
}
END_TEST

TEST_MAIN("sim_blame", TESTS(test_liars_that_leave_the_rest_to_others, test_a_liar_that_goes,
                             test_liars_of_other_kinds))
