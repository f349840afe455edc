/* fringe sites: what the visitor chose, and what the sites have. */
#include "app/client.h"
#include "app/client_options.h"
#include "app/cmd.h"

#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: fringe sites [--json] [--socket PATH]\n";

static void print_site(const json_t *site)
{
    uint64_t seq = client_number(site, "seq");
    char release[64] = "-";
    if (seq > 0)
        snprintf(release, sizeof release, "%llu", (unsigned long long)seq);
    cmd_print("%-40s %-6s %-8s %-8s %s %s", client_text(site, "site", "?"),
              client_text(site, "zone", "?"),
              strcmp(client_text(site, "chosen", "default"), "default") != 0 ? "chosen" : "default",
              client_text(site, "state", "-"), release, client_text(site, "version", ""));
}

static void print_table(const json_t *answer)
{
    const json_t *sites = json_object_get(answer, "sites");
    if (json_array_size(sites) == 0) {
        cmd_print("no sites yet");
        return;
    }
    cmd_print("%-40s %-6s %-8s %-8s %s", "site", "zone", "by", "state", "release");
    for (size_t i = 0; i < json_array_size(sites); i++)
        print_site(json_array_get(sites, i));
}

int cmd_sites(int argc, char **argv)
{
    struct client_options options = {.usage = usage, .takes_json = true};
    struct api_request request = {.type = API_SITES};

    return client_command(&options, argc, argv, &request, print_table);
}
