/* fringe verify: a published site, seen as a stranger sees it. */
#include "app/cmd.h"
#include "app/verify.h"
#include "base/mem.h"
#include "wire/url.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: fringe verify URL|DIR [options]\n"
    "  URL             a page of the site, such as https://game.example/: everything is fetched "
    "as\n"
    "                  a stranger would, without cookies\n"
    "  DIR             a web root on this machine, before it is uploaded\n"
    "  --page PAGE     another page that must carry the label; may be repeated\n"
    "  --all           look at every byte of every file (default: a sample)\n"
    "  --key FILE      the public key that the site must have\n"
    "  --site URL      with DIR: the site that it is for (default: what the release says)\n"
    "  --ca-file PEM   trust these certificates instead of the system's\n"
    "  --json          the result for scripts\n"
    "\n"
    "Ends with 0 when there is no fault, 1 when there is one, 2 when it is used wrongly. Warnings\n"
    "are no faults.\n";

enum { OPT_PAGE = 1, OPT_ALL, OPT_KEY, OPT_SITE, OPT_CA, OPT_JSON, OPT_HELP };

static const struct option long_options[] = {
    {"page", required_argument, NULL, OPT_PAGE},  {"all", no_argument, NULL, OPT_ALL},
    {"key", required_argument, NULL, OPT_KEY},    {"site", required_argument, NULL, OPT_SITE},
    {"ca-file", required_argument, NULL, OPT_CA}, {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},        {NULL, 0, NULL, 0},
};

/* False after a message. */
static bool read_option(struct verify_options *options, int option)
{
    if (option == OPT_PAGE && options->page_count == VERIFY_PAGES)
        return cmd_fail("more than %d pages: look at them in two runs", VERIFY_PAGES) == CMD_OK;
    if (option == OPT_PAGE)
        options->pages[options->page_count++] = optarg;
    else if (option == OPT_ALL)
        options->all = true;
    else if (option == OPT_KEY)
        options->key_file = optarg;
    else if (option == OPT_SITE)
        options->site = optarg;
    else if (option == OPT_CA)
        options->ca_file = optarg;
    else
        options->json = true;
    return true;
}

static bool find_target(struct verify *verify)
{
    const struct verify_options *options = verify->options;
    struct stat info;
    char *path = NULL;
    bool is_url = strstr(options->target, "://") != NULL;
    if (is_url && options->site != NULL)
        return cmd_fail("--site is for a folder: the URL says the site itself") == CMD_OK;
    if (is_url && url_split(options->target, &verify->site, &verify->start) != ERR_OK)
        return cmd_fail("%s: write it as https://game.example/ or with the path of a page, without "
                        "? and # (plain http only for localhost)",
                        options->target) == CMD_OK;
    if (is_url)
        return true;
    verify->on_disk = true;
    if (stat(options->target, &info) != 0 || !S_ISDIR(info.st_mode))
        return cmd_fail("%s is neither a URL (https://game.example/) nor a folder",
                        options->target) == CMD_OK;
    verify->start = mem_strdup("/index.html");
    if (options->site == NULL)
        verify->site = mem_strdup(options->target);
    else if (url_split(options->site, &verify->site, &path) != ERR_OK || strcmp(path, "/") != 0)
        cmd_fail("--site %s: write it as https://game.example", options->site);
    bool good = options->site == NULL || (path != NULL && strcmp(path, "/") == 0);
    mem_free(path);
    return good;
}

static bool files_are_there(const struct verify_options *options)
{
    const char *files[] = {options->key_file, options->ca_file};
    struct stat info;
    for (size_t i = 0; i < 2; i++) {
        if (files[i] != NULL && (stat(files[i], &info) != 0 || !S_ISREG(info.st_mode)))
            return cmd_fail("%s is not a file that can be read", files[i]) == CMD_OK;
    }
    return true;
}

static int look(struct verify *verify)
{
    if (!verify_get_init(verify))
        return CMD_FAILED;
    bool has_release = verify_release(verify);
    if (!verify->gone)
        verify_pages(verify);
    if (has_release && !verify->gone)
        verify_site_files(verify);
    if (has_release && !verify->gone)
        verify_catalog(verify);
    if (has_release && !verify->gone)
        verify_files(verify);
    if (has_release && !verify->gone && !verify->on_disk)
        verify_reach(verify);
    return verify->options->json ? verify_tell_json(verify) : verify_tell(verify);
}

static void done(struct verify *verify)
{
    for (size_t i = 0; verify->torrents != NULL && i < verify->release->bundle_count; i++)
        metainfo_free(verify->torrents[i]);
    mem_free(verify->torrents);
    release_free(verify->release);
    verify_report_done(&verify->report);
    if (verify->multi != NULL)
        verify_get_done(verify);
    buf_done(&verify->json);
    buf_done(&verify->signature);
    mem_free(verify->site);
    mem_free(verify->start);
}

int cmd_verify(int argc, char **argv)
{
    struct verify_options options = {0};
    struct verify verify = {.options = &options};
    int option, status = CMD_USAGE;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == OPT_HELP)
            return fputs(usage, stdout) >= 0 ? CMD_OK : CMD_FAILED;
        if (option == ':' || option == '?')
            return cmd_bad_option(argv[0], option, argv, long_options);
        if (!read_option(&options, option))
            return CMD_USAGE;
    }
    if (optind + 1 != argc)
        return cmd_missing(argv[0], "one site or folder: `fringe verify https://game.example/`");
    options.target = argv[optind];
    buf_init(&verify.json, LIMIT_RELEASE);
    buf_init(&verify.signature, LIMIT_SIGNATURE);
    if (files_are_there(&options) && find_target(&verify))
        status = look(&verify);
    done(&verify);
    return status;
}
