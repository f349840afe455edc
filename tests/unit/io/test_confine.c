/* io/confine: what a confined process can still do, each time seen from a child of its own. */
#include "check_main.h"
#include "io/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[64], own[80], given[80];

static const char *in(const char *folder, const char *name)
{
    static char paths[4][160];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put(const char *path)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs("secret", file);
    fclose(file);
}

static void setup(void)
{
    strcpy(home, "/tmp/fringe-confine-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(home));
    snprintf(own, sizeof own, "%s/own", home);
    snprintf(given, sizeof given, "%s/given", home);
    mkdir(own, 0700);
    mkdir(given, 0700);
    put(in(home, "letter"));
    put(in(own, "file"));
    put(in(given, "page"));
    ck_assert_int_eq(symlink("../letter", in(given, "link")), 0);
}

static void teardown(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", home);
    ck_assert_int_eq(system(command), 0);
}

/* 0 or errno. */
static int try_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int failed(int result)
{
    return result < 0 ? errno : 0;
}

static int try_bind(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, path);
    int error = failed(bind(fd, (struct sockaddr *)&address, sizeof address));
    close(fd);
    return error;
}

static int try_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static void *run_thread(void *user)
{
    *(int *)user = try_open(in(home, "letter"), O_RDONLY);
    return NULL;
}

/* Runs `body` in a child; what it answers with is the line that was wrong, 0: none. */
static void in_child(int (*body)(void))
{
    int status;
    setup();
    pid_t child = fork();

    if (child == 0)
        _exit(body());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    teardown();
    ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
    ck_assert_msg(WEXITSTATUS(status) == 0, "wrong in line %d", WEXITSTATUS(status) + 100);
}

#define HOLDS(CONDITION)                                                                           \
    do {                                                                                           \
        if (!(CONDITION))                                                                          \
            return __LINE__ - 100;                                                                 \
    } while (0)

static struct confinement lock_up(bool starts_itself)
{
    const struct confine_plan plan = {
        .writable = {own}, .readable = {given}, .starts_itself = starts_itself};

    return confine(&plan);
}

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1U) > 0;
}

static int files(void)
{
    int error = 0;
    pthread_t thread;

    HOLDS(try_open(in(home, "letter"), O_RDONLY) == 0);
    HOLDS(lock_up(false).landlock > 0);
    HOLDS(try_open(in(home, "letter"), O_RDONLY) == EACCES);
    HOLDS(try_open(home, O_RDONLY | O_DIRECTORY) == EACCES);
    HOLDS(try_open(in(home, "new"), O_RDWR | O_CREAT) == EACCES);
    HOLDS(failed(unlink(in(home, "letter"))) == EACCES);
    HOLDS(try_open(in(own, "file"), O_RDWR) == 0);
    HOLDS(try_open(in(own, "new"), O_RDWR | O_CREAT) == 0);
    HOLDS(failed(rename(in(own, "new"), in(own, "newer"))) == 0);
    HOLDS(failed(truncate(in(own, "newer"), 10)) == 0);
    HOLDS(failed(mkdir(in(own, "folder"), 0700)) == 0);
    HOLDS(failed(rename(in(own, "newer"), in(own, "folder/x"))) == 0);
    HOLDS(try_bind(in(own, "socket")) == 0);
    HOLDS(try_bind(in(home, "socket")) == EACCES);
    HOLDS(try_open(in(given, "page"), O_RDONLY) == 0);
    HOLDS(try_open(in(given, "page"), O_RDWR) == EACCES);
    HOLDS(try_open(in(given, "link"), O_RDONLY) == EACCES); /* it leads out */
    pthread_create(&thread, NULL, run_thread, &error);
    pthread_join(thread, NULL);
    HOLDS(error == EACCES);
    return 0;
}

static int system_files(void)
{
    HOLDS(lock_up(false).landlock > 0);
    HOLDS(try_open("/etc/passwd", O_RDONLY) == 0);
    HOLDS(try_open("/etc/ssl/certs", O_RDONLY | O_DIRECTORY) == 0);
    HOLDS(try_open("/dev/null", O_RDWR) == 0);
    HOLDS(try_open("/dev/urandom", O_RDONLY) == 0);
    HOLDS(try_open("/proc/self/status", O_RDONLY) == 0);
    HOLDS(try_open("/proc/sys/kernel/random/boot_id", O_RDONLY) == 0);
    HOLDS(try_open("/etc/passwd", O_RDWR) == EACCES);
    HOLDS(try_open("/tmp", O_RDONLY | O_DIRECTORY) == EACCES);
    HOLDS(try_open("/proc/1/status", O_RDONLY) == EACCES);
    return 0;
}

START_TEST(files_outside_are_out_of_reach)
{
    if (has_landlock()) {
        in_child(files);
        in_child(system_files);
    }
}
END_TEST

/* A folder that cannot be made yet: it will be, below the one that is there. */
static int no_folder_yet(void)
{
    const struct confine_plan plan = {.writable = {in(own, "a/b")}};

    HOLDS(confine(&plan).landlock > 0);
    HOLDS(failed(mkdir(in(own, "a"), 0700)) == 0);
    HOLDS(try_open(in(own, "a/x"), O_RDWR | O_CREAT) == 0);
    HOLDS(try_open(in(home, "letter"), O_RDONLY) == EACCES);
    return 0;
}

START_TEST(a_folder_that_is_not_there_yet)
{
    if (has_landlock())
        in_child(no_folder_yet);
}
END_TEST

static int run(const char *program, const char *argument)
{
    int status;
    pid_t child = fork();

    if (child < 0)
        return errno;
    if (child == 0) {
        execl(program, program, argument, (char *)NULL);
        _exit(errno);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

static int only_itself(void)
{
    HOLDS(lock_up(true).landlock > 0);
    HOLDS(run("/bin/true", NULL) == EACCES);
    /* This program again, which sees that and ends (below). */
    setenv("TEST_CONFINE_AGAIN", home, 1);
    HOLDS(run("/proc/self/exe", NULL) == 77);
    return 0;
}

/* main() is not ours: started again, this comes first. */
static void __attribute__((constructor)) again(void)
{
    const char *at = getenv("TEST_CONFINE_AGAIN");

    if (at != NULL)
        _exit(try_open(in(at, "letter"), O_RDONLY) == EACCES ? 77 : 78);
}

START_TEST(starts_nothing_but_itself)
{
    if (has_landlock())
        in_child(only_itself);
}
END_TEST

static int calls(void)
{
    HOLDS(lock_up(false).seccomp);
    HOLDS(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    HOLDS(prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER);
    HOLDS(failed(execl("/bin/true", "true", (char *)NULL)) == EPERM);
    HOLDS(failed(unshare(CLONE_NEWUSER)) == EPERM);
    HOLDS(failed(mount("none", own, "tmpfs", 0, NULL)) == EPERM);
    HOLDS(failed((int)syscall(SYS_io_uring_setup, 1, NULL)) == EPERM);
    HOLDS(failed((int)syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0)) == EPERM);
    HOLDS(failed((int)syscall(SYS_clone3, NULL, 0)) == ENOSYS);
#ifndef __SANITIZE_ADDRESS__
    HOLDS(failed(fork()) == EPERM);
    HOLDS(failed((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL)) == EPERM);
#endif
    HOLDS(try_socket(AF_INET, SOCK_STREAM) == 0 && try_socket(AF_INET6, SOCK_DGRAM) == 0);
    HOLDS(try_socket(AF_UNIX, SOCK_STREAM) == 0 && try_socket(AF_NETLINK, SOCK_RAW) == 0);
    HOLDS(try_socket(AF_PACKET, SOCK_RAW) == EAFNOSUPPORT);
    HOLDS(try_socket(AF_VSOCK, SOCK_STREAM) == EAFNOSUPPORT);
    HOLDS(try_socket(AF_ALG, SOCK_SEQPACKET) == EAFNOSUPPORT);
    return 0;
}

START_TEST(system_calls)
{
    in_child(calls);
}
END_TEST

/* A kernel without: as far as the process can see. */
static void take_away(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0);
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(seccomp), 0);
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
                     SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0));
    seccomp_load(filter);
    seccomp_release(filter);
}

static int kernel_without(void)
{
    char text[1024] = "";
    int log[2];

    take_away();
    HOLDS(pipe(log) == 0 && dup2(log[1], 2) == 2);
    struct confinement got = lock_up(false);
    HOLDS(got.landlock == 0 && !got.seccomp);
    HOLDS(read(log[0], text, sizeof text - 1) > 0);
    HOLDS(strstr(text, "no Landlock") != NULL && strstr(text, "no seccomp") != NULL);
    HOLDS(try_open(in(home, "letter"), O_RDONLY) == 0); /* it goes on as before */
    return 0;
}

START_TEST(a_kernel_without)
{
    in_child(kernel_without);
}
END_TEST

TEST_MAIN("io/confine", TESTS(files_outside_are_out_of_reach, a_folder_that_is_not_there_yet,
                              starts_nothing_but_itself, system_calls, a_kernel_without))
