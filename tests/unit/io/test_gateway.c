/* io/gateway: what it lets through, and how the body follows what is verified. */
#include "io/gateway.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "io_test.h"
#include "wire/http_range.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define TOKEN "0123456789abcdef0123456789abcdef"
#define ROOT  "aa00bb11"

static struct loop loop;
static struct gateway *gateway;
static char host[32];
static int content; /* the file's descriptor */
static uint64_t content_length;
static bool answer_at_once; /* `open` answers whole files by itself */

static int opened, closed;
static struct {
    uint64_t stream, seq;
    char token[64], path[LIMIT_PATH + 1], range[256];
    bool has_range, head_only;
} last;
static uint64_t last_closed;

static void answer(uint64_t stream, const char *range)
{
    struct gateway_head head = {.status = 200,
                                .end = content_length,
                                .length = content_length,
                                .content_type = "text/css",
                                .etag = ROOT,
                                .fd = content};
    uint64_t last_byte;

    switch (http_range_parse(range, content_length, &head.first, &last_byte)) {
    case HTTP_RANGE_PART:
        head.status = 206;
        head.end = last_byte + 1;
        break;
    case HTTP_RANGE_UNSATISFIABLE:
        head.status = 416;
        head.fd = -1;
        break;
    case HTTP_RANGE_WHOLE:
        head.first = 0;
    }
    gateway_head(gateway, stream, &head);
}

static void on_open(void *user, const struct gateway_open *open)
{
    ck_assert_ptr_eq(user, &loop);
    opened++;
    last.stream = open->stream;
    last.seq = open->seq;
    last.head_only = open->head_only;
    last.has_range = open->range != NULL;
    snprintf(last.token, sizeof last.token, "%s", open->token);
    snprintf(last.path, sizeof last.path, "%s", open->path);
    snprintf(last.range, sizeof last.range, "%s", open->range == NULL ? "" : open->range);
    if (!answer_at_once)
        return;
    answer(open->stream, open->range);
    gateway_ready(gateway, open->stream, content_length);
}

static void on_closed(void *user, uint64_t stream)
{
    ck_assert_ptr_eq(user, &loop);
    closed++;
    last_closed = stream;
    gateway_ready(gateway, stream, content_length); /* a dead stream does nothing */
    gateway_fail(gateway, stream, 503);
}

static const struct gateway_events events = {.user = &loop, .open = on_open, .closed = on_closed};

static char content_byte(uint64_t at)
{
    return (char)('a' + at * 7 % 26);
}

static void set_up(uint64_t length)
{
    char *bytes = mem_alloc((size_t)length + 1);

    log_set_level(LOG_ERROR);
    for (uint64_t i = 0; i < length; i++)
        bytes[i] = content_byte(i);
    content = memfd_create("content", MFD_CLOEXEC);
    ck_assert_int_eq(write(content, bytes, (size_t)length), (ssize_t)length);
    mem_free(bytes);
    content_length = length;
    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    ck_assert_int_eq(gateway_new(&loop, &events, &gateway), ERR_OK);
    snprintf(host, sizeof host, "127.0.0.1:%u", gateway_port(gateway));
}

static void tear_down(void)
{
    gateway_free(gateway);
    loop_done(&loop);
    close(content);
}

static int dial(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(gateway_port(gateway)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, const char *method, const char *target, const char *more)
{
    char text[16384];
    int length = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, target,
                          host, more);

    ck_assert(pump_send(&loop, fd, text, (size_t)length));
}

static size_t head_end(const struct inbox *inbox)
{
    char *end = strstr(inbox->text, "\r\n\r\n");

    return end == NULL ? 0 : (size_t)(end - inbox->text) + 4;
}

static int status_of(const struct inbox *inbox)
{
    int status = 0;

    sscanf(inbox->text, "HTTP/1.1 %d ", &status);
    return status;
}

static bool has_header(const struct inbox *inbox, const char *line)
{
    char *at = strstr(inbox->text, line);

    return at != NULL && at < inbox->text + head_end(inbox) && at[-1] == '\n' &&
           at[strlen(line)] == '\r';
}

/* Waits for a head and so many bytes of body. */
static void hear(struct inbox *inbox, size_t body)
{
    PUMP_UNTIL(&loop,
               (inbox_take(inbox), head_end(inbox) > 0 && inbox->length >= head_end(inbox) + body));
}

static void check_body(const struct inbox *inbox, uint64_t first, uint64_t end)
{
    const char *body = inbox->text + head_end(inbox);
    uint64_t at = first;

    ck_assert_uint_eq(inbox->length - head_end(inbox), end - first);
    while (at < end && body[at - first] == content_byte(at))
        at++;
    ck_assert_uint_eq(at, end);
}

static void forget(struct inbox *inbox)
{
    inbox->length = 0;
    inbox->text[0] = '\0';
}

#define FILE_PATH "/static/a%20b+c.css"
#define FILE_URL  "/" TOKEN "/42" FILE_PATH

START_TEST(a_whole_file)
{
    struct inbox inbox;
    set_up(1000);
    inbox_init(&inbox, dial());
    say(inbox.fd, "GET", FILE_URL, "");
    PUMP_UNTIL(&loop, opened == 1);
    ck_assert_str_eq(last.token, TOKEN);
    ck_assert_uint_eq(last.seq, 42);
    ck_assert_str_eq(last.path, FILE_PATH);
    ck_assert(!last.has_range && !last.head_only);
    answer(last.stream, NULL);
    gateway_ready(gateway, last.stream, 1000);
    ck_assert_int_eq(closed, 0); /* never from inside a call */
    hear(&inbox, 1000);
    ck_assert_int_eq(status_of(&inbox), 200);
    ck_assert(has_header(&inbox, "Content-Type: text/css"));
    ck_assert(has_header(&inbox, "Content-Length: 1000"));
    ck_assert(has_header(&inbox, "Accept-Ranges: bytes"));
    ck_assert(has_header(&inbox, "ETag: \"" ROOT "\""));
    ck_assert(has_header(&inbox, "Cache-Control: no-store"));
    ck_assert(has_header(&inbox, "X-Content-Type-Options: nosniff"));
    ck_assert_ptr_null(strcasestr(inbox.text, "\r\nServer:"));
    ck_assert_ptr_null(strcasestr(inbox.text, "Access-Control"));
    ck_assert_ptr_null(strcasestr(inbox.text, "Connection: close"));
    check_body(&inbox, 0, 1000);
    PUMP_UNTIL(&loop, closed == 1);
    ck_assert_uint_eq(last_closed, last.stream);
    inbox_done(&inbox);
    pump_ms(&loop, 20);
    ck_assert_int_eq(closed, 1);
    tear_down();
}
END_TEST

START_TEST(an_empty_file_and_a_head)
{
    struct inbox inbox;
    set_up(0);
    answer_at_once = true;
    inbox_init(&inbox, dial());
    say(inbox.fd, "GET", FILE_URL, "");
    hear(&inbox, 0);
    ck_assert_int_eq(status_of(&inbox), 200);
    ck_assert(has_header(&inbox, "Content-Length: 0"));
    PUMP_UNTIL(&loop, closed == 1);
    content_length = 555;
    forget(&inbox);
    say(inbox.fd, "HEAD", FILE_URL, "Range: bytes=0-3\r\n");
    hear(&inbox, 0);
    ck_assert(last.head_only && !last.has_range);
    ck_assert_int_eq(status_of(&inbox), 200);
    ck_assert(has_header(&inbox, "Content-Length: 555"));
    PUMP_UNTIL(&loop, closed == 2);
    pump_ms(&loop, 20);
    inbox_take(&inbox);
    check_body(&inbox, 0, 0);
    inbox_done(&inbox);
    tear_down();
}
END_TEST

START_TEST(ranges)
{
    struct inbox inbox;
    set_up(100000);
    answer_at_once = true;
    inbox_init(&inbox, dial());
    say(inbox.fd, "GET", FILE_URL, "Range: bytes=10-90009\r\n");
    hear(&inbox, 90000);
    ck_assert_str_eq(last.range, "bytes=10-90009");
    ck_assert_int_eq(status_of(&inbox), 206);
    ck_assert(has_header(&inbox, "Content-Range: bytes 10-90009/100000"));
    ck_assert(has_header(&inbox, "Content-Length: 90000"));
    check_body(&inbox, 10, 90010);
    forget(&inbox);
    say(inbox.fd, "GET", FILE_URL, "rAnGe:bytes=-5\t \r\n");
    hear(&inbox, 5);
    ck_assert_int_eq(status_of(&inbox), 206);
    check_body(&inbox, 99995, 100000);
    forget(&inbox);
    say(inbox.fd, "GET", FILE_URL, "Range: bytes=100000-\r\n");
    hear(&inbox, 0);
    ck_assert_int_eq(status_of(&inbox), 416);
    ck_assert(has_header(&inbox, "Content-Range: bytes */100000"));
    ck_assert(has_header(&inbox, "Content-Length: 0"));
    PUMP_UNTIL(&loop, closed == 3);
    inbox_done(&inbox);
    tear_down();
}
END_TEST

/* --- what is let through */

static int ask_raw(const char *request, size_t length)
{
    struct inbox inbox;
    int status;

    inbox_init(&inbox, dial());
    pump_send(&loop, inbox.fd, request, length);
    PUMP_UNTIL(&loop, (inbox_take(&inbox), head_end(&inbox) > 0 || inbox.ended));
    status = status_of(&inbox);
    if (status != 200) {
        ck_assert(has_header(&inbox, "Content-Length: 0"));
        ck_assert_uint_eq(inbox.length, head_end(&inbox));
    }
    inbox_done(&inbox);
    pump_ms(&loop, 1);
    return status;
}

static int ask_target(const char *method, const char *target)
{
    char text[16384];

    return ask_raw(text, (size_t)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n",
                                          method, target, host));
}

START_TEST(only_our_host)
{
    static const char *const hosts[] = {"localhost:%u",  "127.0.0.1",       "127.0.0.1:1%u",
                                        "127.0.0.1:%u0", "evil.example:%u", "127.0.0.1:%u, x",
                                        "[::1]:%u",      "127.0.0.1.:%u",   ""};
    char text[512], name[128];
    set_up(10);
    answer_at_once = true;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(name, sizeof name, hosts[i], gateway_port(gateway));
#pragma GCC diagnostic pop
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", FILE_URL, name);
        ck_assert_msg(ask_raw(text, strlen(text)) == 400, "%s", name);
    }
    ck_assert_int_eq(ask_raw("GET " FILE_URL " HTTP/1.1\r\n\r\n", strlen(FILE_URL) + 17), 400);
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\nHost: %s\r\n\r\n", FILE_URL, host,
             host);
    ck_assert_int_eq(ask_raw(text, strlen(text)), 400);
    ck_assert_int_eq(opened, 0);
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nhOST:%s\r\n\r\n", FILE_URL, host);
    ck_assert_int_eq(ask_raw(text, strlen(text)), 200);
    tear_down();
}
END_TEST

START_TEST(only_get_and_head)
{
    static const char *const methods[] = {"POST", "PUT",   "DELETE", "OPTIONS", "CONNECT",
                                          "get",  "TRACE", "PATCH",  "GETX"};
    set_up(10);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        ck_assert_int_eq(ask_target(methods[i], FILE_URL), 405);
    ck_assert_int_eq(ask_target("G=T", FILE_URL), 400);
    ck_assert_int_eq(opened, 0);
    tear_down();
}
END_TEST

/* Each path arrives as it was sent. */
START_TEST(paths_that_arrive_unchanged)
{
    static const char *const paths[] = {
        "/a",     "/a%20b",   "/c++.js",  "/%C3%A9",        "/%c3%a9",    "/%7Euser",
        "/~user", "/a/b/c/d", "/.hidden", "/..a",           "/a...",      "/a;b=c",
        "/a&b=c", "/a:b@c",   "/%2B",     "/a'(b)*!$,.css", "/%25%32%30", "/%25%2e%25%2e",
        "/a%26b", "/%3F",     "/%23"};
    char target[256];
    set_up(10);
    answer_at_once = true;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        snprintf(target, sizeof target, "/" TOKEN "/1%s", paths[i]);
        ck_assert_msg(ask_target("GET", target) == 200, "%s", paths[i]);
        ck_assert_str_eq(last.path, paths[i]);
    }
    tear_down();
}
END_TEST

START_TEST(targets_that_are_refused)
{
    static const char *const targets[] = {
        "/",
        "*",
        "/favicon.ico",
        "/" TOKEN,
        "/" TOKEN "/",
        "/" TOKEN "/1",
        "/" TOKEN "//a",
        "/" TOKEN "/0/a",
        "/" TOKEN "/01/a",
        "/" TOKEN "/-1/a",
        "/" TOKEN "/+1/a",
        "/" TOKEN "/1x/a",
        "/" TOKEN "/9007199254740992/a",
        "/" TOKEN "/99999999999999999999999999/a",
        "/" TOKEN "0/1/a",
        "/0123456789abcdef0123456789abcde/1/a",
        "/0123456789ABCDEF0123456789abcdef/1/a",
        "/0123456789abcdeg0123456789abcdef/1/a",
        "/0123456789abcdef0123456789abcde%66/1/a",
        "//" TOKEN "/1/a",
        "/x/../" TOKEN "/1/a",
        "/" TOKEN "/1/a/../b",
        "/" TOKEN "/1/..",
        "/" TOKEN "/1/a/%2e%2e/b",
        "/" TOKEN "/1/a/.%2E/b",
        "/" TOKEN "/1/./a",
        "/" TOKEN "/1/a/.",
        "/" TOKEN "/1/a//b",
        "/" TOKEN "/1//a",
        "/" TOKEN "/1/a\\b",
        "/" TOKEN "/1/a%5cb",
        "/" TOKEN "/1/a%2fb",
        "/" TOKEN "/1/a%00b",
        "/" TOKEN "/1/a%0ab",
        "/" TOKEN "/1/a%",
        "/" TOKEN "/1/a%4",
        "/" TOKEN "/1/a%zz",
        "/" TOKEN "/1/a?b",
        "/" TOKEN "/1/a#b",
        "/" TOKEN "/1/\xc3\xa9",
        "http://127.0.0.1/" TOKEN "/1/a",
        TOKEN "/1/a",
    };
    char target[LIMIT_PATH + 64];
    set_up(10);
    answer_at_once = true;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        ck_assert_msg(ask_target("GET", targets[i]) == 400, "%s", targets[i]);
    ck_assert_int_eq(opened, 0);
    ck_assert_int_eq(ask_target("GET", "/" TOKEN "/9007199254740991/a"), 200);
    ck_assert_uint_eq(last.seq, 9007199254740991);
    /* The longest path, and one more. */
    strcpy(target, "/" TOKEN "/1/");
    memset(target + strlen(target), 'p', LIMIT_PATH - 1);
    target[36 + LIMIT_PATH - 1] = '\0';
    ck_assert_int_eq(ask_target("GET", target), 200);
    ck_assert_uint_eq(strlen(last.path), LIMIT_PATH);
    strcat(target, "p");
    ck_assert_int_eq(ask_target("GET", target), 400);
    tear_down();
}
END_TEST

static int ask_with(const char *line, const char *headers)
{
    char text[16384];

    return ask_raw(
        text, (size_t)snprintf(text, sizeof text, "%s\r\nHost: %s\r\n%s\r\n", line, host, headers));
}

START_TEST(heads_that_are_refused)
{
    char *filler = mem_zalloc(LIMIT_GATEWAY_HEADERS + 100);
    set_up(10);
    answer_at_once = true;
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.1", "A: b\r\nC:\r\n"), 200);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.0", ""), 200);
    opened = 0;
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/2.0", ""), 400);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.11", ""), 400);
    ck_assert_int_eq(ask_with("GET " FILE_URL, ""), 400);
    ck_assert_int_eq(ask_with("GET  " FILE_URL " HTTP/1.1", ""), 400);
    ck_assert_int_eq(ask_with("GET " FILE_URL " x HTTP/1.1", ""), 400);
    ck_assert_int_eq(ask_with("GET\t" FILE_URL " HTTP/1.1", ""), 400);
    ck_assert_int_eq(ask_with(" GET " FILE_URL " HTTP/1.1", ""), 400);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.1", "A : b\r\n"), 400);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.1", "A: b\r\n c\r\n"), 400);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.1", "A: b\nC: d\r\n"), 400);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.1", "A: \x01\r\n"), 400);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.1", ": b\r\n"), 400);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.1", "nothing\r\n"), 400);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.1", "Content-Length: 5\r\n"), 400);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.1", "Transfer-Encoding: chunked\r\n"), 400);
    ck_assert_int_eq(
        ask_with("GET " FILE_URL " HTTP/1.1", "Range: bytes=0-1\r\nRange: bytes=2-3\r\n"), 400);
    ck_assert_int_eq(ask_raw("\x16\x03\x01\x02\x00\r\n\r\n", 9), 400); /* TLS knocks */
    ck_assert_int_eq(ask_raw("GET \0 HTTP/1.1\r\n\r\n", 18), 400);
    memset(filler, 'x', LIMIT_GATEWAY_HEADERS);
    ck_assert_int_eq(ask_raw(filler, LIMIT_GATEWAY_HEADERS), 400);
    memcpy(filler, "F: ", 3);
    memcpy(filler + 6000, "\r\n", 3);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.1", filler), 200);
    opened = 0;
    memcpy(filler + 6000, "xxx", 3);
    memcpy(filler + LIMIT_GATEWAY_HEADERS, "\r\n", 3);
    ck_assert_int_eq(ask_with("GET " FILE_URL " HTTP/1.1", filler), 400);
    ck_assert_int_eq(opened, 0);
    mem_free(filler);
    tear_down();
}
END_TEST

/* --- the owner's answers */

START_TEST(a_body_that_comes_in_parts)
{
    struct inbox inbox;
    set_up(MIB(3));
    inbox_init(&inbox, dial());
    say(inbox.fd, "GET", FILE_URL, "");
    PUMP_UNTIL(&loop, opened == 1);
    answer(last.stream, NULL);
    hear(&inbox, 0); /* the head does not wait for the first byte */
    pump_ms(&loop, 20);
    inbox_take(&inbox);
    check_body(&inbox, 0, 0);
    gateway_ready(gateway, last.stream, 10);
    hear(&inbox, 10);
    gateway_ready(gateway, last.stream, 5); /* never backwards */
    gateway_ready(gateway, last.stream, 70000);
    hear(&inbox, 70000);
    pump_ms(&loop, 20);
    inbox_take(&inbox);
    check_body(&inbox, 0, 70000); /* and not a byte of what is not verified, though it is there */
    for (uint64_t upto = 70000; upto < MIB(3); upto += 500001)
        gateway_ready(gateway, last.stream, upto);
    gateway_ready(gateway, last.stream, UINT64_MAX);
    hear(&inbox, MIB(3));
    check_body(&inbox, 0, MIB(3));
    PUMP_UNTIL(&loop, closed == 1);
    forget(&inbox);
    say(inbox.fd, "GET", FILE_URL, ""); /* the connection goes on */
    PUMP_UNTIL(&loop, opened == 2);
    inbox_done(&inbox);
    PUMP_UNTIL(&loop, closed == 2);
    tear_down();
}
END_TEST

/* A range ends where it ends, however far the file is verified. */
START_TEST(ready_past_the_range)
{
    struct inbox inbox;
    set_up(100000);
    inbox_init(&inbox, dial());
    say(inbox.fd, "GET", FILE_URL, "Range: bytes=50000-50009\r\n");
    PUMP_UNTIL(&loop, opened == 1);
    answer(last.stream, last.range);
    gateway_ready(gateway, last.stream, 40000); /* all before the range */
    pump_ms(&loop, 20);
    hear(&inbox, 0);
    check_body(&inbox, 0, 0);
    gateway_ready(gateway, last.stream, 100000);
    hear(&inbox, 10);
    pump_ms(&loop, 20);
    inbox_take(&inbox);
    check_body(&inbox, 50000, 50010);
    inbox_done(&inbox);
    tear_down();
}
END_TEST

START_TEST(failing_before_the_head)
{
    static const int statuses[] = {403, 404, 503};
    struct inbox inbox;
    set_up(10);
    inbox_init(&inbox, dial());
    for (int i = 0; i < 3; i++) {
        forget(&inbox);
        say(inbox.fd, "GET", FILE_URL, "");
        PUMP_UNTIL(&loop, opened == i + 1);
        gateway_fail(gateway, last.stream, statuses[i]);
        gateway_head(gateway, last.stream, &(struct gateway_head){.status = 200});
        hear(&inbox, 0);
        ck_assert_int_eq(status_of(&inbox), statuses[i]);
        ck_assert(has_header(&inbox, "Content-Length: 0"));
        ck_assert(has_header(&inbox, "X-Content-Type-Options: nosniff"));
    }
    pump_ms(&loop, 20);
    ck_assert_int_eq(closed, 0);
    ck_assert(!inbox.ended);
    inbox_done(&inbox);
    tear_down();
}
END_TEST

START_TEST(failing_in_the_middle)
{
    struct inbox inbox;
    set_up(MIB(2));
    inbox_init(&inbox, dial());
    say(inbox.fd, "GET", FILE_URL, "");
    PUMP_UNTIL(&loop, opened == 1);
    answer(last.stream, NULL);
    gateway_ready(gateway, last.stream, 300000);
    hear(&inbox, 1000);
    gateway_ready(gateway, last.stream, 400000);
    gateway_fail(gateway, last.stream, 503);
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.ended));
    check_body(&inbox, 0, 400000);
    inbox_done(&inbox);
    pump_ms(&loop, 20);
    ck_assert_int_eq(closed, 0);
    tear_down();
}
END_TEST

START_TEST(a_file_that_is_too_short)
{
    struct inbox inbox;
    set_up(200000);
    log_set_level(LOG_ERROR);
    content_length = 300000; /* a lie */
    inbox_init(&inbox, dial());
    say(inbox.fd, "GET", FILE_URL, "");
    PUMP_UNTIL(&loop, opened == 1);
    answer(last.stream, NULL);
    gateway_ready(gateway, last.stream, 300000);
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.ended));
    ck_assert_uint_le(inbox.length - head_end(&inbox), 200000);
    PUMP_UNTIL(&loop, closed == 1);
    inbox_done(&inbox);
    tear_down();
}
END_TEST

/* What comes from a publisher cannot forge headers. */
START_TEST(a_media_type_with_a_line_end)
{
    struct inbox inbox;
    set_up(10);
    inbox_init(&inbox, dial());
    say(inbox.fd, "GET", FILE_URL, "");
    PUMP_UNTIL(&loop, opened == 1);
    gateway_head(gateway, last.stream,
                 &(struct gateway_head){.status = 200,
                                        .end = 10,
                                        .length = 10,
                                        .content_type = "text/css\r\nX-Evil: 1",
                                        .etag = "\"\r\nX-Evil: 2",
                                        .fd = content});
    gateway_ready(gateway, last.stream, 10);
    hear(&inbox, 10);
    ck_assert(has_header(&inbox, "Content-Type: application/octet-stream"));
    ck_assert_ptr_null(strstr(inbox.text, "X-Evil"));
    inbox_done(&inbox);
    tear_down();
}
END_TEST

/* --- connections */

START_TEST(a_client_goes_away_at_each_stage)
{
    int fd;
    set_up(MIB(50));
    for (int stage = 0; stage < 3; stage++) {
        opened = closed = 0;
        fd = dial();
        say(fd, "GET", FILE_URL, "");
        PUMP_UNTIL(&loop, opened == 1);
        if (stage > 0)
            answer(last.stream, NULL);
        if (stage > 1)
            gateway_ready(gateway, last.stream, MIB(50));
        pump_ms(&loop, 10);
        ck_assert_int_eq(closed, 0);
        close(fd); /* with unread bytes: a reset */
        PUMP_UNTIL(&loop, closed == 1);
        ck_assert_uint_eq(last_closed, last.stream);
        pump_ms(&loop, 10);
        ck_assert_int_eq(closed, 1);
        gateway_ready(gateway, last.stream, MIB(50));
        gateway_fail(gateway, last.stream, 503);
        answer(last.stream, NULL);
    }
    /* Half a head, and nothing at all. */
    fd = dial();
    ck_assert(pump_send(&loop, fd, "GET /", 5));
    close(fd);
    close(dial());
    pump_ms(&loop, 10);
    ck_assert_int_eq(opened, 1);
    tear_down();
}
END_TEST

START_TEST(a_thousand_requests_on_one_connection)
{
    struct inbox inbox;
    set_up(3000);
    answer_at_once = true;
    inbox_init(&inbox, dial());
    for (int i = 0; i < 1000; i++) {
        forget(&inbox);
        say(inbox.fd, "GET", FILE_URL, "");
        hear(&inbox, 3000);
        check_body(&inbox, 0, 3000);
    }
    ck_assert_int_eq(opened, 1000);
    PUMP_UNTIL(&loop, closed == 1000);
    inbox_done(&inbox);
    tear_down();
}
END_TEST

START_TEST(requests_sent_ahead)
{
    enum { COUNT = 300 };
    struct inbox inbox;
    char *text, *at;
    int replies = 0;
    set_up(50);
    text = mem_zalloc(KIB(64));
    answer_at_once = true;
    for (int i = 0; i < COUNT; i++)
        sprintf(text + strlen(text), "GET /" TOKEN "/1/%d HTTP/1.1\r\nHost: %s\r\n%s\r\n", i, host,
                i == COUNT - 1 ? "Connection: foo , Close\r\n" : "");
    inbox_init(&inbox, dial());
    ck_assert(pump_send(&loop, inbox.fd, text, strlen(text)));
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.ended));
    for (at = inbox.text; (at = strstr(at, "HTTP/1.1 200 OK")) != NULL; at++)
        replies++;
    ck_assert_int_eq(replies, COUNT);
    ck_assert_str_eq(last.path, "/299");
    ck_assert_ptr_nonnull(strstr(inbox.text, "\r\nConnection: close\r\n"));
    inbox_done(&inbox);
    /* Ahead of an answer that takes its time: they wait. */
    answer_at_once = false;
    opened = closed = 0;
    inbox_init(&inbox, dial());
    pump_send(&loop, inbox.fd, text, strlen(text));
    pump_ms(&loop, 20);
    ck_assert_int_eq(opened, 1);
    answer(last.stream, NULL);
    gateway_ready(gateway, last.stream, 50);
    PUMP_UNTIL(&loop, opened == 2 && closed == 1);
    ck_assert_str_eq(last.path, "/1");
    /* And the client goes away while all room is full. */
    inbox_done(&inbox);
    PUMP_UNTIL(&loop, closed == 2);
    mem_free(text);
    tear_down();
}
END_TEST

START_TEST(a_head_byte_by_byte)
{
    char text[256];
    struct inbox inbox;
    set_up(10);
    answer_at_once = true;
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", FILE_URL, host);
    inbox_init(&inbox, dial());
    for (char *c = text; *c != '\0'; c++)
        ck_assert(pump_send(&loop, inbox.fd, c, 1));
    hear(&inbox, 10);
    inbox_done(&inbox);
    tear_down();
}
END_TEST

START_TEST(a_head_that_never_ends)
{
    struct inbox inbox;
    uint64_t begun = uv_hrtime();
    set_up(10);
    inbox_init(&inbox, dial());
    while (!inbox.ended) {
        ck_assert(uv_hrtime() - begun < (LIMIT_GATEWAY_HEAD_MS + 5000) * UINT64_C(1000000));
        send(inbox.fd, "x", 1, MSG_NOSIGNAL); /* drips do not buy time */
        pump_ms(&loop, 100);
        inbox_take(&inbox);
    }
    ck_assert(uv_hrtime() - begun > (LIMIT_GATEWAY_HEAD_MS - 500) * UINT64_C(1000000));
    inbox_done(&inbox);
    tear_down();
}
END_TEST

START_TEST(too_many_connections)
{
    enum { MANY = LIMIT_GATEWAY_CONNECTIONS + 20 };
    static int fds[MANY];
    struct rlimit files = {4096, 4096};
    struct inbox inbox;
    setrlimit(RLIMIT_NOFILE, &files);
    set_up(10);
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial();
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    /* The idle ones make room for who comes with something to ask. */
    inbox_init(&inbox, dial());
    say(inbox.fd, "GET", FILE_URL, "");
    PUMP_UNTIL(&loop, opened == 1);
    for (int i = 21; i < MANY; i++)
        say(fds[i], "GET", FILE_URL, "");
    PUMP_UNTIL(&loop, opened == LIMIT_GATEWAY_CONNECTIONS);
    /* Now all are at work: the next is refused, nobody is thrown out. */
    close(inbox.fd);
    PUMP_UNTIL(&loop, closed == 1);
    inbox.fd = dial();
    say(inbox.fd, "GET", FILE_URL, "");
    PUMP_UNTIL(&loop, opened == LIMIT_GATEWAY_CONNECTIONS + 1);
    close(fds[0]);
    fds[0] = dial();
    forget(&inbox);
    struct inbox refused;
    inbox_init(&refused, fds[0]);
    PUMP_UNTIL(&loop, (inbox_take(&refused), refused.ended));
    ck_assert_int_eq(closed, 1);
    fds[0] = dup(fds[1]);
    inbox_done(&refused);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    inbox_done(&inbox);
    PUMP_UNTIL(&loop, closed == LIMIT_GATEWAY_CONNECTIONS + 1);
    tear_down();
}
END_TEST

START_TEST(out_of_descriptors)
{
    static int fillers[256];
    struct rlimit files = {128, 128};
    struct inbox inbox;
    int count = 0, fd;
    set_up(10);
    log_set_level(LOG_ERROR);
    answer_at_once = true;
    setrlimit(RLIMIT_NOFILE, &files);
    fd = dial();
    while (count < 256 && (fillers[count] = dup(0)) >= 0)
        count++;
    pump_ms(&loop, 50); /* does not spin, does not die */
    for (int i = 0; i < count; i++)
        close(fillers[i]);
    inbox_init(&inbox, fd);
    say(fd, "GET", FILE_URL, "");
    hear(&inbox, 10);
    inbox_done(&inbox);
    tear_down();
}
END_TEST

START_TEST(free_with_streams_under_way)
{
    int fds[4];
    set_up(MIB(20));
    for (int i = 0; i < 4; i++) {
        fds[i] = dial();
        if (i > 0)
            say(fds[i], "GET", FILE_URL, "");
        if (i > 0)
            PUMP_UNTIL(&loop, opened == i);
        if (i > 1)
            answer(last.stream, NULL);
        if (i > 2)
            gateway_ready(gateway, last.stream, MIB(20));
    }
    pump_ms(&loop, 10);
    tear_down();
    ck_assert_int_eq(closed, 0);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}
END_TEST

START_TEST(only_on_loopback)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    set_up(10);
    /* 127.0.0.2 is this machine too: a listener on all addresses would answer. */
    address.sin_port = htons(gateway_port(gateway));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    close(fd);
    tear_down();
}
END_TEST

TEST_MAIN("io/gateway",
          TESTS(a_whole_file, an_empty_file_and_a_head, ranges, only_our_host, only_get_and_head,
                paths_that_arrive_unchanged, targets_that_are_refused, heads_that_are_refused,
                a_body_that_comes_in_parts, ready_past_the_range, failing_before_the_head,
                failing_in_the_middle, a_file_that_is_too_short, a_media_type_with_a_line_end,
                a_client_goes_away_at_each_stage, a_thousand_requests_on_one_connection,
                requests_sent_ahead, a_head_byte_by_byte, a_head_that_never_ends,
                too_many_connections, out_of_descriptors, free_with_streams_under_way,
                only_on_loopback))
