/* wire/fringe_release: the bytes of host/PROTOCOL.md 4.8. */
#include "base/limits.h"
#include "check_main.h"
#include "mutate.h"
#include "wire/fringe_release.h"

static enum err decode(const void *data, size_t length, struct fringe_release *ret)
{
    uint8_t *copy = mem_alloc(length);
    if (length > 0)
        memcpy(copy, data, length);
    enum err err = fringe_release_decode(span_of(copy, length), ret);
    mem_free(copy);
    return err;
}

#define HEAD "siteMark\0\0\0\0\0\0\0\x2a"
static const char have[] = "\1\0\0\0" HEAD, ask[] = "\1\1\0\0" HEAD;
static const char whole[] = "\1\2\0\0" HEAD "\0\0\0\2\0\0\0\3"
                            "{}sig";

static void assert_round_trip(const char *bytes, size_t length, enum fringe_release_kind kind)
{
    struct fringe_release msg;
    struct buf out;

    ck_assert_int_eq(fringe_release_decode(span_of(bytes, length), &msg), ERR_OK);
    ck_assert_int_eq(msg.kind, kind);
    ck_assert_uint_eq(msg.seq, 42);
    ck_assert_mem_eq(msg.site_mark, "siteMark", FRINGE_SITE_MARK);
    buf_init(&out, KIB(4));
    fringe_release_encode(&msg, &out);
    ck_assert_uint_eq(out.length, length);
    ck_assert_mem_eq(out.data, bytes, length);
    buf_done(&out);
}

START_TEST(reads_and_writes_the_table)
{
    struct fringe_release msg;

    assert_round_trip(have, sizeof have - 1, FRINGE_RELEASE_HAVE);
    assert_round_trip(ask, sizeof ask - 1, FRINGE_RELEASE_ASK);
    assert_round_trip(whole, sizeof whole - 1, FRINGE_RELEASE_WHOLE);
    ck_assert_int_eq(fringe_release_decode(span_of(whole, sizeof whole - 1), &msg), ERR_OK);
    ck_assert(span_is(msg.json, "{}"));
    ck_assert(span_is(msg.signature, "sig"));
}
END_TEST

START_TEST(the_mark_is_the_hash_of_the_site)
{
    uint8_t mark[FRINGE_SITE_MARK];

    fringe_release_mark("https://game.example", mark);
    static const uint8_t wanted[] = {0x17, 0xac, 0x2e, 0xde, 0x6a, 0x2b, 0x45, 0xa7};
    ck_assert_mem_eq(mark, wanted, FRINGE_SITE_MARK);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    static const struct {
        const char *text;
        size_t length;
        enum err err;
    } bad[] = {
        {"\2", 1, ERR_UNSUPPORTED},
        {"\0\0\0\0siteMark\0\0\0\0\0\0\0\1", 20, ERR_UNSUPPORTED},
        {"\1\0\0\0siteMark\0\0\0\0\0\0\0\0", 20, ERR_RANGE},
        {"\1\0\0\0siteMark\0\x20\0\0\0\0\0\0", 20, ERR_RANGE},
        {"\1\2\0\0" HEAD "\0\0\0\0\0\0\0\3sig", 31, ERR_RANGE},
        {"\1\2\0\0" HEAD "\0\0\0\2\0\0\0\0{}", 30, ERR_RANGE},
        {"\1\2\0\0" HEAD "\0\1\0\1\0\0\0\3{}sig", 33, ERR_TOO_LARGE},
        {"\1\2\0\0" HEAD "\0\0\0\2\0\0\x30\1{}sig", 33, ERR_TOO_LARGE},
        {"\1\2\0\0" HEAD "\0\0\0\2\xff\xff\xff\xff{}sig", 33, ERR_TOO_LARGE},
        {"\1\2\0\0" HEAD "\0\0\0\3\0\0\0\3{}sig", 33, ERR_TRUNCATED},
    };
    struct fringe_release msg;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(decode(bad[i].text, bad[i].length, &msg) == bad[i].err, "case %zu", i);
    ck_assert_int_eq(decode("\1\0\0\0siteMark\0\x1f\xff\xff\xff\xff\xff\xff", 20, &msg), ERR_OK);
    ck_assert_uint_eq(msg.seq, (UINT64_C(1) << 53) - 1);
}
END_TEST

/* The largest release that a site may have fits into one message of the wire. */
START_TEST(the_largest_release_fits)
{
    uint8_t *json = mem_zalloc(LIMIT_RELEASE + LIMIT_SIGNATURE);
    struct fringe_release msg = {.kind = FRINGE_RELEASE_WHOLE,
                                 .seq = 1,
                                 .json = span_of(json, LIMIT_RELEASE),
                                 .signature = span_of(json + LIMIT_RELEASE, LIMIT_SIGNATURE)};
    struct fringe_release back;
    struct buf out;

    buf_init(&out, LIMIT_PEER_EXTENDED);
    fringe_release_encode(&msg, &out);
    ck_assert(!out.failed);
    ck_assert_int_eq(decode(out.data, out.length, &back), ERR_OK);
    ck_assert_uint_eq(back.json.length, LIMIT_RELEASE);
    ck_assert_uint_eq(back.signature.length, LIMIT_SIGNATURE);
    buf_done(&out);
    mem_free(json);
}
END_TEST

START_TEST(what_is_not_known_is_ignored)
{
    struct fringe_release msg;

    ck_assert_int_eq(decode("\1\3\0\0" HEAD "more", 24, &msg), ERR_OK);
    ck_assert_int_eq(msg.kind, FRINGE_RELEASE_UNKNOWN);
    ck_assert_int_eq(decode("\1\xff\0\0" HEAD, 20, &msg), ERR_OK);
    ck_assert_int_eq(msg.kind, FRINGE_RELEASE_UNKNOWN);
    ck_assert_int_eq(decode("\1\0\xff\xff" HEAD "more", 24, &msg), ERR_OK);
    ck_assert_int_eq(msg.kind, FRINGE_RELEASE_HAVE);
    ck_assert_int_eq(decode("\1\2\0\0" HEAD "\0\0\0\2\0\0\0\3{}sigmore", 37, &msg), ERR_OK);
    ck_assert_uint_eq(msg.signature.length, 3);
}
END_TEST

START_TEST(truncation_at_every_byte)
{
    struct fringe_release msg;

    for (size_t i = 0; i < sizeof have - 1; i++)
        ck_assert_msg(decode(have, i, &msg) == ERR_TRUNCATED, "have at %zu", i);
    for (size_t i = 0; i < sizeof whole - 1; i++)
        ck_assert_msg(decode(whole, i, &msg) == ERR_TRUNCATED, "whole at %zu", i);
}
END_TEST

START_TEST(random_mutations)
{
    uint64_t seed = mutate_seed(), state = seed;

    for (int round = 0; round < 100000; round++) {
        struct span copy = mutate_copy(whole, sizeof whole - 1, &state);
        struct fringe_release msg;
        if (fringe_release_decode(copy, &msg) == ERR_OK)
            ck_assert_msg(msg.seq > 0 && msg.json.length + msg.signature.length <= 5, "seed %llu",
                          (unsigned long long)seed);
        mutate_free(copy);
    }
}
END_TEST

TEST_MAIN("wire.fringe_release",
          TESTS(reads_and_writes_the_table, the_mark_is_the_hash_of_the_site,
                what_makes_no_sense_is_refused, the_largest_release_fits,
                what_is_not_known_is_ignored, truncation_at_every_byte, random_mutations))
