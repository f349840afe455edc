/* wire/request_head: strict, and the target untouched. */
#include "wire/request_head.h"

#include "check_main.h"

#include <stdio.h>
#include <string.h>

static struct request_head head;
static size_t used;

static enum err parse(const char *text)
{
    memset(&head, 0xee, sizeof head);
    used = 0;
    return request_head_parse(span_text(text), &head, &used);
}

START_TEST(a_browsers_request)
{
    const char *text = "GET /a%20b+c/../%2e//?q HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"
                       "User-Agent: Mozilla/5.0 (X11; \xc3\xa9)\r\nrange: \t bytes=0-1 \t\r\n"
                       "Accept:\r\n\r\nGET";
    ck_assert_int_eq(parse(text), ERR_OK);
    ck_assert_uint_eq(used, strlen(text) - 3);
    ck_assert(span_is(head.method, "GET"));
    ck_assert(span_is(head.target, "/a%20b+c/../%2e//?q"));
    ck_assert(span_is(head.host, "127.0.0.1:80"));
    ck_assert(span_is(head.range, "bytes=0-1"));
    ck_assert(head.keep_alive && !head.has_body);
    /* Borrowed, not copied. */
    ck_assert_ptr_eq(head.target.data, (const uint8_t *)text + 4);
}
END_TEST

START_TEST(without_headers)
{
    ck_assert_int_eq(parse("HEAD / HTTP/1.0\r\n\r\n"), ERR_OK);
    ck_assert(span_is(head.method, "HEAD"));
    ck_assert_ptr_null(head.host.data);
    ck_assert_ptr_null(head.range.data);
    ck_assert(!head.keep_alive);
}
END_TEST

START_TEST(every_prefix_wants_more)
{
    const char *text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (size_t i = 0; i < strlen(text); i++)
        ck_assert_int_eq(request_head_parse(span_of(text, i), &head, &used), ERR_MORE);
    ck_assert_int_eq(parse(text), ERR_OK);
}
END_TEST

START_TEST(connection_and_bodies)
{
    static const struct {
        const char *header;
        bool keep_alive, has_body;
    } cases[] = {
        {"Connection: close", false, false},
        {"connection: Keep-Alive, CLOSE", false, false},
        {"Connection: closed", true, false},
        {"Connection: keep-alive", true, false},
        {"Connection: close\r\nConnection: keep-alive", false, false},
        {"Content-Length: 0", true, false},
        {"Content-Length: 00", true, true},
        {"Content-Length: 1", true, true},
        {"Content-Length:", true, true},
        {"Transfer-Encoding: identity", true, true},
        {"X-Content-Length: 7", true, false},
    };
    char text[256];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\n%s\r\n\r\n", cases[i].header);
        ck_assert_msg(parse(text) == ERR_OK, "%s", cases[i].header);
        ck_assert_msg(head.keep_alive == cases[i].keep_alive, "%s", cases[i].header);
        ck_assert_msg(head.has_body == cases[i].has_body, "%s", cases[i].header);
    }
}
END_TEST

START_TEST(what_is_refused)
{
    static const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"\r\n\r\n", ERR_SYNTAX},
        {"\r\nGET / HTTP/1.1\r\n\r\n", ERR_SYNTAX},
        {"GET\r\n\r\n", ERR_SYNTAX},
        {"GET /\r\n\r\n", ERR_SYNTAX},
        {"GET  HTTP/1.1\r\n\r\n", ERR_SYNTAX},
        {"GET /  HTTP/1.1\r\n\r\n", ERR_SYNTAX},
        {"GET / HTTP/1.1 \r\n\r\n", ERR_SYNTAX},
        {" GET / HTTP/1.1\r\n\r\n", ERR_SYNTAX},
        {"G(T / HTTP/1.1\r\n\r\n", ERR_SYNTAX},
        {"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", ERR_SYNTAX},
        {"GET /\x7f HTTP/1.1\r\n\r\n", ERR_SYNTAX},
        {"GET /\ta HTTP/1.1\r\n\r\n", ERR_SYNTAX},
        {"GET /\n HTTP/1.1\r\n\r\n", ERR_SYNTAX},
        {"GET / http/1.1\r\n\r\n", ERR_SYNTAX},
        {"GET / HTTP/1.2\r\n\r\n", ERR_UNSUPPORTED},
        {"GET / HTTP/2.0\r\n\r\n", ERR_UNSUPPORTED},
        {"PRI * HTTP/2.0\r\n\r\n", ERR_UNSUPPORTED},
        {"GET / HTTP/1.1\r\nA\r\n\r\n", ERR_SYNTAX},
        {"GET / HTTP/1.1\r\n:\r\n\r\n", ERR_SYNTAX},
        {"GET / HTTP/1.1\r\nA : b\r\n\r\n", ERR_SYNTAX},
        {"GET / HTTP/1.1\r\n A: b\r\n\r\n", ERR_SYNTAX},
        {"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", ERR_SYNTAX},
        {"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", ERR_SYNTAX},
        {"GET / HTTP/1.1\r\nA: b\nHost: c\r\n\r\n", ERR_SYNTAX},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", ERR_DUPLICATE},
        {"GET / HTTP/1.1\r\nHost:\r\nhost: a\r\n\r\n", ERR_DUPLICATE},
        {"GET / HTTP/1.1\r\nRange: a\r\nRange: b\r\n\r\n", ERR_DUPLICATE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(parse(cases[i].text) == cases[i].err, "case %zu: %s", i, cases[i].text);
    ck_assert_int_eq(request_head_parse(span_of("GET /\0 HTTP/1.1\r\n\r\n", 19), &head, &used),
                     ERR_SYNTAX);
    ck_assert_int_eq(
        request_head_parse(span_of("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24), &head, &used),
        ERR_SYNTAX);
}
END_TEST

TEST_MAIN("wire/request_head", TESTS(a_browsers_request, without_headers, every_prefix_wants_more,
                                     connection_and_bodies, what_is_refused))
