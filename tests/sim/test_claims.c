/* fringe_claim as peers see it (host/PROTOCOL.md 4.7): what is passed on, to whom and how often;
 * what is ignored; what ends the connection. */
#include "sim_test.h"
#include "wire/fringe_claim.h"

enum { EXTENDED = 20 };

#define OFFER "\0d1:md12:fringe_claimi7eee"

/* A peer that speaks fringe_claim, and what it has heard of it. */
struct teller {
    struct script *script;
    uint32_t heard;
    struct fringe_claim last;
};

struct table {
    struct scene scene;
    struct visitor *visitor;
    struct teller tellers[3];
};

static bool hear(struct script *script, struct script_conn *sc, uint8_t id, struct span body)
{
    struct teller *teller = script->user;

    (void)sc;
    if (id != EXTENDED || body.data[0] != 7)
        return false;
    struct span payload = span_of(body.data + 1, body.length - 1);
    ck_assert_int_eq(fringe_claim_decode(payload, &teller->last), ERR_OK);
    teller->heard++;
    return true;
}

static void table_begin(struct table *table, uint64_t seed)
{
    memset(table, 0, sizeof *table);
    table->scene = scene_with_files(seed);
    table->visitor = scene_visitor(&table->scene, "v1", ZONE_SHARE, NULL);
    scene_load(table->visitor, "/static/a.js");
    for (int i = 0; i < 3; i++) {
        struct teller *teller = &table->tellers[i];
        teller->script = scene_script(
            &table->scene, &(struct script_flags){.has_nothing = true, .extended = true});
        teller->script->hear = hear;
        teller->script->user = teller;
        script_dial(teller->script, table->visitor->host);
        world_run(table->scene.world, 300);
        script_say_all(teller->script, EXTENDED, OFFER, sizeof OFFER - 1);
    }
    world_run(table->scene.world, 300);
}

static void say(struct table *table, int from, const struct fringe_claim *claim)
{
    struct buf out;

    buf_init(&out, KIB(1));
    buf_put_u8(&out, 1); /* the number under which the visitor wants it */
    fringe_claim_encode(claim, &out);
    script_say_all(table->tellers[from].script, EXTENDED, out.data, out.length);
    buf_done(&out);
    world_run(table->scene.world, 300);
}

/* Of somebody whom only this peer knows. */
static struct fringe_claim rumour(uint32_t serial)
{
    struct fringe_claim claim = {.serial = serial, .hops = 1, .pass_on = true, .count = 1};

    memset(claim.claimer, 'x', sizeof claim.claimer);
    claim.extents[0] = (struct fringe_extent){.first = 0, .pieces = 1, .ttl_ms = 5000};
    return claim;
}

START_TEST(test_a_claim_is_passed_on_once)
{
    struct table table;

    table_begin(&table, 1);
    struct fringe_claim claim = rumour(5);
    say(&table, 0, &claim);
    say(&table, 1, &claim); /* heard already */
    claim.serial = 4;
    say(&table, 0, &claim);                       /* and this is older */
    ck_assert_uint_eq(table.tellers[0].heard, 0); /* not back to whom it came from */
    ck_assert_uint_eq(table.tellers[1].heard, 1);
    ck_assert_uint_eq(table.tellers[2].heard, 1);
    ck_assert_uint_eq(table.tellers[2].last.hops, 2);
    ck_assert_uint_eq(table.tellers[2].last.serial, 5);
    claim.serial = 6;
    say(&table, 1, &claim);
    ck_assert_uint_eq(table.tellers[0].heard, 1);
    scene_free(&table.scene);
}
END_TEST

START_TEST(test_what_is_not_passed_on)
{
    struct table table;

    table_begin(&table, 2);
    struct fringe_claim claim = rumour(5);
    claim.pass_on = false;
    say(&table, 0, &claim);
    claim = rumour(6);
    claim.hops = LIMIT_CLAIM_HOPS;
    say(&table, 0, &claim);
    claim = rumour(7);
    claim.hops = 0; /* in another's name */
    say(&table, 0, &claim);
    ck_assert_uint_eq(table.tellers[1].heard, 0);
    claim = rumour(8);
    world_fill(table.tellers[1].script->number, claim.claimer, 20); /* a neighbour's */
    say(&table, 0, &claim);
    ck_assert_uint_eq(table.tellers[2].heard, 0);
    ck_assert_uint_eq(table.tellers[0].script->closed, 0);
    scene_free(&table.scene);
}
END_TEST

START_TEST(test_one_neighbour_cannot_shout_without_end)
{
    struct table table;

    table_begin(&table, 3);
    for (uint32_t i = 0; i < 2 * LIMIT_CLAIM_BURST; i++) {
        struct fringe_claim claim = rumour(i + 1);
        struct buf out;
        buf_init(&out, KIB(1));
        buf_put_u8(&out, 1);
        fringe_claim_encode(&claim, &out);
        script_say_all(table.tellers[0].script, EXTENDED, out.data, out.length);
        buf_done(&out);
    }
    world_run(table.scene.world, 1000);
    ck_assert_uint_ge(table.tellers[1].heard, LIMIT_CLAIM_BURST);
    ck_assert_uint_le(table.tellers[1].heard, LIMIT_CLAIM_BURST + LIMIT_CLAIM_RATE);
    scene_free(&table.scene);
}
END_TEST

static void ends_the_connection(const struct fringe_claim *claim)
{
    struct table table;

    table_begin(&table, 4);
    say(&table, 0, claim);
    ck_assert_uint_eq(table.tellers[0].script->closed, 1);
    ck_assert_uint_eq(table.tellers[1].heard, 0);
    scene_free(&table.scene);
}

START_TEST(test_a_faulty_claim_ends_the_connection)
{
    struct fringe_claim claim = rumour(1);

    claim.extents[0].first = 1000000; /* there is no such piece */
    ends_the_connection(&claim);
    claim.extents[0] = (struct fringe_extent){.first = 0, .pieces = 2, .ttl_ms = 1000};
    ends_the_connection(&claim); /* a.js has one piece only */
    claim = rumour(1);
    claim.hops = LIMIT_CLAIM_HOPS + 1;
    ends_the_connection(&claim);
}
END_TEST

TEST_MAIN("sim_claims", TESTS(test_a_claim_is_passed_on_once, test_what_is_not_passed_on,
                              test_one_neighbour_cannot_shout_without_end,
                              test_a_faulty_claim_ends_the_connection))
