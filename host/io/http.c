/* io/http: requests over libcurl.
 *
 * A transfer is in one of three places: `waiting` (asked for while libcurl was on the stack),
 * `running` (in the multi), or `idle` (an easy handle kept for the next request). A cancelled one
 * leaves the table of numbers at once, so that its number is free again, and leaves libcurl as
 * soon as libcurl allows. */
#include "io/http.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/http_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_MAX  8
#define SWEEP_MS  500
#define RESUME_MS 3

/* --- easy handles, used again */

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

static void transfer_keep(struct transfer *transfer)
{
    struct http *http = transfer->http;

    list_remove(&transfer->link);
    list_remove(&transfer->paused);
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

/* --- the end of a transfer */

static void finish(struct transfer *transfer, CURLcode code)
{
    struct http *http = transfer->http;
    uint64_t op = transfer->op;
    enum err result = transfer_result(transfer, code);
    uint32_t wait_s = transfer_retry_after(transfer);
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

/* --- back-pressure */

/* libcurl gives what it has kept at once, from inside curl_easy_pause: that may end or begin other
 * transfers, or make all wait again, so the list is looked at anew each time. */
static void resume(void *user)
{
    struct http *http = user;

    while (!http->held && !list_empty(&http->paused)) {
        struct transfer *transfer = list_entry(http->paused.next, struct transfer, paused);
        list_remove(&transfer->paused);
        http->multi.inside = true;
        curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
        http->multi.inside = false;
    }
    after_action(http);
}

void http_receive(struct http *http, bool held, size_t chunk)
{
    http->held = held;
    http->chunk = chunk;
    if (held || list_empty(&http->paused))
        return;
    /* Not now: libcurl may be on the stack. And every other time a little later, or who reads peers
     * would never have a turn. */
    http->waits_longer = !http->waits_longer && chunk > 0;
    loop_timer_set(http->resume, http->waits_longer ? RESUME_MS : 0);
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
    list_init(&http->paused);
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
    http->resume = loop_timer_new(loop, resume, http);
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
    list_remove(&transfer->paused);
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
    loop_timer_free(http->resume);
    http_multi_done(&http->multi);
}
