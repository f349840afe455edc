/* A release's life: which pages have which, how long an old one stays, what a new key must show,
 * and what ends all sharing. */
#include "base/mem.h"
#include "caps.h"
#include "sim_test.h"

#define HOUR_MS       3600000
#define OLD_SIGNATURE "/.well-known/fringe/release.json.old.minisig"

static struct fetch *load(struct visitor *visitor, uint64_t seq, const char *path, const char *doc)
{
    struct fetch *fetch = fetch_begin(visitor, SITE, seq, path, doc);
    fetch_wait(fetch, 20000);
    return fetch;
}

static void check_length(struct visitor *visitor, uint64_t seq, const char *doc, uint64_t length)
{
    struct fetch *fetch = load(visitor, seq, "/static/a.js", doc);
    ck_assert_msg(fetch->state == FETCH_DONE, "%s %s", fetch_state_name(fetch->state),
                  fetch->reason);
    ck_assert_uint_eq(fetch->length, length);
}

static void check_origin(struct visitor *visitor, uint64_t seq, const char *doc, const char *reason)
{
    struct fetch *fetch = load(visitor, seq, "/static/a.js", doc);
    ck_assert_msg(fetch->state == FETCH_ORIGIN && strcmp(fetch->reason, reason) == 0,
                  "%s %s instead of %s", fetch_state_name(fetch->state), fetch->reason, reason);
}

static const char *status_of(struct visitor *visitor, const char *field)
{
    struct ask *ask = visitor_site_status(visitor, SITE, "");
    ask_wait(visitor, ask, 1000);
    return ask_text(visitor, ask, field);
}

static void open_page(struct visitor *visitor, uint64_t seq, const char *doc)
{
    ask_wait(visitor, visitor_site_open(visitor, SITE, seq, doc), 10000);
}

static void close_page(struct visitor *visitor, const char *doc)
{
    struct api_request request = {.type = API_DOC_CLOSE, .zone = ZONE_DEFAULT};
    snprintf(request.doc, sizeof request.doc, "%s", doc);
    ask_wait(visitor, visitor_ask(visitor, 1, &request), 1000);
}

static void publish_next(struct scene *scene)
{
    publisher_add(scene->site, 0, "a.js", 20001 + scene->site->seq % 1000, 50 + scene->site->seq);
    publisher_publish(scene->site);
}

/* --- two releases side by side */

START_TEST(test_a_page_stays_with_its_release)
{
    struct scene scene = scene_with_files(400);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    ck_assert_str_eq(status_of(visitor, "life"), "unknown");
    visitor_site_open(visitor, SITE, 0, "old"); /* a page that does not name its release */
    ck_assert_str_eq(status_of(visitor, "life"), "fetching");
    world_run(scene.world, 3000);
    ck_assert_str_eq(status_of(visitor, "life"), "current");
    check_length(visitor, 0, "old", 20000);
    publish_next(&scene);
    open_page(visitor, 2, "new");
    check_length(visitor, 0, "new", 20002);
    /* However long it is open. */
    for (int i = 0; i < 3; i++) {
        check_length(visitor, 0, "old", 20000);
        check_length(visitor, 1, "old", 20000);
        world_run(scene.world, 900000);
    }
    open_page(visitor, 0, "old");
    check_length(visitor, 0, "old", 20000);
    close_page(visitor, "old");
    world_run(scene.world, 500000);
    check_length(visitor, 1, "late", 20000); /* it was just coming */
    close_page(visitor, "late");
    world_run(scene.world, 610000);
    check_origin(visitor, 1, "later", "seq-mismatch");
    check_length(visitor, 0, "new", 20002);
    caps_recount(visitor);
    scene_free(&scene);
}
END_TEST

START_TEST(test_no_more_than_three_releases_at_once)
{
    struct scene scene = scene_with_files(401);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    check_length(visitor, 1, "one", 20000);
    for (uint64_t seq = 2; seq <= 4; seq++) {
        publish_next(&scene);
        world_run(scene.world, 1000);
        check_length(visitor, seq, seq == 3 ? "three" : "passing", 20000 + seq);
        close_page(visitor, "passing");
    }
    check_length(visitor, 1, "one", 20000); /* its page is open; nobody reads number 2 */
    check_origin(visitor, 2, "two", "seq-mismatch");
    check_length(visitor, 3, "three", 20003);
    publish_next(&scene);
    open_page(visitor, 5, "five");
    check_length(visitor, 1, "one", 20000);
    publish_next(&scene);
    open_page(visitor, 6, "six");
    check_origin(visitor, 1, "one", "seq-mismatch"); /* all are read: the oldest goes */
    check_length(visitor, 3, "three", 20003);
    caps_recount(visitor);
    scene_free(&scene);
}
END_TEST

/* --- a new key */

/* Publishes with a new key; the old one signs as well, if `both`. */
static void publish_with_new_key(struct scene *scene, bool names_it, bool both)
{
    struct publisher *site = scene->site;
    struct minisign_secret old = site->secret;
    char next[57], *comment;
    uint8_t hash[HASH_LENGTH];
    char hex[HEX_LENGTH(HASH_LENGTH)];
    struct buf signature;

    publisher_new_key(site, 4242 + site->seq);
    minisign_key_base64(&site->key, next);
    site->next_key = names_it ? next : NULL;
    publish_next(scene);
    site->next_key = NULL;
    if (!both)
        return;
    sha256(site->json.data, site->json.length, hash);
    hex_encode(hex, hash, HASH_LENGTH);
    buf_init(&signature, LIMIT_SIGNATURE);
    comment = mem_printf("fringe=1 site=%s seq=%llu expires=%llu sha256=%s", SITE,
                         (unsigned long long)site->seq,
                         (unsigned long long)(WORLD_WALL_S + site->lifetime_s +
                                              world_elapsed_us(scene->world) / 1000000),
                         hex);
    minisign_sign(&old, (char *)site->json.data, site->json.length, comment, &signature);
    server_put(site->server, OLD_SIGNATURE, signature.data, signature.length);
    buf_done(&signature);
    mem_free(comment);
}

START_TEST(test_a_new_key_that_the_old_one_has_signed)
{
    struct scene scene = scene_with_files(402);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    check_length(visitor, 1, "doc", 20000);
    publish_with_new_key(&scene, true, true);
    check_length(visitor, 2, "doc2", 20002);
    check_length(visitor, 1, "doc", 20000);
    /* From now on it is the new one alone, over a restart, too. */
    visitor_kill(visitor);
    visitor_start(visitor);
    publish_next(&scene);
    check_length(visitor, 3, "doc3", 20003);
    scene_free(&scene);
}
END_TEST

/* Somebody with the web server and no key signs what the owner has signed. */
START_TEST(test_a_new_key_must_be_named_by_the_old_one)
{
    struct scene scene = scene_with_files(403);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    check_length(visitor, 1, "doc", 20000);
    publish_with_new_key(&scene, false, true);
    check_origin(visitor, 2, "doc", "key-changed");
    ck_assert_str_eq(status_of(visitor, "life"), "blocked");
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_stolen_key_used_up_the_numbers)
{
    struct scene scene = scene_with_files(404);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    uint64_t highest = (UINT64_C(1) << 53) - 1;

    check_length(visitor, 1, "doc", 20000);
    scene.site->seq = highest - 1;
    publish_next(&scene);
    open_page(visitor, highest, "evil");
    world_run(scene.world, 3000);
    ck_assert_str_eq(status_of(visitor, "life"), "current");
    scene.site->seq = 1;
    publish_next(&scene); /* the same key cannot go back */
    world_run(scene.world, 2 * HOUR_MS);
    check_origin(visitor, 2, "doc", "rollback");
    publish_with_new_key(&scene, true, true);
    world_run(scene.world, 2 * HOUR_MS); /* it is seen by the poll */
    check_length(visitor, 3, "again", 20003);
    visitor_kill(visitor);
    visitor_start(visitor);
    check_length(visitor, 0, "later", 20003);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_blocked_site_stays_so)
{
    struct scene scene = scene_with_files(405);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct minisign_secret old = scene.site->secret;
    struct minisign_key key = scene.site->key;

    scene_load_all(&scene, visitor);
    publish_with_new_key(&scene, false, false);
    check_origin(visitor, 2, "doc", "key-changed");
    server_set_down(scene.site->server, true); /* and it hears no more of it */
    visitor_kill(visitor);
    visitor_start(visitor);
    ck_assert_str_eq(status_of(visitor, "life"), "blocked");
    ck_assert_str_eq(status_of(visitor, "reason"), "key-changed");
    struct script *leech = scene_script(&scene, &(struct script_flags){.has_nothing = true});
    script_dial(leech, visitor->host);
    world_run(scene.world, 60000);
    ck_assert_uint_eq(leech->unchokes, 0);
    check_origin(visitor, 1, "doc", "key-changed");
    /* The right key again. */
    server_set_down(scene.site->server, false);
    scene.site->secret = old;
    scene.site->key = key;
    publish_next(&scene);
    world_run(scene.world, 60000);
    open_page(visitor, 3, "doc");
    world_run(scene.world, 60000);
    check_length(visitor, 3, "doc", 20003);
    visitor_kill(visitor);
    visitor_start(visitor);
    check_length(visitor, 3, "doc", 20003);
    scene_free(&scene);
}
END_TEST

/* --- the end */

START_TEST(test_a_revoked_site)
{
    struct scene scene = scene_with_files(406);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, visitor);
    struct script *leech =
        scene_script(&scene, &(struct script_flags){.has_nothing = true, .asks_every_us = 1000000});
    script_dial(leech, visitor->host);
    world_run(scene.world, 20000);
    ck_assert_uint_ge(leech->blocks_got, 10);
    scene.site->bundle_count = 0;
    publisher_publish(scene.site);
    check_origin(visitor, 2, "new", "revoked");
    uint32_t got = leech->blocks_got;
    check_origin(visitor, 1, "old", "revoked");
    ck_assert_str_eq(status_of(visitor, "life"), "blocked");
    ck_assert_str_eq(status_of(visitor, "reason"), "revoked");
    world_run(scene.world, 20000);
    ck_assert_uint_eq(leech->blocks_got, got);
    visitor_kill(visitor);
    visitor_start(visitor);
    check_origin(visitor, 1, "old", "revoked");
    /* Until the owner publishes again. */
    scene.site->bundle_count = 1;
    publish_next(&scene);
    check_length(visitor, 3, "doc", 20003);
    scene_free(&scene);
}
END_TEST

START_TEST(test_an_expired_release_ends_connections)
{
    struct scene scene = scene_new(407);
    publisher_add(scene.site, 0, "a.js", 20000, 1);
    scene.site->lifetime_s = 100;
    publisher_publish(scene.site);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    check_length(visitor, 1, "doc", 20000);
    struct script *leech =
        scene_script(&scene, &(struct script_flags){.has_nothing = true, .asks_every_us = 1000000});
    script_dial(leech, visitor->host);
    world_run(scene.world, 50000);
    ck_assert_uint_eq(leech->closed, 0);
    world_run(scene.world, 55000);
    ck_assert_uint_eq(leech->closed, 1);
    ck_assert_str_eq(status_of(visitor, "life"), "expired");
    /* The owner is back, and the old number is still one that counts. */
    visitor_kill(visitor);
    visitor_start(visitor);
    ck_assert_str_eq(status_of(visitor, "life"), "expired");
    scene.site->lifetime_s = 1000;
    publish_next(&scene);
    check_length(visitor, 2, "doc2", 20002);
    ck_assert_str_eq(status_of(visitor, "life"), "current");
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_life",
          TESTS(test_a_page_stays_with_its_release, test_no_more_than_three_releases_at_once,
                test_a_new_key_that_the_old_one_has_signed,
                test_a_new_key_must_be_named_by_the_old_one, test_a_stolen_key_used_up_the_numbers,
                test_a_blocked_site_stays_so, test_a_revoked_site,
                test_an_expired_release_ends_connections))
