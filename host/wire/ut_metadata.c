#include "wire/ut_metadata.h"

#include "base/limits.h"
#include "wire/bencode.h"

#include <assert.h>

/* A bencoded dict, then for DATA the piece's bytes:
 *
 *   "msg_type"    integer: 0 request, 1 data, 2 reject; others are passed over
 *   "piece"       integer
 *   "total_size"  integer; only DATA needs it */

#define PIECE_LENGTH BLOCK_LENGTH
#define MAX_PIECES   ((LIMIT_METADATA + PIECE_LENGTH - 1) / PIECE_LENGTH)

uint32_t ut_metadata_pieces(uint32_t total_size)
{
    return total_size / PIECE_LENGTH + (total_size % PIECE_LENGTH != 0);
}

uint32_t ut_metadata_piece_length(uint32_t total_size, uint32_t piece)
{
    assert(piece < ut_metadata_pieces(total_size));
    uint32_t left = total_size - piece * PIECE_LENGTH;
    return left < PIECE_LENGTH ? left : PIECE_LENGTH;
}

struct fields {
    int64_t kind, piece, total_size; /* -1: not there */
};

static struct fields read_fields(struct bencode *in)
{
    struct fields fields = {-1, -1, -1};
    struct span key = {NULL, 0};

    bencode_enter_dict(in);
    while (bencode_next_key(in, &key)) {
        if (span_is(key, "msg_type"))
            fields.kind = bencode_int_in(in, 0, INT64_MAX);
        else if (span_is(key, "piece"))
            fields.piece = bencode_int(in);
        else if (span_is(key, "total_size"))
            fields.total_size = bencode_int(in);
        else
            bencode_skip(in);
    }
    return fields;
}

static enum err check_data(const struct fields *fields, struct ut_metadata *ret)
{
    if (fields->total_size == -1)
        return ERR_MISSING;
    if (fields->total_size <= 0)
        return ERR_RANGE;
    if (fields->total_size > LIMIT_METADATA)
        return ERR_TOO_LARGE;
    ret->total_size = (uint32_t)fields->total_size;
    if (ret->piece >= ut_metadata_pieces(ret->total_size))
        return ERR_RANGE;
    if (ret->data.length != ut_metadata_piece_length(ret->total_size, ret->piece))
        return ERR_MISMATCH;
    return ERR_OK;
}

enum err ut_metadata_decode(struct span payload, struct ut_metadata *ret)
{
    struct bencode in;

    *ret = (struct ut_metadata){.kind = UT_METADATA_UNKNOWN};
    bencode_init(&in, payload.data, payload.length);
    struct fields fields = read_fields(&in);
    if (in.err != ERR_OK)
        return in.err;
    if (fields.kind == -1)
        return ERR_MISSING;
    if (fields.kind >= UT_METADATA_UNKNOWN)
        return ERR_OK;
    if (fields.piece == -1)
        return ERR_MISSING;
    if (fields.piece < 0 || fields.piece >= MAX_PIECES)
        return ERR_RANGE;
    ret->kind = (enum ut_metadata_kind)fields.kind;
    ret->piece = (uint32_t)fields.piece;
    ret->data = span_of(in.at, (size_t)(in.end - in.at));
    if (ret->kind == UT_METADATA_DATA)
        return check_data(&fields, ret);
    return ret->data.length == 0 ? ERR_OK : ERR_SYNTAX;
}

void ut_metadata_encode(const struct ut_metadata *msg, struct buf *out)
{
    bool data = msg->kind == UT_METADATA_DATA;

    assert(msg->kind != UT_METADATA_UNKNOWN);
    bencode_put_dict(out);
    bencode_put_text(out, "msg_type");
    bencode_put_int(out, msg->kind);
    bencode_put_text(out, "piece");
    bencode_put_int(out, msg->piece);
    if (data) {
        bencode_put_text(out, "total_size");
        bencode_put_int(out, msg->total_size);
    }
    bencode_put_end(out);
    if (data)
        buf_put(out, msg->data.data, msg->data.length);
}
