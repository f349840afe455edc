/* io/multicast: what is said to a group is heard by all that listen, and nothing else is. On a
 * network of its own: a namespace with one pair of interfaces. */
#include "base/limits.h"
#include "io/multicast.h"
#include "io_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>

#define HERE "10.99.0.1"

struct ear {
    struct multicast *multicast;
    unsigned heard[2]; /* IPv4, IPv6 */
    struct address from;
    size_t length;
    char text[16];
};

static struct loop loop;

static void put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* From here on this process is alone on its network. */
static void leave(void)
{
    char map[64];
    uid_t uid = getuid();
    gid_t gid = getgid();

    ck_assert_int_eq(unshare(CLONE_NEWNET | (uid != 0 ? CLONE_NEWUSER : 0)), 0);
    if (uid == 0)
        return;
    put_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
    put_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", (unsigned)gid);
    put_file("/proc/self/gid_map", map);
}

static void make_network(void)
{
    leave();
    ck_assert_int_eq(system("PATH=$PATH:/usr/sbin:/sbin; ip link set lo up &&"
                            "ip link add near type veth peer name far &&"
                            "ip address add " HERE "/24 dev near &&"
                            "ip -6 address add fd99::1/64 dev near nodad &&"
                            "ip link set near up && ip link set far up"),
                     0);
}

static void on_heard(void *user, const struct address *from, const uint8_t *data, size_t length)
{
    struct ear *ear = user;

    ear->heard[from->family == 6]++;
    ear->from = *from;
    ear->length = length;
    snprintf(ear->text, sizeof ear->text, "%.*s", (int)(length < 15 ? length : 15),
             (const char *)data);
}

static void listen_with(struct ear *ear)
{
    *ear = (struct ear){0};
    ck_assert_int_eq(
        multicast_new(&loop, &(struct multicast_events){ear, on_heard}, &ear->multicast), ERR_OK);
}

static void begin(struct ear *one, struct ear *two)
{
    make_network();
    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    listen_with(one);
    listen_with(two);
}

static void end(struct ear *one, struct ear *two)
{
    multicast_free(one->multicast);
    multicast_free(two->multicast);
    loop_done(&loop);
}

/* A network that has just come up may lose the first. */
static void say_until_heard(struct ear *from, struct ear *by, uint8_t family, const char *text)
{
    bool six = family == 6;

    for (int i = 0; i < 100 && by->heard[six] == 0; i++) {
        multicast_send(from->multicast, family, text, strlen(text));
        pump_ms(&loop, 100);
    }
    ck_assert_uint_ge(by->heard[six], 1);
    ck_assert_str_eq(by->text, text);
}

START_TEST(two_hear_each_other_in_both_families)
{
    struct ear one, two;
    char text[ADDRESS_TEXT];

    begin(&one, &two);
    say_until_heard(&one, &two, 4, "four");
    address_format(&two.from, text);
    ck_assert_int_eq(strncmp(text, HERE ":", strlen(HERE) + 1), 0);
    ck_assert_uint_ge(one.heard[0], 1); /* oneself, too */
    ck_assert_uint_eq(two.heard[1], 0);
    say_until_heard(&two, &one, 6, "six");
    ck_assert_uint_eq(one.from.family, 6);
    end(&one, &two);
}
END_TEST

START_TEST(what_is_too_long_is_lost)
{
    struct ear one, two;
    static char data[LIMIT_LSD_MESSAGE + 1];

    begin(&one, &two);
    memset(data, 'x', sizeof data);
    say_until_heard(&one, &two, 4, "ready");
    pump_ms(&loop, 50);
    two.heard[0] = 0;
    multicast_send(one.multicast, 4, data, sizeof data);
    multicast_send(one.multicast, 4, data, sizeof data - 1);
    PUMP_UNTIL(&loop, two.heard[0] > 0);
    ck_assert_uint_eq(two.heard[0], 1);
    ck_assert_uint_eq(two.length, LIMIT_LSD_MESSAGE);
    end(&one, &two);
}
END_TEST

/* From beyond the network only datagrams to our own address can come. */
START_TEST(what_was_not_sent_to_the_group_is_not_heard)
{
    struct ear one, two;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(6771)};

    begin(&one, &two);
    say_until_heard(&one, &two, 4, "ready");
    pump_ms(&loop, 50);
    two.heard[0] = 0;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    inet_pton(AF_INET, HERE, &to.sin_addr);
    sendto(fd, "direct", 6, 0, (struct sockaddr *)&to, sizeof to); /* refused, perhaps */
    close(fd);
    multicast_send(one.multicast, 4, "all", 3);
    PUMP_UNTIL(&loop, two.heard[0] > 0);
    ck_assert_str_eq(two.text, "all");
    ck_assert_uint_eq(two.heard[0], 1);
    end(&one, &two);
}
END_TEST

START_TEST(an_interface_that_comes_later)
{
    struct ear one, two;

    leave();
    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    listen_with(&one);
    listen_with(&two);
    multicast_send(one.multicast, 4, "nobody", 6);
    multicast_send(one.multicast, 6, "nobody", 6);
    pump_ms(&loop, 20);
    ck_assert_uint_eq(two.heard[0] + two.heard[1], 0);
    ck_assert_int_eq(system("PATH=$PATH:/usr/sbin:/sbin;"
                            "ip link add near type veth peer name far &&"
                            "ip address add " HERE "/24 dev near &&"
                            "ip link set near up && ip link set far up"),
                     0);
    multicast_send(two.multicast, 4, "joins", 5);
    say_until_heard(&one, &two, 4, "now");
    end(&one, &two);
}
END_TEST

START_TEST(freed_at_any_time)
{
    struct ear one, two;

    begin(&one, &two);
    multicast_free(NULL);
    multicast_send(one.multicast, 4, "last", 4);
    end(&one, &two);
    ck_assert_uint_eq(one.heard[0] + two.heard[0], 0);
}
END_TEST

TEST_MAIN("io/multicast", TESTS(two_hear_each_other_in_both_families, what_is_too_long_is_lost,
                                what_was_not_sent_to_the_group_is_not_heard,
                                an_interface_that_comes_later, freed_at_any_time))
