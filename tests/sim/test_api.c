/* The native API's answers, field by field as host/PROTOCOL.md 2 lists them, and its caps. */
#include "sim_test.h"

static struct ask *asked(struct visitor *visitor, enum api_type type, const char *site,
                         const char *doc)
{
    struct api_request request = {.type = type, .api = 1, .zone = ZONE_DEFAULT};

    snprintf(request.site, sizeof request.site, "%s", site);
    snprintf(request.doc, sizeof request.doc, "%s", doc);
    struct ask *ask = visitor_ask(visitor, 1, &request);
    ask_wait(visitor, ask, 6000);
    return ask;
}

static void check_ok(const struct ask *ask, bool ok)
{
    ck_assert_int_eq(json_is_true(json_object_get(ask->answer, "ok")), ok);
}

START_TEST(test_hello)
{
    struct scene scene = scene_with_files(700);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_FETCH, NULL);
    struct ask *ask = asked(visitor, API_HELLO, "", "");

    check_ok(ask, true);
    ck_assert_uint_eq(ask_number(visitor, ask, "api"), 1);
    ck_assert_str_eq(ask_text(visitor, ask, "version"), "sim");
    ck_assert_uint_eq(ask_number(visitor, ask, "pid"), visitor->number);
    ck_assert_str_eq(ask_text(visitor, ask, "gateway"), "http://127.0.0.1:9");
    ck_assert_str_eq(ask_text(visitor, ask, "default_zone"), "fetch");

    struct api_request other = {.type = API_HELLO, .api = 2, .zone = ZONE_DEFAULT};
    ask = visitor_ask(visitor, 2, &other);
    ask_wait(visitor, ask, 10);
    check_ok(ask, false);
    ck_assert_str_ne(ask_text(visitor, ask, "text"), "");
    scene_free(&scene);
}
END_TEST

START_TEST(test_status)
{
    struct scene scene = scene_with_files(701);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load(visitor, "/static/a.js");
    world_run(scene.world, 5000);
    struct ask *ask = asked(visitor, API_STATUS, "", "");
    ck_assert_uint_ge(ask_number(visitor, ask, "uptime_s"), 5);
    ck_assert_uint_eq(ask_number(visitor, ask, "peers"), 0);
    ck_assert_uint_eq(ask_number(visitor, ask, "cache.files"), 1);
    ck_assert_uint_eq(ask_number(visitor, ask, "cache.bytes"), 20000);
    ck_assert_uint_eq(ask_number(visitor, ask, "total.origin"), 20000);
    ck_assert_uint_eq(ask_number(visitor, ask, "total.peers"), 0);
    ck_assert_uint_eq(ask_number(visitor, ask, "total.supernode"), 0);
    ck_assert_uint_eq(ask_number(visitor, ask, "total.uploaded"), 0);
    ck_assert_uint_eq(ask_number(visitor, ask, "sites"), 1);
    ck_assert_str_ne(ask_text(visitor, ask, "listen"), "");

    ask = asked(visitor, API_SITE_STATUS, SITE, "doc");
    ck_assert_str_eq(ask_text(visitor, ask, "state"), "ready");
    ck_assert_uint_eq(ask_number(visitor, ask, "release.seq"), 1);
    ck_assert_uint_eq(ask_number(visitor, ask, "release.files"), 3);
    ck_assert_uint_eq(ask_number(visitor, ask, "release.bytes"), scene_bundle_bytes(&scene, 0));
    ck_assert_uint_eq(ask_number(visitor, ask, "page.files"), 1);
    /* A site that nobody knows. */
    ask = asked(visitor, API_SITE_STATUS, "https://nowhere.example", "doc");
    ck_assert(json_is_null(json_object_get(ask->answer, "release")));
    ck_assert_uint_eq(ask_number(visitor, ask, "total.origin"), 0);
    scene_free(&scene);
}
END_TEST

START_TEST(test_sites)
{
    struct scene scene = scene_with_files(702);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_OFF, NULL);

    visitor_set_zone(visitor, SITE, ZONE_SHARE);
    scene_load(visitor, "/static/a.js");
    visitor_site_open(visitor, "https://other.example", 1, "doc2");
    struct ask *ask = asked(visitor, API_SITES, "", "");
    json_t *sites = json_object_get(ask->answer, "sites");
    ck_assert_uint_ge(json_array_size(sites), 1);
    bool found = false;
    for (size_t i = 0; i < json_array_size(sites); i++) {
        json_t *site = json_array_get(sites, i);
        if (strcmp(json_string_value(json_object_get(site, "site")), SITE) != 0)
            continue;
        found = true;
        ck_assert_str_eq(json_string_value(json_object_get(site, "zone")), "share");
        ck_assert_str_eq(json_string_value(json_object_get(site, "chosen")), "share");
        ck_assert_str_eq(json_string_value(json_object_get(site, "state")), "ready");
        ck_assert_int_eq(json_integer_value(json_object_get(site, "seq")), 1);
        ck_assert_str_eq(json_string_value(json_object_get(site, "version")), "sim");
    }
    ck_assert(found);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_closed_document_is_forgotten)
{
    struct scene scene = scene_with_files(703);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    struct fetch *fetch = fetch_begin(visitor, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 200);
    check_ok(asked(visitor, API_DOC_CLOSE, "", "doc"), true); /* while its file still comes */
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_eq(scene_count(visitor, "doc", "page.files"), 0);
    ck_assert_uint_eq(scene_count(visitor, "doc", "page.origin"), 0);
    ck_assert_uint_eq(scene_count(visitor, "", "total.origin"), MIB(1));
    check_ok(asked(visitor, API_DOC_CLOSE, "", "nobody"), true);
    scene_free(&scene);
}
END_TEST

START_TEST(test_more_documents_than_are_kept)
{
    struct scene scene = scene_with_files(704);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    char doc[20];

    scene_load(visitor, "/static/a.js");
    for (int i = 0; i < (int)LIMIT_DOCS + 200; i++) {
        snprintf(doc, sizeof doc, "d%d", i);
        fetch_wait(fetch_begin(visitor, SITE, 1, "/static/a.js", doc), 1000);
    }
    ck_assert_uint_eq(scene_count(visitor, doc, "page.cache"), 20000);
    ck_assert_uint_eq(scene_count(visitor, "d0", "page.files"), 0);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_client_that_leaves)
{
    struct scene scene = scene_with_files(705);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct api_request request = {.type = API_SITE_OPEN, .seq = 1, .zone = ZONE_DEFAULT};
    struct event closed = {.kind = EVENT_CLIENT_CLOSED};

    snprintf(request.site, sizeof request.site, "%s", SITE);
    struct ask *ask = visitor_ask(visitor, 9, &request);
    ck_assert_ptr_null(ask->answer);
    closed.client.client = 9;
    visitor_step(visitor, &closed);
    world_run(scene.world, 10000);
    /* An answer to nobody is harmless; none is better. */
    scene_load(visitor, "/static/a.js");
    scene_free(&scene);
}
END_TEST

START_TEST(test_the_zone_of_sites_without_a_choice)
{
    struct scene scene = scene_with_files(708);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_OFF, NULL);
    struct ask *ask = asked(visitor, API_SITE_OPEN, SITE, "doc");

    ck_assert_str_eq(ask_text(visitor, ask, "state"), "off");
    ck_assert_str_eq(ask_text(visitor, ask, "chosen"), "default");
    ask = visitor_set(visitor, SETTING_DEFAULT_ZONE, ZONE_FETCH + 1);
    ask_wait(visitor, ask, 100);
    ck_assert_str_eq(ask_text(visitor, ask, "default_zone"), "fetch");
    scene_load(visitor, "/static/a.js");
    /* It outlives a run, and a choice for the site goes before it. */
    visitor_kill(visitor);
    visitor_start(visitor);
    ck_assert_str_eq(ask_text(visitor, asked(visitor, API_HELLO, "", ""), "default_zone"), "fetch");
    ask_wait(visitor, visitor_set_zone(visitor, SITE, ZONE_SHARE), 100);
    ask_wait(visitor, visitor_set(visitor, SETTING_DEFAULT_ZONE, ZONE_OFF + 1), 100);
    ask = asked(visitor, API_SITE_STATUS, SITE, "");
    ck_assert_str_eq(ask_text(visitor, ask, "zone"), "share");
    ck_assert_str_eq(ask_text(visitor, ask, "chosen"), "share");
    scene_free(&scene);
}
END_TEST

START_TEST(test_stop)
{
    struct scene scene = scene_with_files(706);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    check_ok(asked(visitor, API_STOP, "", ""), true);
    ck_assert_uint_eq(visitor->counts.stops, 1);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_page_that_asks_before_the_release_is_there)
{
    struct scene scene = scene_with_files(707);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    for (int i = 0; i < 300; i++)
        fetch_begin(visitor, SITE, 1, i % 2 == 0 ? "/static/a.js" : "/static/b.wasm", "doc");
    ck_assert(world_run_until(scene.world, fetches_are_over, scene.world, 10000));
    list_for_each(link, next, &visitor->all_fetches)
    {
        ck_assert_int_eq(list_entry(link, struct fetch, in_visitor)->state, FETCH_DONE);
    }
    ck_assert_uint_eq(scene.site->server->requests, 3 + 1 + 2);
    ck_assert_uint_eq(scene_origin_bytes(&scene), 320000);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_api", TESTS(test_hello, test_status, test_sites, test_a_closed_document_is_forgotten,
                           test_more_documents_than_are_kept, test_a_client_that_leaves,
                           test_the_zone_of_sites_without_a_choice, test_stop,
                           test_a_page_that_asks_before_the_release_is_there))
