/* fringe_release: what is understood survives writing and reading again. */
#include "base/limits.h"
#include "wire/fringe_release.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fringe_release one, two;
    struct buf out;

    if (fringe_release_decode(span_of(data, size), &one) != ERR_OK ||
        one.kind == FRINGE_RELEASE_UNKNOWN)
        return 0;
    buf_init(&out, LIMIT_PEER_EXTENDED);
    fringe_release_encode(&one, &out);
    if (out.failed || fringe_release_decode(span_of(out.data, out.length), &two) != ERR_OK)
        abort();
    if (one.kind != two.kind || one.seq != two.seq || !span_equal(one.json, two.json) ||
        !span_equal(one.signature, two.signature) ||
        memcmp(one.site_mark, two.site_mark, FRINGE_SITE_MARK) != 0)
        abort();
    buf_done(&out);
    return 0;
}
