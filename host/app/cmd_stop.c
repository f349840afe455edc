/* fringe stop: ends the daemon, one that hangs too. */
#include "app/client.h"
#include "app/client_options.h"
#include "app/cmd.h"
#include "base/paths.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 10000 /* one that says nothing for so long hangs */
#define ENDING_MS   5000

static const char usage[] = "usage: fringe stop [--socket PATH]\n";

static int connect_quietly(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
        errno != EAGAIN) { /* EAGAIN: so many wait already that it must hang */
        close(fd);
        return -1;
    }
    return fd;
}

/* Does it say anything, or close the connection, when it is asked? */
static bool answers(int fd)
{
    static const char hello[] = "{\"id\":1,\"type\":\"hello\",\"api\":1,\"client\":\"cli\"}";
    uint32_t length = sizeof hello - 1;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    if (send(fd, &length, sizeof length, MSG_NOSIGNAL) != (ssize_t)sizeof length ||
        send(fd, hello, length, MSG_NOSIGNAL) != (ssize_t)length)
        return errno != ENOTCONN;
    return poll(&poll_fd, 1, PATIENCE_MS) != 0;
}

/* What is in the cache stays: it is made to be ended at any moment. */
static int kill_daemon(pid_t pid, int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    if (kill(pid, SIGKILL) != 0 || poll(&poll_fd, 1, ENDING_MS) <= 0)
        return cmd_fail(
            "the host (process %d) does not answer, and cannot be ended: try `kill -9 %d`",
            (int)pid, (int)pid);
    cmd_print("the host (process %d) did not answer, and has been ended", (int)pid);
    return CMD_OK;
}

/* True: it hung, and *ret_status is what has come of it. */
static bool end_hanging(const char *socket, int *ret_status)
{
    struct ucred peer = {.pid = 0};
    socklen_t length = sizeof peer;
    char path[4096];

    if (socket == NULL && !paths_socket(path, sizeof path))
        return false;
    int fd = connect_quietly(socket != NULL ? socket : path);
    if (fd < 0)
        return false;
    bool ours = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
                peer.uid == getuid() && peer.pid > 1;
    bool hangs = ours && !answers(fd);
    if (hangs)
        *ret_status = kill_daemon(peer.pid, fd);
    close(fd);
    return hangs;
}

int cmd_stop(int argc, char **argv)
{
    struct client_options options = {.usage = usage};
    struct api_request request = {.type = API_STOP};
    int status;

    if (!client_options_read(&options, argc, argv, &status))
        return status;
    if (end_hanging(options.socket, &status))
        return status;
    return client_run(&options, &request, NULL);
}
