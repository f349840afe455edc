/* BEP 11: within its caps, and what is understood survives writing and reading again. */
#include "wire/ut_pex.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct ut_pex_peer *one, const struct ut_pex_peer *two, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (one[i].address.port == 0 || one[i].flags != two[i].flags ||
            !address_equal(&one[i].address, &two[i].address))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ut_pex one, two;
    struct buf out;

    if (ut_pex_decode(span_of(data, size), &one) != ERR_OK)
        return 0;
    if (one.added_count > LIMIT_PEX_PEERS || one.dropped_count > LIMIT_PEX_PEERS)
        abort();
    buf_init(&out, KIB(16));
    ut_pex_encode(&one, &out);
    if (out.failed || ut_pex_decode(span_of(out.data, out.length), &two) != ERR_OK)
        abort();
    if (one.added_count != two.added_count || one.dropped_count != two.dropped_count)
        abort();
    check_same(one.added, two.added, one.added_count);
    check_same(one.dropped, two.dropped, one.dropped_count);
    buf_done(&out);
    return 0;
}
