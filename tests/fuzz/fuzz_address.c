/* An address that parses formats to a text that parses to it. */
#include "base/mem.h"
#include "wire/address.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strndup((const char *)data, size);
    char again[ADDRESS_TEXT];
    struct address one, two;

    if (address_parse(text, &one) == ERR_OK) {
        address_format(&one, again);
        if (address_parse(again, &two) != ERR_OK || !address_equal(&one, &two))
            abort();
        if (address_is_loopback(&one) && address_is_public(&one))
            abort();
    }
    mem_free(text);
    return 0;
}
