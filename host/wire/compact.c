#include "wire/compact.h"

#include <assert.h>
#include <string.h>

/* A peer:
 *
 *   offset size
 *        0  4 | 16  address
 *   4 | 16       2  port */

static size_t ip_length(uint8_t family)
{
    return family == 6 ? 16 : 4;
}

size_t compact_size(uint8_t family)
{
    return ip_length(family) + 2;
}

bool compact_fits(struct span list, uint8_t family)
{
    return list.length % compact_size(family) == 0;
}

struct address compact_at(struct span list, uint8_t family, size_t i)
{
    struct address address = {.family = family};
    size_t size = compact_size(family);

    assert(i < list.length / size);
    const uint8_t *at = list.data + i * size;
    memcpy(address.ip, at, size - 2);
    address.port = (uint16_t)(at[size - 2] << 8 | at[size - 1]);
    return address;
}

void compact_put(struct buf *out, const struct address *address)
{
    buf_put(out, address->ip, ip_length(address->family));
    buf_put_u16(out, address->port);
}
