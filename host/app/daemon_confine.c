/* What a daemon may still reach: its data, its socket, the folder that it is to give away, and the
 * network. */
#include "app/daemon_options.h"

#include "base/mem.h"
#include "io/confine.h"
#include "io/folders.h"

#include <libgen.h>

void daemon_confine(const struct daemon_options *options)
{
    char *socket = mem_strdup(options->socket);
    const char *folder = dirname(socket);
    const struct confine_plan plan = {.writable = {options->data, folder},
                                      .readable = {options->webroot, options->ca_file},
                                      .starts_itself = !options->no_port_map};

    /* What cannot be made is reported by who needs it. */
    folders_make(options->data);
    folders_make(folder);
    confine(&plan);
    mem_free(socket);
}
