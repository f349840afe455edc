/* A set of small numbers in BEP 3's order: bit 0 is the high bit of byte 0, spare bits at the
 * end are zero. Keeps its count. Layer: base. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bitfield {
    uint8_t *bytes;
    uint32_t bits, count; /* size and number of ones */
};

#define BITFIELD_NONE UINT32_MAX

void bitfield_init(struct bitfield *field, uint32_t bits);
void bitfield_done(struct bitfield *field);
static inline size_t bitfield_bytes(uint32_t bits)
{
    return ((size_t)bits + 7) / 8;
}
static inline bool bitfield_get(const struct bitfield *field, uint32_t index)
{
    return index < field->bits && (field->bytes[index / 8] & (0x80 >> index % 8)) != 0;
}
/* Return whether the bit changed. */
bool bitfield_set(struct bitfield *field, uint32_t index);
bool bitfield_unset(struct bitfield *field, uint32_t index);
void bitfield_set_all(struct bitfield *field);
void bitfield_clear(struct bitfield *field);
static inline bool bitfield_full(const struct bitfield *field)
{
    return field->count == field->bits;
}
/* Takes over bytes from outside: false when the length is wrong or a spare bit is set; the
 * field is then unchanged. */
bool bitfield_load(struct bitfield *field, const uint8_t *bytes, size_t length);
/* The first zero / one at or after `from`, below `end`; BITFIELD_NONE when there is none. */
uint32_t bitfield_next_zero(const struct bitfield *field, uint32_t from, uint32_t end);
uint32_t bitfield_next_one(const struct bitfield *field, uint32_t from, uint32_t end);
/* The number of ones in [from, end). */
uint32_t bitfield_count_range(const struct bitfield *field, uint32_t from, uint32_t end);
