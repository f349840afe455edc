/* The extended handshake: what is understood of it survives writing and reading again. */
#include "wire/peer_msg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct peer_extended one, two;
    struct buf out;

    if (peer_extended_decode(span_of(data, size), &one) != ERR_OK)
        return 0;
    buf_init(&out, 4096);
    peer_extended_encode(&one, &out);
    if (out.failed || peer_extended_decode(span_of(out.data, out.length), &two) != ERR_OK)
        abort();
    if (one.ut_metadata != two.ut_metadata || one.ut_pex != two.ut_pex ||
        one.lt_donthave != two.lt_donthave || one.fringe_claim != two.fringe_claim ||
        one.fringe_release != two.fringe_release || one.reqq != two.reqq ||
        one.metadata_size != two.metadata_size || one.port != two.port || one.named != two.named ||
        one.upload_only != two.upload_only || one.says_upload_only != two.says_upload_only ||
        strcmp(one.version, two.version) != 0)
        abort();
    buf_done(&out);
    return 0;
}
