/* Compact peer lists: BEP 23 (IPv4), BEP 7 (IPv6), as BEP 11 and BEP 15 use them too.
 * Layer: wire (pure). */
#pragma once

#include "base/bytes.h"
#include "wire/address.h"

/* The bytes of one peer: 6 for family 4, 18 for family 6. */
size_t compact_size(uint8_t family);
/* Is this a whole number of peers? */
bool compact_fits(struct span list, uint8_t family);
/* Number i of the list, which must be there. */
struct address compact_at(struct span list, uint8_t family, size_t i);
/* Appends an address in the form of its family. */
void compact_put(struct buf *out, const struct address *address);
