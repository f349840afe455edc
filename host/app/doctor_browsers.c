/* doctor: does each browser find the host? */
#include "app/doctor.h"
#include "wire/native_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS 4

/* Where browsers look, the user's own folder first; installer/lib/places.sh has the same for users.
 * `~` is the home folder, `+` the one for settings, all else is below the root. */
static const struct browser {
    const char *name;
    enum manifest_family family;
    const char *profile, *folders[FOLDERS], *programs[3];
} browsers[] = {
    {"Firefox",
     MANIFEST_FIREFOX,
     "~/.mozilla",
     {"~/.mozilla/native-messaging-hosts", "/usr/lib/mozilla/native-messaging-hosts",
      "/usr/lib64/mozilla/native-messaging-hosts", "/usr/share/mozilla/native-messaging-hosts"},
     {"firefox", "firefox-esr"}},
    {"Chromium",
     MANIFEST_CHROMIUM,
     "+/chromium",
     {"+/chromium/NativeMessagingHosts", "/etc/chromium/native-messaging-hosts"},
     {"chromium", "chromium-browser"}},
    {"Chrome",
     MANIFEST_CHROMIUM,
     "+/google-chrome",
     {"+/google-chrome/NativeMessagingHosts", "/etc/opt/chrome/native-messaging-hosts"},
     {"google-chrome", "google-chrome-stable"}},
    {"Edge",
     MANIFEST_CHROMIUM,
     "+/microsoft-edge",
     {"+/microsoft-edge/NativeMessagingHosts", "/etc/opt/edge/native-messaging-hosts"},
     {"microsoft-edge", "microsoft-edge-stable"}},
    {"Brave",
     MANIFEST_CHROMIUM,
     "+/BraveSoftware/Brave-Browser",
     {"+/BraveSoftware/Brave-Browser/NativeMessagingHosts", "/etc/chromium/native-messaging-hosts",
      "/etc/opt/chrome/native-messaging-hosts"},
     {"brave-browser", "brave-browser-stable"}},
    {"Vivaldi",
     MANIFEST_CHROMIUM,
     "+/vivaldi",
     {"+/vivaldi/NativeMessagingHosts", "/etc/chromium/native-messaging-hosts",
      "/etc/opt/chrome/native-messaging-hosts"},
     {"vivaldi", "vivaldi-stable"}},
};

/* --- is it here? */

static bool place(const struct doctor *doctor, const char *pattern, char *ret, size_t size)
{
    const char *start = pattern[0] == '~'   ? doctor->home
                        : pattern[0] == '+' ? doctor->config
                                            : doctor->root;
    int length;

    if (start == NULL || (start[0] == '\0' && pattern[0] != '/'))
        return false;
    length = snprintf(ret, size, "%s%s", start, pattern[0] == '/' ? pattern : pattern + 1);
    return length > 0 && (size_t)length < size;
}

/* On the PATH, and not a snap: those are another matter. */
static bool on_path(const char *name)
{
    const char *path = getenv("PATH"), *why;
    char *copy = strdup(path != NULL ? path : ""), *rest = copy;
    char program[PATH_MAX], real[PATH_MAX];
    bool found = false;

    for (char *each = strsep(&rest, ":"); each != NULL && !found; each = strsep(&rest, ":")) {
        snprintf(program, sizeof program, "%s/%s", each, name);
        found = each[0] == '/' && strstr(each, "/snap/") == NULL && doctor_can_run(program, &why) &&
                realpath(program, real) != NULL && strstr(real, "/snap") == NULL;
    }
    free(copy);
    return found;
}

static bool is_here(const struct doctor *doctor, const struct browser *browser)
{
    char folder[PATH_MAX];
    struct stat info;

    for (size_t i = 0; i < sizeof browser->programs / sizeof browser->programs[0]; i++)
        if (browser->programs[i] != NULL && on_path(browser->programs[i]))
            return true;
    return place(doctor, browser->profile, folder, sizeof folder) && stat(folder, &info) == 0 &&
           S_ISDIR(info.st_mode);
}

/* --- its manifest */

/* False when there is none, or none that can be read: *ret_error is errno then. */
static bool read_manifest(const char *path, struct buf *out, int *ret_error)
{
    uint8_t *at = buf_extend(out, LIMIT_NATIVE_MANIFEST + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : read(fd, at, LIMIT_NATIVE_MANIFEST + 1);

    *ret_error = got < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    out->length = got > 0 ? (size_t)got : 0;
    return got >= 0;
}

/* The browser would start it: is it ours, and the one that belongs to us? */
static void judge_program(struct doctor *doctor, const char *name, const char *manifest,
                          const char *program)
{
    char version[128];
    const char *why;

    if (!doctor_can_run(program, &why))
        doctor_fail(&doctor->report, name, DOCTOR_INSTALL, "%s names %s, which %s", manifest,
                    program, why);
    else if (!doctor_version_of(program, version, sizeof version))
        doctor_fail(&doctor->report, name, DOCTOR_INSTALL, "%s, named in %s, cannot be run: %s",
                    program, manifest, version);
    else if (strcmp(version, "fringe-native " FRINGE_VERSION) != 0)
        doctor_fail(&doctor->report, name, DOCTOR_INSTALL,
                    "%s names %s, which is %s; this is fringe " FRINGE_VERSION, manifest, program,
                    version);
    else
        doctor_ok(&doctor->report, name, "%s starts %s", manifest, program);
}

/* True when the browser would look no further. */
static bool judge_manifest(struct doctor *doctor, const struct browser *browser, const char *path)
{
    char program[LIMIT_MANIFEST_PATH + 1];
    struct buf text;
    int error;

    buf_init(&text, LIMIT_NATIVE_MANIFEST + 1);
    bool there = read_manifest(path, &text, &error);
    enum manifest_fault fault =
        native_manifest_judge(span_of(text.data, text.length), browser->family, program);
    buf_done(&text);
    if (!there && (error == ENOENT || error == ENOTDIR))
        return false;
    if (!there)
        doctor_fail(&doctor->report, browser->name, DOCTOR_INSTALL, "%s cannot be read: %s", path,
                    strerror(error));
    else if (fault != MANIFEST_OK)
        doctor_fail(&doctor->report, browser->name, DOCTOR_INSTALL, "%s %s%s%s", path,
                    native_manifest_text(fault), fault == MANIFEST_RELATIVE_PATH ? ": " : "",
                    fault == MANIFEST_RELATIVE_PATH ? program : "");
    else
        judge_program(doctor, browser->name, path, program);
    return true;
}

static void judge_browser(struct doctor *doctor, const struct browser *browser)
{
    char path[PATH_MAX], first[PATH_MAX] = "";

    for (size_t i = 0; i < FOLDERS && browser->folders[i] != NULL; i++) {
        char folder[PATH_MAX - 64];
        if (!place(doctor, browser->folders[i], folder, sizeof folder))
            continue;
        snprintf(path, sizeof path, "%s/" NATIVE_HOST_NAME ".json", folder);
        if (judge_manifest(doctor, browser, path))
            return;
        if (first[0] == '\0')
            memcpy(first, path, sizeof first);
    }
    doctor_fail(&doctor->report, browser->name, DOCTOR_INSTALL,
                "it does not know of the host: there is no %s", first);
}

void doctor_browsers(struct doctor *doctor)
{
    unsigned found = 0;

    for (size_t i = 0; i < sizeof browsers / sizeof browsers[0]; i++) {
        if (!is_here(doctor, &browsers[i]))
            continue;
        found++;
        judge_browser(doctor, &browsers[i]);
    }
    found += doctor_sandboxed(doctor);
    if (found == 0)
        doctor_warn(&doctor->report, "browsers",
                    "install one (apt install chromium, or firefox-esr), then run "
                    "installer/install again",
                    "no browser was found");
}
