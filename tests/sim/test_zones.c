/* What the visitor chose: off does no network at all, fetch gives nothing away, share does; a
 * change is in force at once. The world checks the rules at every step (sniff.c, visitor.c);
 * here the cases are brought about. */
#include "sim_test.h"

START_TEST(test_off_does_nothing)
{
    struct scene scene = scene_with_files(200);
    struct script *stranger = scene_script(&scene, &(struct script_flags){.flood = 4});
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_OFF, stranger->host);
    struct ask *ask = visitor_site_open(visitor, SITE, 1, "doc");

    ask_wait(visitor, ask, 100);
    ck_assert_str_eq(ask_text(visitor, ask, "zone"), "off");
    ck_assert_str_eq(ask_text(visitor, ask, "state"), "off");
    struct fetch *fetch = scene_fetch(visitor, "/static/a.js");
    ck_assert_int_eq(fetch->state, FETCH_ORIGIN);
    ck_assert_str_eq(fetch->reason, "zone-off");
    ck_assert_uint_le(scene_ms(fetch), 1);
    /* A stranger is told nothing, not even that there is such a swarm. */
    script_dial(stranger, visitor->host);
    world_run(scene.world, 60000);
    ck_assert_uint_eq(stranger->handshakes, 0);
    ck_assert_uint_eq(visitor->counts.dials, 0);
    ck_assert_uint_eq(visitor->counts.gets, 0);
    ck_assert_uint_eq(HASH_COUNT(visitor->sockets), 0);
    scene_free(&scene);
}
END_TEST

START_TEST(test_fetch_uploads_nothing)
{
    struct scene scene = scene_with_files(201);
    struct visitor *sharer = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, sharer);
    struct visitor *taker = scene_visitor(&scene, "v2", ZONE_FETCH, sharer->host);
    scene_load_all(&scene, taker);

    ck_assert_uint_ge(scene_count(taker, "doc", "page.peers") * 100,
                      scene_bundle_bytes(&scene, 0) * 95);
    /* Others come to it: it gives nothing. */
    struct script *leech =
        scene_script(&scene, &(struct script_flags){.has_nothing = true, .flood = 4});
    script_dial(leech, taker->host);
    world_run(scene.world, 20000);
    ck_assert_uint_eq(leech->blocks_got, 0);
    ck_assert_uint_eq(leech->haves, 0);
    ck_assert_uint_eq(leech->unchokes, 0);
    ck_assert_uint_eq(taker->counts.block_bytes_sent, 0);
    ck_assert_uint_eq(taker->counts.haves_sent, 0);
    ck_assert_uint_eq(scene_count(taker, "", "total.uploaded"), 0);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_choice_for_one_site)
{
    struct scene scene = scene_with_files(202);
    struct publisher *other = publisher_new(scene.world, "https://other.example", NULL);
    publisher_add(other, 0, "x.js", 50000, 9);
    publisher_publish(other);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_OFF, NULL);

    visitor_set_zone(visitor, SITE, ZONE_SHARE);
    scene_load(visitor, "/static/a.js");
    struct fetch *fetch = fetch_begin(visitor, "https://other.example", 1, "/static/x.js", "doc2");
    fetch_wait(fetch, 1000);
    ck_assert_str_eq(fetch->reason, "zone-off");
    ck_assert_uint_eq(other->server->requests, 0);

    struct ask *ask = visitor_set_zone(visitor, SITE, ZONE_DEFAULT);
    ask_wait(visitor, ask, 10);
    ck_assert_str_eq(ask_text(visitor, ask, "zone"), "off");
    fetch = scene_fetch(visitor, "/static/a.js");
    ck_assert_str_eq(fetch->reason, "zone-off");
    scene_free(&scene);
}
END_TEST

/* Two visitors, the second in the middle of a download. */
static struct fetch *begin_download(struct scene *scene, struct visitor **ret_first,
                                    struct visitor **ret_second)
{
    *ret_first = scene_visitor(scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(scene, *ret_first);
    *ret_second = scene_visitor(scene, "v2", ZONE_SHARE, (*ret_first)->host);
    visitor_site_open(*ret_second, SITE, 1, "doc");
    world_run(scene->world, 1000);
    struct fetch *fetch = fetch_begin(*ret_second, SITE, 1, "/static/c.bin", "doc");
    world_run(scene->world, 250);
    ck_assert_int_eq(fetch->state, FETCH_STREAMING);
    return fetch;
}

START_TEST(test_switched_off_in_the_middle)
{
    struct scene scene = scene_with_files(203);
    struct visitor *first, *second;
    struct fetch *fetch = begin_download(&scene, &first, &second);
    uint64_t gets = second->counts.gets, dials = second->counts.dials;

    visitor_set_zone(second, SITE, ZONE_OFF);
    ck_assert_uint_eq(HASH_COUNT(second->sockets), 0);
    ck_assert_uint_eq(server_active(second), 0);
    ck_assert_int_eq(fetch->state, FETCH_FAILED);
    world_run(scene.world, 600000);
    ck_assert_uint_eq(second->counts.gets, gets);
    ck_assert_uint_eq(second->counts.dials, dials);
    ck_assert_uint_eq(HASH_COUNT(second->sockets), 0);

    /* And on again: what it has is still there. */
    uint64_t had = disk_bytes(second->disk);
    ck_assert_uint_gt(had, 0);
    visitor_set_zone(second, SITE, ZONE_SHARE);
    scene_load(second, "/static/c.bin");
    scene_free(&scene);
}
END_TEST

START_TEST(test_switched_off_among_many)
{
    struct scene scene = scene_with_files(209);
    struct visitor *givers[4];
    struct visitor_config config = {.name = "taker", .link = LINK_HOME, .zone = ZONE_SHARE};

    for (int i = 0; i < 4; i++) {
        char *name = mem_printf("v%d", i);
        givers[i] = scene_visitor(&scene, name, ZONE_SHARE, i > 0 ? givers[0]->host : NULL);
        config.peers[i] = givers[i]->host;
        scene_load_all(&scene, givers[i]);
        mem_free(name);
    }
    struct visitor *taker = visitor_new(scene.world, &config);
    visitor_site_open(taker, SITE, 1, "doc");
    world_run(scene.world, 1000);
    struct fetch *fetch = fetch_begin(taker, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 250);
    ck_assert_uint_eq(HASH_COUNT(taker->sockets), 4);
    ck_assert_int_eq(fetch->state, FETCH_STREAMING);
    /* The world fails the test when so much as a farewell is said. */
    visitor_set_zone(taker, SITE, ZONE_OFF);
    ck_assert_uint_eq(HASH_COUNT(taker->sockets), 0);
    world_run(scene.world, 10000);
    scene_free(&scene);
}
END_TEST

START_TEST(test_switched_off_by_the_giver)
{
    struct scene scene = scene_with_files(204);
    struct visitor *first, *second;
    struct fetch *fetch = begin_download(&scene, &first, &second);

    visitor_set_zone(first, SITE, ZONE_OFF);
    uint64_t sent = first->counts.block_bytes_sent;
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_eq(first->counts.block_bytes_sent, sent);
    scene_free(&scene);
}
END_TEST

START_TEST(test_from_share_to_fetch)
{
    struct scene scene = scene_with_files(205);
    struct visitor *first, *second;
    struct fetch *fetch = begin_download(&scene, &first, &second);

    visitor_set_zone(first, SITE, ZONE_FETCH);
    uint64_t sent = first->counts.block_bytes_sent, haves = first->counts.haves_sent;
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_eq(first->counts.block_bytes_sent, sent);
    ck_assert_uint_eq(first->counts.haves_sent, haves);
    scene_free(&scene);
}
END_TEST

START_TEST(test_from_fetch_to_share)
{
    struct scene scene = scene_with_files(206);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_FETCH, NULL);
    scene_load_all(&scene, first);
    struct script *leech =
        scene_script(&scene, &(struct script_flags){.has_nothing = true, .flood = 2});
    script_dial(leech, first->host);
    world_run(scene.world, 2000);
    ck_assert_uint_eq(leech->blocks_got, 0);
    visitor_set_zone(first, SITE, ZONE_SHARE);
    world_run(scene.world, 2000);
    if (leech->closed > 0) /* it may have been hung up on: then it comes again */
        script_dial(leech, first->host);
    world_run(scene.world, 5000);
    ck_assert_uint_ge(leech->haves, 1);
    ck_assert_uint_eq(leech->blocks_got, 2);
    scene_free(&scene);
}
END_TEST

START_TEST(test_two_takers_give_each_other_nothing)
{
    struct scene scene = scene_with_files(207);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_FETCH, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_FETCH, first->host);

    scene_load_all(&scene, first);
    scene_load_all(&scene, second);
    ck_assert_uint_eq(scene_count(second, "doc", "page.peers"), 0);
    ck_assert_uint_eq(scene_origin_bytes(&scene), 2 * scene_bundle_bytes(&scene, 0));
    scene_free(&scene);
}
END_TEST

START_TEST(test_other_clients_hear_of_a_change)
{
    struct scene scene = scene_with_files(208);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_OFF, NULL);
    struct api_request hello = {
        .type = API_HELLO, .api = 1, .extension = true, .zone = ZONE_DEFAULT};

    visitor_ask(visitor, 7, &hello);
    visitor_set_zone(visitor, SITE, ZONE_SHARE); /* by client 1 */
    ck_assert_uint_eq(visitor->events, 1);
    ck_assert_str_eq(json_string_value(json_object_get(visitor->last_event, "event")),
                     "site.changed");
    ck_assert_str_eq(json_string_value(json_object_get(visitor->last_event, "zone")), "share");
    struct event closed = {.kind = EVENT_CLIENT_CLOSED};
    closed.client.client = 7;
    visitor_step(visitor, &closed);
    visitor_set_zone(visitor, SITE, ZONE_OFF);
    ck_assert_uint_eq(visitor->events, 1);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_zones",
          TESTS(test_off_does_nothing, test_fetch_uploads_nothing, test_a_choice_for_one_site,
                test_switched_off_in_the_middle, test_switched_off_among_many,
                test_switched_off_by_the_giver, test_from_share_to_fetch, test_from_fetch_to_share,
                test_two_takers_give_each_other_nothing, test_other_clients_hear_of_a_change))
