#include "app/client_options.h"

#include "app/cmd.h"

#include <getopt.h>
#include <stdio.h>

static const struct option long_options[] = {
    {"socket", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

bool client_options_read(struct client_options *options, int argc, char **argv, int *ret_status)
{
    int option;
    *ret_status = CMD_USAGE;
    while ((option = getopt_long(argc, argv, "o:", long_options, NULL)) != -1) {
        if (option == 's')
            options->socket = optarg;
        else if (option == 'j' && options->takes_json)
            options->json = true;
        else if (option == 'o' && options->takes_output)
            options->output = optarg;
        else if (option == 'h') {
            *ret_status = fputs(options->usage, stdout) >= 0 ? CMD_OK : CMD_FAILED;
            return false;
        } else {
            cmd_usage(options->usage);
            return false;
        }
    }
    if (argc - optind != options->words_wanted) {
        cmd_usage(options->usage);
        return false;
    }
    options->words = argv + optind;
    return true;
}

static bool print_text(struct span text)
{
    return fwrite(text.data, 1, text.length, stdout) == text.length && putchar('\n') == '\n';
}

int client_command(struct client_options *options, int argc, char **argv,
                   struct api_request *request, void (*print)(const json_t *answer))
{
    json_t *answer = NULL;
    int status;
    if (!client_options_read(options, argc, argv, &status))
        return status;
    struct client *client = client_open(options->socket);
    bool good = client != NULL && client_ask(client, request, &answer);
    if (good && options->json)
        good = print_text(client_answer_text(client));
    else if (good && print != NULL)
        print(answer);
    json_decref(answer);
    client_free(client);
    return good ? CMD_OK : CMD_FAILED;
}
