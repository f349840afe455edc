/* io/control: frames both ways, and what ends a client or the whole. */
#include "io/control.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "io_test.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct loop loop;
static struct control *control;
static char folder[64], path[128];
static uint64_t last_opened, last_closed;
static int opened, closed, messages;
static char last_message[LIMIT_FRAME_IN + 1];
static bool echo, close_after_message;

static void on_opened(void *user, uint64_t client)
{
    ck_assert_ptr_eq(user, &loop);
    opened++;
    last_opened = client;
}

static void on_message(void *user, uint64_t client, struct span json)
{
    ck_assert_ptr_eq(user, &loop);
    messages++;
    memcpy(last_message, json.data, json.length);
    last_message[json.length] = '\0';
    if (echo)
        control_send(control, client, json);
    if (close_after_message)
        control_close(control, client);
}

static void on_closed(void *user, uint64_t client)
{
    ck_assert_ptr_eq(user, &loop);
    closed++;
    last_closed = client;
}

static const struct control_events events = {
    .user = &loop, .opened = on_opened, .message = on_message, .closed = on_closed};

static void set_up(void)
{
    log_set_level(LOG_ERROR);
    strcpy(folder, "/tmp/fringe-control-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/run/fringe/control.sock", folder);
    ck_assert_int_eq(loop_init(&loop), ERR_OK);
    ck_assert_int_eq(control_new(&loop, path, &events, &control), ERR_OK);
}

static void tear_down(void)
{
    char command[128];

    control_free(control);
    loop_done(&loop);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void send_frame(int fd, const char *json)
{
    uint32_t length = (uint32_t)strlen(json);

    ck_assert(pump_send(&loop, fd, &length, 4));
    ck_assert(pump_send(&loop, fd, json, length));
}

START_TEST(frames_go_both_ways)
{
    struct inbox inbox;
    set_up();
    echo = true;
    inbox_init(&inbox, dial());
    send_frame(inbox.fd, "{\"id\": 1}");
    send_frame(inbox.fd, " \n{\"id\": 2}");
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.length == 4 + 9 + 4 + 11));
    ck_assert_mem_eq(inbox.text, "\x09\0\0\0{\"id\": 1}\x0b\0\0\0 \n{\"id\": 2}", 28);
    ck_assert_int_eq(opened, 1);
    ck_assert_uint_eq(control_clients(control), 1);
    inbox_done(&inbox);
    PUMP_UNTIL(&loop, closed == 1);
    ck_assert_uint_eq(last_closed, last_opened);
    ck_assert_uint_eq(control_clients(control), 0);
    tear_down();
}
END_TEST

/* Who has sent an array gets one: all that is answered in one turn of the loop. */
START_TEST(arrays_go_both_ways)
{
    struct inbox inbox;
    set_up();
    echo = true;
    inbox_init(&inbox, dial());
    send_frame(inbox.fd, "{\"id\": 1}");
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.length == 4 + 9));
    send_frame(inbox.fd, "[{\"id\": 2}, {\"id\": 3}]");
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.length == 13 + 4 + 21));
    ck_assert_mem_eq(inbox.text + 13, "\x15\0\0\0[{\"id\": 2},{\"id\": 3}]", 25);
    send_frame(inbox.fd, "{\"id\": 4}");
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.length == 38 + 4 + 9));
    ck_assert_mem_eq(inbox.text + 38, "\x09\0\0\0{\"id\": 4}", 13);
    ck_assert_uint_eq(control_queued(control, last_opened), 0);
    inbox_done(&inbox);
    PUMP_UNTIL(&loop, closed == 1);
    tear_down();
}
END_TEST

START_TEST(an_array_of_answers_has_limits)
{
    char *long_one = mem_zalloc(LIMIT_FRAME_OUT + 1);
    struct inbox inbox;
    size_t arrays, length = 2 * (4 + LIMIT_BATCH_OUT - 2) + 4 + 2 + 4 + LIMIT_BATCH_OUT + 1;
    set_up();
    inbox_init(&inbox, dial());
    send_frame(inbox.fd, "[{}]");
    PUMP_UNTIL(&loop, messages == 1);
    memset(long_one, ' ', LIMIT_FRAME_OUT);
    for (int i = 0; i < 2; i++)
        control_send(control, last_opened, span_of(long_one, LIMIT_BATCH_OUT - 2));
    control_send(control, last_opened, span_text("{}"));
    ck_assert_uint_gt(control_queued(control, last_opened), 0);
    control_send(control, last_opened,
                 span_of(long_one, LIMIT_BATCH_OUT + 1)); /* alone, and last */
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.length >= length));
    ck_assert_uint_le(inbox.length, length + 3);
    for (int i = 0; i < 2 * LIMIT_BATCH + 1; i++)
        control_send(control, last_opened, span_text("{}"));
    arrays = 2 * (4 + 3 * LIMIT_BATCH + 1) + 4 + 2;
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.length >= length + arrays));
    inbox_done(&inbox);
    PUMP_UNTIL(&loop, closed == 1);
    mem_free(long_one);
    tear_down();
}
END_TEST

/* What waits for the end of the turn still leaves; a dead client's goes with it. */
START_TEST(the_end_of_a_client_whose_answers_wait)
{
    struct inbox inbox;
    set_up();
    echo = close_after_message = true;
    inbox_init(&inbox, dial());
    send_frame(inbox.fd, "[{\"id\": 2}, {\"id\": 3}]");
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.ended));
    ck_assert_uint_eq(inbox.length, 4 + 9);
    ck_assert_int_eq(messages, 1);
    inbox_done(&inbox);
    PUMP_UNTIL(&loop, closed == 1);
    echo = close_after_message = false;
    inbox_init(&inbox, dial());
    send_frame(inbox.fd, "[{}]");
    PUMP_UNTIL(&loop, messages == 2);
    control_send(control, last_opened, span_text("{}"));
    tear_down(); /* the answer was never sent */
    inbox_done(&inbox);
}
END_TEST

START_TEST(a_frame_may_come_byte_by_byte_and_fill_the_limit)
{
    char *json = mem_zalloc(LIMIT_FRAME_IN + 1);
    int fd;
    set_up();
    fd = dial();
    memset(json, ' ', LIMIT_FRAME_IN);
    json[0] = '{';
    json[LIMIT_FRAME_IN - 1] = '}';
    for (int i = 0; i < 6; i++)
        ck_assert(pump_send(&loop, fd, &"\x02\0\0\0{}"[i], 1));
    PUMP_UNTIL(&loop, messages == 1);
    ck_assert_str_eq(last_message, "{}");
    send_frame(fd, json);
    send_frame(fd, "{\"x\": 3}");
    PUMP_UNTIL(&loop, messages == 3);
    ck_assert_str_eq(last_message, "{\"x\": 3}");
    close(fd);
    mem_free(json);
    tear_down();
}
END_TEST

static void expect_dropped(const void *data, size_t length)
{
    struct inbox bad;
    int good = dial();
    int closed_before = closed, messages_before = messages;

    inbox_init(&bad, dial());
    pump_send(&loop, bad.fd, data, length);
    PUMP_UNTIL(&loop, (inbox_take(&bad), bad.ended));
    PUMP_UNTIL(&loop, closed == closed_before + 1);
    ck_assert_int_eq(messages, messages_before);
    /* Only that one. */
    send_frame(good, "{}");
    PUMP_UNTIL(&loop, messages == messages_before + 1);
    close(good);
    PUMP_UNTIL(&loop, closed == closed_before + 2);
    inbox_done(&bad);
}

START_TEST(bad_frames_end_their_client_only)
{
    uint32_t over = LIMIT_FRAME_IN + 1;
    set_up();
    expect_dropped(&over, 4);
    expect_dropped("\xff\xff\xff\xff{}", 6);
    expect_dropped("\x02\0\0\0[]", 6);
    expect_dropped("\0\0\0\0", 4);
    expect_dropped("\x03\0\0\0   ", 7);
    expect_dropped("GET / HTTP/1.1\r\n\r\n", 18);
    tear_down();
}
END_TEST

START_TEST(who_does_not_read_is_dropped)
{
    static char json[100000];
    int fd, sends = 0;
    set_up();
    memset(json, ' ', sizeof json);
    json[0] = '{';
    fd = dial();
    PUMP_UNTIL(&loop, opened == 1);
    while (closed == 0 && sends++ < 200) {
        control_send(control, last_opened, span_of(json, sizeof json));
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    ck_assert_int_eq(closed, 1);
    ck_assert_int_ge(sends, LIMIT_CONTROL_QUEUE / 100004);
    ck_assert_int_lt(sends, 200);
    close(fd);
    tear_down();
}
END_TEST

START_TEST(too_long_a_frame_out_is_not_sent)
{
    uint8_t *json = mem_zalloc(LIMIT_FRAME_OUT + 1);
    struct inbox inbox;
    set_up();
    inbox_init(&inbox, dial());
    PUMP_UNTIL(&loop, opened == 1);
    control_send(control, last_opened, span_of(json, LIMIT_FRAME_OUT + 1));
    ck_assert_int_eq(closed, 0); /* not from inside the call */
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.ended));
    PUMP_UNTIL(&loop, closed == 1);
    ck_assert_uint_eq(inbox.length, 0);
    control_send(control, last_opened, span_text("{}"));
    control_send(control, 77, span_text("{}"));
    control_close(control, 77);
    inbox_done(&inbox);
    mem_free(json);
    tear_down();
}
END_TEST

START_TEST(close_lets_the_queue_leave_first)
{
    struct inbox inbox;
    uint8_t *json = mem_zalloc(LIMIT_FRAME_OUT);
    set_up();
    memset(json, '{', LIMIT_FRAME_OUT);
    inbox_init(&inbox, dial());
    PUMP_UNTIL(&loop, opened == 1);
    control_send(control, last_opened, span_of(json, LIMIT_FRAME_OUT));
    control_close(control, last_opened);
    control_send(control, last_opened, span_text("{}")); /* too late */
    send_frame(inbox.fd, "{}");
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.ended));
    ck_assert_uint_eq(inbox.length, LIMIT_FRAME_OUT + 4);
    PUMP_UNTIL(&loop, closed == 1);
    ck_assert_uint_eq(control_clients(control), 0);
    ck_assert_int_eq(messages, 0);
    inbox_done(&inbox);
    mem_free(json);
    tear_down();
}
END_TEST

START_TEST(close_from_inside_a_message)
{
    struct inbox inbox;
    set_up();
    echo = close_after_message = true;
    inbox_init(&inbox, dial());
    send(inbox.fd, "\x02\0\0\0{}\x02\0\0\0{}", 12, 0);
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.ended));
    PUMP_UNTIL(&loop, closed == 1);
    ck_assert_int_eq(messages, 1);
    ck_assert_uint_eq(inbox.length, 6);
    inbox_done(&inbox);
    tear_down();
}
END_TEST

START_TEST(too_many_clients_are_refused)
{
    int fds[LIMIT_CONTROL_CLIENTS];
    struct inbox inbox;
    set_up();
    for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
        fds[i] = dial();
    PUMP_UNTIL(&loop, opened == LIMIT_CONTROL_CLIENTS);
    inbox_init(&inbox, dial());
    PUMP_UNTIL(&loop, (inbox_take(&inbox), inbox.ended));
    ck_assert_int_eq(opened, LIMIT_CONTROL_CLIENTS);
    ck_assert_int_eq(closed, 0);
    close(fds[0]);
    PUMP_UNTIL(&loop, closed == 1);
    fds[0] = dial();
    PUMP_UNTIL(&loop, opened == LIMIT_CONTROL_CLIENTS + 1);
    for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
        close(fds[i]);
    inbox_done(&inbox);
    tear_down();
}
END_TEST

START_TEST(only_this_user_may_open_it)
{
    struct stat info;
    char above[128];
    set_up();
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    snprintf(above, sizeof above, "%s/run/fringe", folder);
    ck_assert_int_eq(stat(above, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0700);
    tear_down();
}
END_TEST

/* The mode alone keeps others out; so open the way on purpose and see the second lock hold. */
START_TEST(another_user_is_refused)
{
    char byte;
    int status, fd;
    pid_t child;
    if (geteuid() != 0)
        return; /* only root can become another user */
    set_up();
    ck_assert_int_eq(chmod(folder, 0755), 0);
    snprintf(last_message, sizeof last_message, "%s/run", folder);
    ck_assert_int_eq(chmod(last_message, 0755), 0);
    strcat(last_message, "/fringe");
    ck_assert_int_eq(chmod(last_message, 0755), 0);
    ck_assert_int_eq(chmod(path, 0666), 0);
    child = fork();
    if (child == 0) {
        if (setuid(65534) != 0)
            _exit(2);
        fd = dial();
        _exit(recv(fd, &byte, 1, 0) == 0 ? 0 : 1);
    }
    PUMP_UNTIL(&loop, waitpid(child, &status, WNOHANG) == child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_int_eq(opened, 0);
    tear_down();
}
END_TEST

START_TEST(the_second_daemon_is_told)
{
    struct control *second = NULL;
    set_up();
    ck_assert_int_eq(control_new(&loop, path, &events, &second), ERR_BUSY);
    ck_assert_ptr_null(second);
    /* Even when someone tidied the lock file away. */
    snprintf(last_message, sizeof last_message, "%s.lock", path);
    ck_assert_int_eq(unlink(last_message), 0);
    ck_assert_int_eq(control_new(&loop, path, &events, &second), ERR_BUSY);
    close(dial()); /* the first still answers */
    tear_down();
}
END_TEST

/* The lock alone decides, even when nobody has bound the socket yet. */
START_TEST(the_lock_holds)
{
    int lock;
    set_up();
    control_free(control);
    snprintf(last_message, sizeof last_message, "%s.lock", path);
    lock = open(last_message, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(flock(lock, LOCK_EX | LOCK_NB), 0);
    ck_assert_int_eq(control_new(&loop, path, &events, &control), ERR_BUSY);
    close(lock);
    ck_assert_int_eq(control_new(&loop, path, &events, &control), ERR_OK);
    tear_down();
}
END_TEST

/* One start of many at the same moment; returns how many of them won. */
static int race(void)
{
    enum { STARTERS = 8 };
    int go[2], winners = 0, status;
    char byte;
    pid_t children[STARTERS];

    ck_assert_int_eq(pipe(go), 0);
    for (int i = 0; i < STARTERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            close(go[1]);
            if (read(go[0], &byte, 1) != 0)
                _exit(2);
            enum err err = control_new(&loop, path, &events, &control);
            usleep(200000);
            _exit(err == ERR_OK ? 0 : err == ERR_BUSY ? 1 : 2);
        }
    }
    close(go[0]);
    close(go[1]); /* off they go */
    for (int i = 0; i < STARTERS; i++) {
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert(WIFEXITED(status));
        ck_assert_int_lt(WEXITSTATUS(status), 2);
        winners += WEXITSTATUS(status) == 0;
    }
    return winners;
}

/* Exactly one wins, whether or not a dead socket lies there: all but the first round find the
 * last winner's, which died without tidying. */
START_TEST(two_daemons_at_once)
{
    set_up();
    control_free(control);
    uv_run(&loop.uv, UV_RUN_DEFAULT);
    for (int round = 0; round < 8; round++) {
        ck_assert_int_eq(race(), 1);
        ck_assert_int_eq(access(path, F_OK), 0);
    }
    ck_assert_int_eq(control_new(&loop, path, &events, &control), ERR_OK);
    close(dial());
    tear_down();
}
END_TEST

START_TEST(what_cannot_be_a_socket_is_refused)
{
    struct control *other;
    char name[300];
    int fd;
    set_up();
    memset(name, 'a', sizeof name);
    name[0] = '/';
    name[108] = '\0';
    ck_assert_int_eq(control_new(&loop, name, &events, &other), ERR_BAD_NAME);
    ck_assert_int_eq(control_new(&loop, "", &events, &other), ERR_BAD_NAME);
    snprintf(name, sizeof name, "%s/file", folder);
    fd = open(name, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_eq(control_new(&loop, name, &events, &other), ERR_EXISTS);
    ck_assert_int_eq(access(name, F_OK), 0); /* still there */
    strcat(name, "/socket");
    ck_assert_int_eq(control_new(&loop, name, &events, &other), ERR_IO);
    close(fd);
    tear_down();
}
END_TEST

START_TEST(free_ends_clients_in_silence)
{
    struct inbox inbox;
    set_up();
    inbox_init(&inbox, dial());
    PUMP_UNTIL(&loop, opened == 1);
    control_send(control, last_opened, span_text("{}"));
    tear_down();
    while (inbox_take(&inbox))
        continue;
    ck_assert(inbox_take(&inbox) || inbox.ended);
    ck_assert_int_eq(closed, 0);
    ck_assert_int_eq(access(path, F_OK), -1);
    inbox_done(&inbox);
}
END_TEST

TEST_MAIN("io/control",
          TESTS(frames_go_both_ways, arrays_go_both_ways, an_array_of_answers_has_limits,
                the_end_of_a_client_whose_answers_wait,
                a_frame_may_come_byte_by_byte_and_fill_the_limit, bad_frames_end_their_client_only,
                who_does_not_read_is_dropped, too_long_a_frame_out_is_not_sent,
                close_lets_the_queue_leave_first, close_from_inside_a_message,
                too_many_clients_are_refused, only_this_user_may_open_it, another_user_is_refused,
                the_second_daemon_is_told, the_lock_holds, two_daemons_at_once,
                what_cannot_be_a_socket_is_refused, free_ends_clients_in_silence))
