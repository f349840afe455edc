/* BEP 9: what is understood of a message survives writing and reading again. */
#include "base/limits.h"
#include "wire/ut_metadata.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ut_metadata one, two;
    struct buf out;

    if (ut_metadata_decode(span_of(data, size), &one) != ERR_OK || one.kind == UT_METADATA_UNKNOWN)
        return 0;
    if (one.kind == UT_METADATA_DATA &&
        (one.total_size > LIMIT_METADATA ||
         one.data.length != ut_metadata_piece_length(one.total_size, one.piece)))
        abort();
    buf_init(&out, KIB(32));
    ut_metadata_encode(&one, &out);
    if (out.failed || ut_metadata_decode(span_of(out.data, out.length), &two) != ERR_OK)
        abort();
    if (one.kind != two.kind || one.piece != two.piece || one.total_size != two.total_size ||
        !span_equal(one.data, two.data))
        abort();
    buf_done(&out);
    return 0;
}
