/* fringe publish: signs a folder of a site. */
#include "app/cmd.h"
#include "app/key_file.h"
#include "app/publish.h"
#include "base/mem.h"
#include "wire/delta.h"
#include "wire/release_rules.h"
#include "wire/url.h"
#include "wire/utf8.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define EXPIRES_DAYS     365
#define EXPIRES_DAYS_MAX 3650
#define KEEP             3
#define KEEP_MIN         2
#define KEEP_MAX         100

static const char usage[] =
    "usage: fringe publish DIR --site URL --base /static/ --key FILE --out WEBROOT [options]\n"
    "  DIR                   the folder whose files visitors may share\n"
    "  --site URL            the site, such as https://game.example\n"
    "  --base PATH           where on the site the files are, such as /static/\n"
    "  --key FILE            secret key, from `fringe keygen` or `minisign -G`\n"
    "  --out WEBROOT         the folder that the site is served from\n"
    "  --tracker URL         http, https or udp tracker; may be repeated\n"
    "  --supernode URL       tcp://host:port or wss://host/path; may be repeated\n"
    "  --version TEXT        shown to people, at most 64 bytes\n"
    "  --expires DAYS        after so long nothing is shared (default 365)\n"
    "  --header 'NAME: VALUE'  a header that the files need; may be repeated\n"
    "  --type .EXT=TYPE      media type of files with that ending; may be repeated\n"
    "  --sharing RULE        peers (default) or supernode-only\n"
    "  --password-file FILE  its first line unlocks the key (default: ask)\n"
    "  --next-key FILE       public key that may sign the next releases\n"
    "  --new-key             sign with another key than before, not announced by --next-key\n"
    "  --only                forget the bundles that the release before had at other bases\n"
    "  --previous DIR        an older version of the folder, as it was published: visitors who\n"
    "                        have it get patches for what has changed; may be repeated\n"
    "  --keep N              the torrents of the last N releases stay (default 3)\n"
    "  --plan FILE           write FILE.1-files, FILE.2-torrents, ...: what to upload, step by "
    "step\n"
    "  --unsigned            write no signature: the key is on another machine. --key may then be\n"
    "                        the public one\n"
    "\n"
    "Each run makes the next release. It keeps the bundles that the release before had at other\n"
    "bases; everything else is as this command line says. Names that begin with a dot are left\n"
    "out. Pieces are 64 KiB, larger from 8 GiB on.\n";

enum {
    OPT_SITE = 1,
    OPT_BASE,
    OPT_KEY,
    OPT_OUT,
    OPT_TRACKER,
    OPT_SUPERNODE,
    OPT_VERSION,
    OPT_EXPIRES,
    OPT_HEADER,
    OPT_TYPE,
    OPT_SHARING,
    OPT_PASSWORD,
    OPT_NEXT_KEY,
    OPT_NEW_KEY,
    OPT_ONLY,
    OPT_UNSIGNED,
    OPT_KEEP,
    OPT_PLAN,
    OPT_PREVIOUS,
    OPT_HELP,
};

static const struct option long_options[] = {
    {"site", required_argument, NULL, OPT_SITE},
    {"base", required_argument, NULL, OPT_BASE},
    {"key", required_argument, NULL, OPT_KEY},
    {"out", required_argument, NULL, OPT_OUT},
    {"tracker", required_argument, NULL, OPT_TRACKER},
    {"supernode", required_argument, NULL, OPT_SUPERNODE},
    {"version", required_argument, NULL, OPT_VERSION},
    {"expires", required_argument, NULL, OPT_EXPIRES},
    {"header", required_argument, NULL, OPT_HEADER},
    {"type", required_argument, NULL, OPT_TYPE},
    {"sharing", required_argument, NULL, OPT_SHARING},
    {"password-file", required_argument, NULL, OPT_PASSWORD},
    {"next-key", required_argument, NULL, OPT_NEXT_KEY},
    {"new-key", no_argument, NULL, OPT_NEW_KEY},
    {"only", no_argument, NULL, OPT_ONLY},
    {"unsigned", no_argument, NULL, OPT_UNSIGNED},
    {"keep", required_argument, NULL, OPT_KEEP},
    {"plan", required_argument, NULL, OPT_PLAN},
    {"previous", required_argument, NULL, OPT_PREVIOUS},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

/* --- options that repeat; each answers false after a message */

static bool add_url(const char **urls, size_t *count, size_t max, const char *url,
                    bool (*check)(const char *), const char *what)
{
    if (!check(url))
        return cmd_fail("%s is not %s", url, what) == CMD_OK;
    if (*count == max)
        return cmd_fail("more than %zu such addresses", max) == CMD_OK;
    urls[(*count)++] = url;
    return true;
}

static bool has_name(const struct release_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(pairs[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool add_header(struct publish_options *options, char *text)
{
    char *colon = strchr(text, ':');
    if (colon == NULL)
        return cmd_fail("--header %s: write it as 'Name: value'", text) == CMD_OK;
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " ");
    const char *name = release_header_name(text);
    if (name == NULL)
        return cmd_fail("--header %s: this header cannot be given to shared files. Possible are "
                        "the Cross-Origin-* policies, Content-Security-Policy, "
                        "Permissions-Policy, Timing-Allow-Origin, Access-Control-Allow-Origin, "
                        "SourceMap and Service-Worker-Allowed",
                        text) == CMD_OK;
    if (!release_header_value_ok(value))
        return cmd_fail("--header %s: the value must be plain ASCII text", text) == CMD_OK;
    if (has_name(options->headers, options->header_count, name))
        return cmd_fail("--header %s is given twice", name) == CMD_OK;
    if (options->header_count == LIMIT_RELEASE_HEADERS)
        return cmd_fail("more than %d headers", LIMIT_RELEASE_HEADERS) == CMD_OK;
    options->headers[options->header_count++] =
        (struct release_pair){.name = (char *)name, .value = value};
    return true;
}

static bool add_type(struct publish_options *options, char *text)
{
    char *equals = strchr(text, '=');
    if (equals == NULL)
        return cmd_fail("--type %s: write it as .ext=type/subtype", text) == CMD_OK;
    *equals = '\0';
    if (!release_suffix_ok(text) || !release_media_type_ok(equals + 1))
        return cmd_fail("--type %s=%s: write it as .ext=type/subtype", text, equals + 1) == CMD_OK;
    if (has_name(options->types, options->type_count, text))
        return cmd_fail("--type %s is given twice", text) == CMD_OK;
    if (options->type_count == LIMIT_RELEASE_TYPES)
        return cmd_fail("more than %d types", LIMIT_RELEASE_TYPES) == CMD_OK;
    options->types[options->type_count++] =
        (struct release_pair){.name = text, .value = equals + 1};
    return true;
}

static bool set_expires(struct publish_options *options, const char *text)
{
    char *end;
    unsigned long days = strtoul(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || *end != '\0' || days > EXPIRES_DAYS_MAX)
        return cmd_fail("--expires %s: a number of days up to %d", text, EXPIRES_DAYS_MAX) ==
               CMD_OK;
    options->expires_days = days;
    return true;
}

static bool add_previous(struct publish_options *options, const char *dir)
{
    if (options->previous_count == PUBLISH_PREVIOUS)
        return cmd_fail("--previous may be given %d times at most: name the versions that most "
                        "visitors still have",
                        PUBLISH_PREVIOUS) == CMD_OK;
    options->previous[options->previous_count++] = dir;
    return true;
}

static bool set_keep(struct publish_options *options, const char *text)
{
    char *end;
    unsigned long keep = strtoul(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || *end != '\0' || keep < KEEP_MIN || keep > KEEP_MAX)
        return cmd_fail("--keep %s: a number of releases, %d to %d: a visitor may still hold a "
                        "page of the one before",
                        text, KEEP_MIN, KEEP_MAX) == CMD_OK;
    options->keep = keep;
    return true;
}

/* Where the value of an option that may be given once goes; NULL: it is not one of them. */
static const char **text_of(struct publish_options *options, int option)
{
    switch (option) {
    case OPT_SITE:
        return &options->site;
    case OPT_BASE:
        return &options->base_text;
    case OPT_KEY:
        return &options->key;
    case OPT_OUT:
        return &options->out;
    case OPT_VERSION:
        return &options->version;
    case OPT_SHARING:
        return &options->sharing;
    case OPT_PASSWORD:
        return &options->password_file;
    case OPT_NEXT_KEY:
        return &options->next_key_file;
    case OPT_PLAN:
        return &options->plan;
    default:
        return NULL;
    }
}

static const char *name_of(int option)
{
    const struct option *at = long_options;
    while (at->name != NULL && at->val != option)
        at++;
    return at->name;
}

static bool set_text(struct publish_options *options, int option)
{
    const char **text = text_of(options, option);
    if (*text != NULL)
        return cmd_fail("--%s is given twice: %s and %s", name_of(option), *text, optarg) == CMD_OK;
    if (optarg[0] == '\0')
        return cmd_fail("--%s is empty", name_of(option)) == CMD_OK;
    *text = optarg;
    return true;
}

static bool set_flag(struct publish_options *options, int option)
{
    if (option == OPT_NEW_KEY)
        options->new_key = true;
    else if (option == OPT_ONLY)
        options->only = true;
    else
        options->is_unsigned = true;
    return true;
}

/* False after a message. */
static bool read_option(struct publish_options *options, int option)
{
    if (option == OPT_TRACKER)
        return add_url(options->trackers, &options->tracker_count, LIMIT_TRACKERS, optarg,
                       release_tracker_ok, "a tracker: http://, https:// or udp:// with a port");
    if (option == OPT_SUPERNODE)
        return add_url(options->supernodes, &options->supernode_count, LIMIT_SUPERNODES, optarg,
                       release_supernode_ok, "a super-node: tcp://host:port or wss://host/path");
    if (option == OPT_HEADER)
        return add_header(options, optarg);
    if (option == OPT_TYPE)
        return add_type(options, optarg);
    if (option == OPT_EXPIRES)
        return set_expires(options, optarg);
    if (option == OPT_PREVIOUS)
        return add_previous(options, optarg);
    if (option == OPT_KEEP)
        return set_keep(options, optarg);
    return text_of(options, option) != NULL ? set_text(options, option) : set_flag(options, option);
}

/* --- site and base */

/* "/static/", "/static" or a whole URL below the site -> "/static/". */
static char *read_base(const char *text, const char *site)
{
    char *base_site = NULL, *path = NULL;
    const char *at = text;
    if (strstr(text, "://") != NULL) {
        if (url_split(text, &base_site, &path) != ERR_OK || strcmp(base_site, site) != 0)
            cmd_fail("--base %s is not under the site %s", text, site);
        else
            at = path;
        if (at == text)
            at = NULL;
    }
    char *base = NULL;
    if (at != NULL) {
        size_t length = strlen(at);
        base = mem_printf("%s%s", at, length > 0 && at[length - 1] == '/' ? "" : "/");
        if (!path_base_ok(base)) {
            cmd_fail("--base %s: write it as /static/: a folder below the site, in characters "
                     "that need no escaping in a URL",
                     text);
            mem_free(base);
            base = NULL;
        }
    }
    mem_free(base_site);
    mem_free(path);
    return base;
}

static bool check_plan(const char *plan)
{
    struct stat info;
    char *folder = mem_strdup(plan), *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[1] = '\0';
    bool good = slash == NULL || (stat(folder, &info) == 0 && S_ISDIR(info.st_mode));
    if (!good)
        cmd_fail("--plan %s: there is no folder %s: make it first", plan, folder);
    mem_free(folder);
    return good;
}

static bool check_texts(const struct publish_options *options)
{
    struct stat info;
    if (options->version != NULL && (strlen(options->version) > LIMIT_VERSION_TEXT ||
                                     !utf8_printable(options->version, strlen(options->version))))
        return cmd_fail("--version: at most %d bytes of plain text", LIMIT_VERSION_TEXT) == CMD_OK;
    if (options->sharing != NULL && strcmp(options->sharing, "peers") != 0 &&
        strcmp(options->sharing, "supernode-only") != 0)
        return cmd_fail("--sharing %s: peers or supernode-only", options->sharing) == CMD_OK;
    if (strcmp(options->base, DELTA_BASE) == 0)
        return cmd_fail("--base %s is where patches are: choose another", DELTA_BASE) == CMD_OK;
    if (stat(options->out, &info) != 0 || !S_ISDIR(info.st_mode))
        return cmd_fail("--out %s is not a folder: make it first", options->out) == CMD_OK;
    return options->plan == NULL || check_plan(options->plan);
}

/* --- the steps */

static bool check_large(const struct publish_options *options, const struct publish_plan *plan)
{
    if (plan->catalog.slice_count == 0 || options->previous_count == 0)
        return true;
    return cmd_fail(
               "--previous: patches are made for folders of up to 10,000 files, and %s has more: "
               "publish it without",
               options->dir) == CMD_OK;
}

static bool publish(const struct publish_options *options, const struct minisign_secret *secret)
{
    struct publish_files files = {0};
    struct publish_plan plan = {0};
    int lock = publish_lock(options);
    bool good = lock >= 0 && publish_worker_is_ours(options) &&
                publish_scan(options->dir, options->base, &files);
    uint32_t piece_length = publish_piece_length(files.bytes);
    if (good && publish_is_large(&files))
        piece_length = publish_catalog_cut(&files, &plan.catalog);
    good = good && check_large(options, &plan) &&
           publish_plan_check(options, &files, secret, &plan) &&
           publish_hash(options->dir, &files, piece_length) &&
           publish_patches(options, &files, &plan) &&
           publish_plan_build(options, &files, piece_length, secret, &plan);
    if (good)
        publish_check_served(options, &files);
    good = good && publish_write(options, &plan);
    if (good) {
        publish_remove_old(options, &plan);
        good = publish_tell(options, &plan, &files);
    }
    publish_plan_done(&plan);
    publish_files_done(&files);
    if (lock >= 0)
        close(lock);
    return good;
}

static int run(struct publish_options *options)
{
    struct minisign_secret secret;
    char *site = publish_read_site(options->site);
    int status = CMD_USAGE;
    options->site = site;
    if (site != NULL && options->base_text != NULL)
        options->base = read_base(options->base_text, site);
    if (options->base != NULL && check_texts(options)) {
        status = CMD_FAILED;
        if (options->is_unsigned ? publish(options, NULL)
                                 : key_file_load(options->key, options->password_file, &secret) &&
                                       publish(options, &secret))
            status = CMD_OK;
        sodium_memzero(&secret, sizeof secret);
    }
    mem_free(options->base);
    mem_free(site);
    return status;
}

/* NULL: nothing is missing. */
static const char *what_is_missing(const struct publish_options *options, int words)
{
    if (words == 0)
        return "which folder shall be shared? `fringe publish static/ --site ...`";
    if (words > 1)
        return "one folder at a time: each has a --base of its own";
    if (options->site == NULL)
        return "--site is missing, such as --site https://game.example";
    if (options->base_text == NULL)
        return "--base is missing: where on the site the files are, such as --base /static/";
    if (options->out == NULL)
        return "--out is missing: the folder that the site is served from";
    if (options->key == NULL && !options->is_unsigned)
        return "--key is missing: the secret key from `fringe keygen`; or --unsigned, to sign "
               "with minisign on another machine";
    if (options->is_unsigned && options->password_file != NULL)
        return "--password-file is of no use with --unsigned: nothing is unlocked";
    return NULL;
}

int cmd_publish(int argc, char **argv)
{
    struct publish_options options = {.expires_days = EXPIRES_DAYS, .keep = KEEP};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == OPT_HELP)
            return fputs(usage, stdout) >= 0 ? CMD_OK : CMD_FAILED;
        if (option == ':' || option == '?')
            return cmd_bad_option(argv[0], option, argv, long_options);
        if (!read_option(&options, option))
            return CMD_USAGE;
    }
    const char *missing = what_is_missing(&options, argc - optind);
    if (missing != NULL)
        return cmd_missing(argv[0], missing);
    options.dir = argv[optind];
    return run(&options);
}
