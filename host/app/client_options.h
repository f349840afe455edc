/* The command line that all clients of the daemon share: --socket, --help, perhaps one switch
 * and -o, then the other words. Layer: app. */
#pragma once

#include "app/client.h"

struct client_options {
    const char *usage;       /* set before */
    int words_wanted;        /* set before */
    bool takes_json, takes_output; /* set before */
    const char *socket, *output;
    bool json;
    char **words;
};

/* True to go on; else *ret_status is the status to end with. */
bool client_options_read(struct client_options *options, int argc, char **argv, int *ret_status);

/* A whole command: reads the options, asks once, and prints: the answer's exact text with --json,
 * else by `print` (NULL: nothing). Returns the exit status. */
int client_command(struct client_options *options, int argc, char **argv,
                   struct api_request *request, void (*print)(const json_t *answer));
