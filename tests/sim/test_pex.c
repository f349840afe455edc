/* Peers tell each other of peers (BEP 11), and which connections stay (BEP 40). */
#include "sim_test.h"
#include "wire/peer_priority.h"
#include "wire/ut_pex.h"

#define NOT_INTERESTED 3
#define EXTENDED       20
#define OFFERS         "\0d1:md6:ut_pexi7eee" /* the id under which it wants them */

/* --- told */

static bool is_connected(const struct visitor *visitor, const struct host *host)
{
    for (const struct socket *s = visitor->sockets; s != NULL; s = s->hh.next) {
        const struct conn *conn = link_find(visitor->world, s->conn);
        if (conn != NULL && conn->ends[1 - s->side].host == host)
            return true;
    }
    return false;
}

static void check_introduction(enum zone zone, uint64_t seed)
{
    struct scene scene = scene_with_files(seed);
    struct visitor *hub = scene_visitor(&scene, "hub", zone, NULL);

    scene_load(hub, "/static/a.js");
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, hub->host);
    scene_load(first, "/static/a.js");
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, hub->host);
    scene_load(second, "/static/a.js");
    world_run(scene.world, 30000);
    ck_assert(is_connected(second, hub->host));
    ck_assert_int_eq(is_connected(second, first->host), zone == ZONE_SHARE);
    scene_free(&scene);
}

START_TEST(test_a_common_peer_introduces_two)
{
    check_introduction(ZONE_SHARE, 750);
}
END_TEST

START_TEST(test_who_only_fetches_names_nobody)
{
    check_introduction(ZONE_FETCH, 751);
}
END_TEST

struct listener {
    uint32_t messages;
    uint64_t last_us, least_us;
    struct ut_pex last;
};

static bool hear(struct script *script, struct script_conn *sc, uint8_t id, struct span body)
{
    struct listener *listener = script->user;
    uint64_t now = world_elapsed_us(script->world);

    (void)sc;
    if (id != EXTENDED || body.length < 1 || body.data[0] != 7)
        return false;
    ck_assert_int_eq(ut_pex_decode(span_of(body.data + 1, body.length - 1), &listener->last),
                     ERR_OK);
    if (listener->messages++ > 0 && now - listener->last_us < listener->least_us)
        listener->least_us = now - listener->last_us;
    listener->last_us = now;
    return true;
}

/* A visitor that has something, and a script that listens to it. */
static struct script *begin(struct scene *scene, struct visitor **visitor,
                            struct listener *listener)
{
    *visitor = scene_visitor(scene, "v1", ZONE_SHARE, NULL);
    scene_load(*visitor, "/static/a.js");
    struct script *script =
        scene_script(scene, &(struct script_flags){.has_nothing = true, .extended = true});
    *listener = (struct listener){.least_us = UINT64_MAX};
    script->hear = hear;
    script->user = listener;
    script_dial(script, (*visitor)->host);
    world_run(scene->world, 1000);
    script_say_all(script, EXTENDED, OFFERS, sizeof OFFERS - 1);
    return script;
}

START_TEST(test_what_is_told_and_how_often)
{
    struct scene scene = scene_with_files(752);
    struct visitor *visitor;
    struct listener listener;

    struct script *script = begin(&scene, &visitor, &listener);
    world_run(scene.world, 10000);
    ck_assert_uint_eq(listener.messages, 0); /* there is nobody else */
    struct visitor *other = scene_visitor(&scene, "v2", ZONE_SHARE, visitor->host);
    scene_load(other, "/static/a.js");
    world_run(scene.world, 70000);
    ck_assert_uint_eq(listener.messages, 1);
    ck_assert_uint_eq(listener.last.added_count, 1);
    /* Where it listens, not where it came from. */
    ck_assert(address_equal(&listener.last.added[0].address, &other->host->address));
    world_run(scene.world, 100000);
    ck_assert_uint_eq(listener.messages, 1);
    script_say_all(script, NOT_INTERESTED, NULL, 0); /* it is still there */
    visitor_kill(other);
    world_run(scene.world, 70000);
    ck_assert_uint_eq(listener.messages, 2);
    ck_assert_uint_eq(listener.last.added_count, 0);
    ck_assert_uint_eq(listener.last.dropped_count, 1);
    for (int i = 0; i < 10; i++) { /* it comes and goes */
        script_say_all(script, NOT_INTERESTED, NULL, 0);
        visitor_start(other);
        scene_load(other, "/static/b.wasm");
        world_run(scene.world, 20000);
        visitor_kill(other);
        world_run(scene.world, 20000);
    }
    ck_assert_uint_ge(listener.messages, 3);
    ck_assert_uint_ge(listener.least_us, 59000000);
    scene_free(&scene);
}
END_TEST

/* --- heard */

static void say_peers(struct script *script, const struct ut_pex *peers)
{
    struct buf out;

    buf_init(&out, KIB(8));
    buf_put_u8(&out, 4); /* the visitor's number for ut_pex */
    ut_pex_encode(peers, &out);
    script_say_all(script, EXTENDED, out.data, out.length);
    buf_done(&out);
}

static struct ut_pex make_peers(uint8_t net, size_t count)
{
    struct ut_pex peers = {.added_count = count};

    for (size_t i = 0; i < count; i++)
        peers.added[i].address =
            (struct address){.family = 4, .ip = {net, 9, 9, (uint8_t)(i + 1)}, .port = 6881};
    return peers;
}

START_TEST(test_no_private_address_from_a_peer_is_dialled)
{
    static const char *const bad[] = {"127.0.0.1:80",   "10.1.2.3:6881",       "192.168.1.1:80",
                                      "169.254.1.1:80", "224.0.0.1:6881",      "[::1]:80",
                                      "[fe80::1]:1",    "[fd00::1]:1",         "100.64.0.1:6881",
                                      "0.0.0.0:6881",   "[::ffff:10.0.0.1]:80"};
    struct scene scene = scene_with_files(753);
    struct visitor *visitor;
    struct listener listener;
    struct script *script = begin(&scene, &visitor, &listener);
    struct ut_pex peers = {.added_count = sizeof bad / sizeof bad[0]};

    for (size_t i = 0; i < peers.added_count; i++)
        ck_assert_int_eq(address_parse(bad[i], &peers.added[i].address), ERR_OK);
    say_peers(script, &peers);
    world_run(scene.world, 60000);
    ck_assert_uint_eq(visitor->counts.dials, 0);
    /* and the check is one that lets others through */
    peers = make_peers(21, 1);
    say_peers(script, &peers);
    world_run(scene.world, 3000);
    ck_assert_uint_eq(visitor->counts.dials, 1);
    scene_free(&scene);
}
END_TEST

START_TEST(test_one_peer_cannot_name_very_many)
{
    struct scene scene = scene_with_files(754);
    struct visitor *visitor;
    struct listener listener;
    struct script *script = begin(&scene, &visitor, &listener);

    for (uint8_t i = 0; i < 5; i++) {
        struct ut_pex peers = make_peers((uint8_t)(21 + i), 50);
        say_peers(script, &peers);
        world_run(scene.world, 61000);
    }
    ck_assert_uint_eq(script->closed, 0);
    /* Each is tried no more often than six times. */
    world_run(scene.world, 2000000);
    ck_assert_uint_ge(visitor->counts.dials, 100);
    ck_assert_uint_le(visitor->counts.dials, 2 * 6 * LIMIT_PEX_FROM_PEER);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_flood_of_names_ends_the_connection)
{
    struct scene scene = scene_with_files(755);
    struct visitor *visitor;
    struct listener listener;
    struct script *script = begin(&scene, &visitor, &listener);

    for (uint8_t i = 0; i < 20; i++) {
        struct ut_pex peers = make_peers((uint8_t)(21 + i), 2);
        say_peers(script, &peers);
        world_run(scene.world, 1000);
    }
    ck_assert_uint_eq(script->closed, 1);
    ck_assert_uint_le(visitor->counts.dials, 6); /* two, some more than once */
    scene_free(&scene);
}
END_TEST

START_TEST(test_what_is_taken_back_is_dialled_no_more)
{
    struct scene scene = scene_with_files(756);
    struct visitor *visitor;
    struct listener listener;
    struct script *script = begin(&scene, &visitor, &listener);
    struct ut_pex peers = make_peers(21, 3);

    say_peers(script, &peers);
    world_run(scene.world, 61000);
    uint64_t dials = visitor->counts.dials;
    ck_assert_uint_ge(dials, 3);
    for (size_t i = 0; i < 3; i++)
        peers.dropped[i] = peers.added[i];
    peers.added_count = 0;
    peers.dropped_count = 3;
    say_peers(script, &peers);
    world_run(scene.world, 600000);
    ck_assert_uint_le(visitor->counts.dials, dials + 3);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_malformed_list_ends_the_connection)
{
    struct scene scene = scene_with_files(757);
    struct visitor *visitor;
    struct listener listener;
    struct script *script = begin(&scene, &visitor, &listener);

    script_say_all(script, EXTENDED, "\4d5:added5:abcdee", 17);
    world_run(scene.world, 1000);
    ck_assert_uint_eq(script->closed, 1);
    scene_free(&scene);
}
END_TEST

/* --- who stays */

START_TEST(test_a_full_swarm_keeps_those_of_high_priority)
{
    enum { COUNT = LIMIT_PEERS_PER_SWARM + 30 };
    struct scene scene = scene_with_files(758);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct script *scripts[COUNT];
    uint32_t connected = 0, lowest_in = UINT32_MAX, highest_out = 0;

    scene_load(visitor, "/static/a.js");
    for (int i = 0; i < COUNT; i++) {
        scripts[i] = scene_script(&scene, &(struct script_flags){.has_nothing = true});
        script_dial(scripts[i], visitor->host);
        world_run(scene.world, 100);
    }
    world_run(scene.world, 1000);
    for (int i = 0; i < COUNT; i++) {
        uint32_t priority = peer_priority(&visitor->host->address, &scripts[i]->host->address);
        bool in = scripts[i]->closed == 0;
        connected += in;
        if (in && priority < lowest_in)
            lowest_in = priority;
        else if (!in && priority > highest_out)
            highest_out = priority;
    }
    ck_assert_uint_eq(connected, LIMIT_PEERS_PER_SWARM);
    ck_assert_uint_gt(lowest_in, highest_out);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_pex",
          TESTS(test_a_common_peer_introduces_two, test_who_only_fetches_names_nobody,
                test_what_is_told_and_how_often, test_no_private_address_from_a_peer_is_dialled,
                test_one_peer_cannot_name_very_many, test_a_flood_of_names_ends_the_connection,
                test_what_is_taken_back_is_dialled_no_more,
                test_a_malformed_list_ends_the_connection,
                test_a_full_swarm_keeps_those_of_high_priority))
