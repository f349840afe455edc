/* io/http: one transfer as libcurl sees it. */
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/http_private.h"
#include "io/sockaddr.h"
#include "wire/http_range.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RECEIVE_BUFFER  (128L * 1024)
#define BUFFER_MIN      4096L
#define RETRY_AFTER_MAX 3600
#define MAX_AGE_MAX     604800
#define ERROR_BODY_MAX  KIB(64) /* of a refusal: read and thrown away to keep the connection */

/* --- the reply's head */

/* The value of the last response's header, number `index` of several. */
static const char *header_value(CURL *easy, const char *name, size_t index)
{
    struct curl_header *header;

    return curl_easy_header(easy, name, index, CURLH_HEADER, -1, &header) == CURLHE_OK
               ? header->value
               : NULL;
}

/* The bytes on the wire must be the file's own. */
static bool is_encoded(CURL *easy)
{
    const char *value;

    for (size_t i = 0; (value = header_value(easy, "Content-Encoding", i)) != NULL; i++)
        if (value[0] != '\0' && strcasecmp(value, "identity") != 0)
            return true;
    return false;
}

/* What to send when it is asked for again: the ETag, or the date. */
static void read_validator(CURL *easy, char ret[LIMIT_VALIDATOR])
{
    const char *name = "If-None-Match", *value = header_value(easy, "ETag", 0);

    if (value == NULL) {
        name = "If-Modified-Since";
        value = header_value(easy, "Last-Modified", 0);
    }
    ret[0] = '\0';
    if (value == NULL)
        return;
    for (const char *c = value; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            return;
    int length = snprintf(ret, LIMIT_VALIDATOR, "%s: %s", name, value);
    if (length < 0 || length >= LIMIT_VALIDATOR)
        ret[0] = '\0'; /* too long to be sent again, whole or not at all */
}

static uint32_t read_max_age(CURL *easy)
{
    const char *value = header_value(easy, "Cache-Control", 0);
    const char *age = value != NULL ? strcasestr(value, "max-age=") : NULL;
    unsigned long seconds = age != NULL ? strtoul(age + strlen("max-age="), NULL, 10) : 0;

    return seconds < MAX_AGE_MAX ? (uint32_t)seconds : MAX_AGE_MAX;
}

/* What the server's clock shows, seconds since 1970. */
static uint64_t read_date(CURL *easy)
{
    const char *date = header_value(easy, "Date", 0), *age = header_value(easy, "Age", 0);
    time_t then = date != NULL ? curl_getdate(date, NULL) : -1;
    unsigned long old = age != NULL ? strtoul(age, NULL, 10) : 0;

    return then <= 0 ? 0 : (uint64_t)then + (old < MAX_AGE_MAX ? old : MAX_AGE_MAX);
}

static struct http_head read_head(CURL *easy, int status)
{
    struct http_head head = {.status = status};
    curl_off_t length = -1;

    curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    read_validator(easy, head.validator);
    head.max_age_s = read_max_age(easy);
    head.date_s = read_date(easy);
    head.has_length = length >= 0;
    head.length = length >= 0 ? (uint64_t)length : 0;
    head.has_range =
        status == 206 && http_content_range_parse(header_value(easy, "Content-Range", 0),
                                                  &head.first, &head.last, &head.total);
    return head;
}

static size_t fail(struct transfer *transfer, enum err verdict)
{
    transfer->verdict = verdict;
    return 0; /* fewer bytes than given: libcurl ends the transfer */
}

static size_t head_complete(struct transfer *transfer, size_t length)
{
    struct http *http = transfer->http;
    struct http_head head;
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) /* 100 Continue and the like: another head follows */
        return length;
    transfer->headed = true;
    transfer->discard = status >= 300;
    if (!transfer->discard && is_encoded(transfer->easy))
        return fail(transfer, ERR_UNSUPPORTED);
    head = read_head(transfer->easy, (int)status);
    http->events.head(http->events.user, transfer->op, &head);
    if (transfer->cancelled)
        return 0;
    if (!transfer->discard && head.has_length && head.length > transfer->max)
        return fail(transfer, ERR_TOO_LARGE);
    return length;
}

static size_t got_header(char *data, size_t one, size_t length, void *user)
{
    struct transfer *transfer = user;

    (void)one;
    if (transfer->cancelled)
        return 0;
    transfer->header_bytes += length;
    if (transfer->header_bytes > LIMIT_HTTP_HEADERS)
        return fail(transfer, ERR_TOO_LARGE);
    /* An empty line; after a body it would be the end of the trailers. */
    if (!transfer->headed && length <= 2 && (data[0] == '\r' || data[0] == '\n'))
        return head_complete(transfer, length);
    return length;
}

static size_t got_body(char *data, size_t one, size_t length, void *user)
{
    struct transfer *transfer = user;
    struct http *http = transfer->http;

    (void)one;
    if (transfer->cancelled)
        return 0;
    if (transfer->paced && http->held) {
        list_remove(&transfer->paused);
        list_push_back(&http->paused, &transfer->paused);
        return CURL_WRITEFUNC_PAUSE; /* libcurl keeps it, and reads no more */
    }
    transfer->received += length;
    if (transfer->discard)
        return transfer->received > ERROR_BODY_MAX ? 0 : length;
    if (transfer->received > transfer->max)
        return fail(transfer, ERR_TOO_LARGE);
    http->events.body(http->events.user, transfer->op, (const uint8_t *)data, length);
    return transfer->cancelled ? 0 : length;
}

/* --- connecting
 *
 * libcurl's own limit counts the time that a request waits for one of the few connections to its
 * host, and so would end requests behind two slow ones. Ours runs from the first look-up or
 * socket until the request can be sent. */

static void connecting(struct transfer *transfer)
{
    if (transfer->connect_by == 0)
        transfer->connect_by = uv_now(transfer->http->multi.timer.loop) + LIMIT_HTTP_CONNECT_MS;
}

static int on_resolve(void *resolver, void *reserved, void *user)
{
    (void)resolver;
    (void)reserved;
    connecting(user);
    return 0;
}

/* The address is looked at here, after the name was looked up: so no name can hide it. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct transfer *transfer = user;
    struct sockaddr_storage storage = {0};
    struct address address;

    (void)purpose;
    memcpy(&storage, &to->addr, to->addrlen < sizeof storage ? to->addrlen : sizeof storage);
    if (transfer->public_only &&
        !(sockaddr_to_address(&storage, &address) && address_is_public(&address))) {
        transfer->verdict = ERR_REFUSED;
        return CURL_SOCKET_BAD;
    }
    connecting(transfer);
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int on_connected(void *user, char *remote, char *local, int remote_port, int local_port)
{
    struct transfer *transfer = user;

    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    transfer->connected = true;
    transfer->connect_by = 0;
    return CURL_PREREQFUNC_OK;
}

/* --- easy handles */

/* What is the same for every request. Returns the first setting that this libcurl refused. */
static CURLcode set_always(const struct http *http, CURL *easy)
{
    CURLcode code = CURLE_OK;

#define SET(OPTION, VALUE) code = code != CURLE_OK ? code : curl_easy_setopt(easy, OPTION, VALUE)
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, (long)(LIMIT_HTTP_STALL_MS / 1000));
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)INT_MAX); /* see "connecting" */
    SET(CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_USERAGENT, "fringe/" FRINGE_VERSION);
    SET(CURLOPT_HTTPHEADER, http->headers);
    SET(CURLOPT_HEADERFUNCTION, got_header);
    SET(CURLOPT_WRITEFUNCTION, got_body);
    /* One file and no folder: libcurl then parses the certificates once, not per connection. */
    SET(CURLOPT_CAPATH, NULL);
    if (http->ca_file != NULL)
        SET(CURLOPT_CAINFO, http->ca_file);
#undef SET
    return code;
}

enum err transfer_new(struct http *http, struct transfer **ret)
{
    CURL *easy = curl_easy_init();
    CURLcode code = easy == NULL ? CURLE_OUT_OF_MEMORY : set_always(http, easy);
    struct transfer *transfer;

    if (code != CURLE_OK) {
        log_error("http: libcurl: %s", curl_easy_strerror(code));
        curl_easy_cleanup(easy);
        return ERR_UNSUPPORTED;
    }
    transfer = mem_zalloc(sizeof *transfer);
    list_init(&transfer->link);
    list_init(&transfer->paused);
    transfer->http = http;
    transfer->easy = easy;
    *ret = transfer;
    return ERR_OK;
}

void transfer_free(struct transfer *transfer)
{
    list_remove(&transfer->link);
    list_remove(&transfer->paused);
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    mem_free(transfer);
}

/* A stream of HTTP/2 that waits is read all the same, into memory, with the others of its
 * connection; a connection of its own is not. */
static bool set_pace(struct transfer *transfer, const struct http_request *request)
{
    size_t chunk = transfer->http->chunk;
    bool alone = request->paced && chunk > 0;
    long buffer = chunk < BUFFER_MIN ? BUFFER_MIN : (long)chunk;

    curl_easy_setopt(transfer->easy, CURLOPT_HTTP_VERSION,
                     alone ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(transfer->easy, CURLOPT_BUFFERSIZE,
                     alone && buffer < RECEIVE_BUFFER ? buffer : RECEIVE_BUFFER);
    return alone;
}

/* The handle may have asked for something else before. */
static void set_condition(struct transfer *transfer, const char *condition)
{
    struct curl_slist *headers = NULL;

    if (condition != NULL)
        for (struct curl_slist *h = transfer->http->headers; h != NULL; h = h->next)
            headers = curl_slist_append(headers, h->data);
    if (condition != NULL)
        headers = curl_slist_append(headers, condition);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER,
                     headers != NULL ? headers : transfer->http->headers);
    curl_slist_free_all(transfer->headers);
    transfer->headers = headers;
}

void transfer_prepare(struct transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    char range[64];

    transfer->op = request->op;
    transfer->max = request->max;
    transfer->received = 0;
    transfer->header_bytes = 0;
    transfer->connect_by = 0;
    transfer->public_only = request->public_only;
    transfer->paced = request->paced;
    transfer->cancelled = transfer->connected = transfer->headed = transfer->discard = false;
    transfer->verdict = ERR_OK;
    snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)request->first,
             (unsigned long long)request->last);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    bool alone = set_pace(transfer, request);
    set_condition(transfer, request->condition);
    curl_easy_setopt(easy, CURLOPT_RANGE, request->has_range ? range : NULL);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_IPRESOLVE,
                     request->family == 4   ? CURL_IPRESOLVE_V4
                     : request->family == 6 ? CURL_IPRESOLVE_V6
                                            : CURL_IPRESOLVE_WHATEVER);
    /* Wait and see whether a connection under way turns out to be HTTP/2: TLS says so at once, but
     * without TLS only the whole first answer would. */
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT,
                     (long)(!alone && strncasecmp(request->url, "https:", 6) == 0));
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
}

/* --- the end of a transfer */

enum err transfer_result(const struct transfer *transfer, CURLcode code)
{
    if (transfer->discard) /* the rest of a refusal does not matter */
        return ERR_OK;
    switch (code) {
    case CURLE_OK:
        return transfer->headed ? ERR_OK : ERR_NETWORK;
    case CURLE_WRITE_ERROR:
    case CURLE_COULDNT_CONNECT:
        return transfer->verdict != ERR_OK ? transfer->verdict : ERR_NETWORK;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_UNSUPPORTED_PROTOCOL: /* what is no HTTP at all, too */
        return transfer->connected ? ERR_NETWORK : ERR_BAD_URL;
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED:
        return ERR_BAD_URL;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return ERR_TLS;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
        return ERR_INTERNAL;
    default:
        return ERR_NETWORK;
    }
}

uint32_t transfer_retry_after(const struct transfer *transfer)
{
    curl_off_t seconds = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER,
                      &seconds); /* a date is turned into seconds */
    return seconds < 0 ? 0 : seconds > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : (uint32_t)seconds;
}
