/* A visitor's connection to the super-nodes that a release names. What plays the super-node here
 * is a peer that has everything: its own side is tests/interop/test_supernode.py's. */
#include "sim_test.h"

#define MINUTE_MS      60000
#define NOT_INTERESTED 3

struct nodes {
    struct scene scene;
    struct script *super[2];
    struct visitor *visitor;
};

static struct script *whole(struct scene *scene, const char *name)
{
    const struct script_flags good = {0};

    return script_new(scene->world, name, &LINK_FAST, script_torrent(scene->site, 0), &good);
}

/* Two super-nodes, and a visitor who hears of nobody else; the second release names them. */
static struct nodes nodes_new(uint64_t seed, const char *scheme)
{
    struct nodes nodes = {.scene = scene_with_files(seed)};

    nodes.super[0] = whole(&nodes.scene, "one");
    nodes.super[1] = whole(&nodes.scene, "two");
    for (int i = 0; i < 2; i++)
        publisher_add_supernode(nodes.scene.site, scheme, nodes.super[i]->host);
    publisher_publish(nodes.scene.site);
    nodes.visitor = scene_visitor(&nodes.scene, "visitor", ZONE_SHARE, NULL);
    return nodes;
}

static uint32_t connections(const struct script *script)
{
    return script->host->open_conns;
}

static void open_page(struct nodes *nodes, const char *doc)
{
    ask_wait(nodes->visitor, visitor_site_open(nodes->visitor, SITE, 2, doc), 10000);
    world_run(nodes->scene.world, 5000);
}

static void close_page(struct nodes *nodes, const char *doc)
{
    struct api_request request = {.type = API_DOC_CLOSE, .zone = ZONE_DEFAULT};

    snprintf(request.doc, sizeof request.doc, "%s", doc);
    visitor_ask(nodes->visitor, 1, &request);
}

/* Which of the two the visitor is connected to; fails when it is not just one. */
static int connected_to(const struct nodes *nodes)
{
    uint32_t first = connections(nodes->super[0]), second = connections(nodes->super[1]);

    ck_assert_uint_eq(first + second, 1);
    return first == 1 ? 0 : 1;
}

/* Whoever says nothing at all for two minutes is taken for dead. */
static void run_minutes(struct nodes *nodes, uint32_t minutes)
{
    for (uint32_t i = 0; i < minutes; i++) {
        for (int k = 0; k < 2; k++)
            script_say_all(nodes->super[k], NOT_INTERESTED, NULL, 0);
        world_run(nodes->scene.world, MINUTE_MS);
    }
}

START_TEST(test_one_connection_while_the_site_is_open)
{
    struct nodes nodes = nodes_new(1, "wss");

    open_page(&nodes, "a");
    int which = connected_to(&nodes);
    open_page(&nodes, "b"); /* a second page needs no second one */
    run_minutes(&nodes, 120);
    close_page(&nodes, "a");
    run_minutes(&nodes, 30);
    ck_assert_int_eq(connected_to(&nodes), which);
    ck_assert_uint_eq(nodes.visitor->counts.dials, 1);
    close_page(&nodes, "b"); /* the last one: soon nothing is kept for it */
    run_minutes(&nodes, 30);
    ck_assert_uint_eq(connections(nodes.super[0]) + connections(nodes.super[1]), 0);
    ck_assert_uint_eq(nodes.visitor->counts.dials, 1);
    open_page(&nodes, "c");
    connected_to(&nodes);
    scene_free(&nodes.scene);
}
END_TEST

START_TEST(test_what_it_brings_counts_as_its)
{
    struct nodes nodes = nodes_new(2, "tcp");

    open_page(&nodes, "doc");
    scene_load_all(&nodes.scene, nodes.visitor);
    uint64_t all = scene_bundle_bytes(&nodes.scene, 0);
    ck_assert_uint_eq(scene_count(nodes.visitor, "", "total.supernode"), all);
    ck_assert_uint_eq(scene_count(nodes.visitor, "", "total.peers"), 0);
    ck_assert_uint_eq(scene_origin_bytes(&nodes.scene), 0);
    ck_assert_uint_eq(scene_count(nodes.visitor, "", "spared.shared"), all);
    scene_free(&nodes.scene);
}
END_TEST

START_TEST(test_the_next_one_when_it_fails)
{
    struct nodes nodes = nodes_new(3, "wss");

    open_page(&nodes, "doc");
    int which = connected_to(&nodes);
    link_host_down(nodes.super[which]->host);
    world_run(nodes.scene.world, MINUTE_MS);
    ck_assert_int_eq(connected_to(&nodes), 1 - which);
    scene_load_all(&nodes.scene, nodes.visitor);
    ck_assert_uint_eq(scene_origin_bytes(&nodes.scene), 0);
    scene_free(&nodes.scene);
}
END_TEST

/* They are not dialled in a frenzy, the page does without, and one that is back is found. */
START_TEST(test_all_are_away)
{
    struct nodes nodes = nodes_new(4, "wss");

    for (int i = 0; i < 2; i++)
        link_host_down(nodes.super[i]->host);
    open_page(&nodes, "doc");
    scene_load_all(&nodes.scene, nodes.visitor);
    ck_assert_uint_eq(scene_origin_bytes(&nodes.scene), scene_bundle_bytes(&nodes.scene, 0));
    world_run(nodes.scene.world, 60 * MINUTE_MS);
    /* 5 s doubled up to 10 min, two each time: some twelve rounds in the hour */
    ck_assert_uint_le(nodes.visitor->counts.dials, 30);
    ck_assert_uint_ge(nodes.visitor->counts.dials, 12);
    link_host_up(nodes.super[1]->host);
    world_run(nodes.scene.world, 15 * MINUTE_MS);
    ck_assert_int_eq(connected_to(&nodes), 1);
    scene_free(&nodes.scene);
}
END_TEST

START_TEST(test_visitors_begin_at_different_ones)
{
    struct nodes nodes = nodes_new(5, "wss");

    for (int i = 0; i < 24; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        struct visitor *visitor = scene_visitor(&nodes.scene, name, ZONE_FETCH, NULL);
        ask_wait(visitor, visitor_site_open(visitor, SITE, 2, "doc"), 10000);
    }
    world_run(nodes.scene.world, 5000);
    ck_assert_uint_eq(connections(nodes.super[0]) + connections(nodes.super[1]), 24);
    ck_assert_uint_ge(connections(nodes.super[0]), 5);
    ck_assert_uint_ge(connections(nodes.super[1]), 5);
    scene_free(&nodes.scene);
}
END_TEST

START_TEST(test_off_and_pause_end_it)
{
    struct nodes nodes = nodes_new(6, "tcp");

    open_page(&nodes, "doc");
    connected_to(&nodes);
    visitor_pause(nodes.visitor, 30);
    world_run(nodes.scene.world, 2000);
    ck_assert_uint_eq(connections(nodes.super[0]) + connections(nodes.super[1]), 0);
    visitor_resume(nodes.visitor);
    world_run(nodes.scene.world, MINUTE_MS);
    connected_to(&nodes);
    visitor_set_zone(nodes.visitor, SITE, ZONE_OFF);
    world_run(nodes.scene.world, 2000);
    ck_assert_uint_eq(connections(nodes.super[0]) + connections(nodes.super[1]), 0);
    scene_free(&nodes.scene);
}
END_TEST

/* `sharing` "supernode-only": who is a peer already is left, and nobody else dialled. */
START_TEST(test_super_nodes_only)
{
    struct scene scene = scene_with_files(7);
    struct script *super = whole(&scene, "super"), *other = whole(&scene, "other");
    struct visitor *visitor = scene_visitor(&scene, "visitor", ZONE_SHARE, other->host);

    scene_load_all(&scene, visitor);
    ck_assert_uint_eq(connections(other), 1);
    publisher_add_supernode(scene.site, "tcp", super->host);
    scene.site->supernodes_only = true;
    publisher_publish(scene.site);
    ask_wait(visitor, visitor_site_open(visitor, SITE, 2, "next"), 10000);
    world_run(scene.world, MINUTE_MS);
    ck_assert_uint_eq(connections(super), 1);
    ck_assert_uint_eq(connections(other), 0);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_supernode", TESTS(test_one_connection_while_the_site_is_open,
                                 test_what_it_brings_counts_as_its, test_the_next_one_when_it_fails,
                                 test_all_are_away, test_visitors_begin_at_different_ones,
                                 test_off_and_pause_end_it, test_super_nodes_only))
