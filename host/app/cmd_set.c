/* fringe set: the visitor's choice for a site, or the limits for all. */
#include "app/client.h"
#include "app/client_options.h"
#include "app/cmd.h"
#include "app/limits_text.h"
#include "base/mem.h"
#include "wire/url.h"

#include <string.h>

static const char usage[] =
    "usage: fringe set SITE off|fetch|share|default [--socket PATH]\n"
    "       fringe set [--upload-rate RATE] [--download-rate RATE] [--monthly-cap BYTES]\n"
    "                  [--slots N] [--local-discovery on|off] [--log yes|no]\n"
    "                  [--unmetered-only yes|no] [--mains-only yes|no]\n"
    "                  [--default-zone off|fetch|share] [--cache-quota BYTES] [--socket PATH]\n"
    "  off      nothing of this site is fetched from or shared with other visitors\n"
    "  fetch    its files come from other visitors, nothing is given to them\n"
    "  share    its files come from other visitors and are given to them\n"
    "  default  forget the choice: what holds for all sites holds again\n"
    "Limits, for all sites together; 0 lifts one. K, M, G, T are thousands, millions, ...\n"
    "  --upload-rate    bytes a second to other visitors, 8K or more\n"
    "  --download-rate  bytes a second from visitors and sites, 8K or more\n"
    "  --monthly-cap    bytes given to others in a calendar month (UTC)\n"
    "  --slots          how many strangers' programs are served at a time, 1 to 200 (8)\n"
    "  --local-discovery  find, and be found by, hosts on your own network (off): everybody\n"
    "                   there can see which sites' files are shared here\n"
    "  --unmetered-only  give nothing while this network is metered, such as a phone's (no);\n"
    "                   NetworkManager knows, without it no network is metered\n"
    "  --mains-only     give nothing while this computer runs on battery (no); UPower knows,\n"
    "                   without it no computer does\n"
    "  --log            keep a log of what was fetched and given (yes): `fringe log` shows it\n"
    "  --default-zone   what holds for sites without a choice of their own (off)\n"
    "  --cache-quota    bytes on the disk; 0: a tenth of what is free, at most 5 GB\n";

/* --- a site's zone */

static int set_zone(const struct client_options *options)
{
    struct api_request request = {.type = API_SITE_ZONE};
    json_t *answer = NULL;
    char *site = NULL, *path = NULL;

    if (!zone_parse(options->words[1], &request.zone))
        return cmd_usage(usage);
    if (url_split(options->words[0], &site, &path) != ERR_OK) {
        cmd_fail("%s is not a site: write it as https://game.example", options->words[0]);
        return CMD_USAGE;
    }
    memcpy(request.site, site, strlen(site) + 1);
    struct client *client = client_open(options->socket);
    bool good = client != NULL && client_ask(client, &request, &answer);
    if (good)
        cmd_print("%s: %s", site, client_text(answer, "zone", "?"));
    json_decref(answer);
    client_free(client);
    mem_free(site);
    mem_free(path);
    return good ? CMD_OK : CMD_FAILED;
}

/* --- limits */

static bool is_switch(enum setting setting)
{
    return setting == SETTING_LOCAL_DISCOVERY || setting == SETTING_NO_LOG ||
           setting == SETTING_UNMETERED_ONLY || setting == SETTING_MAINS_ONLY;
}

static bool parse_switch(const char *text, uint64_t *ret)
{
    *ret = strcmp(text, "yes") == 0 || strcmp(text, "on") == 0;
    return *ret != 0 || strcmp(text, "no") == 0 || strcmp(text, "off") == 0;
}

static bool parse_setting(enum setting setting, const char *text, uint64_t *ret)
{
    if (setting == SETTING_DEFAULT_ZONE) {
        enum zone zone = ZONE_DEFAULT;
        bool known = zone_parse(text, &zone) && zone != ZONE_DEFAULT;
        *ret = (uint64_t)zone + 1;
        return known;
    }
    if (setting == SETTING_NO_LOG && parse_switch(text, ret)) {
        *ret = !*ret;
        return true;
    }
    return is_switch(setting) ? parse_switch(text, ret) : cmd_bytes_parse(text, ret);
}

static bool read_limits(const struct client_options *options, struct api_request *request)
{
    for (int i = 0; i < SETTING_COUNT_; i++) {
        const char *text = options->settings[i];
        request->given[i] = text != NULL;
        if (text == NULL)
            continue;
        if (!parse_setting((enum setting)i, text, &request->settings[i]) ||
            setting_check((enum setting)i, request->settings[i]) != ERR_OK) {
            cmd_fail("%s is no value for %s: `fringe set --help` says what is", text,
                     setting_name((enum setting)i));
            return false;
        }
    }
    return true;
}

static int set_limits(const struct client_options *options)
{
    struct api_request request = {.type = API_SETTINGS};

    if (!read_limits(options, &request))
        return CMD_USAGE;
    return client_run(options, &request, limits_print);
}

int cmd_set(int argc, char **argv)
{
    struct client_options options = {.usage = usage, .words_wanted = 2, .takes_settings = true};
    int status;

    if (!client_options_read(&options, argc, argv, &status))
        return status;
    return options.has_settings ? set_limits(&options) : set_zone(&options);
}
