/* BEP 14: who on this network shares the same torrents. Layer: wire (pure).
 *
 * One multicast datagram, which shows everybody on the LAN what somebody shares: sent only where
 * the visitor says so, at most once a minute. A torrent of BEP 52 goes by the first 20 bytes of
 * its info-hash. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "wire/peer_msg.h"

#define LSD_GROUP_4 "239.192.152.143:6771"
#define LSD_GROUP_6 "[ff15::efc0:988f]:6771"

struct lsd {
    uint16_t port;
    char cookie[LIMIT_LSD_COOKIE + 1]; /* "": none; to know one's own datagrams by */
    size_t count;                      /* 1 .. LIMIT_LSD_HASHES */
    uint8_t infohash[LIMIT_LSD_HASHES][SHORT_HASH_LENGTH];
};

/* Infohash lines that are no 40 hex digits or over the limit are passed over, and so is a cookie
 * that is too long to be ours. ERR_MISSING: no port or no info-hash; ERR_RANGE: a port that is
 * none; ERR_DUPLICATE: two ports. After an error *ret means nothing. */
enum err lsd_parse(const uint8_t *data, size_t length, struct lsd *ret);
/* family: 4 or 6, for the Host line. The cookie is letters and digits. */
void lsd_format(const struct lsd *lsd, uint8_t family, struct buf *out);
