/* What a page and the gateway may ask: paths that mean another file than they say, tokens,
 * ranges, HEAD, and files of every awkward length, from the origin and from a peer. */
#include "sim_test.h"

static struct scene scene_of_lengths(uint64_t seed)
{
    struct scene scene = scene_new(seed);
    static const uint64_t lengths[] = {0,     1,     16383, 16384,  16385,  32768,
                                       65535, 65536, 65537, 131072, 147456, 163841};
    char name[40];

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        snprintf(name, sizeof name, "f%llu.bin", (unsigned long long)lengths[i]);
        publisher_add(scene.site, 0, name, lengths[i], 1000 + i);
    }
    publisher_add(scene.site, 0, "twin1.bin", 100000, 5);
    publisher_add(scene.site, 0, "twin2.bin", 100000, 5);
    publisher_add(scene.site, 0, "sub/twin3.bin", 100000, 5);
    publisher_add(scene.site, 0, "with space.txt", 30, 6);
    publisher_add(scene.site, 0, "\xc3\xa4.txt", 30, 7);
    publisher_add(scene.site, 0, "a%2fb.txt", 30, 8);
    publisher_publish(scene.site);
    return scene;
}

START_TEST(test_paths_that_lie)
{
    static const char *const paths[] = {
        "/static/../static/f1.bin",
        "/static/./f1.bin",
        "/static/%2e%2e/f1.bin",
        "/static/%2E/f1.bin",
        "/static/.%2e/f1.bin",
        "//static/f1.bin",
        "//evil.example/static/f1.bin",
        "/static//f1.bin",
        "/static\\f1.bin",
        "/static/%5cf1.bin",
        "/static%2ff1.bin",
        "/static/sub%2ftwin3.bin",
        "/static/f1.bin?x=1",
        "/static/f1.bin#x",
        "/static/f1.bin%00",
        "/static/f1.bin%",
        "/static/f1.bin%zz",
        "/static/",
        "/static",
        "/",
        "/other/f1.bin",
        "/static/nothing.bin",
        "/static/F1.bin",
        "/static/f1.bin/",
        "/staticf1.bin",
        "/static/sub",
        "/static/f1.bin ",
        "/.well-known/fringe/release.json",
    };
    struct scene scene = scene_of_lengths(300);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct fetch *good = scene_load(visitor, "/static/f1.bin");

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        uint64_t sent = scene_origin_bytes(&scene);
        struct fetch *fetch = scene_fetch(visitor, paths[i]);
        ck_assert_msg(fetch->state == FETCH_ORIGIN && strcmp(fetch->reason, "not-listed") == 0,
                      "%s: %s %s", paths[i], fetch_state_name(fetch->state), fetch->reason);
        fetch = fetch_stream(visitor, good->token, 1, paths[i], NULL, false);
        fetch_wait(fetch, 1000);
        ck_assert_msg(fetch->state == FETCH_FAILED &&
                          (fetch->status == 404 || fetch->status == 400),
                      "%s: %s %d", paths[i], fetch_state_name(fetch->state), fetch->status);
        ck_assert_uint_eq(scene_origin_bytes(&scene), sent);
    }
    scene_free(&scene);
}
END_TEST

START_TEST(test_encoded_paths)
{
    struct scene scene = scene_of_lengths(301);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    ck_assert_uint_eq(scene_load(visitor, "/static/with%20space.txt")->length, 30);
    ck_assert_uint_eq(scene_load(visitor, "/static/%C3%A4.txt")->length, 30);
    ck_assert_uint_eq(scene_load(visitor, "/static/%c3%a4.txt")->length, 30);
    ck_assert_uint_eq(scene_load(visitor, "/static/a%252fb.txt")->length, 30);
    ck_assert_uint_eq(scene_load(visitor, "/static/f%31.bin")->length, 1);
    scene_free(&scene);
}
END_TEST

START_TEST(test_tokens)
{
    struct scene scene = scene_of_lengths(302);
    struct publisher *other = publisher_new(scene.world, "https://other.example", NULL);
    publisher_add(other, 0, "f1.bin", 777, 9);
    publisher_add(other, 0, "secret.bin", 888, 10);
    publisher_publish(other);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct fetch *mine = scene_load(visitor, "/static/f65537.bin");
    struct fetch *theirs =
        fetch_begin(visitor, "https://other.example", 1, "/static/secret.bin", "doc2");
    fetch_wait(theirs, 5000);

    ck_assert_str_ne(mine->token, theirs->token);
    static const char *const wrong[] = {"", "0", "00000000000000000000000000000000",
                                        "ffffffffffffffffffffffffffffffff"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct fetch *fetch = fetch_stream(visitor, wrong[i], 1, "/static/f65537.bin", NULL, false);
        fetch_wait(fetch, 1000);
        ck_assert_int_eq(fetch->state, FETCH_FAILED);
        ck_assert_int_eq(fetch->status, 403);
    }
    /* With the token of one site nothing of another. */
    struct fetch *fetch = fetch_stream(visitor, mine->token, 1, "/static/secret.bin", NULL, false);
    fetch_wait(fetch, 1000);
    ck_assert_int_eq(fetch->status, 404);
    fetch = fetch_stream(visitor, theirs->token, 1, "/static/f1.bin", NULL, false);
    fetch_wait(fetch, 5000);
    ck_assert_int_eq(fetch->status, 200);
    ck_assert_uint_eq(fetch->length, 777);
    /* A release that is not there. */
    fetch = fetch_stream(visitor, mine->token, 2, "/static/f1.bin", NULL, false);
    fetch_wait(fetch, 5000);
    ck_assert_int_eq(fetch->state, FETCH_FAILED);
    ck_assert_int_eq(fetch->status, 404);
    scene_free(&scene);
}
END_TEST

static struct fetch *ranged(struct visitor *visitor, const char *path, const char *range,
                            bool head_only)
{
    struct fetch *fetch = fetch_begin_range(visitor, SITE, 1, path, "doc", range, head_only);
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    return fetch;
}

/* What a body must be is checked by the world, from the same header. */
static void check_ranges(struct visitor *visitor)
{
    static const char *const whole[] = {"bytes=5-2", "bytes=",        "bytes=abc", "bytes 0-1",
                                        "items=0-1", "bytes=0-1,5-9", "bytes=--5", ""};
    static const char *const part[] = {
        "bytes=0-0",         "bytes=0-",          "bytes=-1",      "bytes=65536-",
        "bytes=65535-65536", "bytes=16384-32767", "bytes=163840-", "bytes=100-99999999999",
        "bytes=-999999"};
    static const char *const none[] = {"bytes=163841-", "bytes=99999999999-", "bytes=-0"};

    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        ck_assert_int_eq(ranged(visitor, "/static/f163841.bin", whole[i], false)->status, 200);
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
        ck_assert_int_eq(ranged(visitor, "/static/f163841.bin", part[i], false)->status, 206);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        ck_assert_int_eq(ranged(visitor, "/static/f163841.bin", none[i], false)->status, 416);
    ck_assert_int_eq(ranged(visitor, "/static/f0.bin", "bytes=0-0", false)->status, 416);
    ck_assert_int_eq(ranged(visitor, "/static/f1.bin", "bytes=0-0", false)->status, 206);
}

START_TEST(test_ranges)
{
    struct scene scene = scene_of_lengths(303);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    check_ranges(visitor);
    check_ranges(visitor); /* from the store */
    scene_free(&scene);
}
END_TEST

START_TEST(test_seeking_asks_for_what_is_needed_first)
{
    struct scene scene = scene_new(304);
    publisher_add(scene.site, 0, "movie.bin", MIB(16), 1);
    publisher_add(scene.site, 0, "other.bin", 10, 2);
    publisher_publish(scene.site);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene.world, 1000);
    struct fetch *fetch = fetch_begin_range(visitor, SITE, 1, "/static/movie.bin", "doc",
                                            "bytes=12000000-12100000", false);
    fetch_wait(fetch, 20000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_le(scene_ms(fetch), 1000); /* the whole takes 8.4 s */
    /* The player begins, and then its user jumps. */
    struct fetch *left = fetch_begin(visitor, SITE, 1, "/static/movie.bin", "doc");
    world_run(scene.world, 500);
    fetch_leave(left);
    fetch = fetch_begin_range(visitor, SITE, 1, "/static/movie.bin", "doc",
                              "bytes=15000000-15010000", false);
    fetch_wait(fetch, 20000);
    ck_assert_uint_le(scene_ms(fetch), 1000);
    /* Two readers at once. */
    fetch_begin(visitor, SITE, 1, "/static/movie.bin", "doc");
    world_run(scene.world, 500);
    fetch_begin_range(visitor, SITE, 1, "/static/movie.bin", "doc", "bytes=9000000-", false);
    ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 20000));
    ck_assert_uint_eq(disk_bytes(visitor->disk), MIB(16));
    /* A request given up has up to a window of bytes on their way. */
    ck_assert_uint_le(scene_origin_bytes(&scene), MIB(16) + 4 * LINK_WINDOW);
    scene_free(&scene);
}
END_TEST

START_TEST(test_head)
{
    struct scene scene = scene_of_lengths(305);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    struct fetch *fetch = ranged(visitor, "/static/f163841.bin", NULL, true);
    ck_assert_int_eq(fetch->status, 200);
    ck_assert_uint_eq(fetch->length, 163841);
    ck_assert_int_eq(ranged(visitor, "/static/f163841.bin", "bytes=5-9", true)->status, 206);
    ck_assert_int_eq(ranged(visitor, "/static/f163841.bin", "bytes=163841-", true)->status, 416);
    ck_assert_int_eq(ranged(visitor, "/static/f0.bin", NULL, true)->status, 200);
    scene_free(&scene);
}
END_TEST

static void load_lengths(struct scene *scene, struct visitor *visitor)
{
    const struct publisher_bundle *bundle = &scene->site->bundles[0];
    char path[100];

    for (size_t i = 0; i < bundle->count; i++) {
        if (bundle->files[i].path[0] != 'f')
            continue;
        snprintf(path, sizeof path, "/static/%s", bundle->files[i].path);
        struct fetch *fetch = scene_load(visitor, path);
        ck_assert_uint_eq(fetch->end - fetch->first, bundle->files[i].length);
    }
}

START_TEST(test_awkward_lengths)
{
    struct scene scene = scene_of_lengths(306);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);

    load_lengths(&scene, first);
    uint64_t bytes = disk_bytes(first->disk);
    ck_assert_uint_eq(scene_origin_bytes(&scene), bytes);
    visitor_site_open(second, SITE, 1, "doc");
    world_run(scene.world, 1000);
    load_lengths(&scene, second);
    ck_assert_uint_eq(disk_bytes(second->disk), bytes);
    ck_assert_uint_ge(scene_count(second, "doc", "page.peers") * 100, bytes * 95);
    scene_free(&scene);
}
END_TEST

START_TEST(test_equal_files_come_once)
{
    struct scene scene = scene_of_lengths(307);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);

    scene_load(first, "/static/twin1.bin");
    ck_assert_uint_le(scene_ms(scene_load(first, "/static/twin2.bin")), 5);
    ck_assert_uint_le(scene_ms(scene_load(first, "/static/sub/twin3.bin")), 5);
    ck_assert_uint_eq(scene_origin_bytes(&scene), 100000);
    /* All at once, from a peer. */
    fetch_begin(second, SITE, 1, "/static/twin3.bin", "doc");
    fetch_begin(second, SITE, 1, "/static/twin2.bin", "doc");
    fetch_begin(second, SITE, 1, "/static/twin1.bin", "doc");
    fetch_begin(second, SITE, 1, "/static/sub/twin3.bin", "doc");
    ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 10000));
    ck_assert_uint_eq(disk_bytes(second->disk), 100000);
    /* Three files for the page, one on the wire. */
    ck_assert_uint_eq(scene_count(second, "doc", "page.files"), 1);
    ck_assert_uint_eq(scene_count(second, "doc", "page.peers") +
                          scene_count(second, "doc", "page.origin"),
                      100000);
    ck_assert_uint_eq(
        scene_count(second, "", "total.peers") + scene_count(second, "", "total.origin"), 100000);
    ck_assert_uint_le(first->counts.block_bytes_sent, 100000 + 3 * 16384);
    scene_free(&scene);
}
END_TEST

/* From the origin, wanted at the same time. */
START_TEST(test_equal_files_come_once_from_the_origin)
{
    struct scene scene = scene_of_lengths(309);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    fetch_begin(visitor, SITE, 1, "/static/twin3.bin", "doc");
    fetch_begin(visitor, SITE, 1, "/static/twin2.bin", "doc");
    fetch_begin(visitor, SITE, 1, "/static/twin1.bin", "doc");
    ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 10000));
    ck_assert_uint_eq(disk_bytes(visitor->disk), 100000);
    ck_assert_uint_eq(scene_origin_bytes(&scene), 100000);
    scene_free(&scene);
}
END_TEST

START_TEST(test_two_bundles)
{
    struct scene scene = scene_new(308);
    publisher_add(scene.site, 0, "a.js", 70000, 1);
    publisher_add(scene.site, 0, "lib/b.js", 70000, 2);
    size_t deep = publisher_add_bundle(scene.site, "/static/lib/", KIB(16));
    size_t media = publisher_add_bundle(scene.site, "/media/", KIB(256));
    publisher_add(scene.site, deep, "c.js", 70001, 3);
    publisher_add(scene.site, deep, "d.js", 10, 4);
    publisher_add(scene.site, media, "e.bin", 1000000, 5);
    publisher_add(scene.site, media, "f.js", 70000, 1); /* as a.js, other pieces */
    publisher_publish(scene.site);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);
    static const char *const paths[] = {"/static/a.js", "/static/lib/c.js", "/static/lib/d.js",
                                        "/media/e.bin", "/media/f.js"};

    for (size_t v = 0; v < 2; v++)
        for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
            scene_load(v == 0 ? first : second, paths[i]);
    scene_free(&scene);
}
END_TEST

/* A browser reads a few files at a time: those behind them are not given up meanwhile. */
START_TEST(test_a_page_that_is_read_slowly)
{
    struct scene scene = scene_with_files(310);
    struct link slow = {.up = 16000, .down = 16000, .latency_us = 5000};
    struct visitor_config config = {
        .name = "v1", .link = slow, .zone = ZONE_SHARE, .knows = scene.site};
    struct visitor *visitor = visitor_new(scene.world, &config);
    struct fetch *behind = fetch_begin(visitor, SITE, 1, "/static/b.wasm", "doc");
    struct fetch *read = fetch_begin(visitor, SITE, 1, "/static/c.bin", "doc");

    world_run(scene.world, 2000);
    fetch_leave(behind); /* wanted, and not read for now */
    fetch_wait(read, 120000);
    ck_assert_int_eq(read->state, FETCH_DONE);
    ck_assert_uint_eq(disk_bytes(visitor->disk), 300000 + MIB(1));
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_thousand_files)
{
    struct scene scene = scene_new(309);
    char name[40];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "d%d/f%d.js", i % 10, i);
        publisher_add(scene.site, 0, name, 100 + (uint64_t)i * 7, (uint64_t)i);
    }
    publisher_publish(scene.site);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);
    for (int v = 0; v < 2; v++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(name, sizeof name, "/static/d%d/f%d.js", i % 10, i);
            fetch_begin(v == 0 ? first : second, SITE, 1, name, "doc");
        }
        ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 120000));
    }
    ck_assert_uint_eq(scene_count(first, "doc", "page.files"), 1000);
    ck_assert_uint_eq(disk_bytes(first->disk), scene_bundle_bytes(&scene, 0));
    ck_assert_uint_eq(disk_bytes(second->disk), scene_bundle_bytes(&scene, 0));
    ck_assert_uint_ge(scene_count(second, "doc", "page.peers") * 100,
                      scene_bundle_bytes(&scene, 0) * 95);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_requests",
          TESTS(test_paths_that_lie, test_encoded_paths, test_tokens, test_ranges,
                test_seeking_asks_for_what_is_needed_first, test_head, test_awkward_lengths,
                test_equal_files_come_once, test_equal_files_come_once_from_the_origin,
                test_two_bundles, test_a_page_that_is_read_slowly, test_a_thousand_files))
