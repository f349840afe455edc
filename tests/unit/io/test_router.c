/* The rules for what a router says, and the line that carries its answer. */
#include "check_main.h"
#include "io/router.h"

#include <string.h>

static struct address host_of(const char *url)
{
    struct address host = {0};

    ck_assert_msg(router_url_parse(url, &host), "%s", url);
    return host;
}

START_TEST(urls_that_are_taken)
{
    struct address expected;

    ck_assert_int_eq(address_parse("192.168.1.1:5000", &expected), ERR_OK);
    struct address host = host_of("http://192.168.1.1:5000/root.xml");
    ck_assert(address_equal(&host, &expected));
    host = host_of("http://192.168.1.1/");
    ck_assert_int_eq(host.port, 80);
}
END_TEST

static const char *const bad_urls[] = {
    "",
    "http://",
    "http:///x",
    "http://192.168.1.1", /* libminiupnpc needs the path as well */
    "https://192.168.1.1/",
    "ftp://192.168.1.1/",
    "HTTP://192.168.1.1/",
    " http://192.168.1.1/",
    "http://router/", /* a name may mean anything by the next time */
    "http://192.168.1.1.evil.example/",
    "http://evil.example@192.168.1.1/",
    "http://192.168.1.1@evil.example/",
    "http://192.168.1.1:80@evil.example/",
    "http://192.168.1.1\\@evil.example/",
    "http://192.168.1/",
    "http://0300.168.1.1/",
    "http://3232235777/",
    "http://192.168.1.1:/",
    "http://192.168.1.1:0/",
    "http://192.168.1.1:65536/",
    "http://192.168.1.1:080/",
    "http://192.168.1.1:80:80/",
    "http://[fe80::1]/",
    "http://[::ffff:192.168.1.1]/",
    "http://192.168.1.1/a b",
    "http://192.168.1.1/a\r\nHost: x",
    "http://192.168.1.1/\x7f",
    "http://192.168.1.1/\xc3\xa4",
};

START_TEST(urls_that_are_not)
{
    struct address host;

    for (size_t i = 0; i < sizeof bad_urls / sizeof bad_urls[0]; i++)
        ck_assert_msg(!router_url_parse(bad_urls[i], &host), "%s", bad_urls[i]);
}
END_TEST

START_TEST(urls_up_to_the_limit)
{
    char url[LIMIT_ROUTER_URL + 2];
    struct address host;

    memset(url, 'a', sizeof url);
    memcpy(url, "http://192.168.1.1/", 19);
    url[LIMIT_ROUTER_URL] = '\0';
    ck_assert(router_url_parse(url, &host));
    url[LIMIT_ROUTER_URL] = 'a';
    url[LIMIT_ROUTER_URL + 1] = '\0';
    ck_assert(!router_url_parse(url, &host));
}
END_TEST

/* This machine's own addresses are not its router's; nor is what is far away. */
START_TEST(who_is_no_router_of_ours)
{
    static const char *const far[] = {"127.0.0.1:1",       "127.0.0.2:1", "0.0.0.0:1",
                                      "255.255.255.255:1", "20.0.0.1:1",  "[::1]:1",
                                      "[2001:db8::1]:1"};
    struct address address;

    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        ck_assert_int_eq(address_parse(far[i], &address), ERR_OK);
        ck_assert_msg(!router_is_near(&address), "%s", far[i]);
    }
}
END_TEST

/* --- the line */

static enum err decode(const char *line, struct router_answer *ret)
{
    return router_answer_decode(span_text(line), ret);
}

static void check_round_trip(const struct router_answer *answer, const char *line)
{
    struct router_answer back;
    struct buf text;

    buf_init(&text, LIMIT_ROUTER_ANSWER);
    router_answer_encode(answer, &text);
    ck_assert(span_is(span_of(text.data, text.length), line));
    ck_assert_int_eq(decode(line, &back), ERR_OK);
    ck_assert_int_eq(back.result, answer->result);
    ck_assert(address_equal(&back.external, &answer->external));
    ck_assert_uint_eq(back.lease_s, answer->lease_s);
    ck_assert_str_eq(back.url, answer->url);
    buf_done(&text);
}

START_TEST(lines_there_and_back)
{
    struct router_answer answer = {.result = ROUTER_MAPPED, .lease_s = 3600};

    ck_assert_int_eq(address_parse("20.0.0.1:6881", &answer.external), ERR_OK);
    check_round_trip(&answer, "mapped 20.0.0.1:6881 3600\n");
    strcpy(answer.url, "http://192.168.1.1:5000/root.xml");
    check_round_trip(&answer, "mapped 20.0.0.1:6881 3600 http://192.168.1.1:5000/root.xml\n");
    answer = (struct router_answer){.result = ROUTER_DOUBLE_NAT};
    ck_assert_int_eq(address_parse("100.64.0.1:0", &answer.external), ERR_OK);
    check_round_trip(&answer, "double-nat 100.64.0.1:0\n");
    check_round_trip(&(struct router_answer){.result = ROUTER_REMOVED}, "removed\n");
    check_round_trip(&(struct router_answer){.result = ROUTER_NONE}, "no-router\n");
    check_round_trip(&(struct router_answer){.result = ROUTER_REFUSED}, "refused\n");
}
END_TEST

/* The process may have been made to say anything. */
static const char *const bad_lines[] = {
    "",
    "\n",
    "mapped",
    "mapped\n",
    "mapped \n",
    "mapped 20.0.0.1:6881\n",
    "mapped 20.0.0.1:6881 3600",
    "mapped 20.0.0.1:6881 3600\n\n",
    "mapped 20.0.0.1:0 3600\n",
    "mapped 20.0.0.1 3600\n",
    "mapped 192.168.1.1:6881 3600\n",
    "mapped 127.0.0.1:6881 3600\n",
    "mapped 20.0.0.1:6881 119\n",
    "mapped 20.0.0.1:6881 86401\n",
    "mapped 20.0.0.1:6881 -1\n",
    "mapped 20.0.0.1:6881 99999999999999999999\n",
    "mapped 20.0.0.1:6881 3600x\n",
    "mapped 20.0.0.1:6881 3600 http://evil.example/\n",
    "mapped 20.0.0.1:6881 3600 http://192.168.1.1/ more\n",
    "Mapped 20.0.0.1:6881 3600\n",
    "double-nat\n",
    "double-nat x\n",
    "refused 606\n",
    "removed\nremoved\n",
};

START_TEST(lines_that_are_refused)
{
    struct router_answer answer;

    for (size_t i = 0; i < sizeof bad_lines / sizeof bad_lines[0]; i++)
        ck_assert_msg(decode(bad_lines[i], &answer) != ERR_OK, "%s", bad_lines[i]);
}
END_TEST

START_TEST(lines_too_long_or_with_a_nul)
{
    char line[LIMIT_ROUTER_ANSWER + 1];
    struct router_answer answer;

    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    ck_assert_int_eq(router_answer_decode(span_of(line, sizeof line), &answer), ERR_TOO_LARGE);
    ck_assert_int_eq(router_answer_decode(span_of("refused\0\n", 9), &answer), ERR_SYNTAX);
}
END_TEST

START_TEST(names_of_methods)
{
    enum router_method method;

    for (int i = 0; i < ROUTER_METHODS_; i++) {
        ck_assert(router_method_parse(router_method_name((enum router_method)i), &method));
        ck_assert_int_eq(method, i);
    }
    ck_assert(!router_method_parse("pcp", &method));
}
END_TEST

TEST_MAIN("router", TESTS(urls_that_are_taken, urls_that_are_not, urls_up_to_the_limit,
                          who_is_no_router_of_ours, lines_there_and_back, lines_that_are_refused,
                          lines_too_long_or_with_a_nul, names_of_methods))
