/* The wire beyond blocks: hashes (BEP 52), the info dictionary (BEP 9), what is lost (BEP 54), as a
 * peer sees them. sniff.c proves every hash that a visitor says. */
#include "sim_test.h"
#include "wire/peer_msg.h"
#include "wire/ut_metadata.h"

enum { HAVE = 4, REQUEST = 6, REJECT = 16, EXTENDED = 20, HASH_REQUEST = 21, HASHES, HASH_REJECT };

/* What a script has heard of it. */
struct heard {
    uint32_t hashes, rejects, metadata_rejects, donthaves;
    uint32_t hash_count, donthave; /* of the last one */
    struct buf info;
    struct peer_extended said;
};

static bool hear_extended(struct heard *heard, struct span body)
{
    struct span payload = span_of(body.data + 1, body.length - 1);
    struct ut_metadata msg;

    if (body.data[0] == 0) {
        ck_assert_int_eq(peer_extended_decode(payload, &heard->said), ERR_OK);
    } else if (body.data[0] == 2) {
        ck_assert_int_eq(ut_metadata_decode(payload, &msg), ERR_OK);
        heard->metadata_rejects += msg.kind == UT_METADATA_REJECT;
        buf_put(&heard->info, msg.data.data, msg.data.length);
    } else if (body.data[0] == 3) {
        heard->donthaves++;
        heard->donthave = load_u32be(body.data + 1);
    }
    return true;
}

static bool hear(struct script *script, struct script_conn *sc, uint8_t id, struct span body)
{
    struct heard *heard = script->user;

    (void)sc;
    heard->rejects += id == HASH_REJECT;
    if (id == EXTENDED)
        return hear_extended(heard, body);
    if (id != HASHES)
        return false;
    heard->hashes++;
    heard->hash_count = (uint32_t)(body.length - 48) / HASH_LENGTH;
    return true;
}

/* A visitor with files, and a peer that asks it. */
struct talk {
    struct scene scene;
    struct visitor *visitor;
    struct script *script;
    struct heard heard;
};

#define OFFERS "\0d1:md11:lt_donthavei3e11:ut_metadatai2eee"

static void say_offers(struct talk *talk)
{
    script_say_all(talk->script, EXTENDED, OFFERS, sizeof OFFERS - 1);
    world_run(talk->scene.world, 200);
}

static void talk_begin(struct talk *talk, uint64_t seed, enum zone zone)
{
    memset(talk, 0, sizeof *talk);
    buf_init(&talk->heard.info, MIB(1));
    talk->scene = scene_with_files(seed);
    talk->visitor = scene_visitor(&talk->scene, "v1", zone, NULL);
    scene_load(talk->visitor, "/static/b.wasm");
    talk->script =
        scene_script(&talk->scene, &(struct script_flags){.has_nothing = true, .extended = true});
    talk->script->hear = hear;
    talk->script->user = &talk->heard;
    script_dial(talk->script, talk->visitor->host);
    world_run(talk->scene.world, 300);
    say_offers(talk);
}

static void talk_end(struct talk *talk)
{
    scene_free(&talk->scene);
    buf_done(&talk->heard.info);
}

static const struct metainfo_file *file_of(const struct talk *talk, const char *path)
{
    const struct metainfo *meta = talk->script->torrent->meta;
    return &meta->files[metainfo_find_path(meta, path, strlen(path))];
}

static void ask_hashes(struct talk *talk, const uint8_t *root, uint32_t base, uint32_t index,
                       uint32_t count, uint32_t layers)
{
    uint8_t body[48];

    memcpy(body, root, 32);
    store_u32be(body + 32, base);
    store_u32be(body + 36, index);
    store_u32be(body + 40, count);
    store_u32be(body + 44, layers);
    script_say_all(talk->script, HASH_REQUEST, body, sizeof body);
    world_run(talk->scene.world, 200);
}

/* --- hashes */

START_TEST(test_hashes_are_given)
{
    struct talk talk;
    talk_begin(&talk, 900, ZONE_SHARE);
    const uint8_t *b = file_of(&talk, "b.wasm")->root, *c = file_of(&talk, "c.bin")->root;

    /* The piece layer, of what it has not either: the torrent says it. */
    ask_hashes(&talk, c, 2, 0, 16, 0);
    ck_assert_uint_eq(talk.heard.hashes, 1);
    ck_assert_uint_eq(talk.heard.hash_count, 16);
    /* Five pieces of four blocks in a tree of 32: the second piece's blocks up to the root. */
    ask_hashes(&talk, b, 0, 4, 4, 4);
    ck_assert_uint_eq(talk.heard.hashes, 2);
    ck_assert_uint_eq(talk.heard.hash_count, 4 + 3);
    ck_assert_uint_eq(talk.heard.rejects, 0);
    ask_hashes(&talk, c, 0, 4, 4, 4); /* blocks of a piece that it has not */
    ask_hashes(&talk, b, 0, 3, 4, 4); /* out of place */
    ask_hashes(&talk, (const uint8_t[32]){0}, 0, 0, 4, 4);
    ck_assert_uint_eq(talk.heard.hashes, 2);
    ck_assert_uint_eq(talk.heard.rejects, 3);
    ck_assert_uint_eq(talk.script->closed, 0);
    talk_end(&talk);
}
END_TEST

START_TEST(test_who_does_not_share_gives_no_hashes)
{
    struct talk talk;
    talk_begin(&talk, 901, ZONE_FETCH);

    ask_hashes(&talk, file_of(&talk, "b.wasm")->root, 2, 0, 8, 0);
    ck_assert_uint_eq(talk.heard.hashes, 0);
    ck_assert_uint_eq(talk.heard.rejects, 1);
    ck_assert_uint_eq(talk.heard.said.ut_metadata, 0);
    ck_assert_uint_eq(talk.heard.said.metadata_size, 0);
    talk_end(&talk);
}
END_TEST

START_TEST(test_choice_withdrawn_while_the_disk_reads)
{
    struct talk talk;
    talk_begin(&talk, 902, ZONE_SHARE);
    uint8_t body[48] = {0};

    talk.visitor->disk->delay_us = 50000;
    memcpy(body, file_of(&talk, "b.wasm")->root, 32);
    body[43] = 4;
    script_say_all(talk.script, HASH_REQUEST, body, sizeof body);
    world_run(talk.scene.world, 30);
    visitor_set_zone(talk.visitor, SITE, ZONE_FETCH);
    world_run(talk.scene.world, 300);
    ck_assert_uint_eq(talk.heard.hashes, 0);
    ck_assert_uint_eq(talk.heard.rejects, 1);
    /* And closed meanwhile: nobody is there to answer. */
    visitor_set_zone(talk.visitor, SITE, ZONE_SHARE);
    script_say_all(talk.script, HASH_REQUEST, body, sizeof body);
    world_run(talk.scene.world, 30);
    visitor_set_zone(talk.visitor, SITE, ZONE_OFF);
    world_run(talk.scene.world, 300);
    ck_assert_uint_eq(talk.heard.hashes, 0);
    talk_end(&talk);
}
END_TEST

START_TEST(test_floods_of_hash_requests)
{
    struct talk talk;
    talk_begin(&talk, 903, ZONE_SHARE);
    uint8_t body[48] = {0};

    memcpy(body, file_of(&talk, "b.wasm")->root, 32);
    body[43] = 4;
    /* More at once than are read at once: the rest is refused, and the peer stays. */
    for (int i = 0; i < 20; i++)
        script_say_all(talk.script, HASH_REQUEST, body, sizeof body);
    world_run(talk.scene.world, 500);
    ck_assert_uint_ge(talk.heard.hashes, LIMIT_HASH_READS);
    ck_assert_uint_eq(talk.heard.hashes + talk.heard.rejects, 20);
    ck_assert_uint_eq(talk.script->closed, 0);
    for (int i = 0; i < 20000; i++)
        script_say_all(talk.script, HASH_REQUEST, body, sizeof body);
    world_run(talk.scene.world, 20000);
    ck_assert_uint_eq(talk.script->closed, 1);
    ck_assert_uint_le(talk.heard.hashes, 2 * LIMIT_HASH_WORK / 64);
    talk_end(&talk);
}
END_TEST

/* --- the info dictionary */

static void ask_info(struct talk *talk, uint32_t piece)
{
    struct ut_metadata msg = {.kind = UT_METADATA_REQUEST, .piece = piece};
    struct buf out;

    buf_init(&out, 100);
    buf_put_u8(&out, talk->heard.said.ut_metadata);
    ut_metadata_encode(&msg, &out);
    script_say_all(talk->script, EXTENDED, out.data, out.length);
    buf_done(&out);
}

START_TEST(test_the_info_dictionary_is_given)
{
    struct talk talk;
    uint8_t hash[HASH_LENGTH];
    talk_begin(&talk, 910, ZONE_SHARE);
    const struct metainfo *meta = talk.script->torrent->meta;

    ck_assert_uint_ne(talk.heard.said.ut_metadata, 0);
    ck_assert_uint_eq(talk.heard.said.metadata_size, meta->info_length);
    for (int times = 0; times < 2; times++) {
        buf_clear(&talk.heard.info);
        for (uint32_t i = 0; i < ut_metadata_pieces(meta->info_length); i++)
            ask_info(&talk, i);
        world_run(talk.scene.world, 15000); /* it is not kept for so long */
        sha256(talk.heard.info.data, talk.heard.info.length, hash);
        ck_assert_mem_eq(hash, meta->infohash, HASH_LENGTH);
    }
    ask_info(&talk, 99);
    world_run(talk.scene.world, 200);
    ck_assert_uint_eq(talk.heard.metadata_rejects, 1);
    /* Who takes the extension back gets no more of it. */
    script_say_all(talk.script, EXTENDED, "\0d1:md11:ut_metadatai0eee", 25);
    buf_clear(&talk.heard.info);
    ask_info(&talk, 0);
    world_run(talk.scene.world, 500);
    ck_assert_uint_eq(talk.heard.info.length, 0);
    ck_assert_uint_eq(talk.script->closed, 0);
    talk_end(&talk);
}
END_TEST

START_TEST(test_floods_of_metadata_requests)
{
    struct talk talk;
    talk_begin(&talk, 911, ZONE_SHARE);
    size_t length = talk.script->torrent->meta->info_length;

    for (int i = 0; i < 60; i++)
        ask_info(&talk, 0);
    world_run(talk.scene.world, 2000);
    ck_assert_uint_eq(talk.script->closed, 0);
    ck_assert_uint_eq(talk.heard.info.length / length + talk.heard.metadata_rejects, 60);
    ck_assert_uint_ge(talk.heard.metadata_rejects, 20);
    for (int i = 0; i < 1000; i++)
        ask_info(&talk, 0);
    world_run(talk.scene.world, 5000);
    ck_assert_uint_eq(talk.script->closed, 1);
    talk_end(&talk);
}
END_TEST

/* --- what is lost */

START_TEST(test_a_damaged_piece_is_taken_back)
{
    struct talk talk;
    talk_begin(&talk, 920, ZONE_SHARE);
    const struct metainfo_file *b = file_of(&talk, "b.wasm");

    disk_damage(talk.visitor->disk, b->root, 2);
    ask_hashes(&talk, b->root, 0, 8, 4, 4);
    world_run(talk.scene.world, 500);
    ck_assert_uint_eq(talk.heard.rejects, 1);
    ck_assert_uint_eq(talk.heard.donthaves, 1);
    ck_assert_uint_eq(talk.heard.donthave, b->first_piece + 2);
    /* The file is fetched again, as far as it has to be. */
    uint64_t before = scene_origin_bytes(&talk.scene);
    scene_load(talk.visitor, "/static/b.wasm");
    ck_assert_uint_eq(scene_origin_bytes(&talk.scene) - before, KIB(64));
    ask_hashes(&talk, b->root, 0, 8, 4, 4);
    ck_assert_uint_eq(talk.heard.hashes, 1);
    talk_end(&talk);
}
END_TEST

/* A piece that a peer has no more is asked of others, or of the site; at once. */
START_TEST(test_a_peer_that_loses_pieces)
{
    struct scene scene = scene_with_files(921);
    struct script *script =
        scene_script(&scene, &(struct script_flags){.extended = true, .stall_after = 1});
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, script->host);
    uint32_t pieces = script->torrent->meta->piece_count;

    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene.world, 1000);
    struct fetch *fetch = fetch_begin(visitor, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 100);
    ck_assert_uint_ge(script->requests_got, 2);
    for (uint32_t i = 0; i < pieces; i++) {
        uint8_t body[5] = {3};
        store_u32be(body + 1, i);
        script_say_all(script, EXTENDED, body, sizeof body);
    }
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_le(scene_ms(fetch), 1000);
    ck_assert_uint_eq(script->closed, 0);
    uint8_t body[5] = {3};
    store_u32be(body + 1, pieces);
    script_say_all(script, EXTENDED, body, sizeof body);
    world_run(scene.world, 100);
    ck_assert_uint_eq(script->closed, 1);
    scene_free(&scene);
}
END_TEST

/* --- who sent what */

/* A visitor between an honest peer and scripts. The site is too slow to be of any use. */
struct court {
    struct scene scene;
    struct visitor *visitor, *honest;
    struct script *liar, *witness;
    uint32_t asked; /* of the witness, for hashes */
    uint64_t given; /* by the honest one */
};

static void court_begin(struct court *court, uint64_t seed, const struct script_flags *liar,
                        const struct script_flags *witness)
{
    memset(court, 0, sizeof *court);
    court->scene = scene_with_files(seed);
    court->honest = scene_visitor(&court->scene, "honest", ZONE_SHARE, NULL);
    scene_load_all(&court->scene, court->honest);
    server_get(court->scene.site->server, "/static/c.bin")->fault.delay_ms = 600000;
    court->liar = scene_script(&court->scene, liar);
    struct visitor_config config = {.name = "v1",
                                    .link = LINK_HOME,
                                    .zone = ZONE_SHARE,
                                    .peers = {court->liar->host, court->honest->host}};
    if (witness != NULL) {
        court->witness = scene_script(&court->scene, witness);
        court->witness->user = court;
        config.peers[2] = court->witness->host;
    }
    court->visitor = visitor_new(court->scene.world, &config);
}

static struct fetch *court_fetch(struct court *court)
{
    visitor_site_open(court->visitor, SITE, 1, "doc");
    world_run(court->scene.world, 1000);
    struct fetch *fetch = fetch_begin(court->visitor, SITE, 1, "/static/c.bin", "doc");
    fetch_wait(fetch, 60000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    court->given = scene_count(court->honest, "", "total.uploaded");
    return fetch;
}

/* It may not come back either. */
static bool is_banned(struct court *court, struct script *script)
{
    uint32_t opened = script->opened;

    script_dial(script, court->visitor->host);
    world_run(court->scene.world, 2000);
    return script->opened == opened + 1 && script->opened == script->closed;
}

/* The first block of a piece is wrong and the rest comes from somebody else: who gave it is known,
 * and nothing but it is sent twice. */
START_TEST(test_a_wrong_block_has_one_culprit)
{
    struct court court;
    court_begin(&court, 930, &(struct script_flags){.flips_one = true, .stall_after = 1}, NULL);

    court_fetch(&court);
    ck_assert_uint_eq(court.liar->blocks_served, 1);
    ck_assert_uint_eq(court.visitor->disk->refused, 1);
    ck_assert_uint_eq(court.given, MIB(1));
    ck_assert(is_banned(&court, court.liar));
    ck_assert_uint_eq(HASH_COUNT(court.visitor->sockets), 1);
    scene_free(&court.scene);
}
END_TEST

START_TEST(test_a_culprit_that_has_gone)
{
    struct court court;
    court_begin(&court, 931, &(struct script_flags){.flips_one = true, .stall_after = 1}, NULL);

    visitor_site_open(court.visitor, SITE, 1, "doc");
    world_run(court.scene.world, 1000);
    struct fetch *fetch = fetch_begin(court.visitor, SITE, 1, "/static/c.bin", "doc");
    world_run(court.scene.world, 300);
    ck_assert_uint_eq(court.liar->blocks_served, 1);
    link_break(link_find(court.scene.world, court.liar->conns->conn));
    fetch_wait(fetch, 60000);
    ck_assert_uint_eq(court.visitor->disk->refused, 1);
    ck_assert(is_banned(&court, court.liar));
    scene_free(&court.scene);
}
END_TEST

/* A ban is forgotten after an hour. */
START_TEST(test_a_ban_ends)
{
    struct court court;
    court_begin(&court, 932, &(struct script_flags){.flips = true, .stall_after = 4}, NULL);

    court_fetch(&court);
    ck_assert(is_banned(&court, court.liar));
    world_run(court.scene.world, 3700000);
    ck_assert(!is_banned(&court, court.liar));
    scene_free(&court.scene);
}
END_TEST

static bool swear_falsely(struct script *script, struct script_conn *sc, uint8_t id,
                          struct span body)
{
    struct court *court = script->user;
    uint8_t answer[48 + 4 * HASH_LENGTH] = {0};

    if (id != HASH_REQUEST)
        return false;
    court->asked++;
    memcpy(answer, body.data, body.length);
    script_say(script, sc, HASHES, answer, sizeof answer);
    return true;
}

static bool refuse_to_say(struct script *script, struct script_conn *sc, uint8_t id,
                          struct span body)
{
    struct court *court = script->user;

    if (id != HASH_REQUEST)
        return false;
    court->asked++;
    script_say(script, sc, HASH_REJECT, body.data, body.length);
    return true;
}

static bool say_nothing(struct script *script, struct script_conn *sc, uint8_t id, struct span body)
{
    struct court *court = script->user;

    (void)sc;
    (void)body;
    court->asked += id == HASH_REQUEST;
    return id == HASH_REQUEST;
}

START_TEST(test_witnesses_that_are_of_no_use)
{
    bool (*const kinds[])(struct script *, struct script_conn *, uint8_t,
                          struct span) = {swear_falsely, refuse_to_say, say_nothing};

    for (size_t i = 0; i < 3; i++) {
        struct court court;
        court_begin(&court, 940 + i, &(struct script_flags){.flips_one = true, .stall_after = 1},
                    &(struct script_flags){.chokes = true});
        court.witness->hear = kinds[i];
        court_fetch(&court);
        ck_assert_uint_eq(court.asked, 1);
        ck_assert_uint_eq(court.given, MIB(1));
        ck_assert(is_banned(&court, court.liar));
        ck_assert(!is_banned(&court, court.witness));
        scene_free(&court.scene);
    }
}
END_TEST

static void swear_unasked(struct script *script, uint32_t times)
{
    uint8_t answer[48 + 2 * HASH_LENGTH] = {[43] = 2};

    for (uint32_t i = 0; i < times; i++)
        script_say_all(script, HASHES, answer, sizeof answer);
}

/* --- floods */

static void flood(struct talk *talk, int kind, uint32_t times)
{
    static const uint8_t handshake[] = "\0d1:mdee", have[4] = {0};

    for (uint32_t i = 0; i < times; i++) {
        if (kind == 0)
            script_say_all(talk->script, 2 + i % 2, NULL, 0); /* interested, not interested */
        else if (kind == 1)
            script_say_all(talk->script, i % 2, NULL, 0); /* choke, unchoke */
        else if (kind == 2)
            script_say_all(talk->script, EXTENDED, handshake, sizeof handshake - 1);
        else if (kind == 3)
            script_say_all(talk->script, 99, have, 4); /* nobody knows that */
        else if (kind == 4)
            script_say_all(talk->script, HAVE, have, 4);
        else
            swear_unasked(talk->script, 1);
    }
    world_run(talk->scene.world, 2000);
}

START_TEST(test_floods_of_words)
{
    static const uint32_t borne[] = {100, 100, 25, 400, 400, 25};

    for (int kind = 0; kind < 6; kind++) {
        struct talk talk;
        talk_begin(&talk, 950 + (uint64_t)kind, ZONE_SHARE);
        flood(&talk, kind, borne[kind]);
        ck_assert_msg(talk.script->closed == 0, "kind %d is not borne", kind);
        flood(&talk, kind, 3000);
        ck_assert_msg(talk.script->closed == 1, "kind %d is borne for ever", kind);
        talk_end(&talk);
    }
}
END_TEST

/* Whoever floods again and again is let in no more. */
START_TEST(test_floods_lead_to_a_ban)
{
    struct talk talk;
    talk_begin(&talk, 960, ZONE_SHARE);

    flood(&talk, 3, 3000);
    script_dial(talk.script, talk.visitor->host);
    world_run(talk.scene.world, 500);
    ck_assert_uint_eq(talk.script->handshakes, 2);
    flood(&talk, 3, 3000);
    script_dial(talk.script, talk.visitor->host);
    world_run(talk.scene.world, 500);
    ck_assert_uint_eq(talk.script->handshakes, 2);
    ck_assert_uint_eq(talk.script->closed, 3);
    talk_end(&talk);
}
END_TEST

/* --- pieces that may be asked for while choked (BEP 6) */

START_TEST(test_allowed_pieces_are_asked_for_while_choked)
{
    struct scene scene = scene_with_files(970);
    struct script *script = scene_script(&scene, &(struct script_flags){.chokes = true});
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, script->host);
    const struct metainfo *meta = script->torrent->meta;
    const struct metainfo_file *c = &meta->files[metainfo_find_path(meta, "c.bin", 5)];
    uint8_t piece[4];

    server_get(scene.site->server, "/static/c.bin")->fault.delay_ms = 3000;
    visitor_site_open(visitor, SITE, 1, "doc");
    world_run(scene.world, 1000);
    struct fetch *fetch = fetch_begin(visitor, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 100);
    ck_assert_uint_eq(script->requests_got, 0);
    store_u32be(piece, c->first_piece + 14);
    script_say_all(script, 17, piece, 4);
    script_say_all(script, 17, piece, 4);
    store_u32be(piece, 0); /* not wanted */
    script_say_all(script, 17, piece, 4);
    script_say_all(script, 13, piece, 4); /* a suggestion */
    world_run(scene.world, 1000);
    ck_assert_uint_eq(script->requests_got, 4);
    ck_assert_uint_eq(visitor->disk->stored, 1);
    fetch_wait(fetch, 20000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    ck_assert_uint_eq(script->requests_got, 4);
    ck_assert_uint_eq(script->closed, 0);
    store_u32be(piece, meta->piece_count);
    script_say_all(script, 17, piece, 4);
    world_run(scene.world, 200);
    ck_assert_uint_eq(script->closed, 1);
    scene_free(&scene);
}
END_TEST

/* Asks for what it is given, and for the piece beside it. */
static bool take_gift(struct script *script, struct script_conn *sc, uint8_t id, struct span body)
{
    uint32_t *gifts = script->user;
    uint8_t request[12] = {0};

    if (id != 17)
        return false;
    (*gifts)++;
    memcpy(request, body.data, 4);
    store_u32be(request + 8, BLOCK_LENGTH);
    script_say(script, sc, REQUEST, request, sizeof request);
    return true;
}

START_TEST(test_who_waits_for_a_slot_is_given_something)
{
    struct scene scene = scene_with_files(971);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct script_flags flags = {.has_nothing = true, .flood = 60, .asks_whole = true};
    struct script *first = scene_script(&scene, &flags), *second = scene_script(&scene, &flags);
    uint32_t gifts = 0;

    scene_load_all(&scene, giver);
    visitor_set(giver, SETTING_SLOTS, 1);
    visitor_set(giver, SETTING_UPLOAD_RATE, 200000);
    script_dial(first, giver->host);
    world_run(scene.world, 1000);
    second->hear = take_gift;
    second->user = &gifts;
    script_dial(second, giver->host);
    world_run(scene.world, 5000);
    ck_assert_uint_eq(first->unchokes, 1);
    ck_assert_uint_eq(second->unchokes, 0);
    ck_assert_uint_eq(gifts, 4);
    ck_assert_uint_eq(second->blocks_got, 4);
    /* Not over and over, and nothing else. */
    uint8_t request[12] = {0};
    store_u32be(request + 8, BLOCK_LENGTH);
    for (uint32_t i = 0; i < 22 * 30; i++) {
        store_u32be(request, i % 22);
        script_say_all(second, REQUEST, request, sizeof request);
    }
    world_run(scene.world, 3000);
    ck_assert_uint_le(second->blocks_got, 2 * 4 * 4);
    ck_assert_uint_ge(second->rejects_got, 22 * 30 - 2 * 4 * 4);
    scene_free(&scene);
}
END_TEST

/* --- upload_only, as a message */

/* Who says that it wants nothing and has nothing is of no use to one that has everything. */
START_TEST(test_upload_only_between_handshakes)
{
    static const char words[][3] = {"\5\1", "\5\0", "\5\1\0"};

    for (int i = 0; i < 4; i++) {
        struct scene scene = scene_with_files(970 + (uint64_t)i);
        struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
        struct script *script =
            scene_script(&scene, &(struct script_flags){.has_nothing = true, .extended = true});

        scene_load_all(&scene, visitor);
        script_dial(script, visitor->host);
        world_run(scene.world, 300);
        script_say_all(script, EXTENDED, "\0d1:mdee", 8);
        script_say_all(script, EXTENDED, words[i % 3], i == 2 ? 3 : 2);
        if (i == 3) /* it wants something again */
            script_say_all(script, EXTENDED, words[1], 2);
        world_run(scene.world, 5000);
        ck_assert_uint_eq(script->closed, i == 0 || i == 2);
        scene_free(&scene);
    }
}
END_TEST

/* --- suggestions */

struct asked {
    uint32_t pieces[8], count; /* in the order in which they were first asked for */
};

static bool note_request(struct script *script, struct script_conn *sc, uint8_t id,
                         struct span body)
{
    struct asked *asked = script->user;

    (void)sc;
    if (id != 6 || asked->count == 8)
        return false;
    uint32_t piece = load_u32be(body.data);
    if (asked->count == 0 || asked->pieces[asked->count - 1] != piece)
        asked->pieces[asked->count++] = piece;
    return false;
}

static void suggest(struct script *script, uint32_t piece)
{
    uint8_t body[4];

    store_u32be(body, piece);
    script_say_all(script, 13, body, sizeof body);
}

/* Among many who want the same, what a seed suggests comes first of what is as rare; alone, the
 * page's order counts. */
static void check_suggestions(uint64_t seed, bool crowd, uint32_t more)
{
    static const char offer[] = "\0d1:md12:fringe_claimi7eee";
    struct scene scene = scene_with_files(seed);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct script *seeder = scene_script(&scene, &(struct script_flags){0});
    struct script *other =
        scene_script(&scene, &(struct script_flags){.has_nothing = true, .extended = true});
    uint32_t last = seeder->torrent->meta->piece_count - 1;
    struct asked asked = {0};

    server_get(scene.site->server, "/static/c.bin")->fault.delay_ms = 600000;
    scene_load(visitor, "/static/a.js");
    seeder->hear = note_request;
    seeder->user = &asked;
    script_dial(seeder, visitor->host);
    script_dial(other, visitor->host);
    world_run(scene.world, 500);
    if (crowd)
        script_say_all(other, EXTENDED, offer, sizeof offer - 1);
    for (uint32_t i = 0; i < 3; i++)
        suggest(seeder, last - 1 - 2 * i);
    for (uint32_t i = 0; i < more; i++)
        suggest(seeder, i % 16);
    world_run(scene.world, 500);
    asked.count = 0;
    fetch_wait(fetch_begin(visitor, SITE, 1, "/static/c.bin", "doc"), 20000);
    ck_assert_uint_eq(asked.count, 8);
    for (uint32_t i = 0; i < 3 && crowd && more == 0; i++)
        ck_assert(asked.pieces[i] == 20 || asked.pieces[i] == 18 || asked.pieces[i] == 16);
    for (uint32_t i = 0; i < 8 && crowd && more > 0; i++)
        ck_assert_uint_lt(asked.pieces[i], 16);
    if (!crowd)
        ck_assert_uint_eq(asked.pieces[0], last - 15);
    ck_assert_uint_eq(seeder->closed, 0);
    scene_free(&scene);
}

START_TEST(test_suggestions_are_followed)
{
    check_suggestions(960, true, 0);
    check_suggestions(961, true, 0);
    check_suggestions(962, false, 0);
}
END_TEST

START_TEST(test_more_suggestions_than_are_kept)
{
    check_suggestions(963, true, 16); /* these, and no longer the first three */
    check_suggestions(964, false, 200);
}
END_TEST

TEST_MAIN("sim_wire",
          TESTS(test_hashes_are_given, test_who_does_not_share_gives_no_hashes,
                test_choice_withdrawn_while_the_disk_reads, test_floods_of_hash_requests,
                test_the_info_dictionary_is_given, test_floods_of_metadata_requests,
                test_a_damaged_piece_is_taken_back, test_a_peer_that_loses_pieces,
                test_a_wrong_block_has_one_culprit, test_a_culprit_that_has_gone, test_a_ban_ends,
                test_witnesses_that_are_of_no_use, test_floods_of_words, test_floods_lead_to_a_ban,
                test_allowed_pieces_are_asked_for_while_choked,
                test_who_waits_for_a_slot_is_given_something, test_upload_only_between_handshakes,
                test_suggestions_are_followed, test_more_suggestions_than_are_kept))
