/* fringe supernode: a publisher's own host, which has the site whole and gives it to all. */
#include "app/cmd.h"
#include "app/daemon.h"
#include "app/daemon_options.h"
#include "base/mem.h"
#include "base/paths.h"
#include "wire/url.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE           4096
#define DEFAULT_CONNECTIONS 4096

static const char usage[] =
    "usage: fringe supernode --site SITE --listen ADDR:PORT [options]\n"
    "Holds all files of the site's current release and gives them to visitors, so that the site\n"
    "itself need not. Tell visitors of it: fringe publish --supernode tcp://HOST:PORT\n"
    "  --site SITE          such as https://game.example; may be repeated, up to 16\n"
    "  --dir WEBROOT        the site's folder on this machine: what the web server serves as /;\n"
    "                       without it everything is fetched once from the site\n"
    "  --listen ADDR:PORT   where visitors connect over TCP; up to four times, on one port\n"
    "  --websocket ADDR:PORT  where a web server that ends TLS passes WebSockets on, such as\n"
    "                       127.0.0.1:6882; publish it as wss://HOST/PATH\n"
    "  --metrics ADDR:PORT  numbers for Prometheus at http://ADDR:PORT/metrics, loopback only\n"
    "  --connections N      visitors at once (default 4096)\n"
    "  --data DIR           where the files are kept (default: $STATE_DIRECTORY, else the user's\n"
    "                       data folder, supernode)\n"
    "  --socket PATH        for `fringe status --socket PATH` (default: in the data folder)\n"
    "  --ca-file PEM        trust these certificates instead of the system's\n"
    "  --log LEVEL          error, warning, info or debug (default warning)\n"
    "SIGTERM ends it when what visitors have asked for has been given, after ten seconds at "
    "most.\n";

enum {
    OPT_SITE = 1,
    OPT_DIR,
    OPT_LISTEN,
    OPT_WEBSOCKET,
    OPT_METRICS,
    OPT_CONNECTIONS,
    OPT_DATA,
    OPT_SOCKET,
    OPT_CA,
    OPT_LOG,
    OPT_HELP
};

static const struct option long_options[] = {
    {"site", required_argument, NULL, OPT_SITE},
    {"dir", required_argument, NULL, OPT_DIR},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"websocket", required_argument, NULL, OPT_WEBSOCKET},
    {"metrics", required_argument, NULL, OPT_METRICS},
    {"connections", required_argument, NULL, OPT_CONNECTIONS},
    {"data", required_argument, NULL, OPT_DATA},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"ca-file", required_argument, NULL, OPT_CA},
    {"log", required_argument, NULL, OPT_LOG},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static int bad_value(const char *option, const char *value, const char *wanted)
{
    return daemon_bad_value("supernode", option, value, wanted);
}

static int add_site(struct daemon_options *options, const char *value)
{
    char *site = NULL, *path = NULL;

    if (options->site_count == LIMIT_SUPERNODE_SITES)
        return bad_value("--site", value, "too many sites, 16 are the limit");
    enum err err = url_split(value, &site, &path);
    bool alone = err == ERR_OK && strcmp(path, "/") == 0;
    mem_free(path);
    for (size_t i = 0; alone && i < options->site_count; i++)
        if (strcmp(options->sites[i], site) == 0) {
            mem_free(site);
            return bad_value("--site", value, "it is given twice");
        }
    if (!alone) {
        mem_free(site);
        return bad_value("--site", value, "a site is needed, such as https://game.example");
    }
    options->sites[options->site_count++] = site;
    return CMD_OK;
}

static int take_connections(struct daemon_options *options, const char *value)
{
    char *end;
    unsigned long count = strtoul(value, &end, 10);

    if (value[0] < '1' || value[0] > '9' || *end != '\0' || count > LIMIT_SUPERNODE_PEERS)
        return bad_value("--connections", value, "a number from 1 to 65536 is needed");
    options->connections = (uint32_t)count;
    return CMD_OK;
}

static int take_option(struct daemon_options *options, int option, const char *value)
{
    switch (option) {
    case OPT_SITE:
        return add_site(options, value);
    case OPT_DIR:
        options->webroot = value;
        return CMD_OK;
    case OPT_LISTEN:
        return daemon_add_listen("supernode", options, value);
    case OPT_WEBSOCKET:
        if (address_parse(value, &options->websocket) != ERR_OK)
            return bad_value("--websocket", value, "ADDR:PORT is needed, such as 127.0.0.1:6882");
        return CMD_OK;
    case OPT_METRICS:
        if (address_parse(value, &options->metrics) != ERR_OK ||
            !address_is_loopback(&options->metrics))
            return bad_value("--metrics", value,
                             "ADDR:PORT on loopback is needed, such as 127.0.0.1:9180");
        return CMD_OK;
    case OPT_CONNECTIONS:
        return take_connections(options, value);
    case OPT_DATA:
        options->data = value;
        return CMD_OK;
    case OPT_SOCKET:
        options->socket = value;
        return CMD_OK;
    case OPT_CA:
        options->ca_file = value;
        return CMD_OK;
    case OPT_LOG:
        if (!daemon_parse_level(value))
            return bad_value("--log", value, "error, warning, info or debug is needed");
        return CMD_OK;
    default:
        return CMD_USAGE; /* not reached: each option is above */
    }
}

static int check(const struct daemon_options *options, int words)
{
    struct stat info;

    if (words > 0)
        return cmd_missing("supernode", "supernode takes nothing but options");
    if (options->site_count == 0)
        return cmd_missing("supernode", "--site is missing, such as --site https://game.example");
    if (options->listen_count == 0)
        return cmd_missing("supernode", "--listen is missing: where visitors connect, such as "
                                        "--listen [::]:6881");
    if (options->webroot != NULL && options->site_count > 1)
        return bad_value("--dir", options->webroot, "a folder is of one site: give one --site");
    if (options->webroot != NULL && (stat(options->webroot, &info) != 0 || !S_ISDIR(info.st_mode)))
        return bad_value("--dir", options->webroot,
                         "there is no such folder: what the web server serves as / is needed");
    return CMD_OK;
}

/* systemd's StateDirectory=, else beside the user's own cache. */
static bool find_data(char ret[PATH_SIZE])
{
    const char *state = paths_env("STATE_DIRECTORY", true);
    char data[PATH_SIZE];

    if (state != NULL)
        return paths_join(ret, PATH_SIZE, state, "", "");
    return paths_data(data, sizeof data) && paths_join(ret, PATH_SIZE, data, "/supernode", "");
}

static int find_places(struct daemon_options *options, char data[PATH_SIZE], char socket[PATH_SIZE])
{
    if (options->data == NULL && find_data(data))
        options->data = data;
    if (options->data != NULL && options->socket == NULL &&
        paths_join(socket, PATH_SIZE, options->data, "/supernode.sock", ""))
        options->socket = socket;
    if (options->data != NULL && options->socket != NULL)
        return CMD_OK;
    fputs("fringe supernode: no home folder is known: give --data\n", stderr);
    return CMD_USAGE;
}

int cmd_supernode(int argc, char **argv)
{
    char data[PATH_SIZE], socket[PATH_SIZE];
    struct daemon_options options = {.zone = ZONE_OFF,
                                     .supernode = true,
                                     .connections = DEFAULT_CONNECTIONS,
                                     .no_port_map = true};
    int option, status = CMD_OK;

    opterr = 0;
    while (status == CMD_OK && (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == OPT_HELP)
            return fputs(usage, stdout) >= 0 ? CMD_OK : CMD_FAILED;
        status = option == ':' || option == '?'
                     ? cmd_bad_option(argv[0], option, argv, long_options)
                     : take_option(&options, option, optarg);
    }
    if (status == CMD_OK)
        status = check(&options, argc - optind);
    if (status == CMD_OK)
        status = find_places(&options, data, socket);
    if (status == CMD_OK) {
        daemon_confine(&options);
        status = daemon_run(&options) == ERR_OK ? CMD_OK : CMD_FAILED;
    }
    for (size_t i = 0; i < options.site_count; i++)
        mem_free((char *)options.sites[i]);
    return status;
}
