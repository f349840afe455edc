/* What the random worlds (chaos.h) draw, one thing at a time: a network that falls apart and heals,
 * visitors who cannot be dialled, who come and go, who hold an old release; strangers who find each
 * other over UDP or on their own network; liars among honest neighbours. */
#include "caps.h"
#include "flood.h"
#include "sim_test.h"

#define MANY 6

static void load_everywhere(struct scene *scene, struct visitor **visitors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        scene_load_all(scene, visitors[i]);
}

static void check_no_bans(struct visitor **visitors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            ck_assert(!caps_is_banned(visitors[i], visitors[k]->host));
}

static struct visitor *member(struct scene *scene, size_t number, const struct host *peer)
{
    char name[8];

    snprintf(name, sizeof name, "v%zu", number);
    return scene_visitor(scene, name, ZONE_SHARE, peer);
}

/* Everybody knows the first, and everybody else by then. */
static void begin_many(struct scene *scene, struct visitor **visitors)
{
    for (size_t i = 0; i < MANY; i++) {
        visitors[i] = member(scene, i, i > 0 ? visitors[0]->host : NULL);
        scene_load(visitors[i], "/static/a.js");
    }
    world_run(scene->world, 70000); /* they have been introduced (BEP 11) */
}

/* --- the network falls apart */

static void part(struct visitor **visitors, bool apart)
{
    for (size_t i = MANY / 2; i < MANY; i++)
        visitors[i]->host->island = apart;
}

/* Half of the visitors are with the site, the others have each other. Both go on; when they are
 * together again they share again, and nobody is banned. */
START_TEST(test_a_network_that_falls_apart_and_heals)
{
    struct scene scene = scene_with_files(820);
    struct visitor *visitors[MANY];

    begin_many(&scene, visitors);
    scene_load(visitors[MANY - 1], "/static/b.wasm");
    part(visitors, true);
    for (size_t i = 0; i < MANY; i++) /* each half has one who has it, or the site */
        scene_load(visitors[i], "/static/b.wasm");
    world_run(scene.world, LIMIT_PEER_IDLE_MS);
    part(visitors, false);
    world_run(scene.world, 30000);
    uint64_t sent = scene_origin_bytes(&scene);
    for (size_t i = 0; i < MANY; i++) {
        fetch_begin(visitors[i], SITE, 1, "/static/c.bin", "doc");
        world_run(scene.world, 50);
    }
    ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 60000));
    load_everywhere(&scene, visitors, MANY);
    ck_assert_uint_le(scene_origin_bytes(&scene) - sent, MIB(1) * 3 / 2);
    check_no_bans(visitors, MANY);
    scene_free(&scene);
}
END_TEST

/* They know each other, want nothing, and then all want the same in the same moment. */
START_TEST(test_idle_neighbours_who_begin_together)
{
    struct scene scene = scene_with_files(827);
    struct visitor *visitors[MANY];

    begin_many(&scene, visitors);
    uint64_t sent = scene_origin_bytes(&scene);
    for (size_t i = 0; i < MANY; i++)
        fetch_begin(visitors[i], SITE, 1, "/static/c.bin", "doc");
    ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 60000));
    load_everywhere(&scene, visitors, MANY);
    ck_assert_uint_le(scene_origin_bytes(&scene) - sent, 2 * MIB(1) + 300000);
    scene_free(&scene);
}
END_TEST

/* It happens in the middle of a file, for less time than anybody is given up in. */
START_TEST(test_a_short_partition_in_the_middle)
{
    struct scene scene = scene_with_files(821);
    struct visitor *visitors[MANY];

    begin_many(&scene, visitors);
    for (size_t i = 0; i < MANY; i++)
        fetch_begin(visitors[i], SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 300);
    part(visitors, true);
    world_run(scene.world, 3000);
    part(visitors, false);
    ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 60000));
    world_run(scene.world, 10000);
    load_everywhere(&scene, visitors, MANY);
    check_no_bans(visitors, MANY);
    scene_free(&scene);
}
END_TEST

/* --- nobody can be dialled */

START_TEST(test_all_but_one_behind_nat)
{
    struct scene scene = scene_with_files(822);
    struct visitor *visitors[MANY];

    visitors[0] = member(&scene, 0, NULL);
    for (size_t i = 1; i < MANY; i++) {
        visitors[i] = member(&scene, i, visitors[0]->host);
        visitors[i]->host->link.nat = true;
    }
    load_everywhere(&scene, visitors, 2);
    load_everywhere(&scene, visitors, MANY);
    for (size_t i = 1; i < MANY; i++)
        ck_assert_uint_eq(visitors[i]->counts.accepts, 0);
    /* One copy for the first, hardly more for the others: all comes through it. */
    ck_assert_uint_le(scene_origin_bytes(&scene), scene_bundle_bytes(&scene, 0) * 3 / 2);
    scene_free(&scene);
}
END_TEST

/* --- churn */

/* At any time three are there; each stays for two seconds and is not seen again. The last three
 * stay, and have everything soon; the site gave little more than what the leavers took along. */
START_TEST(test_visitors_come_and_go)
{
    struct scene scene = scene_with_files(823);
    struct visitor *visitors[24];
    struct link link = LINK_HOME;
    struct sim_tracker *tracker = sim_tracker_new(scene.world, "https://tracker.example");

    scene.site->trackers[scene.site->tracker_count++] =
        mem_strdup("https://tracker.example/announce");
    publisher_publish(scene.site);
    for (size_t i = 0; i < 24; i++) {
        struct visitor_config config = {.name = "v", .link = link, .zone = ZONE_SHARE};
        visitors[i] = visitor_new(scene.world, &config);
        fetch_begin(visitors[i], SITE, 2, "/static/c.bin", "doc");
        world_run(scene.world, 700);
        if (i >= 3 && i < 24)
            visitor_kill(visitors[i - 3]);
    }
    ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 30000));
    load_everywhere(&scene, visitors + 21, 3);
    check_no_bans(visitors + 21, 3);
    scene_free(&scene);
    sim_tracker_free(tracker);
}
END_TEST

/* --- an old release */

/* They hold the one before, with all of its files, and the site has a new one in which one file is
 * another. Pages of the new release get the new bytes, pages of the old one the old bytes, and what
 * has not changed does not come again. */
START_TEST(test_some_hold_an_old_release)
{
    struct scene scene = scene_with_files(824);
    struct visitor *old[2], *fresh;

    for (size_t i = 0; i < 2; i++) {
        old[i] = member(&scene, i, i > 0 ? old[0]->host : NULL);
        scene_load_all(&scene, old[i]);
    }
    publisher_add(scene.site, 0, "a.js", 25000, 99);
    publisher_publish(scene.site);
    uint64_t sent = scene_origin_bytes(&scene);
    fresh = member(&scene, 2, old[0]->host);
    /* The holders hear of it from a page of theirs. */
    for (size_t i = 0; i < 2; i++)
        visitor_site_open(old[i], SITE, 2, "new");
    world_run(scene.world, 2000);
    struct fetch *fetch = fetch_begin(fresh, SITE, 2, "/static/a.js", "doc");
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_eq(fetch->length, 25000);
    scene_load(fresh, "/static/b.wasm");
    scene_load(fresh, "/static/c.bin");
    ck_assert_uint_le(scene_origin_bytes(&scene) - sent, 25000 + 2 * KIB(256));
    fetch = fetch_begin(old[1], SITE, 1, "/static/a.js", "old");
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_eq(fetch->length, 20000);
    check_no_bans((struct visitor *[]){old[0], old[1], fresh}, 3);
    scene_free(&scene);
}
END_TEST

/* --- strangers who find each other */

static uint64_t from_peers(struct visitor *visitor)
{
    return scene_count(visitor, "doc", "page.peers");
}

/* The first tracker answers without end, the second over UDP loses some datagrams. */
START_TEST(test_found_behind_a_tracker_that_never_ends)
{
    struct scene scene = scene_new(825);
    struct sim_tracker *endless = sim_tracker_new(scene.world, "https://endless.example");
    struct sim_tracker *good = sim_tracker_new(scene.world, "udp://good.example:6969");

    endless->server->fault.endless = true;
    good->server->loss = 10;
    scene.site->trackers[scene.site->tracker_count++] =
        mem_strdup("https://endless.example/announce");
    scene.site->trackers[scene.site->tracker_count++] = mem_strdup("udp://good.example:6969");
    publisher_add(scene.site, 0, "c.bin", MIB(1), 3);
    publisher_publish(scene.site);
    struct visitor *first = member(&scene, 0, NULL);
    scene_load_all(&scene, first);
    world_run(scene.world, 60000);
    struct visitor *second = member(&scene, 1, NULL);
    visitor_site_open(second, SITE, 1, "doc");
    world_run(scene.world, 200000);
    scene_load_all(&scene, second);
    ck_assert_uint_ge(from_peers(second), MIB(1) / 2);
    /* What never ends is cut off, and not asked for again and again. */
    ck_assert_uint_le(endless->server->requests, 10);
    scene_free(&scene);
    sim_tracker_free(endless);
    sim_tracker_free(good);
}
END_TEST

/* --- those who promise and give nothing */

/* Each looks like a source, and one of them like a neighbour who wants the same. A page among them
 * is not that much slower than alone with the site. */
START_TEST(test_many_who_have_everything_and_give_nothing)
{
    struct scene scene = scene_with_files(826);
    struct visitor *visitor = member(&scene, 1, NULL);
    struct script *wanting =
        scene_script(&scene, &(struct script_flags){.claims = true, .has_nothing = true});

    scene_load(visitor, "/static/a.js");
    script_dial(wanting, visitor->host);
    for (int i = 0; i < 6; i++) {
        struct script *script = scene_script(&scene, &(struct script_flags){.delay_us = 8000000});
        script_dial(script, visitor->host);
    }
    world_run(scene.world, 2000);
    struct fetch *fetch = fetch_begin(visitor, SITE, 1, "/static/c.bin", "doc");
    fetch_wait(fetch, 60000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_le(scene_ms(fetch), 10000);
    scene_free(&scene);
}
END_TEST

/* --- floods */

/* Of each kind: the caps hold (caps.c looks after every step), and a page gets its file. */
START_TEST(test_floods_of_every_kind)
{
    for (int kind = 0; kind < FLOOD_KINDS_; kind++) {
        struct scene scene = scene_with_files(830 + (uint64_t)kind);
        struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
        struct script *script =
            scene_script(&scene, &(struct script_flags){.extended = true, .has_nothing = true});

        scene_load(visitor, "/static/a.js");
        flood_begin(script, (enum flood_kind)kind);
        for (int i = 0; i < 8; i++) {
            script_dial(script, visitor->host);
            world_run(scene.world, 2000);
        }
        scene_load_all(&scene, visitor);
        script->flooding = false;
        world_run(scene.world, 100000);
        caps_recount(visitor);
        scene_free(&scene);
    }
}
END_TEST

TEST_MAIN("sim_worlds",
          TESTS(test_idle_neighbours_who_begin_together, test_a_network_that_falls_apart_and_heals,
                test_a_short_partition_in_the_middle, test_all_but_one_behind_nat,
                test_visitors_come_and_go, test_some_hold_an_old_release,
                test_found_behind_a_tracker_that_never_ends,
                test_many_who_have_everything_and_give_nothing, test_floods_of_every_kind))
