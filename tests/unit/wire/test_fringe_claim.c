/* wire/fringe_claim: the bytes of host/PROTOCOL.md 4.7, and passing on. */
#include "check_main.h"
#include "mutate.h"
#include "wire/fringe_claim.h"

static enum err decode(const void *data, size_t length, struct fringe_claim *ret)
{
    uint8_t *copy = mem_alloc(length);
    if (length > 0)
        memcpy(copy, data, length);
    enum err err = fringe_claim_decode(span_of(copy, length), ret);
    mem_free(copy);
    return err;
}

#define SAMPLE_LENGTH (28 + 2 * 8)
static const char sample[] = "\1\1\2\2\0\0\1\5"
                             "-FR0100-012345678901"
                             "\0\1\2\3\0\2\x4e\x20"
                             "\0\0\0\0\0\x40\0\0";

START_TEST(reads_and_writes_the_table)
{
    struct fringe_claim claim;
    struct buf out;

    ck_assert_int_eq(decode(sample, SAMPLE_LENGTH, &claim), ERR_OK);
    ck_assert(claim.pass_on);
    ck_assert_uint_eq(claim.hops, 2);
    ck_assert_uint_eq(claim.serial, 0x105);
    ck_assert_mem_eq(claim.claimer, "-FR0100-012345678901", PEER_ID_LENGTH);
    ck_assert_uint_eq(claim.count, 2);
    ck_assert_uint_eq(claim.extents[0].first, 0x10203);
    ck_assert_uint_eq(claim.extents[0].pieces, 2);
    ck_assert_uint_eq(claim.extents[0].ttl_ms, 20000);
    ck_assert_uint_eq(claim.extents[1].first, 0);
    ck_assert_uint_eq(claim.extents[1].pieces, 64);
    ck_assert_uint_eq(claim.extents[1].ttl_ms, 0);
    buf_init(&out, KIB(4));
    fringe_claim_encode(&claim, &out);
    ck_assert_uint_eq(out.length, SAMPLE_LENGTH);
    ck_assert_mem_eq(out.data, sample, SAMPLE_LENGTH);
    buf_done(&out);
}
END_TEST

/* The sample with one byte changed. */
static enum err with(size_t at, uint8_t value, struct fringe_claim *ret)
{
    uint8_t bytes[SAMPLE_LENGTH];

    memcpy(bytes, sample, SAMPLE_LENGTH);
    bytes[at] = value;
    return decode(bytes, SAMPLE_LENGTH, ret);
}

START_TEST(what_makes_no_sense_is_refused)
{
    static const struct {
        size_t at;
        uint8_t value;
        enum err err;
    } bad[] = {
        {0, 0, ERR_UNSUPPORTED},
        {0, 2, ERR_UNSUPPORTED},
        {2, LIMIT_CLAIM_HOPS + 1, ERR_TOO_LARGE},
        {3, 0, ERR_RANGE},
        {3, LIMIT_CLAIM_EXTENTS + 1, ERR_TOO_LARGE},
        {3, 3, ERR_TRUNCATED},
        {28, 0x80, ERR_RANGE},
        {29, 0x20, ERR_RANGE}, /* piece 2^21 and on */
        {33, 0, ERR_RANGE},
        {33, LIMIT_CLAIM_PIECES + 1, ERR_TOO_LARGE},
        {32, 1, ERR_TOO_LARGE},
        {34, 0xff, ERR_TOO_LARGE},
    };
    struct fringe_claim claim;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(with(bad[i].at, bad[i].value, &claim) == bad[i].err, "case %zu", i);
    ck_assert_int_eq(decode("\2", 1, &claim), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(edges_of_the_ranges)
{
    struct fringe_claim claim = {.count = 1}, back;
    struct buf out;

    buf_init(&out, KIB(4));
    claim.extents[0] = (struct fringe_extent){LIMIT_TORRENT_PIECES - LIMIT_CLAIM_PIECES,
                                              LIMIT_CLAIM_PIECES, LIMIT_CLAIM_MS};
    fringe_claim_encode(&claim, &out);
    ck_assert_int_eq(decode(out.data, out.length, &back), ERR_OK);
    ck_assert_uint_eq(back.extents[0].ttl_ms, LIMIT_CLAIM_MS);
    ck_assert(!back.pass_on);
    buf_clear(&out);
    claim.extents[0].first++;
    fringe_claim_encode(&claim, &out);
    ck_assert_int_eq(decode(out.data, out.length, &back), ERR_RANGE);
    buf_clear(&out);
    claim.count = LIMIT_CLAIM_EXTENTS;
    claim.hops = LIMIT_CLAIM_HOPS;
    for (uint32_t i = 0; i < LIMIT_CLAIM_EXTENTS; i++)
        claim.extents[i] = (struct fringe_extent){i, 1, (uint16_t)i};
    fringe_claim_encode(&claim, &out);
    ck_assert_uint_eq(out.length, 28 + 8 * LIMIT_CLAIM_EXTENTS);
    ck_assert_int_eq(decode(out.data, out.length, &back), ERR_OK);
    ck_assert_mem_eq(back.extents, claim.extents, sizeof claim.extents);
    buf_done(&out);
}
END_TEST

/* So that a later revision can add to the message. */
START_TEST(what_is_not_known_is_ignored)
{
    struct fringe_claim claim;
    uint8_t longer[SAMPLE_LENGTH + 20] = {0};

    memcpy(longer, sample, SAMPLE_LENGTH);
    ck_assert_int_eq(decode(longer, sizeof longer, &claim), ERR_OK);
    ck_assert_uint_eq(claim.count, 2);
    ck_assert_int_eq(with(1, 0xfe, &claim), ERR_OK);
    ck_assert(!claim.pass_on);
    ck_assert_int_eq(with(1, 0xff, &claim), ERR_OK);
    ck_assert(claim.pass_on);
}
END_TEST

static struct fringe_claim a_claim(void)
{
    return (struct fringe_claim){
        .serial = 7,
        .pass_on = true,
        .count = 4,
        .extents = {{10, 1, 1000}, {20, 2, 0}, {30, 3, 5000}, {40, 4, 2000}},
    };
}

START_TEST(passing_on_takes_time_off)
{
    struct fringe_claim claim = a_claim();

    ck_assert(fringe_claim_pass_on(&claim, 0));
    ck_assert_uint_eq(claim.hops, 1);
    ck_assert_uint_eq(claim.count, 4);
    ck_assert(fringe_claim_pass_on(&claim, 1000));
    ck_assert_uint_eq(claim.hops, 2);
    ck_assert_uint_eq(claim.serial, 7);
    ck_assert_uint_eq(claim.count, 3); /* the first has expired, which withdraws nothing */
    ck_assert_uint_eq(claim.extents[0].first, 20);
    ck_assert_uint_eq(claim.extents[0].ttl_ms, 0); /* a withdrawal stays one */
    ck_assert_uint_eq(claim.extents[1].first, 30);
    ck_assert_uint_eq(claim.extents[1].ttl_ms, 4000);
    ck_assert_uint_eq(claim.extents[2].ttl_ms, 1000);
    ck_assert(fringe_claim_pass_on(&claim, UINT32_MAX));
    ck_assert_uint_eq(claim.count, 1);
}
END_TEST

START_TEST(passing_on_ends)
{
    struct fringe_claim claim = a_claim();

    for (int i = 0; i < LIMIT_CLAIM_HOPS; i++)
        ck_assert(fringe_claim_pass_on(&claim, 1));
    ck_assert(!fringe_claim_pass_on(&claim, 1));
    claim = a_claim();
    claim.pass_on = false;
    ck_assert(!fringe_claim_pass_on(&claim, 0));
    claim = a_claim();
    claim.count = 1;
    ck_assert(!fringe_claim_pass_on(&claim, 1000));
}
END_TEST

START_TEST(truncation_at_every_byte)
{
    struct fringe_claim claim;

    for (size_t i = 0; i < SAMPLE_LENGTH; i++)
        ck_assert_msg(decode(sample, i, &claim) == ERR_TRUNCATED, "at %zu", i);
}
END_TEST

START_TEST(random_mutations)
{
    uint64_t seed = mutate_seed(), state = seed;

    for (int round = 0; round < 100000; round++) {
        struct span copy = mutate_copy(sample, SAMPLE_LENGTH, &state);
        struct fringe_claim claim;
        if (fringe_claim_decode(copy, &claim) == ERR_OK)
            for (size_t i = 0; i < claim.count; i++)
                ck_assert_msg(claim.extents[i].pieces > 0 &&
                                  claim.extents[i].pieces <= LIMIT_CLAIM_PIECES &&
                                  claim.extents[i].ttl_ms <= LIMIT_CLAIM_MS,
                              "seed %llu", (unsigned long long)seed);
        mutate_free(copy);
    }
}
END_TEST

TEST_MAIN("wire.fringe_claim",
          TESTS(reads_and_writes_the_table, what_makes_no_sense_is_refused, edges_of_the_ranges,
                what_is_not_known_is_ignored, passing_on_takes_time_off, passing_on_ends,
                truncation_at_every_byte, random_mutations))
