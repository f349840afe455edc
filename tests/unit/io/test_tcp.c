/* io/tcp: bytes arrive whole and in order, faults are told once and later, caps hold. */
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "io/sockaddr.h"
#include "io/tcp_private.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

/* One end: a tcp with what it has been told. */
struct end {
    struct tcp *tcp;
    struct buf in;
    uint64_t conn; /* the last one opened */
    unsigned opened, closed, sent;
    size_t queued; /* as last told */
    enum err why;
    bool close_on_bytes, free_on_open, hold_on_bytes;
    bool reader_sleeps;
    size_t longest;   /* that was told at once */
    unsigned told[2]; /* how often, by the last bit of the connection's number */
};

static struct loop loop;
static bool inside; /* a call of ours is under way: no callback may come */

#define CALL(EXPR)                                                                                 \
    do {                                                                                           \
        inside = true;                                                                             \
        EXPR;                                                                                      \
        inside = false;                                                                            \
    } while (0)

static void on_opened(void *user, uint64_t conn, const struct address *remote)
{
    struct end *end = user;

    ck_assert(!inside);
    ck_assert_uint_ne(remote->port, 0);
    end->conn = conn;
    end->opened++;
    if (end->free_on_open) {
        tcp_free(end->tcp);
        end->tcp = NULL;
    }
}

static void on_bytes(void *user, uint64_t conn, const uint8_t *data, size_t length)
{
    struct end *end = user;

    ck_assert(!inside);
    buf_put(&end->in, data, length);
    end->longest = length > end->longest ? length : end->longest;
    end->told[conn & 1]++;
    if (end->hold_on_bytes)
        tcp_receive(end->tcp, true, 1000);
    if (end->close_on_bytes)
        tcp_close(end->tcp, conn);
}

static void on_sent(void *user, uint64_t conn, size_t queued, size_t backlog)
{
    struct end *end = user;

    (void)conn;
    ck_assert(!inside);
    ck_assert(end->reader_sleeps || backlog == 0); /* loopback has no uplink */
    end->sent++;
    end->queued = queued;
}

static void on_closed(void *user, uint64_t conn, enum err why)
{
    struct end *end = user;

    ck_assert(!inside);
    end->conn = conn;
    end->closed++;
    end->why = why;
}

static struct address loopback(uint16_t port)
{
    return (struct address){.family = 4, .ip = {127, 0, 0, 1}, .port = port};
}

static void end_init(struct end *end, const struct address *listen)
{
    const struct tcp_events events = {end, on_opened, on_bytes, on_sent, on_closed};

    memset(end, 0, sizeof *end);
    buf_init(&end->in, MIB(64));
    ck_assert_int_eq(tcp_new(&loop, listen, listen != NULL, &events, &end->tcp), ERR_OK);
}

static void end_done(struct end *end)
{
    tcp_free(end->tcp);
    buf_done(&end->in);
}

/* Two ends, connected: `a` listens and knows the other as a->conn, `b` dialled it as 7. */
static void connect_two(struct end *a, struct end *b)
{
    struct address to = loopback(0);

    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    end_init(a, &to);
    end_init(b, NULL);
    ck_assert_uint_eq(tcp_port(b->tcp), 0);
    to = loopback(tcp_port(a->tcp));
    CALL(tcp_dial(b->tcp, 7, &to));
    while (a->opened == 0 || b->opened == 0)
        uv_run(&loop.uv, UV_RUN_ONCE);
    ck_assert_uint_eq(b->conn, 7);
    ck_assert(a->conn & TCP_ACCEPTED);
}

static void disconnect_two(struct end *a, struct end *b)
{
    end_done(a);
    end_done(b);
    loop_done(&loop);
}

#define RUN_WHILE(CONDITION)                                                                       \
    while (CONDITION)                                                                              \
    uv_run(&loop.uv, UV_RUN_ONCE)

/* Turns that should change nothing. */
static void settle(void)
{
    for (int i = 0; i < 20; i++) {
        uv_run(&loop.uv, UV_RUN_NOWAIT);
        usleep(1000);
    }
}

START_TEST(bytes_go_both_ways_in_order)
{
    struct end a, b;
    struct address to = loopback(0);

    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    end_init(&a, &to);
    end_init(&b, NULL);
    to.port = tcp_port(a.tcp);
    CALL(tcp_dial(b.tcp, 7, &to));
    CALL(tcp_send(b.tcp, 7, "before ", 7)); /* waits for the connection */
    CALL(tcp_flush(b.tcp));
    RUN_WHILE(a.in.length < 7);
    CALL(tcp_send(b.tcp, 7, "one ", 4));
    CALL(tcp_send(b.tcp, 7, "two", 3));
    settle();
    ck_assert_uint_eq(a.in.length, 7); /* nothing leaves before the flush */
    CALL(tcp_flush(b.tcp));
    CALL(tcp_send(a.tcp, a.conn, "back", 4));
    CALL(tcp_flush(a.tcp));
    RUN_WHILE(a.in.length < 14 || b.in.length < 4 || b.sent == 0);
    ck_assert_mem_eq(a.in.data, "before one two", 14);
    ck_assert_mem_eq(b.in.data, "back", 4);
    ck_assert_uint_eq(b.queued, 0);
    disconnect_two(&a, &b);
}
END_TEST

static int file_of(const uint8_t *data, size_t length)
{
    char path[] = "/tmp/fringe-tcp-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    unlink(path);
    ck_assert_int_eq(write(fd, data, length), (ssize_t)length);
    return fd;
}

static uint8_t *pattern(size_t length)
{
    uint8_t *data = mem_alloc(length);

    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)(i * 131 + (i >> 12));
    return data;
}

START_TEST(file_blocks_have_head_content_and_padding)
{
    enum { LENGTH = 16384 * 5 + 100 };
    uint8_t *data = pattern(LENGTH);
    int fd = file_of(data, LENGTH);
    struct end a, b;
    struct buf expected;

    connect_two(&a, &b);
    buf_init(&expected, MIB(1));
    for (uint64_t at = 0; at < LENGTH; at += 16384) {
        size_t length = LENGTH - at < 16384 ? LENGTH - at : 16384;
        size_t pad = 16384 - length;

        CALL(tcp_send_file(b.tcp, 7, "thirteen-byte", 13, fd, at, length, pad));
        buf_put_text(&expected, "thirteen-byte");
        buf_put(&expected, data + at, length);
        memset(buf_extend(&expected, pad), 0, pad);
    }
    CALL(tcp_flush(b.tcp));
    RUN_WHILE(a.in.length < expected.length);
    ck_assert_uint_eq(a.in.length, expected.length);
    ck_assert_mem_eq(a.in.data, expected.data, expected.length);
    disconnect_two(&a, &b);
    buf_done(&expected);
    mem_free(data);
    close(fd);
}
END_TEST

START_TEST(a_file_that_ends_early_closes_the_connection)
{
    uint8_t *data = pattern(20000);
    int fd = file_of(data, 20000);
    struct end a, b;

    connect_two(&a, &b);
    CALL(tcp_send_file(b.tcp, 7, "head", 4, fd, 16384, 16384, 0));
    CALL(tcp_send(b.tcp, 7, "never", 5)); /* it is dead already */
    CALL(tcp_flush(b.tcp));
    RUN_WHILE(a.closed == 0 || b.closed == 0);
    ck_assert_int_eq(b.why, ERR_IO);
    ck_assert_uint_eq(a.in.length, 0); /* no half frame left */
    disconnect_two(&a, &b);
    mem_free(data);
    close(fd);
}
END_TEST

START_TEST(a_slow_reader_gets_everything)
{
    enum { LENGTH = 40 * 1024 * 1024 };
    uint8_t *data = pattern(LENGTH);
    size_t at = 0, most = 0;
    struct end a, b;

    connect_two(&a, &b);
    b.queued = 0;
    CALL(tcp_pause(a.tcp, a.conn, true));
    for (int turns = 0; a.in.length < LENGTH; turns++) {
        /* As the core does: more when `sent` says that there is room. */
        if (at < LENGTH && b.queued < KIB(256)) {
            size_t part = LENGTH - at < MIB(1) ? LENGTH - at : MIB(1);

            CALL(tcp_send(b.tcp, 7, data + at, part));
            at += part;
            b.queued += part;
            CALL(tcp_flush(b.tcp));
        }
        most = b.queued > most ? b.queued : most;
        if (turns % 7 == 0)
            CALL(tcp_pause(a.tcp, a.conn, turns % 2 == 0));
        uv_run(&loop.uv, UV_RUN_NOWAIT);
        ck_assert_uint_eq(b.closed, 0);
    }
    ck_assert_mem_eq(a.in.data, data, LENGTH);
    ck_assert_uint_le(most, KIB(256) + MIB(1));
    disconnect_two(&a, &b);
    mem_free(data);
}
END_TEST

START_TEST(nothing_is_read_while_held)
{
    uint8_t *data = pattern(KIB(64));
    struct end a, b;

    connect_two(&a, &b);
    struct address to = loopback(tcp_port(a.tcp));
    CALL(tcp_receive(a.tcp, true, 1000));
    CALL(tcp_dial(b.tcp, 8, &to)); /* one that comes later is held, too */
    for (uint64_t conn = 7; conn <= 8; conn++)
        CALL(tcp_send(b.tcp, conn, data, KIB(64)));
    CALL(tcp_flush(b.tcp));
    RUN_WHILE(a.opened < 2);
    settle();
    ck_assert_uint_eq(a.in.length, 0);
    CALL(tcp_pause(a.tcp, a.conn, true));
    CALL(tcp_receive(a.tcp, false, 1000));
    RUN_WHILE(a.in.length < KIB(64));
    settle();
    ck_assert_uint_eq(a.in.length, KIB(64)); /* tcp_pause holds besides */
    ck_assert_uint_le(a.longest, 1000);
    CALL(tcp_receive(a.tcp, false, 0));
    CALL(tcp_pause(a.tcp, a.conn, false));
    RUN_WHILE(a.in.length < 2 * KIB(64));
    ck_assert_uint_gt(a.longest, 1000);
    disconnect_two(&a, &b);
    mem_free(data);
}
END_TEST

START_TEST(who_is_held_again_and_again_takes_turns)
{
    uint8_t *data = pattern(KIB(64));
    struct end a, b;

    connect_two(&a, &b);
    struct address to = loopback(tcp_port(a.tcp));
    CALL(tcp_dial(b.tcp, 8, &to));
    RUN_WHILE(a.opened < 2);
    CALL(tcp_receive(a.tcp, true, 1000));
    for (uint64_t conn = 7; conn <= 8; conn++)
        CALL(tcp_send(b.tcp, conn, data, KIB(64)));
    CALL(tcp_flush(b.tcp));
    settle();
    a.hold_on_bytes = true;
    for (unsigned round = 1; round <= 20; round++) {
        CALL(tcp_receive(a.tcp, false, 1000));
        RUN_WHILE(a.told[0] + a.told[1] < round);
    }
    ck_assert_uint_eq(a.told[0] + a.told[1], 20);
    ck_assert_uint_ge(a.told[0], 5);
    ck_assert_uint_ge(a.told[1], 5);
    disconnect_two(&a, &b);
    mem_free(data);
}
END_TEST

START_TEST(a_reader_that_stops_is_dropped_at_the_cap)
{
    uint8_t *data = pattern(KIB(64));
    struct end a, b;
    uint64_t total = 0;

    connect_two(&a, &b);
    CALL(tcp_pause(a.tcp, a.conn, true));
    while (b.closed == 0 && total < MIB(64)) {
        CALL(tcp_send(b.tcp, 7, data, KIB(64)));
        CALL(tcp_flush(b.tcp));
        total += KIB(64);
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    ck_assert_uint_eq(b.closed, 1);
    ck_assert_int_eq(b.why, ERR_TOO_LARGE);
    ck_assert_uint_ge(total, LIMIT_PEER_SEND_QUEUE);
    disconnect_two(&a, &b);
    mem_free(data);
}
END_TEST

START_TEST(a_peer_that_leaves_is_told_once)
{
    struct end a, b;

    connect_two(&a, &b);
    CALL(tcp_send(b.tcp, 7, "bye", 3));
    CALL(tcp_flush(b.tcp));
    CALL(tcp_close(b.tcp, 7));
    RUN_WHILE(a.closed == 0);
    ck_assert_mem_eq(a.in.data, "bye", 3);
    ck_assert_int_eq(a.why, ERR_NETWORK);
    CALL(tcp_send(a.tcp, a.conn, "x", 1)); /* a dead number */
    CALL(tcp_pause(a.tcp, a.conn, true));
    CALL(tcp_close(a.tcp, a.conn));
    CALL(tcp_flush(a.tcp));
    settle();
    ck_assert_uint_eq(a.closed, 1);
    ck_assert_uint_eq(b.closed, 0); /* its own doing */
    disconnect_two(&a, &b);
}
END_TEST

START_TEST(a_reset_in_the_middle_of_a_write)
{
    uint8_t *data = pattern(MIB(3));
    struct end a, b;

    connect_two(&a, &b);
    a.close_on_bytes = true; /* with unread bytes: the system sends a reset */
    CALL(tcp_send(b.tcp, 7, data, MIB(3)));
    CALL(tcp_flush(b.tcp));
    RUN_WHILE(b.closed == 0);
    ck_assert_int_eq(b.why, ERR_NETWORK);
    settle();
    ck_assert_uint_eq(b.closed, 1);
    disconnect_two(&a, &b);
    mem_free(data);
}
END_TEST

/* A port on which nobody listens: bound, so that nobody else gets it. */
static int bound_socket(struct address *ret)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &length), 0);
    *ret = loopback(ntohs(in.sin_port));
    return fd;
}

START_TEST(a_refused_dial_is_told_later)
{
    struct address to, impossible = {.family = 6, .ip = {0xff, 0x02}, .port = 9};
    struct end b;
    int fd = bound_socket(&to);

    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    end_init(&b, NULL);
    CALL(tcp_dial(b.tcp, 1, &to));
    RUN_WHILE(b.closed == 0);
    ck_assert_int_eq(b.why, ERR_REFUSED);
    /* Link-local multicast without an interface: connect() itself fails. */
    CALL(tcp_dial(b.tcp, 2, &impossible));
    RUN_WHILE(b.closed == 1);
    ck_assert_int_eq(b.why, ERR_NETWORK);
    CALL(tcp_dial(b.tcp, 3, &to));
    CALL(tcp_close(b.tcp, 3)); /* while under way: silent */
    settle();
    ck_assert_uint_eq(b.closed, 2);
    ck_assert_uint_eq(b.opened, 0);
    end_done(&b);
    loop_done(&loop);
    close(fd);
}
END_TEST

START_TEST(a_dial_without_answer_times_out)
{
    struct address to;
    struct sockaddr_storage storage;
    struct end b;
    int listener = bound_socket(&to), fill[4];
    uint64_t begin;

    /* A full backlog: the system drops what comes after. */
    ck_assert_int_eq(listen(listener, 0), 0);
    sockaddr_from_address(&to, &storage);
    for (int i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fill[i], (struct sockaddr *)&storage, sizeof(struct sockaddr_in));
    }
    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    end_init(&b, NULL);
    begin = loop_now_ms(&loop);
    CALL(tcp_dial(b.tcp, 1, &to));
    CALL(tcp_dial(b.tcp, 2, &to));
    RUN_WHILE(b.closed < 2);
    ck_assert_int_eq(b.why, ERR_TIMEOUT);
    ck_assert_uint_ge(loop_now_ms(&loop) - begin, LIMIT_DIAL_MS - 5);
    ck_assert_uint_le(loop_now_ms(&loop) - begin, LIMIT_DIAL_MS + 2000);
    end_done(&b);
    loop_done(&loop);
    for (int i = 0; i < 4; i++)
        close(fill[i]);
    close(listener);
}
END_TEST

START_TEST(places_for_strangers_are_limited)
{
    struct end a, b;
    struct address to = loopback(0);
    unsigned extra = 20;

    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    end_init(&a, &to);
    end_init(&b, NULL);
    to.port = tcp_port(a.tcp);
    /* Our own dials are limited too: the rest fails here, and only later. */
    for (uint64_t i = 1; i <= LIMIT_PEERS + extra; i++)
        CALL(tcp_dial(b.tcp, i, &to));
    RUN_WHILE(b.opened + b.closed < LIMIT_PEERS + extra || a.opened < LIMIT_PEERS);
    ck_assert_uint_eq(b.closed, extra);
    ck_assert_int_eq(b.why, ERR_BUSY);
    ck_assert_uint_eq(a.opened, LIMIT_PEERS);
    /* One more, dialled by somebody who has places left, is turned away. */
    CALL(tcp_dial(a.tcp, 1, &to));
    RUN_WHILE(a.closed == 0);
    ck_assert_uint_eq(a.conn, 1);
    disconnect_two(&a, &b);
}
END_TEST

static bool own_address(struct address *ret)
{
    struct ifaddrs *all, *each;
    bool found = false;

    if (getifaddrs(&all) != 0)
        return false;
    for (each = all; each != NULL && !found; each = each->ifa_next) {
        if (each->ifa_addr != NULL && each->ifa_addr->sa_family == AF_INET &&
            (each->ifa_flags & (IFF_UP | IFF_LOOPBACK)) == IFF_UP)
            found = sockaddr_to_address((struct sockaddr_storage *)each->ifa_addr, ret);
    }
    freeifaddrs(all);
    return found;
}

START_TEST(places_for_one_address_are_limited)
{
    struct end a, b;
    struct address to;

    if (!own_address(&to))
        return; /* this machine has only loopback, which is exempt */
    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    to.port = 0;
    end_init(&a, &to);
    end_init(&b, NULL);
    to.port = tcp_port(a.tcp);
    for (uint64_t i = 1; i <= LIMIT_PEERS_PER_ADDRESS + 3; i++)
        CALL(tcp_dial(b.tcp, i, &to));
    RUN_WHILE(b.closed < 3);
    settle();
    ck_assert_uint_eq(a.opened, LIMIT_PEERS_PER_ADDRESS);
    ck_assert_uint_eq(b.closed, 3);
    disconnect_two(&a, &b);
}
END_TEST

START_TEST(the_owner_may_free_it_in_a_callback)
{
    struct end a, b;
    struct address to = loopback(0);

    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    end_init(&a, &to);
    end_init(&b, NULL);
    a.free_on_open = true;
    to.port = tcp_port(a.tcp);
    CALL(tcp_dial(b.tcp, 1, &to));
    CALL(tcp_dial(b.tcp, 2, &to));
    RUN_WHILE(b.closed < 2);
    ck_assert_uint_eq(a.opened, 1);
    disconnect_two(&a, &b);
}
END_TEST

START_TEST(ipv6_wildcard_takes_ipv4_and_a_taken_port_is_an_error)
{
    struct address wild = {.family = 6}, to;
    struct end a, b;
    const struct tcp_events events = {&b, on_opened, on_bytes, on_sent, on_closed};
    struct tcp *none = NULL;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);

    if (probe < 0)
        return; /* no IPv6 here */
    close(probe);
    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    end_init(&a, &wild);
    end_init(&b, NULL);
    to = loopback(tcp_port(a.tcp));
    CALL(tcp_dial(b.tcp, 1, &to));
    RUN_WHILE(a.opened == 0);
    ck_assert_int_eq(tcp_new(&loop, &to, 1, &events, &none), ERR_BUSY);
    ck_assert_ptr_null(none);
    disconnect_two(&a, &b);
}
END_TEST

/* One port in both families; what one of them cannot have, nobody gets. */
START_TEST(several_addresses_have_one_port)
{
    struct address all[3] = {loopback(0), {.family = 6, .ip = {[15] = 1}}, loopback(0)};
    struct end a, b;
    const struct tcp_events events = {&a, on_opened, on_bytes, on_sent, on_closed};

    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    memset(&a, 0, sizeof a);
    buf_init(&a.in, MIB(1));
    ck_assert_int_eq(tcp_new(&loop, all, 3, &events, &a.tcp), ERR_BUSY); /* the same twice */
    uv_run(&loop.uv, UV_RUN_DEFAULT);
    ck_assert_int_eq(tcp_new(&loop, all, 2, &events, &a.tcp), ERR_OK);
    end_init(&b, NULL);
    for (unsigned i = 0; i < 2; i++) {
        all[i].port = tcp_port(a.tcp);
        CALL(tcp_dial(b.tcp, 7 + i, &all[i]));
        while (a.opened <= i || b.opened <= i)
            uv_run(&loop.uv, UV_RUN_ONCE);
    }
    ck_assert_uint_eq(b.closed, 0);
    end_done(&a);
    end_done(&b);
    loop_done(&loop);
}
END_TEST

/* --- what the system may hold that is not on the wire */

static struct conn *dialled(const struct end *end)
{
    uint64_t number = 7;
    struct conn *conn;

    HASH_FIND(hh, end->tcp->conns, &number, sizeof number, conn);
    ck_assert_ptr_nonnull(conn);
    return conn;
}

static int fd_of(const struct conn *conn)
{
    uv_os_fd_t fd;

    ck_assert_int_eq(uv_fileno((const uv_handle_t *)&conn->uv, &fd), 0);
    return fd;
}

static int unsent_of(const struct conn *conn)
{
    int unsent = 0;
    socklen_t length = sizeof unsent;

    ck_assert_int_eq(
        getsockopt(fd_of(conn), IPPROTO_TCP, 25 /* TCP_NOTSENT_LOWAT */, &unsent, &length), 0);
    ck_assert_int_eq(unsent, conn->unsent);
    return unsent;
}

static void keep_busy(struct end *end)
{
    static const uint8_t zeros[65536];

    while (dialled(end)->queue.length < MIB(2))
        CALL(tcp_send(end->tcp, 7, zeros, sizeof zeros));
    CALL(tcp_flush(end->tcp));
}

/* Little at first; more where it leaves in no time; less again where it waits. */
START_TEST(unsent_bytes_follow_the_speed)
{
    struct end a, b;

    connect_two(&a, &b);
    b.reader_sleeps = true;
    ck_assert_int_eq(unsent_of(dialled(&b)), TCP_UNSENT_MIN);
    for (int i = 0; i < 100000 && unsent_of(dialled(&b)) <= 2 * (int)TCP_UNSENT_MIN; i++) {
        keep_busy(&b);
        uv_run(&loop.uv, UV_RUN_ONCE);
        buf_clear(&a.in);
    }
    ck_assert_int_gt(unsent_of(dialled(&b)), 2 * TCP_UNSENT_MIN);
    bool less = false;
    for (int i = 0; i < 1000 && !less; i++) {
        CALL(tcp_pause(a.tcp, a.conn, true));
        for (int turn = 0; turn < 20; turn++) { /* until nothing more is taken */
            keep_busy(&b);
            uv_run(&loop.uv, UV_RUN_NOWAIT);
        }
        int before = unsent_of(dialled(&b));
        usleep(2 * TCP_WAIT_HIGH_MS * 1000);
        CALL(tcp_pause(a.tcp, a.conn, false));
        for (int turn = 0; turn < 3 && !less; turn++) {
            uv_run(&loop.uv, UV_RUN_NOWAIT);
            less = unsent_of(dialled(&b)) < before;
        }
        buf_clear(&a.in);
    }
    ck_assert(less);
    end_done(&a);
    end_done(&b);
    loop_done(&loop);
}
END_TEST

START_TEST(a_backlog_of_what_has_none)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (int i = 0; i < 2; i++) {
        struct socket_backlog backlog = socket_backlog(i == 0 ? -1 : pair[0]);
        ck_assert(!backlog.under_way && !backlog.delayed);
        ck_assert_uint_eq(backlog.bytes, 0);
    }
    close(pair[0]);
    close(pair[1]);
}
END_TEST

/* Who reads nothing: it is known that something is under way, and looked at until it is not. */
START_TEST(what_is_under_way_is_watched)
{
    struct end a, b;

    connect_two(&a, &b);
    b.reader_sleeps = true;
    ck_assert(!socket_backlog(fd_of(dialled(&b))).under_way);
    CALL(tcp_pause(a.tcp, a.conn, true));
    keep_busy(&b);
    for (int turn = 0; turn < 200 && !socket_backlog(fd_of(dialled(&b))).under_way; turn++) {
        uv_run(&loop.uv, UV_RUN_NOWAIT);
        keep_busy(&b);
    }
    ck_assert(socket_backlog(fd_of(dialled(&b))).under_way);
    ck_assert(!list_empty(&b.tcp->watched));
    CALL(tcp_pause(a.tcp, a.conn, false));
    while (!list_empty(&b.tcp->watched) || dialled(&b)->queue.length > 0)
        uv_run(&loop.uv, UV_RUN_ONCE);
    ck_assert(!socket_backlog(fd_of(dialled(&b))).under_way);
    end_done(&a);
    end_done(&b);
    loop_done(&loop);
}
END_TEST

TEST_MAIN("tcp", TESTS(bytes_go_both_ways_in_order, file_blocks_have_head_content_and_padding,
                       a_file_that_ends_early_closes_the_connection, a_slow_reader_gets_everything,
                       nothing_is_read_while_held, who_is_held_again_and_again_takes_turns,
                       a_reader_that_stops_is_dropped_at_the_cap, a_peer_that_leaves_is_told_once,
                       a_reset_in_the_middle_of_a_write, a_refused_dial_is_told_later,
                       a_dial_without_answer_times_out, places_for_strangers_are_limited,
                       places_for_one_address_are_limited, the_owner_may_free_it_in_a_callback,
                       ipv6_wildcard_takes_ipv4_and_a_taken_port_is_an_error,
                       several_addresses_have_one_port, unsent_bytes_follow_the_speed,
                       a_backlog_of_what_has_none, what_is_under_way_is_watched))
