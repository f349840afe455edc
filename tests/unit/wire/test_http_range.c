/* wire/http_range: RFC 9110 section 14, one range. */
#include "check_main.h"
#include "wire/http_range.h"

START_TEST(parts)
{
    static const struct {
        const char *value;
        uint64_t length, first, last;
    } rows[] = {
        {"bytes=0-4", 10, 0, 4},
        {"bytes=0-", 10, 0, 9},
        {"bytes=9-9", 10, 9, 9},
        {"bytes=5-99", 10, 5, 9},
        {"bytes=-3", 10, 7, 9},
        {"bytes=-99", 10, 0, 9},
        {"BYTES=1-2", 10, 1, 2},
        {"bytes= 1-2 ", 10, 1, 2},
        {"bytes=-1", 1, 0, 0},
        {"bytes=2-99999999999999999999999", 10, 2, 9},
        {"bytes=-99999999999999999999999", 10, 0, 9},
        {"bytes=18446744073709551613-", UINT64_MAX, UINT64_MAX - 2, UINT64_MAX - 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t first = 77, last = 77;
        ck_assert_msg(http_range_parse(rows[i].value, rows[i].length, &first, &last) ==
                          HTTP_RANGE_PART,
                      "%s", rows[i].value);
        ck_assert_uint_eq(first, rows[i].first);
        ck_assert_uint_eq(last, rows[i].last);
    }
}
END_TEST

START_TEST(what_makes_no_sense_is_ignored)
{
    static const char *const rows[] = {
        "",           "bytes",         "bytes=",     "bytes=-",   "bytes=a-b",
        "bytes=4-2",  "bytes=0-1,3-4", "bytes=0-1,", "items=0-4", "bytes=0x1-2",
        "bytes=+1-2", "bytes=1--2",    "bytes=--1",  "bytes 0-4", "bytes=1 -2",
        "bytes=0-4;", "bytes=1",       "-5",
    };
    uint64_t first, last;
    ck_assert_int_eq(http_range_parse(NULL, 10, &first, &last), HTTP_RANGE_WHOLE);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(http_range_parse(rows[i], 10, &first, &last) == HTTP_RANGE_WHOLE, "%s",
                      rows[i]);
    ck_assert_int_eq(http_range_parse("bytes=-5", 0, &first, &last), HTTP_RANGE_WHOLE);
}
END_TEST

START_TEST(unsatisfiable)
{
    uint64_t first, last;
    ck_assert_int_eq(http_range_parse("bytes=10-", 10, &first, &last), HTTP_RANGE_UNSATISFIABLE);
    ck_assert_int_eq(http_range_parse("bytes=10-20", 10, &first, &last), HTTP_RANGE_UNSATISFIABLE);
    ck_assert_int_eq(http_range_parse("bytes=-0", 10, &first, &last), HTTP_RANGE_UNSATISFIABLE);
    ck_assert_int_eq(http_range_parse("bytes=0-", 0, &first, &last), HTTP_RANGE_UNSATISFIABLE);
    ck_assert_int_eq(http_range_parse("bytes=99999999999999999999-", 10, &first, &last),
                     HTTP_RANGE_UNSATISFIABLE);
}
END_TEST

START_TEST(content_range)
{
    uint64_t first, last, total;
    ck_assert(http_content_range_parse("bytes 0-4/10", &first, &last, &total));
    ck_assert_uint_eq(first, 0);
    ck_assert_uint_eq(last, 4);
    ck_assert_uint_eq(total, 10);
    ck_assert(http_content_range_parse("bytes 5-9/*", &first, &last, &total));
    ck_assert_uint_eq(total, UINT64_MAX);
    static const char *const bad[] = {"bytes 0-10/10",
                                      "bytes 4-2/10",
                                      "bytes */10",
                                      "bytes=0-4/10",
                                      "bytes 0-4",
                                      "bytes 0-4/",
                                      "bytes 0-4/10x",
                                      "bytes -4/10",
                                      "",
                                      "bytes 0-99999999999999999999/*"};
    ck_assert(!http_content_range_parse(NULL, &first, &last, &total));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!http_content_range_parse(bad[i], &first, &last, &total), "%s", bad[i]);
}
END_TEST

TEST_MAIN("http_range", TESTS(parts, what_makes_no_sense_is_ignored, unsatisfiable, content_range))
