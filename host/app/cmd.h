/* The commands of `fringe`: a command is a row in main.c and a file cmd_NAME.c. Layer: app. */
#pragma once

/* Exit statuses that scripts rely on. */
enum { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2 };

/* argv[0] is the command's name; options follow. */
int cmd_daemon(int argc, char **argv);
