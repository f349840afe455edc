/* BEP 9: a torrent's info dictionary, fetched from peers. Layer: wire (pure).
 *
 * Only `info` travels, in pieces of 16 KiB; the piece layers are fetched as hashes (BEP 52).
 * What arrives proves nothing until the whole has the info-hash. A size is capped by
 * LIMIT_METADATA. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

enum ut_metadata_kind {
    UT_METADATA_REQUEST = 0,
    UT_METADATA_DATA = 1,
    UT_METADATA_REJECT = 2,
    UT_METADATA_UNKNOWN = 3, /* of a later BEP: to be ignored */
};

struct ut_metadata {
    enum ut_metadata_kind kind;
    uint32_t piece;
    uint32_t total_size; /* DATA: of the whole info dictionary */
    struct span data;    /* DATA: borrowed; exactly as long as the piece must be */
};

/* The number of pieces of an info dictionary, and the length of one (piece < pieces). */
uint32_t ut_metadata_pieces(uint32_t total_size);
uint32_t ut_metadata_piece_length(uint32_t total_size, uint32_t piece);

/* ERR_RANGE: a piece or size that cannot be; ERR_MISMATCH: data of the wrong length. The caller
 * compares total_size with what it knows. */
enum err ut_metadata_decode(struct span payload, struct ut_metadata *ret);
void ut_metadata_encode(const struct ut_metadata *msg, struct buf *out);
