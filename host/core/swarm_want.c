/* Wanted files: what a page waits for, how far it has come, and when to give it up. */
#include "core/asker.h"
#include "core/crowd.h"
#include "core/delta.h"
#include "core/swarm.h"

#include "base/mem.h"

#include <string.h>

#define IDLE_MS       30000 /* a file that no stream reads any more is finished no longer */
#define FAIL_AFTER_MS 5000  /* no progress, and the origin has failed */
#define DOCS_MAX      64

/* --- life */

static uint32_t end_piece(const struct want *want)
{
    const struct metainfo_file *file = &want->swarm->meta->files[want->file];
    return file->first_piece + file->pieces;
}

static void move_head(struct want *want)
{
    uint32_t end = end_piece(want);
    uint32_t missing = bitfield_next_zero(&want->swarm->have, want->head, end);

    missing = missing == BITFIELD_NONE ? end : missing;
    if (missing != want->head)
        want->moved_ms = want->swarm->node->now_ms;
    want->head = missing;
}

static struct want *want_new(struct swarm *swarm, uint32_t file)
{
    struct want *want = mem_zalloc(sizeof *want);

    want->swarm = swarm;
    want->file = file;
    want->head = swarm->meta->files[file].first_piece;
    want->created_ms = want->moved_ms = want->used_ms = swarm->node->now_ms;
    if (list_empty(&swarm->wants))
        swarm->wanted = 0;
    want->before = swarm->wanted;
    swarm->wanted += swarm->meta->files[file].pieces;
    want->origin_retry_ms = origin_changed_until(swarm, file);
    want->origin_failures = want->origin_retry_ms > 0;
    list_init(&want->streams);
    list_init(&want->askers);
    list_push_back(&swarm->wants, &want->in_swarm);
    HASH_ADD(hh, swarm->wanted_files, file, sizeof want->file, want);
    crowd_wants_changed(swarm);
    move_head(want);
    swarm_expect(swarm, file);
    return want;
}

static void want_begin(struct want *want)
{
    struct swarm *swarm = want->swarm;

    if (delta_consider(want)) {
        list_remove(&want->in_swarm);
        list_push_back(&swarm->held, &want->in_swarm);
        crowd_wants_changed(swarm);
        return;
    }
    swarm_find_peers(swarm);
    swarm_fill_peers(swarm);
    origin_consider(want);
}

/* A page asks for what was coming in the background. */
static void come_forward(struct want *want)
{
    want->background = false;
    if (want->origin_failures == 0)
        want->origin_retry_ms = 0;
    want->created_ms = want->moved_ms = want->swarm->node->now_ms;
    if (want->delta == NULL)
        origin_consider(want);
}

struct want *want_get(struct swarm *swarm, uint32_t file)
{
    struct want *want = swarm_find_want(swarm, file);

    swarm->used_ms = swarm->node->now_ms;
    if (want == NULL) {
        want = want_new(swarm, file);
        want_begin(want);
        return want;
    }
    want->used_ms = swarm->node->now_ms;
    if (want->background)
        come_forward(want);
    return want;
}

struct want *want_get_background(struct swarm *swarm, uint32_t file)
{
    struct want *want = swarm_find_want(swarm, file);
    uint64_t now = swarm->node->now_ms, from = now + site_patience_ms(swarm->site);

    swarm->used_ms = now;
    if (want != NULL) {
        want->used_ms = now;
        return want;
    }
    want = want_new(swarm, file);
    want->background = true;
    want->origin_retry_ms = from > want->origin_retry_ms ? from : want->origin_retry_ms;
    want_begin(want);
    return want;
}

void want_go_on(struct want *want)
{
    struct swarm *swarm = want->swarm;

    list_remove(&want->in_swarm);
    list_push_back(&swarm->wants, &want->in_swarm);
    crowd_wants_changed(swarm);
    want->head = swarm->meta->files[want->file].first_piece; /* some may have gone meanwhile */
    move_head(want);
    want->moved_ms = swarm->node->now_ms;
    swarm_find_peers(swarm);
    swarm_fill_peers(swarm);
    origin_consider(want);
}

void want_free(struct want *want)
{
    list_for_each(link, next, &want->streams)
    {
        struct stream *stream = list_entry(link, struct stream, in_want);
        list_remove(&stream->in_want);
        stream->want = NULL;
    }
    askers_leave(want);
    if (want->fetch != NULL)
        origin_cancel(want->fetch);
    delta_free(want->delta);
    list_remove(&want->in_swarm);
    HASH_DELETE(hh, want->swarm->wanted_files, want);
    crowd_wants_changed(want->swarm);
    mem_free(want->docs);
    mem_free(want);
}

void swarm_consider_origin(struct swarm *swarm)
{
    list_for_each(link, next, &swarm->wants)
        origin_consider(list_entry(link, struct want, in_swarm));
}

/* --- documents that count its bytes */

void want_add_doc(struct want *want, uint64_t serial)
{
    if (want->doc_count >= DOCS_MAX)
        return;
    want->docs = mem_realloc(want->docs, (want->doc_count + 1) * sizeof *want->docs);
    want->docs[want->doc_count++] = serial;
    delta_add_doc(want, serial);
}

static void count(struct want *want, uint32_t length, enum source source, bool twin)
{
    struct swarm *swarm = want->swarm;

    for (size_t i = 0; i < want->doc_count; i++) {
        struct doc *doc = doc_by_serial(swarm->node, want->docs[i]);
        if (doc != NULL)
            doc->bytes[source] += length;
    }
    /* A twin's bytes came with the first one's: from the cache, as far as the site can tell. A page
     * counts equal files as one, whichever of them brought the bytes. */
    swarm->site->bytes[twin ? SOURCE_CACHE : source] += length;
    swarm->node->fair.month_changed = true; /* it is saved with what is given */
}

/* --- progress */

uint32_t want_next_missing(const struct want *want, uint32_t from)
{
    const struct swarm *swarm = want->swarm;
    uint32_t end = end_piece(want);

    do {
        from = bitfield_next_zero(&swarm->have, from, end);
        if (from == BITFIELD_NONE || !bitfield_get(&swarm->storing, from))
            return from;
        from = bitfield_next_zero(&swarm->storing, from, end);
    } while (from != BITFIELD_NONE);
    return BITFIELD_NONE;
}

static void advance_streams(struct want *want)
{
    list_for_each(link, next, &want->streams)
        stream_advance(list_entry(link, struct stream, in_want));
}

void want_piece_stored(struct want *want, uint32_t piece, uint32_t length, enum source source,
                       bool twin)
{
    count(want, length, source, twin);
    if (source == SOURCE_ORIGIN)
        origin_gave(want);
    move_head(want);
    advance_streams(want);
    node_wake(want->swarm->node, swarm_hurry(want));
    if (want->head == end_piece(want)) {
        struct site *site = want->swarm->site;
        bool had_fetch = want->fetch != NULL;
        delta_look_again(want->swarm);
        askers_answer(want);
        want_free(want);
        if (had_fetch)
            origin_consider_site(site);
        return;
    }
    if (piece + 1 == want->head && want->fetch == NULL)
        origin_consider(want);
}

/* --- failure */

static bool somebody_has(const struct want *want, uint32_t piece)
{
    const struct swarm *swarm = want->swarm;
    return swarm->availability != NULL && swarm->availability[piece] > 0;
}

static void fail_streams(struct want *want)
{
    list_for_each(link, next, &want->streams)
        stream_fail(list_entry(link, struct stream, in_want), 503);
    askers_leave(want); /* they hear of it where they hear of all failures, from the gateway */
}

void want_check_failed(struct want *want)
{
    uint64_t now = want->swarm->node->now_ms;

    if (want->delta != NULL || want->fetch != NULL || !origin_is_hopeless(want))
        return;
    uint32_t missing = want_next_missing(want, want->head);
    if (missing == UINT32_MAX)
        return;
    bool hope = somebody_has(want, missing) || crowd_is_claimed(want->swarm, missing);
    if (hope && now < want->moved_ms + FAIL_AFTER_MS) {
        node_wake(want->swarm->node, want->moved_ms + FAIL_AFTER_MS);
        return;
    }
    fail_streams(want);
}

/* A browser reads six files of a page at a time: those behind them wait as long as it reads. */
static uint64_t idle_ms(const struct want *want)
{
    uint64_t used = want->used_ms, streamed = want->swarm->streamed_ms;
    return (used > streamed ? used : streamed) + IDLE_MS;
}

/* It wants all of it, whether anybody reads it now or not. */
static bool is_supernodes(const struct want *want)
{
    return want->swarm->node->config.supernode;
}

uint64_t want_tick(struct want *want)
{
    uint64_t now = want->swarm->node->now_ms;

    askers_tick(want);
    if (list_empty(&want->streams) && now >= idle_ms(want) && !is_supernodes(want)) {
        want_free(want);
        return UINT64_MAX;
    }
    if (!site_may_use_peers(want->swarm->site)) { /* the release has expired meanwhile */
        fail_streams(want);
        want_free(want);
        return UINT64_MAX;
    }
    if (want->delta != NULL)
        return delta_tick(want);
    origin_watch(want);
    origin_consider(want);
    want_check_failed(want);
    if (list_empty(&want->streams))
        return is_supernodes(want) ? UINT64_MAX : idle_ms(want);
    return swarm_hurry(want);
}
