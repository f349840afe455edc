/* A stream of native messaging frames, and the messages in each. */
#include "base/limits.h"
#include "wire/native_batch.h"
#include "wire/native_frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct span frame)
{
    struct native_batch batch;
    struct span json;
    const uint8_t *end = frame.data;
    unsigned count = 0;

    if (native_batch_begin(&batch, frame) != ERR_OK)
        return;
    for (; native_batch_next(&batch, &json) == ERR_OK; count++) {
        if (json.data < end || json.data + json.length > frame.data + frame.length ||
            json.length < 1 || count == LIMIT_BATCH)
            abort();
        end = json.data + json.length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span json;
    size_t used;
    while (native_frame_decode(data, size, LIMIT_FRAME_IN, &json, &used) == ERR_OK) {
        if (used > size || json.length > LIMIT_FRAME_IN || json.data + json.length != data + used)
            abort();
        take(json);
        data += used;
        size -= used;
    }
    return 0;
}
