/* A stream of native messaging frames. */
#include "base/limits.h"
#include "wire/native_frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span json;
    size_t used;
    while (native_frame_decode(data, size, LIMIT_FRAME_IN, &json, &used) == ERR_OK) {
        if (used > size || json.length > LIMIT_FRAME_IN || json.data + json.length != data + used)
            abort();
        data += used;
        size -= used;
    }
    return 0;
}
