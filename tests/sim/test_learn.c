/* How visitors hear of a release, and what becomes of it when the site does not show it. */
#include "base/limits.h"
#include "base/mem.h"
#include "caps.h"
#include "sim_test.h"
#include "wire/fringe_release.h"

#define SIGNATURE "/.well-known/fringe/release.json.minisig"
#define MANY      12
#define HOUR_MS   3600000

static uint64_t seq_of(struct visitor *visitor)
{
    struct ask *ask = visitor_site_status(visitor, SITE, "");
    ask_wait(visitor, ask, 1000);
    return ask_number(visitor, ask, "release.seq");
}

static void open_page(struct visitor *visitor, uint64_t seq)
{
    ask_wait(visitor, visitor_site_open(visitor, SITE, seq, "doc"), 10000);
}

static uint32_t looks(struct scene *scene)
{
    return server_get(scene->site->server, SIGNATURE)->requests;
}

static void publish_next(struct scene *scene)
{
    publisher_add(scene->site, 0, "a.js", 21000, 50 + scene->site->seq);
    publisher_add(scene->site, 0, "c.bin", MIB(1), 60 + scene->site->seq);
    publisher_publish(scene->site);
}

/* --- among visitors */

struct many {
    struct scene scene;
    struct sim_tracker *tracker;
    struct visitor *visitors[MANY];
};

static struct many many_new(uint64_t seed)
{
    struct many many = {.scene = scene_new(seed)};
    struct publisher *site = many.scene.site;

    many.tracker = sim_tracker_new(many.scene.world, "https://tracker.example");
    site->trackers[site->tracker_count++] = mem_strdup("https://tracker.example/announce");
    publisher_add(site, 0, "a.js", 20000, 1);
    publisher_add(site, 0, "b.wasm", 300000, 2);
    publisher_add(site, 0, "c.bin", MIB(1), 3);
    publisher_publish(site);
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        many.visitors[i] = scene_visitor(&many.scene, name, ZONE_SHARE, NULL);
        scene_load_all(&many.scene, many.visitors[i]);
    }
    world_run(many.scene.world, 60000);
    return many;
}

static void many_free(struct many *many)
{
    scene_free(&many->scene);
    sim_tracker_free(many->tracker);
}

/* Does it have everything of the release, though no page has asked for it? */
static bool holds(struct many *many, struct visitor *visitor)
{
    uint64_t sent = scene_origin_bytes(&many->scene);
    static const char *const paths[] = {"/static/a.js", "/static/b.wasm", "/static/c.bin"};

    for (size_t i = 0; i < 3; i++) {
        struct fetch *fetch = fetch_begin(visitor, SITE, many->scene.site->seq, paths[i], "new");
        fetch_wait(fetch, 20000);
        if (fetch->state != FETCH_DONE)
            return false;
    }
    struct ask *ask = visitor_site_status(visitor, SITE, "new");
    ask_wait(visitor, ask, 1000);
    return ask_number(visitor, ask, "page.peers") == 0 && scene_origin_bytes(&many->scene) == sent;
}

START_TEST(test_one_sees_a_release_and_all_have_it)
{
    struct many many = many_new(500);
    struct scene *scene = &many.scene;

    publish_next(scene);
    uint32_t before = looks(scene); /* a resource anew counts on */
    uint64_t bytes = scene_origin_bytes(scene);
    open_page(many.visitors[3], 2);
    world_run(scene->world, 15000);
    for (int i = 0; i < MANY; i++)
        ck_assert_uint_eq(seq_of(many.visitors[i]), 2);
    ck_assert_uint_eq(looks(scene) - before, MANY); /* each has looked once */
    world_run(scene->world, 60000);
    double copies = (double)(scene_origin_bytes(scene) - bytes) / (21000 + MIB(1));
    ck_assert_msg(copies <= 1.3, "%.2f copies", copies);
    for (int i = 0; i < MANY; i++) {
        ck_assert_msg(holds(&many, many.visitors[i]), "visitor %d", i);
        caps_recount(many.visitors[i]);
    }
    many_free(&many);
}
END_TEST

/* Nobody has a page open and no page asks: somebody's poll finds it for all. */
START_TEST(test_a_poll_finds_it)
{
    struct many many = many_new(501);
    struct scene *scene = &many.scene;

    uint32_t before = looks(scene);
    publish_next(scene);
    world_run(scene->world, HOUR_MS * 4 / 3);
    for (int i = 0; i < MANY; i++)
        ck_assert_uint_eq(seq_of(many.visitors[i]), 2);
    ck_assert_uint_le(looks(scene) - before, 2 * MANY);
    /* And it is the validator that they ask with. */
    struct resource *resource = server_get(scene->site->server, SIGNATURE);
    before = resource->requests;
    uint32_t unchanged = resource->unchanged;
    world_run(scene->world, 3 * HOUR_MS);
    ck_assert_uint_ge(resource->requests - before, 2 * MANY);
    ck_assert_uint_le(resource->requests - before, 5 * MANY);
    ck_assert_uint_eq(resource->unchanged - unchanged, resource->requests - before);
    many_free(&many);
}
END_TEST

START_TEST(test_an_island_hears_of_it_later)
{
    struct many many = many_new(502);
    struct scene *scene = &many.scene;

    for (int i = 0; i < 4; i++)
        many.visitors[i]->host->island = 1;
    publish_next(scene);
    open_page(many.visitors[8], 2);
    world_run(scene->world, 120000);
    for (int i = 0; i < MANY; i++)
        ck_assert_uint_eq(seq_of(many.visitors[i]), i < 4 ? 1 : 2);
    for (int i = 0; i < 4; i++)
        many.visitors[i]->host->island = 0;
    world_run(scene->world, 2 * HOUR_MS);
    for (int i = 0; i < MANY; i++)
        ck_assert_uint_eq(seq_of(many.visitors[i]), 2);
    many_free(&many);
}
END_TEST

/* --- one visitor and a peer that says what it likes */

struct pair {
    struct scene scene;
    struct visitor *visitor;
    struct script *script;
    struct buf json, signature; /* of release 2, which the site does not show yet */
};

static void keep(struct buf *buf, size_t max, const struct buf *from)
{
    buf_init(buf, max);
    buf_put(buf, from->data, from->length);
}

static void put(struct scene *scene, const struct buf *json, const struct buf *signature)
{
    server_put(scene->site->server, "/.well-known/fringe/release.json", json->data, json->length);
    server_put(scene->site->server, SIGNATURE, signature->data, signature->length);
}

static bool never(struct script *script, struct script_conn *sc, uint8_t id, struct span body)
{
    (void)script;
    (void)sc;
    (void)id;
    (void)body;
    return false;
}

static struct pair pair_new(uint64_t seed)
{
    struct pair pair = {.scene = scene_with_files(seed)};
    struct publisher *site = pair.scene.site;
    struct buf old_json, old_signature;

    keep(&old_json, LIMIT_RELEASE, &site->json);
    keep(&old_signature, LIMIT_SIGNATURE, &site->signature);
    pair.script = scene_script(&pair.scene, &(struct script_flags){.extended = true});
    pair.script->hear = never;
    pair.visitor = scene_visitor(&pair.scene, "v1", ZONE_SHARE, pair.script->host);
    scene_load(pair.visitor, "/static/a.js");
    publish_next(&pair.scene);
    keep(&pair.json, LIMIT_RELEASE, &site->json);
    keep(&pair.signature, LIMIT_SIGNATURE, &site->signature);
    put(&pair.scene, &old_json, &old_signature);
    buf_done(&old_json);
    buf_done(&old_signature);
    return pair;
}

static void pair_free(struct pair *pair)
{
    buf_done(&pair->json);
    buf_done(&pair->signature);
    scene_free(&pair->scene);
}

static void say(struct pair *pair, enum fringe_release_kind kind, uint64_t seq)
{
    struct fringe_release msg = {.kind = kind, .seq = seq};
    struct buf payload;

    fringe_release_mark(SITE, msg.site_mark);
    msg.json = span_of(pair->json.data, pair->json.length);
    msg.signature = span_of(pair->signature.data, pair->signature.length);
    buf_init(&payload, LIMIT_PEER_EXTENDED);
    buf_put_u8(&payload, 6); /* the number that the visitor gave it */
    fringe_release_encode(&msg, &payload);
    script_say_all(pair->script, 20, payload.data, payload.length);
    buf_done(&payload);
    world_run(pair->scene.world, 2000);
}

START_TEST(test_a_release_from_a_peer_counts_when_the_site_shows_it)
{
    struct pair pair = pair_new(510);
    struct scene *scene = &pair.scene;
    uint32_t before = looks(scene);

    say(&pair, FRINGE_RELEASE_WHOLE, 2);
    ck_assert_uint_eq(seq_of(pair.visitor), 1); /* the site still shows the old one */
    ck_assert_uint_eq(looks(scene), before + 1);
    ck_assert_uint_eq(pair.script->closed, 0); /* which is not the peer's fault */
    for (int i = 0; i < 50; i++)
        say(&pair, FRINGE_RELEASE_WHOLE, 2);
    world_run(scene->world, HOUR_MS);
    ck_assert_uint_eq(seq_of(pair.visitor), 1);
    ck_assert_uint_le(looks(scene), before + 12);
    uint32_t whole = server_get(scene->site->server, "/.well-known/fringe/release.json")->requests;
    put(scene, &pair.json, &pair.signature);
    world_run(scene->world, HOUR_MS * 3 / 2);
    ck_assert_uint_eq(seq_of(pair.visitor), 2);
    /* The release itself was never fetched: it was in hand. */
    ck_assert_uint_eq(server_get(scene->site->server, "/.well-known/fringe/release.json")->requests,
                      whole);
    pair_free(&pair);
}
END_TEST

START_TEST(test_a_forged_release)
{
    struct pair pair = pair_new(511);
    uint32_t before = looks(&pair.scene);

    pair.json.data[pair.json.length / 2] ^= 1;
    say(&pair, FRINGE_RELEASE_WHOLE, 2);
    ck_assert_uint_eq(pair.script->closed, 1);
    for (int i = 0; i < 10; i++) { /* it comes again, and again */
        world_run(pair.scene.world, 30000);
        script_dial(pair.script, pair.visitor->host);
        world_run(pair.scene.world, 1000);
        say(&pair, FRINGE_RELEASE_WHOLE, 2);
    }
    ck_assert_uint_le(pair.script->handshakes, 3); /* and is banned */
    ck_assert_uint_eq(seq_of(pair.visitor), 1);
    ck_assert_uint_eq(looks(&pair.scene), before);
    pair_free(&pair);
}
END_TEST

START_TEST(test_another_number_than_was_signed)
{
    struct pair pair = pair_new(512);

    say(&pair, FRINGE_RELEASE_WHOLE, 77);
    ck_assert_uint_eq(pair.script->closed, 1);
    ck_assert_uint_eq(seq_of(pair.visitor), 1);
    pair_free(&pair);
}
END_TEST

START_TEST(test_an_old_release_from_a_peer_is_nothing)
{
    struct pair pair = pair_new(513);
    struct scene *scene = &pair.scene;

    put(scene, &pair.json, &pair.signature);
    open_page(pair.visitor, 2);
    ck_assert_uint_eq(seq_of(pair.visitor), 2);
    uint32_t before = looks(scene);
    scene->site->seq = 0;
    publish_next(scene); /* number 1 again, other files, well signed */
    buf_clear(&pair.json);
    buf_clear(&pair.signature);
    buf_put(&pair.json, scene->site->json.data, scene->site->json.length);
    buf_put(&pair.signature, scene->site->signature.data, scene->site->signature.length);
    say(&pair, FRINGE_RELEASE_WHOLE, 1);
    world_run(scene->world, 60000);
    ck_assert_uint_eq(seq_of(pair.visitor), 2);
    ck_assert_uint_eq(looks(scene), before);
    pair_free(&pair);
}
END_TEST

START_TEST(test_a_flood_of_releases)
{
    struct pair pair = pair_new(514);

    for (uint64_t seq = 2; seq < 3000 && pair.script->closed == 0; seq++) {
        struct fringe_release msg = {.kind = FRINGE_RELEASE_HAVE, .seq = seq};
        struct buf payload;
        fringe_release_mark(SITE, msg.site_mark);
        buf_init(&payload, LIMIT_PEER_EXTENDED);
        buf_put_u8(&payload, 6);
        fringe_release_encode(&msg, &payload);
        script_say_all(pair.script, 20, payload.data, payload.length);
        buf_done(&payload);
        world_run(pair.scene.world, 10);
    }
    ck_assert_uint_ge(pair.script->closed, 1);
    caps_recount(pair.visitor);
    pair_free(&pair);
}
END_TEST

/* A page that needs it does not wait for its turn. */
START_TEST(test_a_waiting_page_confirms_at_once)
{
    struct pair pair = pair_new(515);
    struct scene *scene = &pair.scene;

    put(scene, &pair.json, &pair.signature);
    struct fetch *fetch = fetch_begin(pair.visitor, SITE, 2, "/static/a.js", "doc");
    fetch_wait(fetch, 2000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_eq(fetch->length, 21000);
    pair_free(&pair);
}
END_TEST

TEST_MAIN("sim_learn",
          TESTS(test_one_sees_a_release_and_all_have_it, test_a_poll_finds_it,
                test_an_island_hears_of_it_later,
                test_a_release_from_a_peer_counts_when_the_site_shows_it, test_a_forged_release,
                test_another_number_than_was_signed, test_an_old_release_from_a_peer_is_nothing,
                test_a_flood_of_releases, test_a_waiting_page_confirms_at_once))
