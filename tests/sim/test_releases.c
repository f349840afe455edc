/* Releases that are wrong: the page goes to the origin with the reason that PROTOCOL.md names,
 * and nothing is shared or fetched. */
#include "caps.h"
#include "sim_test.h"

#define RELEASE   "/.well-known/fringe/release.json"
#define SIGNATURE "/.well-known/fringe/release.json.minisig"
#define KEY       "/.well-known/fringe/key.pub"

static struct server *server_of(struct scene *scene)
{
    return scene->site->server;
}

static void flip(struct scene *scene, const char *path, size_t at)
{
    struct resource *resource = server_get(server_of(scene), path);
    resource->data[at] ^= 1;
}

static void cut(struct scene *scene, const char *path, size_t length)
{
    server_get(server_of(scene), path)->length = length;
}

/* The release with one text replaced by another, signed properly. */
static void resign(struct scene *scene, const char *from, const char *to, const char *site,
                   uint64_t seq)
{
    struct publisher *p = scene->site;
    char *json = mem_strndup((char *)p->json.data, p->json.length);
    char *at = strstr(json, from);

    ck_assert_ptr_nonnull(at);
    char *changed = mem_printf("%.*s%s%s", (int)(at - json), json, to, at + strlen(from));
    publisher_put_release(p, changed, strlen(changed), site, seq, WORLD_WALL_S + p->lifetime_s);
    mem_free(changed);
    mem_free(json);
}

static void torrent_path(struct scene *scene, char *ret, size_t size)
{
    char *path = publisher_torrent_path(scene->site, 0);
    snprintf(ret, size, "%s", path);
    mem_free(path);
}

/* --- one way to be wrong each */

static void bad_json_byte(struct scene *scene)
{
    flip(scene, RELEASE, 40);
}

static void bad_signature_text(struct scene *scene)
{
    flip(scene, SIGNATURE, 80);
}

static void cut_signature(struct scene *scene)
{
    cut(scene, SIGNATURE, 200);
}

static void other_key_signed(struct scene *scene)
{
    publisher_new_key(scene->site, 999); /* key.pub stays */
    publisher_put_release(scene->site, (char *)scene->site->json.data, scene->site->json.length,
                          SITE, 1, WORLD_WALL_S + scene->site->lifetime_s);
}

static void html_release(struct scene *scene)
{
    server_put(server_of(scene), RELEASE, "<!doctype html>", 15);
}

static void html_all(struct scene *scene)
{
    server_put(server_of(scene), RELEASE, "<!doctype html>", 15);
    server_put(server_of(scene), SIGNATURE, "<!doctype html>", 15);
    server_put(server_of(scene), KEY, "<!doctype html>", 15);
}

static void signed_html(struct scene *scene)
{
    publisher_put_release(scene->site, "<!doctype html>", 15, SITE, 1, WORLD_WALL_S + 1000);
}

static void other_site(struct scene *scene)
{
    resign(scene, "https://game.example", "https://evil.example", "https://evil.example", 1);
}

static void other_site_in_json(struct scene *scene)
{
    resign(scene, "https://game.example", "https://evil.example", SITE, 1);
}

static void other_seq_in_json(struct scene *scene)
{
    resign(scene, "\"seq\": 1", "\"seq\": 2", SITE, 1);
}

static void duplicate_key(struct scene *scene)
{
    resign(scene, "\"seq\": 1", "\"seq\": 1, \"seq\": 1", SITE, 1);
}

static void newer_format(struct scene *scene)
{
    resign(scene, "\"fringe\": 1", "\"fringe\": 2", SITE, 1);
}

static void no_bundles(struct scene *scene)
{
    resign(scene, "\"bundles\": [", "\"bundles\": [], \"was\": [", SITE, 1);
}

static void expired(struct scene *scene)
{
    scene->site->lifetime_s = 1;
    publisher_publish(scene->site);
    world_run(scene->world, 5000);
}

static void no_release(struct scene *scene)
{
    server_remove(server_of(scene), RELEASE);
}

static void no_signature(struct scene *scene)
{
    server_remove(server_of(scene), SIGNATURE);
}

static void no_key(struct scene *scene)
{
    server_remove(server_of(scene), KEY);
}

static void server_error(struct scene *scene)
{
    server_of(scene)->fault.status = 500;
}

static void is_down(struct scene *scene)
{
    server_set_down(server_of(scene), true);
}

static void is_unreachable(struct scene *scene)
{
    server_of(scene)->host->island = 1;
}

static void endless_release(struct scene *scene)
{
    server_get(server_of(scene), RELEASE)->fault.endless = true;
}

static void endless_torrent(struct scene *scene)
{
    char path[200];
    torrent_path(scene, path, sizeof path);
    server_get(server_of(scene), path)->fault.stall_at = 50;
}

static void stalled_release(struct scene *scene)
{
    server_get(server_of(scene), RELEASE)->fault.stall_at = 10;
}

static void cut_torrent(struct scene *scene)
{
    char path[200];
    torrent_path(scene, path, sizeof path);
    cut(scene, path, server_get(server_of(scene), path)->length - 20);
}

static void other_torrent(struct scene *scene)
{
    char path[200];
    struct world *world = scene->world;
    struct publisher *other = publisher_new(world, "https://other.example", NULL);

    publisher_add(other, 0, "a.js", 20001, 77);
    publisher_add(other, 0, "x.js", 20001, 78);
    publisher_publish(other);
    char *theirs = publisher_torrent_path(other, 0);
    struct resource *resource = server_get(other->server, theirs);
    torrent_path(scene, path, sizeof path);
    server_put(server_of(scene), path, resource->data, resource->length);
    mem_free(theirs);
}

static void no_torrent(struct scene *scene)
{
    char path[200];
    torrent_path(scene, path, sizeof path);
    server_remove(server_of(scene), path);
}

/* --- the table */

static const struct {
    const char *name;
    void (*spoil)(struct scene *scene);
    const char *reasons; /* any of them */
    uint32_t within_ms;
} bad[] = {
    {"a byte of the release", bad_json_byte, "bad-signature", 500},
    {"a byte of the signature", bad_signature_text, "bad-signature", 500},
    {"half a signature", cut_signature, "bad-signature bad-release", 500},
    {"another key", other_key_signed, "bad-signature key-changed", 500},
    {"HTML for the release", html_release, "bad-signature", 500},
    {"HTML for everything", html_all, "bad-signature no-release", 500},
    {"HTML, signed", signed_html, "bad-release", 500},
    {"another site", other_site, "wrong-site", 500},
    {"another site in the JSON", other_site_in_json, "wrong-site bad-release", 500},
    {"another number in the JSON", other_seq_in_json, "bad-release", 500},
    {"a key twice", duplicate_key, "bad-release", 500},
    {"a newer format", newer_format, "bad-release", 500},
    {"no bundles", no_bundles, "revoked", 500},
    {"expired", expired, "expired", 500},
    {"no release", no_release, "no-release", 500},
    {"no signature", no_signature, "no-release bad-signature", 500},
    {"no key", no_key, "no-release bad-signature", 500},
    {"status 500", server_error, "no-release", 500},
    {"origin down", is_down, "no-release", 500},
    {"origin unreachable", is_unreachable, "no-release failed", 6000},
    {"endless release", endless_release, "no-release bad-release", 500},
    {"stalled torrent", endless_torrent, "bad-torrent failed", 6000},
    {"stalled release", stalled_release, "no-release failed", 6000},
    {"truncated torrent", cut_torrent, "bad-torrent", 500},
    {"torrent of another bundle", other_torrent, "bad-torrent", 500},
    {"no torrent", no_torrent, "bad-torrent failed", 500},
};

static bool is_one_of(const char *reason, const char *reasons)
{
    const char *at = strstr(reasons, reason);
    size_t length = strlen(reason);
    return length > 0 && at != NULL && (at == reasons || at[-1] == ' ') &&
           (at[length] == '\0' || at[length] == ' ');
}

START_TEST(test_a_bad_release_sends_the_page_to_the_origin)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct scene scene = scene_with_files(100 + i);
        struct script *peer = scene_script(&scene, &(struct script_flags){0});
        bad[i].spoil(&scene);
        struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, peer->host);
        struct fetch *fetch = scene_fetch(visitor, "/static/c.bin");

        if (getenv("SIM_TIMES") != NULL)
            fprintf(stderr, "%-28s %-8s %-16s %5llu ms\n", bad[i].name,
                    fetch_state_name(fetch->state), fetch->reason,
                    (unsigned long long)scene_ms(fetch));
        ck_assert_msg(fetch->state == FETCH_ORIGIN && is_one_of(fetch->reason, bad[i].reasons),
                      "%s: %s %s", bad[i].name, fetch_state_name(fetch->state), fetch->reason);
        ck_assert_msg(scene_ms(fetch) <= bad[i].within_ms, "%s: after %llu ms", bad[i].name,
                      (unsigned long long)scene_ms(fetch));
        /* Only a verified release says what to ask peers for. */
        ck_assert(visitor->counts.dials == 0 || strstr(bad[i].name, "torrent") != NULL);
        ck_assert_uint_eq(disk_bytes(visitor->disk), 0);
        ck_assert_uint_eq(scene_origin_bytes(&scene), 0);
        /* A page with many files asks many times: the site is not asked as often. */
        uint32_t requests = scene.site->server->requests;
        for (int k = 0; k < 20; k++)
            scene_fetch(visitor, "/static/a.js");
        ck_assert_msg(scene.site->server->requests <= requests + 6, "%s: %u requests more",
                      bad[i].name, scene.site->server->requests - requests);
        scene_free(&scene);
    }
}
END_TEST

static struct fetch *fetch_of_seq(struct visitor *visitor, uint64_t seq)
{
    struct fetch *fetch = fetch_begin(visitor, SITE, seq, "/static/a.js", "doc");
    fetch_wait(fetch, 20000);
    return fetch;
}

static void check_reason(const struct fetch *fetch, const char *reason)
{
    ck_assert_msg(fetch->state == FETCH_ORIGIN && strcmp(fetch->reason, reason) == 0,
                  "%s %s instead of %s", fetch_state_name(fetch->state), fetch->reason, reason);
}

START_TEST(test_a_page_of_another_release)
{
    struct scene scene = scene_with_files(130);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    check_reason(fetch_of_seq(visitor, 5), "seq-mismatch");
    ck_assert_int_eq(fetch_of_seq(visitor, 1)->state, FETCH_DONE);
    check_reason(fetch_of_seq(visitor, 5), "seq-mismatch");
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_new_release_beside_the_old_one)
{
    struct scene scene = scene_with_files(131);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    ck_assert_int_eq(fetch_of_seq(visitor, 1)->state, FETCH_DONE);
    scene_load(visitor, "/static/b.wasm");
    publisher_add(scene.site, 0, "a.js", 21000, 50);
    publisher_publish(scene.site);
    world_run(scene.world, 60000);
    struct fetch *fetch = fetch_of_seq(visitor, 2);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_eq(fetch->length, 21000);
    /* A page that was open before still belongs to the old one. */
    fetch = fetch_of_seq(visitor, 1);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_eq(fetch->length, 20000);
    /* What did not change is not fetched again, whichever release it came with. */
    uint64_t sent = scene_origin_bytes(&scene);
    fetch = fetch_begin(visitor, SITE, 2, "/static/b.wasm", "doc");
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_eq(scene_origin_bytes(&scene), sent);
    fetch = fetch_begin(visitor, SITE, 1, "/static/c.bin", "doc");
    fetch_wait(fetch, 10000);
    sent = scene_origin_bytes(&scene);
    fetch = fetch_begin(visitor, SITE, 2, "/static/c.bin", "doc");
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_eq(scene_origin_bytes(&scene), sent);
    scene_free(&scene);
}
END_TEST

/* A new release has a file of the old one a second time: both are here at once. */
START_TEST(test_what_the_old_release_brings_is_there_in_equal_files_too)
{
    struct scene scene = scene_with_files(136);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load(visitor, "/static/a.js");
    publisher_add(scene.site, 0, "again.wasm", 300000, 2);
    publisher_publish(scene.site);
    visitor_site_open(visitor, SITE, 2, "new");
    world_run(scene.world, 3000);
    struct fetch *old = fetch_begin(visitor, SITE, 1, "/static/b.wasm", "old"); /* meanwhile */
    fetch_wait(old, 10000);
    ck_assert_int_eq(old->state, FETCH_DONE);
    uint64_t sent = scene_origin_bytes(&scene);
    static const char *const paths[] = {"/static/b.wasm", "/static/again.wasm"};
    for (size_t i = 0; i < 2; i++) {
        struct fetch *fetch = fetch_begin(visitor, SITE, 2, paths[i], "new");
        fetch_wait(fetch, 10000);
        ck_assert_int_eq(fetch->state, FETCH_DONE);
        caps_recount(visitor);
    }
    ck_assert_uint_eq(scene_origin_bytes(&scene), sent);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_rollback_is_refused)
{
    struct scene scene = scene_with_files(132);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    char *old = mem_strndup((char *)scene.site->json.data, scene.site->json.length);

    publisher_add(scene.site, 0, "a.js", 21000, 50);
    publisher_publish(scene.site);
    ck_assert_int_eq(fetch_of_seq(visitor, 2)->state, FETCH_DONE);
    publisher_put_release(scene.site, old, strlen(old), SITE, 1,
                          WORLD_WALL_S + scene.site->lifetime_s);
    world_run(scene.world, 60000);
    check_reason(fetch_of_seq(visitor, 3), "rollback");
    /* What it has stays good. */
    ck_assert_int_eq(fetch_of_seq(visitor, 2)->state, FETCH_DONE);
    /* And after a restart, too. */
    visitor_kill(visitor);
    visitor_start(visitor);
    check_reason(fetch_of_seq(visitor, 3), "rollback");
    mem_free(old);
    scene_free(&scene);
}
END_TEST

START_TEST(test_another_key_stops_the_site)
{
    struct scene scene = scene_with_files(133);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    ck_assert_int_eq(fetch_of_seq(visitor, 1)->state, FETCH_DONE);
    publisher_new_key(scene.site, 4242);
    publisher_publish(scene.site);
    world_run(scene.world, 60000);
    check_reason(fetch_of_seq(visitor, 2), "key-changed");
    check_reason(fetch_of_seq(visitor, 1), "key-changed");
    struct ask *ask = visitor_site_status(visitor, SITE, "");
    ask_wait(visitor, ask, 1000);
    ck_assert_str_eq(ask_text(visitor, ask, "reason"), "key-changed");
    visitor_kill(visitor);
    visitor_start(visitor);
    check_reason(fetch_of_seq(visitor, 2), "key-changed");
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_key_may_name_its_successor)
{
    struct scene scene = scene_with_files(134);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct minisign_secret old_secret = scene.site->secret;
    struct minisign_key old_key = scene.site->key;
    char next[57];

    ck_assert_int_eq(fetch_of_seq(visitor, 1)->state, FETCH_DONE);
    publisher_new_key(scene.site, 4242);
    minisign_key_base64(&scene.site->key, next);
    struct minisign_secret new_secret = scene.site->secret;
    struct minisign_key new_key = scene.site->key;
    scene.site->secret = old_secret;
    scene.site->key = old_key;
    scene.site->next_key = next;
    publisher_publish(scene.site);
    world_run(scene.world, 60000);
    ck_assert_int_eq(fetch_of_seq(visitor, 2)->state, FETCH_DONE);
    scene.site->secret = new_secret;
    scene.site->key = new_key;
    scene.site->next_key = NULL;
    publisher_publish(scene.site);
    world_run(scene.world, 60000);
    ck_assert_int_eq(fetch_of_seq(visitor, 3)->state, FETCH_DONE);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_release_expires_in_use)
{
    struct scene scene = scene_new(135);
    publisher_add(scene.site, 0, "a.js", 20000, 1);
    publisher_add(scene.site, 0, "c.bin", MIB(1), 3);
    scene.site->lifetime_s = 100;
    publisher_publish(scene.site);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    ck_assert_int_eq(fetch_of_seq(visitor, 1)->state, FETCH_DONE);
    world_run(scene.world, 101000);
    check_reason(fetch_of_seq(visitor, 1), "expired");
    /* Nothing is shared any more, either. */
    struct script *script =
        scene_script(&scene, &(struct script_flags){.has_nothing = true, .flood = 1});
    script_dial(script, visitor->host);
    world_run(scene.world, 15000);
    ck_assert_uint_eq(script->blocks_got, 0);
    scene_free(&scene);
}
END_TEST

START_TEST(test_what_has_expired_is_not_served_on)
{
    struct scene scene = scene_new(137);
    publisher_add(scene.site, 0, "a.js", 20000, 1);
    publisher_add(scene.site, 0, "c.bin", MIB(1), 3);
    scene.site->lifetime_s = 100;
    publisher_publish(scene.site);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, visitor);
    struct script *leech =
        scene_script(&scene, &(struct script_flags){.has_nothing = true, .asks_every_us = 1000000});

    script_dial(leech, visitor->host);
    world_run(scene.world, 50000);
    ck_assert_uint_ge(leech->blocks_got, 30);
    world_run(scene.world, 52000);
    uint32_t got = leech->blocks_got;
    world_run(scene.world, 20000);
    ck_assert_uint_eq(leech->blocks_got, got);
    scene_free(&scene);
}
END_TEST

START_TEST(test_the_site_gets_well_again)
{
    struct scene scene = scene_with_files(136);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    server_set_down(scene.site->server, true);
    check_reason(fetch_of_seq(visitor, 1), "no-release");
    server_set_down(scene.site->server, false);
    world_run(scene.world, 120000);
    ck_assert_int_eq(fetch_of_seq(visitor, 1)->state, FETCH_DONE);
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_releases",
          TESTS(test_a_bad_release_sends_the_page_to_the_origin, test_a_page_of_another_release,
                test_a_new_release_beside_the_old_one,
                test_what_the_old_release_brings_is_there_in_equal_files_too,
                test_a_rollback_is_refused, test_another_key_stops_the_site,
                test_a_key_may_name_its_successor, test_a_release_expires_in_use,
                test_what_has_expired_is_not_served_on, test_the_site_gets_well_again))
