/* fringe-native: what the browser starts for the extension. It relays frames between stdio and
 * the daemon's socket and starts the daemon if none runs. libc only: its start-up time is what a
 * page waits for. stdout carries the protocol and nothing else.
 *
 * Browsers pass arguments of their own (Chromium: the extension's origin; Firefox: the manifest's
 * path and the extension's id): they are accepted and mean nothing here. */
#include "base/paths.h"
#include "native/daemon.h"
#include "native/doctor.h"
#include "native/relay.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* `fringe` stands in the same folder as this program, wherever a link to it is. */
static bool find_program(char *ret, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", ret, size - 1);
    if (length <= 0)
        return false;
    ret[length] = '\0';
    char *slash = strrchr(ret, '/');
    if (slash == NULL || (size_t)(slash - ret) + sizeof "/fringe" > size)
        return false;
    strcpy(slash, "/fringe");
    return true;
}

/* The daemon leaves the folder that it was started in. */
static bool make_absolute(char *path, size_t size)
{
    char folder[DAEMON_PATH], joined[2 * DAEMON_PATH];
    if (path[0] == '/')
        return true;
    if (getcwd(folder, sizeof folder) == NULL)
        return false;
    int length = snprintf(joined, sizeof joined, "%s/%s", folder, path);
    if (length < 0 || (size_t)length >= size)
        return false;
    memcpy(path, joined, (size_t)length + 1);
    return true;
}

static bool set_paths(struct daemon *daemon, const char *socket)
{
    if (!find_program(daemon->program, sizeof daemon->program)) {
        fprintf(stderr, "fringe-native: cannot find the folder of this program\n");
        return false;
    }
    bool good = socket != NULL ? paths_join(daemon->socket, sizeof daemon->socket, socket, "", "")
                               : paths_socket(daemon->socket, sizeof daemon->socket);
    good = good && paths_data(daemon->data, sizeof daemon->data) &&
           make_absolute(daemon->socket, sizeof daemon->socket) &&
           make_absolute(daemon->data, sizeof daemon->data);
    if (!good)
        fprintf(stderr, "fringe-native: no place for the socket: set HOME, or FRINGE_SOCKET and "
                        "FRINGE_DATA\n");
    return good;
}

int main(int argc, char **argv)
{
    static struct daemon daemon;
    const char *socket = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            puts("fringe-native " FRINGE_VERSION);
            return 0;
        }
        if (strcmp(argv[i], "--socket") == 0) {
            if (i + 1 == argc) {
                fprintf(stderr, "usage: fringe-native [--socket PATH] [--version]\n");
                return 2;
            }
            socket = argv[++i];
        }
    }
    signal(SIGPIPE, SIG_IGN);
    if (!set_paths(&daemon, socket))
        return 1;
    int fd = daemon_connect(&daemon);
    return fd < 0 ? doctor_alone(daemon.program) : relay_run(fd, daemon.program);
}
