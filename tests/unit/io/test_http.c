/* io/http: against a real nginx, and against a server that says just what a test tells it to. */
#include "io/http.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "io_test.h"
#include "nginx.h"

#include <time.h>

enum { OPS = 64 };

struct outcome {
    int heads, dones;
    struct http_head head;
    uint64_t bytes;
    char body[64];
    enum err result;
    int status;
    uint32_t retry_after_s;
};

static struct loop loop;
static struct http *http;
static struct outcome outcomes[OPS];
static void (*inject)(uint64_t op, char stage); /* what a test does from inside an event */

static void on_head(void *user, uint64_t op, const struct http_head *head)
{
    ck_assert_ptr_eq(user, &loop);
    outcomes[op].heads++;
    outcomes[op].head = *head;
    if (inject != NULL)
        inject(op, 'h');
}

static void on_body(void *user, uint64_t op, const uint8_t *data, size_t length)
{
    struct outcome *outcome = &outcomes[op];

    ck_assert_ptr_eq(user, &loop);
    ck_assert_int_ge(outcome->heads, 1);
    for (size_t i = 0; i < length && outcome->bytes + i < sizeof outcome->body - 1; i++)
        outcome->body[outcome->bytes + i] = (char)data[i];
    outcome->bytes += length;
    if (inject != NULL)
        inject(op, 'b');
}

static void on_done(void *user, uint64_t op, enum err result, int status, uint32_t retry_after_s)
{
    ck_assert_ptr_eq(user, &loop);
    outcomes[op].dones++;
    outcomes[op].result = result;
    outcomes[op].status = status;
    outcomes[op].retry_after_s = retry_after_s;
    if (inject != NULL)
        inject(op, 'd');
}

static const struct http_events events = {
    .user = &loop, .head = on_head, .body = on_body, .done = on_done};

static void set_up(const char *ca_file)
{
    log_set_level(LOG_ERROR);
    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    ck_assert_int_eq(http_new(&loop, ca_file, &events, &http), ERR_OK);
}

static void tear_down(void)
{
    http_free(http);
    loop_done(&loop);
}

static void get_range(uint64_t op, const char *url, uint64_t first, uint64_t last)
{
    http_get(http, &(struct http_request){.op = op,
                                          .url = url,
                                          .has_range = true,
                                          .first = first,
                                          .last = last,
                                          .max = last - first + 1});
}

static void get(uint64_t op, const char *url)
{
    http_get(http, &(struct http_request){.op = op, .url = url, .max = MIB(16)});
}

static const char *url_of(const char *scheme, uint16_t port, const char *path)
{
    static char urls[8][256];
    static unsigned next;
    char *url = urls[next++ % 8];

    snprintf(url, sizeof urls[0], "%s://127.0.0.1:%u%s", scheme, port, path);
    return url;
}

/* --- the scripted server: to each connection it says `reply` after a whole request head */

enum { CONNECTIONS = 16 };
static struct {
    int listener;
    uint16_t port;
    const char *reply;
    size_t length;
    bool keep_open, deaf; /* deaf: accepts and says nothing */
    int accepted, answered;
    struct inbox inboxes[CONNECTIONS];
} server;

static void server_start(const char *reply)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    memset(&server, 0, sizeof server);
    server.reply = reply;
    server.length = strlen(reply);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(server.listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(server.listener, 16), 0);
    getsockname(server.listener, (struct sockaddr *)&address, &length);
    server.port = ntohs(address.sin_port);
}

static void server_answer(struct inbox *inbox)
{
    server.answered++;
    inbox->length = 0;
    inbox->text[0] = '\0';
    ck_assert_int_eq(send(inbox->fd, server.reply, server.length, MSG_NOSIGNAL), server.length);
    if (!server.keep_open) {
        close(inbox->fd);
        inbox->fd = -1;
    }
}

/* Always false: for use in a PUMP condition. */
static bool server_turn(void)
{
    int fd = accept(server.listener, NULL, NULL);

    if (fd >= 0) {
        ck_assert_int_lt(server.accepted, CONNECTIONS);
        inbox_init(&server.inboxes[server.accepted++], fd);
    }
    for (int i = 0; i < server.accepted; i++) {
        struct inbox *inbox = &server.inboxes[i];
        if (inbox->fd >= 0 && inbox_take(inbox) && !server.deaf &&
            strstr(inbox->text, "\r\n\r\n") != NULL)
            server_answer(inbox);
    }
    return false;
}

static void server_stop(void)
{
    for (int i = 0; i < server.accepted; i++)
        inbox_done(&server.inboxes[i]);
    close(server.listener);
}

#define SERVE_UNTIL(CONDITION) PUMP_UNTIL_MS(&loop, 30000, (server_turn(), (CONDITION)))

/* One request to a server that answers so; the outcome is in outcomes[1]. */
static struct outcome *ask(const char *reply, const char *path)
{
    memset(outcomes, 0, sizeof outcomes);
    server_start(reply);
    get(1, url_of("http", server.port, path));
    ck_assert_int_eq(outcomes[1].dones, 0); /* never from inside the call */
    SERVE_UNTIL(outcomes[1].dones > 0);
    pump_ms(&loop, 5);
    ck_assert_int_eq(outcomes[1].dones, 1);
    server_stop();
    return &outcomes[1];
}

/* --- nginx */

#define LOCATIONS                                                                                  \
    "location /moved { return 302 /ten; }"                                                         \
    "location /busy { add_header Retry-After 7 always; return 503; }"                              \
    "location /packed { add_header Content-Encoding gzip; alias www/ten; }"

START_TEST(nginx_over_tls)
{
    struct nginx nginx;
    nginx_start(&nginx, LOCATIONS);
    set_up(nginx.ca);
    get(1, url_of("https", nginx.tls_port, "/ten"));
    get_range(2, url_of("https", nginx.tls_port, "/ten"), 3, 5);
    get(3, url_of("https", nginx.tls_port, "/missing"));
    get(4, url_of("https", nginx.tls_port, "/big"));
    get(5, url_of("https", nginx.tls_port, "/moved"));
    get(6, url_of("https", nginx.tls_port, "/busy"));
    get(7, url_of("https", nginx.tls_port, "/packed"));
    get_range(8, url_of("https", nginx.tls_port, "/ten"), 20, 30);
    for (int op = 1; op <= 8; op++)
        PUMP_UNTIL(&loop, outcomes[op].dones == 1);

    ck_assert_int_eq(outcomes[1].result, ERR_OK);
    ck_assert_int_eq(outcomes[1].status, 200);
    ck_assert_int_eq(outcomes[1].head.status, 200);
    ck_assert(outcomes[1].head.has_length && !outcomes[1].head.has_range);
    ck_assert_uint_eq(outcomes[1].head.length, 10);
    ck_assert_str_eq(outcomes[1].body, "0123456789");

    ck_assert_int_eq(outcomes[2].result, ERR_OK);
    ck_assert_int_eq(outcomes[2].head.status, 206);
    ck_assert(outcomes[2].head.has_range);
    ck_assert_uint_eq(outcomes[2].head.first, 3);
    ck_assert_uint_eq(outcomes[2].head.last, 5);
    ck_assert_uint_eq(outcomes[2].head.total, 10);
    ck_assert_str_eq(outcomes[2].body, "345");

    ck_assert_int_eq(outcomes[3].result, ERR_OK);
    ck_assert_int_eq(outcomes[3].status, 404);
    ck_assert_uint_eq(outcomes[3].bytes, 0);
    ck_assert_uint_eq(outcomes[4].bytes, 3000000);
    ck_assert_int_eq(outcomes[5].result, ERR_OK);
    ck_assert_int_eq(outcomes[5].status, 302);
    ck_assert_int_eq(outcomes[6].status, 503);
    ck_assert_uint_eq(outcomes[6].retry_after_s, 7);
    ck_assert_int_eq(outcomes[7].result, ERR_UNSUPPORTED);
    ck_assert_int_eq(outcomes[7].heads, 0);
    ck_assert_uint_eq(outcomes[7].bytes, 0);
    ck_assert_int_eq(outcomes[8].result, ERR_OK);
    ck_assert_int_eq(outcomes[8].status, 416);
    tear_down();
    nginx_stop(&nginx);
}
END_TEST

START_TEST(one_connection_and_no_traces)
{
    struct nginx nginx;
    unsigned first = 0, connection;
    int lines = 0;
    nginx_start(&nginx, "add_header Set-Cookie a=b;");
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    set_up(nginx.ca);
    for (int op = 1; op <= 20; op++)
        get((uint64_t)op, url_of("https", nginx.tls_port, "/ten"));
    for (int op = 1; op <= 20; op++)
        PUMP_UNTIL(&loop, outcomes[op].dones == 1 && outcomes[op].bytes == 10);
    get(21, url_of("https", nginx.tls_port, "/a/b/../x/./%2e%2e//c"));
    PUMP_UNTIL(&loop, outcomes[21].dones == 1);
    for (char *line = strtok(nginx_read_log(&nginx), "\n"); line != NULL;
         line = strtok(NULL, "\n"), lines++) {
        char rest[256];
        ck_assert_int_eq(sscanf(line, "%u %255[^\n]", &connection, rest), 2);
        first = lines == 0 ? connection : first;
        ck_assert_uint_eq(connection, first);
        if (lines < 20)
            ck_assert_str_eq(rest,
                             "HTTP/2.0 200 /ten \"fringe/" FRINGE_VERSION "\" \"identity\" \"-\"");
        else
            ck_assert_ptr_nonnull(strstr(rest, "/a/b/../x/./%2e%2e//c"));
    }
    ck_assert_int_eq(lines, 21);
    tear_down();
    nginx_stop(&nginx);
}
END_TEST

START_TEST(certificates_are_verified)
{
    struct nginx nginx;
    char url[64];
    nginx_start(&nginx, "");
    set_up(nginx.other_ca);
    get(1, url_of("https", nginx.tls_port, "/ten"));
    get(2, url_of("https", nginx.plain_port, "/ten")); /* no TLS there */
    PUMP_UNTIL(&loop, outcomes[1].dones == 1 && outcomes[2].dones == 1);
    ck_assert_int_eq(outcomes[1].result, ERR_TLS);
    ck_assert_int_eq(outcomes[1].status, 0);
    ck_assert_int_eq(outcomes[2].result, ERR_TLS);
    tear_down();
    /* The system's authorities do not know it either. */
    set_up(NULL);
    get(3, url_of("https", nginx.tls_port, "/ten"));
    PUMP_UNTIL(&loop, outcomes[3].dones == 1);
    ck_assert_int_eq(outcomes[3].result, ERR_TLS);
    tear_down();
    /* Right authority, another name. */
    set_up(nginx.ca);
    snprintf(url, sizeof url, "https://127.0.0.2:%u/ten", nginx.tls_port);
    get(4, url);
    snprintf(url, sizeof url, "https://localhost:%u/ten", nginx.tls_port);
    get(5, url);
    PUMP_UNTIL(&loop, outcomes[4].dones == 1 && outcomes[5].dones == 1);
    ck_assert_int_ne(outcomes[4].result, ERR_OK);
    ck_assert_int_eq(outcomes[5].result, ERR_OK);
    ck_assert_uint_eq(outcomes[1].bytes + outcomes[2].bytes + outcomes[3].bytes, 0);
    tear_down();
    nginx_stop(&nginx);
}
END_TEST

START_TEST(a_missing_ca_file_is_said_at_once)
{
    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    ck_assert_int_eq(http_new(&loop, "/nonexistent/ca.pem", &events, &http), ERR_NOT_FOUND);
    loop_done(&loop);
}
END_TEST

START_TEST(body_over_max)
{
    struct nginx nginx;
    nginx_start(&nginx, "");
    set_up(nginx.ca);
    http_get(http, &(struct http_request){
                       .op = 1, .url = url_of("https", nginx.tls_port, "/big"), .max = 2999999});
    PUMP_UNTIL(&loop, outcomes[1].dones == 1);
    ck_assert_int_eq(outcomes[1].result, ERR_TOO_LARGE);
    ck_assert_int_eq(outcomes[1].status, 200);
    ck_assert_int_eq(outcomes[1].heads, 1);
    ck_assert_uint_eq(outcomes[1].bytes, 0); /* it was announced */
    http_get(http, &(struct http_request){
                       .op = 2, .url = url_of("https", nginx.tls_port, "/big"), .max = 3000000});
    PUMP_UNTIL(&loop, outcomes[2].dones == 1);
    ck_assert_int_eq(outcomes[2].result, ERR_OK);
    ck_assert_uint_eq(outcomes[2].bytes, 3000000);
    tear_down();
    nginx_stop(&nginx);
    /* Not announced. */
    set_up(NULL);
    server_start("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
    http_get(http,
             &(struct http_request){.op = 3, .url = url_of("http", server.port, "/"), .max = 5});
    SERVE_UNTIL(outcomes[3].dones == 1);
    ck_assert_int_eq(outcomes[3].result, ERR_TOO_LARGE);
    ck_assert_uint_le(outcomes[3].bytes, 5);
    server_stop();
    tear_down();
}
END_TEST

/* --- the scripted server */

START_TEST(odd_answers)
{
    struct outcome *outcome;
    set_up(NULL);
    outcome = ask("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 77\r\n"
                  "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                  "/");
    ck_assert_int_eq(outcome->result, ERR_OK);
    ck_assert_int_eq(outcome->heads, 1);
    ck_assert_uint_eq(outcome->head.length, 2);
    outcome = ask("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
                  "X-Trailer: 1\r\n\r\n",
                  "/");
    ck_assert_int_eq(outcome->result, ERR_OK);
    ck_assert_int_eq(outcome->heads, 1);
    ck_assert(!outcome->head.has_length);
    ck_assert_str_eq(outcome->body, "ok");
    outcome = ask("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nok", "/");
    ck_assert_int_eq(outcome->result, ERR_UNSUPPORTED);
    ck_assert_int_eq(outcome->status, 200);
    outcome =
        ask("HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\nContent-Length: 2\r\n\r\nok", "/");
    ck_assert_int_eq(outcome->result, ERR_OK);
    outcome = ask("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: identity\r\n"
                  "Content-Length: 2\r\n\r\nok",
                  "/");
    ck_assert_int_eq(outcome->result, ERR_UNSUPPORTED);
    outcome = ask("HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-1/2\r\n\r\nok", "/");
    ck_assert_int_eq(outcome->result, ERR_OK);
    ck_assert(!outcome->head.has_range);
    outcome = ask("HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-1/*\r\n\r\nok", "/");
    ck_assert(outcome->head.has_range);
    ck_assert_uint_eq(outcome->head.total, UINT64_MAX);
    outcome = ask("SSH-2.0-OpenSSH_9.2\r\n", "/");
    ck_assert_int_eq(outcome->result, ERR_NETWORK);
    outcome = ask("", "/");
    ck_assert_int_eq(outcome->result, ERR_NETWORK);
    tear_down();
}
END_TEST

START_TEST(the_server_breaks_off)
{
    struct outcome *outcome;
    set_up(NULL);
    outcome = ask("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "/");
    ck_assert_int_eq(outcome->result, ERR_NETWORK);
    ck_assert_int_eq(outcome->status, 200);
    ck_assert_str_eq(outcome->body, "short");
    outcome = ask("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort", "/");
    ck_assert_int_eq(outcome->result, ERR_NETWORK);
    outcome = ask("HTTP/1.1 200 OK\r\nConte", "/");
    ck_assert_int_eq(outcome->heads, 0);
    ck_assert_int_eq(outcome->result, ERR_NETWORK);
    tear_down();
}
END_TEST

START_TEST(nobody_listens)
{
    set_up(NULL);
    get(1, url_of("http", free_port(), "/"));
    get(2, "https://nosuchhost.invalid/");
    get(3, "file:///etc/passwd");
    get(4, "ftp://127.0.0.1/x");
    get(5, "not a url");
    get(6, "http://me:secret@127.0.0.1/");
    for (int op = 1; op <= 6; op++) {
        PUMP_UNTIL_MS(&loop, 30000, outcomes[op].dones == 1);
        ck_assert_int_eq(outcomes[op].heads, 0);
        ck_assert_int_eq(outcomes[op].status, 0);
        ck_assert_int_eq(outcomes[op].result, op <= 2 ? ERR_NETWORK : ERR_BAD_URL);
    }
    tear_down();
}
END_TEST

/* A tracker that a site names may not be the visitor's router. */
START_TEST(a_private_address_when_only_public_ones_will_do)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"};
    char url[64];
    set_up(NULL);
    server_start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for (uint64_t op = 0; op < sizeof hosts / sizeof hosts[0]; op++) {
        snprintf(url, sizeof url, "http://%s:%u/", hosts[op], server.port);
        http_get(http, &(struct http_request){.op = op, .url = url, .public_only = true});
        SERVE_UNTIL(outcomes[op].dones == 1);
        ck_assert_int_eq(outcomes[op].result, ERR_REFUSED);
    }
    ck_assert_int_eq(server.accepted, 0);
    get(10, url_of("http", server.port, "/"));
    SERVE_UNTIL(outcomes[10].dones == 1);
    ck_assert_int_eq(outcomes[10].result, ERR_OK);
    server_stop();
    tear_down();
}
END_TEST

START_TEST(endless_heads)
{
    char *reply = mem_alloc(KIB(80));
    size_t length = (size_t)sprintf(reply, "HTTP/1.1 200 OK\r\n");
    set_up(NULL);
    while (length < LIMIT_HTTP_HEADERS)
        length += (size_t)sprintf(reply + length, "X-Filler-%zu: %0900d\r\n", length, 1);
    strcpy(reply + length, "Content-Length: 0\r\n\r\n");
    ck_assert_int_eq(ask(reply, "/")->result, ERR_TOO_LARGE);
    ck_assert_int_eq(outcomes[1].heads, 0);
    mem_free(reply);
    tear_down();
}
END_TEST

static uint32_t retry_after_of(const char *value)
{
    char reply[256];

    snprintf(reply, sizeof reply,
             "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", value);
    ask(reply, "/");
    ck_assert_int_eq(outcomes[1].result, ERR_OK);
    ck_assert_int_eq(outcomes[1].status, 503);
    return outcomes[1].retry_after_s;
}

START_TEST(retry_after)
{
    time_t soon = time(NULL) + 100;
    char date[64];
    set_up(NULL);
    ck_assert_uint_eq(retry_after_of("120"), 120);
    ck_assert_uint_eq(retry_after_of("0"), 0);
    ck_assert_uint_eq(retry_after_of("86400"), 3600);
    ck_assert_uint_eq(retry_after_of("-5"), 0);
    ck_assert_uint_eq(retry_after_of("tomorrow"), 0);
    ck_assert_uint_eq(retry_after_of("Thu, 01 Jan 1970 00:00:01 GMT"), 0);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&soon));
    ck_assert_uint_ge(retry_after_of(date), 90);
    ck_assert_uint_le(outcomes[1].retry_after_s, 100);
    tear_down();
}
END_TEST

/* The rest of a refusal is neither told nor awaited. */
START_TEST(long_refusals)
{
    char *reply = mem_alloc(KIB(200));
    size_t length = (size_t)sprintf(reply, "HTTP/1.1 404 No\r\nContent-Length: 9999999\r\n\r\n");
    set_up(NULL);
    memset(reply + length, 'x', KIB(100));
    reply[length + KIB(100)] = '\0';
    ck_assert_int_eq(ask(reply, "/")->result, ERR_OK);
    ck_assert_int_eq(outcomes[1].status, 404);
    ck_assert_uint_eq(outcomes[1].bytes, 0);
    ck_assert_int_eq(ask("HTTP/1.1 404 No\r\nContent-Length: 100\r\n\r\nshort", "/")->result,
                     ERR_OK);
    mem_free(reply);
    tear_down();
}
END_TEST

START_TEST(time_limits)
{
    uint64_t begun = uv_hrtime();
    set_up(NULL);
    server_start("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
    server.keep_open = true;
    http_get(http,
             &(struct http_request){
                 .op = 1, .url = url_of("http", server.port, "/"), .max = 10, .timeout_ms = 300});
    SERVE_UNTIL(outcomes[1].dones == 1);
    ck_assert_int_eq(outcomes[1].result, ERR_TIMEOUT);
    ck_assert_int_eq(outcomes[1].status, 200);
    ck_assert_uint_lt(uv_hrtime() - begun, 3000000000u);
    /* A body that stands still, and a head that never comes. */
    get(2, url_of("http", server.port, "/"));
    SERVE_UNTIL(outcomes[2].heads == 1);
    server.deaf = true;
    get(3, url_of("http", server.port, "/"));
    SERVE_UNTIL(outcomes[2].dones == 1 && outcomes[3].dones == 1);
    ck_assert_int_eq(outcomes[2].result, ERR_TIMEOUT);
    ck_assert_int_eq(outcomes[3].result, ERR_TIMEOUT);
    ck_assert_uint_ge(uv_hrtime() - begun, (LIMIT_HTTP_STALL_MS - 1000) * UINT64_C(1000000));
    ck_assert_uint_lt(uv_hrtime() - begun, (LIMIT_HTTP_STALL_MS + 6000) * UINT64_C(1000000));
    server_stop();
    tear_down();
}
END_TEST

/* A listener whose queue is full lets connecting hang, as a dead host does. */
START_TEST(connecting_takes_too_long)
{
    int fillers[8];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t begun = uv_hrtime();
    set_up(NULL);
    server_start("");
    ck_assert_int_eq(listen(server.listener, 0), 0);
    address.sin_port = htons(server.port);
    for (int i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    get(1, url_of("http", server.port, "/"));
    PUMP_UNTIL_MS(&loop, LIMIT_HTTP_CONNECT_MS + 5000, outcomes[1].dones == 1);
    ck_assert_int_eq(outcomes[1].result, ERR_TIMEOUT);
    ck_assert_uint_ge(uv_hrtime() - begun, (LIMIT_HTTP_CONNECT_MS - 100) * UINT64_C(1000000));
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
    server_stop();
    tear_down();
}
END_TEST

/* Requests that wait for one of the two connections are not timed out for the waiting. */
START_TEST(two_connections_and_a_queue)
{
    set_up(NULL);
    server_start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    server.keep_open = server.deaf = true;
    for (int op = 1; op <= 6; op++)
        get((uint64_t)op, url_of("http", server.port, "/"));
    SERVE_UNTIL(server.accepted == LIMIT_ORIGIN_CONNECTIONS);
    uint64_t until = uv_hrtime() + (LIMIT_HTTP_CONNECT_MS + 1500) * UINT64_C(1000000);
    SERVE_UNTIL(uv_hrtime() > until);
    ck_assert_int_eq(server.accepted, LIMIT_ORIGIN_CONNECTIONS);
    server.deaf = false;
    for (int i = 0; i < server.accepted; i++)
        server_answer(&server.inboxes[i]);
    for (int op = 1; op <= 6; op++) {
        SERVE_UNTIL(outcomes[op].dones == 1);
        ck_assert_msg(outcomes[op].result == ERR_OK, "request %d: %s", op,
                      err_name(outcomes[op].result));
    }
    ck_assert_int_eq(server.accepted, LIMIT_ORIGIN_CONNECTIONS);
    server_stop();
    tear_down();
}
END_TEST

/* --- cancelling */

START_TEST(cancel_from_outside_at_each_stage)
{
    set_up(NULL);
    server_start("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
    server.keep_open = true;
    get(1, url_of("http", server.port, "/"));
    http_cancel(http, 1); /* before anything happened */
    http_cancel(http, 1);
    http_cancel(http, 99);
    get(1, url_of("http", server.port, "/")); /* the number is free again */
    SERVE_UNTIL(server.accepted == 1);
    http_cancel(http, 1); /* connected */
    get(2, url_of("http", server.port, "/"));
    SERVE_UNTIL(outcomes[2].bytes == 5);
    http_cancel(http, 2); /* in the body */
    get(3, "http://nosuchhost.invalid/");
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    http_cancel(http, 3); /* while the name is looked up */
    pump_ms(&loop, 100);
    ck_assert_int_eq(outcomes[1].heads + outcomes[1].dones, 0);
    ck_assert_int_eq(outcomes[2].dones + outcomes[3].dones, 0);
    server_stop();
    tear_down();
}
END_TEST

static char cancel_stage;

/* From inside an event of 1: ends it and its neighbours and begins others. */
static void meddle(uint64_t op, char stage)
{
    if (op != 1 || stage != cancel_stage)
        return;
    http_cancel(http, 1);
    http_cancel(http, 2);
    get(1, url_of("http", server.port, "/again")); /* the same number, within its own event */
    get(3, url_of("http", server.port, "/"));
    get(4, url_of("http", server.port, "/"));
    http_cancel(http, 4);
    cancel_stage = 0;
}

START_TEST(cancel_from_inside_at_each_stage)
{
    for (const char *stage = "hbd"; *stage != '\0'; stage++) {
        memset(outcomes, 0, sizeof outcomes);
        cancel_stage = *stage;
        inject = meddle;
        set_up(NULL);
        server_start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        get(1, url_of("http", server.port, "/"));
        get(2, url_of("http", server.port, "/"));
        SERVE_UNTIL(outcomes[1].dones == (*stage == 'd' ? 2 : 1) && outcomes[3].dones == 1);
        pump_ms(&loop, 20);
        ck_assert_int_eq(outcomes[1].heads, 2);
        ck_assert_uint_eq(outcomes[1].bytes, *stage == 'h' ? 2 : 4);
        ck_assert_int_eq(outcomes[1].dones, *stage == 'd' ? 2 : 1);
        ck_assert_int_eq(outcomes[1].result, ERR_OK);
        ck_assert_int_eq(outcomes[4].dones + outcomes[4].heads, 0);
        server_stop();
        tear_down();
    }
}
END_TEST

/* --- back-pressure */

#define CHUNK 5000

static bool is_held;
static uint64_t told; /* body events of paced requests */

static void get_paced(uint64_t op, const char *url)
{
    http_get(http, &(struct http_request){.op = op, .url = url, .max = MIB(16), .paced = true});
}

/* Each bit of a paced body is the last for now. Ops from 10 on are not paced. */
static void hold_after_body(uint64_t op, char stage)
{
    if (stage != 'b' || op >= 10)
        return;
    ck_assert(!is_held);
    told++;
    is_held = true;
    http_receive(http, true, CHUNK);
}

static void release(void)
{
    is_held = false;
    http_receive(http, false, CHUNK);
}

static void start_held(const char *ca)
{
    memset(outcomes, 0, sizeof outcomes);
    told = 0;
    is_held = true;
    inject = hold_after_body;
    set_up(ca);
    http_receive(http, true, CHUNK);
}

static void check_held(const char *scheme, uint16_t port, const struct nginx *nginx)
{
    start_held(nginx->ca);
    get_paced(1, url_of(scheme, port, "/big"));
    get_paced(2, url_of(scheme, port, "/big"));
    PUMP_UNTIL(&loop, outcomes[1].heads == 1 && outcomes[2].heads == 1);
    pump_ms(&loop, 50);
    ck_assert_uint_eq(outcomes[1].bytes + outcomes[2].bytes, 0);
    get(10, url_of(scheme, port, "/ten")); /* is not held, but waits for a connection */
    while (outcomes[1].dones + outcomes[2].dones < 2) {
        uint64_t before = told;
        release();
        PUMP_UNTIL(&loop, told > before || outcomes[1].dones + outcomes[2].dones == 2);
        if (told == 180) { /* of 366 at least: both come, in turns */
            ck_assert_uint_gt(outcomes[1].bytes, 100000);
            ck_assert_uint_gt(outcomes[2].bytes, 100000);
        }
        is_held = false; /* the end is no body */
    }
    PUMP_UNTIL(&loop, outcomes[10].dones == 1);
    for (int op = 1; op <= 2; op++) {
        ck_assert_int_eq(outcomes[op].result, ERR_OK);
        ck_assert_uint_eq(outcomes[op].bytes, 3000000);
    }
    ck_assert_uint_ge(told, 2 * 3000000 / KIB(16)); /* small bits */
    tear_down();
}

START_TEST(paced_bodies_wait)
{
    struct nginx nginx;

    nginx_start(&nginx, LOCATIONS);
    check_held("http", nginx.plain_port, &nginx);
    check_held("https", nginx.tls_port, &nginx); /* not on one HTTP/2 connection */
    inject = NULL;
    nginx_stop(&nginx);
}
END_TEST

START_TEST(cancel_and_free_while_they_wait)
{
    struct nginx nginx;

    nginx_start(&nginx, LOCATIONS);
    start_held(nginx.ca);
    for (uint64_t op = 1; op <= 3; op++)
        get_paced(op, url_of("https", nginx.tls_port, "/big"));
    PUMP_UNTIL(&loop, outcomes[1].heads + outcomes[2].heads + outcomes[3].heads == 2);
    pump_ms(&loop, 20);
    http_cancel(http, 1);
    release();
    http_cancel(http, 2); /* though it was about to go on */
    PUMP_UNTIL(&loop, told >= 1);
    ck_assert_uint_eq(outcomes[1].bytes + outcomes[2].bytes, 0);
    get_paced(1, url_of("https", nginx.tls_port, "/ten")); /* a used handle is not paused */
    release();
    PUMP_UNTIL(&loop, told >= 2);
    is_held = true;
    http_receive(http, true, CHUNK);
    pump_ms(&loop, 20);
    tear_down();
    inject = NULL;
    nginx_stop(&nginx);
}
END_TEST

START_TEST(free_with_requests_under_way)
{
    set_up(NULL);
    server_start("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
    server.keep_open = true;
    for (int op = 1; op <= 6; op++)
        get((uint64_t)op, url_of("http", server.port, "/"));
    get(7, "http://nosuchhost.invalid/");
    SERVE_UNTIL(server.answered == 2);
    tear_down();
    for (int op = 1; op <= 6; op++)
        ck_assert_int_eq(outcomes[op].dones, 0);
    server_stop();
}
END_TEST

TEST_MAIN("io/http",
          TESTS(nginx_over_tls, one_connection_and_no_traces, certificates_are_verified,
                a_missing_ca_file_is_said_at_once, body_over_max, odd_answers,
                the_server_breaks_off, nobody_listens,
                a_private_address_when_only_public_ones_will_do, endless_heads, retry_after,
                long_refusals, time_limits, connecting_takes_too_long, two_connections_and_a_queue,
                cancel_from_outside_at_each_stage, cancel_from_inside_at_each_stage,
                paced_bodies_wait, cancel_and_free_while_they_wait, free_with_requests_under_way))
