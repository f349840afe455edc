/* fringe set: the visitor's choice for a site. */
#include "app/client.h"
#include "app/client_options.h"
#include "app/cmd.h"
#include "base/mem.h"
#include "wire/url.h"

#include <string.h>

static const char usage[] =
    "usage: fringe set SITE off|fetch|share|default [--socket PATH]\n"
    "  off      nothing of this site is fetched from or shared with other visitors\n"
    "  fetch    its files come from other visitors, nothing is given to them\n"
    "  share    its files come from other visitors and are given to them\n"
    "  default  forget the choice: what holds for all sites holds again\n";

int cmd_set(int argc, char **argv)
{
    struct client_options options = {.usage = usage, .words_wanted = 2};
    struct api_request request = {.type = API_SITE_ZONE};
    json_t *answer = NULL;
    char *site = NULL, *path = NULL;
    int status;
    if (!client_options_read(&options, argc, argv, &status))
        return status;
    if (!zone_parse(options.words[1], &request.zone))
        return cmd_usage(usage);
    if (url_split(options.words[0], &site, &path) != ERR_OK) {
        cmd_fail("%s is not a site: write it as https://game.example", options.words[0]);
        return CMD_USAGE;
    }
    memcpy(request.site, site, strlen(site) + 1);
    struct client *client = client_open(options.socket);
    bool good = client != NULL && client_ask(client, &request, &answer);
    if (good)
        cmd_print("%s: %s", site, client_text(answer, "zone", "?"));
    json_decref(answer);
    client_free(client);
    mem_free(site);
    mem_free(path);
    return good ? CMD_OK : CMD_FAILED;
}
