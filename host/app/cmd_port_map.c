/* fringe port-map: asks the home router once. The daemon runs it for every question, because the
 * libraries that ask bound neither time nor memory (io/router.h); people may too. */
#include "app/cmd.h"
#include "base/limits.h"
#include "io/router.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LEASE_DEFAULT_S 3600
#define GUARD_US        20000

static const char usage[] =
    "usage: fringe port-map nat-pmp|upnp --port PORT [options]\n"
    "  --port PORT         the TCP port of this machine that the router shall map\n"
    "  --external PORT     the router's port that is wanted (default: the same)\n"
    "  --lease SECONDS     how long (default 3600)\n"
    "  --remove            take the mapping away again\n"
    "  --client ADDR       this machine's IPv4 address (default: the one that reaches the router)\n"
    "  --url URL           UPnP: where the router's description is (default: search)\n";

enum { OPT_PORT = 1, OPT_EXTERNAL, OPT_LEASE, OPT_REMOVE, OPT_CLIENT, OPT_URL, OPT_HELP };

static const struct option long_options[] = {
    {"port", required_argument, NULL, OPT_PORT},
    {"external", required_argument, NULL, OPT_EXTERNAL},
    {"lease", required_argument, NULL, OPT_LEASE},
    {"remove", no_argument, NULL, OPT_REMOVE},
    {"client", required_argument, NULL, OPT_CLIENT},
    {"url", required_argument, NULL, OPT_URL},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

/* --- options */

static bool take_number(const char *text, unsigned long max, unsigned long *ret)
{
    char *end;

    *ret = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *ret > 0 && *ret <= max;
}

static bool take_url(const char *text, struct router_question *question)
{
    struct address host;

    if (!router_url_parse(text, &host))
        return false;
    strcpy(question->url, text);
    return true;
}

static bool take_option(struct router_question *question, int option, const char *value)
{
    unsigned long number = 0;
    bool good = true;

    if (option == OPT_PORT || option == OPT_EXTERNAL)
        good = take_number(value, UINT16_MAX, &number);
    switch (option) {
    case OPT_PORT:
        question->port = (uint16_t)number;
        return good;
    case OPT_EXTERNAL:
        question->external = (uint16_t)number;
        return good;
    case OPT_LEASE:
        good = take_number(value, LIMIT_ROUTER_LEASE_MAX_S, &number);
        question->lease_s = (uint32_t)number;
        return good;
    case OPT_REMOVE:
        return question->remove = true;
    case OPT_CLIENT:
        question->client.family = 4;
        return inet_pton(AF_INET, value, question->client.ip) == 1;
    case OPT_URL:
        return take_url(value, question);
    default:
        return false;
    }
}

/* --- a process that may be given anything to read */

/* What libminiupnpc reads it keeps, however much it is. (A limit of the system's on memory would
 * do without a thread, but not in a build with sanitizers.) */
static void *guard(void *unused)
{
    struct rusage now, start;

    getrusage(RUSAGE_SELF, &start);
    for (;;) {
        usleep(GUARD_US);
        getrusage(RUSAGE_SELF, &now);
        if (now.ru_maxrss - start.ru_maxrss > (long)(LIMIT_ROUTER_MEMORY / KIB(1)))
            _exit(CMD_FAILED);
    }
    return unused;
}

static bool confine(void)
{
    pthread_t thread;

    close_range(3, ~0U, 0);                /* the daemon's files, if it left any open */
    alarm(2 * LIMIT_ROUTER_ASK_MS / 1000); /* should the daemon not live to end us */
    return pthread_create(&thread, NULL, guard, NULL) == 0 && pthread_detach(thread) == 0;
}

static int ask(const struct router_question *question)
{
    struct router_answer answer;
    struct buf line;

    buf_init(&line, LIMIT_ROUTER_ANSWER);
    if (question->method == ROUTER_UPNP)
        igd_ask(question, &answer);
    else
        natpmp_ask(question, &answer);
    router_answer_encode(&answer, &line);
    bool good = fwrite(line.data, 1, line.length, stdout) == line.length && fflush(stdout) == 0;
    buf_done(&line);
    return good && answer.result <= ROUTER_REMOVED ? CMD_OK : CMD_FAILED;
}

int cmd_port_map(int argc, char **argv)
{
    struct router_question question = {.lease_s = LEASE_DEFAULT_S};
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == OPT_HELP) {
            fputs(usage, stdout);
            return CMD_OK;
        }
        if (!take_option(&question, option, optarg))
            return cmd_usage(usage);
    }
    if (optind + 1 != argc || !router_method_parse(argv[optind], &question.method) ||
        question.port == 0)
        return cmd_usage(usage);
    if (question.external == 0)
        question.external = question.port;
    return confine() ? ask(&question) : cmd_fail("cannot start a thread");
}
