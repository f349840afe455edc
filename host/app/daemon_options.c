#include "app/daemon_options.h"

#include "app/cmd.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

int daemon_bad_value(const char *command, const char *option, const char *value, const char *wanted)
{
    fprintf(stderr, "fringe %s: %s %s: %s\n", command, option, value, wanted);
    return CMD_USAGE;
}

bool daemon_parse_level(const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};

    for (int i = 0; i < 4; i++) {
        if (strcmp(names[i], text) != 0)
            continue;
        log_set_level((enum log_level)i);
        return true;
    }
    return false;
}

/* Peers and trackers are told one port. */
int daemon_add_listen(const char *command, struct daemon_options *options, const char *value)
{
    struct address *address = &options->listen[options->listen_count];

    if (options->listen_count == LIMIT_LISTEN)
        return daemon_bad_value(command, "--listen", value, "too many of them");
    if (address_parse(value, address) != ERR_OK)
        return daemon_bad_value(command, "--listen", value,
                                "ADDR:PORT is needed, such as 0.0.0.0:6881");
    if (address->port != 0 && options->listen_count > 0 && address->port != options->listen[0].port)
        return daemon_bad_value(command, "--listen", value, "all need the port of the first, or 0");
    options->listen_count++;
    return CMD_OK;
}
