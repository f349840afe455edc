/* doctor: where others reach this host, and where the browser does. */
#include "app/cmd.h"
#include "app/doctor.h"
#include "io/sockaddr.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_MS 2000
#define FETCH_S    15
#define FETCH_MAX  "0-65535" /* of the file: enough to see that it comes */
#define LOG_LINES  50

/* --- the port for peers */

/* From here: whoever listens on all addresses is reached over loopback. */
static bool can_connect(struct address address)
{
    struct sockaddr_storage to;
    static const uint8_t none[16];

    if (memcmp(address.ip, none, sizeof none) == 0) {
        address.family = 4;
        memcpy(address.ip, (uint8_t[4]){127, 0, 0, 1}, 4);
    }
    sockaddr_from_address(&address, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&to, sizeof to);
    if (result != 0 && fd >= 0 && errno == EINPROGRESS) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        socklen_t length = sizeof result;
        if (poll(&wait, 1, CONNECT_MS) == 1)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &length);
    }
    if (fd >= 0)
        close(fd);
    return result == 0;
}

static void look_at_listen(struct doctor *doctor)
{
    const char *listen = client_text(doctor->status, "listen", "");
    struct address address;

    if (address_parse(listen, &address) != ERR_OK)
        doctor_warn(&doctor->report, "port", "fringe stop (browsers start a new host)",
                    "the host listens nowhere: nobody can come to it");
    else if (!can_connect(address))
        doctor_fail(&doctor->report, "port",
                    "let your firewall pass connections to it, or `fringe stop` for another port",
                    "%s does not answer from this computer", listen);
    else
        doctor_ok(&doctor->report, "port", "%s answers", listen);
}

static void look_at_router(struct doctor *doctor)
{
    static const char dial[] = "nothing: this host goes to others, but most cannot come to it. "
                               "More can when you open its port in the router by hand";
    const json_t *mapping = json_object_get(doctor->status, "port_mapping");
    const char *state = client_text(mapping, "state", "off");

    if (strcmp(state, "mapped") == 0)
        doctor_ok(&doctor->report, "router", "%s leads here (%s)",
                  client_text(mapping, "external", "?"), client_text(mapping, "method", "?"));
    else if (strcmp(state, "no-router") == 0)
        doctor_warn(&doctor->report, "router", dial, "none answers (NAT-PMP, UPnP)");
    else if (strcmp(state, "refused") == 0)
        doctor_warn(&doctor->report, "router", dial, "it lets no peers in");
    else if (strcmp(state, "double-nat") == 0)
        doctor_warn(&doctor->report, "router", dial,
                    "it is itself behind another one, or its provider's");
    else
        doctor_ok(&doctor->report, "router", "%s",
                  strcmp(state, "asking") == 0 ? "is being asked to let peers in"
                                               : "is not asked to let peers in");
}

/* --- the gateway */

struct reply {
    long status;
    uint64_t bytes;
    char why[CURL_ERROR_SIZE];
};

static size_t count(char *data, size_t size, size_t number, void *user)
{
    struct reply *reply = user;

    (void)data;
    reply->bytes += size * number;
    return size * number;
}

/* As a browser does: no proxy, no redirect. False when nobody answers. */
static bool get(const char *url, const char *range, struct reply *ret)
{
    CURL *curl = curl_easy_init();
    bool good = curl != NULL && curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)FETCH_S) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, ret->why) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_RANGE, range) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret) == CURLE_OK &&
                curl_easy_perform(curl) == CURLE_OK &&
                curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status) == CURLE_OK;

    curl_easy_cleanup(curl);
    return good;
}

/* Without a token it refuses: that is an answer. */
static bool look_at_gateway(struct doctor *doctor)
{
    const char *gateway = client_text(doctor->status, "gateway", "");
    char url[256];
    struct reply reply = {0};

    snprintf(url, sizeof url, "%s/", gateway);
    if (get(url, NULL, &reply) && reply.status >= 400 && reply.status < 500) {
        doctor_ok(&doctor->report, "gateway", "%s answers", gateway);
        return true;
    }
    doctor_fail(&doctor->report, "gateway",
                "let your firewall pass connections from this computer to itself (loopback); "
                "then `fringe stop`",
                "%s does not answer as it should: %s", gateway,
                reply.why[0] != '\0' ? reply.why : "another program is there");
    return false;
}

/* --- a file from it */

/* From the log of transfers: what a page had last, and what must be in the cache since. */
static bool want(struct doctor *doctor, const json_t *line, json_t **ret_answer)
{
    struct api_request request = {.type = API_ASSET_WANT};
    char why[256];

    snprintf(request.site, sizeof request.site, "%s", client_text(line, "site", ""));
    snprintf(request.path, sizeof request.path, "%s", client_text(line, "path", ""));
    snprintf(request.doc, sizeof request.doc, "doctor-%ld", (long)getpid());
    if (request.site[0] == '\0' || request.path[0] == '\0' || client_number(line, "size") == 0 ||
        !doctor_ask(doctor, &request, ret_answer, why, sizeof why))
        return false;
    if (strcmp(client_text(*ret_answer, "via", ""), "gateway") == 0)
        return true;
    json_decref(*ret_answer);
    *ret_answer = NULL;
    return false;
}

static void fetch(struct doctor *doctor, const json_t *line, const json_t *answer)
{
    uint64_t length = client_number(answer, "length");
    uint64_t expected = length < 65536 ? length : 65536;
    struct reply reply = {0};
    char size[BYTES_TEXT];

    if (get(client_text(answer, "url", ""), FETCH_MAX, &reply) && reply.status == 206 &&
        reply.bytes == expected)
        doctor_ok(&doctor->report, "file", "%s%s: %s came through the gateway",
                  client_text(line, "site", ""), client_text(line, "path", ""),
                  cmd_bytes(reply.bytes, size));
    else
        doctor_fail(&doctor->report, "file",
                    "run `fringe log` and read daemon.log in the data folder",
                    "%s%s did not come through the gateway: status %ld, %s%s%s",
                    client_text(line, "site", ""), client_text(line, "path", ""), reply.status,
                    cmd_bytes(reply.bytes, size), reply.why[0] != '\0' ? ", " : "", reply.why);
}

static void look_at_file(struct doctor *doctor)
{
    struct api_request request = {.type = API_LOG, .limit = LOG_LINES};
    json_t *log = NULL, *answer = NULL;
    char why[256];

    if (!doctor_ask(doctor, &request, &log, why, sizeof why))
        return;
    const json_t *lines = json_object_get(log, "lines"), *line = NULL;
    for (size_t i = 0; i < json_array_size(lines) && answer == NULL; i++) {
        line = json_array_get(lines, i);
        if (!want(doctor, line, &answer))
            answer = NULL;
    }
    if (answer != NULL)
        fetch(doctor, line, answer);
    else
        doctor_ok(&doctor->report, "file",
                  json_is_false(json_object_get(log, "kept"))
                      ? "not tried: no log is kept that would name one in the cache"
                      : "not tried: nothing cached yet for a site that is switched on");
    json_decref(answer);
    json_decref(log);
}

void doctor_ports(struct doctor *doctor)
{
    if (doctor->client == NULL)
        return;
    look_at_listen(doctor);
    look_at_router(doctor);
    if (look_at_gateway(doctor))
        look_at_file(doctor);
}
