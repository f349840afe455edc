/* Native messaging frames: u32 length in native byte order, then JSON (host/PROTOCOL.md 2).
 * Layer: wire (pure). */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define NATIVE_FRAME_HEADER 4

/* The first frame in data. ERR_MORE; ERR_TOO_LARGE over max; else *ret_json is borrowed and
 * *ret_used its whole length. */
enum err native_frame_decode(const uint8_t *data, size_t length, size_t max,
                             struct span *ret_json, size_t *ret_used);
void native_frame_encode(struct span json, struct buf *out);
