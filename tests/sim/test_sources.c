/* Where bytes come from when something is slow, wrong or gone: trackers, bad peers, slow peers,
 * origins that die. Whatever happens, the page gets the right bytes or is told soon that it must
 * go to the origin itself. */
#include "core/swarm.h"
#include "sim_test.h"

/* --- trackers */

static struct scene scene_with_tracker(uint64_t seed, struct sim_tracker **ret)
{
    struct scene scene = scene_new(seed);

    *ret = sim_tracker_new(scene.world, "https://tracker.example");
    scene.site->trackers[scene.site->tracker_count++] =
        mem_strdup("https://tracker.example/announce");
    publisher_add(scene.site, 0, "a.js", 20000, 1);
    publisher_add(scene.site, 0, "c.bin", MIB(1), 3);
    publisher_publish(scene.site);
    return scene;
}

static void tracker_scene_free(struct scene *scene, struct sim_tracker *tracker)
{
    scene_free(scene);
    sim_tracker_free(tracker);
}

START_TEST(test_peers_are_found_through_a_tracker)
{
    struct sim_tracker *tracker;
    struct scene scene = scene_with_tracker(1, &tracker);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, NULL);

    scene_load_all(&scene, first);
    ck_assert_uint_ge(tracker->count, 1);
    /* The page opens, then asks. */
    visitor_site_open(second, SITE, 1, "doc");
    world_run(scene.world, 1000);
    scene_load_all(&scene, second);
    ck_assert_uint_ge(scene_count(second, "doc", "page.peers") * 100,
                      scene_bundle_bytes(&scene, 0) * 95);
    ck_assert_uint_eq(tracker->count, 2);
    tracker_scene_free(&scene, tracker);
}
END_TEST

START_TEST(test_a_tracker_that_talks_rubbish_does_no_harm)
{
    static const char *const rubbish[] = {"",
                                          "<html>404</html>",
                                          "d8:intervali99999999999999999999e5:peers6:abcdefe",
                                          "d5:peers7:abcdefge",
                                          "d14:failure reason6:go off e",
                                          "d5:peersli1ei2ee",
                                          "d8:intervali-5e5:peers0:e"};

    for (size_t i = 0; i < sizeof rubbish / sizeof rubbish[0]; i++) {
        struct sim_tracker *tracker;
        struct scene scene = scene_with_tracker(10 + i, &tracker);
        tracker->garbage = rubbish[i];
        struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
        scene_load_all(&scene, visitor);
        world_run(scene.world, 600000);
        /* A tracker that fails is not asked again and again: ten minutes. */
        ck_assert_uint_le(tracker->announces, 30);
        tracker_scene_free(&scene, tracker);
    }
}
END_TEST

START_TEST(test_no_private_address_from_a_tracker_is_dialled)
{
    static const char *const bad[] = {"127.0.0.1:80",    "10.1.2.3:6881",   "192.168.1.1:80",
                                      "172.16.0.1:6881", "169.254.1.1:80",  "224.0.0.1:6881",
                                      "0.0.0.0:6881",    "100.64.0.1:6881", "255.255.255.255:1"};
    struct sim_tracker *tracker;
    struct scene scene = scene_with_tracker(20, &tracker);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct address address;
        ck_assert_int_eq(address_parse(bad[i], &address), ERR_OK);
        sim_tracker_add(tracker, scene.site->bundles[0].infohash, &address);
    }
    scene_load_all(&scene, visitor);
    world_run(scene.world, 60000);
    ck_assert_uint_ge(tracker->announces, 1);
    ck_assert_uint_eq(visitor->counts.dials, 0);
    tracker_scene_free(&scene, tracker);
}
END_TEST

START_TEST(test_a_dead_tracker_does_not_hold_the_page_up)
{
    struct sim_tracker *tracker;
    struct scene scene = scene_with_tracker(21, &tracker);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    tracker->server->host->island = 1; /* no answer at all */
    struct fetch *fetch = scene_load(visitor, "/static/c.bin");
    ck_assert_uint_le(scene_ms(fetch), 1500);
    tracker_scene_free(&scene, tracker);
}
END_TEST

/* --- peers that lie */

static void check_liar(struct script_flags flags, uint64_t seed)
{
    struct scene scene = scene_with_files(seed);
    struct script *liar = scene_script(&scene, &flags);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, liar->host);

    scene_load_all(&scene, visitor);
    ck_assert_uint_ge(liar->blocks_served, 1);
    ck_assert_uint_ge(visitor->disk->refused, 1);
    ck_assert_uint_eq(HASH_COUNT(visitor->sockets), 0);
    ck_assert_uint_eq(liar->opened, 1);
    /* What counts as from peers is what verified. */
    ck_assert_uint_eq(scene_count(visitor, "doc", "page.peers") +
                          scene_count(visitor, "doc", "page.origin"),
                      scene_bundle_bytes(&scene, 0));
    /* It is not asked again soon. */
    world_run(scene.world, 120000);
    ck_assert_uint_eq(liar->opened, 1);
    /* Nor let in. */
    script_dial(liar, visitor->host);
    world_run(scene.world, 20000);
    ck_assert_uint_eq(HASH_COUNT(visitor->sockets), 0);
    ck_assert_uint_eq(disk_bytes(visitor->disk), scene_bundle_bytes(&scene, 0));
    scene_free(&scene);
}

START_TEST(test_a_flipped_byte_is_caught)
{
    check_liar((struct script_flags){.flips = true}, 30);
    check_liar((struct script_flags){.flips_one = true}, 31);
}
END_TEST

START_TEST(test_an_honest_peer_is_not_blamed_for_a_liar)
{
    struct scene scene = scene_with_files(32);
    struct visitor *honest = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct script *liar = scene_script(&scene, &(struct script_flags){.flips = true});

    scene_load_all(&scene, honest);
    struct visitor_config config = {
        .name = "v2", .link = LINK_HOME, .zone = ZONE_SHARE, .peers = {liar->host, honest->host}};
    struct visitor *visitor = visitor_new(scene.world, &config);
    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene.world, 500);
    scene_load_all(&scene, visitor);
    world_run(scene.world, 500); /* soon they part: both have everything */
    ck_assert_uint_eq(HASH_COUNT(visitor->sockets), 1);
    ck_assert_uint_ge(scene_count(visitor, "doc", "page.peers"), 1);
    scene_free(&scene);
}
END_TEST

/* --- peers that are slow: the page must hardly notice */

static uint64_t lone_ms(uint64_t seed)
{
    struct scene scene = scene_with_files(seed);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene.world, 2000);
    uint64_t ms = scene_ms(scene_load(visitor, "/static/c.bin"));
    scene_free(&scene);
    return ms;
}

#define SLOWER_MS 700 /* than with no peer at all: what a bad peer may cost the page */

static void check_slow(const char *what, struct script_flags flags, struct link link)
{
    uint64_t lone = lone_ms(40);
    struct scene scene = scene_with_files(40);
    struct script *slow =
        script_new(scene.world, "slow", &link, script_torrent(scene.site, 0), &flags);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, slow->host);

    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene.world, 2000);
    struct fetch *fetch = scene_load(visitor, "/static/c.bin");
    if (getenv("SIM_TIMES") != NULL)
        fprintf(stderr, "%-16s %llu ms, lone %llu ms\n", what, (unsigned long long)scene_ms(fetch),
                (unsigned long long)lone);
    ck_assert_msg(scene_ms(fetch) <= lone + SLOWER_MS, "%s: %llu ms, lone %llu ms", what,
                  (unsigned long long)scene_ms(fetch), (unsigned long long)lone);
    scene_free(&scene);
}

START_TEST(test_a_bad_peer_hardly_slows_the_page)
{
    struct link home = LINK_HOME, modem = {.up = 5000, .down = 5000, .latency_us = 100000},
                weak = {.up = 60000, .down = 60000, .latency_us = 50000};

    check_slow("silent", (struct script_flags){.silent = true}, home);
    check_slow("choking", (struct script_flags){.chokes = true}, home);
    check_slow("rejecting", (struct script_flags){.rejects = true}, home);
    check_slow("empty", (struct script_flags){.has_nothing = true}, home);
    check_slow("stalls at once", (struct script_flags){.stall_after = 1}, home);
    check_slow("stalls later", (struct script_flags){.stall_after = 20}, home);
    check_slow("closes", (struct script_flags){.close_after = 9}, home);
    check_slow("flips", (struct script_flags){.flips = true}, home);
    check_slow("late", (struct script_flags){.delay_us = 3000000}, home);
    check_slow("modem", (struct script_flags){0}, modem);
    check_slow("weak", (struct script_flags){0}, weak);
}
END_TEST

/* What waits at one peer goes to another that has got it meanwhile and has nothing to do. */
START_TEST(test_an_idle_peer_takes_over)
{
    struct scene scene = scene_with_files(49);
    struct script *busy = scene_script(&scene, &(struct script_flags){.delay_us = 20000000});
    struct script *idle = scene_script(&scene, &(struct script_flags){.has_nothing = true});
    struct visitor_config config = {.name = "v1",
                                    .link = LINK_FAST,
                                    .zone = ZONE_SHARE,
                                    .knows = scene.site,
                                    .peers = {busy->host, idle->host}};
    struct visitor *visitor = visitor_new(scene.world, &config);

    server_set_down(scene.site->server, true);
    struct fetch *fetch = fetch_begin(visitor, SITE, 1, "/static/b.wasm", "doc");
    world_run(scene.world, 300);
    ck_assert_uint_gt(busy->requests_got, 0);
    ck_assert_uint_eq(idle->requests_got, 0);
    for (uint8_t i = 0; i < 1 + 5 + 16; i++) /* HAVE */
        script_say_all(idle, 4, (uint8_t[]){0, 0, 0, i}, 4);
    fetch_wait(fetch, 5000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_lt(scene_ms(fetch), 1100); /* before it counts as stuck and is asked twice */
    ck_assert_uint_eq(idle->requests_got, (300000 + KIB(16) - 1) / KIB(16));
    ck_assert_uint_eq(busy->conns->cancels_got, busy->requests_got);
    scene_free(&scene);
}
END_TEST

/* --- origins that die */

/* A visitor that knows the site and has its small file; the origin is all it needs no more. */
static struct visitor *knowing_visitor(struct scene *scene, const struct host *peer)
{
    struct visitor *visitor = scene_visitor(scene, "v2", ZONE_SHARE, peer);
    scene_load(visitor, "/static/a.js");
    return visitor;
}

START_TEST(test_a_peer_is_enough_when_the_origin_is_down)
{
    struct scene scene = scene_with_files(50);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, first);
    struct visitor *second = knowing_visitor(&scene, first->host);
    server_set_down(scene.site->server, true);
    struct fetch *fetch = scene_load(second, "/static/c.bin");
    ck_assert_uint_le(scene_ms(fetch), 2000);
    fetch = scene_load(second, "/static/b.wasm");
    ck_assert_uint_eq(disk_bytes(second->disk), scene_bundle_bytes(&scene, 0));
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_peer_takes_over_when_the_origin_dies)
{
    struct scene scene = scene_with_files(51);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, first);
    struct visitor *second = knowing_visitor(&scene, NULL);
    struct fetch *fetch = fetch_begin(second, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 300);
    ck_assert_int_eq(fetch->state, FETCH_STREAMING);
    /* The origin dies in the middle; then somebody connects who has it all. */
    struct visitor_config config = {
        .name = "v3", .link = LINK_HOME, .zone = ZONE_SHARE, .peers = {second->host}};
    server_set_down(scene.site->server, false);
    struct visitor *third = visitor_new(scene.world, &config);
    scene_load(third, "/static/c.bin");
    server_set_down(scene.site->server, true);
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    scene_free(&scene);
}
END_TEST

START_TEST(test_the_origin_dies_mid_file_with_a_peer_there)
{
    struct scene scene = scene_with_files(52);
    struct link weak = {.up = 200000, .down = 200000, .latency_us = 20000};
    struct visitor_config config = {.name = "v1", .link = weak, .zone = ZONE_SHARE};
    struct visitor *first = visitor_new(scene.world, &config);

    scene_load_all(&scene, first);
    struct visitor *second = knowing_visitor(&scene, first->host);
    struct fetch *fetch = fetch_begin(second, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 400);
    server_set_down(scene.site->server, true);
    fetch_wait(fetch, 12000); /* 1 MiB at 200 kB/s are 5.3 s */
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    scene_free(&scene);
}
END_TEST

START_TEST(test_the_stream_fails_soon_when_everybody_dies)
{
    struct scene scene = scene_with_files(53);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, first);
    struct visitor *second = knowing_visitor(&scene, first->host);
    struct fetch *fetch = fetch_begin(second, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 350);
    for (int i = 0; i < 100 && fetch->state == FETCH_OPENING; i++)
        world_run(scene.world, 10);
    ck_assert_int_eq(fetch->state, FETCH_STREAMING);
    ck_assert_uint_gt(fetch->ready, 0);
    server_set_down(scene.site->server, true);
    visitor_kill(first);
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_FAILED);
    /* What was sent stays right and is kept. */
    ck_assert_uint_ge(disk_bytes(second->disk), fetch->ready);

    /* Everything is back: so is the file. */
    server_set_down(scene.site->server, false);
    world_run(scene.world, 10000);
    ck_assert_int_eq(scene_fetch(second, "/static/c.bin")->state, FETCH_DONE);
    scene_free(&scene);
}
END_TEST

START_TEST(test_nobody_there_from_the_start)
{
    struct scene scene = scene_with_files(54);
    struct visitor *visitor = knowing_visitor(&scene, NULL);

    server_set_down(scene.site->server, true);
    struct fetch *fetch = scene_fetch(visitor, "/static/c.bin");
    ck_assert_int_eq(fetch->state, FETCH_FAILED);
    ck_assert_int_eq(fetch->status, 503);
    ck_assert_uint_le(scene_ms(fetch), 3000);
    /* What is in the store is served all the same. */
    ck_assert_int_eq(scene_fetch(visitor, "/static/a.js")->state, FETCH_DONE);
    scene_free(&scene);
}
END_TEST

START_TEST(test_an_origin_that_goes_wrong)
{
    struct fault faults[] = {
        {.status = 404},
        {.status = 503, .retry_after_s = 30},
        {.status = 200, .delay_ms = 0},
        FAULT_NONE,
        FAULT_NONE,
        FAULT_NONE,
    };
    faults[0].stall_at = faults[0].cut_at = faults[0].flip_at = SERVER_NEVER;
    faults[1].stall_at = faults[1].cut_at = faults[1].flip_at = SERVER_NEVER;
    faults[2] = FAULT_NONE;
    faults[2].flip_at = 100000; /* the file changed under us */
    faults[3].stall_at = 200000;
    faults[4].cut_at = 200000;
    faults[5].endless = true;

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct scene scene = scene_with_files(60 + i);
        struct visitor *visitor = knowing_visitor(&scene, NULL);
        server_get(scene.site->server, "/static/c.bin")->fault = faults[i];
        struct fetch *fetch = scene_fetch(visitor, "/static/c.bin");
        if (getenv("SIM_TIMES") != NULL)
            fprintf(stderr, "origin fault %zu: %s %d after %llu ms\n", i,
                    fetch_state_name(fetch->state), fetch->status,
                    (unsigned long long)scene_ms(fetch));
        ck_assert_uint_le(scene_ms(fetch), 40000);
        if (i == 4) /* cut, and then right: the rest is asked for with a range */
            ck_assert_int_ne(fetch->state, FETCH_ASKED);
        else if (i < 4)
            ck_assert_int_eq(fetch->state, FETCH_FAILED);
        /* No storm of requests against a site that has trouble. */
        ck_assert_uint_le(server_get(scene.site->server, "/static/c.bin")->requests, 12);
        scene_free(&scene);
    }
}
END_TEST

START_TEST(test_a_server_without_ranges)
{
    struct scene scene = scene_with_files(70);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    server_get(scene.site->server, "/static/c.bin")->fault.ignore_range = true;
    struct fetch *fetch =
        fetch_begin_range(first, SITE, 1, "/static/c.bin", "doc", "bytes=700000-800000", false);
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_int_eq(fetch->status, 206);
    scene_load(first, "/static/c.bin");
    scene_free(&scene);
}
END_TEST

START_TEST(test_retry_after_is_obeyed)
{
    struct scene scene = scene_with_files(71);
    struct visitor *visitor = knowing_visitor(&scene, NULL);
    struct resource *resource = server_get(scene.site->server, "/static/c.bin");

    resource->fault.status = 503;
    resource->fault.retry_after_s = 60;
    scene_fetch(visitor, "/static/c.bin");
    uint32_t requests = resource->requests;
    ck_assert_uint_le(requests, 2);
    for (int i = 0; i < 5; i++) {
        world_run(scene.world, 5000);
        ck_assert_int_ne(scene_fetch(visitor, "/static/c.bin")->state, FETCH_DONE);
    }
    ck_assert_uint_eq(resource->requests, requests);
    resource->fault = FAULT_NONE;
    world_run(scene.world, 60000);
    ck_assert_int_eq(scene_fetch(visitor, "/static/c.bin")->state, FETCH_DONE);
    scene_free(&scene);
}
END_TEST

/* --- what a site's own server does wrong: it is asked again when it is well */

static void check_mended(const char *what, uint64_t seed, struct fault fault, uint32_t most)
{
    struct scene scene = scene_with_files(seed);
    struct visitor *visitor = knowing_visitor(&scene, NULL);
    struct resource *resource = server_get(scene.site->server, "/static/c.bin");

    resource->fault = fault;
    for (int i = 0; i < 10; i++) { /* a page that is loaded again and again */
        ck_assert_msg(scene_fetch(visitor, "/static/c.bin")->state == FETCH_FAILED, "%s", what);
        world_run(scene.world, 3000);
    }
    ck_assert_msg(resource->requests <= most, "%s: asked %u times", what, resource->requests);
    resource->fault = FAULT_NONE;
    world_run(scene.world, 125000);
    ck_assert_msg(scene_fetch(visitor, "/static/c.bin")->state == FETCH_DONE, "%s", what);
    ck_assert_uint_eq(disk_bytes(visitor->disk), 20000 + MIB(1));
    scene_free(&scene);
}

START_TEST(test_an_origin_that_is_mended)
{
    struct fault flips = FAULT_NONE, stalls = FAULT_NONE, shorter = FAULT_NONE;

    flips.flip_at = 100000;
    check_mended("changed", 80, flips, 1);
    stalls.stall_at = 0;
    check_mended("silent", 81, stalls, 6);
    shorter.status = 404;
    check_mended("gone", 82, shorter, 10);
}
END_TEST

/* Whoever deploys without publishing: each file once, then the whole server is left alone. */
START_TEST(test_a_site_that_changed_under_us)
{
    struct scene scene = scene_new(83);
    char path[32];

    for (unsigned i = 0; i < 60; i++) {
        snprintf(path, sizeof path, "f%u.js", i);
        publisher_add(scene.site, 0, path, 20000 + i, i + 1);
    }
    publisher_publish(scene.site);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene.world, 1000);
    scene.site->server->fault.flip_at = 5;
    for (unsigned i = 0; i < 60; i++) {
        snprintf(path, sizeof path, "/static/f%u.js", i);
        struct fetch *fetch = scene_fetch(visitor, path);
        ck_assert_int_eq(fetch->state, FETCH_FAILED);
        ck_assert_uint_le(scene_ms(fetch), 1000);
    }
    ck_assert_uint_le(server_requests_below(scene.site->server, "/static/"), 10);
    scene.site->server->fault = FAULT_NONE;
    world_run(scene.world, 61000);
    scene_load(visitor, "/static/f0.js");
    scene_load(visitor, "/static/f30.js");
    scene_free(&scene);
}
END_TEST

/* A page of many files: not fifteen seconds for each pair of them. */
START_TEST(test_an_origin_that_hangs)
{
    struct scene scene = scene_new(84);
    struct fetch *fetches[6];
    char path[32];

    for (unsigned i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "f%u.js", i);
        publisher_add(scene.site, 0, path, 20000, i + 1);
    }
    publisher_publish(scene.site);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene.world, 1000);
    scene.site->server->fault.stall_at = 0;
    for (unsigned i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "/static/f%u.js", i);
        fetches[i] = fetch_begin(visitor, SITE, 1, path, "doc");
    }
    for (unsigned i = 0; i < 6; i++) {
        fetch_wait(fetches[i], LIMIT_HTTP_STALL_MS + 1000);
        ck_assert_int_eq(fetches[i]->state, FETCH_FAILED);
        ck_assert_uint_le(scene_ms(fetches[i]), LIMIT_HTTP_STALL_MS + 1000);
    }
    ck_assert_uint_le(scene_ms(scene_fetch(visitor, "/static/f1.js")), 100);
    scene.site->server->fault = FAULT_NONE;
    world_run(scene.world, 21000);
    scene_load(visitor, "/static/f1.js");
    scene_free(&scene);
}
END_TEST

/* Peers are not kept from giving what it would bring in ten minutes. */
START_TEST(test_an_origin_that_trickles)
{
    struct scene scene = scene_with_files(85);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, first);
    struct visitor *second = knowing_visitor(&scene, NULL);
    scene.site->server->host->link.up = 1000;
    struct fetch *fetch = fetch_begin(second, SITE, 1, "/static/c.bin", "doc");

    world_run(scene.world, 1000);
    visitor_kill(first);
    first->config.peers[0] = second->host;
    visitor_start(first);
    visitor_site_open(first, SITE, 1, "doc");
    fetch_wait(fetch, 15000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_le(scene_ms(fetch), 8000);
    scene_free(&scene);
}
END_TEST

/* A page waits no longer for a server that will not be asked for long, whichever file it wants. */
START_TEST(test_another_file_of_a_server_that_is_busy)
{
    struct scene scene = scene_with_files(86);
    struct visitor *visitor = knowing_visitor(&scene, NULL);
    struct resource *resource = server_get(scene.site->server, "/static/c.bin");

    resource->fault.status = 503;
    resource->fault.retry_after_s = 600;
    ck_assert_int_eq(scene_fetch(visitor, "/static/c.bin")->state, FETCH_FAILED);
    struct fetch *fetch = scene_fetch(visitor, "/static/b.wasm");
    ck_assert_int_eq(fetch->state, FETCH_FAILED);
    ck_assert_uint_le(scene_ms(fetch), 100);
    scene_free(&scene);
}
END_TEST

/* Without Range the file comes about once all the same, though it is asked for in parts. */
START_TEST(test_a_server_without_ranges_sends_a_file_once)
{
    struct scene scene = scene_new(87);
    publisher_add(scene.site, 0, "a.js", 20000, 1);
    publisher_add(scene.site, 0, "big.bin", MIB(8), 2);
    publisher_publish(scene.site);
    struct script *silent = scene_script(&scene, &(struct script_flags){.has_nothing = true});
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, silent->host);
    struct resource *resource = server_get(scene.site->server, "/static/big.bin");

    resource->fault.ignore_range = true;
    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene.world, 2000);
    struct fetch *fetch = fetch_begin(visitor, SITE, 1, "/static/big.bin", "doc");
    fetch_wait(fetch, 60000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_le(resource->sent, 2 * MIB(8) + MIB(3));
    scene_free(&scene);
}
END_TEST

/* What no server may answer adds up, as a peer's faults do; what is signed comes all the same. */
START_TEST(test_an_origin_that_talks_rubbish)
{
    struct scene scene = scene_with_files(88);
    struct visitor *visitor = knowing_visitor(&scene, NULL);
    struct resource *resource = server_get(scene.site->server, "/static/c.bin");

    resource->fault.other_range = true;
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(scene_fetch(visitor, "/static/c.bin")->state, FETCH_FAILED);
        world_run(scene.world, 15000);
    }
    ck_assert_uint_eq(resource->requests, 4);
    /* Its other files neither; but a new release. */
    ck_assert_int_eq(scene_fetch(visitor, "/static/b.wasm")->state, FETCH_FAILED);
    resource->fault = FAULT_NONE;
    publisher_publish(scene.site);
    visitor_site_open(visitor, SITE, 2, "doc2");
    world_run(scene.world, 2000);
    ck_assert_str_eq(ask_text(visitor, visitor_site_status(visitor, SITE, "doc2"), "state"),
                     "ready");
    world_run(scene.world, 3600000);
    struct fetch *fetch = fetch_begin(visitor, SITE, 2, "/static/c.bin", "doc2");
    fetch_wait(fetch, 20000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    scene_free(&scene);
}
END_TEST

/* The disk takes a tenth of what the site could send. */
START_TEST(test_a_fast_origin_and_a_slow_disk)
{
    struct scene scene = scene_new(89);
    struct link fast = {.up = 200000000, .down = 200000000, .latency_us = 1000};
    publisher_add(scene.site, 0, "a.js", 20000, 1);
    publisher_add(scene.site, 0, "big.bin", MIB(96), 2);
    publisher_publish(scene.site);
    scene.site->server->host->link = fast;
    struct visitor_config config = {.name = "v1", .link = fast, .zone = ZONE_SHARE};
    struct visitor *visitor = visitor_new(scene.world, &config);

    visitor->disk->rate = 5000000;
    struct fetch *fetch = fetch_begin(visitor, SITE, 1, "/static/big.bin", "doc");
    fetch_wait(fetch, 60000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_le(visitor->disk->waited_most, STORING_MAX + MIB(1));
    ck_assert_uint_ge(visitor->disk->waited_most, STORING_MAX / 2);
    ck_assert_uint_le(server_get(scene.site->server, "/static/big.bin")->requests, 1);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_sources",
          TESTS(test_peers_are_found_through_a_tracker,
                test_a_tracker_that_talks_rubbish_does_no_harm,
                test_no_private_address_from_a_tracker_is_dialled,
                test_a_dead_tracker_does_not_hold_the_page_up, test_a_flipped_byte_is_caught,
                test_an_honest_peer_is_not_blamed_for_a_liar, test_a_bad_peer_hardly_slows_the_page,
                test_an_idle_peer_takes_over, test_a_peer_is_enough_when_the_origin_is_down,
                test_a_peer_takes_over_when_the_origin_dies,
                test_the_origin_dies_mid_file_with_a_peer_there,
                test_the_stream_fails_soon_when_everybody_dies, test_nobody_there_from_the_start,
                test_an_origin_that_goes_wrong, test_a_server_without_ranges,
                test_retry_after_is_obeyed, test_an_origin_that_is_mended,
                test_a_site_that_changed_under_us, test_an_origin_that_hangs,
                test_an_origin_that_trickles, test_another_file_of_a_server_that_is_busy,
                test_a_server_without_ranges_sends_a_file_once, test_an_origin_that_talks_rubbish,
                test_a_fast_origin_and_a_slow_disk))
