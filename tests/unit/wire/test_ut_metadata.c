/* wire/ut_metadata: BEP 9 both ways. */
#include "base/limits.h"
#include "check_main.h"
#include "mutate.h"
#include "wire/ut_metadata.h"

static enum err decode(const void *data, size_t length, struct ut_metadata *ret)
{
    uint8_t *copy = mem_alloc(length);
    if (length > 0)
        memcpy(copy, data, length);
    enum err err = ut_metadata_decode(span_of(copy, length), ret);
    mem_free(copy);
    return err;
}

#define DECODE(TEXT, RET) decode(TEXT, sizeof(TEXT) - 1, RET)

static void assert_encoded(const struct ut_metadata *msg, const void *wanted, size_t length)
{
    struct buf out;
    buf_init(&out, KIB(32));
    ut_metadata_encode(msg, &out);
    ck_assert_uint_eq(out.length, length);
    ck_assert_mem_eq(out.data, wanted, length);
    buf_done(&out);
}

/* The examples of BEP 9, but for the data, which there stands for a whole piece. */
START_TEST(requests_and_rejects)
{
    struct ut_metadata msg;

    ck_assert_int_eq(DECODE("d8:msg_typei0e5:piecei0ee", &msg), ERR_OK);
    ck_assert_int_eq(msg.kind, UT_METADATA_REQUEST);
    ck_assert_uint_eq(msg.piece, 0);
    assert_encoded(&msg, "d8:msg_typei0e5:piecei0ee", 25);
    ck_assert_int_eq(DECODE("d8:msg_typei2e5:piecei7ee", &msg), ERR_OK);
    ck_assert_int_eq(msg.kind, UT_METADATA_REJECT);
    ck_assert_uint_eq(msg.piece, 7);
    assert_encoded(&msg, "d8:msg_typei2e5:piecei7ee", 25);
    /* Some clients send the size with everything. */
    ck_assert_int_eq(DECODE("d8:msg_typei0e5:piecei3e10:total_sizei5ee", &msg), ERR_OK);
    ck_assert_uint_eq(msg.piece, 3);
    ck_assert_uint_eq(msg.total_size, 0);
}
END_TEST

START_TEST(data_is_exactly_a_piece)
{
    static const char whole[] = "d8:msg_typei1e5:piecei0e10:total_sizei3eeabc";
    struct ut_metadata msg, unused;

    ck_assert_int_eq(ut_metadata_decode(span_text(whole), &msg), ERR_OK);
    ck_assert_int_eq(msg.kind, UT_METADATA_DATA);
    ck_assert_uint_eq(msg.total_size, 3);
    ck_assert(span_is(msg.data, "abc"));
    assert_encoded(&msg, whole, sizeof whole - 1);
    ck_assert_int_eq(DECODE("d8:msg_typei1e5:piecei0e10:total_sizei3eeabcd", &unused),
                     ERR_MISMATCH);
    ck_assert_int_eq(DECODE("d8:msg_typei1e5:piecei0e10:total_sizei4eeabc", &unused), ERR_MISMATCH);
    ck_assert_int_eq(DECODE("d8:msg_typei1e5:piecei1e10:total_sizei3eeabc", &unused), ERR_RANGE);
}
END_TEST

static enum err big(uint32_t total, uint32_t piece, size_t length)
{
    struct ut_metadata msg;
    struct buf out;

    buf_init(&out, KIB(64));
    buf_printf(&out, "d8:msg_typei1e5:piecei%ue10:total_sizei%uee", piece, total);
    memset(buf_extend(&out, length), 'x', length);
    enum err err = decode(out.data, out.length, &msg);
    buf_done(&out);
    return err;
}

START_TEST(pieces_are_16_kib)
{
    ck_assert_uint_eq(ut_metadata_pieces(1), 1);
    ck_assert_uint_eq(ut_metadata_pieces(16384), 1);
    ck_assert_uint_eq(ut_metadata_pieces(16385), 2);
    ck_assert_uint_eq(ut_metadata_pieces(UINT32_MAX), 262144);
    ck_assert_uint_eq(ut_metadata_piece_length(16384, 0), 16384);
    ck_assert_uint_eq(ut_metadata_piece_length(32768, 1), 16384);
    ck_assert_uint_eq(ut_metadata_piece_length(16385, 1), 1);
    ck_assert_int_eq(big(32768, 1, 16384), ERR_OK);
    ck_assert_int_eq(big(32768, 2, 0), ERR_RANGE);
    ck_assert_int_eq(big(16390, 1, 6), ERR_OK);
    ck_assert_int_eq(big(16390, 0, 16384), ERR_OK);
    ck_assert_int_eq(big(16390, 0, 16390), ERR_MISMATCH);
    ck_assert_int_eq(big(LIMIT_METADATA, LIMIT_METADATA / 16384 - 1, 16384), ERR_OK);
    ck_assert_int_eq(big(LIMIT_METADATA + 1, 0, 16384), ERR_TOO_LARGE);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    static const struct {
        const char *text;
        enum err err;
    } bad[] = {
        {"", ERR_TRUNCATED},
        {"x", ERR_SYNTAX},
        {"de", ERR_MISSING},
        {"le", ERR_SYNTAX},
        {"d8:msg_typei0ee", ERR_MISSING},
        {"d5:piecei0ee", ERR_MISSING},
        {"d8:msg_typei-1e5:piecei0ee", ERR_RANGE},
        {"d8:msg_typei0e5:piecei-2ee", ERR_RANGE},
        {"d8:msg_typei0e5:piecei4096ee", ERR_RANGE},
        {"d8:msg_typei0e5:piecei4294967296ee", ERR_RANGE},
        {"d8:msg_typei0e5:piecei0eeabc", ERR_SYNTAX},
        {"d8:msg_typei2e5:piecei0eex", ERR_SYNTAX},
        {"d8:msg_type1:05:piecei0ee", ERR_SYNTAX},
        {"d5:piecei0e8:msg_typei0ee", ERR_NONCANONICAL},
        {"d8:msg_typei0e8:msg_typei0e5:piecei0ee", ERR_DUPLICATE},
        {"d8:msg_typei1e5:piecei0eeabc", ERR_MISSING},
        {"d8:msg_typei1e5:piecei0e10:total_sizei0ee", ERR_RANGE},
        {"d8:msg_typei1e5:piecei0e10:total_sizei-3eeabc", ERR_RANGE},
        {"d8:msg_typei1e5:piecei0e10:total_sizei99999999999eeabc", ERR_TOO_LARGE},
    };
    struct ut_metadata msg;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(decode(bad[i].text, strlen(bad[i].text), &msg) == bad[i].err, "%s",
                      bad[i].text);
}
END_TEST

START_TEST(later_kinds_are_passed_over)
{
    struct ut_metadata msg;

    ck_assert_int_eq(DECODE("d8:msg_typei3e1:xlee", &msg), ERR_OK);
    ck_assert_int_eq(msg.kind, UT_METADATA_UNKNOWN);
    ck_assert_int_eq(DECODE("d8:msg_typei9223372036854775807eeabc", &msg), ERR_OK);
    ck_assert_int_eq(msg.kind, UT_METADATA_UNKNOWN);
    ck_assert_int_eq(DECODE("d1:ai1e8:msg_typei0e5:piecei1e1:zdee", &msg), ERR_OK);
    ck_assert_int_eq(msg.kind, UT_METADATA_REQUEST);
    ck_assert_uint_eq(msg.piece, 1);
}
END_TEST

START_TEST(truncation_at_every_byte)
{
    static const char whole[] = "d8:msg_typei1e5:piecei0e10:total_sizei3eeabc";
    struct ut_metadata msg;

    for (size_t i = 0; i < sizeof whole - 1; i++)
        ck_assert_msg(decode(whole, i, &msg) ==
                          (i < sizeof whole - 4 ? ERR_TRUNCATED : ERR_MISMATCH),
                      "at %zu", i);
}
END_TEST

START_TEST(random_mutations)
{
    static const char whole[] = "d8:msg_typei1e5:piecei0e10:total_sizei3eeabc";
    uint64_t seed = mutate_seed(), state = seed;

    for (int round = 0; round < 100000; round++) {
        struct span copy = mutate_copy(whole, sizeof whole - 1, &state);
        struct ut_metadata msg;
        if (ut_metadata_decode(copy, &msg) == ERR_OK && msg.kind == UT_METADATA_DATA)
            ck_assert_msg(msg.total_size <= LIMIT_METADATA &&
                              msg.data.length ==
                                  ut_metadata_piece_length(msg.total_size, msg.piece),
                          "seed %llu", (unsigned long long)seed);
        mutate_free(copy);
    }
}
END_TEST

TEST_MAIN("wire.ut_metadata",
          TESTS(requests_and_rejects, data_is_exactly_a_piece, pieces_are_16_kib,
                what_makes_no_sense_is_refused, later_kinds_are_passed_over,
                truncation_at_every_byte, random_mutations))
