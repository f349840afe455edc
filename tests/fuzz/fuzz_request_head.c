/* A request's head: what is handed out lies inside the input, without the bytes that must not be
 * there, and more input behind the head changes nothing. */
#include "base/mem.h"
#include "wire/request_head.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span part, const uint8_t *data, size_t used)
{
    if (part.data == NULL)
        return;
    if (part.data < data || part.data + part.length > data + used)
        abort();
    for (size_t i = 0; i < part.length; i++)
        if (part.data[i] == '\0' || part.data[i] == '\r' || part.data[i] == '\n')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request_head head, again;
    size_t used, used_again;
    uint8_t *copy;

    if (request_head_parse(span_of(data, size), &head, &used) != ERR_OK)
        return 0;
    if (used > size || used < 4 || memcmp(data + used - 4, "\r\n\r\n", 4) != 0)
        abort();
    check_inside(head.method, data, used);
    check_inside(head.target, data, used);
    check_inside(head.host, data, used);
    check_inside(head.range, data, used);
    /* A copy that ends where the head does: reading on would be seen. */
    copy = mem_dup(data, used);
    if (request_head_parse(span_of(copy, used), &again, &used_again) != ERR_OK ||
        used_again != used || !span_equal(head.target, again.target) ||
        head.keep_alive != again.keep_alive)
        abort();
    mem_free(copy);
    return 0;
}
