/* A peer's network address. Layer: wire (pure). */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address {
    uint8_t family; /* 4 or 6 */
    uint8_t ip[16]; /* 4 or 16 bytes, network order; the rest zero */
    uint8_t unused; /* zero; in place of padding, so that equal addresses are equal bytes */
    uint16_t port;
};

#define ADDRESS_TEXT 56 /* "[ffff:...]:65535" and its NUL */

/* "127.0.0.1:6881", "[::1]:6881"; numeric only. */
enum err address_parse(const char *text, struct address *ret);
void address_format(const struct address *address, char ret_text[ADDRESS_TEXT]);
bool address_equal(const struct address *a, const struct address *b);
/* The one form of it, for a key of a table: an IPv4-mapped IPv6 address becomes plain IPv4. */
struct address address_plain(const struct address *address);
bool address_same_ip(const struct address *a, const struct address *b);
/* Not to be dialled when a stranger names it: loopback, private (RFC 1918, 4193), link-local,
 * multicast, unspecified, documentation, carrier-grade NAT. IPv4-mapped IPv6 is looked into. */
bool address_is_public(const struct address *address);
bool address_is_loopback(const struct address *address);
