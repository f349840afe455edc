/* A peer that stalls in the middle of a page's file, while others who have the file are busy with
 * what comes later: how long the page waits for its next byte. */
#include "core/node.h"
#include "script.h"
#include "sim_test.h"

#include <check.h>

#define STEP_MS 10

struct gap {
    struct scene scene;
    uint64_t longest_ms; /* that the page waited for a byte, after its first */
};

static void begin(struct gap *gap, uint64_t seed, unsigned without)
{
    gap->scene = scene_new(seed);
    gap->scene.world->without = without;
    publisher_add(gap->scene.site, 0, "big.bin", MIB(4), 1);
    publisher_publish(gap->scene.site);
}

static struct host *staller(struct gap *gap, uint32_t blocks)
{
    return scene_script(&gap->scene, &(struct script_flags){.stall_after = blocks})->host;
}

static struct host *busy(struct gap *gap)
{
    struct link slow = {.up = 400000, .down = 400000, .latency_us = 20000};

    return script_new(gap->scene.world, "busy", &slow, script_torrent(gap->scene.site, 0),
                      &(struct script_flags){0})
        ->host;
}

static void read_page(struct gap *gap, struct host *first, struct host *second)
{
    struct visitor_config config = {.name = "v1",
                                    .link = LINK_FAST,
                                    .zone = ZONE_SHARE,
                                    .knows = gap->scene.site,
                                    .peers = {first, second}};
    struct visitor *visitor = visitor_new(gap->scene.world, &config);
    struct fetch *fetch = fetch_begin(visitor, SITE, 1, "/static/big.bin", "doc");
    uint64_t ready = 0, since_ms = 0, now_ms = 0;

    for (gap->longest_ms = 0; !fetch_is_over(fetch) && now_ms < 60000; now_ms += STEP_MS) {
        world_run(gap->scene.world, STEP_MS);
        if (fetch->ready != ready)
            since_ms = now_ms;
        if (ready > 0 && now_ms - since_ms > gap->longest_ms)
            gap->longest_ms = now_ms - since_ms;
        ready = fetch->ready;
    }
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    if (getenv("SIM_TIMES") != NULL)
        fprintf(stderr, "longest wait %llu ms\n", (unsigned long long)gap->longest_ms);
}

static uint64_t longest_wait_ms(uint64_t seed, unsigned without, uint32_t blocks)
{
    struct gap gap;

    begin(&gap, seed, without);
    server_set_down(gap.scene.site->server, true);
    read_page(&gap, staller(&gap, blocks), busy(&gap));
    scene_free(&gap.scene);
    return gap.longest_ms;
}

/* Others are asked for as much as they give in seconds: without asking twice the page waits for all
 * of that, and for the stuck piece then. */
START_TEST(what_the_page_waits_for_is_asked_twice)
{
    static const uint32_t blocks[] = {9, 14, 23, 37};

    for (unsigned i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        uint64_t wait_ms = longest_wait_ms(700 + i, 0, blocks[i]);
        uint64_t without_ms = longest_wait_ms(700 + i, PART_HURRY, blocks[i]);
        ck_assert_uint_ge(without_ms, 7500);
        ck_assert_uint_le(wait_ms, 5200);
    }
}
END_TEST

/* How long to wait for peers before the site is asked comes from what they have needed. */
START_TEST(the_site_is_asked_soon_where_peers_are_quick)
{
    struct gap gap;

    begin(&gap, 710, 0);
    read_page(&gap, staller(&gap, 40), NULL);
    ck_assert_uint_ge(gap.longest_ms, 150);
    ck_assert_uint_le(gap.longest_ms, 250);
    scene_free(&gap.scene);
}
END_TEST

TEST_MAIN("sim_hurry", TESTS(what_the_page_waits_for_is_asked_twice,
                             the_site_is_asked_soon_where_peers_are_quick))
