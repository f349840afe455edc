#include "wire/minisign_text.h"

#include "wire/utf8.h"

#include <sodium.h>
#include <string.h>

enum err minisign_line(struct reader *reader, struct span *ret_line)
{
    size_t left = reader_left(reader), length = 0;
    if (left == 0)
        return ERR_TRUNCATED;
    while (length < left && reader->at[length] != '\n')
        length++;
    *ret_line = reader_take(reader, length);
    if (length < left)
        reader_take(reader, 1);
    if (length > 0 && ret_line->data[length - 1] == '\r')
        ret_line->length--;
    return ERR_OK;
}

bool minisign_strip(struct span *line, const char *prefix)
{
    size_t length = strlen(prefix);
    if (line->length < length || memcmp(line->data, prefix, length) != 0)
        return false;
    line->data += length;
    line->length -= length;
    return true;
}

enum err minisign_base64(struct span line, uint8_t *ret, size_t length)
{
    size_t decoded = 0;
    const char *end = NULL;
    if (line.length != (length + 2) / 3 * 4)
        return line.length < (length + 2) / 3 * 4 ? ERR_TRUNCATED : ERR_TOO_LARGE;
    /* libsodium 1.0.18 takes some bytes above 0x7f for base64 characters. */
    if (!ascii_printable((const char *)line.data, line.length))
        return ERR_SYNTAX;
    if (sodium_base642bin(ret, length, (const char *)line.data, line.length, NULL, &decoded, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        decoded != length || end != (const char *)line.data + line.length)
        return ERR_SYNTAX;
    return ERR_OK;
}
