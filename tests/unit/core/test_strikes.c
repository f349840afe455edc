/* core/strikes: they add up, are forgotten with time, and end in a ban that ends. */
#include "base/limits.h"
#include "check_main.h"
#include "core/node_impl.h"
#include "core/strikes.h"

#include <stdio.h>

static struct node *node;

static void setup(void)
{
    struct node_config config = {.start_ms = 1000};
    node = node_new(&config);
}

static struct span bob(void)
{
    return span_text("bob");
}

START_TEST(enough_of_them_are_a_ban_for_an_hour)
{
    setup();
    ck_assert(!strikes_ban(node, bob()));
    ck_assert(!strikes_add(node, bob(), STRIKE_FLOOD));
    ck_assert(!strikes_ban(node, bob()));
    node->now_ms += 1;
    ck_assert(strikes_add(node, bob(), STRIKE_FLOOD + 1));
    ck_assert(strikes_ban(node, bob()));
    ck_assert(!strikes_ban(node, span_text("alice")));
    node->now_ms += STRIKES_BAN_MS - 1;
    ck_assert(strikes_ban(node, bob()));
    node->now_ms += 1;
    ck_assert(!strikes_ban(node, bob()));
    ck_assert(!strikes_add(node, bob(), STRIKE_FLOOD));
    node_free(node);
}
END_TEST

START_TEST(they_are_forgotten_with_time)
{
    setup();
    for (int i = 0; i < 100; i++) {
        ck_assert(!strikes_add(node, bob(), STRIKE_MALFORMED));
        node->now_ms += STRIKES_BAN_MS / 3;
    }
    ck_assert(strikes_add(node, bob(), STRIKE_BAD_BYTES));
    node_free(node);
}
END_TEST

START_TEST(only_so_many_names_are_kept)
{
    char name[16];

    setup();
    for (int i = 0; i <= (int)LIMIT_STRIKES; i++) {
        snprintf(name, sizeof name, "%d", i);
        strikes_add(node, span_text(name), STRIKE_BAD_BYTES);
    }
    ck_assert(!strikes_ban(node, span_text("0")));
    ck_assert(strikes_ban(node, span_text("1")));
    ck_assert(strikes_ban(node, span_text(name)));
    node_free(node);
}
END_TEST

static bool is_banned(const char *text)
{
    struct address address;

    ck_assert_int_eq(address_parse(text, &address), ERR_OK);
    return strikes_ban_address(node, &address);
}

START_TEST(an_address_is_a_machine_but_on_loopback)
{
    struct address address, buffer;

    setup();
    address_parse("8.8.4.4:1000", &address);
    strikes_add(node, strikes_name(&address, &buffer), STRIKE_BAD_BYTES);
    address_parse("127.0.0.1:1000", &address);
    strikes_add(node, strikes_name(&address, &buffer), STRIKE_BAD_BYTES);
    ck_assert(is_banned("8.8.4.4:2000"));
    ck_assert(is_banned("[::ffff:8.8.4.4]:2000"));
    ck_assert(!is_banned("8.8.4.5:1000"));
    ck_assert(is_banned("127.0.0.1:1000"));
    ck_assert(!is_banned("127.0.0.1:1001"));
    node_free(node);
}
END_TEST

TEST_MAIN("strikes", TESTS(enough_of_them_are_a_ban_for_an_hour, they_are_forgotten_with_time,
                           only_so_many_names_are_kept, an_address_is_a_machine_but_on_loopback))
