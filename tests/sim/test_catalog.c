/* A site of many bundles with a catalog: what a page loads of it, what comes with a new release,
 * and pages that are not what the release says. */
#include "sim_test.h"

#include <stdio.h>

#define FOLDERS 40
#define LENGTH  30000

static void add_file(struct scene *scene, size_t folder, uint64_t content)
{
    char path[32];

    snprintf(path, sizeof path, "d%02zu/a.js", folder);
    publisher_add(scene->site, folder, path, LENGTH, content);
}

/* A bundle for each folder, of a file that is all of its own and one more. */
static struct scene large_scene(uint64_t seed)
{
    struct scene scene = scene_new(seed);
    char path[32];

    scene.site->has_catalog = true;
    for (size_t i = 0; i < FOLDERS; i++) {
        if (i > 0)
            publisher_add_bundle(scene.site, "/static/", KIB(64));
        add_file(&scene, i, 1000 + i);
        snprintf(path, sizeof path, "d%02zu/b.js", i);
        publisher_add(scene.site, i, path, 500, i);
    }
    publisher_publish(scene.site);
    return scene;
}

static struct fetch *load(struct visitor *visitor, uint64_t seq, size_t folder)
{
    char path[48];

    snprintf(path, sizeof path, "/static/d%02zu/a.js", folder);
    struct fetch *fetch = fetch_begin(visitor, SITE, seq, path, "page");
    fetch_wait(fetch, 20000);
    return fetch;
}

static void check_load(struct visitor *visitor, uint64_t seq, size_t folder)
{
    struct fetch *fetch = load(visitor, seq, folder);
    ck_assert_msg(fetch->state == FETCH_DONE, "folder %zu: %s %s", folder,
                  fetch_state_name(fetch->state), fetch->reason);
}

static void check_origin(struct visitor *visitor, uint64_t seq, const char *reason)
{
    struct fetch *fetch = load(visitor, seq, 3);
    ck_assert_msg(fetch->state == FETCH_ORIGIN && strcmp(fetch->reason, reason) == 0, "%s %s",
                  fetch_state_name(fetch->state), fetch->reason);
}

/* Requests for what lies in .well-known/fringe with that ending. */
static uint32_t asked(const struct scene *scene, const char *suffix)
{
    uint32_t requests = 0;

    for (struct resource *r = scene->site->server->resources; r != NULL; r = r->hh.next) {
        size_t length = strlen(r->path);
        if (length > strlen(suffix) && strcmp(r->path + length - strlen(suffix), suffix) == 0)
            requests += r->requests;
    }
    return requests;
}

START_TEST(test_a_page_loads_what_it_needs)
{
    struct scene scene = large_scene(601);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);

    check_load(first, 1, 3);
    check_load(first, 1, 20);
    check_load(first, 1, 3);
    ck_assert_uint_eq(asked(&scene, ".catalog"), 2);
    ck_assert_uint_eq(asked(&scene, ".torrent"), 2);
    uint64_t sent = server_sent_below(scene.site->server, "/static/");
    check_load(second, 1, 20);
    ck_assert_uint_eq(server_sent_below(scene.site->server, "/static/"), sent);
    scene_free(&scene);
}
END_TEST

/* What was had of the release before comes in its new version, though no page asks for it. */
START_TEST(test_a_new_release_is_followed)
{
    struct scene scene = large_scene(602);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    check_load(visitor, 1, 3);
    check_load(visitor, 1, 20);
    add_file(&scene, 3, 77);
    add_file(&scene, 30, 78);
    publisher_publish(scene.site);
    check_load(visitor, 2, 20); /* which has not changed */
    world_run(scene.world, 60000);
    uint64_t sent = server_sent_below(scene.site->server, "/static/d03/");
    ck_assert_uint_eq(sent, 2 * LENGTH);
    check_load(visitor, 2, 3);
    ck_assert_uint_eq(server_sent_below(scene.site->server, "/static/d03/"), sent);
    ck_assert_uint_eq(server_sent_below(scene.site->server, "/static/d20/"), LENGTH);
    ck_assert_uint_eq(server_sent_below(scene.site->server, "/static/d30/"), 0);
    scene_free(&scene);
}
END_TEST

static void spoil(struct scene *scene, struct fault fault);

/* While its pages are missing nothing is forgotten. */
START_TEST(test_a_new_release_whose_catalog_comes_late)
{
    struct scene scene = large_scene(605);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct fault missing = FAULT_NONE;

    missing.status = 404;
    check_load(visitor, 1, 3);
    check_load(visitor, 1, 20);
    add_file(&scene, 3, 77);
    publisher_publish(scene.site);
    spoil(&scene, missing);
    check_origin(visitor, 2, "no-catalog");
    world_run(scene.world, 60000);
    spoil(&scene, FAULT_NONE);
    world_run(scene.world, 200000);
    ck_assert_uint_eq(server_sent_below(scene.site->server, "/static/d03/"), 2 * LENGTH);
    scene_free(&scene);
}
END_TEST

static void spoil(struct scene *scene, struct fault fault)
{
    for (struct resource *r = scene->site->server->resources; r != NULL; r = r->hh.next)
        if (strstr(r->path, ".catalog") != NULL)
            r->fault = fault;
}

START_TEST(test_pages_that_are_not_what_the_release_says)
{
    struct scene scene = large_scene(603);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct fault fault = FAULT_NONE;

    fault.flip_at = 20;
    spoil(&scene, fault);
    check_origin(visitor, 1, "bad-catalog");
    check_origin(visitor, 1, "bad-catalog");
    ck_assert_uint_eq(asked(&scene, ".catalog"), 1); /* not again and again */
    fault = FAULT_NONE;
    fault.endless = true;
    spoil(&scene, fault);
    world_run(scene.world, 31000);
    check_origin(visitor, 1, "no-catalog");
    fault = FAULT_NONE;
    fault.status = 404;
    spoil(&scene, fault);
    world_run(scene.world, 31000);
    check_origin(visitor, 1, "no-catalog");
    spoil(&scene, FAULT_NONE);
    world_run(scene.world, 31000);
    check_load(visitor, 1, 3);
    scene_free(&scene);
}
END_TEST

START_TEST(test_after_a_new_start)
{
    struct scene scene = large_scene(604);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    check_load(visitor, 1, 3);
    visitor_kill(visitor);
    visitor_start(visitor);
    uint64_t sent = server_sent_below(scene.site->server, "/static/");
    check_load(visitor, 1, 3);
    ck_assert_uint_eq(server_sent_below(scene.site->server, "/static/"), sent);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_catalog",
          TESTS(test_a_page_loads_what_it_needs, test_a_new_release_is_followed,
                test_a_new_release_whose_catalog_comes_late,
                test_pages_that_are_not_what_the_release_says, test_after_a_new_start))
