/* Bytes in and out: a reader over borrowed memory that cannot run past its end, and a growing
 * buffer with a maximum. Big-endian, because every network format here is. Layer: base. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes. */
struct span {
    const uint8_t *data;
    size_t length;
};

static inline struct span span_of(const void *data, size_t length)
{
    return (struct span){.data = data, .length = length};
}

struct span span_text(const char *text);
bool span_equal(struct span a, struct span b);
bool span_is(struct span span, const char *text);
/* A stranger's text for the log: cut to size, all but printable ASCII becomes "?". */
void span_printable(struct span text, char *ret, size_t size);

/* --- reader: after the first read past the end everything reads as zero and `failed` is set,
 * so a decoder reads all its fields and checks once. */
struct reader {
    const uint8_t *at, *end;
    bool failed;
};

void reader_init(struct reader *reader, const void *data, size_t length);
size_t reader_left(const struct reader *reader);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
struct span reader_take(struct reader *reader, size_t length); /* {NULL, 0} when too short */

/* --- buf: owns its memory; refuses to grow over `max` and remembers that in `failed`. */
struct buf {
    uint8_t *data;
    size_t length, capacity, max;
    bool failed;
};

void buf_init(struct buf *buf, size_t max);
void buf_done(struct buf *buf);
void buf_clear(struct buf *buf);                        /* keeps the memory, clears `failed` */
uint8_t *buf_extend(struct buf *buf, size_t length);    /* room for length bytes, or NULL */
void buf_put(struct buf *buf, const void *data, size_t length);
void buf_put_text(struct buf *buf, const char *text);
void buf_put_u8(struct buf *buf, uint8_t value);
void buf_put_u16(struct buf *buf, uint16_t value);
void buf_put_u32(struct buf *buf, uint32_t value);
void buf_put_u64(struct buf *buf, uint64_t value);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_drop_front(struct buf *buf, size_t length);
/* Hands the memory over to the caller (mem_free) and leaves the buffer empty. */
uint8_t *buf_take(struct buf *buf, size_t *ret_length);

/* --- hex and fixed stores */
#define HEX_LENGTH(bytes) (2 * (bytes) + 1)
void hex_encode(char *out, const void *data, size_t length); /* lower case, adds the NUL */
bool hex_decode(uint8_t *out, size_t length, const char *text, size_t text_length);
void store_u32be(uint8_t *out, uint32_t value);
uint32_t load_u32be(const uint8_t *in);
