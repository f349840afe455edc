/* fringe log: what was fetched from whom and given to whom, newest first. */
#include "app/client.h"
#include "app/client_options.h"
#include "app/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: fringe log [--site SITE] [--kind KIND] [--limit N] [--json | --csv] [--socket PATH]\n"
    "       fringe log --clear [--site SITE]\n"
    "  --kind      fetched, shared, or fetched from: cache, peers, supernode, origin\n"
    "  --limit N   so many lines (default 50)\n"
    "  --json      a JSON object a line\n"
    "  --csv       for a spreadsheet\n"
    "  --clear     forget the log, or the lines of one site\n"
    "`fringe set --log no`: none is kept from then on.\n";

#define LINES_DEFAULT 50

static void print_csv_text(const char *text)
{
    /* A cell that begins so would be a formula. */
    fputs(strchr("=+-@", text[0]) != NULL && text[0] != '\0' ? ",\"'" : ",\"", stdout);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putchar('"');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

static const char *time_of(const json_t *line, char *ret, size_t size)
{
    time_t when = (time_t)client_number(line, "time");
    struct tm tm;

    if (gmtime_r(&when, &tm) == NULL || strftime(ret, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(ret, size, "?");
    return ret;
}

static void print_csv(const json_t *line)
{
    char when[32];

    fputs(time_of(line, when, sizeof when), stdout);
    print_csv_text(client_text(line, "kind", ""));
    print_csv_text(client_text(line, "site", ""));
    print_csv_text(client_text(line, "path", ""));
    printf(",%llu,%llu,%llu", (unsigned long long)client_number(line, "seq"),
           (unsigned long long)client_number(line, "bytes"),
           (unsigned long long)client_number(line, "size"));
    print_csv_text(client_text(line, "peer", ""));
    putchar('\n');
}

static void print_json(const json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (text != NULL)
        puts(text);
    free(text);
}

static void print_line(const json_t *line)
{
    char when[32], bytes[BYTES_TEXT];

    cmd_print("%s %-9s %10s  %s%s  %s", time_of(line, when, sizeof when),
              client_text(line, "kind", "?"), cmd_bytes(client_number(line, "bytes"), bytes),
              client_text(line, "site", "?"), client_text(line, "path", "?"),
              client_text(line, "peer", ""));
}

static void print_none(const json_t *answer, bool filtered)
{
    const char *why = client_text(answer, "why", "");

    if (strcmp(why, "setting") == 0)
        cmd_print("no log is kept: `fringe set --log yes` begins one");
    else if (strcmp(why, "disk") == 0)
        cmd_print("no log is kept: the disk lets none be (`fringe status`)");
    else if (strcmp(why, "supernode") == 0)
        cmd_print("a super-node keeps no log: it has metrics");
    else
        cmd_print(filtered ? "there is nothing of that kind" : "nothing was fetched or shared yet");
}

static uint64_t print_page(const struct client_options *options, const json_t *answer,
                           uint64_t *ret_before)
{
    const json_t *lines = json_object_get(answer, "lines");
    size_t count = json_array_size(lines);

    for (size_t i = 0; i < count; i++) {
        const json_t *line = json_array_get(lines, i);
        (options->json ? print_json : options->csv ? print_csv : print_line)(line);
        *ret_before = client_number(line, "n");
    }
    return count;
}

static int print_log(const struct client_options *options, struct api_request *request,
                     uint64_t wanted)
{
    struct client *client = client_open(options->socket);
    uint64_t count = 1, printed = 0;
    bool good = client != NULL;

    if (good && options->csv)
        puts("time,kind,site,path,release,bytes,size,peer");
    while (good && printed < wanted && count > 0) {
        json_t *answer = NULL;
        request->limit = wanted - printed < LIMIT_LOG_PAGE ? wanted - printed : LIMIT_LOG_PAGE;
        good = client_ask(client, request, &answer);
        count = good ? print_page(options, answer, &request->before) : 0;
        printed += count;
        if (good && printed == 0 && !options->json && !options->csv)
            print_none(answer, request->site[0] != '\0' || request->kinds != 0);
        json_decref(answer);
    }
    client_free(client);
    return good ? CMD_OK : CMD_FAILED;
}

static bool read_limit(const char *text, uint64_t *ret)
{
    if (text == NULL)
        return true;
    if (strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
        return false;
    *ret = strtoull(text, NULL, 10);
    return *ret >= 1 && *ret <= LIMIT_LOG_LINES;
}

int cmd_log(int argc, char **argv)
{
    struct client_options options = {
        .usage = usage, .takes_json = true, .takes_site = true, .takes_log = true};
    struct api_request request = {.type = API_LOG};
    uint64_t wanted = LINES_DEFAULT;
    int status;

    if (!client_options_read(&options, argc, argv, &status))
        return status;
    if (!read_limit(options.limit, &wanted)) {
        cmd_fail("--limit %s is no number from 1 to %u", options.limit, LIMIT_LOG_LINES);
        return CMD_USAGE;
    }
    if (options.kind != NULL && !transfer_kinds_parse(options.kind, &request.kinds)) {
        cmd_fail("--kind %s: it is fetched, shared, cache, peers, supernode or origin",
                 options.kind);
        return CMD_USAGE;
    }
    if ((options.json && options.csv) || (options.clear && options.kind != NULL))
        return cmd_usage(usage);
    if (options.site != NULL && strlen(options.site) > LIMIT_SITE)
        return cmd_fail("--site: that is no site: it looks like https://game.example");
    if (options.site != NULL)
        memcpy(request.site, options.site, strlen(options.site) + 1);
    if (!options.clear)
        return print_log(&options, &request, wanted);
    request.type = API_LOG_CLEAR;
    return client_run(&options, &request, NULL);
}
