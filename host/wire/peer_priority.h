/* BEP 40: which of two connections to keep, so that both ends agree and nobody can choose it.
 * Layer: wire (pure). */
#pragma once

#include "wire/address.h"

/* CRC-32C (Castagnoli). */
uint32_t crc32c(const void *data, size_t length);
/* The same for (a, b) and (b, a); the higher is kept. Of the same family; what is IPv4 inside
 * IPv6 counts as IPv4, and two families give 0. libtorrent has masks of its own for IPv6, so
 * there the two ends disagree; then it is just an arbitrary number. */
uint32_t peer_priority(const struct address *a, const struct address *b);
