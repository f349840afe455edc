#include "wire/native_frame.h"

#include <string.h>

/* offset  size    field
 * 0       4       length of the JSON text, native byte order
 * 4       length  the text */
enum err native_frame_decode(const uint8_t *data, size_t length, size_t max, struct span *ret_json,
                             size_t *ret_used)
{
    uint32_t size;
    if (length < NATIVE_FRAME_HEADER)
        return ERR_MORE;
    memcpy(&size, data, sizeof size);
    if (size > max)
        return ERR_TOO_LARGE;
    if (length - NATIVE_FRAME_HEADER < size)
        return ERR_MORE;
    *ret_json = span_of(data + NATIVE_FRAME_HEADER, size);
    *ret_used = NATIVE_FRAME_HEADER + (size_t)size;
    return ERR_OK;
}

void native_frame_encode(struct span json, struct buf *out)
{
    uint32_t size = (uint32_t)json.length;
    buf_put(out, &size, sizeof size);
    buf_put(out, json.data, json.length);
}
