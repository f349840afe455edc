#include "wire/release_rules.h"

#include "base/limits.h"
#include "wire/host_name.h"
#include "wire/utf8.h"

#include <string.h>
#include <strings.h>

static const char *const header_names[] = {
    "Access-Control-Allow-Origin",  "Content-Security-Policy",
    "Cross-Origin-Embedder-Policy", "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy", "Permissions-Policy",
    "Service-Worker-Allowed",       "SourceMap",
    "Timing-Allow-Origin",
};

const char *release_header_name(const char *name)
{
    for (size_t i = 0; i < sizeof header_names / sizeof header_names[0]; i++) {
        if (strcasecmp(name, header_names[i]) == 0)
            return header_names[i];
    }
    return NULL;
}

bool release_header_value_ok(const char *value)
{
    size_t length = strnlen(value, LIMIT_HEADER_VALUE + 1);
    return length > 0 && length <= LIMIT_HEADER_VALUE && ascii_printable(value, length) &&
           value[0] != ' ' && value[length - 1] != ' ';
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool release_suffix_ok(const char *suffix)
{
    size_t length = strnlen(suffix, 33);
    if (length < 2 || length > 32 || suffix[0] != '.')
        return false;
    for (size_t i = 1; i < length; i++) {
        if (!is_alnum(suffix[i]) && strchr(".-_+", suffix[i]) == NULL)
            return false;
    }
    return true;
}

/* RFC 9110 section 5.6.2. */
static size_t token_length(const char *text)
{
    size_t length = 0;
    while (is_alnum(text[length]) ||
           (text[length] != '\0' && strchr("!#$%&'*+-.^_`|~", text[length]) != NULL))
        length++;
    return length;
}

bool release_media_type_ok(const char *type)
{
    size_t whole = strnlen(type, LIMIT_MEDIA_TYPE + 1);
    size_t length = token_length(type);
    if (whole > LIMIT_MEDIA_TYPE || length == 0 || type[length] != '/' ||
        !ascii_printable(type, whole))
        return false;
    type += length + 1;
    length = token_length(type);
    type += length;
    return length > 0 && (*type == '\0' || (*type == ';' && type[strlen(type) - 1] != ' '));
}

/* A URL's part behind the scheme: host [":" port] ["/" ...], without what could be taken for
 * something else (user names, fragments, blanks, quotes). */
static bool authority_ok(const char *text, bool needs_port, bool path_allowed)
{
    size_t whole = strnlen(text, LIMIT_URL + 1);
    size_t length = host_name_length(text, whole);
    if (whole > LIMIT_URL || length == 0 || !ascii_printable(text, whole) ||
        strpbrk(text, " \"#<>\\^`{|}@") != NULL)
        return false;
    size_t port = strcspn(text + length, "/");
    if (port > 0 ? host_port_parse(text + length, port) == 0 : needs_port)
        return false;
    return path_allowed || text[length + port] == '\0';
}

bool release_tracker_ok(const char *url)
{
    if (strncmp(url, "udp://", 6) == 0)
        return authority_ok(url + 6, true, true);
    if (strncmp(url, "http://", 7) == 0)
        return authority_ok(url + 7, false, true);
    return strncmp(url, "https://", 8) == 0 && authority_ok(url + 8, false, true);
}

bool release_supernode_ok(const char *url)
{
    if (strncmp(url, "tcp://", 6) == 0)
        return authority_ok(url + 6, true, false);
    if (strncmp(url, "ws://", 5) == 0) /* without TLS: this machine only, for tests */
        return host_name_is_local(url + 5,
                                  host_name_length(url + 5, strnlen(url + 5, LIMIT_URL))) &&
               authority_ok(url + 5, false, true);
    return strncmp(url, "wss://", 6) == 0 && authority_ok(url + 6, false, true);
}
