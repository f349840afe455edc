/* The commands of `fringe`: a command is a row in main.c and a file cmd_NAME.c. Layer: app. */
#pragma once

#include "base/err.h"

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses that scripts rely on. */
enum { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2 };

/* argv[0] is the command's name; options follow. */
int cmd_cache(int argc, char **argv);
int cmd_daemon(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_keygen(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_port_map(int argc, char **argv);
int cmd_publish(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_revoke(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_snippet(int argc, char **argv);
int cmd_sites(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_supernode(int argc, char **argv);
int cmd_verify(int argc, char **argv);

/* "fringe: text" on stderr, with control characters replaced; answers CMD_FAILED. */
int cmd_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* From now on cmd_fail says it there and not on stderr; NULL: on stderr again. */
void cmd_capture(char *text, size_t size);
/* Control characters and what is no UTF-8 become "?", in place: a terminal must not see them. */
void cmd_make_safe(char *text);
/* "fringe: warning: text". */
void cmd_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The usage text on stderr; answers CMD_USAGE. */
int cmd_usage(const char *usage);
/* For getopt_long's ':' and '?' (with ":" as short options and opterr 0): says what is wrong with
 * the option and what was probably meant. Answers CMD_USAGE. */
int cmd_bad_option(const char *command, int answer, char *const *argv,
                   const struct option *options);
/* What is missing, and where all options are shown. Answers CMD_USAGE. */
int cmd_missing(const char *command, const char *what);
/* A line to stdout in which control characters are replaced: it may hold text from outside. */
void cmd_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define BYTES_TEXT 16
/* "512 bytes", "1.5 MB": decimal units, as storage is sold. */
const char *cmd_bytes(uint64_t bytes, char ret_text[BYTES_TEXT]);
/* The reverse: "500K", "1.5M", "20G", decimal units too. False: it is none, or too much. */
bool cmd_bytes_parse(const char *text, uint64_t *ret);
