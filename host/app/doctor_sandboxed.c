/* doctor: browsers from Snap and Flatpak run in a sandbox and start no program outside of it,
 * unless a service of the desktop does it for them. Which do: Firefox from Snap through the
 * WebExtensions portal, Firefox 157 and later from Flatpak through xdg-native-messaging-proxy. */
#include "app/doctor.h"

#include <stdio.h>
#include <sys/stat.h>

#define INSTEAD "for now use the distribution's own package: apt install %s"

static const struct sandboxed {
    const char *name, *snap, *flatpak, *package;
} browsers[] = {
    {"Firefox", "firefox", "org.mozilla.firefox", "firefox-esr"},
    {"Chromium", "chromium", "org.chromium.Chromium", "chromium"},
    {"Chrome", NULL, "com.google.Chrome", "chromium"},
    {"Edge", NULL, "com.microsoft.Edge", "chromium"},
    {"Brave", "brave", "com.brave.Browser", "chromium"},
    {"Vivaldi", "vivaldi", "com.vivaldi.Vivaldi", "chromium"},
};

/* Where those of all users and those of this one are, below the root and the home folder. */
static const struct {
    const char *all[2], *own[2];
} snaps = {{"/snap/bin/", "/var/lib/snapd/snap/bin/"}, {"/snap/"}},
  flatpaks = {{"/var/lib/flatpak/app/"}, {"/.local/share/flatpak/app/", "/.var/app/"}};

static bool is_in(const char *start, const char *const folders[2], const char *name, char *ret,
                  size_t size)
{
    struct stat info;

    for (size_t i = 0; start != NULL && i < 2 && folders[i] != NULL; i++) {
        int length = snprintf(ret, size, "%s%s%s", start, folders[i], name);
        if (length > 0 && (size_t)length < size && lstat(ret, &info) == 0)
            return true;
    }
    return false;
}

static bool is_snap(const struct doctor *doctor, const char *name, char *ret, size_t size)
{
    return is_in(doctor->root, snaps.all, name, ret, size) ||
           is_in(doctor->home, snaps.own, name, ret, size);
}

static bool is_flatpak(const struct doctor *doctor, const char *name, char *ret, size_t size)
{
    return is_in(doctor->root, flatpaks.all, name, ret, size) ||
           is_in(doctor->home, flatpaks.own, name, ret, size);
}

static const char *what_works(const struct sandboxed *browser, bool snap)
{
    if (browser != &browsers[0])
        return "it cannot start the host. Pages load from their sites as always; nothing is "
               "carried for others";
    return snap ? "it can start the host only where the desktop has the WebExtensions portal "
                  "(Ubuntu 22.04 and later; it asks you), with the manifest in ~/.mozilla. "
                  "Elsewhere pages load from their sites as always"
                : "it can start the host only from Firefox 157 on, with the package "
                  "xdg-native-messaging-proxy. Else pages load from their sites as always";
}

static void explain(struct doctor *doctor, const struct sandboxed *browser, bool snap,
                    const char *where)
{
    char next[128];

    snprintf(next, sizeof next, INSTEAD, browser->package);
    doctor_warn(&doctor->report, browser->name, next, "%s: a %s, locked up in a sandbox: %s", where,
                snap ? "Snap" : "Flatpak", what_works(browser, snap));
}

unsigned doctor_sandboxed(struct doctor *doctor)
{
    char where[PATH_MAX];
    unsigned found = 0;

    for (size_t i = 0; i < sizeof browsers / sizeof browsers[0]; i++) {
        const struct sandboxed *browser = &browsers[i];

        if (browser->snap != NULL && is_snap(doctor, browser->snap, where, sizeof where)) {
            explain(doctor, browser, true, where);
            found++;
        }
        if (is_flatpak(doctor, browser->flatpak, where, sizeof where)) {
            explain(doctor, browser, false, where);
            found++;
        }
    }
    return found;
}
