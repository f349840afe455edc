#include "wire/fringe_claim.h"

#include <assert.h>
#include <string.h>

/*   offset size
 *        0    1  version, 1
 *        1    1  flags: 0x01 pass on; others are zero from us and ignored from others
 *        2    1  hops, at most LIMIT_CLAIM_HOPS
 *        3    1  n, the number of extents, 1 .. LIMIT_CLAIM_EXTENTS
 *        4    4  serial
 *        8   20  peer id of the claimer
 *       28  8 n  extents, each:
 *                0  4  first piece
 *                4  2  number of pieces, 1 .. LIMIT_CLAIM_PIECES
 *                6  2  milliseconds until it expires, at most LIMIT_CLAIM_MS; 0 withdraws
 * What follows is of a later revision, and ignored. */

#define VERSION 1
#define PASS_ON 0x01

static enum err read_extent(struct reader *in, struct fringe_extent *ret)
{
    ret->first = reader_u32(in);
    ret->pieces = reader_u16(in);
    ret->ttl_ms = reader_u16(in);
    if (in->failed)
        return ERR_TRUNCATED;
    if (ret->pieces == 0 || ret->first >= LIMIT_TORRENT_PIECES ||
        LIMIT_TORRENT_PIECES - ret->first < ret->pieces)
        return ERR_RANGE;
    if (ret->pieces > LIMIT_CLAIM_PIECES || ret->ttl_ms > LIMIT_CLAIM_MS)
        return ERR_TOO_LARGE;
    return ERR_OK;
}

static enum err read_head(struct reader *in, struct fringe_claim *ret)
{
    ret->pass_on = (reader_u8(in) & PASS_ON) != 0;
    ret->hops = reader_u8(in);
    ret->count = reader_u8(in);
    ret->serial = reader_u32(in);
    struct span claimer = reader_take(in, PEER_ID_LENGTH);
    if (in->failed)
        return ERR_TRUNCATED;
    memcpy(ret->claimer, claimer.data, PEER_ID_LENGTH);
    if (ret->count == 0)
        return ERR_RANGE;
    if (ret->hops > LIMIT_CLAIM_HOPS || ret->count > LIMIT_CLAIM_EXTENTS)
        return ERR_TOO_LARGE;
    return ERR_OK;
}

enum err fringe_claim_decode(struct span payload, struct fringe_claim *ret)
{
    struct reader in;

    reader_init(&in, payload.data, payload.length);
    uint8_t version = reader_u8(&in);
    if (in.failed)
        return ERR_TRUNCATED;
    if (version != VERSION)
        return ERR_UNSUPPORTED;
    enum err err = read_head(&in, ret);
    for (size_t i = 0; err == ERR_OK && i < ret->count; i++)
        err = read_extent(&in, &ret->extents[i]);
    return err;
}

void fringe_claim_encode(const struct fringe_claim *claim, struct buf *out)
{
    assert(claim->count > 0 && claim->count <= LIMIT_CLAIM_EXTENTS);
    buf_put_u8(out, VERSION);
    buf_put_u8(out, claim->pass_on ? PASS_ON : 0);
    buf_put_u8(out, claim->hops);
    buf_put_u8(out, (uint8_t)claim->count);
    buf_put_u32(out, claim->serial);
    buf_put(out, claim->claimer, PEER_ID_LENGTH);
    for (size_t i = 0; i < claim->count; i++) {
        buf_put_u32(out, claim->extents[i].first);
        buf_put_u16(out, claim->extents[i].pieces);
        buf_put_u16(out, claim->extents[i].ttl_ms);
    }
}

/* An extent that has expired is left out, because 0 would say that it was withdrawn. */
bool fringe_claim_pass_on(struct fringe_claim *claim, uint32_t held_ms)
{
    size_t kept = 0;

    if (!claim->pass_on || claim->hops >= LIMIT_CLAIM_HOPS)
        return false;
    for (size_t i = 0; i < claim->count; i++) {
        struct fringe_extent extent = claim->extents[i];
        if (extent.ttl_ms != 0 && extent.ttl_ms <= held_ms)
            continue;
        if (extent.ttl_ms != 0)
            extent.ttl_ms = (uint16_t)(extent.ttl_ms - held_ms);
        claim->extents[kept++] = extent;
    }
    claim->count = kept;
    claim->hops++;
    return kept > 0;
}
