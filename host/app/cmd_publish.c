/* fringe publish: signs a folder of a site. */
#include "app/cmd.h"
#include "app/key_file.h"
#include "app/publish.h"
#include "base/mem.h"
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
    "  --unsigned            write no signature: the key is on another machine\n"
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

static bool set_value(struct publish_options *options, int option, const char **base)
{
    switch (option) {
    case OPT_SITE:
        options->site = optarg;
        break;
    case OPT_BASE:
        *base = optarg;
        break;
    case OPT_KEY:
        options->key = optarg;
        break;
    case OPT_OUT:
        options->out = optarg;
        break;
    case OPT_VERSION:
        options->version = optarg;
        break;
    case OPT_SHARING:
        options->sharing = optarg;
        break;
    case OPT_PASSWORD:
        options->password_file = optarg;
        break;
    case OPT_NEXT_KEY:
        options->next_key_file = optarg;
        break;
    case OPT_NEW_KEY:
        options->new_key = true;
        break;
    case OPT_ONLY:
        options->only = true;
        break;
    case OPT_UNSIGNED:
        options->is_unsigned = true;
        break;
    default:
        return false;
    }
    return true;
}

/* CMD_OK, or the status to end with. */
static int read_option(struct publish_options *options, int option, const char **base)
{
    bool good = true;
    if (option == OPT_TRACKER)
        good = add_url(options->trackers, &options->tracker_count, LIMIT_TRACKERS, optarg,
                       release_tracker_ok, "a tracker: http://, https:// or udp:// with a port");
    else if (option == OPT_SUPERNODE)
        good = add_url(options->supernodes, &options->supernode_count, LIMIT_SUPERNODES, optarg,
                       release_supernode_ok, "a super-node: tcp://host:port or wss://host/path");
    else if (option == OPT_HEADER)
        good = add_header(options, optarg);
    else if (option == OPT_TYPE)
        good = add_type(options, optarg);
    else if (option == OPT_EXPIRES)
        good = set_expires(options, optarg);
    else if (!set_value(options, option, base))
        return cmd_usage(usage);
    return good ? CMD_OK : CMD_USAGE;
}

/* --- site and base */

/* "https://Game.Example/" -> "https://game.example"; a site has no path. */
static char *read_site(const char *text)
{
    char *site = NULL, *path = NULL;
    if (url_split(text, &site, &path) != ERR_OK || strcmp(path, "/") != 0) {
        cmd_fail("--site %s: write it as https://game.example (plain http only for localhost)",
                 text);
        mem_free(site);
        site = NULL;
    }
    mem_free(path);
    return site;
}

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

static bool check_texts(const struct publish_options *options)
{
    struct stat info;
    if (options->version != NULL && (strlen(options->version) > LIMIT_VERSION_TEXT ||
                                     !utf8_printable(options->version, strlen(options->version))))
        return cmd_fail("--version: at most %d bytes of plain text", LIMIT_VERSION_TEXT) == CMD_OK;
    if (options->sharing != NULL && strcmp(options->sharing, "peers") != 0 &&
        strcmp(options->sharing, "supernode-only") != 0)
        return cmd_fail("--sharing %s: peers or supernode-only", options->sharing) == CMD_OK;
    if (stat(options->out, &info) != 0 || !S_ISDIR(info.st_mode))
        return cmd_fail("--out %s is not a folder: make it first", options->out) == CMD_OK;
    return true;
}

/* --- what was done, and what comes next */

static void print_bundle(const struct publish_plan *plan, size_t index)
{
    const struct release_bundle *bundle = &plan->release.bundles[index];
    char size[BYTES_TEXT], hex[HEX_LENGTH(HASH_LENGTH)];
    hex_encode(hex, bundle->infohash, HASH_LENGTH);
    cmd_print("  %s   %llu files, %s%s", bundle->base, (unsigned long long)bundle->files,
              cmd_bytes(bundle->bytes, size), index == plan->own ? "" : ", kept as it was");
    cmd_print("      infohash %s", hex);
}

static void print_signing(const struct publish_options *options, const struct publish_plan *plan)
{
    struct buf comment;
    uint8_t hash[HASH_LENGTH];
    sha256(plan->json.data, plan->json.length, hash);
    buf_init(&comment, LIMIT_SIGNATURE);
    release_comment_format(&plan->release, hash, &comment);
    buf_put_u8(&comment, 0);
    cmd_print("Not signed yet. Where the key is:");
    cmd_print("  minisign -S -s KEY -m %s/.well-known/fringe/release.json -t '%s'", options->out,
              (char *)comment.data);
    cmd_print("and put release.json.minisig beside release.json, the public key there as key.pub.");
    buf_done(&comment);
}

static void print_result(const struct publish_options *options, const struct publish_plan *plan,
                         const struct publish_files *files)
{
    const struct release *release = &plan->release;
    time_t expires = (time_t)release->expires;
    unsigned long long seq = release->seq;
    char date[32];
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&expires));
    cmd_print("release %llu of %s", seq, release->site);
    for (size_t i = 0; i < release->bundle_count; i++)
        print_bundle(plan, i);
    if (files->hidden > 0)
        cmd_print("  left out: %zu hidden, for example %s", files->hidden, files->hidden_example);
    if (files->count == 1)
        cmd_print("  note: with a single file, stock BitTorrent clients cannot use the site as a "
                  "web seed; Fringe can");
    cmd_print("written to %s: fringe-sw.js, and in .well-known/fringe/ the torrent, enter.html, "
              "%srelease.json%s",
              options->out, options->is_unsigned ? "" : "key.pub, ",
              options->is_unsigned ? "" : " and release.json.minisig");
    if (options->is_unsigned)
        print_signing(options, plan);
    cmd_print("Next:");
    cmd_print("  - serve these files as they are, and label every page of this version:");
    cmd_print("      Link: </.well-known/fringe/release.json>; rel=\"fringe\"; seq=%llu", seq);
    cmd_print("    or, where headers cannot be set:");
    cmd_print("      <link rel=\"fringe\" href=\"/.well-known/fringe/release.json\" "
              "data-seq=\"%llu\">",
              seq);
    cmd_print("  - publish again whenever a file changes, and before %s", date);
}

/* --- the steps */

static bool publish(const struct publish_options *options, const struct minisign_secret *secret)
{
    struct publish_files files = {0};
    struct publish_plan plan = {0};
    int lock = publish_lock(options);
    bool good = lock >= 0 && publish_worker_is_ours(options) &&
                publish_scan(options->dir, options->base, &files);
    uint32_t piece_length = publish_piece_length(files.bytes);
    good = good && publish_plan_check(options, &files, secret, &plan) &&
           publish_hash(options->dir, &files, piece_length) &&
           publish_plan_build(options, &files, piece_length, secret, &plan);
    if (good)
        publish_check_served(options, &files);
    good = good && publish_write(options, &plan);
    if (good)
        print_result(options, &plan, &files);
    publish_plan_done(&plan);
    publish_files_done(&files);
    if (lock >= 0)
        close(lock);
    return good;
}

static int run(struct publish_options *options, const char *base)
{
    struct minisign_secret secret;
    char *site = read_site(options->site);
    int status = CMD_USAGE;
    options->site = site;
    options->base = site != NULL ? read_base(base, site) : NULL;
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

int cmd_publish(int argc, char **argv)
{
    struct publish_options options = {.expires_days = EXPIRES_DAYS};
    const char *base = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == OPT_HELP)
            return fputs(usage, stdout) >= 0 ? CMD_OK : CMD_FAILED;
        int status = read_option(&options, option, &base);
        if (status != CMD_OK)
            return status;
    }
    if (optind + 1 != argc || options.site == NULL || base == NULL || options.out == NULL ||
        (options.key != NULL) == options.is_unsigned)
        return cmd_usage(usage);
    options.dir = argv[optind];
    return run(&options, base);
}
