/* fringe daemon: the host of one user. */
#include "app/cmd.h"
#include "app/daemon.h"
#include "app/daemon_options.h"
#include "base/paths.h"

#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096

static const char usage[] =
    "usage: fringe daemon [options]\n"
    "  --data DIR           the cache and its index (default: the user's data folder)\n"
    "  --socket PATH        the control socket (default: in the user's runtime folder)\n"
    "  --listen ADDR:PORT   where peers reach this host (default [::]:0, any free port); up to "
    "four\n"
    "                       times, for IPv4 and IPv6, on one port\n"
    "  --no-port-map        do not ask the home router to let peers in\n"
    "  --local-discovery    find, and be found by, hosts on this network in this run (default: as\n"
    "                       `fringe set --local-discovery` says)\n"
    "  --peer HOST:PORT     a peer to ask for everything; may be repeated, up to 32\n"
    "  --ca-file PEM        trust these certificates instead of the system's\n"
    "  --zone ZONE          for sites not chosen yet: off, fetch or share (default off)\n"
    "  --idle-exit SECONDS  end so long after the last client has gone (default: stay)\n"
    "  --log LEVEL          error, warning, info or debug (default warning)\n";

enum {
    OPT_DATA = 1,
    OPT_SOCKET,
    OPT_LISTEN,
    OPT_NO_PORT_MAP,
    OPT_LOCAL,
    OPT_PEER,
    OPT_CA,
    OPT_ZONE,
    OPT_IDLE,
    OPT_LOG,
    OPT_HELP
};

static const struct option long_options[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"local-discovery", no_argument, NULL, OPT_LOCAL},
    {"no-port-map", no_argument, NULL, OPT_NO_PORT_MAP},
    {"peer", required_argument, NULL, OPT_PEER},
    {"ca-file", required_argument, NULL, OPT_CA},
    {"zone", required_argument, NULL, OPT_ZONE},
    {"idle-exit", required_argument, NULL, OPT_IDLE},
    {"log", required_argument, NULL, OPT_LOG},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static int bad_value(const char *option, const char *value, const char *wanted)
{
    return daemon_bad_value("daemon", option, value, wanted);
}

static void from_sockaddr(const struct sockaddr *from, struct address *ret)
{
    memset(ret, 0, sizeof *ret);
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
        ret->family = 4;
        memcpy(ret->ip, &in->sin_addr, 4);
        ret->port = ntohs(in->sin_port);
    } else {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)from;
        ret->family = 6;
        memcpy(ret->ip, &in->sin6_addr, 16);
        ret->port = ntohs(in->sin6_port);
    }
}

/* "HOST:PORT" with a name or a number for HOST. */
static bool resolve(const char *text, struct address *ret)
{
    if (address_parse(text, ret) == ERR_OK)
        return true;
    const char *colon = strrchr(text, ':');
    char host[256];
    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return false;
    from_sockaddr(found->ai_addr, ret);
    freeaddrinfo(found);
    return ret->port != 0;
}

static int parse_idle(struct daemon_options *options, const char *text)
{
    char *end;
    unsigned long seconds = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || seconds > 86400)
        return bad_value("--idle-exit", text, "a number of seconds up to 86400 is needed");
    options->idle_exit_s = (uint32_t)seconds;
    return CMD_OK;
}

static int add_peer(struct daemon_options *options, const char *text)
{
    if (options->peer_count == sizeof options->peers / sizeof options->peers[0])
        return bad_value("--peer", text, "too many peers, 32 are the limit");
    if (!resolve(text, &options->peers[options->peer_count]))
        return bad_value("--peer", text, "HOST:PORT is needed, and the host must be known");
    options->peer_count++;
    return CMD_OK;
}

static int take_option(struct daemon_options *options, int option, const char *value)
{
    switch (option) {
    case OPT_DATA:
        options->data = value;
        return CMD_OK;
    case OPT_SOCKET:
        options->socket = value;
        return CMD_OK;
    case OPT_CA:
        options->ca_file = value;
        return CMD_OK;
    case OPT_LISTEN:
        return daemon_add_listen("daemon", options, value);
    case OPT_LOCAL:
        options->local_discovery = true;
        return CMD_OK;
    case OPT_NO_PORT_MAP:
        options->no_port_map = true;
        return CMD_OK;
    case OPT_PEER:
        return add_peer(options, value);
    case OPT_ZONE:
        if (!zone_parse(value, &options->zone) || options->zone == ZONE_DEFAULT)
            return bad_value("--zone", value, "off, fetch or share is needed");
        return CMD_OK;
    case OPT_IDLE:
        return parse_idle(options, value);
    case OPT_LOG:
        if (!daemon_parse_level(value))
            return bad_value("--log", value, "error, warning, info or debug is needed");
        return CMD_OK;
    default:
        fputs(usage, stderr);
        return CMD_USAGE;
    }
}

int cmd_daemon(int argc, char **argv)
{
    char data[PATH_SIZE], socket[PATH_SIZE];
    struct daemon_options options = {.zone = ZONE_OFF};
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == OPT_HELP) {
            fputs(usage, stdout);
            return CMD_OK;
        }
        int status = take_option(&options, option, optarg);
        if (status != CMD_OK)
            return status;
    }
    if (optind != argc) {
        fprintf(stderr, "fringe daemon: %s: no such argument\n%s", argv[optind], usage);
        return CMD_USAGE;
    }
    if (options.listen_count == 0)
        address_parse("[::]:0", &options.listen[options.listen_count++]);
    if (options.data == NULL && paths_data(data, sizeof data))
        options.data = data;
    if (options.socket == NULL && paths_socket(socket, sizeof socket))
        options.socket = socket;
    if (options.data == NULL || options.socket == NULL) {
        fputs("fringe daemon: no home folder is known: give --data and --socket\n", stderr);
        return CMD_USAGE;
    }
    daemon_confine(&options);
    enum err err;
    do
        err = daemon_run(&options);
    while (err == ERR_MORE);
    return err == ERR_OK ? CMD_OK : CMD_FAILED;
}
