/* Small files that come with their answer (asset.want's `inline`): when, when not, and what a page
 * that waits for one hears if it does not come. That no byte of them is unverified is checked in
 * effects.c, for all worlds. */
#include "sim_test.h"

#define SMALL     "/static/s.js"
#define SMALL_LEN 5000

static struct scene scene_with_small(uint64_t seed)
{
    struct scene scene = scene_new(seed);

    publisher_add(scene.site, 0, "s.js", SMALL_LEN, 1);
    publisher_add(scene.site, 0, "a.js", 20000, 2);
    publisher_add(scene.site, 0, "exact.js", LIMIT_INLINE, 3);
    publisher_add(scene.site, 0, "empty.js", 0, 4);
    publisher_publish(scene.site);
    return scene;
}

static struct ask *want(struct visitor *visitor, const char *path, uint64_t inline_max)
{
    struct api_request request = {
        .type = API_ASSET_WANT, .seq = 1, .zone = ZONE_DEFAULT, .inline_max = inline_max};

    snprintf(request.site, sizeof request.site, "%s", SITE);
    snprintf(request.path, sizeof request.path, "%s", path);
    snprintf(request.doc, sizeof request.doc, "doc");
    return visitor_ask(visitor, 1, &request);
}

static void expect(struct visitor *visitor, struct ask *ask, uint64_t ms, bool body)
{
    ask_wait(visitor, ask, ms);
    ck_assert_str_eq(ask_text(visitor, ask, "via"), "gateway");
    ck_assert_int_eq(ask->has_body, body);
}

START_TEST(test_the_answer_waits_for_a_small_file)
{
    struct scene scene = scene_with_small(1);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct ask *first = want(visitor, SMALL, LIMIT_INLINE),
               *second = want(visitor, SMALL, SMALL_LEN);

    ck_assert_ptr_null(first->answer);
    expect(visitor, first, 2000, true);
    expect(visitor, second, 0, true);
    expect(visitor, want(visitor, SMALL, LIMIT_INLINE), 0, true); /* from the cache */
    expect(visitor, want(visitor, "/static/exact.js", LIMIT_INLINE), 600, true);
    ck_assert_uint_eq(scene_count(visitor, "doc", "page.origin"), SMALL_LEN + LIMIT_INLINE);
    ck_assert_uint_eq(scene_origin_bytes(&scene), SMALL_LEN + LIMIT_INLINE);
    scene_free(&scene);
}
END_TEST

START_TEST(test_not_with_the_answer)
{
    struct scene scene = scene_with_small(2);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load(visitor, SMALL);
    expect(visitor, want(visitor, SMALL, 0), 0, false);
    expect(visitor, want(visitor, SMALL, SMALL_LEN - 1), 0, false);
    expect(visitor, want(visitor, "/static/a.js", LIMIT_INLINE), 0, false);
    expect(visitor, want(visitor, "/static/empty.js", LIMIT_INLINE), 0, false);
    struct ask *ask = want(visitor, "/static/nobody.js", LIMIT_INLINE);
    ask_wait(visitor, ask, 0);
    ck_assert_str_eq(ask_text(visitor, ask, "via"), "origin");
    scene_free(&scene);
}
END_TEST

/* Nobody waits for longer than an extension takes a host for alive. */
START_TEST(test_a_file_that_does_not_come)
{
    struct scene scene = scene_with_small(3);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load(visitor, "/static/a.js");
    scene.site->server->fault.stall_at = 100;
    struct ask *ask = want(visitor, SMALL, LIMIT_INLINE);
    world_run(scene.world, 600);
    ck_assert_ptr_null(ask->answer);
    expect(visitor, ask, 200, false);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_site_that_fails)
{
    struct scene scene = scene_with_small(4);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load(visitor, "/static/a.js");
    scene.site->server->fault.status = 404;
    expect(visitor, want(visitor, SMALL, LIMIT_INLINE), 500,
           false); /* the gateway says what is wrong */
    scene_free(&scene);
}
END_TEST

START_TEST(test_switched_off_meanwhile)
{
    struct scene scene = scene_with_small(5);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load(visitor, "/static/a.js");
    scene.site->server->fault.stall_at = 100;
    struct ask *ask = want(visitor, SMALL, LIMIT_INLINE);
    world_run(scene.world, 100);
    visitor_set_zone(visitor, SITE, ZONE_OFF);
    ask_wait(visitor, ask, 10);
    ck_assert_str_eq(ask_text(visitor, ask, "reason"), "zone-off");
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_host_that_ends_while_somebody_waits)
{
    struct scene scene = scene_with_small(6);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load(visitor, "/static/a.js");
    scene.site->server->fault.stall_at = 100;
    want(visitor, SMALL, LIMIT_INLINE);
    world_run(scene.world, 100);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_inline",
          TESTS(test_the_answer_waits_for_a_small_file, test_not_with_the_answer,
                test_a_file_that_does_not_come, test_a_site_that_fails, test_switched_off_meanwhile,
                test_a_host_that_ends_while_somebody_waits))
