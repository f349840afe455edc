/* io/udp: datagrams out and back, who may answer, what cannot be reached. */
#include "base/limits.h"
#include "io/udp.h"
#include "io_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

struct probe {
    struct loop loop;
    struct udp *udp;
    unsigned received, failed;
    uint64_t op;
    enum err why;
    struct address from;
    size_t length;
    char text[64];
};

static void received(void *user, uint64_t op, const struct address *from, const uint8_t *data,
                     size_t length)
{
    struct probe *probe = user;

    probe->received++;
    probe->op = op;
    probe->from = *from;
    probe->length = length;
    snprintf(probe->text, sizeof probe->text, "%.*s", (int)(length < 60 ? length : 60),
             (const char *)data);
}

static void failed(void *user, uint64_t op, enum err why)
{
    struct probe *probe = user;

    probe->failed++;
    probe->op = op;
    probe->why = why;
}

static void begin(struct probe *probe)
{
    *probe = (struct probe){0};
    ck_assert_int_eq(loop_init(&probe->loop), ERR_OK);
    probe->udp = udp_new(&probe->loop, &(struct udp_events){probe, received, failed});
}

static void end(struct probe *probe)
{
    udp_free(probe->udp);
    loop_done(&probe->loop);
}

/* A server on loopback. */
static int serve(int family, uint16_t *ret_port)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    int fd = socket(family, SOCK_DGRAM, 0);

    ck_assert_int_eq(bind(fd, family == AF_INET ? (void *)&four : (void *)&six,
                          family == AF_INET ? sizeof four : sizeof six),
                     0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
    *ret_port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
    return fd;
}

static void say(struct probe *probe, uint64_t op, const char *host, uint16_t port, const char *text)
{
    udp_send(probe->udp,
             &(struct udp_request){
                 .op = op, .host = host, .port = port, .data = text, .length = strlen(text)});
}

/* What the server hears next, and from where. */
static void hear(struct probe *probe, int fd, const char *wanted, struct sockaddr_storage *from)
{
    char text[64] = "";
    socklen_t size = sizeof *from;
    ssize_t length = -1;

    PUMP_UNTIL(&probe->loop, (length = recvfrom(fd, text, sizeof text - 1, MSG_DONTWAIT,
                                                (struct sockaddr *)from, &size)) >= 0);
    ck_assert_uint_eq((size_t)length, strlen(wanted));
    ck_assert_str_eq(text, wanted);
}

static void answer(int fd, const void *data, size_t length, const struct sockaddr_storage *to)
{
    socklen_t size =
        to->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    ck_assert_int_eq(sendto(fd, data, length, 0, (const struct sockaddr *)to, size),
                     (ssize_t)length);
}

static void check_exchange(int family, const char *host, const char *from_text)
{
    struct probe probe;
    struct sockaddr_storage first, second;
    uint16_t port;
    char text[ADDRESS_TEXT];
    int fd = serve(family, &port);

    begin(&probe);
    say(&probe, 7, host, port, "one");
    hear(&probe, fd, "one", &first);
    say(&probe, 7, host, port, "two");
    hear(&probe, fd, "two", &second);
    ck_assert_mem_eq(&first, &second, sizeof(struct sockaddr_in));
    answer(fd, "three", 5, &first);
    PUMP_UNTIL(&probe.loop, probe.received == 1);
    ck_assert_uint_eq(probe.op, 7);
    ck_assert_str_eq(probe.text, "three");
    probe.from.port = 1;
    address_format(&probe.from, text);
    ck_assert_str_eq(text, from_text);
    close(fd);
    end(&probe);
}

START_TEST(datagrams_go_and_come)
{
    check_exchange(AF_INET, "127.0.0.1", "127.0.0.1:1");
    check_exchange(AF_INET, "localhost", "127.0.0.1:1");
    check_exchange(AF_INET6, "::1", "[::1]:1");
}
END_TEST

static void say_over(struct probe *probe, uint64_t op, uint8_t family, const char *host,
                     uint16_t port)
{
    udp_send(probe->udp,
             &(struct udp_request){
                 .op = op, .host = host, .port = port, .family = family, .data = "x", .length = 1});
}

START_TEST(another_family_is_not_used)
{
    struct probe probe;
    struct sockaddr_storage from;
    uint16_t port, port6;
    int fd = serve(AF_INET, &port), fd6 = serve(AF_INET6, &port6);

    begin(&probe);
    say_over(&probe, 1, 4, "127.0.0.1", port);
    hear(&probe, fd, "x", &from);
    say_over(&probe, 2, 6, "::1", port6);
    hear(&probe, fd6, "x", &from);
    say_over(&probe, 3, 6, "127.0.0.1", port);
    PUMP_UNTIL(&probe.loop, probe.failed == 1);
    ck_assert_uint_eq(probe.op, 3);
    ck_assert_int_eq(probe.why, ERR_NOT_FOUND);
    say_over(&probe, 4, 4, "::1", port6);
    PUMP_UNTIL(&probe.loop, probe.failed == 2);
    ck_assert_uint_eq(probe.op, 4);
    close(fd);
    close(fd6);
    end(&probe);
}
END_TEST

START_TEST(only_the_one_that_was_asked_is_heard)
{
    struct probe probe;
    struct sockaddr_storage from;
    uint16_t port, other_port;
    int fd = serve(AF_INET, &port), other = serve(AF_INET, &other_port);

    begin(&probe);
    say(&probe, 1, "127.0.0.1", port, "x");
    hear(&probe, fd, "x", &from);
    answer(other, "forged", 6, &from);
    pump_ms(&probe.loop, 50);
    ck_assert_uint_eq(probe.received, 0);
    answer(fd, "true", 4, &from);
    PUMP_UNTIL(&probe.loop, probe.received == 1);
    ck_assert_str_eq(probe.text, "true");
    close(fd);
    close(other);
    end(&probe);
}
END_TEST

START_TEST(what_is_too_long_is_lost)
{
    struct probe probe;
    struct sockaddr_storage from;
    uint16_t port;
    static char longest[LIMIT_UDP_TRACKER_REPLY + 1];
    int fd = serve(AF_INET, &port);

    begin(&probe);
    say(&probe, 1, "127.0.0.1", port, "x");
    hear(&probe, fd, "x", &from);
    answer(fd, longest, sizeof longest, &from);
    answer(fd, longest, sizeof longest - 1, &from);
    PUMP_UNTIL(&probe.loop, probe.received == 1);
    ck_assert_uint_eq(probe.length, LIMIT_UDP_TRACKER_REPLY);
    answer(fd, "", 0, &from); /* an empty one is one, too */
    PUMP_UNTIL(&probe.loop, probe.received == 2);
    ck_assert_uint_eq(probe.length, 0);
    close(fd);
    end(&probe);
}
END_TEST

START_TEST(what_cannot_be_reached_fails)
{
    struct probe probe;
    uint16_t port;
    int fd = serve(AF_INET, &port);

    begin(&probe);
    say(&probe, 1, "no-such-host.invalid", 1, "x");
    ck_assert_uint_eq(probe.failed, 0); /* not from inside the call */
    PUMP_UNTIL(&probe.loop, probe.failed == 1);
    ck_assert_int_eq(probe.why, ERR_NOT_FOUND);
    udp_send(probe.udp, &(struct udp_request){.op = 2,
                                              .host = "localhost",
                                              .port = port,
                                              .public_only = true,
                                              .data = "x",
                                              .length = 1});
    PUMP_UNTIL(&probe.loop, probe.failed == 2);
    ck_assert_uint_eq(probe.op, 2);
    ck_assert_int_eq(probe.why, ERR_REFUSED);
    close(fd);
    say(&probe, 3, "127.0.0.1", port, "x"); /* nobody listens there any more */
    PUMP_UNTIL(&probe.loop, probe.failed == 3);
    ck_assert_int_eq(probe.why, ERR_REFUSED);
    end(&probe);
}
END_TEST

START_TEST(there_is_a_limit)
{
    struct probe probe;
    uint16_t port;
    int fd = serve(AF_INET, &port);

    begin(&probe);
    for (uint64_t op = 1; op <= UDP_OPS_MAX; op++)
        say(&probe, op, "127.0.0.1", port, "x");
    say(&probe, 1000, "127.0.0.1", port, "x");
    PUMP_UNTIL(&probe.loop, probe.failed == 1);
    ck_assert_uint_eq(probe.op, 1000);
    ck_assert_int_eq(probe.why, ERR_BUSY);
    udp_end(probe.udp, 5);
    udp_end(probe.udp, 5);
    say(&probe, 1001, "127.0.0.1", port, "x");
    pump_ms(&probe.loop, 50);
    ck_assert_uint_eq(probe.failed, 1);
    close(fd);
    end(&probe);
}
END_TEST

START_TEST(it_may_end_at_any_time)
{
    struct probe probe;
    struct sockaddr_storage from;
    uint16_t port;
    int fd = serve(AF_INET, &port);

    begin(&probe);
    say(&probe, 1, "127.0.0.1", port, "x");
    say(&probe, 2, "no-such-host.invalid", 1, "x");
    udp_end(probe.udp, 2); /* while its name is looked up */
    hear(&probe, fd, "x", &from);
    answer(fd, "late", 4, &from);
    udp_end(probe.udp, 1);
    pump_ms(&probe.loop, 50);
    ck_assert_uint_eq(probe.received + probe.failed, 0);
    say(&probe, 3, "localhost", port, "x");
    close(fd);
    end(&probe); /* while a name is looked up */
}
END_TEST

TEST_MAIN("io.udp", TESTS(datagrams_go_and_come, another_family_is_not_used,
                          only_the_one_that_was_asked_is_heard, what_is_too_long_is_lost,
                          what_cannot_be_reached_fails, there_is_a_limit, it_may_end_at_any_time))
