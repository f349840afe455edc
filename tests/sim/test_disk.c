/* A disk that is full, then freed; that fails in the middle of a file; that keeps nothing. */
#include "caps.h"
#include "core/swarm.h"
#include "sim_test.h"

static const char *cache_state(struct visitor *visitor)
{
    struct ask *ask = visitor_status(visitor);

    ask_wait(visitor, ask, 1000);
    return ask_text(visitor, ask, "cache.state");
}

static struct fetch *fetch_file(struct visitor *visitor, const char *path)
{
    struct fetch *fetch = fetch_begin(visitor, SITE, 1, path, "doc");

    fetch_wait(fetch, 60000);
    return fetch;
}

/* Room for a.js and b.wasm. Whoever has those serves them on, to pages and to others. */
static struct visitor *begin_full(struct scene *scene)
{
    struct visitor *visitor = scene_visitor(scene, "v1", ZONE_SHARE, NULL);

    visitor->disk->space = 400000;
    scene_load(visitor, "/static/a.js");
    scene_load(visitor, "/static/b.wasm");
    ck_assert_str_eq(cache_state(visitor), "ok");
    struct fetch *fetch = fetch_file(visitor, "/static/c.bin");
    ck_assert_int_eq(fetch->state, FETCH_FAILED);
    ck_assert_int_eq(fetch->status, 503);
    ck_assert_uint_le(scene_ms(fetch), 1000);
    ck_assert_str_eq(cache_state(visitor), "no-space");
    return visitor;
}

START_TEST(test_a_disk_that_is_full)
{
    struct scene scene = scene_with_files(800);
    struct visitor *visitor = begin_full(&scene);

    /* Nothing of it was written, and what was there still is. */
    ck_assert_uint_eq(disk_bytes(visitor->disk), 320000);
    uint64_t sent = scene_origin_bytes(&scene);
    scene_load(visitor, "/static/a.js");
    scene_load(visitor, "/static/b.wasm");
    ck_assert_uint_eq(scene_origin_bytes(&scene), sent);
    struct visitor *other = scene_visitor(&scene, "v2", ZONE_SHARE, visitor->host);
    scene_load(other, "/static/b.wasm");
    ck_assert_uint_ge(scene_count(other, "doc", "page.peers"), 200000);
    scene_free(&scene);
}
END_TEST

START_TEST(test_what_cannot_be_kept_does_not_come_twice)
{
    struct scene scene = scene_with_files(801);
    struct visitor *visitor = begin_full(&scene);
    uint64_t sent = scene_origin_bytes(&scene);

    for (int i = 0; i < 20; i++) { /* the page goes to the site itself */
        struct fetch *fetch = fetch_file(visitor, "/static/c.bin");
        ck_assert_int_eq(fetch->state, FETCH_ORIGIN);
        ck_assert_str_eq(fetch->reason, "cannot-store");
        world_run(scene.world, 100);
    }
    ck_assert_uint_eq(scene_origin_bytes(&scene), sent);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_disk_that_is_freed)
{
    struct scene scene = scene_with_files(802);
    struct visitor *visitor = begin_full(&scene);

    visitor->disk->space = 0;
    world_run(scene.world, 10000);
    scene_load(visitor, "/static/c.bin");
    ck_assert_str_eq(cache_state(visitor), "ok");
    ck_assert_uint_eq(disk_bytes(visitor->disk), scene_bundle_bytes(&scene, 0));
    visitor_kill(visitor);
    server_set_down(scene.site->server, true);
    visitor_start(visitor);
    scene_load_all(&scene, visitor);
    scene_free(&scene);
}
END_TEST

/* In the middle of a file that comes from a peer. */
static void check_errors(enum err error, uint64_t seed)
{
    struct scene scene = scene_with_files(seed);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);

    scene_load_all(&scene, first);
    fetch_begin(second, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 600);
    uint64_t had = disk_bytes(second->disk);
    ck_assert_uint_gt(had, 0);
    ck_assert_uint_lt(had, MIB(1));
    second->disk->fail_with = error;
    second->disk->fail_times = 5;
    ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 60000));
    ck_assert_uint_ge(disk_bytes(second->disk), had); /* nothing is lost */
    second->disk->fail_times = 0;
    world_run(scene.world, 10000);
    uint64_t sent = scene_origin_bytes(&scene);
    scene_load(second, "/static/c.bin");
    ck_assert_str_eq(cache_state(second), "ok");
    /* Nobody is to blame for our disk, and the rest comes from where the beginning came from. */
    ck_assert(!caps_is_banned(second, first->host));
    ck_assert_uint_eq(scene_origin_bytes(&scene), sent);
    scene_free(&scene);
}

START_TEST(test_write_errors_in_the_middle)
{
    check_errors(ERR_IO, 803);
    check_errors(ERR_NO_SPACE, 804);
}
END_TEST

/* Not even a site's release, a torrent or a choice can be written: it is as on the first day. */
START_TEST(test_a_disk_that_keeps_nothing)
{
    struct scene scene = scene_with_files(805);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    visitor->disk->saves_nothing = true;
    visitor->disk->fail_with = ERR_NO_SPACE;
    visitor->disk->fail_times = UINT32_MAX;
    visitor_set(visitor, SETTING_UPLOAD_RATE, 100000);
    fetch_file(visitor, "/static/a.js");
    world_run(scene.world, 60000);
    visitor_kill(visitor);
    visitor_start(visitor);
    struct ask *ask = visitor_status(visitor);
    ask_wait(visitor, ask, 1000);
    ck_assert_uint_eq(ask_number(visitor, ask, "sites"), 0);
    visitor->disk->saves_nothing = false;
    visitor->disk->fail_times = 0;
    scene_load_all(&scene, visitor);
    scene_free(&scene);
}
END_TEST

/* Far slower than what comes: from a peer on the same network, or from the site. What waits for the
 * disk is bounded, and who gives is not blamed for our being slow. */
static void check_slow(bool with_peer, uint64_t seed)
{
    struct scene scene = scene_new(seed);
    struct visitor_config config = {.link = LINK_FAST, .zone = ZONE_SHARE};

    publisher_add(scene.site, 0, "big.bin", MIB(40), 1);
    publisher_publish(scene.site);
    config.name = "v1";
    struct visitor *first = visitor_new(scene.world, &config);
    if (with_peer)
        scene_load(first, "/static/big.bin");
    config.name = "v2";
    config.peers[0] = first->host;
    struct visitor *second = visitor_new(scene.world, &config);
    second->disk->rate = MIB(2);
    visitor_site_open(second, SITE, 1, "doc");
    world_run(scene.world, 1000);
    struct fetch *fetch = scene_load(second, "/static/big.bin");
    ck_assert_uint_le(scene_ms(fetch), 30000);
    ck_assert_uint_ge(second->counts.max_storing, MIB(4)); /* it did wait */
    ck_assert_uint_le(second->counts.max_storing, STORING_MAX + MIB(16));
    ck_assert(!caps_is_banned(second, first->host));
    scene_free(&scene);
}

START_TEST(test_a_disk_slower_than_the_network)
{
    check_slow(true, 806);
    check_slow(false, 807);
}
END_TEST

TEST_MAIN("sim_disk", TESTS(test_a_disk_that_is_full, test_what_cannot_be_kept_does_not_come_twice,
                            test_a_disk_that_is_freed, test_write_errors_in_the_middle,
                            test_a_disk_that_keeps_nothing, test_a_disk_slower_than_the_network))
