#include "app/client_options.h"

#include "app/cmd.h"

#include <getopt.h>
#include <stdio.h>

#define FIRST_SETTING 256 /* options that have no letter */

static const struct option long_options[] = {
    {"socket", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},
    {"output", required_argument, NULL, 'o'},
    {"site", required_argument, NULL, 'S'},
    {"limit", required_argument, NULL, 'l'},
    {"kind", required_argument, NULL, 'k'},
    {"csv", no_argument, NULL, 'c'},
    {"clear", no_argument, NULL, 'C'},
    {"help", no_argument, NULL, 'h'},
    {"upload-rate", required_argument, NULL, FIRST_SETTING + SETTING_UPLOAD_RATE},
    {"download-rate", required_argument, NULL, FIRST_SETTING + SETTING_DOWNLOAD_RATE},
    {"monthly-cap", required_argument, NULL, FIRST_SETTING + SETTING_MONTHLY_CAP},
    {"slots", required_argument, NULL, FIRST_SETTING + SETTING_SLOTS},
    {"unmetered-only", required_argument, NULL, FIRST_SETTING + SETTING_UNMETERED_ONLY},
    {"mains-only", required_argument, NULL, FIRST_SETTING + SETTING_MAINS_ONLY},
    {"default-zone", required_argument, NULL, FIRST_SETTING + SETTING_DEFAULT_ZONE},
    {"cache-quota", required_argument, NULL, FIRST_SETTING + SETTING_CACHE_QUOTA},
    {"local-discovery", required_argument, NULL, FIRST_SETTING + SETTING_LOCAL_DISCOVERY},
    {"log", required_argument, NULL, FIRST_SETTING + SETTING_NO_LOG},
    {NULL, 0, NULL, 0},
};

static bool words_fit(const struct client_options *options)
{
    int least = options->has_settings ? 0 : options->words_wanted;
    return options->word_count >= least && options->word_count <= least + options->words_optional;
}

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
        else if (option == 'S' && options->takes_site)
            options->site = optarg;
        else if (option == 'l' && options->takes_log)
            options->limit = optarg;
        else if (option == 'k' && options->takes_log)
            options->kind = optarg;
        else if (option == 'c' && options->takes_log)
            options->csv = true;
        else if (option == 'C' && options->takes_log)
            options->clear = true;
        else if (option >= FIRST_SETTING && options->takes_settings) {
            options->settings[option - FIRST_SETTING] = optarg;
            options->has_settings = true;
        } else if (option == 'h') {
            *ret_status = fputs(options->usage, stdout) >= 0 ? CMD_OK : CMD_FAILED;
            return false;
        } else {
            cmd_usage(options->usage);
            return false;
        }
    }
    options->words = argv + optind;
    options->word_count = argc - optind;
    if (!words_fit(options)) {
        cmd_usage(options->usage);
        return false;
    }
    return true;
}

static bool print_text(struct span text)
{
    return fwrite(text.data, 1, text.length, stdout) == text.length && putchar('\n') == '\n';
}

int client_run(const struct client_options *options, struct api_request *request,
               void (*print)(const json_t *answer))
{
    json_t *answer = NULL;
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

int client_command(struct client_options *options, int argc, char **argv,
                   struct api_request *request, void (*print)(const json_t *answer))
{
    int status;

    if (!client_options_read(options, argc, argv, &status))
        return status;
    return client_run(options, request, print);
}
