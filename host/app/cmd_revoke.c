/* fringe revoke: a signed release that shares nothing, the way back to a site without Fringe. */
#include "app/cmd.h"
#include "app/key_file.h"
#include "app/publish.h"
#include "base/mem.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXPIRES_DAYS 3650 /* it shall hold until something is published again */
#define KEEP         3

static const char usage[] =
    "usage: fringe revoke --site URL --key FILE --out WEBROOT [options]\n"
    "  --site URL            the site, such as https://game.example\n"
    "  --key FILE            its secret key\n"
    "  --out WEBROOT         the folder that the site is served from\n"
    "  --password-file FILE  its first line unlocks the key (default: ask)\n"
    "  --plan FILE           write FILE.1-files, ...: what to upload, step by step\n"
    "  --unsigned            write no signature: the key is on another machine. --key may then be\n"
    "                        the public one\n"
    "  --yes                 do not ask\n"
    "\n"
    "Signs a release with nothing in it. Visitors' hosts that learn of it give no file of the "
    "site\n"
    "to others any more and take none from them; pages get everything from the site itself.\n"
    "`fringe publish` begins anew.\n";

enum { OPT_SITE = 1, OPT_KEY, OPT_OUT, OPT_PASSWORD, OPT_PLAN, OPT_UNSIGNED, OPT_YES, OPT_HELP };

static const struct option long_options[] = {
    {"site", required_argument, NULL, OPT_SITE},
    {"key", required_argument, NULL, OPT_KEY},
    {"out", required_argument, NULL, OPT_OUT},
    {"password-file", required_argument, NULL, OPT_PASSWORD},
    {"plan", required_argument, NULL, OPT_PLAN},
    {"unsigned", no_argument, NULL, OPT_UNSIGNED},
    {"yes", no_argument, NULL, OPT_YES},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static bool confirm(const struct publish_options *options, const struct publish_plan *plan)
{
    char line[16] = "";
    cmd_print("This ends the sharing of %s:", options->site);
    cmd_print("  - release %llu will share nothing; hosts that learn of it stop giving and taking "
              "its files",
              (unsigned long long)plan->release.seq);
    cmd_print("  - from then on every visitor gets every file from the site itself: be ready for "
              "that traffic");
    cmd_print("  - no file of the site is removed, and `fringe publish` begins the sharing anew");
    if (!isatty(STDIN_FILENO))
        return cmd_fail("nobody can be asked here: say --yes if this is what you want") == CMD_OK;
    printf("Type yes to go on: ");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) != NULL && strcmp(line, "yes\n") == 0)
        return true;
    return cmd_fail("nothing was changed") == CMD_OK;
}

static bool something_to_revoke(const struct publish_plan *plan)
{
    if (plan->before == NULL)
        return cmd_fail("there is no release here to revoke: --out must be the folder that "
                        "`fringe publish` writes to") == CMD_OK;
    if (release_is_empty(plan->before))
        return cmd_fail("release %llu shares nothing already; to replace it, publish and revoke "
                        "again",
                        (unsigned long long)plan->before->seq) == CMD_OK;
    return true;
}

static bool revoke_site(const struct publish_options *options, const struct minisign_secret *secret,
                        bool asked)
{
    struct publish_files none = {0};
    struct publish_plan plan = {0};
    int lock = publish_lock(options);
    bool good = lock >= 0 && publish_worker_is_ours(options) &&
                publish_plan_check(options, &none, secret, &plan) && something_to_revoke(&plan) &&
                (!asked || confirm(options, &plan)) &&
                publish_plan_build(options, &none, 0, secret, &plan) &&
                publish_write(options, &plan);
    if (good) {
        publish_remove_old(options, &plan);
        good = publish_tell(options, &plan, &none);
    }
    publish_plan_done(&plan);
    if (lock >= 0)
        close(lock);
    return good;
}

static int run(struct publish_options *options, bool asked)
{
    struct minisign_secret secret;
    char *site = publish_read_site(options->site);
    bool good = false;
    options->site = site;
    if (site != NULL && options->is_unsigned) {
        good = revoke_site(options, NULL, asked);
    } else if (site != NULL) {
        good = key_file_load(options->key, options->password_file, &secret) &&
               revoke_site(options, &secret, asked);
        sodium_memzero(&secret, sizeof secret);
    }
    mem_free(site);
    return good ? CMD_OK : site == NULL ? CMD_USAGE : CMD_FAILED;
}

static const char *what_is_missing(const struct publish_options *options, int words)
{
    if (words > 0)
        return "revoke takes no folder: it is the whole site that is no longer shared";
    if (options->site == NULL)
        return "--site is missing, such as --site https://game.example";
    if (options->out == NULL)
        return "--out is missing: the folder that the site is served from";
    if (options->key == NULL && !options->is_unsigned)
        return "--key is missing: the secret key that signed the release";
    return NULL;
}

static const char **text_of(struct publish_options *options, int option)
{
    return option == OPT_SITE       ? &options->site
           : option == OPT_KEY      ? &options->key
           : option == OPT_OUT      ? &options->out
           : option == OPT_PASSWORD ? &options->password_file
                                    : &options->plan;
}

int cmd_revoke(int argc, char **argv)
{
    struct publish_options options = {.expires_days = EXPIRES_DAYS, .keep = KEEP};
    bool asked = true;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == OPT_HELP)
            return fputs(usage, stdout) >= 0 ? CMD_OK : CMD_FAILED;
        if (option == ':' || option == '?')
            return cmd_bad_option(argv[0], option, argv, long_options);
        if (option == OPT_YES)
            asked = false;
        else if (option == OPT_UNSIGNED)
            options.is_unsigned = true;
        else
            *text_of(&options, option) = optarg;
    }
    const char *missing = what_is_missing(&options, argc - optind);
    if (missing != NULL)
        return cmd_missing(argv[0], missing);
    return run(&options, asked);
}
