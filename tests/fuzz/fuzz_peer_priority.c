/* BEP 40: both ends of any pair of addresses reach the same number; BEP 54 beside it.
 *
 *   u8 family of each (odd: 4), u16 port of each, 16 bytes of each */
#include "base/bytes.h"
#include "wire/lt_donthave.h"
#include "wire/peer_priority.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct address read_address(struct reader *in)
{
    struct address address = {.family = reader_u8(in) % 2 ? 4 : 6};

    address.port = reader_u16(in);
    struct span ip = reader_take(in, 16);
    if (ip.data != NULL)
        memcpy(address.ip, ip.data, address.family == 4 ? 4 : 16);
    return address;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in;
    uint32_t piece = 0;

    reader_init(&in, data, size);
    struct address a = read_address(&in), b = read_address(&in);
    if (peer_priority(&a, &b) != peer_priority(&b, &a))
        abort();
    if ((lt_donthave_decode(span_of(data, size), &piece) == ERR_OK) != (size == 4))
        abort();
    return 0;
}
