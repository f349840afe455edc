/* wire/lsd: BEP 14's datagram both ways. */
#include "check_main.h"
#include "mutate.h"
#include "wire/lsd.h"

static enum err parse_bytes(const void *data, size_t length, struct lsd *ret)
{
    uint8_t *copy = mem_alloc(length);
    if (length > 0)
        memcpy(copy, data, length);
    enum err err = lsd_parse(copy, length, ret);
    mem_free(copy);
    return err;
}

static enum err parse(const char *text, struct lsd *ret)
{
    return parse_bytes(text, strlen(text), ret);
}

#define FIRST "BT-SEARCH * HTTP/1.1\r\n"
#define HASH  "6162636465666768696a6b6c6d6e6f7071727374"
static const char sample[] = FIRST "Host: 239.192.152.143:6771\r\nPort: 6881\r\n"
                                   "Infohash: " HASH "\r\n"
                                   "Infohash: 00000000000000000000000000000000000000ff\r\n"
                                   "cookie: a1b2\r\n\r\n\r\n";

START_TEST(reads_and_writes_the_same)
{
    struct lsd lsd;
    struct buf out;

    ck_assert_int_eq(parse(sample, &lsd), ERR_OK);
    ck_assert_uint_eq(lsd.port, 6881);
    ck_assert_str_eq(lsd.cookie, "a1b2");
    ck_assert_uint_eq(lsd.count, 2);
    ck_assert_mem_eq(lsd.infohash[0], "abcdefghijklmnopqrst", SHORT_HASH_LENGTH);
    ck_assert_uint_eq(lsd.infohash[1][19], 0xff);
    buf_init(&out, LIMIT_LSD_MESSAGE);
    lsd_format(&lsd, 4, &out);
    ck_assert_uint_eq(out.length, strlen(sample));
    ck_assert_mem_eq(out.data, sample, out.length);
    buf_clear(&out);
    lsd.cookie[0] = '\0';
    lsd_format(&lsd, 6, &out);
    buf_put_u8(&out, 0);
    ck_assert_ptr_nonnull(strstr((char *)out.data, "Host: [ff15::efc0:988f]:6771\r\n"));
    ck_assert_ptr_null(strstr((char *)out.data, "cookie"));
    buf_done(&out);
}
END_TEST

/* In the way of libtorrent 2.0.8 (test_extensions.py sends it to ours and ours to it). */
START_TEST(case_order_and_blanks_do_not_matter)
{
    struct lsd lsd;

    ck_assert_int_eq(parse(FIRST "COOKIE:x\r\ninfohash:\t6162636465666768696A6B6C6D6E6F7071727374 "
                                 "\r\nX-Other: y\r\nno colon\r\npORT:00080\r\n\r\nwhatever",
                           &lsd),
                     ERR_OK);
    ck_assert_uint_eq(lsd.port, 80);
    ck_assert_str_eq(lsd.cookie, "x");
    ck_assert_uint_eq(lsd.count, 1);
    ck_assert_mem_eq(lsd.infohash[0], "abcdefghijklmnopqrst", SHORT_HASH_LENGTH);
}
END_TEST

START_TEST(hashes_that_are_none_are_passed_over)
{
    struct lsd lsd;

    ck_assert_int_eq(parse(FIRST "Port: 1\r\nInfohash: 6162\r\nInfohash: " HASH HASH
                                 "\r\nInfohash: x" HASH "\r\nInfohash:\r\nInfohash: "
                                 "zz62636465666768696a6b6c6d6e6f7071727374\r\nInfohash: " HASH
                                 "\r\n\r\n",
                           &lsd),
                     ERR_OK);
    ck_assert_uint_eq(lsd.count, 1);
    ck_assert_mem_eq(lsd.infohash[0], "abcdefghijklmnopqrst", SHORT_HASH_LENGTH);
}
END_TEST

START_TEST(cookies_that_are_too_long_are_passed_over)
{
    struct lsd lsd;
    char *text = mem_printf(FIRST "Port: 1\r\nInfohash: " HASH "\r\ncookie: %0*d\r\n\r\n",
                            LIMIT_LSD_COOKIE, 0);

    ck_assert_int_eq(parse(text, &lsd), ERR_OK);
    ck_assert_uint_eq(strlen(lsd.cookie), LIMIT_LSD_COOKIE);
    mem_free(text);
    text = mem_printf(FIRST "Port: 1\r\nInfohash: " HASH "\r\ncookie: %0*d\r\n\r\n",
                      LIMIT_LSD_COOKIE + 1, 0);
    ck_assert_int_eq(parse(text, &lsd), ERR_OK);
    ck_assert_str_eq(lsd.cookie, "");
    mem_free(text);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    static const struct {
        const char *text;
        enum err err;
    } bad[] = {
        {"", ERR_TRUNCATED},
        {"\r\n", ERR_SYNTAX},
        {"\n", ERR_TRUNCATED},
        {"BT-SEARCH * HTTP/1.1\n\n", ERR_TRUNCATED},
        {"M-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\n", ERR_SYNTAX},
        {"BT-SEARCH * HTTP/1.0\r\nPort: 1\r\n\r\n", ERR_SYNTAX},
        {FIRST "\r\n", ERR_MISSING},
        {FIRST "Port: 1\r\n\r\n", ERR_MISSING},
        {FIRST "Infohash: " HASH "\r\n\r\n", ERR_MISSING},
        {FIRST "Port: 1\r\nInfohash: " HASH "\r\n", ERR_TRUNCATED},
        {FIRST "Port: 1\r\nInfohash: " HASH, ERR_TRUNCATED},
        {FIRST "Port: 0\r\nInfohash: " HASH "\r\n\r\n", ERR_RANGE},
        {FIRST "Port: 65536\r\nInfohash: " HASH "\r\n\r\n", ERR_RANGE},
        {FIRST "Port: 999999\r\nInfohash: " HASH "\r\n\r\n", ERR_RANGE},
        {FIRST "Port: -1\r\nInfohash: " HASH "\r\n\r\n", ERR_RANGE},
        {FIRST "Port:\r\nInfohash: " HASH "\r\n\r\n", ERR_RANGE},
        {FIRST "Port: 1\r\nPort: 1\r\nInfohash: " HASH "\r\n\r\n", ERR_DUPLICATE},
    };
    struct lsd lsd;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(parse(bad[i].text, &lsd) == bad[i].err, "%s", bad[i].text);
}
END_TEST

START_TEST(the_longest_message_fits)
{
    struct lsd lsd = {.port = 65535, .count = LIMIT_LSD_HASHES}, back;
    struct buf out;

    memset(lsd.cookie, 'c', LIMIT_LSD_COOKIE);
    for (size_t i = 0; i < LIMIT_LSD_HASHES; i++)
        memset(lsd.infohash[i], (int)(0xa0 + i), SHORT_HASH_LENGTH);
    buf_init(&out, LIMIT_LSD_MESSAGE);
    lsd_format(&lsd, 6, &out);
    ck_assert(!out.failed);
    ck_assert_int_eq(parse_bytes(out.data, out.length, &back), ERR_OK);
    ck_assert_mem_eq(&back, &lsd, sizeof lsd);
    buf_done(&out);
}
END_TEST

START_TEST(sizes_and_hashes_are_capped)
{
    struct lsd lsd;
    struct buf out;

    buf_init(&out, MIB(1));
    buf_put_text(&out, FIRST "Port: 1\r\n");
    for (int i = 0; i < LIMIT_LSD_HASHES + 2; i++)
        buf_put_text(&out, "Infohash: " HASH "\r\n");
    buf_put_text(&out, "\r\n");
    ck_assert_uint_le(out.length, LIMIT_LSD_MESSAGE);
    ck_assert_int_eq(parse_bytes(out.data, out.length, &lsd), ERR_OK);
    ck_assert_uint_eq(lsd.count, LIMIT_LSD_HASHES);
    memset(buf_extend(&out, LIMIT_LSD_MESSAGE), ' ', LIMIT_LSD_MESSAGE);
    ck_assert_int_eq(parse_bytes(out.data, out.length, &lsd), ERR_TOO_LARGE);
    buf_done(&out);
}
END_TEST

START_TEST(truncation_at_every_byte)
{
    struct lsd lsd;

    for (size_t i = 0; i < strlen(sample) - 2; i++)
        ck_assert_msg(parse_bytes(sample, i, &lsd) == ERR_TRUNCATED, "at %zu", i);
    ck_assert_int_eq(parse_bytes(sample, strlen(sample) - 2, &lsd), ERR_OK);
}
END_TEST

START_TEST(random_mutations)
{
    uint64_t seed = mutate_seed(), state = seed;

    for (int round = 0; round < 100000; round++) {
        struct span copy = mutate_copy(sample, sizeof sample - 1, &state);
        struct lsd lsd;
        if (lsd_parse(copy.data, copy.length, &lsd) == ERR_OK)
            ck_assert_msg(lsd.port != 0 && lsd.count > 0 && lsd.count <= 2 &&
                              strlen(lsd.cookie) <= LIMIT_LSD_COOKIE,
                          "seed %llu", (unsigned long long)seed);
        mutate_free(copy);
    }
}
END_TEST

TEST_MAIN("wire.lsd",
          TESTS(reads_and_writes_the_same, case_order_and_blanks_do_not_matter,
                hashes_that_are_none_are_passed_over, cookies_that_are_too_long_are_passed_over,
                what_makes_no_sense_is_refused, the_longest_message_fits,
                sizes_and_hashes_are_capped, truncation_at_every_byte, random_mutations))
