/* doctor: the programs themselves. */
#include "app/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VERSION_MS 5000

bool doctor_can_run(const char *path, const char **ret_why)
{
    struct stat info;

    if (stat(path, &info) != 0)
        *ret_why = errno == ENOENT ? "does not exist" : strerror(errno);
    else if (!S_ISREG(info.st_mode))
        *ret_why = "is no file";
    else if (access(path, X_OK) != 0)
        *ret_why = "may not be run";
    else
        return true;
    return false;
}

/* --- asking a program for its version */

static _Noreturn void run(const char *program, int out)
{
    dup2(out, STDOUT_FILENO);
    closefrom(3);
    execl(program, program, "--version", (char *)NULL);
    _exit(127);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until its end, or as much as fits; false: it took too long. */
static bool read_all(int fd, char *ret, size_t size)
{
    int64_t deadline = now_ms() + VERSION_MS;
    size_t length = 0;

    while (length < size - 1) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left = deadline - now_ms();
        if (left <= 0 || poll(&wait, 1, (int)left) <= 0)
            break;
        ssize_t got = read(fd, ret + length, size - 1 - length);
        if (got <= 0) {
            ret[length] = '\0';
            return got == 0;
        }
        length += (size_t)got;
    }
    ret[length] = '\0';
    return length == size - 1;
}

bool doctor_version_of(const char *program, char *ret, size_t size)
{
    int ends[2], status = 0;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        snprintf(ret, size, "%s", strerror(errno));
        return false;
    }
    pid_t child = fork();
    if (child == 0)
        run(program, ends[1]);
    close(ends[1]);
    bool good = child > 0 && read_all(ends[0], ret, size);
    close(ends[0]);
    if (child > 0) {
        if (!good)
            kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    ret[strcspn(ret, "\n")] = '\0';
    if (good && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    snprintf(ret, size, good ? "it ends with an error" : "it does not answer");
    return false;
}

/* --- ours */

/* Beside this program; false after a line in the report. */
static bool find_folder(struct doctor *doctor, char *ret, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", ret, size - 1);

    if (length <= 0) {
        doctor_warn(&doctor->report, "programs", "mount /proc", "cannot tell where fringe is: %s",
                    strerror(errno));
        return false;
    }
    ret[length] = '\0';
    *strrchr(ret, '/') = '\0';
    return true;
}

/* Which `fringe` a terminal would run: an old one, perhaps. */
static void look_at_path(struct doctor *doctor, const char *folder)
{
    const char *path = getenv("PATH"), *why;
    char *copy = strdup(path != NULL ? path : ""), *rest = copy;
    char program[PATH_MAX], ours[PATH_MAX + 16], theirs[PATH_MAX], version[128];

    for (char *each = strsep(&rest, ":"); each != NULL; each = strsep(&rest, ":")) {
        if (each[0] != '/' || snprintf(program, sizeof program, "%s/fringe", each) < 0 ||
            !doctor_can_run(program, &why))
            continue;
        snprintf(ours, sizeof ours, "%s/fringe", folder);
        if (realpath(program, theirs) == NULL || strcmp(ours, theirs) == 0)
            break;
        if (!doctor_version_of(program, version, sizeof version) ||
            strcmp(version, "fringe " FRINGE_VERSION) != 0)
            doctor_warn(&doctor->report, "programs", "remove the one that you do not want",
                        "your PATH has another one before this: %s (%s)", program, version);
        break;
    }
    free(copy);
}

void doctor_programs(struct doctor *doctor)
{
    char folder[PATH_MAX], native[PATH_MAX + 16], version[128];
    const char *why;

    if (!find_folder(doctor, folder, sizeof folder))
        return;
    snprintf(native, sizeof native, "%s/fringe-native", folder);
    if (!doctor_can_run(native, &why))
        doctor_fail(&doctor->report, "programs", DOCTOR_INSTALL, "%s, which browsers start, %s",
                    native, why);
    else if (!doctor_version_of(native, version, sizeof version))
        doctor_fail(&doctor->report, "programs", DOCTOR_INSTALL, "%s cannot be run: %s", native,
                    version);
    else if (strcmp(version, "fringe-native " FRINGE_VERSION) != 0)
        doctor_fail(&doctor->report, "programs", DOCTOR_INSTALL,
                    "fringe " FRINGE_VERSION " and %s do not belong together (%s)", version,
                    native);
    else
        doctor_ok(&doctor->report, "programs", "fringe and fringe-native " FRINGE_VERSION " in %s",
                  folder);
    look_at_path(doctor, folder);
}
