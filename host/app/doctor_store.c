/* doctor: the cache on the disk. */
#include "app/cmd.h"
#include "app/doctor.h"
#include "io/store_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FREE_FEW (200u * 1000 * 1000) /* bytes: then it is close to the end */

/* --- the folder */

/* True when it can be looked into. */
static bool look_at_folder(struct doctor *doctor)
{
    char next[DOCTOR_NEXT];
    struct stat info;

    if (stat(doctor->data, &info) != 0 && errno == ENOENT) {
        doctor_ok(&doctor->report, "cache", "nothing is kept yet (%s will be made)", doctor->data);
        return false;
    }
    snprintf(next, sizeof next, "chown -R $USER '%s' && chmod 700 '%s'", doctor->data,
             doctor->data);
    if (access(doctor->data, R_OK | X_OK) != 0) {
        doctor_fail(&doctor->report, "cache", next, "%s cannot be read: %s", doctor->data,
                    strerror(errno));
        return false;
    }
    if (access(doctor->data, W_OK) != 0)
        doctor_fail(&doctor->report, "cache",
                    errno == EROFS ? "make the disk writable again; look at the system's log for "
                                     "why it is not (dmesg)"
                                   : next,
                    "%s cannot be written (%s): nothing new is kept", doctor->data,
                    strerror(errno));
    return true;
}

/* --- the index */

static void judge_strays(struct doctor *doctor, const struct store_check *check)
{
    char size[BYTES_TEXT];

    if (check->missing > 0)
        doctor_warn(&doctor->report, "cache",
                    "nothing: they are fetched again when a page asks for them",
                    "%llu files that its index names are gone", (unsigned long long)check->missing);
    if (check->strays > 0)
        doctor_warn(&doctor->report, "cache",
                    "nothing: they are taken up when a page asks for them, or go first when room "
                    "is needed (at once: `fringe cache clear all`)",
                    "%llu files are there that its index does not name (%s): a crash left them",
                    (unsigned long long)check->strays, cmd_bytes(check->stray_bytes, size));
}

static void judge_index(struct doctor *doctor, const struct store_check *check)
{
    char size[BYTES_TEXT], next[DOCTOR_NEXT];

    if (check->trouble[0] != '\0')
        doctor_fail(&doctor->report, "cache",
                    "fringe stop; the next host puts it aside and begins a new one",
                    "its index is damaged: %s", check->trouble);
    else if (check->schema > check->schema_known)
        doctor_fail(&doctor->report, "cache",
                    "install the newer Fringe again, or choose another folder (FRINGE_DATA)",
                    "a newer Fringe wrote it (form %d, known are 1 to %d)", check->schema,
                    check->schema_known);
    else if (check->there)
        doctor_ok(&doctor->report, "cache", "%s: %llu files, %s; its index is whole%s",
                  doctor->data, (unsigned long long)check->files, cmd_bytes(check->bytes, size),
                  check->all_seen ? "" : " (too many files to look at each)");
    judge_strays(doctor, check);
    if (check->put_aside) {
        snprintf(next, sizeof next, "rm '%s/index.sqlite.corrupt'", doctor->data);
        doctor_warn(&doctor->report, "cache", next,
                    "an index was damaged once and put aside; it is not needed any more");
    }
}

/* --- room */

/* What the daemon says of its quota; nothing when it does not. */
static void describe_quota(struct doctor *doctor, char *ret, size_t size)
{
    struct api_request request = {.type = API_CACHE};
    char bytes[BYTES_TEXT], quota[BYTES_TEXT], why[256];
    json_t *answer = NULL;

    ret[0] = '\0';
    if (doctor->client == NULL || !doctor_ask(doctor, &request, &answer, why, sizeof why))
        return;
    if (client_number(answer, "quota") > 0)
        snprintf(ret, size, "; the cache has %s of the %s that it may take%s",
                 cmd_bytes(client_number(answer, "bytes"), bytes),
                 cmd_bytes(client_number(answer, "quota"), quota),
                 json_is_true(json_object_get(answer, "quota_lowered"))
                     ? " (less than usual: the disk is nearly full)"
                     : "");
    json_decref(answer);
}

/* Of the folder, or of the one above that is there. */
static bool look_at_disk(const char *folder, struct statvfs *ret)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s", folder);
    while (statvfs(path, ret) != 0) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || slash == NULL || slash == path)
            return false;
        *slash = '\0';
    }
    return true;
}

static void look_at_room(struct doctor *doctor)
{
    char quota[160], size[BYTES_TEXT];
    struct statvfs disk;

    if (!look_at_disk(doctor->data, &disk))
        return;
    uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize;
    describe_quota(doctor, quota, sizeof quota);
    if (left < FREE_FEW || disk.f_favail == 0)
        doctor_warn(&doctor->report, "disk", "free some disk space, or `fringe cache clear all`",
                    "only %s free%s%s", cmd_bytes(left, size),
                    disk.f_favail == 0 ? " and no file more" : "", quota);
    else
        doctor_ok(&doctor->report, "disk", "%s free%s", cmd_bytes(left, size), quota);
}

void doctor_store(struct doctor *doctor)
{
    struct store_check check;

    if (look_at_folder(doctor)) {
        enum err err = store_check(doctor->data, &check);
        if (err == ERR_OK)
            judge_index(doctor, &check);
        else
            doctor_warn(&doctor->report, "cache", "try again, with the browsers closed",
                        "its index cannot be looked at now: %s", err_text(err));
    }
    look_at_room(doctor);
}
