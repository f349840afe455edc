#include "wire/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert(sizeof(struct address) == 20, "no padding: an address may be a key of a table");

/* --- text */

/* 0 .. 65535 in its one form, to the end of the text. */
static enum err parse_port(const char *text, uint16_t *ret)
{
    unsigned value = 0;
    size_t digits = 0;

    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 6; digits++)
        value = value * 10 + (unsigned)(text[digits] - '0');
    if (digits == 0 || text[digits] != '\0' || (digits > 1 && text[0] == '0'))
        return ERR_SYNTAX;
    if (value > UINT16_MAX)
        return ERR_RANGE;
    *ret = (uint16_t)value;
    return ERR_OK;
}

enum err address_parse(const char *text, struct address *ret)
{
    bool six = text[0] == '[';
    const char *start = text + six;
    const char *end = strchr(start, six ? ']' : ':');
    char host[INET6_ADDRSTRLEN];
    struct address address = {.family = six ? 6 : 4};

    if (end == NULL || (size_t)(end - start) >= sizeof host || end[six] != ':')
        return ERR_SYNTAX;
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    if (inet_pton(six ? AF_INET6 : AF_INET, host, address.ip) != 1)
        return ERR_SYNTAX;
    enum err err = parse_port(end + six + 1, &address.port);
    if (err == ERR_OK)
        *ret = address;
    return err;
}

void address_format(const struct address *address, char ret_text[ADDRESS_TEXT])
{
    bool six = address->family == 6;
    char host[INET6_ADDRSTRLEN] = "";

    inet_ntop(six ? AF_INET6 : AF_INET, address->ip, host, sizeof host);
    snprintf(ret_text, ADDRESS_TEXT, six ? "[%s]:%u" : "%s:%u", host, address->port);
}

/* --- compare */

/* ::ffff:a.b.c.d: the IPv4 address inside, or NULL. */
static const uint8_t *mapped_4(const uint8_t *ip)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(ip, prefix, sizeof prefix) == 0 ? ip + 12 : NULL;
}

struct address address_plain(const struct address *address)
{
    const uint8_t *mapped = address->family == 6 ? mapped_4(address->ip) : NULL;
    struct address plain = {.family = mapped != NULL ? 4 : address->family, .port = address->port};

    memcpy(plain.ip, mapped != NULL ? mapped : address->ip, plain.family == 6 ? 16 : 4);
    return plain;
}

bool address_same_ip(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 6 ? 16 : 4) == 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && address_same_ip(a, b);
}

/* --- what kind of address (the IANA special-purpose registries) */

struct block {
    uint8_t prefix[6];
    uint8_t bits;
};

static bool in_block(const uint8_t *ip, const struct block *block)
{
    unsigned whole = block->bits / 8, rest = block->bits % 8;

    if (memcmp(ip, block->prefix, whole) != 0)
        return false;
    return rest == 0 || (ip[whole] ^ block->prefix[whole]) >> (8 - rest) == 0;
}

static bool in_any(const uint8_t *ip, const struct block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (in_block(ip, &blocks[i]))
            return true;
    return false;
}

static bool is_public_4(const uint8_t *ip)
{
    static const struct block special[] = {
        {{0}, 8},             /* this network */
        {{10}, 8},            /* private */
        {{100, 64}, 10},      /* carrier-grade NAT */
        {{127}, 8},           /* loopback */
        {{169, 254}, 16},     /* link-local */
        {{172, 16}, 12},      /* private */
        {{192, 0, 0}, 24},    /* protocol assignments */
        {{192, 0, 2}, 24},    /* documentation */
        {{192, 88, 99}, 24},  /* 6to4 relays, given up */
        {{192, 168}, 16},     /* private */
        {{198, 18}, 15},      /* benchmarks */
        {{198, 51, 100}, 24}, /* documentation */
        {{203, 0, 113}, 24},  /* documentation */
        {{224}, 3},           /* multicast, reserved, broadcast */
    };
    return !in_any(ip, special, sizeof special / sizeof special[0]);
}

/* Only 2000::/3 is given out for use on the internet; all else is local, multicast or a
 * translation that would name an IPv4 address in disguise. */
static bool is_public_6(const uint8_t *ip)
{
    static const struct block global = {{0x20}, 3}, six_to_four = {{0x20, 0x02}, 16};
    static const struct block special[] = {
        {{0x20, 0x01, 0x00}, 23},       /* protocol assignments, Teredo, ORCHID */
        {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
        {{0x3f, 0xff, 0x00}, 20},       /* documentation */
    };
    if (!in_block(ip, &global) || in_any(ip, special, sizeof special / sizeof special[0]))
        return false;
    return !in_block(ip, &six_to_four) || is_public_4(ip + 2);
}

bool address_is_public(const struct address *address)
{
    if (address->family == 4)
        return is_public_4(address->ip);
    const uint8_t *mapped = mapped_4(address->ip);
    return mapped != NULL ? is_public_4(mapped) : is_public_6(address->ip);
}

bool address_is_loopback(const struct address *address)
{
    static const uint8_t one[16] = {[15] = 1};
    const uint8_t *four = address->family == 4 ? address->ip : mapped_4(address->ip);

    return four != NULL ? four[0] == 127 : memcmp(address->ip, one, sizeof one) == 0;
}
