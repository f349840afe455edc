/* fringe cache: what is kept on this computer, and what is to go or to stay. */
#include "app/client.h"
#include "app/client_options.h"
#include "app/cmd.h"
#include "base/mem.h"
#include "wire/url.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: fringe cache [--json] [--socket PATH]\n"
    "       fringe cache clear SITE|all\n"
    "       fringe cache keep SITE | unkeep SITE\n"
    "       fringe cache quota SITE|all BYTES\n"
    "Without a word: what is cached, the largest sites first.\n"
    "  clear   remove a site's files, and what the log says of it\n"
    "  keep    these files stay when others have to go\n"
    "  unkeep  they may go again\n"
    "  quota   at most so many bytes (500M, 2G); 0: no limit of the site's own, for all: the\n"
    "          default, a tenth of the free disk and at most 5 GB\n";

/* --- the list */

static const char *day_of(uint64_t seconds, char *ret, size_t size)
{
    time_t when = (time_t)seconds;
    struct tm tm;

    if (seconds == 0 || gmtime_r(&when, &tm) == NULL || strftime(ret, size, "%Y-%m-%d", &tm) == 0)
        snprintf(ret, size, "-");
    return ret;
}

static void print_site(const json_t *site)
{
    char bytes[BYTES_TEXT], quota[BYTES_TEXT], down[BYTES_TEXT], up[BYTES_TEXT], day[16];
    uint64_t limit = client_number(site, "quota");

    cmd_print("%-40s %10s %7llu  %-10s %10s %10s %10s  %s",
              client_text(site, "site", "(not known yet)"),
              cmd_bytes(client_number(site, "bytes"), bytes),
              (unsigned long long)client_number(site, "files"),
              day_of(client_number(site, "last_used"), day, sizeof day),
              cmd_bytes(client_number(site, "down"), down),
              cmd_bytes(client_number(site, "up"), up), limit > 0 ? cmd_bytes(limit, quota) : "-",
              json_is_true(json_object_get(site, "keep")) ? "kept" : "");
}

static void print_cache(const json_t *answer)
{
    const json_t *sites = json_object_get(answer, "sites");
    char bytes[BYTES_TEXT], quota[BYTES_TEXT], left[BYTES_TEXT];

    cmd_print("cached     %s in %llu files", cmd_bytes(client_number(answer, "bytes"), bytes),
              (unsigned long long)client_number(answer, "files"));
    if (json_object_get(answer, "quota") != NULL)
        cmd_print("quota      %s%s", cmd_bytes(client_number(answer, "quota"), quota),
                  json_is_true(json_object_get(answer, "quota_chosen")) ? "" : " (default)");
    if (json_is_true(json_object_get(answer, "quota_lowered")))
        cmd_print("           less for now: the disk has only %s free",
                  cmd_bytes(client_number(answer, "disk_free"), left));
    if (client_number(answer, "going") > 0)
        cmd_print("           %llu files are being removed",
                  (unsigned long long)client_number(answer, "going"));
    if (json_array_size(sites) == 0)
        return;
    cmd_print("%-40s %10s %7s  %-10s %10s %10s %10s", "site", "bytes", "files", "last used",
              "from peers", "to peers", "quota");
    for (size_t i = 0; i < json_array_size(sites); i++)
        print_site(json_array_get(sites, i));
}

/* --- changes */

static void print_cleared(const json_t *answer)
{
    char bytes[BYTES_TEXT];

    cmd_print("removed %llu files, %s", (unsigned long long)client_number(answer, "files"),
              cmd_bytes(client_number(answer, "bytes"), bytes));
    if (client_number(answer, "in_use") > 0)
        cmd_print("%llu files stay: a page reads them now",
                  (unsigned long long)client_number(answer, "in_use"));
}

static bool read_site(const char *text, struct api_request *request)
{
    char *site = NULL, *path = NULL;
    bool good = url_split(text, &site, &path) == ERR_OK;

    if (good)
        memcpy(request->site, site, strlen(site) + 1);
    else
        cmd_fail("%s is not a site: write it as https://game.example", text);
    mem_free(site);
    mem_free(path);
    return good;
}

static int set_quota(struct client_options *options, struct api_request *request)
{
    bool all = strcmp(options->words[1], "all") == 0;

    if (!cmd_bytes_parse(options->words[2], &request->quota) ||
        (all && setting_check(SETTING_CACHE_QUOTA, request->quota) != ERR_OK)) {
        cmd_fail("%s is no quota: write it as 500M or 2G%s", options->words[2],
                 all ? ", 1M at least" : "");
        return CMD_USAGE;
    }
    if (!all)
        return read_site(options->words[1], request) ? client_run(options, request, NULL)
                                                     : CMD_USAGE;
    request->type = API_SETTINGS;
    request->given[SETTING_CACHE_QUOTA] = true;
    request->settings[SETTING_CACHE_QUOTA] = request->quota;
    return client_run(options, request, NULL);
}

static int clear(struct client_options *options, struct api_request *request)
{
    if (strcmp(options->words[1], "all") != 0 && !read_site(options->words[1], request))
        return CMD_USAGE;
    return client_run(options, request, print_cleared);
}

static int keep(struct client_options *options, struct api_request *request)
{
    request->keep = strcmp(options->words[0], "keep") == 0;
    return read_site(options->words[1], request) ? client_run(options, request, NULL) : CMD_USAGE;
}

static const struct {
    const char *name;
    int words;
    enum api_type type;
    int (*run)(struct client_options *options, struct api_request *request);
} actions[] = {
    {"clear", 2, API_CACHE_CLEAR, clear},
    {"keep", 2, API_CACHE_KEEP, keep},
    {"unkeep", 2, API_CACHE_KEEP, keep},
    {"quota", 3, API_CACHE_QUOTA, set_quota},
};

int cmd_cache(int argc, char **argv)
{
    struct client_options options = {.usage = usage, .takes_json = true, .words_optional = 3};
    struct api_request request = {.type = API_CACHE};
    int status;

    if (!client_options_read(&options, argc, argv, &status))
        return status;
    if (options.word_count == 0)
        return client_run(&options, &request, print_cache);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(options.words[0], actions[i].name) != 0 ||
            options.word_count != actions[i].words)
            continue;
        request.type = actions[i].type;
        return actions[i].run(&options, &request);
    }
    return cmd_usage(usage);
}
