/* What outlives a kill -9: the site, its key and choice, the torrents, every verified piece. And a
 * disk that fails. */
#include "sim_test.h"

static void restart(struct visitor *visitor)
{
    visitor_kill(visitor);
    world_run(visitor->world, 2000);
    visitor_start(visitor);
}

START_TEST(test_the_store_is_served_after_a_restart)
{
    struct scene scene = scene_with_files(400);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, visitor);
    restart(visitor);
    scene_load_all(&scene, visitor);
    ck_assert_uint_eq(scene_origin_bytes(&scene), scene_bundle_bytes(&scene, 0));
    ck_assert_uint_eq(scene_count(visitor, "doc", "page.cache"), scene_bundle_bytes(&scene, 0));
    scene_free(&scene);
}
END_TEST

START_TEST(test_the_store_is_served_without_the_origin)
{
    struct scene scene = scene_with_files(401);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, visitor);
    visitor_kill(visitor);
    server_set_down(scene.site->server, true);
    visitor_start(visitor);
    uint64_t since_us = world_elapsed_us(scene.world);
    scene_load_all(&scene, visitor);
    ck_assert_uint_le(world_elapsed_us(scene.world) - since_us, 50000);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_restarted_visitor_seeds_at_once)
{
    struct scene scene = scene_with_files(402);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_OFF, NULL);

    visitor_set_zone(first, SITE, ZONE_SHARE);
    scene_load_all(&scene, first);
    restart(first); /* no page asks it for anything */
    world_run(scene.world, 1000);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);
    visitor_site_open(second, SITE, 1, "doc");
    world_run(scene.world, 1000);
    scene_load_all(&scene, second);
    ck_assert_uint_ge(scene_count(second, "doc", "page.peers") * 100,
                      scene_bundle_bytes(&scene, 0) * 95);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_choice_outlives_a_restart)
{
    struct scene scene = scene_with_files(403);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, visitor);
    visitor_set_zone(visitor, SITE, ZONE_OFF);
    restart(visitor);
    uint64_t gets = visitor->counts.gets;
    world_run(scene.world, 60000);
    struct fetch *fetch = scene_fetch(visitor, "/static/a.js");
    ck_assert_str_eq(fetch->reason, "zone-off");
    ck_assert_uint_eq(visitor->counts.gets, gets);

    visitor_set_zone(visitor, SITE, ZONE_FETCH);
    restart(visitor);
    struct ask *ask = visitor_site_status(visitor, SITE, "");
    ask_wait(visitor, ask, 1000);
    ck_assert_str_eq(ask_text(visitor, ask, "zone"), "fetch");
    scene_load_all(&scene, visitor);
    scene_free(&scene);
}
END_TEST

START_TEST(test_killed_in_the_middle)
{
    struct scene scene = scene_with_files(404);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    for (int i = 0; i < 5; i++) {
        fetch_begin(visitor, SITE, 1, "/static/c.bin", "doc");
        world_run(scene.world, 150 + (uint64_t)i * 37);
        restart(visitor);
    }
    uint64_t had = disk_bytes(visitor->disk), sent = scene_origin_bytes(&scene);
    ck_assert_uint_gt(had, 0);
    scene_load(visitor, "/static/c.bin");
    ck_assert_uint_le(scene_origin_bytes(&scene) - sent, MIB(1) - had + KIB(256));
    scene_free(&scene);
}
END_TEST

START_TEST(test_killed_in_the_middle_with_a_peer)
{
    struct scene scene = scene_with_files(405);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);

    scene_load_all(&scene, first);
    for (int i = 0; i < 4; i++) {
        fetch_begin(second, SITE, 1, "/static/c.bin", "doc");
        world_run(scene.world, 250 + (uint64_t)i * 41);
        if (i % 2 == 0)
            restart(second);
        else
            restart(first);
    }
    scene_load_all(&scene, second);
    ck_assert_uint_eq(disk_bytes(second->disk), scene_bundle_bytes(&scene, 0));
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_full_disk)
{
    static const enum err errors[] = {ERR_NO_SPACE, ERR_IO};

    for (size_t i = 0; i < 2; i++) {
        struct scene scene = scene_with_files(406);
        struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
        scene_load(visitor, "/static/a.js");
        visitor->disk->fail_with = errors[i];
        visitor->disk->fail_times = UINT32_MAX;
        struct fetch *fetch = scene_fetch(visitor, "/static/c.bin");
        ck_assert_int_eq(fetch->state, FETCH_FAILED);
        ck_assert_int_eq(fetch->status, 503);
        ck_assert_uint_le(scene_ms(fetch), 1000);
        /* It does not load over and over what it cannot keep. */
        uint64_t sent = scene_origin_bytes(&scene);
        world_run(scene.world, 120000);
        ck_assert_uint_le(scene_origin_bytes(&scene) - sent, 2 * MIB(1));
        ck_assert_int_eq(scene_fetch(visitor, "/static/a.js")->state, FETCH_DONE);
        visitor->disk->fail_times = 0;
        scene_load(visitor, "/static/c.bin");
        scene_free(&scene);
    }
}
END_TEST

START_TEST(test_a_disk_that_fails_once_with_a_peer)
{
    struct scene scene = scene_with_files(407);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);

    scene_load_all(&scene, first);
    second->disk->fail_with = ERR_IO;
    second->disk->fail_times = 3;
    fetch_begin(second, SITE, 1, "/static/c.bin", "doc");
    world_run_until(scene.world, fetches_are_over, scene.world, 60000);
    world_run(scene.world, 10000);
    /* The peer is not blamed for our disk. */
    scene_load_all(&scene, second);
    ck_assert_uint_ge(scene_count(second, "", "total.peers"), MIB(1) / 2);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_slow_disk)
{
    struct scene scene = scene_with_files(408);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);

    first->disk->delay_us = second->disk->delay_us = 30000;
    first->disk->jitter_us = second->disk->jitter_us = 60000; /* pieces overtake each other */
    scene_load_all(&scene, first);
    scene_load_all(&scene, second);
    ck_assert_uint_eq(disk_bytes(second->disk), scene_bundle_bytes(&scene, 0));
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_restart",
          TESTS(test_the_store_is_served_after_a_restart,
                test_the_store_is_served_without_the_origin, test_a_restarted_visitor_seeds_at_once,
                test_a_choice_outlives_a_restart, test_killed_in_the_middle,
                test_killed_in_the_middle_with_a_peer, test_a_full_disk,
                test_a_disk_that_fails_once_with_a_peer, test_a_slow_disk))
