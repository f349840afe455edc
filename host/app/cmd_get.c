/* fringe get: one file of a site, the way a browser's page would get it. */
#include "app/client.h"
#include "app/client_options.h"
#include "app/cmd.h"
#include "app/progress.h"
#include "base/mem.h"
#include "wire/url.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] = "usage: fringe get URL [-o FILE] [--socket PATH]\n"
                            "  -o, --output FILE  where to put it (default: standard output)\n";

#define STALL_S 60

struct transfer {
    FILE *out;
    uint64_t expected, got;
    struct progress progress;
    char error[CURL_ERROR_SIZE];
};

/* What each reason of host/PROTOCOL.md means for whoever waits for the file. */
static const char *const reasons[][2] = {
    {"zone-off", "sharing is off for this site: `fringe set SITE fetch` or `share` turns it on"},
    {"no-release", "the site offers no files for sharing, or it could not be reached"},
    {"bad-signature", "the site's release is not signed by its key: tell the site's owner"},
    {"bad-release", "the site's release is malformed: tell the site's owner"},
    {"wrong-site", "the release that is there belongs to another site: tell the site's owner"},
    {"expired", "the site's release has expired: its owner has to publish again"},
    {"key-changed", "the site signs with another key than before, unannounced: ask its owner"},
    {"revoked", "the site's owner has ended sharing"},
    {"rollback", "the site offers an older release than it had before: ask its owner"},
    {"seq-mismatch", "the release has just changed: try again"},
    {"not-listed", "the site does not list this file for sharing: check the URL"},
    {"bad-torrent", "the site's list of files is damaged: its owner has to publish again"},
    {"failed", "the host could not get it: its log says more"},
};

static const char *explain(const char *reason)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (strcmp(reason, reasons[i][0]) == 0)
            return reasons[i][1];
    }
    return "the host leaves it to the site";
}

static bool refused(const char *url, const json_t *answer)
{
    bool off = strcmp(client_text(answer, "state", ""), "off") == 0;
    const char *reason = client_text(answer, "reason", off ? "zone-off" : "failed");
    cmd_fail("%s does not come through the host: %s (%s)", url, explain(reason), reason);
    return false;
}

static size_t receive(char *data, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    transfer->got += size * count;
    progress_show(&transfer->progress, transfer->got);
    return fwrite(data, size, count, transfer->out);
}

static bool set_up(CURL *curl, struct transfer *transfer, const char *url)
{
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_S) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer) == CURLE_OK;
}

static bool fetch(const char *url, struct transfer *transfer)
{
    CURL *curl = curl_easy_init();
    bool good = curl != NULL && set_up(curl, transfer, url);
    progress_init(&transfer->progress, "fetching", transfer->expected);
    CURLcode code = good ? curl_easy_perform(curl) : CURLE_FAILED_INIT;
    progress_end(&transfer->progress);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK && transfer->got == transfer->expected && fflush(transfer->out) == 0)
        return true;
    if (ferror(transfer->out))
        cmd_fail("cannot write: %s", strerror(errno));
    else
        cmd_fail("the host gave %llu of %llu bytes: %s; try again",
                 (unsigned long long)transfer->got, (unsigned long long)transfer->expected,
                 transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(code));
    return false;
}

/* The file appears under its name when it is whole. */
static bool fetch_to(const char *url, uint64_t length, const char *output)
{
    struct transfer transfer = {.out = stdout, .expected = length};
    char *temp = output != NULL ? mem_printf("%s.tmp-%ld", output, (long)getpid()) : NULL;
    bool good = true;
    if (temp != NULL && (transfer.out = fopen(temp, "wbx")) == NULL)
        good = cmd_fail("cannot write %s: %s", temp, strerror(errno)) == CMD_OK;
    if (good) {
        good = fetch(url, &transfer);
        if (temp != NULL && fclose(transfer.out) != 0 && good)
            good = cmd_fail("cannot write %s: %s", temp, strerror(errno)) == CMD_OK;
        if (temp != NULL && good && rename(temp, output) != 0)
            good = cmd_fail("cannot write %s: %s", output, strerror(errno)) == CMD_OK;
        if (temp != NULL && !good)
            unlink(temp);
    }
    mem_free(temp);
    return good;
}

static bool open_site(struct client *client, struct api_request *request, const char *url)
{
    json_t *answer = NULL;
    request->type = API_SITE_OPEN;
    bool good = client_ask(client, request, &answer);
    if (good && strcmp(client_text(answer, "state", ""), "ready") != 0)
        good = refused(url, answer);
    if (good)
        request->seq = client_number(answer, "seq");
    json_decref(answer);
    return good;
}

static bool get(struct client *client, struct api_request *request, const char *url,
                const char *output)
{
    json_t *answer = NULL;
    if (!open_site(client, request, url))
        return false;
    request->type = API_ASSET_WANT;
    bool good = client_ask(client, request, &answer);
    if (good && strcmp(client_text(answer, "via", ""), "gateway") != 0)
        good = refused(url, answer);
    good =
        good && fetch_to(client_text(answer, "url", ""), client_number(answer, "length"), output);
    json_decref(answer);
    return good;
}

int cmd_get(int argc, char **argv)
{
    struct client_options options = {.usage = usage, .words_wanted = 1, .takes_output = true};
    struct api_request request = {0};
    char *site = NULL, *path = NULL;
    int status;
    if (!client_options_read(&options, argc, argv, &status))
        return status;
    const char *url = options.words[0];
    if (url_split(url, &site, &path) != ERR_OK) {
        cmd_fail("%s: write it as https://game.example/static/file, without ? and #", url);
        return CMD_USAGE;
    }
    memcpy(request.site, site, strlen(site) + 1);
    memcpy(request.path, path, strlen(path) + 1);
    snprintf(request.doc, sizeof request.doc, "cli-%ld", (long)getpid());
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct client *client = client_open(options.socket);
    bool good = client != NULL && get(client, &request, url, options.output);
    client_free(client);
    mem_free(site);
    mem_free(path);
    return good ? CMD_OK : CMD_FAILED;
}
