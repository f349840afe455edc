/* How visitors find each other: whom they dial and how often, when they part. */
#include "sim_test.h"
#include "wire/udp_tracker.h"

/* --- dialling */

/* Two of our own kind that have everything stay: a few connections tell of new releases. */
START_TEST(test_two_that_have_everything_stay)
{
    struct scene scene = scene_with_files(700);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, first);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);
    scene_load_all(&scene, second);
    world_run(scene.world, 600000);
    ck_assert_uint_eq(HASH_COUNT(first->sockets), 1);
    ck_assert_uint_eq(HASH_COUNT(second->sockets), 1);
    ck_assert_uint_le(second->counts.dials, 2);
    scene_free(&scene);
}
END_TEST

START_TEST(test_of_many_that_have_everything_most_part)
{
    struct scene scene = scene_with_files(718);
    struct visitor *first = scene_visitor(&scene, "v", ZONE_SHARE, NULL);
    char name[16];

    scene_load_all(&scene, first);
    for (int i = 0; i < 14; i++) {
        snprintf(name, sizeof name, "v%d", i);
        scene_load_all(&scene, scene_visitor(&scene, name, ZONE_SHARE, first->host));
    }
    world_run(scene.world, 600000);
    ck_assert_uint_ge(HASH_COUNT(first->sockets), 4);
    ck_assert_uint_le(HASH_COUNT(first->sockets), 8);
    scene_free(&scene);
}
END_TEST

/* Who cannot tell of them goes. */
START_TEST(test_a_stock_client_that_has_everything_parts)
{
    struct scene scene = scene_with_files(719);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, first);
    struct script *stock = scene_script(&scene, &(struct script_flags){.extended = true});
    script_dial(stock, first->host);
    world_run(scene.world, 5000);
    ck_assert_uint_eq(stock->closed, 1);
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
/* Who has everything keeps a neighbour that wants nothing for the moment, though that one only
 * fetches: when it wants the next file, the site may be gone. */
START_TEST(test_who_fetches_only_stays_with_who_has_everything)
{
    struct scene scene = scene_with_files(763);
    struct visitor *seed = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *taker = scene_visitor(&scene, "v2", ZONE_FETCH, seed->host);

    scene_load_all(&scene, seed);
    scene_load(taker, "/static/a.js");
    visitor_kill(taker);
    visitor_start(taker);
    visitor_site_open(taker, SITE, 1, "doc"); /* it says hello, and wants nothing yet */
    world_run(scene.world, 1000);
    server_set_down(scene.site->server, true);
    for (int i = 0; i < 4; i++) {
        world_run(scene.world, 20000);
        ck_assert_uint_eq(HASH_COUNT(taker->sockets), 1);
    }
    scene_load(taker, "/static/b.wasm");
    ck_assert_uint_le(taker->counts.dials, 2);
    scene_free(&scene);
}
END_TEST

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

/* --- trackers */

#define FIRST  "https://tracker.example"
#define SECOND "udp://second.example:6969"

struct two {
    struct scene scene;
    struct sim_tracker *first, *second;
};

static struct two two_trackers(uint64_t seed, const char *first, const char *second)
{
    struct two two = {.scene = scene_new(seed)};
    struct publisher *site = two.scene.site;

    two.first = sim_tracker_new(two.scene.world, first);
    site->trackers[site->tracker_count++] = mem_printf("%s/announce", first);
    if (second != NULL) {
        two.second = sim_tracker_new(two.scene.world, second);
        site->trackers[site->tracker_count++] = mem_strdup(second);
    }
    publisher_add(site, 0, "a.js", 20000, 1);
    publisher_add(site, 0, "c.bin", MIB(1), 3);
    publisher_publish(site);
    return two;
}

static void two_free(struct two *two)
{
    scene_free(&two->scene);
    sim_tracker_free(two->first);
    if (two->second != NULL)
        sim_tracker_free(two->second);
}

static struct visitor *open_site(struct scene *scene, const char *name)
{
    struct visitor *visitor = scene_visitor(scene, name, ZONE_SHARE, NULL);

    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene->world, 1000);
    return visitor;
}

START_TEST(test_peers_are_found_over_udp)
{
    struct two two = two_trackers(720, SECOND, NULL);
    struct visitor *first = open_site(&two.scene, "v1");

    scene_load_all(&two.scene, first);
    struct visitor *second = open_site(&two.scene, "v2");
    scene_load_all(&two.scene, second);
    ck_assert_uint_ge(scene_count(second, "doc", "page.peers") * 100,
                      scene_bundle_bytes(&two.scene, 0) * 95);
    ck_assert_uint_eq(two.first->events[TRACKER_STARTED], 2);
    ck_assert_uint_eq(two.first->connects, 2);
    two_free(&two);
}
END_TEST

static struct visitor *open_site_on_both(struct scene *scene, const char *name)
{
    struct visitor_config config = {
        .name = name, .link = LINK_HOME, .zone = ZONE_SHARE, .ipv6 = true};
    struct visitor *visitor = visitor_new(scene->world, &config);

    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene->world, 1000);
    return visitor;
}

START_TEST(test_who_listens_on_both_families_announces_over_both)
{
    struct two two = two_trackers(735, SECOND, NULL);
    struct visitor *both = open_site_on_both(&two.scene, "v1");

    ck_assert_uint_eq(two.first->events[TRACKER_STARTED], 2);
    ck_assert_uint_eq(two.first->started6, 1);
    open_site(&two.scene, "v2"); /* on IPv4 only */
    ck_assert_uint_eq(two.first->events[TRACKER_STARTED], 3);
    ck_assert_uint_eq(two.first->started6, 1);
    visitor_set_zone(both, SITE, ZONE_OFF);
    world_run(two.scene.world, 10000);
    ck_assert_uint_eq(two.first->stopped, 2);
    ck_assert_uint_eq(two.first->stopped6, 1);
    two_free(&two);
}
END_TEST

/* The tier works as soon as one family does: the next tracker is not troubled. */
static void check_one_family_is_enough(uint8_t family, uint64_t seed)
{
    struct two two = two_trackers(seed, SECOND, "udp://third.example:6969");

    two.first->server->family = family;
    open_site_on_both(&two.scene, "v1");
    world_run(two.scene.world, 1000000);
    ck_assert_uint_eq(two.first->events[TRACKER_STARTED], 1);
    ck_assert_uint_eq(two.first->started6, family == 6);
    ck_assert_uint_eq(two.second->announces, 0);
    two_free(&two);
}

START_TEST(test_a_tracker_of_one_family_works)
{
    check_one_family_is_enough(4, 736);
    check_one_family_is_enough(6, 737);
}
END_TEST

START_TEST(test_lost_datagrams_are_sent_again)
{
    struct two two = two_trackers(721, SECOND, NULL);

    two.first->server->loss = 30;
    for (int i = 0; i < 8; i++) {
        static const char *const names[] = {"v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8"};
        open_site(&two.scene, names[i]);
    }
    world_run(two.scene.world, 1500000);
    ck_assert_uint_eq(two.first->count, 8);
    ck_assert_uint_gt(two.first->server->datagrams, 16);
    two_free(&two);
}
END_TEST

/* As BEP 15 has it, and no more often. */
START_TEST(test_a_silent_udp_tracker_is_asked_ever_less)
{
    struct two two = two_trackers(722, SECOND, NULL);

    two.first->server->loss = 100;
    open_site(&two.scene, "v1");
    uint64_t end_us = world_elapsed_us(two.scene.world) + 7664000000;
    for (unsigned n = 0, at = 15; at < 7000; n++, at += 15u << n)
        ck_assert_uint_eq(udp_tracker_timeout_ms(n), 15000u << n);
    world_run(two.scene.world, (end_us - world_elapsed_us(two.scene.world)) / 1000);
    ck_assert_uint_eq(two.first->server->datagrams, 0);
    two.first->server->loss = 0;
    world_run(two.scene.world, 120000);
    ck_assert_uint_eq(two.first->events[TRACKER_STARTED], 1);
    two_free(&two);
}
END_TEST

static void check_second_helps(const char *first, const char *second, uint64_t seed)
{
    struct two two = two_trackers(seed, first, second);

    two.first->server->host->island = 1;
    two.first->server->loss = 100;
    struct visitor *visitor = open_site(&two.scene, "v1");
    ck_assert_uint_eq(two.second->announces, 0);
    world_run(two.scene.world, 5000);
    ck_assert_uint_eq(two.second->events[TRACKER_STARTED], 1);
    /* The first is not forgotten: all would meet there. */
    two.first->server->host->island = 0;
    two.first->server->loss = 0;
    world_run(two.scene.world, 300000);
    ck_assert_uint_eq(two.first->events[TRACKER_STARTED], 1);
    /* Both hear of the end. */
    visitor_set_zone(visitor, SITE, ZONE_OFF);
    world_run(two.scene.world, 10000);
    ck_assert_uint_eq(two.first->stopped, 1);
    ck_assert_uint_eq(two.second->stopped, 1);
    two_free(&two);
}

START_TEST(test_the_next_tracker_helps_when_one_is_silent)
{
    check_second_helps(FIRST, SECOND, 723);
    check_second_helps(SECOND, FIRST, 724);
    check_second_helps(FIRST, "https://other.example", 725);
}
END_TEST

START_TEST(test_who_works_is_asked_alone)
{
    struct two two = two_trackers(726, FIRST, SECOND);

    open_site(&two.scene, "v1");
    world_run(two.scene.world, 20000000);
    ck_assert_uint_ge(two.first->announces, 10);
    ck_assert_uint_le(two.first->announces, 13);
    ck_assert_uint_eq(two.second->announces, 0);
    ck_assert_uint_eq(two.first->events[TRACKER_STARTED], 1);
    two_free(&two);
}
END_TEST

static void check_events(const char *site, uint64_t seed)
{
    struct two two = two_trackers(seed, site, NULL);
    struct visitor *visitor = open_site(&two.scene, "v1");

    ck_assert_uint_eq(two.first->events[TRACKER_STARTED], 1);
    scene_load_all(&two.scene, visitor);
    world_run(two.scene.world, 20000);
    ck_assert_uint_eq(two.first->events[TRACKER_COMPLETED], 1);
    visitor_set_zone(visitor, SITE, ZONE_OFF);
    world_run(two.scene.world, 200000);
    ck_assert_uint_eq(two.first->stopped, 1);
    ck_assert_uint_eq(two.first->count, 0);
    /* Who has everything from the start never says `completed`. */
    visitor_set_zone(visitor, SITE, ZONE_SHARE);
    world_run(two.scene.world, 20000);
    ck_assert_uint_eq(two.first->events[TRACKER_STARTED], 2);
    ck_assert_uint_eq(two.first->events[TRACKER_COMPLETED], 1);
    ck_assert_uint_eq(two.first->count, 1);
    two_free(&two);
}

START_TEST(test_a_tracker_hears_of_beginning_and_end)
{
    check_events(FIRST, 727);
    check_events(SECOND, 728);
}
END_TEST

START_TEST(test_trackers_of_a_new_release_are_followed)
{
    struct two two = two_trackers(729, FIRST, NULL);
    struct visitor *visitor = open_site(&two.scene, "v1");
    struct publisher *site = two.scene.site;

    scene_load_all(&two.scene, visitor);
    two.second = sim_tracker_new(two.scene.world, SECOND);
    mem_free(site->trackers[0]);
    site->trackers[0] = mem_strdup(SECOND);
    publisher_publish(site);
    visitor_site_open(visitor, SITE, 2, "doc");
    world_run(two.scene.world, 20000);
    ck_assert_uint_eq(two.first->stopped, 1);
    ck_assert_uint_eq(two.second->events[TRACKER_STARTED], 1);
    two_free(&two);
}
END_TEST

static void check_rubbish(const char *site, const char *text, uint64_t seed)
{
    struct two two = two_trackers(seed, site, NULL);

    two.first->garbage = text;
    struct visitor *visitor = open_site(&two.scene, "v1");
    scene_load_all(&two.scene, visitor);
    world_run(two.scene.world, 36000000);
    ck_assert_uint_le(two.first->announces, 60); /* in ten hours */
    two_free(&two);
}

START_TEST(test_a_failing_tracker_is_asked_ever_less)
{
    check_rubbish(FIRST, "d14:failure reason4:nonee", 730);
    check_rubbish(FIRST, "<html>", 731);
    check_rubbish(FIRST, "d14:failure reason4:none8:retry in5:nevere", 732);
    check_rubbish(SECOND, "hello", 733);
    check_rubbish(SECOND, "", 734);
}
END_TEST

/* The tracker knows nobody at first; the page need not wait for half an hour. */
START_TEST(test_who_finds_nobody_asks_again_soon)
{
    struct two two = two_trackers(735, FIRST, NULL);
    struct visitor *second = open_site(&two.scene, "v2");

    scene_load(second, "/static/a.js");
    server_set_down(two.scene.site->server, true);
    struct script *seed = scene_script(&two.scene, &(struct script_flags){0});
    sim_tracker_add(two.first, two.scene.site->bundles[0].infohash, &seed->host->address);
    uint64_t from_us = world_elapsed_us(two.scene.world);
    while (scene_fetch(second, "/static/c.bin")->state != FETCH_DONE) {
        ck_assert_uint_le(world_elapsed_us(two.scene.world) - from_us, 320000000);
        world_run(two.scene.world, 1000); /* the visitor tries again */
    }
    two_free(&two);
}
END_TEST

/* --- the home router (EVENT_PORT_MAPPED) */

static void map_port(struct visitor *visitor, uint16_t port)
{
    struct event event = {.kind = EVENT_PORT_MAPPED};

    event.mapping.state = port != 0 ? "mapped" : "refused";
    event.mapping.method = port != 0 ? "upnp" : "";
    event.mapping.external = (struct address){.family = 4, .ip = {20, 0, 0, 1}, .port = port};
    visitor_step(visitor, &event);
    world_run(visitor->world, 5000);
}

static void check_mapping(const char *site, uint64_t seed)
{
    struct two two = two_trackers(seed, site, NULL);
    struct visitor *visitor = open_site(&two.scene, "v1");

    scene_load_all(&two.scene, visitor);
    world_run(two.scene.world, 20000);
    uint32_t announces = two.first->announces;
    map_port(visitor, 40000);
    ck_assert_uint_eq(two.first->announces, announces + 1);
    ck_assert_uint_eq(two.first->peers[two.first->count - 1]->key.address.port, 40000);
    map_port(visitor, 40000); /* renewed */
    map_port(visitor, 40000);
    ck_assert_uint_eq(two.first->announces, announces + 1);
    map_port(visitor, 40001); /* a router that changes its mind */
    ck_assert_uint_eq(two.first->peers[two.first->count - 1]->key.address.port, 40001);
    map_port(visitor, 0);
    ck_assert_uint_eq(two.first->announces, announces + 3);
    two_free(&two);
}

START_TEST(test_trackers_are_told_the_port_of_the_router)
{
    check_mapping(FIRST, 740);
    check_mapping(SECOND, 741);
}
END_TEST

/* The router tells while the first announce is on its way. */
START_TEST(test_a_port_that_comes_during_an_announce)
{
    struct two two = two_trackers(742, FIRST, NULL);
    struct visitor *visitor = scene_visitor(&two.scene, "v1", ZONE_SHARE, NULL);

    visitor_site_open(visitor, SITE, 1, "doc");
    while (two.first->announces == 0)
        world_run(two.scene.world, 1); /* the reply is not there yet */
    map_port(visitor, 40000);
    ck_assert_uint_eq(two.first->announces, 2);
    ck_assert_uint_eq(two.first->peers[two.first->count - 1]->key.address.port, 40000);
    two_free(&two);
}
END_TEST

START_TEST(test_status_says_what_the_router_does)
{
    struct scene scene = scene_with_files(743);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct api_request request = {.type = API_STATUS};

    struct ask *ask = visitor_ask(visitor, 1, &request);
    world_run(scene.world, 10);
    ck_assert_str_eq(ask_text(visitor, ask, "port_mapping.state"), "off");
    map_port(visitor, 40000);
    ask = visitor_ask(visitor, 1, &request);
    world_run(scene.world, 10);
    ck_assert_str_eq(ask_text(visitor, ask, "port_mapping.state"), "mapped");
    ck_assert_str_eq(ask_text(visitor, ask, "port_mapping.method"), "upnp");
    ck_assert_str_eq(ask_text(visitor, ask, "port_mapping.external"), "20.0.0.1:40000");
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_finding",
          TESTS(test_two_that_have_everything_stay, test_of_many_that_have_everything_most_part,
                test_a_stock_client_that_has_everything_parts,
                test_who_has_everything_behind_nat_gives_it,
                test_who_fetches_only_and_has_everything_dials_nobody,
                test_who_fetches_only_stays_with_who_has_everything, test_oneself_is_dialled_once,
                test_a_waiting_page_dials_more_often, test_peers_are_found_over_udp,
                test_who_listens_on_both_families_announces_over_both,
                test_a_tracker_of_one_family_works, test_lost_datagrams_are_sent_again,
                test_a_silent_udp_tracker_is_asked_ever_less,
                test_the_next_tracker_helps_when_one_is_silent, test_who_works_is_asked_alone,
                test_a_tracker_hears_of_beginning_and_end,
                test_trackers_of_a_new_release_are_followed,
                test_a_failing_tracker_is_asked_ever_less, test_who_finds_nobody_asks_again_soon,
                test_trackers_are_told_the_port_of_the_router,
                test_a_port_that_comes_during_an_announce, test_status_says_what_the_router_does))
