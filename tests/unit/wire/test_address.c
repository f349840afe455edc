/* wire/address: text both ways, and which addresses a stranger may send us to. */
#include "check_main.h"
#include "wire/address.h"

#include <string.h>

static struct address address(const char *text)
{
    struct address ret;
    ck_assert_msg(address_parse(text, &ret) == ERR_OK, "%s", text);
    return ret;
}

START_TEST(text_round_trips)
{
    static const char *const same[] = {"127.0.0.1:6881",    "255.255.255.255:65535", "1.2.3.4:0",
                                       "[::1]:6881",        "[2001:db8::5]:1",       "[::]:80",
                                       "[fe80::1:2:3:4]:9", "[::ffff:1.2.3.4]:5"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct address parsed = address(same[i]);
        char text[ADDRESS_TEXT];
        address_format(&parsed, text);
        ck_assert_str_eq(text, same[i]);
    }
    struct address parsed = address("1.2.3.4:6881");
    ck_assert_uint_eq(parsed.family, 4);
    ck_assert_uint_eq(parsed.port, 6881);
    ck_assert_mem_eq(parsed.ip, "\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    parsed = address("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    char text[ADDRESS_TEXT];
    address_format(&parsed, text);
    ck_assert_str_eq(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}
END_TEST

START_TEST(other_texts_are_refused)
{
    static const char *const bad[] = {
        "",
        "1.2.3.4",
        "1.2.3.4:",
        ":80",
        "1.2.3.4:x",
        "1.2.3.4:-1",
        "1.2.3.4:+1",
        "1.2.3.4:01",
        "1.2.3.4:1 ",
        " 1.2.3.4:1",
        "1.2.3:1",
        "01.2.3.4:1",
        "1.2.3.256:1",
        "host:1",
        "localhost:80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "[::1%lo]:80",
        "[1.2.3.4]:1",
        "[::g]:1",
        "1.2.3.4:1:2",
        "[]:1",
        "1.2.3.4:00",
        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:1",
    };
    struct address ret = {.port = 7};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(address_parse(bad[i], &ret) == ERR_SYNTAX, "%s", bad[i]);
    ck_assert_int_eq(address_parse("1.2.3.4:65536", &ret), ERR_RANGE);
    ck_assert_int_eq(address_parse("1.2.3.4:99999", &ret), ERR_RANGE);
    ck_assert_int_eq(address_parse("1.2.3.4:999999999999", &ret), ERR_SYNTAX);
    ck_assert_uint_eq(ret.port, 7); /* untouched */
}
END_TEST

START_TEST(addresses_compare)
{
    struct address a = address("1.2.3.4:1"), b = address("1.2.3.4:2"), c = address("1.2.3.5:1");
    struct address six = address("[102:304::]:1");

    ck_assert(address_equal(&a, &a));
    ck_assert(!address_equal(&a, &b));
    ck_assert(address_same_ip(&a, &b));
    ck_assert(!address_same_ip(&a, &c));
    ck_assert(!address_same_ip(&a, &six)); /* the same first bytes, another family */
}
END_TEST

START_TEST(strangers_may_name_public_addresses_only)
{
    static const char *const public[] = {
        "1.1.1.1:1",       "9.255.255.255:1",     "11.0.0.0:1",       "100.63.255.255:1",
        "100.128.0.0:1",   "126.0.0.1:1",         "128.0.0.1:1",      "172.15.255.255:1",
        "172.32.0.0:1",    "192.167.1.1:1",       "198.17.255.255:1", "198.20.0.0:1",
        "223.255.255.1:1", "[2606:4700::1]:1",    "[2001:4860::1]:1", "[::ffff:1.1.1.1]:1",
        "[3ffe::1]:1",     "[2002:101:101::1]:1",
    };
    static const char *const special[] = {
        "0.0.0.0:1",
        "0.1.2.3:1",
        "10.0.0.1:1",
        "100.64.0.1:1",
        "100.127.9.9:1",
        "127.0.0.1:1",
        "127.255.255.255:1",
        "169.254.1.1:1",
        "172.16.0.1:1",
        "172.31.255.255:1",
        "192.0.0.8:1",
        "192.0.2.1:1",
        "192.168.0.1:1",
        "198.18.0.1:1",
        "198.19.255.255:1",
        "198.51.100.7:1",
        "203.0.113.1:1",
        "224.0.0.1:1",
        "239.192.152.143:1",
        "240.0.0.1:1",
        "255.255.255.255:1",
        "[::]:1",
        "[::1]:1",
        "[fe80::1]:1",
        "[fc00::1]:1",
        "[fd12:3456::1]:1",
        "[ff02::1]:1",
        "[2001:db8::1]:1",
        "[2001::1]:1",
        "[3fff::1]:1",
        "[::ffff:127.0.0.1]:1",
        "[::ffff:10.1.1.1]:1",
        "[64:ff9b::7f00:1]:1",
        "[::7f00:1]:1",
        "[2002:7f00:1::1]:1",
        "[2002:c0a8:1::1]:1",
        "[100::1]:1",
        "[fec0::1]:1",
    };
    for (size_t i = 0; i < sizeof public / sizeof public[0]; i++) {
        struct address a = address(public[i]);
        ck_assert_msg(address_is_public(&a), "%s", public[i]);
    }
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        struct address a = address(special[i]);
        ck_assert_msg(!address_is_public(&a), "%s", special[i]);
    }
}
END_TEST

START_TEST(loopback_is_known)
{
    static const char *const yes[] = {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1",
                                      "[::ffff:127.0.0.1]:1"};
    static const char *const no[] = {"126.0.0.1:1", "128.0.0.1:1", "[::2]:1",
                                     "[::]:1",      "[7f00::1]:1", "[::ffff:1.2.3.4]:1"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        struct address a = address(yes[i]);
        ck_assert_msg(address_is_loopback(&a), "%s", yes[i]);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        struct address a = address(no[i]);
        ck_assert_msg(!address_is_loopback(&a), "%s", no[i]);
    }
}
END_TEST

TEST_MAIN("wire.address", TESTS(text_round_trips, other_texts_are_refused, addresses_compare,
                                strangers_may_name_public_addresses_only, loopback_is_known))
