#include "wire/host_name.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAME  253
#define MAX_LABEL 63

unsigned host_port_parse(const char *text, size_t length)
{
    unsigned port = 0;
    if (length < 2 || length > 6 || text[0] != ':' || text[1] == '0')
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port <= 65535 ? port : 0;
}

bool host_name_is_local(const char *host, size_t length)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (length == strlen(names[i]) && memcmp(host, names[i], length) == 0)
            return true;
    }
    return false;
}

/* The longest run of at least two zero groups, the first of equals: what "::" stands for. */
static void find_zeros(const uint16_t groups[8], int *ret_start, int *ret_length)
{
    *ret_start = 8;
    *ret_length = 1;
    for (int i = 0; i < 8; i++) {
        int run = 0;
        while (i + run < 8 && groups[i + run] == 0)
            run++;
        if (run > *ret_length) {
            *ret_start = i;
            *ret_length = run;
        }
        i += run;
    }
}

/* "[2001:db8::1]" as WHATWG URL writes it: RFC 5952 without its dotted-quad form. */
static void format_ipv6(const uint8_t ip[16], char out[48])
{
    uint16_t groups[8];
    int zeros, run;
    for (int i = 0; i < 8; i++)
        groups[i] = (uint16_t)(ip[2 * i] << 8 | ip[2 * i + 1]);
    find_zeros(groups, &zeros, &run);
    int used = snprintf(out, 48, "[");
    for (int i = 0; i < 8; i++) {
        if (i == zeros) {
            used += snprintf(out + used, 48 - (size_t)used, i == 0 ? "::" : ":");
            i += run - 1;
        } else {
            used += snprintf(out + used, 48 - (size_t)used, i < 7 ? "%x:" : "%x", groups[i]);
        }
    }
    snprintf(out + used, 48 - (size_t)used, "]");
}

static bool ipv6_ok(const char *text, size_t length)
{
    char inner[48], canonical[48];
    uint8_t ip[16];
    if (length < 4 || length >= sizeof inner || text[length - 1] != ']')
        return false;
    memcpy(inner, text + 1, length - 2);
    inner[length - 2] = '\0';
    if (inet_pton(AF_INET6, inner, ip) != 1)
        return false;
    format_ipv6(ip, canonical);
    return strlen(canonical) == length && memcmp(canonical, text, length) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool ipv4_ok(const char *text, size_t length)
{
    char inner[16], canonical[16];
    struct in_addr ip;
    if (length >= sizeof inner)
        return false;
    memcpy(inner, text, length);
    inner[length] = '\0';
    return inet_pton(AF_INET, inner, &ip) == 1 &&
           inet_ntop(AF_INET, &ip, canonical, sizeof canonical) != NULL &&
           strcmp(inner, canonical) == 0;
}

static bool label_ok(const char *label, size_t length)
{
    if (length == 0 || length > MAX_LABEL || label[0] == '-' || label[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = label[i];
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_')
            return false;
    }
    return true;
}

/* A last label that is a number makes the browser read an IPv4 address, in any of its forms
 * ("127.1", "1.0x7f"): then only the dotted quad is accepted. */
static bool label_is_number(const char *label, size_t length)
{
    if (length >= 2 && label[0] == '0' && label[1] == 'x')
        return true;
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(label[i]))
            return false;
    }
    return true;
}

static bool name_ok(const char *text, size_t length)
{
    size_t start = 0;
    if (length == 0 || length > MAX_NAME)
        return false;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && text[i] != '.')
            continue;
        if (!label_ok(text + start, i - start))
            return false;
        if (i == length && label_is_number(text + start, i - start))
            return ipv4_ok(text, length);
        start = i + 1;
    }
    return true;
}

size_t host_name_length(const char *text, size_t length)
{
    size_t end = 0;
    bool bracket = length > 0 && text[0] == '[';
    while (end < length && text[end] != '/' && (bracket || text[end] != ':')) {
        if (text[end++] == ']')
            break;
    }
    if (end < length && text[end] != ':' && text[end] != '/')
        return 0;
    return (bracket ? ipv6_ok(text, end) : name_ok(text, end)) ? end : 0;
}
