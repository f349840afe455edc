/* core/seen_as: what peers say of our address counts when three of different networks agree. */
#include "base/limits.h"
#include "check_main.h"
#include "core/node_impl.h"

#include <stdio.h>

static struct node *node;

static void setup(void)
{
    struct node_config config = {.start_ms = 1000};
    node = node_new(&config);
}

static struct address address_of(const char *text)
{
    struct address address;
    ck_assert_int_eq(address_parse(text, &address), ERR_OK);
    return address;
}

static void say(const char *by, const char *what)
{
    struct address sayer = address_of(by), said = address_of(what);
    node_seen_as(node, &sayer, &said);
}

static bool is_known(const char *text)
{
    struct address address = address_of(text);
    return node->seen_as.family != 0 && address_same_ip(&node->seen_as, &address) &&
           node->seen_as.port == 0;
}

START_TEST(three_networks_must_agree)
{
    setup();
    say("1.2.3.4:5", "9.9.9.9:80");
    say("1.2.9.9:5", "9.9.9.9:80"); /* the same network */
    say("1.2.8.8:6", "9.9.9.9:80");
    say("1.3.3.4:5", "9.9.9.9:80");
    ck_assert_uint_eq(node->seen_as.family, 0);
    say("1.4.3.4:5", "8.8.8.8:80"); /* of another opinion */
    ck_assert_uint_eq(node->seen_as.family, 0);
    say("1.4.3.4:5", "9.9.9.9:80"); /* its last word counts */
    ck_assert(is_known("9.9.9.9:1"));
    for (int i = 0; i < 3; i++) { /* we have moved */
        char by[24];
        snprintf(by, sizeof by, "2.%d.3.4:5", i);
        say(by, "7.7.7.7:1");
    }
    ck_assert(is_known("7.7.7.7:1"));
    node_free(node);
}
END_TEST

START_TEST(what_cannot_be_does_not_count)
{
    static const char *const bad[] = {"10.0.0.1:1", "127.0.0.1:1", "[::1]:1", "[fe80::1]:1",
                                      "0.0.0.0:1"};

    setup();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        say("1.2.3.4:5", bad[i]);
        say("1.3.3.4:5", bad[i]);
        say("1.4.3.4:5", bad[i]);
        say(bad[i], "9.9.9.9:1"); /* nor who has no network of its own */
    }
    ck_assert_uint_eq(node->seen_as.family, 0);
    node_free(node);
}
END_TEST

START_TEST(ipv6_and_mapped_ipv4)
{
    setup();
    say("[2a01:1::1]:5", "[2a09:1::9]:1");
    say("[2a01:1:2::1]:5", "[2a09:1::9]:1"); /* the same /32 */
    say("[2a02:1::1]:5", "[2a09:1::9]:1");
    ck_assert_uint_eq(node->seen_as.family, 0);
    say("[2a03:1::1]:5", "[2a09:1::9]:1");
    ck_assert(is_known("[2a09:1::9]:1"));
    say("1.2.3.4:5", "[::ffff:9.9.9.9]:1");
    say("[::ffff:1.3.3.4]:5", "9.9.9.9:1");
    say("1.4.3.4:5", "9.9.9.9:1");
    ck_assert(is_known("9.9.9.9:1"));
    node_free(node);
}
END_TEST

/* Whoever says most is not heard most; and a tracker is believed before all of them. */
START_TEST(more_words_than_are_kept)
{
    char by[24];

    setup();
    for (int i = 0; i < 1000; i++) {
        snprintf(by, sizeof by, "5.%d.3.4:5", i % 2);
        say(by, "6.6.6.6:1");
    }
    ck_assert_uint_eq(node->seen_as.family, 0);
    node->seen_as = address_of("9.9.9.9:0");
    node->tracker_saw = true;
    for (int i = 0; i < 100; i++) {
        snprintf(by, sizeof by, "5.%d.3.4:5", i);
        say(by, "6.6.6.6:1");
    }
    ck_assert(is_known("9.9.9.9:1"));
    node_free(node);
}
END_TEST

TEST_MAIN("core/seen_as", TESTS(three_networks_must_agree, what_cannot_be_does_not_count,
                                ipv6_and_mapped_ipv4, more_words_than_are_kept))
