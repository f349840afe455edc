/* Range and Content-Range: the first eight bytes are the length, the rest is the header. */
#include "base/bytes.h"
#include "base/mem.h"
#include "wire/http_range.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader;
    uint64_t first, last, total;
    reader_init(&reader, data, size);
    uint64_t length = reader_u64(&reader);
    size_t left = reader_left(&reader);
    char *value = mem_strndup((const char *)reader.at, left);
    if (http_range_parse(value, length, &first, &last) == HTTP_RANGE_PART &&
        (first > last || last >= length))
        abort();
    if (http_content_range_parse(value, &first, &last, &total) && (first > last || last >= total))
        abort();
    mem_free(value);
    return 0;
}
