/* fringe_claim: what is understood survives writing and reading again, and so does what is made
 * of it to be passed on. */
#include "wire/fringe_claim.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct fringe_claim *one)
{
    struct fringe_claim two;
    struct buf out;

    buf_init(&out, KIB(1));
    fringe_claim_encode(one, &out);
    if (out.failed || fringe_claim_decode(span_of(out.data, out.length), &two) != ERR_OK)
        abort();
    if (memcmp(one->claimer, two.claimer, PEER_ID_LENGTH) != 0 || one->serial != two.serial ||
        one->hops != two.hops || one->pass_on != two.pass_on || one->count != two.count ||
        memcmp(one->extents, two.extents, one->count * sizeof one->extents[0]) != 0)
        abort();
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fringe_claim claim;

    if (fringe_claim_decode(span_of(data, size), &claim) != ERR_OK)
        return 0;
    round_trip(&claim);
    uint8_t hops = claim.hops;
    if (fringe_claim_pass_on(&claim, (uint32_t)size * 100)) {
        if (claim.hops != hops + 1)
            abort();
        round_trip(&claim);
    }
    return 0;
}
