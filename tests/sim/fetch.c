#include "fetch.h"

#include "base/mem.h"
#include "publisher.h"
#include "visitor.h"
#include "wire/http_range.h"
#include "wire/url.h"

#include <stdio.h>
#include <string.h>

#define OPEN_US   500 /* from the answer to the request at the gateway */
#define CLOSED_US 100

const char *fetch_state_name(enum fetch_state state)
{
    static const char *const names[] = {"asked",  "opening", "streaming", "done",
                                        "origin", "refused", "failed",    "left"};
    return names[state];
}

bool fetch_is_over(const struct fetch *fetch)
{
    return fetch->state >= FETCH_DONE;
}

static void set_state(struct fetch *fetch, enum fetch_state state)
{
    struct world *world = fetch->visitor->world;

    world->open_fetches -= !fetch_is_over(fetch) && state >= FETCH_DONE;
    fetch->state = state;
    world_trace(world, "%s = %s %s %d %s", fetch->visitor->host->name, fetch->path,
                fetch_state_name(state), fetch->status, fetch->reason);
    if (fetch_is_over(fetch))
        fetch->done_us = world_elapsed_us(world);
}

/* --- life */

static struct fetch *fetch_new(struct visitor *visitor, uint64_t seq, const char *path,
                               const char *range, bool head_only)
{
    struct fetch *fetch = mem_zalloc(sizeof *fetch);

    fetch->visitor = visitor;
    fetch->number = world_number(visitor->world);
    fetch->seq = seq;
    fetch->path = mem_strdup(path);
    fetch->range = range != NULL ? mem_strdup(range) : NULL;
    fetch->head_only = head_only;
    fetch->asked_us = world_elapsed_us(visitor->world);
    list_push_back(&visitor->all_fetches, &fetch->in_visitor);
    visitor->world->open_fetches++;
    return fetch;
}

static void forget_stream(struct fetch *fetch)
{
    if (fetch->stream == 0)
        return;
    HASH_DEL(fetch->visitor->fetches, fetch);
    fetch->stream = 0;
}

void fetch_free(struct fetch *fetch)
{
    forget_stream(fetch);
    fetch->visitor->world->open_fetches -= !fetch_is_over(fetch);
    list_remove(&fetch->in_visitor);
    mem_free(fetch->site);
    mem_free(fetch->path);
    mem_free(fetch->doc);
    mem_free(fetch->range);
    mem_free(fetch);
}

void fetches_break(struct visitor *visitor)
{
    list_for_each(link, next, &visitor->all_fetches)
    {
        struct fetch *fetch = list_entry(link, struct fetch, in_visitor);
        forget_stream(fetch);
        if (!fetch_is_over(fetch))
            set_state(fetch, FETCH_LEFT);
    }
}

static struct fetch *find_stream(struct visitor *visitor, uint64_t stream)
{
    struct fetch *fetch;
    HASH_FIND(hh, visitor->fetches, &stream, sizeof stream, fetch);
    return fetch;
}

/* --- asset.want */

struct fetch *fetch_begin_range(struct visitor *visitor, const char *site, uint64_t seq,
                                const char *path, const char *doc, const char *range,
                                bool head_only)
{
    struct fetch *fetch = fetch_new(visitor, seq, path, range, head_only);
    struct api_request request = {.type = API_ASSET_WANT, .seq = seq, .zone = ZONE_DEFAULT};

    fetch->has_site = true;
    fetch->site = mem_strdup(site);
    fetch->doc = mem_strdup(doc);
    snprintf(request.site, sizeof request.site, "%s", site);
    snprintf(request.path, sizeof request.path, "%s", path);
    snprintf(request.doc, sizeof request.doc, "%s", doc);
    struct ask *ask = visitor_ask(visitor, 1, &request);
    ask->fetch = fetch;
    if (ask->answer != NULL)
        fetch_answered(fetch, ask->answer);
    return fetch;
}

struct fetch *fetch_begin(struct visitor *visitor, const char *site, uint64_t seq, const char *path,
                          const char *doc)
{
    return fetch_begin_range(visitor, site, seq, path, doc, NULL, false);
}

static const char *text_of(const json_t *answer, const char *key)
{
    const char *text = json_string_value(json_object_get(answer, key));
    return text != NULL ? text : "";
}

static void fire_open(struct world *world, uint64_t visitor_number, uint64_t stream)
{
    struct visitor *visitor = visitor_find(world, visitor_number);
    struct fetch *fetch = find_stream(visitor, stream);
    struct event event = {.kind = EVENT_STREAM_OPENED};

    if (fetch == NULL)
        return;
    world_trace(world, "%s < stream %s %s%s", visitor->host->name, fetch->path,
                fetch->range != NULL ? fetch->range : "", fetch->head_only ? " HEAD" : "");
    event.stream.stream = stream;
    event.stream.seq = fetch->seq;
    event.stream.token = fetch->token;
    event.stream.path = fetch->path;
    event.stream.range = fetch->range;
    event.stream.head_only = fetch->head_only;
    visitor_step(visitor, &event);
}

static void open_stream(struct fetch *fetch)
{
    struct visitor *visitor = fetch->visitor;

    fetch->stream = world_number(visitor->world);
    HASH_ADD(hh, visitor->fetches, stream, sizeof fetch->stream, fetch);
    set_state(fetch, FETCH_OPENING);
    world_after(visitor->world, OPEN_US, fire_open, visitor->number, fetch->stream);
}

/* "http://127.0.0.1:9/<token>/<seq><path>" */
static void take_url(struct fetch *fetch, const char *url)
{
    static const char gateway[] = "http://127.0.0.1:9/";
    struct world *world = fetch->visitor->world;
    char *end = NULL;

    if (strncmp(url, gateway, strlen(gateway)) != 0 || strcspn(url + strlen(gateway), "/") != 32)
        world_fail(world, "a gateway URL of another shape: %s", url);
    url += strlen(gateway);
    snprintf(fetch->token, sizeof fetch->token, "%.32s", url);
    fetch->seq = strtoull(url + 33, &end, 10);
    if (strcmp(end, fetch->path) != 0)
        world_fail(world, "a gateway URL of another path: %s", url);
}

/* What the answer promises must be what the publisher published. */
static void check_promise(struct fetch *fetch, const json_t *answer)
{
    struct world *world = fetch->visitor->world;
    struct publisher *publisher = publisher_find(world, fetch->site);
    const struct published *published =
        publisher != NULL ? publisher_lookup(publisher, fetch->seq, fetch->path) : NULL;
    char root[HEX_LENGTH(HASH_LENGTH)];

    if (published == NULL)
        world_fail(world, "%s promises %s of release %llu, which was never published",
                   fetch->visitor->host->name, fetch->path, (unsigned long long)fetch->seq);
    hex_encode(root, published->root, HASH_LENGTH);
    uint64_t length = (uint64_t)json_integer_value(json_object_get(answer, "length"));
    if (length != published->length || strcmp(text_of(answer, "etag"), root) != 0)
        world_fail(world, "%s promises another %s than was published", fetch->visitor->host->name,
                   fetch->path);
    memcpy(fetch->root, published->root, HASH_LENGTH);
    fetch->length = length;
    fetch->piece_length = published->piece_length;
    snprintf(fetch->content_type, sizeof fetch->content_type, "%s",
             text_of(answer, "content_type"));
    if (fetch->content_type[0] == '\0' || !json_is_object(json_object_get(answer, "headers")))
        world_fail(world, "an answer without content_type or headers");
}

void fetch_answered(struct fetch *fetch, json_t *answer)
{
    if (fetch->answered_us != 0 || fetch_is_over(fetch))
        return;
    fetch->answered_us = world_elapsed_us(fetch->visitor->world);
    if (!json_is_true(json_object_get(answer, "ok"))) {
        snprintf(fetch->reason, sizeof fetch->reason, "%s", text_of(answer, "error"));
        set_state(fetch, FETCH_REFUSED);
    } else if (strcmp(text_of(answer, "via"), "gateway") == 0) {
        take_url(fetch, text_of(answer, "url"));
        check_promise(fetch, answer);
        open_stream(fetch);
    } else {
        snprintf(fetch->reason, sizeof fetch->reason, "%s", text_of(answer, "reason"));
        set_state(fetch, FETCH_ORIGIN);
    }
}

struct fetch *fetch_stream(struct visitor *visitor, const char *token, uint64_t seq,
                           const char *path, const char *range, bool head_only)
{
    struct fetch *fetch = fetch_new(visitor, seq, path, range, head_only);

    snprintf(fetch->token, sizeof fetch->token, "%s", token);
    open_stream(fetch);
    return fetch;
}

/* --- the stream */

static void fire_closed(struct world *world, uint64_t visitor_number, uint64_t stream)
{
    struct visitor *visitor = visitor_find(world, visitor_number);
    struct fetch *fetch = find_stream(visitor, stream);
    struct event event = {.kind = EVENT_STREAM_CLOSED};

    if (fetch == NULL)
        return;
    forget_stream(fetch);
    event.stream.stream = stream;
    visitor_step(visitor, &event);
}

static void complete(struct fetch *fetch)
{
    set_state(fetch, FETCH_DONE);
    world_after(fetch->visitor->world, CLOSED_US, fire_closed, fetch->visitor->number,
                fetch->stream);
}

void fetch_leave(struct fetch *fetch)
{
    if (fetch_is_over(fetch))
        return;
    set_state(fetch, FETCH_LEFT);
    if (fetch->stream != 0)
        fire_closed(fetch->visitor->world, fetch->visitor->number, fetch->stream);
}

/* The head must be what the range asks for. */
static void check_range(struct fetch *fetch, const struct effect *effect)
{
    uint64_t first = 0, last = 0;
    enum http_range_result result =
        http_range_parse(fetch->range, effect->stream.length, &first, &last);
    int status = result == HTTP_RANGE_WHOLE ? 200 : result == HTTP_RANGE_PART ? 206 : 416;
    uint64_t end = result == HTTP_RANGE_PART ? last + 1 : effect->stream.length;

    if (effect->stream.status != status)
        world_fail(fetch->visitor->world, "status %d for range %s", effect->stream.status,
                   fetch->range != NULL ? fetch->range : "none");
    if (status != 416 && (effect->stream.first != first || effect->stream.end != end))
        world_fail(fetch->visitor->world, "a body of %llu-%llu for range %s",
                   (unsigned long long)effect->stream.first, (unsigned long long)effect->stream.end,
                   fetch->range != NULL ? fetch->range : "none");
}

static void check_file(struct fetch *fetch, const struct effect *effect)
{
    struct world *world = fetch->visitor->world;
    const struct metainfo_file *file = &effect->stream.file;
    const char *content_type = (const char *)effect->text.data;

    if (effect->text.length == 0)
        world_fail(world, "a head without content type: %s", fetch->path);
    if (file->length != effect->stream.length)
        world_fail(world, "a head without its file: %s", fetch->path);
    if (fetch->has_site &&
        (file->length != fetch->length ||
         (file->length > 0 && memcmp(file->root, fetch->root, HASH_LENGTH) != 0) ||
         strcmp(content_type, fetch->content_type) != 0))
        world_fail(world, "the head is not what asset.want promised: %s", fetch->path);
    memcpy(fetch->root, file->root, HASH_LENGTH);
    fetch->piece_length = effect->stream.piece_length;
}

static void take_head(struct fetch *fetch, const struct effect *effect)
{
    if (fetch->state != FETCH_OPENING)
        world_fail(fetch->visitor->world, "a second head for %s", fetch->path);
    check_range(fetch, effect);
    fetch->status = effect->stream.status;
    fetch->length = effect->stream.length;
    fetch->head_us = world_elapsed_us(fetch->visitor->world);
    if (fetch->status != 416) {
        check_file(fetch, effect);
        fetch->first = fetch->ready = effect->stream.first;
        fetch->end = effect->stream.end;
    }
    if (fetch->head_only || fetch->first == fetch->end)
        complete(fetch);
    else
        set_state(fetch, FETCH_STREAMING);
}

static void take_ready(struct fetch *fetch, const struct effect *effect)
{
    struct visitor *visitor = fetch->visitor;
    uint64_t upto = effect->stream.upto;

    if (fetch->state != FETCH_STREAMING)
        world_fail(visitor->world, "bytes are ready of a stream that is %s: %s",
                   fetch_state_name(fetch->state), fetch->path);
    if (upto < fetch->ready || upto > fetch->length)
        world_fail(visitor->world, "ready up to %llu after %llu of %s", (unsigned long long)upto,
                   (unsigned long long)fetch->ready, fetch->path);
    if (upto > fetch->end)
        upto = fetch->end;
    if (!disk_has(visitor->disk, fetch->root, fetch->piece_length, fetch->first, upto))
        world_fail(visitor->world, "%s says that bytes are ready which are not on its disk: %s",
                   visitor->host->name, fetch->path);
    if (upto > fetch->ready && fetch->first_byte_us == 0)
        fetch->first_byte_us = world_elapsed_us(visitor->world);
    if (fetch->tenth_us == 0 && upto - fetch->first >= (fetch->end - fetch->first) / 10)
        fetch->tenth_us = world_elapsed_us(visitor->world);
    fetch->ready = upto;
    if (upto == fetch->end)
        complete(fetch);
}

void fetch_effect(struct visitor *visitor, const struct effect *effect)
{
    struct fetch *fetch = find_stream(visitor, effect->stream.stream);

    if (fetch == NULL)
        world_fail(visitor->world, "%s writes to a stream that is closed", visitor->host->name);
    if (fetch->state == FETCH_DONE)
        return; /* it does not know yet that the client has everything */
    if (effect->kind == EFFECT_STREAM_HEAD) {
        take_head(fetch, effect);
    } else if (effect->kind == EFFECT_STREAM_READY) {
        take_ready(fetch, effect);
    } else {
        fetch->status = effect->stream.status;
        forget_stream(fetch);
        set_state(fetch, FETCH_FAILED);
    }
}

/* --- waiting */

static bool is_over(void *arg)
{
    return fetch_is_over(arg);
}

void fetch_wait(struct fetch *fetch, uint64_t ms)
{
    struct world *world = fetch->visitor->world;

    if (!world_run_until(world, is_over, fetch, ms))
        world_fail(world, "%s: %s is only %s after %llu ms (%llu of %llu bytes)",
                   fetch->visitor->host->name, fetch->path, fetch_state_name(fetch->state),
                   (unsigned long long)ms, (unsigned long long)(fetch->ready - fetch->first),
                   (unsigned long long)(fetch->end - fetch->first));
}

bool fetches_are_over(void *arg)
{
    const struct world *world = arg;
    return world->open_fetches == 0;
}
