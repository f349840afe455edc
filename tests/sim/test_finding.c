/* How visitors find each other: whom they dial and how often, when they part. */
#include "sim_test.h"

/* --- dialling */

START_TEST(test_two_that_have_everything_part)
{
    struct scene scene = scene_with_files(700);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, first);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);
    scene_load_all(&scene, second);
    world_run(scene.world, 5000);
    ck_assert_uint_eq(HASH_COUNT(first->sockets), 0);
    ck_assert_uint_eq(HASH_COUNT(second->sockets), 0);
    /* And they do not try again and again. */
    world_run(scene.world, 600000);
    ck_assert_uint_le(second->counts.dials, 2);
    scene_free(&scene);
}
END_TEST

/* Nobody can dial it, so it dials who wants something. */
START_TEST(test_who_has_everything_behind_nat_gives_it)
{
    struct scene scene = scene_with_files(701);
    struct visitor_config config = {.name = "v2", .link = LINK_HOME, .zone = ZONE_SHARE};
    struct visitor *wanting = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load(wanting, "/static/a.js");
    config.link.nat = true;
    config.peers[0] = wanting->host;
    struct visitor *hidden = visitor_new(scene.world, &config);
    wanting->host->island = 1; /* it gets everything before it meets the other */
    scene_load_all(&scene, hidden);
    world_run(scene.world, 20000);
    wanting->host->island = 0;
    world_run(scene.world, 30000);
    ck_assert_uint_eq(HASH_COUNT(wanting->sockets), 1);
    server_set_down(scene.site->server, true);
    scene_load(wanting, "/static/c.bin");
    ck_assert_uint_ge(hidden->counts.block_bytes_sent, MIB(1));
    scene_free(&scene);
}
END_TEST

START_TEST(test_who_fetches_only_and_has_everything_dials_nobody)
{
    struct scene scene = scene_with_files(702);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_FETCH, NULL);

    scene_load_all(&scene, second);
    visitor_kill(second);
    second->config.peers[0] = first->host;
    visitor_start(second);
    visitor_site_open(second, SITE, 1, "doc");
    world_run(scene.world, 600000);
    ck_assert_uint_eq(second->counts.dials, 0);
    scene_free(&scene);
}
END_TEST

/* The host's own address under another name, as a list of peers may have it. */
START_TEST(test_oneself_is_dialled_once)
{
    struct scene scene = scene_with_files(703);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct host self = *visitor->host;

    visitor_kill(visitor);
    visitor->config.peers[0] = &self;
    visitor_start(visitor);
    scene_load(visitor, "/static/b.wasm");
    world_run(scene.world, 600000);
    ck_assert_uint_eq(visitor->counts.dials, 1);
    ck_assert_uint_eq(HASH_COUNT(visitor->sockets), 0);
    scene_free(&scene);
}
END_TEST

/* A page waits and the only peer has been away for long: its return is soon noticed. */
START_TEST(test_a_waiting_page_dials_more_often)
{
    struct scene scene = scene_with_files(704);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, first);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);
    first->host->island = 1;
    scene_load(second, "/static/a.js");
    for (int i = 0; i < 10; i++) { /* the page is looked at now and then */
        world_run(scene.world, 200000);
        scene_load(second, "/static/a.js");
    }
    server_set_down(scene.site->server, true);
    first->host->island = 0;
    uint64_t back_us = world_elapsed_us(scene.world);
    while (scene_fetch(second, "/static/c.bin")->state != FETCH_DONE)
        ck_assert_uint_le(world_elapsed_us(scene.world) - back_us, 30000000);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_finding",
          TESTS(test_two_that_have_everything_part, test_who_has_everything_behind_nat_gives_it,
                test_who_fetches_only_and_has_everything_dials_nobody, test_oneself_is_dialled_once,
                test_a_waiting_page_dials_more_often))
