/* Local discovery (BEP 14): neighbours with private addresses, and what may be heard. */
#include "sim_test.h"
#include "wire/metainfo.h"

static void set_local(struct visitor *visitor, bool on)
{
    struct api_request request = {.type = API_SETTINGS};

    request.given[SETTING_LOCAL_DISCOVERY] = true;
    request.settings[SETTING_LOCAL_DISCOVERY] = on;
    ask_wait(visitor, visitor_ask(visitor, 1, &request), 1000);
}

/* On the same network, with private addresses. */
static struct visitor *neighbour(struct scene *scene, const char *name, uint8_t number,
                                 enum zone zone)
{
    struct visitor *visitor = scene_visitor(scene, name, zone, NULL);

    visitor_kill(visitor);
    link_host_move(visitor->host, (uint8_t[]){192, 168, number, number});
    visitor_start(visitor);
    return visitor;
}

START_TEST(test_neighbours_find_each_other)
{
    struct scene scene = scene_with_files(740);
    struct visitor *first = neighbour(&scene, "v1", 1, ZONE_SHARE);
    struct visitor *second = neighbour(&scene, "v2", 2, ZONE_SHARE);

    set_local(first, true);
    scene_load_all(&scene, first);
    set_local(second, true);
    visitor_site_open(second, SITE, 1, "doc");
    world_run(scene.world, 1000);
    scene_load_all(&scene, second);
    ck_assert_uint_ge(scene_count(second, "doc", "page.peers"), MIB(1));
    ck_assert_uint_eq(first->shouts, 1);
    world_run(scene.world, 1000000);
    ck_assert_uint_ge(first->shouts, 3);
    ck_assert_uint_le(first->shouts, 5);
    set_local(first, false);
    uint32_t shouts = first->shouts;
    world_run(scene.world, 1000000);
    ck_assert_uint_eq(first->shouts, shouts);
    ck_assert(!first->listens);
    ck_assert_uint_le(first->counts.dials + second->counts.dials, 4); /* not each itself */
    scene_free(&scene);
}
END_TEST

START_TEST(test_local_discovery_is_off_at_first)
{
    struct scene scene = scene_with_files(741);
    struct visitor *first = neighbour(&scene, "v1", 1, ZONE_SHARE);
    struct visitor *second = neighbour(&scene, "v2", 2, ZONE_SHARE);

    scene_load_all(&scene, first);
    scene_load_all(&scene, second);
    world_run(scene.world, 600000);
    ck_assert(!first->listens && !second->listens);
    ck_assert_uint_eq(first->shouts + second->shouts, 0);
    scene_free(&scene);
}
END_TEST

START_TEST(test_only_what_is_shared_is_shown)
{
    struct scene scene = scene_with_files(742);
    struct visitor *first = neighbour(&scene, "v1", 1, ZONE_FETCH);

    set_local(first, true);
    scene_load_all(&scene, first);
    world_run(scene.world, 600000);
    ck_assert_uint_eq(first->shouts, 0);
    visitor_set_zone(first, SITE, ZONE_SHARE);
    world_run(scene.world, 1000);
    ck_assert_uint_eq(first->shouts, 1);
    visitor_set_zone(first, SITE, ZONE_OFF);
    world_run(scene.world, 600000);
    ck_assert_uint_eq(first->shouts, 1);
    scene_free(&scene);
}
END_TEST

static void shout(struct visitor *to, const char *text, const char *from)
{
    struct event event = {.kind = EVENT_LSD_HEARD};

    ck_assert_int_eq(address_parse(from, &event.lsd.from), ERR_OK);
    event.lsd.data = span_text(text);
    visitor_step(to, &event);
}

START_TEST(test_what_is_shouted_may_be_rubbish)
{
    struct scene scene = scene_with_files(743);
    struct visitor *visitor = neighbour(&scene, "v1", 1, ZONE_SHARE);
    char hash[2 * HASH_LENGTH + 1];

    set_local(visitor, true);
    scene_load(visitor, "/static/a.js");
    hex_encode(hash, scene.site->bundles[0].infohash, 20);
    char *text = mem_printf("BT-SEARCH * HTTP/1.1\r\nHost: x\r\nPort: 6881\r\nInfohash: %s\r\n"
                            "\r\n\r\n",
                            hash);
    shout(visitor, "", "192.168.7.7:1");
    shout(visitor, "BT-SEARCH * HTTP/1.1\r\n", "192.168.7.7:1");
    shout(visitor, text, "[fe80::1]:6771");
    ck_assert_uint_eq(visitor->counts.dials, 0);
    for (int i = 0; i < 5000; i++) { /* a flood of neighbours that are none */
        char from[24];
        snprintf(from, sizeof from, "10.7.%d.%d:1", i / 250, i % 250);
        shout(visitor, text, from);
    }
    ck_assert_uint_ge(visitor->counts.dials, 1);
    world_run(scene.world, 600000);
    ck_assert_uint_le(visitor->counts.dials, 101 * 7);
    mem_free(text);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_local_discovery",
          TESTS(test_neighbours_find_each_other, test_local_discovery_is_off_at_first,
                test_only_what_is_shared_is_shown, test_what_is_shouted_may_be_rubbish))
