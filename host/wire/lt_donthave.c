#include "wire/lt_donthave.h"

enum err lt_donthave_decode(struct span payload, uint32_t *ret_piece)
{
    if (payload.length != 4)
        return ERR_SYNTAX;
    *ret_piece = load_u32be(payload.data);
    return ERR_OK;
}

void lt_donthave_encode(uint32_t piece, struct buf *out)
{
    buf_put_u32(out, piece);
}
