/* doctor: the way to the daemon, and what it says of this computer. */
#include "app/cmd.h"
#include "app/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_S   8
#define YEAR_FIRST 1735689600 /* 2025: before it nothing of Fringe was there */
#define YEAR_LAST  4102444800 /* 2100 */
#define LOG_TAIL   1024

bool doctor_ask(struct doctor *doctor, struct api_request *request, json_t **ret_answer,
                char *ret_why, size_t size)
{
    ret_why[0] = '\0';
    cmd_capture(ret_why, size);
    bool good = client_ask(doctor->client, request, ret_answer);
    cmd_capture(NULL, 0);
    return good;
}

/* --- the socket's place */

static void judge_folder(struct doctor *doctor, const char *folder, const struct stat *info)
{
    char next[DOCTOR_NEXT];

    if (info->st_uid != getuid() && info->st_uid != 0)
        doctor_fail(&doctor->report, "socket", "set XDG_RUNTIME_DIR to a folder of your own",
                    "%s belongs to another user (%u)", folder, (unsigned)info->st_uid);
    else if ((info->st_mode & 0002) != 0 && (info->st_mode & S_ISVTX) == 0) {
        snprintf(next, sizeof next, "chmod 700 '%s'", folder);
        doctor_fail(&doctor->report, "socket", next,
                    "anybody may put another socket into %s (mode %04o)", folder,
                    (unsigned)info->st_mode & 07777);
    } else if (info->st_uid == getuid() && (info->st_mode & 0700) != 0700) {
        snprintf(next, sizeof next, "chmod 700 '%s'", folder);
        doctor_fail(&doctor->report, "socket", next, "you may not write into %s (mode %04o)",
                    folder, (unsigned)info->st_mode & 07777);
    } else
        return;
}

static void judge_socket(struct doctor *doctor, const struct stat *info)
{
    char next[DOCTOR_NEXT];

    snprintf(next, sizeof next, "fringe stop; rm '%s'", doctor->socket);
    if (!S_ISSOCK(info->st_mode))
        doctor_fail(&doctor->report, "socket", next, "%s is in the way: it is no socket",
                    doctor->socket);
    else if (info->st_uid != getuid())
        doctor_fail(&doctor->report, "socket", "ask that user to end it, or set FRINGE_SOCKET",
                    "%s belongs to another user (%u)", doctor->socket, (unsigned)info->st_uid);
    else if ((info->st_mode & 0077) != 0)
        doctor_fail(&doctor->report, "socket", next,
                    "others may speak to %s (mode %04o): they would see what you read",
                    doctor->socket, (unsigned)info->st_mode & 0777);
    else
        doctor_ok(&doctor->report, "socket", "%s is yours alone", doctor->socket);
}

/* Is there a socket? */
static bool look_at_socket(struct doctor *doctor)
{
    char folder[PATH_MAX];
    struct stat info;
    size_t before = doctor->report.count;

    memcpy(folder, doctor->socket, sizeof folder);
    char *slash = strrchr(folder, '/');
    if (slash != NULL && slash != folder) {
        *slash = '\0';
        if (stat(folder, &info) == 0)
            judge_folder(doctor, folder, &info);
    }
    if (lstat(doctor->socket, &info) == 0) {
        judge_socket(doctor, &info);
        return S_ISSOCK(info.st_mode);
    }
    if (errno != ENOENT && errno != ENOTDIR)
        doctor_fail(&doctor->report, "socket", "look at the folders above it", "%s: %s",
                    doctor->socket, strerror(errno));
    else if (doctor->report.count == before)
        doctor_ok(&doctor->report, "socket", "%s will be there while a host runs", doctor->socket);
    return false;
}

/* --- the daemon */

/* The last line of its log, or "". */
static void last_words(const struct doctor *doctor, char *ret, size_t size)
{
    char path[PATH_MAX + 16], text[LOG_TAIL + 1];

    ret[0] = '\0';
    snprintf(path, sizeof path, "%s/daemon.log", doctor->data);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fseek(file, -(long)LOG_TAIL, SEEK_END) != 0)
        rewind(file);
    size_t length = fread(text, 1, LOG_TAIL, file);
    fclose(file);
    while (length > 0 && text[length - 1] == '\n')
        length--;
    text[length] = '\0';
    char *line = strrchr(text, '\n');
    snprintf(ret, size, "%s", line != NULL ? line + 1 : text);
}

static void none_runs(struct doctor *doctor, const char *why)
{
    char words[LOG_TAIL + 1], next[DOCTOR_NEXT];

    if (!doctor->from_browser) {
        doctor_warn(&doctor->report, "host",
                    "open a browser with the extension, or run `fringe daemon`, and then this "
                    "again",
                    "none runs now%s: a browser starts it when it needs one", why);
        return;
    }
    last_words(doctor, words, sizeof words);
    snprintf(next, sizeof next,
             "run `fringe daemon` in a terminal to see why, or read %s/daemon.log", doctor->data);
    doctor_fail(&doctor->report, "host", next, "the browser cannot start it%s%s",
                words[0] != '\0' ? ". Its last words: " : "", words);
}

static void judge_daemon(struct doctor *doctor)
{
    const char *version = client_text(doctor->status, "version", "?");
    unsigned long long pid = client_number(doctor->status, "pid");

    snprintf(doctor->data, sizeof doctor->data, "%s",
             client_text(doctor->status, "data", doctor->data));
    if (strcmp(version, FRINGE_VERSION) == 0)
        doctor_ok(&doctor->report, "host", "version %s answers (process %llu)", version, pid);
    else
        doctor_fail(&doctor->report, "host", "fringe stop (browsers start the new one)",
                    "version %s runs (process %llu); this is fringe " FRINGE_VERSION, version, pid);
}

static void ask_daemon(struct doctor *doctor)
{
    struct api_request request = {.type = API_STATUS};
    char why[512] = "";

    cmd_capture(why, sizeof why);
    doctor->client = client_open_within(doctor->socket, ANSWER_S);
    cmd_capture(NULL, 0);
    if (doctor->client != NULL && !doctor_ask(doctor, &request, &doctor->status, why, sizeof why)) {
        client_free(doctor->client);
        doctor->client = NULL;
    }
    if (doctor->client != NULL)
        judge_daemon(doctor);
    else
        doctor_fail(&doctor->report, "host",
                    "end its process (`pkill -KILL -u $USER -x fringe`); browsers start a new one",
                    "one runs, but %s", why);
}

void doctor_host(struct doctor *doctor)
{
    if (!look_at_socket(doctor)) {
        none_runs(doctor, "");
        return;
    }
    int fd = client_connect(doctor->socket);
    if (fd < 0 && errno == ECONNREFUSED)
        none_runs(doctor, ", and the last one did not end well");
    else if (fd < 0)
        doctor_fail(&doctor->report, "host", "look at the folders above it", "%s: %s",
                    doctor->socket, strerror(errno));
    else {
        close(fd);
        ask_daemon(doctor);
    }
}

/* --- what it says of this computer */

static void judge_clock(struct doctor *doctor, const json_t *health)
{
    static const char next[] = "set the date and the time (timedatectl set-ntp true)";
    const char *clock = client_text(health, "clock", "ok");
    unsigned long long hours = (client_number(health, "clock_off_s") + 1800) / 3600;
    time_t now = time(NULL);
    struct tm tm;
    char date[32] = "?";

    if (gmtime_r(&now, &tm) != NULL)
        strftime(date, sizeof date, "%Y-%m-%d %H:%M", &tm);
    if (now < YEAR_FIRST || now > YEAR_LAST)
        doctor_fail(&doctor->report, "clock", next, "it says %s UTC, which cannot be", date);
    else if (strcmp(clock, "ok") != 0)
        doctor_fail(&doctor->report, "clock", next, "it says %s UTC: %llu %s %s, the sites say",
                    date, hours < 48 ? hours : hours / 24, hours < 48 ? "hours" : "days", clock);
    else
        doctor_ok(&doctor->report, "clock", "%s UTC%s", date,
                  health != NULL ? "; no site says otherwise" : "");
}

void doctor_health(struct doctor *doctor)
{
    const json_t *health = json_object_get(doctor->status, "health");
    const char *store = client_text(health, "store", "ok");

    judge_clock(doctor, health);
    if (health == NULL)
        return;
    if (strcmp(client_text(health, "network", "ok"), "none") == 0)
        doctor_warn(&doctor->report, "network", "connect to one", "none");
    if (strcmp(store, "ok") != 0)
        doctor_fail(&doctor->report, "cache",
                    strcmp(store, "no-space") == 0
                        ? "free some disk space, or `fringe cache clear all`"
                        : "make its folder writable; the host tries again by itself",
                    "the host could not write it last (%s): files come from their sites", store);
}
