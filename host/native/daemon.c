#include "native/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TIMEOUT_MS 8000
#define IDLE_EXIT        "60" /* seconds after the last browser has gone */
#define WAIT_FIRST_MS    2
#define WAIT_MAX_MS      100
#define LOG_MAX          (1 << 20) /* then it becomes daemon.log.old */
#define MAX_WORDS        64

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_ms(int ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* Somebody else's socket would see what this user browses. */
static bool is_ours(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == getuid();
}

/* -1 with errno. */
static int try_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int error = connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ? errno : 0;
    if (error == 0 && !is_ours(fd))
        error = EPERM;
    if (error != 0) {
        close(fd);
        errno = error;
        return -1;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* --- starting one */

static int make_folders(const char *path)
{
    char part[DAEMON_PATH];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return mkdir(part, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

static int open_log(const char *data)
{
    char path[DAEMON_PATH + 16], old[DAEMON_PATH + 16];
    struct stat info;
    snprintf(path, sizeof path, "%s/daemon.log", data);
    snprintf(old, sizeof old, "%s/daemon.log.old", data);
    if (stat(path, &info) == 0 && info.st_size > LOG_MAX)
        rename(path, old);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* fringe daemon --data DIR --socket PATH --idle-exit SECONDS, and the words of
 * $FRINGE_DAEMON_ARGS, which may say otherwise. */
static void fill_words(const struct daemon *daemon, char *more, char *words[MAX_WORDS])
{
    const char *fixed[] = {daemon->program, "daemon",       "--data",      daemon->data,
                           "--socket",      daemon->socket, "--idle-exit", IDLE_EXIT};
    size_t count = sizeof fixed / sizeof fixed[0];
    memcpy(words, fixed, sizeof fixed);
    char *word = more != NULL ? strtok(more, " \t\n") : NULL;
    for (; word != NULL && count < MAX_WORDS - 1; word = strtok(NULL, " \t\n"))
        words[count++] = word;
    words[count] = NULL;
}

/* In the grandchild: cut every tie to the browser and become the daemon. `report` closes by
 * itself when that works; else it carries errno. */
static _Noreturn void become_daemon(const struct daemon *daemon, int log, int report)
{
    char *words[MAX_WORDS];
    char *more = getenv("FRINGE_DAEMON_ARGS");
    sigset_t none;
    fill_words(daemon, more != NULL ? strdup(more) : NULL, words);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 0);
    dup2(null, 1);
    dup2(log >= 0 ? log : null, 2);
    if (report != 3)
        report = dup3(report, 3, O_CLOEXEC);
    closefrom(4);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    umask(077);
    if (chdir("/") == 0)
        execv(words[0], words);
    int error = errno;
    if (write(report, &error, sizeof error) < 0)
        _exit(2);
    _exit(1);
}

/* 0, or errno. Returns as soon as the new program runs; it is no child of ours then. */
static int start_daemon(const struct daemon *daemon)
{
    int report[2], error = 0;
    int log = open_log(daemon->data);
    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    pid_t child = fork();
    if (child == 0) {
        setsid();
        pid_t grandchild = fork();
        if (grandchild == 0)
            become_daemon(daemon, log, report[1]);
        _exit(grandchild < 0);
    }
    if (child < 0)
        error = errno;
    close(report[1]);
    if (child > 0) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            continue;
        if (read(report[0], &error, sizeof error) < 0)
            error = errno;
    }
    close(report[0]);
    if (log >= 0)
        close(log);
    return error;
}

/* When two browsers start at once, both may get here: the daemon that comes second finds the
 * lock taken and ends, and both connect to the first. So the deadline alone says "failed". */
static int wait_for_daemon(const char *socket)
{
    long long deadline = now_ms() + START_TIMEOUT_MS;
    int wait_ms = WAIT_FIRST_MS;
    for (;;) {
        int fd = try_connect(socket);
        if (fd >= 0 || now_ms() >= deadline)
            return fd;
        sleep_ms(wait_ms);
        if (wait_ms < WAIT_MAX_MS)
            wait_ms *= 2;
    }
}

int daemon_connect(const struct daemon *daemon)
{
    int fd = try_connect(daemon->socket);
    if (fd >= 0)
        return fd;
    if (errno != ENOENT && errno != ECONNREFUSED && errno != ENOTDIR) {
        fprintf(stderr, "fringe-native: %s: %s\n", daemon->socket, strerror(errno));
        return -1;
    }
    /* Without its folder the daemon runs all the same, and says why nothing is kept. */
    if (make_folders(daemon->data) != 0)
        fprintf(stderr, "fringe-native: cannot make %s: %s\n", daemon->data, strerror(errno));
    int error = start_daemon(daemon);
    if (error != 0) {
        fprintf(stderr, "fringe-native: cannot start %s: %s\n", daemon->program, strerror(error));
        return -1;
    }
    fd = wait_for_daemon(daemon->socket);
    if (fd < 0)
        fprintf(stderr, "fringe-native: no daemon answers at %s: see %s/daemon.log\n",
                daemon->socket, daemon->data);
    return fd;
}
