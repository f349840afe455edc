/* The torrent from peers, when the site does not give it: the info dictionary by ut_metadata, the
 * piece layers by hash requests; and peers that lie about them. */
#include "sim_test.h"
#include "wire/peer_msg.h"
#include "wire/ut_metadata.h"

enum { HAVE = 4, BITFIELD, EXTENDED = 20, HASH_REQUEST = 21, HASHES, HASH_REJECT };

#define BIG MIB(40) /* 640 pieces: more hashes than one request may ask for */

/* A site with files large and small, somebody who has them all, and a script. */
struct lack {
    struct scene scene;
    struct visitor *honest, *visitor;
    struct script *script;
    char torrent[200];
    struct buf info;
    uint32_t info_asked, hashes_asked;
    bool lies_info, lies_hashes, rejects, mute;
    uint32_t says_size;
};

static void lack_begin(struct lack *lack, uint64_t seed)
{
    memset(lack, 0, sizeof *lack);
    lack->scene = scene_new(seed);
    publisher_add(lack->scene.site, 0, "a.js", 20000, 1);
    publisher_add(lack->scene.site, 0, "b.wasm", 300000, 2);
    publisher_add(lack->scene.site, 0, "same.wasm", 300000, 2);
    publisher_add(lack->scene.site, 0, "big.bin", BIG, 3);
    publisher_publish(lack->scene.site);
    lack->honest = scene_visitor(&lack->scene, "honest", ZONE_SHARE, NULL);
    scene_load_all(&lack->scene, lack->honest);
    char *path = publisher_torrent_path(lack->scene.site, 0);
    snprintf(lack->torrent, sizeof lack->torrent, "%s", path);
    mem_free(path);
    const struct resource *torrent = server_get(lack->scene.site->server, lack->torrent);
    struct span info;
    ck_assert_int_eq(metainfo_find_info(span_of(torrent->data, torrent->length), &info), ERR_OK);
    buf_init(&lack->info, MIB(1));
    buf_put(&lack->info, info.data, info.length);
}

static void lack_end(struct lack *lack)
{
    buf_done(&lack->info);
    scene_free(&lack->scene);
}

static struct visitor *newcomer(struct lack *lack)
{
    struct visitor_config config = {.name = "v1", .link = LINK_HOME, .zone = ZONE_SHARE};

    if (lack->script != NULL) {
        config.peers[0] = lack->script->host;
        config.peers[1] = lack->honest->host;
    } else {
        config.peers[0] = lack->honest->host;
    }
    lack->visitor = visitor_new(lack->scene.world, &config);
    return lack->visitor;
}

/* It has the torrent now, and what it wants comes from peers. */
static void check_has_it(struct lack *lack)
{
    uint64_t before = scene_origin_bytes(&lack->scene);

    scene_load(lack->visitor, "/static/b.wasm");
    scene_load(lack->visitor, "/static/same.wasm");
    scene_load(lack->visitor, "/static/a.js");
    ck_assert_uint_eq(scene_origin_bytes(&lack->scene), before);
}

START_TEST(test_a_site_without_its_torrent)
{
    struct lack lack;
    lack_begin(&lack, 1000);

    server_remove(lack.scene.site->server, lack.torrent);
    newcomer(&lack);
    /* The first page does not wait for it. */
    struct fetch *fetch = scene_fetch(lack.visitor, "/static/b.wasm");
    ck_assert_int_eq(fetch->state, FETCH_ORIGIN);
    ck_assert_uint_le(scene_ms(fetch), 500);
    world_run(lack.scene.world, 2000);
    check_has_it(&lack);
    /* And keeps it. */
    visitor_kill(lack.visitor);
    visitor_start(lack.visitor);
    check_has_it(&lack);
    lack_end(&lack);
}
END_TEST

START_TEST(test_a_site_that_is_slow_to_give_it)
{
    struct lack lack;
    lack_begin(&lack, 1001);

    server_get(lack.scene.site->server, lack.torrent)->fault.delay_ms = 20000;
    newcomer(&lack);
    struct fetch *fetch = scene_load(lack.visitor, "/static/b.wasm");
    ck_assert_uint_ge(scene_ms(fetch), 1000);
    ck_assert_uint_le(scene_ms(fetch), 2500);
    check_has_it(&lack);
    lack_end(&lack);
}
END_TEST

/* While all is well nobody asks peers for it. */
START_TEST(test_a_site_that_gives_it)
{
    struct lack lack;
    lack_begin(&lack, 1002);

    newcomer(&lack);
    scene_load(lack.visitor, "/static/a.js");
    uint64_t sent = lack.honest->counts.steps;
    ck_assert_uint_gt(sent, 0);
    ck_assert_uint_eq(server_get(lack.scene.site->server, lack.torrent)->requests, 2);
    lack_end(&lack);
}
END_TEST

/* --- peers that are of no use, or worse */

static void say_offer(struct lack *lack, struct script *script, const struct script_conn *sc)
{
    char text[100];
    uint32_t size = lack->says_size > 0 ? lack->says_size : (uint32_t)lack->info.length;
    int length = snprintf(text + 1, sizeof text - 1, "d1:md11:ut_metadatai7ee13:metadata_sizei%uee",
                          (unsigned)size);
    text[0] = 0;
    script_say(script, sc, EXTENDED, text, (size_t)length + 1);
}

static void say_info(struct lack *lack, struct script *script, const struct script_conn *sc,
                     uint32_t piece)
{
    struct ut_metadata msg = {.kind = lack->rejects ? UT_METADATA_REJECT : UT_METADATA_DATA,
                              .piece = piece,
                              .total_size = (uint32_t)lack->info.length};
    struct buf out;

    msg.data = lack->rejects ? span_of(NULL, 0) : span_of(lack->info.data, lack->info.length);
    buf_init(&out, MIB(1));
    buf_put_u8(&out, 2);
    ut_metadata_encode(&msg, &out);
    out.data[out.length - 1] ^= lack->lies_info;
    script_say(script, sc, EXTENDED, out.data, out.length);
    buf_done(&out);
}

static void say_hashes(struct lack *lack, struct script *script, const struct script_conn *sc,
                       struct span request)
{
    uint32_t count = load_u32be(request.data + 40), layers = load_u32be(request.data + 44);
    size_t length = 48 + (size_t)(count + merkle_uncle_count(count, layers)) * HASH_LENGTH;
    uint8_t *body = mem_zalloc(length);

    memcpy(body, request.data, 48);
    script_say(script, sc, lack->rejects ? HASH_REJECT : HASHES, body, lack->rejects ? 48 : length);
    mem_free(body);
}

static bool hear(struct script *script, struct script_conn *sc, uint8_t id, struct span body)
{
    struct lack *lack = script->user;

    if (id == EXTENDED && body.data[0] == 0) {
        say_offer(lack, script, sc);
    } else if (id == EXTENDED && body.data[0] == 7) {
        struct ut_metadata msg;
        ck_assert_int_eq(ut_metadata_decode(span_of(body.data + 1, body.length - 1), &msg), ERR_OK);
        lack->info_asked++;
        if (!lack->mute)
            say_info(lack, script, sc, msg.piece);
    } else if (id == HASH_REQUEST) {
        lack->hashes_asked++;
        if (!lack->mute)
            say_hashes(lack, script, sc, body);
    }
    return id >= EXTENDED;
}

static void lack_script(struct lack *lack, const struct script_flags *flags)
{
    lack->script = scene_script(&lack->scene, flags);
    lack->script->hear = hear;
    lack->script->user = lack;
    /* Who has it comes a little later than who lies. */
    lack->honest->host->link.latency_us += 30000;
    server_remove(lack->scene.site->server, lack->torrent);
}

static bool is_banned(struct lack *lack)
{
    uint32_t opened = lack->script->opened;

    script_dial(lack->script, lack->visitor->host);
    world_run(lack->scene.world, 2000);
    return lack->script->opened == opened + 1 && lack->script->closed == lack->script->opened;
}

static void check_kind(struct lack *lack, bool banned)
{
    lack_script(lack, &(struct script_flags){.extended = true, .chokes = true});
    newcomer(lack);
    scene_fetch(lack->visitor, "/static/b.wasm");
    world_run(lack->scene.world, 20000);
    ck_assert_uint_ge(lack->info_asked, 1);
    check_has_it(lack);
    ck_assert_int_eq(is_banned(lack), banned);
    lack_end(lack);
}

START_TEST(test_info_that_does_not_have_its_hash)
{
    struct lack lack;
    lack_begin(&lack, 1010);
    lack.lies_info = true;
    check_kind(&lack, true);
}
END_TEST

START_TEST(test_info_of_another_size)
{
    struct lack lack;
    lack_begin(&lack, 1011);
    lack.says_size = MIB(60);
    check_kind(&lack, false);
}
END_TEST

START_TEST(test_who_rejects)
{
    struct lack lack;
    lack_begin(&lack, 1012);
    lack.rejects = true;
    check_kind(&lack, false);
}
END_TEST

START_TEST(test_who_says_nothing)
{
    struct lack lack;
    lack_begin(&lack, 1013);
    lack.mute = true;
    check_kind(&lack, false);
}
END_TEST

START_TEST(test_hashes_that_do_not_prove)
{
    struct lack lack;
    lack_begin(&lack, 1014);

    lack_script(&lack, &(struct script_flags){.extended = true, .chokes = true});
    newcomer(&lack);
    scene_fetch(lack.visitor, "/static/b.wasm");
    world_run(lack.scene.world, 20000);
    ck_assert_uint_ge(lack.hashes_asked, 1);
    ck_assert_uint_ge(lack.script->closed, 1);
    check_has_it(&lack);
    lack_end(&lack);
}
END_TEST

/* --- what peers have, before anybody knows how many pieces there are */

START_TEST(test_bitfields_are_kept_until_they_mean_something)
{
    static const struct {
        struct script_flags flags;
        bool closed;
    } kinds[] = {{{.extended = true, .no_fast = true}, false},
                 {{.extended = true, .lazy_bitfield = true}, false},
                 {{.extended = true, .wrong_bitfield = true}, true},
                 {{.extended = true, .spare_bit = true}, true},
                 {{.extended = true, .bad_have = true}, true}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct lack lack;
        lack_begin(&lack, 1020 + i);
        lack.mute = true;
        lack_script(&lack, &kinds[i].flags);
        lack.script->flags.chokes = true;
        newcomer(&lack);
        scene_fetch(lack.visitor, "/static/b.wasm");
        ck_assert_uint_eq(lack.script->closed, 0);
        world_run(lack.scene.world, 9000);
        check_has_it(&lack);
        ck_assert_msg((lack.script->closed > 0) == kinds[i].closed, "kind %zu: closed %u", i,
                      lack.script->closed);
        /* Interest is said only where something is. */
        ck_assert_msg((lack.script->interesteds > 0) == !kinds[i].closed, "kind %zu", i);
        lack_end(&lack);
    }
}
END_TEST

TEST_MAIN("sim_getting",
          TESTS(test_a_site_without_its_torrent, test_a_site_that_is_slow_to_give_it,
                test_a_site_that_gives_it, test_info_that_does_not_have_its_hash,
                test_info_of_another_size, test_who_rejects, test_who_says_nothing,
                test_hashes_that_do_not_prove, test_bitfields_are_kept_until_they_mean_something))
