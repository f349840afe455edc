/* Options that `fringe daemon` and `fringe supernode` share. Layer: app; private. */
#pragma once

#include "app/daemon.h"

/* "fringe COMMAND: OPTION VALUE: wanted" on stderr; answers CMD_USAGE. */
int daemon_bad_value(const char *command, const char *option, const char *value,
                     const char *wanted);
int daemon_add_listen(const char *command, struct daemon_options *options, const char *value);
bool daemon_parse_level(const char *text);
/* Gives up for good what a daemon with these options has no use for (io/confine.h). Before there is
 * a thread. */
void daemon_confine(const struct daemon_options *options);
