/* The command line that all clients of the daemon share: --socket, --help, perhaps one switch
 * and -o, then the other words. Layer: app. */
#pragma once

#include "app/client.h"

struct client_options {
    const char *usage;                         /* set before */
    int words_wanted;                          /* set before */
    int words_optional;                        /* set before: so many more may follow */
    bool takes_json, takes_output, takes_site; /* set before */
    bool takes_settings;                       /* set before: limits instead of the words */
    const char *socket, *output, *site;
    bool takes_log; /* set before: --limit, --kind, --csv, --clear */
    const char *limit, *kind;
    bool json, csv, clear;
    char **words;
    int word_count;
    const char *settings[SETTING_COUNT_]; /* NULL: not given */
    bool has_settings;
};

/* True to go on; else *ret_status is the status to end with. */
bool client_options_read(struct client_options *options, int argc, char **argv, int *ret_status);

/* Asks once and prints: the answer's exact text with --json, else by `print` (NULL: nothing).
 * Returns the exit status. */
int client_run(const struct client_options *options, struct api_request *request,
               void (*print)(const json_t *answer));
/* A whole command: reads the options before. */
int client_command(struct client_options *options, int argc, char **argv,
                   struct api_request *request, void (*print)(const json_t *answer));
