/* BEP 11: peers tell each other of peers. Layer: wire (pure).
 *
 * A message is a hint from a stranger: whoever dials from it checks the addresses
 * (address_is_public) and bounds what one source may bring. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "wire/address.h"

/* Flags of an added peer; others are kept and mean nothing to us. */
#define UT_PEX_ENCRYPTION  0x01
#define UT_PEX_UPLOAD_ONLY 0x02
#define UT_PEX_UTP         0x04
#define UT_PEX_HOLEPUNCH   0x08
#define UT_PEX_REACHABLE   0x10

struct ut_pex_peer {
    struct address address;
    uint8_t flags; /* 0 in `dropped` */
};

struct ut_pex {
    size_t added_count, dropped_count; /* IPv4 before IPv6 */
    struct ut_pex_peer added[LIMIT_PEX_PEERS], dropped[LIMIT_PEX_PEERS];
};

/* Peers with port 0 and those over the limits are left out: libtorrent sends up to 100. Every key
 * may be missing. ERR_SYNTAX: a list that is no whole number of peers; ERR_MISMATCH: not one
 * flag for each peer. */
enum err ut_pex_decode(struct span payload, struct ut_pex *ret);
/* Appends the message; IPv4 and IPv6 may be mixed. */
void ut_pex_encode(const struct ut_pex *pex, struct buf *out);
