#include "wire/peer_msg.h"

#include "base/limits.h"

#include <assert.h>
#include <string.h>

/* --- handshake
 *
 *   offset size
 *        0    1  19
 *        1   19  "BitTorrent protocol"
 *       20    8  reserved: byte 5 & 0x10 extension protocol, byte 7 & 0x04 Fast
 *       28   20  info-hash, cut
 *       48   20  peer id */

#define PROTOCOL                                                                                   \
    "\x13"                                                                                         \
    "BitTorrent protocol"
#define PROTOCOL_LENGTH 20
#define EXTENDED_BIT    0x10 /* of reserved byte 5 */
#define FAST_BIT        0x04 /* of reserved byte 7 */

enum err peer_handshake_decode(const uint8_t *data, size_t length, struct peer_handshake *ret)
{
    size_t known = length < PROTOCOL_LENGTH ? length : PROTOCOL_LENGTH;

    if (known > 0 && memcmp(data, PROTOCOL, known) != 0)
        return ERR_SYNTAX;
    if (length < HANDSHAKE_LENGTH)
        return ERR_MORE;
    const uint8_t *reserved = data + PROTOCOL_LENGTH;
    ret->extended = (reserved[5] & EXTENDED_BIT) != 0;
    ret->fast = (reserved[7] & FAST_BIT) != 0;
    memcpy(ret->infohash, reserved + 8, SHORT_HASH_LENGTH);
    memcpy(ret->peer_id, reserved + 8 + SHORT_HASH_LENGTH, PEER_ID_LENGTH);
    return ERR_OK;
}

void peer_handshake_encode(const struct peer_handshake *handshake, struct buf *out)
{
    uint8_t reserved[8] = {0};

    reserved[5] = handshake->extended ? EXTENDED_BIT : 0;
    reserved[7] = handshake->fast ? FAST_BIT : 0;
    buf_put(out, PROTOCOL, PROTOCOL_LENGTH);
    buf_put(out, reserved, sizeof reserved);
    buf_put(out, handshake->infohash, SHORT_HASH_LENGTH);
    buf_put(out, handshake->peer_id, PEER_ID_LENGTH);
}

/* --- messages: u32 length of what follows, u8 kind, then by kind:
 *
 *   length  kind
 *        1  choke, unchoke, interested, not interested, have all, have none
 *        3  port             u16 port
 *        5  have, suggest, allowed fast   u32 index
 *       13  request, cancel, reject       u32 index, u32 begin, u32 length
 *      9+n  piece            u32 index, u32 begin, n bytes of data, 0 < n
 *      1+n  bitfield         n bytes
 *      2+n  extended         u8 id, n bytes
 *       49  hash request, hash reject     32 root, u32 base, index, count, proof layers
 *    49+n  hashes           as above, n = 32 bytes a hash: `count` hashes, then uncles */

/* The lengths that a kind may have, and the step between them. */
struct shape {
    uint32_t min, max, step;
};

/* The proof of a tree of 2^32 leaves, the tallest that fits the numbers, is 32 uncles. */
#define MAX_UNCLES 32

static bool find_shape(unsigned kind, struct shape *ret)
{
    switch (kind) {
    case PEER_CHOKE:
    case PEER_UNCHOKE:
    case PEER_INTERESTED:
    case PEER_NOT_INTERESTED:
    case PEER_HAVE_ALL:
    case PEER_HAVE_NONE:
        *ret = (struct shape){1, 1, 1};
        return true;
    case PEER_PORT:
        *ret = (struct shape){3, 3, 1};
        return true;
    case PEER_HAVE:
    case PEER_SUGGEST:
    case PEER_ALLOWED_FAST:
        *ret = (struct shape){5, 5, 1};
        return true;
    case PEER_REQUEST:
    case PEER_CANCEL:
    case PEER_REJECT:
        *ret = (struct shape){13, 13, 1};
        return true;
    case PEER_PIECE:
        *ret = (struct shape){10, 9 + LIMIT_PEER_REQUEST, 1};
        return true;
    case PEER_BITFIELD:
        *ret = (struct shape){1, LIMIT_PEER_MESSAGE, 1};
        return true;
    case PEER_EXTENDED:
        *ret = (struct shape){2, 2 + LIMIT_PEER_EXTENDED, 1};
        return true;
    case PEER_HASH_REQUEST:
    case PEER_HASH_REJECT:
        *ret = (struct shape){49, 49, 1};
        return true;
    case PEER_HASHES:
        *ret = (struct shape){49 + HASH_LENGTH, LIMIT_PEER_MESSAGE, HASH_LENGTH};
        return true;
    default:
        return false;
    }
}

/* Judges a length as soon as the kind is known, so that nobody makes us keep bytes that can only
 * be refused. A length over the maximum of a kind of one fixed length is just wrong. */
static enum err check_shape(unsigned kind, uint32_t length)
{
    struct shape shape;

    if (!find_shape(kind, &shape))
        return ERR_OK;
    if (length > shape.max && shape.max > shape.min)
        return ERR_TOO_LARGE;
    if (length < shape.min || length > shape.max || (length - shape.min) % shape.step != 0)
        return ERR_SYNTAX;
    return ERR_OK;
}

static enum err read_hashes(struct reader *in, struct peer_msg *ret)
{
    struct peer_hashes *hash = &ret->hash;

    memcpy(hash->root, reader_take(in, HASH_LENGTH).data, HASH_LENGTH);
    hash->base = reader_u32(in);
    hash->index = reader_u32(in);
    hash->count = reader_u32(in);
    hash->proof_layers = reader_u32(in);
    if (ret->kind != PEER_HASHES)
        return ERR_OK;
    hash->hashes = reader_take(in, reader_left(in));
    size_t hashes = hash->hashes.length / HASH_LENGTH;
    if (hash->count == 0 || hash->count > hashes || hashes - hash->count > MAX_UNCLES)
        return ERR_SYNTAX;
    return ERR_OK;
}

static void read_block(struct reader *in, struct peer_msg *ret)
{
    ret->index = reader_u32(in);
    ret->begin = reader_u32(in);
    if (ret->kind == PEER_PIECE) {
        ret->payload = reader_take(in, reader_left(in));
        ret->length = (uint32_t)ret->payload.length;
    } else {
        ret->length = reader_u32(in);
    }
}

/* The shape has been checked, so the reader cannot run short. */
static enum err read_body(struct reader *in, struct peer_msg *ret)
{
    switch (ret->kind) {
    case PEER_PORT:
        ret->port = reader_u16(in);
        return ERR_OK;
    case PEER_HAVE:
    case PEER_SUGGEST:
    case PEER_ALLOWED_FAST:
        ret->index = reader_u32(in);
        return ERR_OK;
    case PEER_REQUEST:
    case PEER_CANCEL:
    case PEER_REJECT:
    case PEER_PIECE:
        read_block(in, ret);
        return ERR_OK;
    case PEER_EXTENDED:
        ret->extended_id = reader_u8(in);
        ret->payload = reader_take(in, reader_left(in));
        return ERR_OK;
    case PEER_BITFIELD:
        ret->payload = reader_take(in, reader_left(in));
        return ERR_OK;
    case PEER_HASH_REQUEST:
    case PEER_HASHES:
    case PEER_HASH_REJECT:
        return read_hashes(in, ret);
    default:
        return ERR_OK;
    }
}

enum err peer_msg_decode(const uint8_t *data, size_t length, struct peer_msg *ret, size_t *ret_used)
{
    struct reader in;
    struct shape shape;

    reader_init(&in, data, length);
    uint32_t body = reader_u32(&in);
    if (in.failed)
        return ERR_MORE;
    if (body > LIMIT_PEER_MESSAGE)
        return ERR_TOO_LARGE;
    *ret = (struct peer_msg){.kind = PEER_KEEP_ALIVE};
    *ret_used = 4;
    if (body == 0)
        return ERR_OK;
    uint8_t kind = reader_u8(&in);
    if (in.failed)
        return ERR_MORE;
    enum err err = check_shape(kind, body);
    if (err != ERR_OK)
        return err;
    if (reader_left(&in) < body - 1)
        return ERR_MORE;
    in.end = in.at + (body - 1);
    *ret_used = 4 + (size_t)body;
    ret->kind = find_shape(kind, &shape) ? (enum peer_msg_kind)kind : PEER_UNKNOWN;
    return read_body(&in, ret);
}

/* --- encode */

static void put_head(uint32_t length, enum peer_msg_kind kind, struct buf *out)
{
    buf_put_u32(out, length);
    buf_put_u8(out, (uint8_t)kind);
}

static void put_hashes(const struct peer_msg *msg, struct buf *out)
{
    const struct peer_hashes *hash = &msg->hash;
    struct span hashes = msg->kind == PEER_HASHES ? hash->hashes : span_of(NULL, 0);

    put_head(49 + (uint32_t)hashes.length, msg->kind, out);
    buf_put(out, hash->root, HASH_LENGTH);
    buf_put_u32(out, hash->base);
    buf_put_u32(out, hash->index);
    buf_put_u32(out, hash->count);
    buf_put_u32(out, hash->proof_layers);
    buf_put(out, hashes.data, hashes.length);
}

static void put_block(const struct peer_msg *msg, struct buf *out)
{
    bool piece = msg->kind == PEER_PIECE;

    put_head(piece ? 9 + (uint32_t)msg->payload.length : 13, msg->kind, out);
    buf_put_u32(out, msg->index);
    buf_put_u32(out, msg->begin);
    if (!piece)
        buf_put_u32(out, msg->length);
}

bool peer_hashes_match(const struct peer_hashes *a, const struct peer_hashes *b)
{
    return memcmp(a->root, b->root, HASH_LENGTH) == 0 && a->base == b->base &&
           a->index == b->index && a->count == b->count && a->proof_layers == b->proof_layers;
}

void peer_msg_encode(const struct peer_msg *msg, struct buf *out)
{
    switch (msg->kind) {
    case PEER_KEEP_ALIVE:
        buf_put_u32(out, 0);
        break;
    case PEER_CHOKE:
    case PEER_UNCHOKE:
    case PEER_INTERESTED:
    case PEER_NOT_INTERESTED:
    case PEER_HAVE_ALL:
    case PEER_HAVE_NONE:
        put_head(1, msg->kind, out);
        break;
    case PEER_PORT:
        put_head(3, msg->kind, out);
        buf_put_u16(out, msg->port);
        break;
    case PEER_HAVE:
    case PEER_SUGGEST:
    case PEER_ALLOWED_FAST:
        put_head(5, msg->kind, out);
        buf_put_u32(out, msg->index);
        break;
    case PEER_REQUEST:
    case PEER_CANCEL:
    case PEER_REJECT:
    case PEER_PIECE:
        put_block(msg, out);
        break;
    case PEER_BITFIELD:
        put_head(1 + (uint32_t)msg->payload.length, msg->kind, out);
        buf_put(out, msg->payload.data, msg->payload.length);
        break;
    case PEER_EXTENDED:
        put_head(2 + (uint32_t)msg->payload.length, msg->kind, out);
        buf_put_u8(out, msg->extended_id);
        buf_put(out, msg->payload.data, msg->payload.length);
        break;
    case PEER_HASH_REQUEST:
    case PEER_HASHES:
    case PEER_HASH_REJECT:
        put_hashes(msg, out);
        break;
    case PEER_UNKNOWN:
        assert(!"an unknown message is never ours to send");
    }
}
