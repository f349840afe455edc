/* io/http: requests over libcurl.
 *
 * A transfer is in one of three places: `waiting` (asked for while libcurl was on the stack),
 * `running` (in the multi), or `idle` (an easy handle kept for the next request). A cancelled one
 * leaves the table of numbers at once, so that its number is free again, and leaves libcurl as
 * soon as libcurl allows. */
#include "io/http.h"

#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/http_multi.h"
#include "wire/http_range.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <uthash.h>

#define IDLE_MAX        8
#define SWEEP_MS        500
#define RECEIVE_BUFFER  (128L * 1024)
#define RETRY_AFTER_MAX 3600
#define ERROR_BODY_MAX  KIB(64) /* of a refusal: read and thrown away to keep the connection */

struct http {
    struct http_events events;
    struct http_multi multi;
    struct curl_slist *headers;
    char *ca_file;
    struct transfer *by_op; /* uthash */
    struct list waiting, running, cancelled, idle;
    size_t idle_count;
    struct loop_timer *sweep; /* ends connecting that takes too long */
    bool sweeping;            /* the timer is set: as long as something runs */
};

struct transfer {
    struct list link;
    UT_hash_handle hh;
    struct http *http;
    CURL *easy;
    uint64_t op, max, received;
    size_t header_bytes;
    uint64_t connect_by; /* uv_now; 0: waits its turn, or is connected */
    bool cancelled, connected, headed, discard;
    enum err verdict; /* why our own callback ended it */
};

/* --- the reply's head */

static bool header_get(CURL *easy, const char *name, const char **ret_value)
{
    struct curl_header *header;

    /* -1: of the last response; the last of several */
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return false;
    if (header->amount > 1 &&
        curl_easy_header(easy, name, header->amount - 1, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return false;
    *ret_value = header->value;
    return true;
}

/* The bytes on the wire must be the file's own. */
static bool is_encoded(CURL *easy)
{
    const char *value;

    return header_get(easy, "Content-Encoding", &value) && value[0] != '\0' &&
           strcasecmp(value, "identity") != 0;
}

static struct http_head read_head(CURL *easy, int status)
{
    struct http_head head = {.status = status};
    curl_off_t length = -1;
    const char *value;

    curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    head.has_length = length >= 0;
    head.length = length >= 0 ? (uint64_t)length : 0;
    head.has_range = status == 206 && header_get(easy, "Content-Range", &value) &&
                     http_content_range_parse(value, &head.first, &head.last, &head.total);
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

static int on_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
    (void)fd;
    (void)purpose;
    connecting(user);
    return CURL_SOCKOPT_OK;
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
    SET(CURLOPT_SOCKOPTFUNCTION, on_socket);
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

static enum err transfer_new(struct http *http, struct transfer **ret)
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
    transfer->http = http;
    transfer->easy = easy;
    *ret = transfer;
    return ERR_OK;
}

static struct transfer *transfer_take(struct http *http)
{
    struct transfer *transfer;

    if (list_empty(&http->idle)) {
        /* http_new has seen these very settings accepted: only memory can be missing. */
        if (transfer_new(http, &transfer) != ERR_OK)
            abort();
        return transfer;
    }
    transfer = list_entry(http->idle.next, struct transfer, link);
    list_remove(&transfer->link);
    http->idle_count--;
    return transfer;
}

static void transfer_free(struct transfer *transfer)
{
    list_remove(&transfer->link);
    curl_easy_cleanup(transfer->easy);
    mem_free(transfer);
}

static void transfer_keep(struct transfer *transfer)
{
    struct http *http = transfer->http;

    list_remove(&transfer->link);
    if (http->idle_count >= IDLE_MAX) {
        transfer_free(transfer);
        return;
    }
    list_push_front(&http->idle, &transfer->link);
    http->idle_count++;
}

/* Out of libcurl, and ready for the next request. */
static void transfer_retire(struct transfer *transfer)
{
    curl_multi_remove_handle(transfer->http->multi.curl, transfer->easy);
    transfer_keep(transfer);
}

static void transfer_prepare(struct transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;
    char range[64];

    transfer->op = request->op;
    transfer->max = request->max;
    transfer->received = 0;
    transfer->header_bytes = 0;
    transfer->connect_by = 0;
    transfer->cancelled = transfer->connected = transfer->headed = transfer->discard = false;
    transfer->verdict = ERR_OK;
    snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)request->first,
             (unsigned long long)request->last);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_RANGE, request->has_range ? range : NULL);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    /* Wait and see whether a connection under way turns out to be HTTP/2: TLS says so at once, but
     * without TLS only the whole first answer would. */
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)(strncasecmp(request->url, "https:", 6) == 0));
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, transfer);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
}

/* --- the end of a transfer */

static enum err result_of(const struct transfer *transfer, CURLcode code)
{
    if (transfer->discard) /* the rest of a refusal does not matter */
        return ERR_OK;
    switch (code) {
    case CURLE_OK:
        return transfer->headed ? ERR_OK : ERR_NETWORK;
    case CURLE_WRITE_ERROR:
        return transfer->verdict;
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

static uint32_t retry_after(CURL *easy)
{
    curl_off_t seconds = 0;

    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds); /* a date is turned into seconds */
    return seconds < 0 ? 0 : seconds > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : (uint32_t)seconds;
}

static void finish(struct transfer *transfer, CURLcode code)
{
    struct http *http = transfer->http;
    uint64_t op = transfer->op;
    enum err result = result_of(transfer, code);
    uint32_t wait_s = retry_after(transfer->easy);
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (result != ERR_OK)
        log_debug("http: request %llu: %s", (unsigned long long)op, curl_easy_strerror(code));
    HASH_DEL(http->by_op, transfer);
    transfer_retire(transfer);
    http->events.done(http->events.user, op, result, (int)status, wait_s);
}

static struct transfer *next_finished(struct http *http, CURLcode *ret_code)
{
    struct CURLMsg *message;
    struct transfer *transfer;
    int left;

    while ((message = curl_multi_info_read(http->multi.curl, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        *ret_code = message->data.result;
        return transfer;
    }
    return NULL;
}

static void sweep_later(struct http *http)
{
    if (http->sweeping || list_empty(&http->running))
        return;
    http->sweeping = true;
    loop_timer_set(http->sweep, SWEEP_MS);
}

static void start_waiting(struct http *http)
{
    while (!list_empty(&http->waiting)) {
        struct transfer *transfer = list_entry(http->waiting.next, struct transfer, link);
        list_remove(&transfer->link);
        list_push_back(&http->running, &transfer->link);
        curl_multi_add_handle(http->multi.curl, transfer->easy);
    }
    sweep_later(http);
}

/* libcurl has been given its turn and is off the stack. */
static void after_action(void *user)
{
    struct http *http = user;
    struct transfer *transfer;
    CURLcode code;

    while (!list_empty(&http->cancelled))
        transfer_retire(list_entry(http->cancelled.next, struct transfer, link));
    /* `done` may start and cancel requests: nothing is held across it. */
    while ((transfer = next_finished(http, &code)) != NULL)
        finish(transfer, code);
    start_waiting(http);
}

static struct transfer *next_overdue(const struct http *http, uint64_t now)
{
    list_for_each(link, next, &http->running)
    {
        struct transfer *transfer = list_entry(link, struct transfer, link);
        if (transfer->connect_by != 0 && transfer->connect_by <= now)
            return transfer;
    }
    return NULL;
}

static void sweep(void *user)
{
    struct http *http = user;
    struct transfer *transfer;

    http->sweeping = false;
    while ((transfer = next_overdue(http, uv_now(http->multi.timer.loop))) != NULL)
        finish(transfer, CURLE_OPERATION_TIMEDOUT);
    sweep_later(http);
}

/* --- the public face */

static void http_closed(void *user)
{
    struct http *http = user;

    curl_slist_free_all(http->headers);
    mem_free(http->ca_file);
    mem_free(http);
    curl_global_cleanup();
}

enum err http_new(struct loop *loop, const char *ca_file, const struct http_events *events,
                  struct http **ret)
{
    struct transfer *first;
    struct http *http;
    enum err err;

    if (ca_file != NULL && access(ca_file, R_OK) != 0) {
        log_error("cannot read the certificates in %s: %s", ca_file, strerror(errno));
        return ERR_NOT_FOUND;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return ERR_INTERNAL;
    http = mem_zalloc(sizeof *http);
    http->events = *events;
    http->ca_file = ca_file == NULL ? NULL : mem_strdup(ca_file);
    /* What a compressed answer unpacks to is not what was hashed. */
    http->headers = curl_slist_append(NULL, "Accept-Encoding: identity");
    list_init(&http->waiting);
    list_init(&http->running);
    list_init(&http->cancelled);
    list_init(&http->idle);
    err = http_multi_init(&http->multi, loop, after_action, http_closed, http);
    if (err != ERR_OK) {
        http_closed(http);
        return err;
    }
    http->sweep = loop_timer_new(loop, sweep, http);
    err = transfer_new(http, &first);
    if (err != ERR_OK) {
        http_free(http);
        return err;
    }
    transfer_keep(first);
    *ret = http;
    return ERR_OK;
}

void http_get(struct http *http, const struct http_request *request)
{
    struct transfer *transfer = transfer_take(http);

    transfer_prepare(transfer, request);
    HASH_ADD(hh, http->by_op, op, sizeof transfer->op, transfer);
    list_push_back(&http->waiting, &transfer->link);
    if (!http->multi.inside)
        start_waiting(http); /* only sets the timer: nothing is called back from here */
}

void http_cancel(struct http *http, uint64_t op)
{
    struct transfer *transfer;

    HASH_FIND(hh, http->by_op, &op, sizeof op, transfer);
    if (transfer == NULL)
        return;
    HASH_DEL(http->by_op, transfer);
    transfer->cancelled = true;
    list_remove(&transfer->link);
    list_push_back(&http->cancelled, &transfer->link);
    if (!http->multi.inside)
        transfer_retire(transfer);
}

void http_free(struct http *http)
{
    struct list *const lists[] = {&http->waiting, &http->running, &http->cancelled, &http->idle};

    if (http == NULL)
        return;
    HASH_CLEAR(hh, http->by_op);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        while (!list_empty(lists[i])) {
            struct transfer *transfer = list_entry(lists[i]->next, struct transfer, link);
            curl_multi_remove_handle(http->multi.curl, transfer->easy);
            transfer_free(transfer);
        }
    }
    loop_timer_free(http->sweep);
    http_multi_done(&http->multi);
}
