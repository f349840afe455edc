/* Requests of the native API: what is accepted reads the same after being written. */
#include "wire/api.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api_request request, again;
    const char *code = NULL;
    if (api_request_parse(span_of(data, size), &request, &code) != ERR_OK) {
        if (code == NULL)
            abort();
        return 0;
    }
    struct buf out;
    buf_init(&out, LIMIT_FRAME_IN);
    api_request_write(&request, &out);
    if (api_request_parse(span_of(out.data, out.length), &again, &code) != ERR_OK ||
        request.id != again.id || request.type != again.type || request.seq != again.seq ||
        strcmp(request.site, again.site) != 0 || strcmp(request.path, again.path) != 0)
        abort();
    buf_done(&out);
    return 0;
}
