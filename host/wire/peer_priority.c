#include "wire/peer_priority.h"

#include <stdbool.h>
#include <string.h>

/* --- CRC-32C: reflected, polynomial 0x82f63b78, four bits at a time */

uint32_t crc32c(const void *data, size_t length)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    const uint8_t *bytes = data;
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/* --- priority: CRC-32C over the two masked addresses, the lower one first. A mask is 0xff up to
 * the first byte that differs and at least for 2 (IPv4) or 6 (IPv6) bytes, then 0x55. For equal
 * addresses it is over the two ports. */

struct plain {
    uint8_t bytes[16];
    size_t length;
};

static struct plain plain_address(const struct address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct plain plain = {.length = address->family == 6 ? 16 : 4};

    memcpy(plain.bytes, address->ip, plain.length);
    if (plain.length == 16 && memcmp(plain.bytes, mapped, sizeof mapped) == 0) {
        memmove(plain.bytes, plain.bytes + sizeof mapped, 4);
        plain.length = 4;
    }
    return plain;
}

static struct plain plain_port(const struct address *address)
{
    return (struct plain){{(uint8_t)(address->port >> 8), (uint8_t)address->port}, 2};
}

static void mask(struct plain *a, struct plain *b)
{
    size_t whole = a->length == 4 ? 2 : 6, differ = 0;

    while (differ < a->length && a->bytes[differ] == b->bytes[differ])
        differ++;
    for (size_t i = differ + 1 > whole ? differ + 1 : whole; i < a->length; i++) {
        a->bytes[i] &= 0x55;
        b->bytes[i] &= 0x55;
    }
}

static uint32_t hash_sorted(const struct plain *a, const struct plain *b)
{
    uint8_t both[32];
    bool swap = memcmp(a->bytes, b->bytes, a->length) > 0;

    memcpy(both, swap ? b->bytes : a->bytes, a->length);
    memcpy(both + a->length, swap ? a->bytes : b->bytes, a->length);
    return crc32c(both, 2 * a->length);
}

uint32_t peer_priority(const struct address *a, const struct address *b)
{
    struct plain one = plain_address(a), two = plain_address(b);

    if (one.length != two.length)
        return 0;
    if (memcmp(one.bytes, two.bytes, one.length) == 0) {
        one = plain_port(a);
        two = plain_port(b);
    } else {
        mask(&one, &two);
    }
    return hash_sorted(&one, &two);
}
