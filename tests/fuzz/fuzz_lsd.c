/* BEP 14: what is understood of a datagram survives writing and reading again. */
#include "wire/lsd.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lsd one, two;
    struct buf out;

    if (lsd_parse(data, size, &one) != ERR_OK)
        return 0;
    if (one.port == 0 || one.count == 0 || one.count > LIMIT_LSD_HASHES)
        abort();
    /* A cookie of ours is letters and digits; others are only compared. */
    if (strspn(one.cookie, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(one.cookie))
        one.cookie[0] = '\0';
    buf_init(&out, LIMIT_LSD_MESSAGE);
    lsd_format(&one, size % 2 ? 4 : 6, &out);
    if (out.failed || lsd_parse(out.data, out.length, &two) != ERR_OK)
        abort();
    if (one.port != two.port || strcmp(one.cookie, two.cookie) != 0 || one.count != two.count ||
        memcmp(one.infohash, two.infohash, one.count * SHORT_HASH_LENGTH) != 0)
        abort();
    buf_done(&out);
    return 0;
}
