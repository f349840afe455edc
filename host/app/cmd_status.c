/* fringe status: what the daemon is doing. */
#include "app/client.h"
#include "app/client_options.h"
#include "app/cmd.h"
#include "app/limits_text.h"
#include "base/mem.h"
#include "wire/url.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: fringe status [--site SITE] [--json] [--socket PATH]\n"
    "  --site SITE  of one site (https://game.example): its release, who is connected, and how\n"
    "               much of what was asked for did not come from the site itself\n";

static void print_duration(uint64_t seconds)
{
    unsigned long long s = seconds;
    if (s < 120)
        cmd_print("running    %llu s", s);
    else if (s < 7200)
        cmd_print("running    %llu min", s / 60);
    else
        cmd_print("running    %llu h %llu min", s / 3600, s / 60 % 60);
}

/* ever: NULL for a site, of which only this run is known. */
static void print_totals(const json_t *total, const json_t *ever)
{
    static const char *const rows[][2] = {{"cache", "from the cache"},
                                          {"peers", "from peers"},
                                          {"supernode", "from super-nodes"},
                                          {"origin", "from the sites"},
                                          {"uploaded", "given to peers"}};
    char run[BYTES_TEXT], all[BYTES_TEXT];

    if (ever != NULL)
        cmd_print("%-17s%12s%12s", "", "this run", "all runs");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cmd_bytes(client_number(total, rows[i][0]), run);
        if (ever == NULL)
            cmd_print("%-17s%12s", rows[i][1], run);
        else
            cmd_print("%-17s%12s%12s", rows[i][1], run,
                      cmd_bytes(client_number(ever, rows[i][0]), all));
    }
}

static void print_month(const json_t *answer)
{
    const json_t *month = json_object_get(answer, "month"),
                 *rates = json_object_get(answer, "rates");
    char up[BYTES_TEXT], down[BYTES_TEXT], given[BYTES_TEXT];

    cmd_print("%s    %s given to peers", client_text(month, "name", "?"),
              cmd_bytes(client_number(month, "uploaded"), given));
    cmd_print("rates      up %s/s, down %s/s", cmd_bytes(client_number(rates, "upload"), up),
              cmd_bytes(client_number(rates, "download"), down));
}

static void print_mapping(const json_t *mapping)
{
    static const char *const says[][2] = {
        {"off", "not asked to let peers in"},
        {"asking", "being asked to let peers in"},
        {"no-router", "none answers (NAT-PMP, UPnP)"},
        {"refused", "lets no peers in"},
        {"double-nat", "is itself behind another one, or its provider's"},
    };
    const char *state = client_text(mapping, "state", "?");

    if (strcmp(state, "mapped") == 0)
        cmd_print("router     %s leads here (%s)", client_text(mapping, "external", "?"),
                  client_text(mapping, "method", "?"));
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
        if (strcmp(state, says[i][0]) == 0)
            cmd_print("router     %s", says[i][1]);
}

static const char *cache_trouble(const json_t *cache)
{
    const char *state = client_text(cache, "state", "ok");

    if (strcmp(state, "read-only") == 0)
        return ", and the disk is read-only: files come from their sites";
    if (strcmp(state, "no-space") == 0)
        return ", and no space for more: files come from their sites";
    return strcmp(state, "ok") == 0 ? ""
                                    : ", and it cannot be written: files come from their sites";
}

static void print_health(const json_t *health)
{
    const char *clock = client_text(health, "clock", "ok");
    uint64_t hours = (client_number(health, "clock_off_s") + 1800) / 3600;

    if (strcmp(client_text(health, "network", "ok"), "none") == 0)
        cmd_print("network    none");
    if (strcmp(clock, "ok") != 0)
        cmd_print("clock      %llu %s %s, the sites say: set the date and the time",
                  (unsigned long long)(hours < 48 ? hours : hours / 24),
                  hours < 48 ? "hours" : "days", clock);
}

/* A switch without anybody who knows does nothing, and must not do so in silence. */
static void print_surroundings(const json_t *answer)
{
    const json_t *limits = json_object_get(answer, "limits"),
                 *said = json_object_get(answer, "surroundings");

    if (strcmp(client_text(answer, "sharing", ""), "asking") == 0)
        return;
    if (client_number(limits, setting_name(SETTING_UNMETERED_ONLY)) != 0 &&
        strcmp(client_text(said, "network", ""), "unknown") == 0)
        cmd_print("metered?   not known, taken as no: NetworkManager says nothing");
    if (client_number(limits, setting_name(SETTING_MAINS_ONLY)) != 0 &&
        strcmp(client_text(said, "power", ""), "unknown") == 0)
        cmd_print("battery?   not known, taken as no: UPower says nothing");
}

static void print_table(const json_t *answer)
{
    const json_t *cache = json_object_get(answer, "cache");
    char size[BYTES_TEXT];
    cmd_print("version    %s, process %llu", client_text(answer, "version", "?"),
              (unsigned long long)client_number(answer, "pid"));
    print_duration(client_number(answer, "uptime_s"));
    cmd_print("data       %s", client_text(answer, "data", "?"));
    cmd_print("listening  %s", client_text(answer, "listen", "no"));
    print_mapping(json_object_get(answer, "port_mapping"));
    cmd_print("gateway    %s", client_text(answer, "gateway", "no"));
    cmd_print("sites      %llu", (unsigned long long)client_number(answer, "sites"));
    cmd_print("peers      %llu", (unsigned long long)client_number(answer, "peers"));
    cmd_print("cache      %llu files, %s%s", (unsigned long long)client_number(cache, "files"),
              cmd_bytes(client_number(cache, "bytes"), size), cache_trouble(cache));
    print_health(json_object_get(answer, "health"));
    print_totals(json_object_get(answer, "total"), json_object_get(answer, "ever"));
    print_month(answer);
    limits_print(json_object_get(answer, "limits"));
    print_surroundings(answer);
    limits_print_sharing(answer);
}

/* --- one site */

static void print_release(const json_t *release)
{
    char size[BYTES_TEXT];

    if (!json_is_object(release)) {
        cmd_print("release    none");
        return;
    }
    cmd_print(
        "release    %llu %s, %llu files, %s", (unsigned long long)client_number(release, "seq"),
        client_text(release, "version", ""), (unsigned long long)client_number(release, "files"),
        cmd_bytes(client_number(release, "bytes"), size));
}

static void print_spared(const json_t *answer)
{
    const json_t *spared = json_object_get(answer, "spared");
    uint64_t asked = client_number(spared, "asked"), shared = client_number(spared, "shared");
    bool supernode = json_is_true(json_object_get(answer, "supernode"));
    const char *who = supernode ? "visitors asked for" : "pages asked for";
    char of[BYTES_TEXT], not_from[BYTES_TEXT];

    if (asked == 0)
        cmd_print("spared     nothing yet: %s nothing", who);
    else
        cmd_print("spared     %.1f %%: %s %s, and %s of it did not come from the site",
                  100.0 * (double)shared / (double)asked, who, cmd_bytes(asked, of),
                  cmd_bytes(shared, not_from));
}

static void print_site(const json_t *answer)
{
    const char *reason = client_text(answer, "reason", "");

    cmd_print("state      %s%s%s, zone %s", client_text(answer, "state", "?"),
              reason[0] != '\0' ? ": " : "", reason, client_text(answer, "zone", "?"));
    print_release(json_object_get(answer, "release"));
    cmd_print("peers      %llu", (unsigned long long)client_number(answer, "peers"));
    print_totals(json_object_get(answer, "total"), NULL);
    print_spared(answer);
}

static int one_site(const struct client_options *options)
{
    struct api_request request = {.type = API_SITE_STATUS};
    char *site = NULL, *path = NULL;

    if (url_split(options->site, &site, &path) != ERR_OK) {
        cmd_fail("%s is not a site: write it as https://game.example", options->site);
        return CMD_USAGE;
    }
    memcpy(request.site, site, strlen(site) + 1);
    mem_free(site);
    mem_free(path);
    return client_run(options, &request, print_site);
}

int cmd_status(int argc, char **argv)
{
    struct client_options options = {.usage = usage, .takes_json = true, .takes_site = true};
    struct api_request request = {.type = API_STATUS};
    int status;

    if (!client_options_read(&options, argc, argv, &status))
        return status;
    return options.site != NULL ? one_site(&options) : client_run(&options, &request, print_table);
}
