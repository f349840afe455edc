#include "wire/lsd.h"

#include <assert.h>
#include <string.h>

/* Lines that end in CR LF; names of fields in any case, in any order:
 *
 *   BT-SEARCH * HTTP/1.1
 *   Host: the group and port that it is sent to
 *   Port: where the sender listens, 1 .. 65535
 *   Infohash: 40 hex digits       (one line or more)
 *   cookie: anything              (optional)
 *   (empty)
 *   (empty)                       (BEP 14 has two; one is enough for us) */

#define FIRST_LINE "BT-SEARCH * HTTP/1.1"

/* The next line without its end; false when there is no whole one. */
static bool next_line(struct reader *in, struct span *ret)
{
    const uint8_t *at = memchr(in->at, '\n', reader_left(in));

    if (at == NULL || at == in->at || at[-1] != '\r')
        return false;
    *ret = span_of(in->at, (size_t)(at - 1 - in->at));
    in->at = at + 1;
    return true;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* Is it the field of that (lower-case) name? Then *ret is its value without blanks around it. */
static bool is_field(struct span line, const char *name, struct span *ret)
{
    size_t length = strlen(name);

    if (line.length <= length || line.data[length] != ':')
        return false;
    for (size_t i = 0; i < length; i++)
        if (lower(line.data[i]) != (uint8_t)name[i])
            return false;
    const uint8_t *at = line.data + length + 1, *end = line.data + line.length;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *ret = span_of(at, (size_t)(end - at));
    return true;
}

static enum err read_port(struct span text, struct lsd *ret)
{
    uint32_t value = 0;

    if (ret->port != 0)
        return ERR_DUPLICATE;
    if (text.length == 0 || text.length > 5)
        return ERR_RANGE;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR_RANGE;
        value = value * 10 + (text.data[i] - '0');
    }
    if (value == 0 || value > UINT16_MAX)
        return ERR_RANGE;
    ret->port = (uint16_t)value;
    return ERR_OK;
}

static void read_infohash(struct span text, struct lsd *ret)
{
    char hex[2 * SHORT_HASH_LENGTH];

    if (text.length != sizeof hex || ret->count == LIMIT_LSD_HASHES)
        return;
    for (size_t i = 0; i < sizeof hex; i++)
        hex[i] = (char)lower(text.data[i]);
    if (hex_decode(ret->infohash[ret->count], SHORT_HASH_LENGTH, hex, sizeof hex))
        ret->count++;
}

static void read_cookie(struct span text, struct lsd *ret)
{
    if (text.length > LIMIT_LSD_COOKIE || memchr(text.data, '\0', text.length) != NULL)
        return;
    memcpy(ret->cookie, text.data, text.length);
    ret->cookie[text.length] = '\0';
}

static enum err read_field(struct span line, struct lsd *ret)
{
    struct span value;

    if (is_field(line, "port", &value))
        return read_port(value, ret);
    if (is_field(line, "infohash", &value))
        read_infohash(value, ret);
    else if (is_field(line, "cookie", &value))
        read_cookie(value, ret);
    return ERR_OK;
}

enum err lsd_parse(const uint8_t *data, size_t length, struct lsd *ret)
{
    struct reader in;
    struct span line;

    *ret = (struct lsd){0};
    if (length > LIMIT_LSD_MESSAGE)
        return ERR_TOO_LARGE;
    reader_init(&in, data, length);
    if (!next_line(&in, &line))
        return ERR_TRUNCATED;
    if (!span_is(line, FIRST_LINE))
        return ERR_SYNTAX;
    for (;;) {
        if (!next_line(&in, &line))
            return ERR_TRUNCATED;
        if (line.length == 0)
            return ret->port == 0 || ret->count == 0 ? ERR_MISSING : ERR_OK;
        enum err err = read_field(line, ret);
        if (err != ERR_OK)
            return err;
    }
}

static_assert(sizeof FIRST_LINE + sizeof LSD_GROUP_6 + LIMIT_LSD_COOKIE + 50 +
                      LIMIT_LSD_HASHES * 52 <=
                  LIMIT_LSD_MESSAGE,
              "the longest message fits");

void lsd_format(const struct lsd *lsd, uint8_t family, struct buf *out)
{
    char hex[HEX_LENGTH(SHORT_HASH_LENGTH)];

    assert(lsd->port != 0 && lsd->count > 0 && lsd->count <= LIMIT_LSD_HASHES);
    buf_printf(out, FIRST_LINE "\r\nHost: %s\r\nPort: %u\r\n",
               family == 6 ? LSD_GROUP_6 : LSD_GROUP_4, lsd->port);
    for (size_t i = 0; i < lsd->count; i++) {
        hex_encode(hex, lsd->infohash[i], SHORT_HASH_LENGTH);
        buf_printf(out, "Infohash: %s\r\n", hex);
    }
    if (lsd->cookie[0] != '\0')
        buf_printf(out, "cookie: %s\r\n", lsd->cookie);
    buf_put_text(out, "\r\n\r\n");
}
