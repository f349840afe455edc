#include "wire/fringe_release.h"

#include "base/limits.h"
#include "wire/merkle.h"

#include <assert.h>
#include <string.h>

/*   offset size
 *        0    1  version, 1
 *        1    1  kind: 0 have, 1 ask, 2 whole; others are passed over
 *        2    2  hosts that the sender knows of, in tens; 65535: or more
 *        4    8  site mark
 *       12    8  seq, 1 .. 2^53 - 1
 *  only in "whole":
 *       20    4  j, the length of release.json, 1 .. LIMIT_RELEASE
 *       24    4  s, the length of its signature, 1 .. LIMIT_SIGNATURE
 *       28    j  release.json
 *     28+j    s  release.json.minisig
 * What follows is of a later revision, and ignored. */

#define VERSION 1
#define SEQ_MAX ((UINT64_C(1) << 53) - 1) /* what every JSON reader can hold */

static_assert(28 + LIMIT_RELEASE + LIMIT_SIGNATURE <= LIMIT_PEER_EXTENDED, "it fits a message");

void fringe_release_mark(const char *site, uint8_t ret_mark[FRINGE_SITE_MARK])
{
    uint8_t hash[HASH_LENGTH];

    sha256(site, strlen(site), hash);
    memcpy(ret_mark, hash, FRINGE_SITE_MARK);
}

static enum err read_whole(struct reader *in, struct fringe_release *ret)
{
    uint32_t json = reader_u32(in), signature = reader_u32(in);

    if (in->failed)
        return ERR_TRUNCATED;
    if (json > LIMIT_RELEASE || signature > LIMIT_SIGNATURE)
        return ERR_TOO_LARGE;
    if (json == 0 || signature == 0)
        return ERR_RANGE;
    ret->json = reader_take(in, json);
    ret->signature = reader_take(in, signature);
    return in->failed ? ERR_TRUNCATED : ERR_OK;
}

enum err fringe_release_decode(struct span payload, struct fringe_release *ret)
{
    struct reader in;

    *ret = (struct fringe_release){0};
    reader_init(&in, payload.data, payload.length);
    uint8_t version = reader_u8(&in);
    if (!in.failed && version != VERSION)
        return ERR_UNSUPPORTED;
    uint8_t kind = reader_u8(&in);
    ret->hosts = 10u * reader_u16(&in);
    struct span mark = reader_take(&in, FRINGE_SITE_MARK);
    ret->seq = reader_u64(&in);
    if (in.failed)
        return ERR_TRUNCATED;
    memcpy(ret->site_mark, mark.data, FRINGE_SITE_MARK);
    ret->kind =
        kind < FRINGE_RELEASE_UNKNOWN ? (enum fringe_release_kind)kind : FRINGE_RELEASE_UNKNOWN;
    if (ret->seq == 0 || ret->seq > SEQ_MAX)
        return ERR_RANGE;
    return ret->kind == FRINGE_RELEASE_WHOLE ? read_whole(&in, ret) : ERR_OK;
}

void fringe_release_encode(const struct fringe_release *msg, struct buf *out)
{
    assert(msg->kind != FRINGE_RELEASE_UNKNOWN);
    buf_put_u8(out, VERSION);
    buf_put_u8(out, (uint8_t)msg->kind);
    buf_put_u16(out, (uint16_t)(msg->hosts / 10 < UINT16_MAX ? msg->hosts / 10 : UINT16_MAX));
    buf_put(out, msg->site_mark, FRINGE_SITE_MARK);
    buf_put_u64(out, msg->seq);
    if (msg->kind != FRINGE_RELEASE_WHOLE)
        return;
    buf_put_u32(out, (uint32_t)msg->json.length);
    buf_put_u32(out, (uint32_t)msg->signature.length);
    buf_put(out, msg->json.data, msg->json.length);
    buf_put(out, msg->signature.data, msg->signature.length);
}
