/* BEP 54: a piece that was there has gone (evicted, or found damaged). Layer: wire (pure).
 *
 *   offset size
 *        0    4  number of the piece */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

/* ERR_SYNTAX unless it is 4 bytes. The caller knows how many pieces there are. */
enum err lt_donthave_decode(struct span payload, uint32_t *ret_piece);
void lt_donthave_encode(uint32_t piece, struct buf *out);
