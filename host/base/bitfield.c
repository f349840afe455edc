#include "base/bitfield.h"

#include "base/mem.h"

#include <string.h>

void bitfield_init(struct bitfield *field, uint32_t bits)
{
    *field = (struct bitfield){.bytes = mem_zalloc(bitfield_bytes(bits)), .bits = bits};
}

void bitfield_done(struct bitfield *field)
{
    mem_free(field->bytes);
    *field = (struct bitfield){0};
}

bool bitfield_set(struct bitfield *field, uint32_t index)
{
    if (index >= field->bits || bitfield_get(field, index))
        return false;
    field->bytes[index / 8] |= (uint8_t)(0x80 >> index % 8);
    field->count++;
    return true;
}

bool bitfield_unset(struct bitfield *field, uint32_t index)
{
    if (!bitfield_get(field, index))
        return false;
    field->bytes[index / 8] &= (uint8_t)~(0x80 >> index % 8);
    field->count--;
    return true;
}

static uint8_t last_byte_mask(uint32_t bits)
{
    return bits % 8 == 0 ? 0xff : (uint8_t)(0xff00 >> bits % 8);
}

void bitfield_set_all(struct bitfield *field)
{
    size_t length = bitfield_bytes(field->bits);
    if (length == 0)
        return;
    memset(field->bytes, 0xff, length);
    field->bytes[length - 1] = last_byte_mask(field->bits);
    field->count = field->bits;
}

void bitfield_clear(struct bitfield *field)
{
    memset(field->bytes, 0, bitfield_bytes(field->bits));
    field->count = 0;
}

bool bitfield_load(struct bitfield *field, const uint8_t *bytes, size_t length)
{
    if (length != bitfield_bytes(field->bits))
        return false;
    if (length > 0 && (bytes[length - 1] & ~last_byte_mask(field->bits)) != 0)
        return false;
    if (length > 0)
        memcpy(field->bytes, bytes, length);
    field->count = 0;
    for (size_t i = 0; i < length; i++)
        field->count += (uint32_t)__builtin_popcount(bytes[i]);
    return true;
}

/* Skips whole bytes that cannot hold the wanted bit: bundles have thousands of pieces and most
 * are alike. */
static uint32_t next_bit(const struct bitfield *field, uint32_t from, uint32_t end, bool want)
{
    if (end > field->bits)
        end = field->bits;
    uint8_t skip = want ? 0x00 : 0xff;
    while (from < end) {
        if (from % 8 == 0 && field->bytes[from / 8] == skip) {
            from += 8;
            continue;
        }
        if (bitfield_get(field, from) == want)
            return from;
        from++;
    }
    return BITFIELD_NONE;
}

uint32_t bitfield_next_zero(const struct bitfield *field, uint32_t from, uint32_t end)
{
    return next_bit(field, from, end, false);
}

uint32_t bitfield_next_one(const struct bitfield *field, uint32_t from, uint32_t end)
{
    return next_bit(field, from, end, true);
}

uint32_t bitfield_count_range(const struct bitfield *field, uint32_t from, uint32_t end)
{
    uint32_t count = 0;
    if (end > field->bits)
        end = field->bits;
    while (from < end) {
        if (from % 8 == 0 && end - from >= 8) {
            count += (uint32_t)__builtin_popcount(field->bytes[from / 8]);
            from += 8;
            continue;
        }
        count += bitfield_get(field, from++);
    }
    return count;
}
