/* base/bytes and base/bitfield: nothing reads or grows past its end. */
#include "base/bitfield.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "check_main.h"

#include <string.h>

START_TEST(reader_stops_at_the_end)
{
    const uint8_t data[] = {0x01, 0x02, 0x03, 0x04, 0x05};
    struct reader reader;

    reader_init(&reader, data, sizeof data);
    ck_assert_uint_eq(reader_u16(&reader), 0x0102);
    ck_assert_uint_eq(reader_u8(&reader), 3);
    ck_assert_uint_eq(reader_u32(&reader), 0);
    ck_assert(reader.failed);
    /* Failure sticks, even for what would still fit. */
    ck_assert_uint_eq(reader_u8(&reader), 0);
    ck_assert_ptr_null(reader_take(&reader, 1).data);
}
END_TEST

START_TEST(buf_keeps_its_maximum)
{
    struct buf buf;

    buf_init(&buf, 10);
    buf_put_text(&buf, "12345678");
    buf_put_u16(&buf, 0x3930);
    ck_assert(!buf.failed);
    buf_put_u8(&buf, 1);
    ck_assert(buf.failed);
    ck_assert_uint_eq(buf.length, 10);
    ck_assert_mem_eq(buf.data, "1234567890", 10);
    buf_drop_front(&buf, 8);
    ck_assert_mem_eq(buf.data, "90", 2);
    buf_done(&buf);
}
END_TEST

START_TEST(hex_round_trip_and_refusals)
{
    const uint8_t bytes[] = {0x00, 0xab, 0xff};
    char text[HEX_LENGTH(3)];
    uint8_t back[3];

    hex_encode(text, bytes, 3);
    ck_assert_str_eq(text, "00abff");
    ck_assert(hex_decode(back, 3, text, 6));
    ck_assert_mem_eq(back, bytes, 3);
    ck_assert(!hex_decode(back, 3, "00abf", 5));
    ck_assert(!hex_decode(back, 3, "00ABFF", 6)); /* one form only */
    ck_assert(!hex_decode(back, 3, "00abfg", 6));
}
END_TEST

START_TEST(bitfield_counts_and_searches)
{
    struct bitfield field;

    bitfield_init(&field, 21);
    ck_assert(bitfield_set(&field, 0));
    ck_assert(!bitfield_set(&field, 0));
    ck_assert(bitfield_set(&field, 20));
    ck_assert(!bitfield_set(&field, 21));
    ck_assert_uint_eq(field.count, 2);
    ck_assert_uint_eq(field.bytes[0], 0x80);
    ck_assert_uint_eq(bitfield_next_one(&field, 1, 21), 20);
    ck_assert_uint_eq(bitfield_next_one(&field, 1, 20), BITFIELD_NONE);
    ck_assert_uint_eq(bitfield_next_zero(&field, 0, 21), 1);
    bitfield_set_all(&field);
    ck_assert(bitfield_full(&field));
    ck_assert_uint_eq(bitfield_count_range(&field, 3, 20), 17);
    ck_assert_uint_eq(bitfield_next_zero(&field, 0, 21), BITFIELD_NONE);
    ck_assert(bitfield_unset(&field, 9));
    ck_assert_uint_eq(bitfield_next_zero(&field, 0, 21), 9);
    bitfield_done(&field);
}
END_TEST

START_TEST(bitfield_refuses_what_is_not_canonical)
{
    struct bitfield field;

    bitfield_init(&field, 12);
    ck_assert(!bitfield_load(&field, (const uint8_t *)"\xff", 1));
    ck_assert(!bitfield_load(&field, (const uint8_t *)"\xff\xf8", 2)); /* spare bit set */
    ck_assert_uint_eq(field.count, 0);
    ck_assert(bitfield_load(&field, (const uint8_t *)"\xf0\x10", 2));
    ck_assert_uint_eq(field.count, 5);
    bitfield_done(&field);
}
END_TEST

START_TEST(every_error_has_a_name_and_a_text)
{
    for (int i = 0; i < ERR_COUNT_; i++) {
        ck_assert_ptr_nonnull(err_name((enum err)i));
        ck_assert_ptr_nonnull(err_text((enum err)i));
    }
    ck_assert_str_eq(err_name((enum err)9999), "unknown");
}
END_TEST

TEST_MAIN("base", TESTS(reader_stops_at_the_end, buf_keeps_its_maximum, hex_round_trip_and_refusals,
                        bitfield_counts_and_searches, bitfield_refuses_what_is_not_canonical,
                        every_error_has_a_name_and_a_text))
