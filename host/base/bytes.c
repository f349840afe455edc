#include "base/bytes.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct span span_text(const char *text)
{
    return span_of(text, strlen(text));
}

bool span_equal(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

bool span_is(struct span span, const char *text)
{
    return span_equal(span, span_text(text));
}

void span_printable(struct span text, char *ret, size_t size)
{
    size_t length = text.length < size ? text.length : size - 1;

    for (size_t i = 0; i < length; i++)
        ret[i] = text.data[i] >= 0x20 && text.data[i] < 0x7f ? (char)text.data[i] : '?';
    ret[length] = '\0';
}

/* --- reader */

void reader_init(struct reader *reader, const void *data, size_t length)
{
    *reader = (struct reader){.at = data, .end = (const uint8_t *)data + length};
}

size_t reader_left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

struct span reader_take(struct reader *reader, size_t length)
{
    if (reader->failed || reader_left(reader) < length) {
        reader->failed = true;
        return (struct span){NULL, 0};
    }
    struct span taken = span_of(reader->at, length);
    reader->at += length;
    return taken;
}

static uint64_t read_be(struct reader *reader, size_t length)
{
    struct span bytes = reader_take(reader, length);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.length; i++)
        value = value << 8 | bytes.data[i];
    return value;
}

uint8_t reader_u8(struct reader *reader)
{
    return (uint8_t)read_be(reader, 1);
}

uint16_t reader_u16(struct reader *reader)
{
    return (uint16_t)read_be(reader, 2);
}

uint32_t reader_u32(struct reader *reader)
{
    return (uint32_t)read_be(reader, 4);
}

uint64_t reader_u64(struct reader *reader)
{
    return read_be(reader, 8);
}

/* --- buf */

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_done(struct buf *buf)
{
    mem_free(buf->data);
    *buf = (struct buf){.max = buf->max};
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    buf->failed = false;
}

static void grow(struct buf *buf, size_t needed)
{
    size_t capacity = buf->capacity > 0 ? buf->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    if (capacity > buf->max)
        capacity = buf->max;
    buf->data = mem_realloc(buf->data, capacity);
    buf->capacity = capacity;
}

uint8_t *buf_extend(struct buf *buf, size_t length)
{
    if (buf->failed || length > buf->max - buf->length) {
        buf->failed = true;
        return NULL;
    }
    if (buf->capacity - buf->length < length)
        grow(buf, buf->length + length);
    uint8_t *at = buf->data + buf->length;
    buf->length += length;
    return at;
}

void buf_put(struct buf *buf, const void *data, size_t length)
{
    if (length == 0)
        return;
    uint8_t *at = buf_extend(buf, length);
    if (at != NULL)
        memcpy(at, data, length);
}

void buf_put_text(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

static void put_be(struct buf *buf, uint64_t value, size_t length)
{
    uint8_t *at = buf_extend(buf, length);
    if (at == NULL)
        return;
    for (size_t i = 0; i < length; i++)
        at[i] = (uint8_t)(value >> 8 * (length - 1 - i));
}

void buf_put_u8(struct buf *buf, uint8_t value)
{
    put_be(buf, value, 1);
}

void buf_put_u16(struct buf *buf, uint16_t value)
{
    put_be(buf, value, 2);
}

void buf_put_u32(struct buf *buf, uint32_t value)
{
    put_be(buf, value, 4);
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
    put_be(buf, value, 8);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        buf->failed = true;
    else
        buf_put(buf, text, (size_t)length);
    mem_free(text);
}

void buf_drop_front(struct buf *buf, size_t length)
{
    assert(length <= buf->length);
    buf->length -= length;
    if (buf->length > 0)
        memmove(buf->data, buf->data + length, buf->length);
}

uint8_t *buf_take(struct buf *buf, size_t *ret_length)
{
    uint8_t *data = buf->data;
    *ret_length = buf->length;
    *buf = (struct buf){.max = buf->max};
    return data;
}

/* --- hex and fixed stores */

void hex_encode(char *out, const void *data, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool hex_decode(uint8_t *out, size_t length, const char *text, size_t text_length)
{
    if (text_length != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void store_u32be(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> 8 * (3 - i));
}

uint32_t load_u32be(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}
