#include "wire/http_range.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Digits at *at -> a number that stops at UINT64_MAX instead of wrapping; false when there are
 * none. Moves *at behind them. */
static bool take_number(const char **at, uint64_t *ret)
{
    const char *start = *at;
    uint64_t value = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        uint64_t digit = (uint64_t)(**at - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    *ret = value;
    return *at != start;
}

static void skip_blanks(const char **at)
{
    *at += strspn(*at, " \t");
}

/* RFC 9110 section 14.1.2:
 *
 *   "bytes="  the unit, in any case
 *   first "-" [ last ]     first <= last
 *   "-" suffix-length      the last so many bytes
 *
 * A range that is not understood is ignored, as section 14.2 wants. */
enum http_range_result http_range_parse(const char *value, uint64_t length, uint64_t *ret_first,
                                        uint64_t *ret_last)
{
    uint64_t first = 0, last = UINT64_MAX;
    if (value == NULL || strncasecmp(value, "bytes=", 6) != 0)
        return HTTP_RANGE_WHOLE;
    const char *at = value + 6;
    skip_blanks(&at);
    bool has_first = take_number(&at, &first);
    if (*at++ != '-')
        return HTTP_RANGE_WHOLE;
    bool has_last = take_number(&at, &last);
    skip_blanks(&at);
    if (*at != '\0' || (!has_first && !has_last) || (has_first && has_last && first > last))
        return HTTP_RANGE_WHOLE;
    if (!has_first) {
        if (last == 0)
            return HTTP_RANGE_UNSATISFIABLE;
        if (length == 0) /* satisfiable, but no 206 can say so */
            return HTTP_RANGE_WHOLE;
        first = last < length ? length - last : 0;
        last = length - 1;
    }
    if (first >= length)
        return HTTP_RANGE_UNSATISFIABLE;
    *ret_first = first;
    *ret_last = has_last && last < length ? last : length - 1;
    return HTTP_RANGE_PART;
}

/* RFC 9110 section 14.4: "bytes" SP first "-" last "/" ( complete-length / "*" ) */
bool http_content_range_parse(const char *value, uint64_t *ret_first, uint64_t *ret_last,
                              uint64_t *ret_total)
{
    uint64_t first, last, total = UINT64_MAX;
    if (value == NULL || strncasecmp(value, "bytes ", 6) != 0)
        return false;
    const char *at = value + 6;
    if (!take_number(&at, &first) || *at++ != '-' || !take_number(&at, &last) || *at++ != '/')
        return false;
    if (*at == '*')
        at++;
    else if (!take_number(&at, &total))
        return false;
    skip_blanks(&at);
    if (*at != '\0' || first > last || last >= total)
        return false;
    *ret_first = first;
    *ret_last = last;
    *ret_total = total;
    return true;
}
