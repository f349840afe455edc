/* wire/native_frame: frames come whole or not at all. */
#include "base/limits.h"
#include "check_main.h"
#include "wire/native_frame.h"

#include <string.h>

START_TEST(round_trip_at_every_cut)
{
    struct buf out;
    struct span json;
    size_t used;
    buf_init(&out, 64);
    native_frame_encode(span_text("{\"id\":1}"), &out);
    native_frame_encode(span_text("{}"), &out);
    ck_assert_uint_eq(out.length, 18);
    for (size_t cut = 0; cut < 12; cut++)
        ck_assert_int_eq(native_frame_decode(out.data, cut, 100, &json, &used), ERR_MORE);
    for (size_t cut = 12; cut <= out.length; cut++) {
        ck_assert_int_eq(native_frame_decode(out.data, cut, 100, &json, &used), ERR_OK);
        ck_assert_uint_eq(used, 12);
        ck_assert(span_is(json, "{\"id\":1}"));
    }
    ck_assert_int_eq(native_frame_decode(out.data + 12, 6, 100, &json, &used), ERR_OK);
    ck_assert(span_is(json, "{}"));
    buf_done(&out);
}
END_TEST

/* The length alone is enough to refuse: nobody waits for, or makes room for, such a frame. */
START_TEST(a_frame_over_the_limit_is_refused_at_once)
{
    uint32_t size = LIMIT_FRAME_IN + 1;
    uint8_t header[4];
    struct span json;
    size_t used;
    memcpy(header, &size, 4);
    ck_assert_int_eq(native_frame_decode(header, 4, LIMIT_FRAME_IN, &json, &used), ERR_TOO_LARGE);
    memset(header, 0xff, 4);
    ck_assert_int_eq(native_frame_decode(header, 4, LIMIT_FRAME_OUT, &json, &used), ERR_TOO_LARGE);
    size = LIMIT_FRAME_IN;
    memcpy(header, &size, 4);
    ck_assert_int_eq(native_frame_decode(header, 4, LIMIT_FRAME_IN, &json, &used), ERR_MORE);
    memset(header, 0, 4);
    ck_assert_int_eq(native_frame_decode(header, 4, LIMIT_FRAME_IN, &json, &used), ERR_OK);
    ck_assert_uint_eq(json.length, 0);
}
END_TEST

TEST_MAIN("native_frame", TESTS(round_trip_at_every_cut, a_frame_over_the_limit_is_refused_at_once))
