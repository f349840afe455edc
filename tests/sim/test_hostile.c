/* Peers that mean harm or know no better, connections that come twice or lead to oneself. The page
 * is right and hardly slower; the visitor's own rules (sniff.c, visitor.c) hold all along. */
#include "sim_test.h"

struct badness {
    const char *name;
    struct script_flags flags;
    uint32_t closed_within_ms; /* 0: need not be closed */
};

static const struct badness kinds[] = {
    {"silent", {.silent = true}, LIMIT_HANDSHAKE_MS + 500},
    {"garbage", {.garbage = true}, 500},
    {"another info-hash", {.wrong_infohash = true}, 500},
    {"one wrong letter", {.wrong_protocol = true}, 500},
    {"slow drip", {.drip_us = 1000000}, LIMIT_HANDSHAKE_MS + 500},
    {"long bitfield", {.wrong_bitfield = true}, 500},
    {"spare bit", {.spare_bit = true}, 500},
    {"have of no piece", {.bad_have = true}, 500},
    {"message of 100 MB", {.huge_message = true}, 500},
    {"odd requests", {.odd_request = true}, 0},
    {"flood of requests", {.has_nothing = true, .flood = 5000}, 0},
    {"flood of blocks", {.serves_unasked = true}, 30000},
    {"short blocks", {.serves_short = true}, 3000},
    {"flips", {.flips = true}, 3000},
    {"rejects", {.rejects = true}, 0},
    {"chokes", {.chokes = true}, 0},
    {"one by one", {.lazy_bitfield = true}, 0},
    {"BEP 3 only", {.no_fast = true}, 0},
    {"my own id", {.reflects_id = true}, 500},
};

static void check_closed(struct script *script, const struct badness *kind, uint64_t dialled_us)
{
    if (kind->closed_within_ms == 0)
        return;
    ck_assert_msg(script->opened >= 1, "%s: never connected", kind->name);
    ck_assert_msg(script->closed == script->opened, "%s: is still connected", kind->name);
    uint64_t ms = (script->last_closed_us - dialled_us) / 1000;
    ck_assert_msg(script->opened > 1 || ms <= kind->closed_within_ms,
                  "%s: closed only after %llu ms", kind->name, (unsigned long long)ms);
}

/* The visitor dials it. */
static void check_dialled(const struct badness *kind, uint64_t seed)
{
    struct scene scene = scene_with_files(seed);
    struct script *script = scene_script(&scene, &kind->flags);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, script->host);

    scene_load_all(&scene, visitor);
    world_run(scene.world, 11000);
    check_closed(script, kind, script->last_opened_us);
    world_run(scene.world, 300000);
    ck_assert_msg(script->opened <= 16, "%s: dialled %u times in five minutes", kind->name,
                  script->opened);
    scene_free(&scene);
}

/* It comes to the visitor, which has something to give. */
static void check_accepted(const struct badness *kind, uint64_t seed)
{
    struct scene scene = scene_with_files(seed);
    struct script *script = scene_script(&scene, &kind->flags);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load(visitor, "/static/b.wasm");
    script_dial(script, visitor->host);
    world_run(scene.world, 300);
    uint64_t opened_us = script->last_opened_us;
    struct fetch *fetch = scene_load(visitor, "/static/c.bin");
    ck_assert_msg(scene_ms(fetch) <= 562 + 700, "%s: %llu ms", kind->name,
                  (unsigned long long)scene_ms(fetch));
    world_run(scene.world, 30000);
    if (!kind->flags.reflects_id) /* who speaks first does not know it yet */
        check_closed(script, kind, opened_us);
    scene_free(&scene);
}

START_TEST(test_bad_peers_that_are_dialled)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        check_dialled(&kinds[i], 500 + i);
}
END_TEST

START_TEST(test_bad_peers_that_come)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        check_accepted(&kinds[i], 550 + i);
}
END_TEST

START_TEST(test_honest_old_clients_are_served)
{
    struct script_flags kinds_of[] = {{.no_fast = true, .has_nothing = true, .flood = 3},
                                      {.has_nothing = true, .flood = 3}};

    for (size_t i = 0; i < 2; i++) {
        struct scene scene = scene_with_files(580 + i);
        struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
        scene_load_all(&scene, visitor);
        struct script *script = scene_script(&scene, &kinds_of[i]);
        script_dial(script, visitor->host);
        world_run(scene.world, 5000);
        ck_assert_uint_ge(script->haves, 1);
        ck_assert_uint_eq(script->unchokes, 1);
        ck_assert_uint_eq(script->blocks_got, 3);
        ck_assert_uint_eq(script->closed, 0);
        scene_free(&scene);
    }
}
END_TEST

START_TEST(test_honest_old_clients_serve)
{
    struct scene scene = scene_with_files(582);
    struct script *script = scene_script(&scene, &(struct script_flags){.no_fast = true});
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, script->host);

    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene.world, 1000);
    scene_load_all(&scene, visitor);
    ck_assert_uint_ge(scene_count(visitor, "doc", "page.peers") * 100,
                      scene_bundle_bytes(&scene, 0) * 95);
    scene_free(&scene);
}
END_TEST

/* libtorrent before 2.0.13 asks 16 KiB where the file ends earlier, and wants exactly that. */
START_TEST(test_the_last_block_is_padded_when_asked_so)
{
    struct scene scene = scene_new(583);
    publisher_add(scene.site, 0, "a.bin", 100, 1);
    publisher_add(scene.site, 0, "b.bin", 200, 2);
    publisher_publish(scene.site);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, visitor);
    struct script *script = scene_script(
        &scene, &(struct script_flags){.has_nothing = true, .flood = 2, .asks_whole = true});

    script_dial(script, visitor->host);
    world_run(scene.world, 5000);
    ck_assert_uint_eq(script->blocks_got, 2);
    ck_assert_uint_eq(script->bytes_got, 2 * BLOCK_LENGTH);
    ck_assert_uint_eq(scene_count(visitor, "", "total.uploaded"), 300);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_flood_is_served_within_bounds)
{
    struct scene scene = scene_with_files(584);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, visitor);
    struct script *script =
        scene_script(&scene, &(struct script_flags){.has_nothing = true, .flood = 5000});

    script_dial(script, visitor->host);
    world_run(scene.world, 200000);
    /* Each request is answered by a block or a reject, unless it was thrown out. */
    ck_assert(script->closed > 0 || script->blocks_got + script->rejects_got == 5000);
    scene_free(&scene);
}
END_TEST

/* --- connections */

static uint32_t sockets(const struct visitor *visitor)
{
    return HASH_COUNT(visitor->sockets);
}

START_TEST(test_two_dial_each_other)
{
    for (uint64_t seed = 600; seed < 612; seed++) {
        struct scene scene = scene_with_files(seed);
        struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
        struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);
        /* The first learns of the second only now. */
        visitor_kill(first);
        first->config.peers[0] = second->host;
        visitor_start(first);
        visitor_site_open(first, SITE, 1, "doc");
        world_run(scene.world, seed % 4 * 7); /* at once, and a little apart */
        visitor_site_open(second, SITE, 1, "doc");
        world_run(scene.world, 10000);
        ck_assert_uint_eq(sockets(first), 1);
        ck_assert_uint_eq(sockets(second), 1);
        fetch_begin(first, SITE, 1, "/static/c.bin", "doc");
        fetch_begin(second, SITE, 1, "/static/b.wasm", "doc");
        ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 20000));
        world_run(scene.world, 60000);
        ck_assert_uint_le(first->counts.dials + second->counts.dials, 16);
        scene_free(&scene);
    }
}
END_TEST

START_TEST(test_many_connections_from_one_address)
{
    struct scene scene = scene_with_files(620);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, visitor);
    struct script *script = scene_script(&scene, &(struct script_flags){.has_nothing = true});
    struct script *mute = scene_script(&scene, &(struct script_flags){.silent = true});

    for (int i = 0; i < 100; i++) {
        script_dial(script, visitor->host);
        script_dial(mute, visitor->host);
    }
    world_run(scene.world, 5000);
    ck_assert_uint_le(sockets(visitor), 2 * LIMIT_PEERS_PER_ADDRESS);
    ck_assert_uint_ge(script->opened, 100);
    world_run(scene.world, 10000);
    ck_assert_uint_le(sockets(visitor), LIMIT_PEERS_PER_ADDRESS);
    scene_free(&scene);
}
END_TEST

START_TEST(test_more_strangers_than_places)
{
    struct scene scene = scene_with_files(621);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, visitor);
    struct script_flags flags = {.has_nothing = true};

    for (int i = 0; i < 260; i++)
        script_dial(scene_script(&scene, &flags), visitor->host);
    world_run(scene.world, 5000);
    ck_assert_uint_le(sockets(visitor), LIMIT_PEERS_PER_SWARM);
    ck_assert_uint_ge(sockets(visitor), LIMIT_PEERS_PER_SWARM / 2);
    scene_free(&scene);
}
END_TEST

START_TEST(test_oneself_is_no_peer)
{
    struct scene scene = scene_new(622);
    struct sim_tracker *tracker = sim_tracker_new(scene.world, "https://tracker.example");
    scene.site->trackers[scene.site->tracker_count++] =
        mem_strdup("https://tracker.example/announce");
    publisher_add(scene.site, 0, "a.js", 20000, 1);
    publisher_add(scene.site, 0, "c.bin", MIB(1), 3);
    publisher_publish(scene.site);
    /* A peer that names its own address, and a tracker that gives it back. */
    struct visitor_config config = {.name = "v1", .link = LINK_HOME, .zone = ZONE_SHARE};
    struct visitor *visitor = visitor_new(scene.world, &config);
    visitor_kill(visitor);
    visitor->config.peers[0] = visitor->host;
    visitor_start(visitor);

    struct fetch *fetch = scene_load(visitor, "/static/c.bin");
    ck_assert_uint_le(scene_ms(fetch), 1500);
    world_run(scene.world, 120000);
    ck_assert_uint_eq(sockets(visitor), 0);
    ck_assert_uint_le(visitor->counts.dials, 8);
    scene_load(visitor, "/static/a.js");
    scene_free(&scene);
    sim_tracker_free(tracker);
}
END_TEST

START_TEST(test_a_connection_that_breaks)
{
    struct scene scene = scene_with_files(623);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);
    scene_load_all(&scene, first);

    visitor_site_open(second, SITE, 1, "doc");
    world_run(scene.world, 1000);
    struct fetch *fetch = fetch_begin(second, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 200);
    ck_assert_uint_eq(sockets(second), 1);
    link_break(link_find(scene.world, second->sockets->conn));
    fetch_wait(fetch, 3000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    /* It is dialled again for the next file. */
    world_run(scene.world, 10000);
    scene_load(second, "/static/b.wasm");
    ck_assert_uint_eq(scene_count(second, "doc", "page.origin") < MIB(1), true);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_partition)
{
    struct scene scene = scene_with_files(624);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);
    scene_load_all(&scene, first);

    visitor_site_open(second, SITE, 1, "doc");
    world_run(scene.world, 1000);
    struct fetch *fetch = fetch_begin(second, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 250);
    first->host->island = 1; /* silence, no reset */
    fetch_wait(fetch, 5000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    /* Such a peer does not hold its place for ever. */
    world_run(scene.world, LIMIT_PEER_IDLE_MS + 10000);
    ck_assert_uint_eq(sockets(second), 0);
    first->host->island = 0;
    world_run(scene.world, 1000);
    scene_load_all(&scene, second);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_partition_of_idle_peers)
{
    struct scene scene = scene_with_files(627);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);

    scene_load(first, "/static/a.js");
    scene_load(second, "/static/a.js");
    world_run(scene.world, 400000);
    ck_assert_uint_eq(sockets(second), 1);
    first->host->island = 1;
    /* Nobody dials any more by then: who is gone is gone. */
    world_run(scene.world, LIMIT_PEER_IDLE_MS + 20000);
    ck_assert_uint_eq(sockets(second), 0);
    ck_assert_uint_eq(sockets(first), 0);
    scene_free(&scene);
}
END_TEST

START_TEST(test_idle_peers_stay)
{
    struct scene scene = scene_with_files(625);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);

    scene_load(first, "/static/a.js");
    scene_load(second, "/static/a.js");
    uint64_t steps = second->counts.steps;
    world_run(scene.world, 1000000);
    ck_assert_uint_eq(sockets(second), 1);
    /* And cost next to nothing: a thousand seconds. */
    ck_assert_uint_le(second->counts.steps - steps, 500);
    scene_free(&scene);
}
END_TEST

START_TEST(test_behind_nat)
{
    struct scene scene = scene_with_files(626);
    struct link link = LINK_HOME;
    link.nat = true;
    struct visitor_config config = {.name = "nat", .link = link, .zone = ZONE_SHARE};
    struct visitor *hidden = visitor_new(scene.world, &config);
    struct visitor *open = scene_visitor(&scene, "v2", ZONE_SHARE, hidden->host);

    scene_load_all(&scene, hidden);
    /* Who cannot be dialled does not hold the page up. */
    visitor_site_open(open, SITE, 1, "doc");
    world_run(scene.world, 1000);
    ck_assert_uint_le(scene_ms(scene_load(open, "/static/c.bin")), 562 + 700);
    /* But may dial, and give. */
    visitor_kill(hidden);
    hidden->config.peers[0] = open->host;
    visitor_start(hidden);
    publisher_add(scene.site, 0, "new.bin", 300000, 77);
    publisher_publish(scene.site);
    world_run(scene.world, 60000);
    visitor_site_open(open, SITE, 2, "doc2");
    world_run(scene.world, 2000);
    struct fetch *fetch = fetch_begin(hidden, SITE, 2, "/static/new.bin", "doc");
    fetch_wait(fetch, 10000);
    fetch = fetch_begin(open, SITE, 2, "/static/new.bin", "doc2");
    fetch_wait(fetch, 10000);
    ck_assert_uint_ge(scene_count(open, "doc2", "page.peers"), 1);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_hostile",
          TESTS(test_bad_peers_that_are_dialled, test_bad_peers_that_come,
                test_honest_old_clients_are_served, test_honest_old_clients_serve,
                test_the_last_block_is_padded_when_asked_so, test_a_flood_is_served_within_bounds,
                test_two_dial_each_other, test_many_connections_from_one_address,
                test_more_strangers_than_places, test_oneself_is_no_peer,
                test_a_connection_that_breaks, test_a_partition, test_a_partition_of_idle_peers,
                test_idle_peers_stay, test_behind_nat))
