#include "wire/bencode.h"

#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void bencode_init(struct bencode *in, const void *data, size_t length)
{
    *in = (struct bencode){.at = data, .end = (const uint8_t *)data + length};
}

void bencode_fail(struct bencode *in, enum err err)
{
    if (in->err == ERR_OK)
        in->err = err;
}

/* The next byte, or 0 (which begins nothing) at the end or after an error. */
static uint8_t next(const struct bencode *in)
{
    return in->err == ERR_OK && in->at < in->end ? *in->at : 0;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* What was needed is not there: is that the end of the input, or another byte? */
static void fail_here(struct bencode *in)
{
    bencode_fail(in, in->at < in->end ? ERR_SYNTAX : ERR_TRUNCATED);
}

static bool expect(struct bencode *in, uint8_t byte)
{
    if (next(in) == byte && in->at < in->end) {
        in->at++;
        return true;
    }
    fail_here(in);
    return false;
}

enum bencode_kind bencode_peek(const struct bencode *in)
{
    switch (next(in)) {
    case 'i':
        return BENCODE_INT;
    case 'l':
        return BENCODE_LIST;
    case 'd':
        return BENCODE_DICT;
    default:
        return is_digit(next(in)) ? BENCODE_BYTES : BENCODE_NONE;
    }
}

/* --- numbers */

/* Digits without a leading zero, at most `max`. */
static uint64_t read_digits(struct bencode *in, uint64_t max)
{
    const uint8_t *start = in->at;
    uint64_t value = 0;

    if (!is_digit(next(in))) {
        fail_here(in);
        return 0;
    }
    for (; is_digit(next(in)); in->at++) {
        uint64_t digit = *in->at - '0';
        if (in->at > start && *start == '0')
            bencode_fail(in, ERR_NONCANONICAL);
        else if (value > (max - digit) / 10)
            bencode_fail(in, ERR_RANGE);
        else
            value = value * 10 + digit;
        if (in->err != ERR_OK)
            return 0;
    }
    return value;
}

int64_t bencode_int(struct bencode *in)
{
    if (!expect(in, 'i'))
        return 0;
    bool negative = next(in) == '-';
    if (negative)
        in->at++;
    uint64_t value = read_digits(in, (uint64_t)INT64_MAX + negative);
    if (negative && value == 0)
        bencode_fail(in, ERR_NONCANONICAL);
    if (!expect(in, 'e'))
        return 0;
    return (int64_t)(negative ? 0 - value : value);
}

int64_t bencode_int_in(struct bencode *in, int64_t low, int64_t high)
{
    int64_t value = bencode_int(in);

    if (in->err == ERR_OK && (value < low || value > high))
        bencode_fail(in, ERR_RANGE);
    return in->err == ERR_OK ? value : 0;
}

struct span bencode_bytes(struct bencode *in)
{
    uint64_t length = read_digits(in, INT64_MAX);

    if (!expect(in, ':'))
        return span_of(NULL, 0);
    if (length > (uint64_t)(in->end - in->at)) {
        bencode_fail(in, ERR_TRUNCATED);
        return span_of(NULL, 0);
    }
    struct span bytes = span_of(in->at, (size_t)length);
    in->at += length;
    return bytes;
}

/* --- lists and dicts */

static void enter(struct bencode *in, uint8_t byte)
{
    if (!expect(in, byte))
        return;
    if (in->depth == LIMIT_BENCODE_DEPTH)
        bencode_fail(in, ERR_TOO_DEEP);
    else
        in->depth++;
}

/* At the "e" of the innermost list or dict: leaves it. */
static bool leave(struct bencode *in)
{
    if (next(in) != 'e')
        return false;
    in->at++;
    in->depth--;
    return true;
}

void bencode_enter_list(struct bencode *in)
{
    enter(in, 'l');
}

bool bencode_more(struct bencode *in)
{
    if (in->err != ERR_OK || leave(in))
        return false;
    if (bencode_peek(in) == BENCODE_NONE)
        fail_here(in);
    return in->err == ERR_OK;
}

void bencode_enter_dict(struct bencode *in)
{
    enter(in, 'd');
}

/* Raw bytes; a shorter key comes before a longer one that begins with it. */
static int compare_keys(struct span a, struct span b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

bool bencode_next_key(struct bencode *in, struct span *key)
{
    struct span last = *key;

    if (in->err != ERR_OK || leave(in))
        return false;
    *key = bencode_bytes(in);
    if (in->err == ERR_OK && last.data != NULL) {
        int order = compare_keys(last, *key);
        if (order >= 0)
            bencode_fail(in, order == 0 ? ERR_DUPLICATE : ERR_NONCANONICAL);
    }
    return in->err == ERR_OK;
}

static void skip_value(struct bencode *in);

static void skip_dict(struct bencode *in)
{
    struct span key = {NULL, 0};

    bencode_enter_dict(in);
    while (bencode_next_key(in, &key))
        skip_value(in);
}

/* Recursion goes no deeper than LIMIT_BENCODE_DEPTH. */
static void skip_value(struct bencode *in)
{
    switch (bencode_peek(in)) {
    case BENCODE_INT:
        bencode_int(in);
        break;
    case BENCODE_BYTES:
        bencode_bytes(in);
        break;
    case BENCODE_LIST:
        bencode_enter_list(in);
        while (bencode_more(in))
            skip_value(in);
        break;
    case BENCODE_DICT:
        skip_dict(in);
        break;
    case BENCODE_NONE:
        fail_here(in);
    }
}

struct span bencode_skip(struct bencode *in)
{
    const uint8_t *start = in->at;

    skip_value(in);
    return in->err == ERR_OK ? span_of(start, (size_t)(in->at - start)) : span_of(NULL, 0);
}

enum err bencode_finish(struct bencode *in)
{
    if (in->err == ERR_OK && in->at < in->end)
        bencode_fail(in, ERR_SYNTAX);
    return in->err;
}

/* --- writer */

void bencode_put_int(struct buf *out, int64_t value)
{
    char text[32];

    snprintf(text, sizeof text, "i%" PRId64 "e", value);
    buf_put_text(out, text);
}

void bencode_put_bytes(struct buf *out, const void *data, size_t length)
{
    char text[32];

    snprintf(text, sizeof text, "%zu:", length);
    buf_put_text(out, text);
    buf_put(out, data, length);
}

void bencode_put_text(struct buf *out, const char *text)
{
    bencode_put_bytes(out, text, strlen(text));
}

void bencode_put_list(struct buf *out)
{
    buf_put_u8(out, 'l');
}

void bencode_put_dict(struct buf *out)
{
    buf_put_u8(out, 'd');
}

void bencode_put_end(struct buf *out)
{
    buf_put_u8(out, 'e');
}
