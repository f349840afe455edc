/* What `fringe doctor` looks at. Layer: app. Nothing is changed; what is found goes into the
 * report.
 *
 *   doctor_programs.c   fringe and fringe-native: there, to be run, of one version
 *   doctor_browsers.c   the native-messaging manifests of each browser that is installed
 *   doctor_sandboxed.c  browsers from Snap and Flatpak
 *   doctor_host.c       the socket, the daemon behind it, what the daemon says of this computer,
 * the clock doctor_store.c      the cache on the disk, and the room there doctor_ports.c      the
 * port for peers, the router, the gateway, a file from it */
#pragma once

#include "app/client.h"
#include "app/doctor_report.h"
#include "base/limits.h"

#include <limits.h>

struct doctor {
    struct doctor_report report;
    const char *root;      /* before the folders of all users; "" but for --root */
    const char *home;      /* NULL: not set */
    bool from_browser;     /* fringe-native asks, and has tried to start a daemon */
    char config[PATH_MAX]; /* $XDG_CONFIG_HOME or ~/.config */
    char socket[PATH_MAX];
    char data[PATH_MAX];
    struct client *client; /* NULL: no daemon answers */
    json_t *status;        /* its answer to `status` */
};

void doctor_programs(struct doctor *doctor);
void doctor_browsers(struct doctor *doctor);
/* How many browsers from Snap and Flatpak there are. */
unsigned doctor_sandboxed(struct doctor *doctor);
/* Sets `client`, `status` and, where the daemon says so, `data`. */
void doctor_host(struct doctor *doctor);
void doctor_health(struct doctor *doctor);
void doctor_store(struct doctor *doctor);
void doctor_ports(struct doctor *doctor);

/* Shared by them. One request, within some seconds; false with the reason in ret_why. */
bool doctor_ask(struct doctor *doctor, struct api_request *request, json_t **ret_answer,
                char *ret_why, size_t size);
/* Can the file be run by this user? False with the reason. */
bool doctor_can_run(const char *path, const char **ret_why);
/* What `PROGRAM --version` prints in its first line; false with the reason in ret. */
bool doctor_version_of(const char *program, char *ret, size_t size);

#define DOCTOR_NEXT (2 * PATH_MAX + 128) /* room for a command with a path or two */
#define DOCTOR_INSTALL                                                                             \
    "run installer/install from the Fringe folder again (or reinstall the package)"
