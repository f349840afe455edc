/* Fetching as a stranger would: no cookies, no credentials, no proxy, no redirects followed, TLS
 * verified. Several requests at once over libcurl's multi interface; a web root is read instead
 * when that is what there is. */
#include "app/cmd.h"
#include "app/verify.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT_ONCE 6
#define LOST    5 /* replies in a row that do not come: the site is gone */

struct transfer {
    struct verify_request request;
    struct verify_reply reply;
    char *url, *path, *disk;
    size_t header_bytes;
};

char *verify_url(const struct verify *verify, const char *path)
{
    if (strstr(path, "://") != NULL)
        return mem_strdup(path);
    return mem_printf("%s%s", verify->on_disk ? verify->options->target : verify->site, path);
}

const char *verify_header(const struct verify_reply *reply, const char *name, size_t index)
{
    struct curl_header *header;
    return reply->easy != NULL && curl_easy_header(reply->easy, name, index, CURLH_HEADER, -1,
                                                   &header) == CURLHE_OK
               ? header->value
               : NULL;
}

void verify_reply_done(struct verify_reply *reply)
{
    buf_done(&reply->body);
    if (reply->easy != NULL)
        curl_easy_cleanup(reply->easy);
    mem_free((char *)reply->url);
    *reply = (struct verify_reply){0};
}

/* --- libcurl */

static size_t got_header(char *data, size_t one, size_t length, void *user)
{
    struct transfer *transfer = user;
    (void)data;
    (void)one;
    transfer->header_bytes += length;
    return transfer->header_bytes <= LIMIT_HTTP_HEADERS ? length : 0;
}

static size_t got_body(char *data, size_t one, size_t length, void *user)
{
    struct transfer *transfer = user;
    struct verify_reply *reply = &transfer->reply;
    (void)one;
    uint64_t room = transfer->request.max - reply->body.length;
    reply->too_long = length > room;
    buf_put(&reply->body, data, reply->too_long ? (size_t)room : length);
    return reply->too_long ? 0 : length;
}

static CURLcode set_up(const struct verify *verify, struct transfer *transfer)
{
    CURLcode code = CURLE_OK;
    CURL *easy = transfer->reply.easy;
    char range[64];
#define SET(OPTION, VALUE) code = code != CURLE_OK ? code : curl_easy_setopt(easy, OPTION, VALUE)
    SET(CURLOPT_URL, transfer->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)LIMIT_HTTP_CONNECT_MS);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, (long)(LIMIT_HTTP_STALL_MS / 1000));
    SET(CURLOPT_USERAGENT, "fringe/" FRINGE_VERSION);
    SET(CURLOPT_HTTPHEADER, transfer->request.is_worker ? verify->worker_headers : verify->headers);
    SET(CURLOPT_ERRORBUFFER, transfer->reply.error);
    SET(CURLOPT_HEADERFUNCTION, got_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, got_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_PRIVATE, transfer);
    if (verify->options->ca_file != NULL)
        SET(CURLOPT_CAINFO, verify->options->ca_file);
    if (transfer->request.has_range) {
        snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)transfer->request.first,
                 (unsigned long long)transfer->request.last);
        SET(CURLOPT_RANGE, range);
    }
#undef SET
    return code;
}

bool verify_get_init(struct verify *verify)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    verify->multi = curl_multi_init();
    verify->headers = curl_slist_append(NULL, "Accept-Encoding: identity");
    verify->worker_headers = curl_slist_append(NULL, "Accept-Encoding: identity");
    if (verify->multi == NULL || verify->headers == NULL || verify->worker_headers == NULL ||
        curl_slist_append(verify->worker_headers, "Service-Worker: script") == NULL)
        return cmd_fail("libcurl does not start") == CMD_OK;
    curl_multi_setopt(verify->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)AT_ONCE);
    return true;
}

void verify_get_done(struct verify *verify)
{
    curl_multi_cleanup(verify->multi);
    curl_slist_free_all(verify->headers);
    curl_slist_free_all(verify->worker_headers);
}

/* --- a web root */

static void read_file(const char *path, struct transfer *transfer)
{
    struct verify_reply *reply = &transfer->reply;
    const struct verify_request *request = &transfer->request;
    struct stat info = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    reply->status = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? 200 : 404;
    uint64_t size = (uint64_t)info.st_size, at = request->has_range ? request->first : 0;
    uint64_t end = request->has_range && request->last < size ? request->last + 1 : size;
    reply->too_long = end > at && end - at > request->max;
    if (reply->too_long)
        end = at + request->max;
    if (request->has_range && reply->status == 200)
        reply->status = 206;
    while (reply->status != 404 && at < end) {
        size_t step = end - at < MIB(1) ? (size_t)(end - at) : MIB(1);
        uint8_t *data = buf_extend(&reply->body, step);
        ssize_t got = data != NULL ? pread(fd, data, step, (off_t)at) : -1;
        reply->body.length -= step - (got > 0 ? (size_t)got : 0);
        if (got <= 0) {
            snprintf(reply->error, sizeof reply->error, "cannot read it: %s", strerror(errno));
            break;
        }
        at += (uint64_t)got;
    }
    if (fd >= 0)
        close(fd);
}

static void read_from_disk(struct verify *verify, struct transfer *transfer)
{
    const struct verify_request *request = &transfer->request;
    char *path = mem_printf("%s%s", verify->options->target,
                            request->disk != NULL ? request->disk : request->path);
    read_file(path, transfer);
    mem_free(path);
}

/* --- many at once */

static struct transfer *begin(struct verify *verify, const struct verify_request *request)
{
    struct transfer *transfer = mem_zalloc(sizeof *transfer);
    transfer->request = *request;
    transfer->request.path = transfer->path = mem_strdup(request->path);
    if (request->disk != NULL)
        transfer->request.disk = transfer->disk = mem_strdup(request->disk);
    transfer->url = verify_url(verify, request->path);
    transfer->reply.request = &transfer->request;
    transfer->reply.url = transfer->url;
    buf_init(&transfer->reply.body, request->max + 1);
    verify->requests++;
    if (verify->on_disk)
        return transfer;
    transfer->reply.easy = curl_easy_init();
    CURLcode code = transfer->reply.easy != NULL ? set_up(verify, transfer) : CURLE_FAILED_INIT;
    if (code != CURLE_OK || curl_multi_add_handle(verify->multi, transfer->reply.easy) != CURLM_OK)
        snprintf(transfer->reply.error, sizeof transfer->reply.error, "libcurl: %s",
                 curl_easy_strerror(code));
    return transfer;
}

static void note_end(struct verify *verify, struct transfer *transfer, CURLcode code)
{
    struct verify_reply *reply = &transfer->reply;
    curl_easy_getinfo(reply->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    bool whole = code == CURLE_OK || (reply->too_long && code == CURLE_WRITE_ERROR);
    if (whole)
        reply->error[0] = '\0';
    else if (transfer->header_bytes > LIMIT_HTTP_HEADERS)
        snprintf(reply->error, sizeof reply->error, "headers of more than %u bytes",
                 LIMIT_HTTP_HEADERS);
    else if (reply->error[0] == '\0')
        snprintf(reply->error, sizeof reply->error, "%s", curl_easy_strerror(code));
    verify->lost = whole ? 0 : verify->lost + 1;
    if (verify->lost >= LOST)
        verify->gone = true;
}

static void finish(struct verify *verify, struct transfer *transfer, verify_got got, void *user)
{
    got(verify, user, &transfer->reply);
    if (transfer->reply.easy != NULL)
        curl_multi_remove_handle(verify->multi, transfer->reply.easy);
    verify_reply_done(&transfer->reply);
    mem_free(transfer->path);
    mem_free(transfer->disk);
    mem_free(transfer);
}

/* The transfers that have ended; answers how many. */
static unsigned collect(struct verify *verify, verify_got got, void *user)
{
    unsigned ended = 0;
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(verify->multi, &left)) != NULL;) {
        struct transfer *transfer;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        note_end(verify, transfer, message->data.result);
        finish(verify, transfer, got, user);
        ended++;
    }
    return ended;
}

void verify_get_all(struct verify *verify, verify_next next, verify_got got, void *user)
{
    struct verify_request request;
    unsigned running = 0;
    bool more = true;
    int active;
    while (more || running > 0) {
        while (more && running < AT_ONCE && (more = !verify->gone)) {
            request = (struct verify_request){0};
            if (!(more = next(verify, user, &request)))
                break;
            struct transfer *transfer = begin(verify, &request);
            if (verify->on_disk)
                read_from_disk(verify, transfer);
            if (verify->on_disk || transfer->reply.error[0] != '\0')
                finish(verify, transfer, got, user);
            else
                running++;
        }
        if (running == 0)
            continue;
        curl_multi_perform(verify->multi, &active);
        unsigned ended = collect(verify, got, user);
        running -= ended;
        if (ended == 0)
            curl_multi_poll(verify->multi, NULL, 0, 200, NULL);
    }
}

/* --- one */

struct one {
    const struct verify_request *request;
    struct verify_reply *ret;
    bool asked;
};

static bool next_one(struct verify *verify, void *user, struct verify_request *ret)
{
    struct one *one = user;
    (void)verify;
    bool first = !one->asked;
    one->asked = true;
    *ret = *one->request;
    return first;
}

/* Takes the reply over. */
static void got_one(struct verify *verify, void *user, const struct verify_reply *reply)
{
    struct one *one = user;
    struct verify_reply *mutable = (struct verify_reply *)reply;
    if (mutable->easy != NULL)
        curl_multi_remove_handle(verify->multi, mutable->easy);
    *one->ret = *reply;
    one->ret->request = one->request;
    mutable->easy = NULL;
    mutable->url = NULL;
    mutable->body = (struct buf){0};
}

bool verify_get(struct verify *verify, const struct verify_request *request,
                struct verify_reply *ret)
{
    struct one one = {.request = request, .ret = ret};
    *ret = (struct verify_reply){0};
    verify_get_all(verify, next_one, got_one, &one);
    if (ret->url != NULL && ret->error[0] == '\0')
        return true;
    char *url = verify_url(verify, request->path);
    verify_add(&verify->report, VERIFY_FAULT, "no-reply", url,
               "make the server answer, to strangers too, and with a certificate that browsers "
               "trust",
               "%s", ret->error[0] != '\0' ? ret->error : "the site does not answer any more");
    mem_free(url);
    return false;
}
