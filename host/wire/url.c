#include "wire/url.h"

#include "base/limits.h"
#include "base/mem.h"
#include "wire/host_name.h"
#include "wire/utf8.h"

#include <string.h>

/* A site, RFC 6454 section 6.2:
 *
 *   "https://" | "http://"     http only with a host that is this machine
 *   host                       see host_name.h
 *   [ ":" port ]               1 .. 65535, no leading zero, absent when it is the default */
enum err site_check(const char *text)
{
    bool secure = strncmp(text, "https://", 8) == 0;
    size_t scheme = secure ? 8 : 7;
    if (strnlen(text, LIMIT_SITE + 1) > LIMIT_SITE)
        return ERR_TOO_LARGE;
    if (!secure && strncmp(text, "http://", 7) != 0)
        return ERR_BAD_URL;
    const char *host = text + scheme;
    size_t length = host_name_length(host, strlen(host));
    if (length == 0 || (!secure && !host_name_is_local(host, length)))
        return ERR_BAD_URL;
    if (host[length] == '\0')
        return ERR_OK;
    unsigned port = host_port_parse(host + length, strlen(host + length));
    return port != 0 && port != (secure ? 443 : 80) ? ERR_OK : ERR_BAD_URL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* What a browser does to a path that a person types: raw UTF-8 and spaces become percent
 * sequences, everything else stays. */
static void put_typed_path(const char *path, struct buf *out)
{
    if (*path == '\0')
        buf_put_u8(out, '/');
    for (; *path != '\0'; path++) {
        uint8_t byte = (uint8_t)*path;
        if (byte <= 0x20 || byte >= 0x7f)
            buf_printf(out, "%%%02X", byte);
        else
            buf_put_u8(out, byte);
    }
}

enum err url_split(const char *url, char **ret_site, char **ret_path)
{
    size_t length = strnlen(url, LIMIT_URL + 1);
    if (length > LIMIT_URL)
        return ERR_TOO_LARGE;
    const char *host = strstr(url, "://");
    if (host == NULL || !utf8_printable(url, length) || strpbrk(url, "?#\\") != NULL)
        return ERR_BAD_URL;
    host += 3;
    size_t site_length = (size_t)(host - url) + strcspn(host, "/");
    char *site = mem_strndup(url, site_length);
    for (size_t i = 0; i < site_length; i++)
        site[i] = lower(site[i]);
    const char *port = strncmp(site, "https:", 6) == 0 ? ":443" : ":80";
    size_t port_length = strlen(port);
    if (site_length > port_length && strcmp(site + site_length - port_length, port) == 0)
        site[site_length - port_length] = '\0';
    enum err err = site_check(site);
    struct buf path;
    buf_init(&path, LIMIT_PATH + 1);
    put_typed_path(url + site_length, &path);
    buf_put_u8(&path, '\0');
    if (err == ERR_OK && path.failed)
        err = ERR_TOO_LARGE;
    if (err != ERR_OK) {
        mem_free(site);
        buf_done(&path);
        return err;
    }
    *ret_site = site;
    *ret_path = (char *)buf_take(&path, &length);
    return ERR_OK;
}

/* --- paths */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (lower(c) >= 'a' && lower(c) <= 'f')
        return lower(c) - 'a' + 10;
    return -1;
}

/* The byte at path[*at], moving over it; -1 for what no asset path holds. */
static int next_byte(const char *path, size_t length, size_t *at)
{
    uint8_t byte = (uint8_t)path[(*at)++];
    if (byte <= 0x20 || byte >= 0x7f || byte == '\\' || byte == '?' || byte == '#')
        return -1;
    if (byte != '%')
        return byte;
    if (length - *at < 2)
        return -1;
    int high = hex_digit(path[*at]), low = hex_digit(path[*at + 1]);
    *at += 2;
    if (high < 0 || low < 0)
        return -1;
    /* An encoded slash would become a second meaning of the path: it is not one of ours. */
    return (high << 4 | low) == '/' ? -1 : high << 4 | low;
}

bool path_segment_ok(const char *segment, size_t length)
{
    if (length == 0 || length > LIMIT_PATH || !utf8_valid(segment, length))
        return false;
    if (segment[0] == '.' && (length == 1 || (length == 2 && segment[1] == '.')))
        return false;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)segment[i];
        if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\')
            return false;
    }
    return true;
}

bool path_segments_ok(const char *path, size_t length)
{
    size_t start = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && path[i] != '/')
            continue;
        if (!path_segment_ok(path + start, i - start))
            return false;
        start = i + 1;
    }
    return true;
}

enum err path_decode(const char *path, size_t length, char *ret_path)
{
    if (length > LIMIT_PATH)
        return ERR_TOO_LARGE;
    if (length == 0 || path[0] != '/')
        return ERR_BAD_NAME;
    size_t used = 0;
    for (size_t at = 0; at < length;) {
        int byte = next_byte(path, length, &at);
        if (byte < 0)
            return ERR_BAD_NAME;
        ret_path[used++] = (char)byte;
    }
    ret_path[used] = '\0';
    return path_segments_ok(ret_path + 1, used - 1) ? ERR_OK : ERR_BAD_NAME;
}

/* RFC 3986 pchar without "%": what stands for itself in a path segment. */
static bool is_pchar(char c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL);
}

void path_encode(const char *raw, struct buf *out)
{
    for (; *raw != '\0'; raw++) {
        if (*raw == '/' || is_pchar(*raw))
            buf_put_u8(out, (uint8_t)*raw);
        else
            buf_printf(out, "%%%02X", (uint8_t)*raw);
    }
}

bool path_base_ok(const char *base)
{
    size_t length = strnlen(base, LIMIT_PATH + 1);
    if (length < 3 || length > LIMIT_PATH || base[0] != '/' || base[length - 1] != '/')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (base[i] != '/' && !is_pchar(base[i]))
            return false;
    }
    return path_segments_ok(base + 1, length - 2);
}
