/* Pieces from the origin: the source of last resort while peers can give, and the first while
 * nobody can. Here is decided when to ask, for how much, and what an answer is worth. */
#include "base/mem.h"
#include "core/crowd.h"
#include "core/supernode.h"
#include "core/swarm.h"
#include "wire/url.h"

#include <string.h>

#define HEDGE_MS            300 /* without a block from peers, before the origin is asked: first, ... */
#define HEDGE_MIN_MS        150 /* ... and when it is known how they give */
#define HEDGE_MAX_MS        800
#define SLOWED_HEDGE_MS     3000  /* while the visitor's own cap is what is slow */
#define BACKGROUND_HEDGE_MS 60000 /* for what no page waits for */
#define ASSIST_MS           2000  /* so old, and peers slower than ASSIST_RATE: the origin helps */
#define ASSIST_RATE         KIB(256)
#define FIRST_EXTENT        KIB(128) /* of a file among neighbours of our own kind */
#define EXTENT              MIB(1)   /* at once, while there are peers who may do the rest */
#define TWIN_MS             1000     /* before it is looked again whether a twin still brings it */
#define BRINGS_PIECES       8        /* what the origin is about to bring is not asked of peers */
#define SLOWED_EXTENT_S     4   /* of the visitor's own cap, so that other files have their turn */
#define ACTIVE_MAX          100 /* requests under way to one site, as many as browsers have */
#define RETRY_MS            1000
#define ASKED_AGAIN_MS      2000 /* after a failure a page's wish may shorten the back-off */
#define RETRY_MAX_MS        30000

/* --- when */

static uint64_t latest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t hedge_ms(const struct swarm *swarm)
{
    uint64_t hedge = 2 * swarm->gap_ms;

    if (supernode_is_bringing(swarm))
        return SUPERNODE_HEDGE_MS;
    if (swarm->piece_ms == 0)
        return HEDGE_MS;
    if (hedge < HEDGE_MIN_MS)
        return HEDGE_MIN_MS;
    return hedge < HEDGE_MAX_MS ? hedge : HEDGE_MAX_MS;
}

static bool peers_are_settling(const struct swarm *swarm)
{
    return swarm->settling > 0 || swarm_asks_trackers(swarm);
}

/* When the origin may be asked for that piece. As long as blocks come in from peers, what stands
 * behind them in the queue waits for its turn. */
static uint64_t due_ms(const struct want *want, uint32_t number)
{
    struct swarm *swarm = want->swarm;

    if (swarm->node->config.supernode)
        return 0; /* nothing comes from visitors */
    if (swarm->availability == NULL || swarm->availability[number] == 0)
        return peers_are_settling(swarm) ? swarm->settle_ms + SWARM_SETTLE_MS : 0;
    /* Peers are waiting for our disk: the origin would have to as well. */
    if (swarm->node->storing_bytes >= STORING_MAX)
        return swarm->node->now_ms + HEDGE_MS;
    uint64_t since = latest(want->moved_ms, swarm->block_ms);
    if (want->background)
        return since + BACKGROUND_HEDGE_MS;
    uint64_t due = since + hedge_ms(swarm);
    uint64_t assist = want->created_ms + ASSIST_MS;
    if (fair_use_slows(swarm)) /* the origin's bytes would have to wait as well */
        return since + SLOWED_HEDGE_MS;
    if (swarm->rate < ASSIST_RATE && assist < due)
        return assist;
    return due;
}

static uint32_t first_needed(const struct want *want)
{
    const struct metainfo *meta = want->swarm->meta;

    list_for_each(link, next, &want->streams)
    {
        const struct stream *stream = list_entry(link, struct stream, in_want);
        uint32_t at =
            meta->files[want->file].first_piece + (uint32_t)(stream->ready / meta->piece_length);
        uint32_t missing = want_next_missing(want, at);
        if (missing != UINT32_MAX)
            return missing;
    }
    return want_next_missing(want, want->head);
}

/* --- asking */

static uint32_t extent_end(const struct want *want, uint32_t first)
{
    struct swarm *swarm = want->swarm;
    const struct metainfo_file *file = &swarm->meta->files[want->file];
    uint32_t end = file->first_piece + file->pieces;
    uint64_t rate = fair_use_download_rate(swarm->node);
    uint64_t bytes = rate > 0 && rate * SLOWED_EXTENT_S < EXTENT ? rate * SLOWED_EXTENT_S : EXTENT;
    if (swarm->node->config.supernode) /* one flight for a file, however many ask */
        bytes = UINT32_MAX;
    /* Neighbours may be beginning at this very moment, and not have said so yet. */
    if (swarm->speakers > 0 && !swarm->node->config.supernode && first == file->first_piece &&
        bytes > FIRST_EXTENT)
        bytes = FIRST_EXTENT;
    uint32_t extent = (uint32_t)(bytes / swarm->meta->piece_length);

    if ((rate > 0 || !list_empty(&swarm->peers)) && end - first > extent)
        end = first + (extent > 0 ? extent : 1);
    uint32_t there = bitfield_next_one(&swarm->have, first, end);
    return there != BITFIELD_NONE ? there : end;
}

static void put_url(const struct want *want, struct buf *out)
{
    struct swarm *swarm = want->swarm;

    buf_put_text(out, swarm->site->name);
    path_encode(swarm->base, out);
    path_encode(swarm->meta->files[want->file].path, out);
    buf_put_u8(out, 0);
}

static uint64_t piece_start(const struct want *want, uint32_t number)
{
    return (uint64_t)swarm_piece_offset(want->swarm, want->file, number) *
           want->swarm->meta->piece_length;
}

void origin_start(struct want *want, uint32_t first, uint32_t end)
{
    struct swarm *swarm = want->swarm;
    struct node *node = swarm->node;
    uint64_t length = swarm->meta->files[want->file].length;
    struct origin_fetch *fetch = mem_zalloc(sizeof *fetch);

    fetch->want = want;
    fetch->piece = first;
    fetch->end = end;
    fetch->op = node_op_begin(node, OP_ORIGIN, fetch);
    want->fetch = fetch;
    swarm->site->origin_active++;

    struct effect *effect =
        update_add(node->update, EFFECT_HTTP_GET, LIMIT_SITE + 6 * LIMIT_PATH + 16);
    uint64_t from = piece_start(want, first), to = piece_start(want, fetch->end);
    effect->http.op = fetch->op;
    effect->http.first = from;
    effect->http.last = (to < length ? to : length) - 1;
    effect->http.has_range = from > 0 || effect->http.last < length - 1;
    effect->http.paced = true;
    effect->http.max = length; /* a server that ignores Range sends the whole */
    put_url(want, &effect->text);
    crowd_started(fetch);
}

/* Under a cap of the visitor's one body at a time: a connection is left for documents, which do not
 * wait. */
static uint32_t active_max(const struct node *node)
{
    return fair_use_download_rate(node) > 0 ? 1 : ACTIVE_MAX;
}

void origin_consider(struct want *want)
{
    struct swarm *swarm = want->swarm;
    uint64_t now = swarm->node->now_ms;

    if (want->fetch != NULL || want->delta != NULL || !site_may_use_peers(swarm->site))
        return;
    if (crowd_is(swarm)) {
        crowd_consider(swarm);
        return;
    }
    uint32_t missing = first_needed(want);
    if (missing == UINT32_MAX)
        return;
    if (origin_brings_twin(swarm, missing)) {
        node_wake(swarm->node, now + TWIN_MS);
        return;
    }
    uint64_t due = latest(due_ms(want, missing), want->origin_retry_ms);
    due = latest(due, origin_ready_ms(swarm->site));
    if (now < due) {
        node_wake(swarm->node, due);
        return;
    }
    if (swarm->site->origin_active < active_max(swarm->node))
        origin_start(want, missing, extent_end(want, missing));
}

void origin_consider_site(struct site *site)
{
    list_for_each(swarm_link, next_swarm, &site->swarms)
    {
        struct swarm *swarm = list_entry(swarm_link, struct swarm, in_site);
        list_for_each(link, next, &swarm->wants)
        {
            if (site->origin_active >= active_max(site->node))
                return;
            origin_consider(list_entry(link, struct want, in_swarm));
        }
    }
}

bool origin_brings(const struct want *want, uint32_t piece)
{
    const struct origin_fetch *fetch = want->fetch;
    return fetch != NULL && piece >= fetch->piece && piece < fetch->end &&
           piece - fetch->piece < BRINGS_PIECES;
}

bool origin_brings_twin(struct swarm *swarm, uint32_t number)
{
    if (swarm->twins == NULL)
        return false;
    uint32_t file = metainfo_file_of_piece(swarm->meta, number);
    uint32_t offset = swarm_piece_offset(swarm, file, number);
    for (uint32_t twin = swarm->twins[file]; twin != file; twin = swarm->twins[twin]) {
        uint32_t there = swarm->meta->files[twin].first_piece + offset;
        const struct want *want = swarm_find_want(swarm, twin);
        if ((want != NULL && origin_brings(want, there)) || bitfield_get(&swarm->storing, there))
            return true;
    }
    return false;
}

/* --- ending */

static void fetch_free(struct origin_fetch *fetch)
{
    struct swarm *swarm = fetch->want->swarm;

    swarm->site->origin_active--;
    swarm->site->wasted += fetch->fill;
    crowd_ended(fetch);
    fetch->want->fetch = NULL;
    node_op_end(swarm->node, fetch->op);
    mem_free(fetch->data);
    mem_free(fetch);
}

void origin_cancel(struct origin_fetch *fetch)
{
    struct effect *effect = update_add(fetch->want->swarm->node->update, EFFECT_HTTP_CANCEL, 0);
    effect->http.op = fetch->op;
    fetch_free(fetch);
}

static uint32_t stream_missing(const struct want *want, const struct stream *stream)
{
    const struct metainfo *meta = want->swarm->meta;
    uint32_t first = meta->files[want->file].first_piece;

    if (stream->ready >= stream->end)
        return UINT32_MAX;
    uint32_t missing =
        want_next_missing(want, first + (uint32_t)(stream->ready / meta->piece_length));
    uint32_t last = first + (uint32_t)((stream->end - 1) / meta->piece_length);
    return missing <= last ? missing : UINT32_MAX;
}

void origin_follow(struct want *want)
{
    bool anybody = false;

    list_for_each(link, next, &want->streams)
    {
        uint32_t missing = stream_missing(want, list_entry(link, struct stream, in_want));
        if (want->fetch == NULL || origin_brings(want, missing))
            return;
        anybody = anybody || missing != UINT32_MAX;
    }
    if (!anybody)
        return;
    origin_cancel(want->fetch);
    origin_consider(want);
}

/* A page asks again: it would go to the site itself now, so we may as well. */
void origin_asked_again(struct want *want)
{
    uint64_t now = want->swarm->node->now_ms;

    if (want->origin_failures > 0 && now >= want->origin_failed_ms + ASKED_AGAIN_MS &&
        origin_changed_until(want->swarm, want->file) == 0)
        want->origin_retry_ms = now;
}

static uint64_t backoff_ms(uint32_t failures)
{
    uint32_t doublings = failures < 6 ? failures - 1 : 5;
    uint64_t delay = (uint64_t)RETRY_MS << doublings;
    return delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS;
}

void origin_failed(struct want *want, uint64_t delay_ms)
{
    struct node *node = want->swarm->node;

    want->origin_failures++;
    want->origin_failed_ms = node->now_ms;
    want->origin_retry_ms = node->now_ms + delay_ms;
    node->counts.origin_failures++;
    node_wake(node, want->origin_retry_ms);
    supernode_want_failed(want);
    want_check_failed(want);
}

void origin_bad_bytes(struct want *want)
{
    if (want->fetch != NULL)
        origin_cancel(want->fetch);
    origin_has_changed(want, "its bytes have another hash");
}

/* --- an answer */

static bool is_there(const struct swarm *swarm, uint32_t number)
{
    return bitfield_get(&swarm->have, number) || bitfield_get(&swarm->storing, number);
}

/* The server ignores Range and sends the whole file. What passes by is taken as well: to ask for
 * the rest, extent by extent, would be to get the beginning as often. */
static void take_whole(struct origin_fetch *fetch)
{
    const struct want *want = fetch->want;
    const struct metainfo_file *file = &want->swarm->meta->files[want->file];

    fetch->whole = true;
    fetch->piece = file->first_piece;
    if (crowd_is(want->swarm))
        return;
    fetch->claimed = false;
    fetch->end = file->first_piece + file->pieces;
}

void origin_head(struct origin_fetch *fetch, const struct event *event)
{
    struct want *want = fetch->want;
    health_heard(want->swarm->site, event->http.date_s);
    uint64_t length = want->swarm->meta->files[want->file].length;
    uint64_t from = piece_start(want, fetch->piece);
    bool another = event->http.status == 200
                       ? event->http.has_length && event->http.length != length
                       : event->http.total != UINT64_MAX && event->http.total != length;

    if (event->http.status != 200 && event->http.status != 206)
        return; /* origin_done judges the status; a body of it is dropped */
    fetch->headed = true;
    if (event->http.status == 200 && from > 0)
        take_whole(fetch);
    if (event->http.status == 206 && (!event->http.has_range || event->http.first != from)) {
        origin_cancel(fetch);
        origin_malformed(want, "answers another range than was asked");
    } else if (another) {
        origin_cancel(fetch);
        origin_has_changed(want, "it has another length");
    }
}

static void deliver(struct swarm *swarm, uint32_t number, uint8_t *data)
{
    struct piece *piece = swarm_find_piece(swarm, number);

    if (is_there(swarm, number)) {
        mem_free(data); /* peers were quicker */
        swarm->site->wasted += metainfo_piece_bytes(swarm->meta, number);
        return;
    }
    if (piece != NULL)
        swarm_cancel_piece(swarm, piece);
    swarm_store_piece(swarm, swarm_add_piece(swarm, number), data, SOURCE_ORIGIN);
}

/* Takes some bytes of the piece at hand; returns how many. */
static size_t take(struct origin_fetch *fetch, struct span data)
{
    struct swarm *swarm = fetch->want->swarm;
    uint32_t length = metainfo_piece_bytes(swarm->meta, fetch->piece);
    size_t room = length - fetch->fill;
    size_t taken = data.length < room ? data.length : room;

    if (fetch->data == NULL)
        fetch->data = mem_alloc(length);
    memcpy(fetch->data + fetch->fill, data.data, taken);
    fetch->fill += (uint32_t)taken;
    if (fetch->fill == length) {
        deliver(swarm, fetch->piece++, fetch->data);
        fetch->data = NULL;
        fetch->fill = 0;
    }
    return taken;
}

/* Of a whole file: pieces that are there are not looked at. Returns how many bytes were. */
static size_t pass_over(struct origin_fetch *fetch, size_t length)
{
    struct swarm *swarm = fetch->want->swarm;

    while (fetch->whole && fetch->fill == 0 && fetch->skip == 0 && fetch->piece < fetch->end &&
           is_there(swarm, fetch->piece))
        fetch->skip = metainfo_piece_bytes(swarm->meta, fetch->piece++);
    size_t skipped = length < fetch->skip ? length : (size_t)fetch->skip;
    fetch->skip -= skipped;
    swarm->site->wasted += skipped;
    return skipped;
}

void origin_body(struct origin_fetch *fetch, const struct event *event)
{
    struct span data = event->http.data;

    if (!fetch->headed)
        return;
    fetch->body_ms = fetch->want->swarm->node->now_ms;
    fetch->got += data.length;
    while (data.length > 0 && fetch->piece < fetch->end) {
        size_t taken = pass_over(fetch, data.length);
        if (taken == 0)
            taken = take(fetch, data);
        data = span_of(data.data + taken, data.length - taken);
    }
    /* More than we need of a server that ignored our Range, or peers have what comes next. */
    struct want *want = fetch->want;
    bool surplus = fetch->piece == fetch->end && data.length > 0;
    bool there = fetch->fill == 0 && fetch->piece < fetch->end && !fetch->whole &&
                 bitfield_get(&want->swarm->have, fetch->piece);
    if (!surplus && !there)
        return;
    struct site *site = want->swarm->site;
    origin_cancel(fetch);
    origin_consider(want);
    origin_consider_site(site);
}

static void judge_failure(struct want *want, const struct event *event)
{
    struct site *site = want->swarm->site;
    int status = event->http.status;
    uint64_t delay = backoff_ms(want->origin_failures + 1);

    if (event->http.result == ERR_TIMEOUT) {
        origin_hung(want);
        return;
    }
    if (event->http.result == ERR_UNSUPPORTED) {
        origin_malformed(want, "sends another encoding than it was asked for");
        return;
    }
    if (event->http.result == ERR_TOO_LARGE) {
        origin_has_changed(want, "it is longer");
        return;
    }
    if (event->http.result == ERR_OK && (status == 503 || status == 429)) {
        if (event->http.retry_after_s > 0)
            delay = event->http.retry_after_s * UINT64_C(1000);
        site->origin_not_before_ms = latest(site->origin_not_before_ms, site->node->now_ms + delay);
    } else if (event->http.result == ERR_OK) {
        delay = RETRY_MAX_MS; /* 404 and its like will not heal in a second */
        node_log_once(site->node, span_text(want->swarm->meta->files[want->file].path),
                      "%s%s%s: the site answers %d for a file of its release", site->name,
                      want->swarm->base, want->swarm->meta->files[want->file].path, status);
    }
    origin_failed(want, delay);
}

/* The others first. */
static void go_last(struct want *want)
{
    struct swarm *swarm = want->swarm;

    list_remove(&want->in_swarm);
    list_push_back(&swarm->wants, &want->in_swarm);
    list_remove(&swarm->in_site);
    list_push_back(&swarm->site->swarms, &swarm->in_site);
}

void origin_done(struct origin_fetch *fetch, const struct event *event)
{
    struct want *want = fetch->want;
    struct site *site = want->swarm->site;
    health_tried(site, event->http.result);
    bool complete = fetch->piece == fetch->end; /* whatever else would have come */

    fetch_free(fetch);
    if (complete && fair_use_download_rate(site->node) > 0)
        go_last(want);
    else if (complete)
        origin_consider(want);
    else
        judge_failure(want, event);
    origin_consider_site(site);
}
