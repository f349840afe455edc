/* wire/bencode: one form of every value, and no read past the end. */
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "wire/bencode.h"

#include <string.h>

/* The verdict on a whole document, read from an exact copy so that the sanitizer sees more. */
static enum err verdict(const void *data, size_t length)
{
    uint8_t *copy = mem_alloc(length);
    memcpy(copy, data, length);
    struct bencode in;
    bencode_init(&in, copy, length);
    bencode_skip(&in);
    enum err err = bencode_finish(&in);
    mem_free(copy);
    return err;
}

static enum err verdict_text(const char *text)
{
    return verdict(text, strlen(text));
}

START_TEST(canonical_documents_pass)
{
    static const char *const good[] = {
        "i0e",
        "i-1e",
        "i42e",
        "i9223372036854775807e",
        "i-9223372036854775808e",
        "0:",
        "1:a",
        "le",
        "de",
        "li1e1:ae",
        "d0:lee",
        "d1:ai1e2:aai2e1:blee",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(verdict_text(good[i]) == ERR_OK, "%s", good[i]);
}
END_TEST

START_TEST(other_forms_are_refused)
{
    static const struct {
        const char *text;
        enum err err;
    } bad[] = {
        {"", ERR_TRUNCATED},
        {"i-0e", ERR_NONCANONICAL},
        {"i00e", ERR_NONCANONICAL},
        {"i01e", ERR_NONCANONICAL},
        {"i-01e", ERR_NONCANONICAL},
        {"i+1e", ERR_SYNTAX},
        {"i e", ERR_SYNTAX},
        {"ie", ERR_SYNTAX},
        {"i-e", ERR_SYNTAX},
        {"i1.5e", ERR_SYNTAX},
        {"i9223372036854775808e", ERR_RANGE},
        {"i-9223372036854775809e", ERR_RANGE},
        {"i99999999999999999999999e", ERR_RANGE},
        {"00:", ERR_NONCANONICAL},
        {"01:a", ERR_NONCANONICAL},
        {"-1:a", ERR_SYNTAX},
        {"2:a", ERR_TRUNCATED},
        {"18446744073709551617:a", ERR_RANGE},
        {"9223372036854775807:a", ERR_TRUNCATED},
        {"1;a", ERR_SYNTAX},
        {"e", ERR_SYNTAX},
        {"x", ERR_SYNTAX},
        {"l", ERR_TRUNCATED},
        {"lx", ERR_SYNTAX},
        {"d1:a", ERR_TRUNCATED},
        {"d1:ae", ERR_SYNTAX},    /* a key without a value */
        {"di1ei2ee", ERR_SYNTAX}, /* a key that is no string */
        {"d1:bi1e1:ai2ee", ERR_NONCANONICAL},
        {"d2:aai1e1:ai2ee", ERR_NONCANONICAL},
        {"d1:ai1e1:ai2ee", ERR_DUPLICATE},
        {"d0:i1e0:i2ee", ERR_DUPLICATE},
        {"ld1:bi1e1:ai2eee", ERR_NONCANONICAL}, /* also deep inside what is skipped */
        {"i1ei2e", ERR_SYNTAX},
        {"dee", ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(verdict_text(bad[i].text) == bad[i].err, "%s: %s", bad[i].text,
                      err_name(verdict_text(bad[i].text)));
    ck_assert_int_eq(verdict("\0", 1), ERR_SYNTAX);
    ck_assert_int_eq(verdict("i\0e", 3), ERR_SYNTAX);
}
END_TEST

START_TEST(keys_are_compared_as_unsigned_bytes)
{
    ck_assert_int_eq(verdict_text("d1:zle1:\xfflee"), ERR_OK);
    ck_assert_int_eq(verdict_text("d1:\xffle1:zlee"), ERR_NONCANONICAL);
}
END_TEST

START_TEST(depth_is_capped)
{
    uint8_t deep[2 * LIMIT_BENCODE_DEPTH + 2];
    size_t n = LIMIT_BENCODE_DEPTH;

    memset(deep, 'l', n);
    memset(deep + n, 'e', n);
    ck_assert_int_eq(verdict(deep, 2 * n), ERR_OK);
    memset(deep, 'l', n + 1);
    memset(deep + n + 1, 'e', n + 1);
    ck_assert_int_eq(verdict(deep, 2 * n + 2), ERR_TOO_DEEP);
}
END_TEST

START_TEST(truncation_at_every_byte)
{
    const char *text = "d1:ai-12e1:bl3:abc0:d0:i5eee1:cdee";
    ck_assert_int_eq(verdict_text(text), ERR_OK);
    for (size_t i = 0; i < strlen(text); i++)
        ck_assert_msg(verdict(text, i) == ERR_TRUNCATED, "at %zu", i);
}
END_TEST

START_TEST(cursor_reads_a_document)
{
    const char *text = "d4:listli1e2:abe3:numi-7e5:other2:xxe";
    struct bencode in;
    struct span key = {NULL, 0}, inner = {NULL, 0};
    int64_t number = 0;
    unsigned keys = 0;

    bencode_init(&in, text, strlen(text));
    ck_assert_int_eq(bencode_peek(&in), BENCODE_DICT);
    bencode_enter_dict(&in);
    for (; bencode_next_key(&in, &key); keys++) {
        if (span_is(key, "list"))
            inner = bencode_skip(&in);
        else if (span_is(key, "num"))
            number = bencode_int(&in);
        else
            ck_assert(span_is(bencode_bytes(&in), "xx"));
    }
    ck_assert_int_eq(bencode_finish(&in), ERR_OK);
    ck_assert_uint_eq(keys, 3);
    ck_assert_int_eq(number, -7);
    ck_assert(span_is(inner, "li1e2:abe"));

    bencode_init(&in, inner.data, inner.length);
    bencode_enter_list(&in);
    ck_assert(bencode_more(&in));
    ck_assert_int_eq(bencode_int_in(&in, 0, 5), 1);
    ck_assert(bencode_more(&in));
    ck_assert(span_is(bencode_bytes(&in), "ab"));
    ck_assert(!bencode_more(&in));
    ck_assert_int_eq(bencode_finish(&in), ERR_OK);
}
END_TEST

START_TEST(errors_stick)
{
    struct bencode in;

    bencode_init(&in, "i5e3:abc", 8);
    ck_assert_int_eq(bencode_int_in(&in, 6, 9), 0);
    ck_assert_int_eq(in.err, ERR_RANGE);
    ck_assert_ptr_null(bencode_bytes(&in).data);
    ck_assert_int_eq(bencode_peek(&in), BENCODE_NONE);
    ck_assert_int_eq(bencode_finish(&in), ERR_RANGE);

    bencode_init(&in, "3:abc", 5);
    bencode_int(&in); /* of another kind */
    ck_assert_int_eq(bencode_finish(&in), ERR_SYNTAX);
}
END_TEST

START_TEST(writer_writes_what_the_reader_reads)
{
    struct buf out;

    buf_init(&out, 1000);
    bencode_put_dict(&out);
    bencode_put_text(&out, "a");
    bencode_put_int(&out, INT64_MIN);
    bencode_put_text(&out, "b");
    bencode_put_list(&out);
    bencode_put_bytes(&out, "\0\1", 2);
    bencode_put_bytes(&out, NULL, 0);
    bencode_put_end(&out);
    bencode_put_end(&out);
    ck_assert_int_eq(verdict(out.data, out.length), ERR_OK);
    ck_assert(
        span_equal(span_of(out.data, out.length), span_of("d1:ai-9223372036854775808e1:bl2:\0\1"
                                                          "0:ee",
                                                          38)));
    buf_done(&out);
}
END_TEST

TEST_MAIN("wire.bencode",
          TESTS(canonical_documents_pass, other_forms_are_refused,
                keys_are_compared_as_unsigned_bytes, depth_is_capped, truncation_at_every_byte,
                cursor_reads_a_document, errors_stick, writer_writes_what_the_reader_reads))
