#include "wire/csp.h"

#include "base/bytes.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\n\r\f"

static bool span_is_word(struct span span, const char *word)
{
    return span.length == strlen(word) &&
           strncasecmp((const char *)span.data, word, span.length) == 0;
}

/* The next word before `end`, {NULL, 0} behind the last one. */
static struct span next_word(const char **at, const char *end)
{
    while (*at < end && strchr(BLANKS, **at) != NULL)
        (*at)++;
    const char *start = *at;
    while (*at < end && strchr(BLANKS, **at) == NULL)
        (*at)++;
    return *at > start ? span_of(start, (size_t)(*at - start)) : (struct span){NULL, 0};
}

/* The sources of a directive: of several with one name the first counts. */
static bool find_directive(const char *policy, const char *name, const char **ret_at,
                           const char **ret_end)
{
    while (*policy != '\0') {
        const char *at = policy, *end = policy + strcspn(policy, ";");
        if (span_is_word(next_word(&at, end), name)) {
            *ret_at = at;
            *ret_end = end;
            return true;
        }
        policy = *end == ';' ? end + 1 : end;
    }
    return false;
}

/* --- one source */

struct origin {
    struct span scheme, host, port; /* port: empty when it is the scheme's own */
};

static struct span cut(struct span *rest, const char *stop)
{
    size_t length = 0;
    while (length < rest->length && strchr(stop, rest->data[length]) == NULL)
        length++;
    struct span part = span_of(rest->data, length);
    rest->data += length;
    rest->length -= length;
    return part;
}

/* Takes "host[:port]" from the front; an IPv6 address keeps its brackets. */
static void take_authority(struct span *rest, struct origin *ret)
{
    const uint8_t *bracket =
        rest->length > 0 && rest->data[0] == '[' ? memchr(rest->data, ']', rest->length) : NULL;
    if (bracket != NULL) {
        ret->host = span_of(rest->data, (size_t)(bracket - rest->data) + 1);
        rest->length -= ret->host.length;
        rest->data += ret->host.length;
    } else {
        ret->host = cut(rest, ":/");
    }
    ret->port = (struct span){NULL, 0};
    if (rest->length > 0 && rest->data[0] == ':') {
        rest->data++;
        rest->length--;
        ret->port = cut(rest, "/");
    }
}

static bool take_scheme(struct span *rest, struct span *ret)
{
    const uint8_t *at = memmem(rest->data, rest->length, "://", 3);
    *ret = (struct span){(const uint8_t *)"", 0};
    if (at == NULL)
        return false;
    *ret = span_of(rest->data, (size_t)(at - rest->data));
    rest->length -= ret->length + 3;
    rest->data = at + 3;
    return true;
}

/* "http" allows https as well. */
static bool scheme_ok(struct span allowed, struct span scheme)
{
    return (allowed.length == scheme.length &&
            strncasecmp((const char *)allowed.data, (const char *)scheme.data, scheme.length) ==
                0) ||
           (span_is_word(allowed, "http") && span_is_word(scheme, "https"));
}

static bool host_ok(struct span allowed, struct span host)
{
    if (allowed.length == 1 && allowed.data[0] == '*')
        return true;
    if (allowed.length > 2 && memcmp(allowed.data, "*.", 2) == 0) {
        size_t tail = allowed.length - 1;
        return host.length > tail &&
               strncasecmp((const char *)allowed.data + 1,
                           (const char *)host.data + host.length - tail, tail) == 0;
    }
    return allowed.length == host.length &&
           strncasecmp((const char *)allowed.data, (const char *)host.data, host.length) == 0;
}

static bool port_ok(struct span allowed, struct span port, struct span scheme)
{
    if (span_is(allowed, "*"))
        return true;
    if (port.length == 0)
        return allowed.length == 0 ||
               span_is(allowed, span_is_word(scheme, "https") ? "443" : "80");
    return span_equal(allowed, port);
}

static bool path_ok(struct span allowed, const char *path)
{
    size_t length = strlen(path);
    if (allowed.length == 0)
        return true;
    if (allowed.data[allowed.length - 1] == '/')
        return length >= allowed.length && memcmp(path, allowed.data, allowed.length) == 0;
    return span_is(allowed, path);
}

static bool source_ok(struct span source, const struct origin *site, const char *path)
{
    struct origin allowed;
    if (span_is_word(source, "'self'") || span_is_word(source, "'strict-dynamic'") ||
        span_is(source, "*"))
        return true;
    if (source.length == 0 || source.data[0] == '\'')
        return false; /* 'none', a nonce, a hash: nothing that names a worker */
    if (source.data[source.length - 1] == ':')
        return scheme_ok(span_of(source.data, source.length - 1), site->scheme);
    if (take_scheme(&source, &allowed.scheme) && !scheme_ok(allowed.scheme, site->scheme))
        return false;
    take_authority(&source, &allowed);
    return host_ok(allowed.host, site->host) && port_ok(allowed.port, site->port, site->scheme) &&
           path_ok(source, path);
}

bool csp_allows_worker(const char *policy, const char *site, const char *path,
                       char ret_directive[16])
{
    static const char *const names[] = {"worker-src", "child-src", "script-src", "default-src"};
    struct span rest = span_text(site), source;
    struct origin origin;
    const char *at, *end;
    size_t i = 0;
    ret_directive[0] = '\0';
    while (i < 4 && !find_directive(policy, names[i], &at, &end))
        i++;
    if (i == 4)
        return true;
    take_scheme(&rest, &origin.scheme);
    take_authority(&rest, &origin);
    while ((source = next_word(&at, end)).data != NULL) {
        if (source_ok(source, &origin, path))
            return true;
    }
    snprintf(ret_directive, 16, "%s", names[i]);
    return false;
}
