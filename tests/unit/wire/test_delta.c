/* wire/delta: names, making and applying patches; patches that are wrong in every way. */
#include "check_main.h"
#include "mutate.h"
#include "wire/delta.h"

#include <zstd.h>

#define LENGTH KIB(300)
#define CHUNK  KIB(64)

static uint8_t *random_bytes(size_t length, uint64_t seed)
{
    uint8_t *data = mem_alloc(length);
    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)(mutate_random(&seed) >> 32);
    return data;
}

/* --- one application, with what it was given and what came of it */

struct run {
    struct span patch;
    size_t at, fed_most;
    struct buf result;
    size_t takes;
    enum err take_fails, read_fails;
};

static enum err feed_patch(void *user, uint8_t *data, size_t max, size_t *ret_length)
{
    struct run *run = user;
    size_t left = run->patch.length - run->at;

    *ret_length = left < max ? left : max;
    if (*ret_length > 0)
        memcpy(data, run->patch.data + run->at, *ret_length);
    run->at += *ret_length;
    return run->read_fails;
}

static enum err take(void *user, const uint8_t *data, size_t length)
{
    struct run *run = user;

    buf_put(&run->result, data, length);
    run->takes++;
    return run->take_fails;
}

static enum err apply(struct run *run, struct span old, struct span patch, uint64_t length)
{
    struct delta_job job = {.old = old,
                            .length = length,
                            .chunk = CHUNK,
                            .user = run,
                            .read = feed_patch,
                            .take = take};

    run->patch = patch;
    run->at = run->takes = 0;
    buf_init(&run->result, MIB(4));
    enum err err = delta_apply(&job);
    ck_assert(!run->result.failed);
    ck_assert_uint_le(run->result.length, length);
    return err;
}

static enum err applied(struct span old, struct span patch, uint64_t length)
{
    struct run run = {0};
    enum err err = apply(&run, old, patch, length);
    buf_done(&run.result);
    return err;
}

/* --- two versions and the patch between them */

static uint8_t *old_data, *new_data;
static struct span old, new;
static struct buf patch;

static struct span patch_span(void)
{
    return span_of(patch.data, patch.length);
}

static void setup(void)
{
    old_data = random_bytes(LENGTH, 1);
    new_data = mem_dup(old_data, LENGTH);
    memset(new_data + 1000, 'x', 500);
    memmove(new_data + 50000, new_data + 70000, 100000); /* what stood elsewhere */
    old = span_of(old_data, LENGTH);
    new = span_of(new_data, LENGTH);
    buf_init(&patch, LENGTH);
    ck_assert_int_eq(delta_make(old, new, &patch, NULL, NULL), ERR_OK);
}

static void cleanup(void)
{
    mem_free(old_data);
    mem_free(new_data);
    buf_done(&patch);
}

/* A frame of ours with other parameters, behind the header of a patch for `old`. */
static void make_frame(struct span data, struct span dictionary, int window, bool sized, bool sum,
                       struct buf *out)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t max = ZSTD_compressBound(data.length);
    uint8_t *place;

    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, sized);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, sum);
    ZSTD_CCtx_refPrefix(context, dictionary.data, dictionary.length);
    buf_init(out, MIB(8));
    buf_put(out, patch.data, DELTA_HEADER);
    place = buf_extend(out, max);
    ck_assert_ptr_nonnull(place);
    out->length = DELTA_HEADER + ZSTD_compress2(context, place, max, data.data, data.length);
    ZSTD_freeCCtx(context);
}

START_TEST(names_are_read_as_written)
{
    uint8_t root[HASH_LENGTH], old_root[HASH_LENGTH], mark[DELTA_MARK], old_mark[DELTA_MARK];
    char name[DELTA_NAME];

    memset(root, 0xab, sizeof root);
    memset(old_root, 0x01, sizeof old_root);
    delta_name(root, old_root, name);
    ck_assert_str_eq(name, "abababababababab-0101010101010101.dcz");
    ck_assert(delta_name_parse(name, mark, old_mark));
    ck_assert_mem_eq(mark, root, DELTA_MARK);
    ck_assert_mem_eq(old_mark, old_root, DELTA_MARK);
}
END_TEST

START_TEST(other_names_are_none)
{
    static const char *const names[] = {
        "",
        "abababababababab-0101010101010101.dc",
        "abababababababab-0101010101010101.dczz",
        "abababababababab-0101010101010101.dcx",
        "abababababababab_0101010101010101.dcz",
        "ABABABABABABABAB-0101010101010101.dcz",
        "abababababababag-0101010101010101.dcz",
        "a/abababababababab-010101010101010.dcz",
    };
    uint8_t mark[DELTA_MARK], old_mark[DELTA_MARK];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ck_assert_msg(!delta_name_parse(names[i], mark, old_mark), "%s", names[i]);
}
END_TEST

START_TEST(lengths_are_bounded)
{
    ck_assert(!delta_allowed(KIB(64), MIB(1)));
    ck_assert(delta_allowed(KIB(64) + 1, 1));
    ck_assert(!delta_allowed(KIB(65), 0));
    ck_assert(delta_allowed(MIB(8), 1));
    ck_assert(!delta_allowed(MIB(8) + 1, MIB(1)));
    ck_assert(delta_allowed(MIB(100), MIB(80)));
    ck_assert(!delta_allowed(MIB(100) + 1, MIB(80)));
    ck_assert(delta_allowed(MIB(128), MIB(128)));
    ck_assert(!delta_allowed(MIB(128) + 1, MIB(128)));
    ck_assert(!delta_allowed(MIB(128), MIB(128) + 1));
}
END_TEST

START_TEST(a_patch_gives_the_new_file)
{
    struct run run = {0};

    setup();
    ck_assert_uint_lt(patch.length, 2000);
    ck_assert_int_eq(apply(&run, old, patch_span(), LENGTH), ERR_OK);
    ck_assert_uint_eq(run.result.length, LENGTH);
    ck_assert_mem_eq(run.result.data, new_data, LENGTH);
    ck_assert_uint_eq(run.takes, (LENGTH + CHUNK - 1) / CHUNK);
    buf_done(&run.result);
    cleanup();
}
END_TEST

START_TEST(the_same_input_gives_the_same_patch)
{
    struct buf again;

    setup();
    buf_init(&again, LENGTH);
    ck_assert_int_eq(delta_make(old, new, &again, NULL, NULL), ERR_OK);
    ck_assert_uint_eq(again.length, patch.length);
    ck_assert_mem_eq(again.data, patch.data, patch.length);
    buf_done(&again);
    cleanup();
}
END_TEST

/* What zstd keeps back between its input and its output must not be taken for an end. */
START_TEST(every_length_works)
{
    static const size_t lengths[] = {
        1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7, LENGTH,
    };

    setup();
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct run run = {0};
        struct buf out;
        uint8_t *zeros = mem_zalloc(lengths[i]); /* much from little */

        buf_init(&out, MIB(1));
        ck_assert_int_eq(delta_make(old, span_of(zeros, lengths[i]), &out, NULL, NULL), ERR_OK);
        ck_assert_int_eq(apply(&run, old, span_of(out.data, out.length), lengths[i]), ERR_OK);
        ck_assert_uint_eq(run.result.length, lengths[i]);
        ck_assert_mem_eq(run.result.data, zeros, lengths[i]);
        buf_done(&run.result);
        buf_clear(&out);
        ck_assert_int_eq(delta_make(old, span_of(new_data, lengths[i]), &out, NULL, NULL), ERR_OK);
        ck_assert_int_eq(apply(&run, old, span_of(out.data, out.length), lengths[i]), ERR_OK);
        ck_assert_mem_eq(run.result.data, new_data, lengths[i]);
        buf_done(&run.result);
        buf_done(&out);
        mem_free(zeros);
    }
    cleanup();
}
END_TEST

START_TEST(what_is_not_worth_it_is_given_up)
{
    uint8_t *other = random_bytes(LENGTH, 2);
    struct buf out;

    setup();
    buf_init(&out, (size_t)delta_patch_max(LENGTH));
    ck_assert_int_eq(delta_make(old, span_of(other, LENGTH), &out, NULL, NULL), ERR_TOO_LARGE);
    buf_done(&out);
    mem_free(other);
    cleanup();
}
END_TEST

static bool stop(void *user, uint64_t done)
{
    *(uint64_t *)user = done;
    return false;
}

START_TEST(making_can_be_stopped)
{
    struct buf out;
    uint64_t done = 0;

    setup();
    buf_init(&out, LENGTH);
    ck_assert_int_eq(delta_make(old, new, &out, stop, &done), ERR_CANCELLED);
    ck_assert_uint_eq(done, LENGTH);
    buf_done(&out);
    cleanup();
}
END_TEST

START_TEST(cut_anywhere_it_is_refused)
{
    setup();
    for (size_t length = 0; length < patch.length; length++) {
        enum err err = applied(old, span_of(patch.data, length), LENGTH);
        ck_assert_msg(err == ERR_TRUNCATED || err == ERR_SYNTAX, "%zu: %s", length, err_name(err));
    }
    cleanup();
}
END_TEST

START_TEST(another_old_file_is_a_mismatch)
{
    setup();
    old_data[7] ^= 1;
    ck_assert_int_eq(applied(old, patch_span(), LENGTH), ERR_MISMATCH);
    ck_assert_int_eq(applied(span_of(old_data, LENGTH - 1), patch_span(), LENGTH), ERR_MISMATCH);
    cleanup();
}
END_TEST

START_TEST(another_length_is_refused)
{
    setup();
    ck_assert_int_eq(applied(old, patch_span(), LENGTH - 1), ERR_SYNTAX);
    ck_assert_int_eq(applied(old, patch_span(), LENGTH + 1), ERR_SYNTAX);
    cleanup();
}
END_TEST

START_TEST(nothing_may_follow)
{
    struct buf out;

    setup();
    buf_init(&out, MIB(1));
    buf_put(&out, patch.data, patch.length);
    buf_put_u8(&out, 0);
    ck_assert_int_eq(applied(old, span_of(out.data, out.length), LENGTH), ERR_SYNTAX);
    buf_put(&out, patch.data + DELTA_HEADER, patch.length - DELTA_HEADER);
    ck_assert_int_eq(applied(old, span_of(out.data, out.length), LENGTH), ERR_SYNTAX);
    buf_done(&out);
    cleanup();
}
END_TEST

START_TEST(a_frame_must_say_its_size)
{
    struct buf out;

    setup();
    make_frame(new, old, 20, true, false, &out);
    ck_assert_int_eq(applied(old, span_of(out.data, out.length), LENGTH), ERR_OK);
    buf_done(&out);
    make_frame(new, old, 20, false, false, &out);
    ck_assert_int_eq(applied(old, span_of(out.data, out.length), LENGTH), ERR_SYNTAX);
    buf_done(&out);
    cleanup();
}
END_TEST

START_TEST(a_bomb_gives_no_byte_more)
{
    uint8_t *zeros = mem_zalloc(MIB(4));
    struct run run = {0};
    struct buf out;

    setup();
    make_frame(span_of(zeros, MIB(4)), old, 20, true, false, &out);
    ck_assert_uint_lt(out.length, 2000);
    ck_assert_int_eq(apply(&run, old, span_of(out.data, out.length), LENGTH), ERR_SYNTAX);
    ck_assert_uint_eq(run.result.length, 0);
    buf_done(&run.result);
    /* A frame that lies about its size: a field of 4 bytes behind magic and descriptor. */
    ck_assert_uint_eq(out.data[DELTA_HEADER + 4] & 0xe0, 0x80);
    uint32_t length = LENGTH;
    memcpy(out.data + DELTA_HEADER + 6, &length, sizeof length);
    ck_assert_int_eq(apply(&run, old, span_of(out.data, out.length), LENGTH), ERR_SYNTAX);
    buf_done(&run.result);
    buf_done(&out);
    mem_free(zeros);
    cleanup();
}
END_TEST

/* A window descriptor of 2^31 bytes in front of the same frame. */
START_TEST(a_window_that_is_too_large_is_refused)
{
    struct buf out;

    setup();
    make_frame(new, old, 18, true, false, &out);
    ck_assert_uint_eq(out.data[DELTA_HEADER + 4] & 0x20, 0); /* a window of its own */
    ck_assert_int_eq(applied(old, span_of(out.data, out.length), LENGTH), ERR_OK);
    out.data[DELTA_HEADER + 5] = 21 << 3;
    ck_assert_int_eq(applied(old, span_of(out.data, out.length), LENGTH), ERR_SYNTAX);
    buf_done(&out);
    cleanup();
}
END_TEST

START_TEST(other_compressions_are_refused)
{
    struct buf out;

    setup();
    buf_init(&out, MIB(1));
    /* RFC 9842's other one */
    buf_put(&out,
            "\xff"
            "DCB",
            4);
    buf_put(&out, patch.data + 8, patch.length - 8);
    ck_assert_int_eq(applied(old, span_of(out.data, out.length), LENGTH), ERR_SYNTAX);
    buf_clear(&out);
    /* a frame to skip in the patch's place */
    buf_put(&out, patch.data, DELTA_HEADER);
    buf_put(&out, patch.data, patch.length);
    ck_assert_int_eq(applied(old, span_of(out.data, out.length), LENGTH), ERR_SYNTAX);
    buf_done(&out);
    cleanup();
}
END_TEST

START_TEST(failures_of_the_caller_end_it)
{
    struct run run = {.take_fails = ERR_NO_SPACE};

    setup();
    ck_assert_int_eq(apply(&run, old, patch_span(), LENGTH), ERR_NO_SPACE);
    ck_assert_uint_eq(run.takes, 1);
    buf_done(&run.result);
    run.take_fails = ERR_OK;
    run.read_fails = ERR_IO;
    ck_assert_int_eq(apply(&run, old, patch_span(), LENGTH), ERR_IO);
    buf_done(&run.result);
    cleanup();
}
END_TEST

START_TEST(damage_never_gives_more_than_the_length)
{
    uint64_t seed = mutate_seed();

    setup();
    for (int i = 0; i < 300; i++) {
        struct span copy = mutate_copy(patch.data, patch.length, &seed);
        if (i % 2 == 0 && copy.length >= DELTA_HEADER)
            memcpy((void *)(uintptr_t)copy.data, patch.data, DELTA_HEADER);
        applied(old, copy, LENGTH);
        mutate_free(copy);
    }
    cleanup();
}
END_TEST

TEST_MAIN("delta",
          TESTS(names_are_read_as_written, other_names_are_none, lengths_are_bounded,
                a_patch_gives_the_new_file, the_same_input_gives_the_same_patch, every_length_works,
                what_is_not_worth_it_is_given_up, making_can_be_stopped, cut_anywhere_it_is_refused,
                another_old_file_is_a_mismatch, another_length_is_refused, nothing_may_follow,
                a_frame_must_say_its_size, a_bomb_gives_no_byte_more,
                a_window_that_is_too_large_is_refused, other_compressions_are_refused,
                failures_of_the_caller_end_it, damage_never_gives_more_than_the_length))
