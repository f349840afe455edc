/* The visitor's limits: rates, slots, the month, pause. The world holds every visitor to them at
 * every byte (gauge.c); here they are reached, and what a cap allows must also come. */
#include "sim_test.h"

#define STRANGERS 12
#define MONTH_S   (31 * 86400)

static struct script *leech_new(struct scene *scene, const char *name, uint32_t blocks)
{
    struct script_flags flags = {.has_nothing = true, .flood = blocks};
    return script_new(scene->world, name, &LINK_FAST, script_torrent(scene->site, 0), &flags);
}

static const char *sharing(struct visitor *visitor)
{
    struct ask *ask = visitor_ask(visitor, 1, &(struct api_request){.type = API_STATUS});
    return ask_text(visitor, ask, "sharing");
}

static uint64_t status(struct visitor *visitor, const char *path)
{
    struct ask *ask = visitor_ask(visitor, 1, &(struct api_request){.type = API_STATUS});
    return ask_number(visitor, ask, path);
}

/* --- rates */

START_TEST(test_upload_rate)
{
    struct scene scene = scene_with_files(700);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    static const uint64_t rates[] = {30000, 100000, 700000};

    scene_load_all(&scene, giver);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct script *leech = leech_new(&scene, "leech", 400);
        visitor_set(giver, SETTING_UPLOAD_RATE, rates[i]);
        script_dial(leech, giver->host);
        world_run(scene.world, 6000);
        ck_assert_uint_ge(leech->bytes_got, rates[i] * 5 * 95 / 100);
        ck_assert_uint_ge(status(giver, "rates.upload"), rates[i] * 80 / 100);
        ck_assert_uint_le(status(giver, "rates.upload"), rates[i] * 120 / 100);
        world_run(scene.world, 20);
        link_host_down(leech->host);
        world_run(scene.world, 1000);
    }
    scene_free(&scene);
}
END_TEST

START_TEST(test_upload_rate_over_many)
{
    struct scene scene = scene_with_files(701);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct script *leeches[5];
    uint64_t bytes = 0;

    scene_load_all(&scene, giver);
    visitor_set(giver, SETTING_UPLOAD_RATE, 200000);
    for (int i = 0; i < 5; i++) {
        char *name = mem_printf("leech%d", i);
        leeches[i] = leech_new(&scene, name, 100);
        script_dial(leeches[i], giver->host);
        mem_free(name);
    }
    world_run(scene.world, 6000);
    for (int i = 0; i < 5; i++) {
        bytes += leeches[i]->bytes_got;
    }
    ck_assert_uint_ge(bytes, 200000 * 5 * 95 / 100);
    scene_free(&scene);
}
END_TEST

/* From a peer that could give three times as much: no slower than the cap, and the origin is not
 * bothered though the peer seems slow. */
static void download_from_peer(uint64_t rate)
{
    struct scene scene = scene_with_files(702 + rate);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, giver);
    uint64_t before = scene_origin_bytes(&scene);
    struct visitor *taker = scene_visitor(&scene, "v2", ZONE_SHARE, giver->host);

    visitor_set(taker, SETTING_DOWNLOAD_RATE, rate);
    struct fetch *fetch = scene_load(taker, "/static/c.bin");
    uint64_t least_ms = MIB(1) * 1000ull / rate;
    ck_assert_uint_ge(scene_ms(fetch) + 100 + 18432000 / rate, least_ms);
    ck_assert_msg(scene_ms(fetch) <= least_ms * 115 / 100 + 1000, "%llu ms at %llu bytes/s",
                  (unsigned long long)scene_ms(fetch), (unsigned long long)rate);
    ck_assert_uint_eq(scene_origin_bytes(&scene), before);
    scene_free(&scene);
}

START_TEST(test_download_rate_from_a_peer)
{
    download_from_peer(50000);
    download_from_peer(100000);
    download_from_peer(300000);
}
END_TEST

START_TEST(test_download_rate_from_the_origin)
{
    static const uint64_t rates[] = {50000, 300000, 1000000};

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct scene scene = scene_with_files(710 + i);
        struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
        visitor_set(visitor, SETTING_DOWNLOAD_RATE, rates[i]);
        struct fetch *fetch = scene_load(visitor, "/static/c.bin");
        uint64_t least_ms = MIB(1) * 1000ull / rates[i];
        ck_assert_uint_ge(scene_ms(fetch) + 100 + 18432000 / rates[i], least_ms);
        ck_assert_uint_le(scene_ms(fetch), least_ms * 115 / 100 + 1000);
        ck_assert_uint_eq(scene_origin_bytes(&scene), MIB(1));
        scene_free(&scene);
    }
}
END_TEST

/* The least cap that there is: a page still gets its file, and documents do not wait for it. */
START_TEST(test_the_slowest)
{
    struct scene scene = scene_with_files(720);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, giver);
    struct visitor *taker = scene_visitor(&scene, "v2", ZONE_SHARE, giver->host);

    visitor_set(taker, SETTING_DOWNLOAD_RATE, LIMIT_RATE_MIN);
    struct fetch *big = fetch_begin(taker, SITE, 1, "/static/b.wasm", "doc");
    struct fetch *small = scene_load(taker, "/static/a.js");
    ck_assert_uint_le(scene_ms(small), 60000);
    fetch_wait(big, 120000);
    ck_assert_int_eq(big->state, FETCH_DONE);
    scene_free(&scene);
}
END_TEST

/* A site's big file does not hold up another site's small one for long. */
START_TEST(test_two_sites_share_the_rate)
{
    struct scene scene = scene_with_files(721);
    struct publisher *other = publisher_new(scene.world, "https://other.example", NULL);
    publisher_add(other, 0, "x.js", 50000, 9);
    publisher_publish(other);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, giver);
    fetch_wait(fetch_begin(giver, "https://other.example", 1, "/static/x.js", "doc"), 10000);
    struct visitor *taker = scene_visitor(&scene, "v2", ZONE_SHARE, giver->host);

    visitor_set(taker, SETTING_DOWNLOAD_RATE, 100000);
    struct fetch *big = fetch_begin(taker, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 3000);
    struct fetch *small = fetch_begin(taker, "https://other.example", 1, "/static/x.js", "doc");
    fetch_wait(small, 10000);
    ck_assert_int_eq(small->state, FETCH_DONE);
    ck_assert_int_eq(big->state, FETCH_STREAMING);
    ck_assert_uint_le(scene_ms(small), 3000);
    scene_free(&scene);
}
END_TEST

/* Nor one file of a site its other files, when all come from the origin; and what the site says
 * anew is heard. */
START_TEST(test_files_take_turns_at_the_origin)
{
    struct scene scene = scene_with_files(724);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    visitor_set(visitor, SETTING_DOWNLOAD_RATE, 30000);
    struct fetch *big = fetch_begin(visitor, SITE, 1, "/static/c.bin", "doc");
    struct fetch *other = fetch_begin(visitor, SITE, 1, "/static/b.wasm", "doc");
    world_run(scene.world, 1000);
    struct fetch *small = scene_load(visitor, "/static/a.js");
    ck_assert_uint_le(scene_ms(small), 12000);
    ck_assert_int_eq(big->state, FETCH_STREAMING);
    publisher_publish(scene.site);
    struct ask *ask = visitor_site_open(visitor, SITE, 2, "doc");
    ask_wait(visitor, ask, 2000);
    ck_assert_str_eq(ask_text(visitor, ask, "state"), "ready");
    fetch_wait(other, 60000);
    fetch_wait(big, 60000);
    ck_assert(other->state == FETCH_DONE && big->state == FETCH_DONE);
    ck_assert_uint_lt(scene_ms(other), scene_ms(big));
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_rate_lifted_in_the_middle)
{
    struct scene scene = scene_with_files(722);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    visitor_set(visitor, SETTING_DOWNLOAD_RATE, 20000);
    struct fetch *fetch = fetch_begin(visitor, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 5000);
    ck_assert_int_eq(fetch->state, FETCH_STREAMING);
    visitor_set(visitor, SETTING_DOWNLOAD_RATE, 0);
    fetch_wait(fetch, 2000);
    ck_assert_int_eq(fetch->state, FETCH_DONE);
    scene_free(&scene);
}
END_TEST

START_TEST(test_a_fetcher_with_limits_uploads_nothing)
{
    struct scene scene = scene_with_files(723);
    struct visitor *taker = scene_visitor(&scene, "v1", ZONE_FETCH, NULL);

    visitor_set(taker, SETTING_UPLOAD_RATE, 100000);
    visitor_set(taker, SETTING_DOWNLOAD_RATE, 500000);
    visitor_set(taker, SETTING_MONTHLY_CAP, 1000000);
    scene_load_all(&scene, taker);
    struct script *leech = leech_new(&scene, "leech", 20);
    script_dial(leech, taker->host);
    world_run(scene.world, 20000);
    ck_assert_uint_eq(leech->blocks_got + leech->haves + leech->unchokes, 0);
    ck_assert_uint_eq(status(taker, "month.uploaded"), 0);
    scene_free(&scene);
}
END_TEST

/* --- slots */

static uint32_t count_unchoked(const struct visitor *visitor)
{
    uint32_t count = 0;
    for (const struct socket *socket = visitor->sockets; socket != NULL; socket = socket->hh.next)
        count += socket->out.unchoked;
    return count;
}

START_TEST(test_strangers_take_turns)
{
    struct scene scene = scene_with_files(730);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct script *strangers[STRANGERS];
    uint32_t served = 0;

    scene_load_all(&scene, giver);
    visitor_set(giver, SETTING_SLOTS, 4);
    visitor_set(giver, SETTING_UPLOAD_RATE, 100000);
    for (int i = 0; i < STRANGERS; i++) {
        char *name = mem_printf("s%d", i);
        strangers[i] = leech_new(&scene, name, 60);
        script_dial(strangers[i], giver->host);
        mem_free(name);
    }
    world_run(scene.world, 1000);
    for (int second = 1; second < 70; second++) {
        ck_assert_uint_eq(count_unchoked(giver), 4);
        world_run(scene.world, 1000);
    }
    for (int i = 0; i < STRANGERS; i++) {
        ck_assert_uint_ge(strangers[i]->unchokes, 1);
        served += strangers[i]->blocks_got > 0;
    }
    ck_assert_uint_eq(served, STRANGERS);
    scene_free(&scene);
}
END_TEST

/* With a single slot for strangers our own kind is as quick as ever. */
START_TEST(test_our_own_need_no_slot)
{
    struct scene scene = scene_with_files(731);
    struct visitor *giver = scene_visitor(&scene, "v0", ZONE_SHARE, NULL);
    struct fetch *fetches[4];

    scene_load_all(&scene, giver);
    visitor_set(giver, SETTING_SLOTS, 1);
    struct script *first = leech_new(&scene, "s0", 60), *second = leech_new(&scene, "s1", 60);
    script_dial(first, giver->host);
    script_dial(second, giver->host);
    world_run(scene.world, 500);
    for (int i = 0; i < 4; i++) {
        char *name = mem_printf("v%d", i + 1);
        struct visitor *visitor = scene_visitor(&scene, name, ZONE_SHARE, giver->host);
        fetches[i] = fetch_begin(visitor, SITE, 1, "/static/b.wasm", "doc");
        mem_free(name);
    }
    world_run(scene.world, 700);
    ck_assert_uint_eq(count_unchoked(giver), 4 + 1);
    for (int i = 0; i < 4; i++) {
        fetch_wait(fetches[i], 8000);
        ck_assert_int_eq(fetches[i]->state, FETCH_DONE);
    }
    scene_free(&scene);
}
END_TEST

/* --- the month */

START_TEST(test_the_month_is_full)
{
    struct scene scene = scene_with_files(740);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct script *leech = leech_new(&scene, "leech", 60);

    scene_load_all(&scene, giver);
    visitor_set(giver, SETTING_MONTHLY_CAP, 300000);
    ck_assert_str_eq(sharing(giver), "on");
    script_dial(leech, giver->host);
    world_run(scene.world, 5000);
    ck_assert_uint_ge(leech->bytes_got, 300000 - 2 * BLOCK_LENGTH);
    ck_assert_str_eq(sharing(giver), "month");
    ck_assert_uint_eq(status(giver, "month.uploaded"), giver->gauges.month_bytes);
    uint64_t haves = giver->counts.haves_sent, got = leech->bytes_got;
    struct script *late = leech_new(&scene, "late", 60);
    script_dial(late, giver->host);
    world_run(scene.world, 30000);
    ck_assert_uint_eq(late->haves + late->unchokes + late->blocks_got, 0);
    ck_assert_uint_eq(giver->counts.haves_sent, haves);
    ck_assert_uint_eq(leech->bytes_got, got);
    /* A bigger cap, at once. */
    visitor_set(giver, SETTING_MONTHLY_CAP, 600000);
    ck_assert_str_eq(sharing(giver), "on");
    world_run(scene.world, 5000);
    ck_assert_uint_ge(leech->bytes_got + late->bytes_got, got + 200000);
    scene_free(&scene);
}
END_TEST

START_TEST(test_the_next_month)
{
    struct scene scene = scene_new(741);
    publisher_add(scene.site, 0, "c.bin", MIB(1), 3);
    scene.site->lifetime_s = 3 * MONTH_S;
    publisher_publish(scene.site);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct script *leech = leech_new(&scene, "leech", 30);

    scene_load_all(&scene, giver);
    visitor_set(giver, SETTING_MONTHLY_CAP, 100000);
    script_dial(leech, giver->host);
    world_run(scene.world, 5000);
    ck_assert_str_eq(sharing(giver), "month");
    /* 2027-01-15 08:00 it was: not yet, and not when the clock goes back either. */
    giver->skew_s = -MONTH_S;
    world_run(scene.world, 120000);
    ck_assert_str_eq(sharing(giver), "month");
    giver->skew_s = 16 * 86400;
    world_run(scene.world, 120000);
    ck_assert_str_eq(sharing(giver), "month");
    /* February begins: without anybody asking, it shares again. */
    giver->skew_s = 17 * 86400;
    giver->gauges.month_bytes = 0;
    world_run(scene.world, 120000);
    struct script *late = leech_new(&scene, "late", 3);
    script_dial(late, giver->host);
    world_run(scene.world, 5000);
    ck_assert_uint_eq(late->blocks_got, 3);
    ck_assert_str_eq(sharing(giver), "on");
    giver->skew_s = 0;
    giver->gauges.month_bytes = 0;
    uint64_t had = status(giver, "month.uploaded");
    ck_assert_uint_ge(had, 3 * BLOCK_LENGTH);
    scene_free(&scene);
}
END_TEST

START_TEST(test_the_month_survives_a_kill)
{
    struct scene scene = scene_with_files(742);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct script *leech = leech_new(&scene, "leech", 60);

    scene_load_all(&scene, giver);
    visitor_set(giver, SETTING_MONTHLY_CAP, 700000);
    visitor_set(giver, SETTING_UPLOAD_RATE, 20000);
    visitor_set(giver, SETTING_SLOTS, 3);
    script_dial(leech, giver->host);
    world_run(scene.world, 25000);
    uint64_t sent = giver->gauges.month_bytes;
    ck_assert_uint_ge(sent, 450000);
    visitor_kill(giver);
    visitor_start(giver);
    ck_assert_uint_eq(status(giver, "limits.upload_rate"), 20000);
    ck_assert_uint_eq(status(giver, "limits.slots"), 3);
    ck_assert_uint_ge(status(giver, "month.uploaded") + 20000 * 11, sent);
    ck_assert_uint_le(status(giver, "month.uploaded"), sent);
    scene_free(&scene);
}
END_TEST

/* --- pause */

START_TEST(test_pause)
{
    struct scene scene = scene_with_files(750);
    struct visitor *first = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, first);
    struct visitor *second = scene_visitor(&scene, "v2", ZONE_SHARE, first->host);
    scene_load(second, "/static/a.js");
    struct fetch *fetch = fetch_begin(second, SITE, 1, "/static/c.bin", "doc");
    world_run(scene.world, 250);
    ck_assert_int_eq(fetch->state, FETCH_STREAMING);

    visitor_pause(second, 5);
    ck_assert_uint_eq(HASH_COUNT(second->sockets), 0);
    ck_assert_str_eq(sharing(second), "paused");
    ck_assert_uint_eq(status(second, "paused_s"), 300);
    uint64_t before = scene_origin_bytes(&scene);
    fetch_wait(fetch, 10000);
    ck_assert_int_eq(fetch->state, FETCH_DONE); /* the rest from the site */
    ck_assert_uint_gt(scene_origin_bytes(&scene), before);
    scene_load(second, "/static/b.wasm");
    scene_load(second, "/static/a.js"); /* from the cache */
    struct script *leech = leech_new(&scene, "leech", 3);
    script_dial(leech, second->host);
    world_run(scene.world, 60000);
    ck_assert_uint_eq(leech->handshakes, 0);
    ck_assert_uint_eq(HASH_COUNT(second->sockets), 0);

    /* Five minutes later it is over, by itself. */
    world_run(scene.world, 240000);
    ck_assert_str_eq(sharing(second), "on");
    script_dial(leech, second->host);
    world_run(scene.world, 5000);
    ck_assert_uint_eq(leech->blocks_got, 3);
    scene_free(&scene);
}
END_TEST

START_TEST(test_pause_until_resumed)
{
    struct scene scene = scene_with_files(751);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, visitor);
    visitor_pause(visitor, 0);
    world_run(scene.world, 86400000);
    ck_assert_str_eq(sharing(visitor), "paused");
    visitor_kill(visitor);
    visitor_start(visitor);
    ck_assert_str_eq(sharing(visitor), "paused");
    visitor_resume(visitor);
    ck_assert_str_eq(sharing(visitor), "on");
    visitor_kill(visitor);
    visitor_start(visitor);
    ck_assert_str_eq(sharing(visitor), "on");
    scene_free(&scene);
}
END_TEST

START_TEST(test_pause_survives_a_kill)
{
    struct scene scene = scene_with_files(752);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    scene_load_all(&scene, visitor);
    visitor_pause(visitor, 10);
    world_run(scene.world, 300000);
    visitor_kill(visitor);
    visitor_start(visitor);
    ck_assert_uint_eq(status(visitor, "paused_s"), 300);
    /* A clock that has gone back by years makes it a week at most. */
    visitor_kill(visitor);
    visitor->skew_s = -100 * MONTH_S;
    visitor_start(visitor);
    ck_assert_uint_eq(status(visitor, "paused_s"), LIMIT_PAUSE_MINUTES * 60);
    visitor_kill(visitor);
    visitor->skew_s = 301;
    visitor_start(visitor);
    ck_assert_str_eq(sharing(visitor), "on");
    scene_free(&scene);
}
END_TEST

/* A restart in the middle does not end it for good. */
START_TEST(test_shared_again_after_a_pause)
{
    struct scene scene = scene_with_files(753);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct script *leech = leech_new(&scene, "leech", 3);

    scene_load_all(&scene, visitor);
    visitor_pause(visitor, 0);
    visitor_kill(visitor);
    visitor_start(visitor);
    world_run(scene.world, 5000);
    visitor_resume(visitor);
    world_run(scene.world, 5000);
    script_dial(leech, visitor->host);
    world_run(scene.world, 5000);
    ck_assert_uint_eq(leech->blocks_got, 3);
    scene_free(&scene);
}
END_TEST

/* --- metered networks, battery */

/* Both switches the same way: gives, then not, then again; pages go on all the time. */
static void stops_and_goes_on(enum setting setting, const struct surroundings *bad,
                              const char *word)
{
    struct scene scene = scene_with_files(760 + setting);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load(giver, "/static/b.wasm");
    scene_load(giver, "/static/c.bin");
    struct script *leech = leech_new(&scene, "leech", 60);

    visitor_set(giver, setting, 1);
    ck_assert_str_eq(sharing(giver), "asking");
    world_run(scene.world, 1000);
    ck_assert_str_eq(sharing(giver), "on");
    visitor_set(giver, SETTING_UPLOAD_RATE, 100000);
    script_dial(leech, giver->host);
    world_run(scene.world, 3000);
    uint32_t before = leech->blocks_got;
    ck_assert_uint_gt(before, 10);

    visitor_surroundings(giver, bad->metered, bad->on_battery);
    ck_assert_str_eq(sharing(giver), word);
    world_run(scene.world, 20000);                    /* the gauge watches */
    ck_assert_uint_le(leech->blocks_got, before + 2); /* what was on its way */
    before = leech->blocks_got;
    scene_load(giver, "/static/a.js");
    ck_assert_uint_eq(leech->blocks_got, before);

    visitor_surroundings(giver, SAID_NO, SAID_NO);
    ck_assert_str_eq(sharing(giver), "on");
    script_dial(leech, giver->host);
    world_run(scene.world, 10000);
    ck_assert_uint_ge(leech->blocks_got, before + 40);
    scene_free(&scene);
}

START_TEST(test_metered)
{
    stops_and_goes_on(SETTING_UNMETERED_ONLY, &(struct surroundings){SAID_YES, SAID_NO}, "metered");
}
END_TEST

START_TEST(test_battery)
{
    stops_and_goes_on(SETTING_MAINS_ONLY, &(struct surroundings){SAID_NO, SAID_YES}, "battery");
}
END_TEST

START_TEST(test_each_switch_is_for_itself)
{
    struct scene scene = scene_with_files(770);
    struct visitor *visitor = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);

    ck_assert(!visitor->watches); /* nobody is asked for nothing */
    visitor_surroundings(visitor, SAID_YES, SAID_YES);
    ck_assert_str_eq(sharing(visitor), "on");
    visitor_set(visitor, SETTING_MAINS_ONLY, 1);
    world_run(scene.world, 1000);
    ck_assert_str_eq(sharing(visitor), "battery");
    visitor_surroundings(visitor, SAID_YES, SAID_NOTHING);
    ck_assert_str_eq(sharing(visitor), "on");
    visitor_set(visitor, SETTING_UNMETERED_ONLY, 1);
    ck_assert_str_eq(sharing(visitor), "metered"); /* at once: it is known */
    visitor_surroundings(visitor, SAID_YES, SAID_YES);
    visitor_set(visitor, SETTING_UNMETERED_ONLY, 0);
    ck_assert_str_eq(sharing(visitor), "battery");
    visitor_set(visitor, SETTING_MAINS_ONLY, 0);
    ck_assert_str_eq(sharing(visitor), "on");
    ck_assert(!visitor->watches);
    /* What was known then may not be so any more. */
    visitor_set(visitor, SETTING_UNMETERED_ONLY, 1);
    ck_assert_str_eq(sharing(visitor), "asking");
    visitor_pause(visitor, 0);
    ck_assert_str_eq(sharing(visitor), "paused");
    scene_free(&scene);
}
END_TEST

/* The switch is remembered, what it said is not: nothing is given before it is known again. */
START_TEST(test_metered_survives_a_kill)
{
    struct scene scene = scene_with_files(771);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    struct script *leech = leech_new(&scene, "leech", 3);

    scene_load_all(&scene, giver);
    visitor_set(giver, SETTING_UNMETERED_ONLY, 1);
    visitor_kill(giver);
    giver->surroundings.metered = SAID_YES;
    visitor_start(giver);
    ck_assert_str_eq(sharing(giver), "asking");
    script_dial(leech, giver->host);
    world_run(scene.world, 20000);
    ck_assert_str_eq(sharing(giver), "metered");
    ck_assert_uint_eq(leech->blocks_got, 0);
    /* It ends: what no page has asked for in this run is given, too. */
    visitor_surroundings(giver, SAID_NOTHING, SAID_NOTHING);
    world_run(scene.world, 2000);
    script_dial(leech, giver->host);
    world_run(scene.world, 5000);
    ck_assert_uint_eq(leech->blocks_got, 3);
    scene_free(&scene);
}
END_TEST

/* A fetcher on a metered network still gets from peers. */
START_TEST(test_metered_takes_from_peers)
{
    struct scene scene = scene_with_files(772);
    struct visitor *giver = scene_visitor(&scene, "v1", ZONE_SHARE, NULL);
    scene_load_all(&scene, giver);
    uint64_t before = scene_origin_bytes(&scene);
    struct visitor *taker = scene_visitor(&scene, "v2", ZONE_SHARE, giver->host);

    visitor_set(taker, SETTING_UNMETERED_ONLY, 1);
    visitor_surroundings(taker, SAID_YES, SAID_NO);
    scene_load(taker, "/static/c.bin");
    ck_assert_uint_eq(scene_origin_bytes(&scene), before);
    ck_assert_uint_ge(status(taker, "total.peers"), MIB(1));
    scene_free(&scene);
}
END_TEST

TEST_MAIN("sim_fair_use",
          TESTS(test_upload_rate, test_upload_rate_over_many, test_download_rate_from_a_peer,
                test_download_rate_from_the_origin, test_the_slowest, test_two_sites_share_the_rate,
                test_files_take_turns_at_the_origin, test_a_rate_lifted_in_the_middle,
                test_a_fetcher_with_limits_uploads_nothing, test_strangers_take_turns,
                test_our_own_need_no_slot, test_the_month_is_full, test_the_next_month,
                test_the_month_survives_a_kill, test_pause, test_pause_until_resumed,
                test_pause_survives_a_kill, test_shared_again_after_a_pause, test_metered,
                test_battery, test_each_switch_is_for_itself, test_metered_survives_a_kill,
                test_metered_takes_from_peers))
