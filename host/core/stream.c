/* The gateway's requests: a stream follows one file's verified front and tells the gateway how
 * far it may send. The head waits for the first verified piece, so that a file which nobody can
 * give is an honest 503 and not a broken 200. */
#include "base/mem.h"
#include "core/asset.h"
#include "wire/http_range.h"

#include <string.h>

static void stream_free(struct stream *stream)
{
    list_remove(&stream->in_want);
    HASH_DEL(stream->node->streams, stream);
    mem_free(stream->content_type);
    mem_free(stream);
}

void stream_fail(struct stream *stream, int status)
{
    struct effect *effect = update_add(stream->node->update, EFFECT_STREAM_FAIL, 0);
    effect->stream.stream = stream->number;
    effect->stream.status = status;
    stream_free(stream);
}

void stream_closed(struct node *node, uint64_t number)
{
    struct stream *stream;

    HASH_FIND(hh, node->streams, &number, sizeof number, stream);
    if (stream == NULL)
        return;
    struct want *want = stream->want;
    stream_free(stream);
    if (want == NULL)
        return;
    want->used_ms = node->now_ms;
    node_wake(node, node->now_ms + 1);
    origin_follow(want);
}

static void send_head(struct stream *stream)
{
    struct effect *effect =
        update_add(stream->node->update, EFFECT_STREAM_HEAD, LIMIT_MEDIA_TYPE + 1);

    buf_put(&effect->text, stream->content_type, strlen(stream->content_type) + 1);
    effect->stream.stream = stream->number;
    effect->stream.status = stream->status;
    effect->stream.first = stream->first;
    effect->stream.end = stream->end;
    effect->stream.length = stream->length;
    effect->stream.file = update_file(&stream->swarm->meta->files[stream->file]);
    effect->stream.site = stream->swarm->site->name;
    effect->stream.piece_length = stream->swarm->meta->piece_length;
    stream->head_sent = true;
}

/* How far the file is verified from `from` on, at most to the body's end. */
static uint64_t verified_to(const struct stream *stream, uint64_t from)
{
    const struct metainfo *meta = stream->swarm->meta;
    const struct metainfo_file *file = &meta->files[stream->file];
    uint32_t piece = file->first_piece + (uint32_t)(from / meta->piece_length);
    uint32_t missing =
        bitfield_next_zero(&stream->swarm->have, piece, file->first_piece + file->pieces);

    if (missing == BITFIELD_NONE)
        return stream->end;
    uint64_t upto = (uint64_t)(missing - file->first_piece) * meta->piece_length;
    if (upto < from)
        upto = from;
    return upto < stream->end ? upto : stream->end;
}

void stream_advance(struct stream *stream)
{
    uint64_t upto = verified_to(stream, stream->ready);

    if (upto == stream->ready)
        return;
    stream->ready = upto;
    stream->waits_ms = stream->swarm->streamed_ms = stream->node->now_ms;
    if (!stream->head_sent)
        send_head(stream);
    struct effect *effect = update_add(stream->node->update, EFFECT_STREAM_READY, 0);
    effect->stream.stream = stream->number;
    effect->stream.upto = upto;
}

static void refuse(struct node *node, uint64_t number, int status)
{
    struct effect *effect = update_add(node->update, EFFECT_STREAM_FAIL, 0);
    effect->stream.stream = number;
    effect->stream.status = status;
}

static void set_range(struct stream *stream, const char *range)
{
    uint64_t first = 0, last = 0;

    stream->status = 200;
    stream->end = stream->length;
    switch (http_range_parse(range, stream->length, &first, &last)) {
    case HTTP_RANGE_WHOLE:
        break;
    case HTTP_RANGE_PART:
        stream->status = 206;
        stream->first = first;
        stream->end = last + 1;
        break;
    case HTTP_RANGE_UNSATISFIABLE:
        stream->status = 416;
        stream->end = 0;
        break;
    }
    stream->ready = stream->first;
}

static struct stream *stream_new(struct node *node, const struct event *event,
                                 const struct asset *asset)
{
    struct stream *stream = mem_zalloc(sizeof *stream);

    stream->node = node;
    stream->number = event->stream.stream;
    stream->head_only = event->stream.head_only;
    stream->waits_ms = node->now_ms;
    stream->swarm = asset->swarm;
    stream->file = asset->file;
    stream->length = asset->swarm->meta->files[asset->file].length;
    stream->content_type = mem_strdup(asset_content_type(asset));
    list_init(&stream->in_want);
    set_range(stream, event->stream.range);
    HASH_ADD(hh, node->streams, number, sizeof stream->number, stream);
    return stream;
}

static void begin(struct stream *stream)
{
    /* Nothing to wait for: only a head, or no bytes at all. */
    if (stream->head_only || stream->end == stream->first) {
        send_head(stream);
        return;
    }
    stream_advance(stream);
    if (stream->ready == stream->end)
        return;
    stream->want = want_get(stream->swarm, stream->file);
    list_push_back(&stream->want->streams, &stream->in_want);
    origin_follow(stream->want);
    origin_asked_again(stream->want);
    origin_consider(stream->want);
    want_check_failed(stream->want);
}

void stream_open(struct node *node, const struct event *event)
{
    uint64_t number = event->stream.stream;
    struct site *site = site_by_token(node, event->stream.token);

    if (site == NULL) {
        refuse(node, number, 403);
        return;
    }
    if (site_zone(site) == ZONE_OFF) {
        refuse(node, number, 503);
        return;
    }
    struct asset asset = asset_resolve(site, event->stream.seq, event->stream.path);
    if (asset.swarm == NULL) {
        refuse(node, number, asset.reason != NULL ? 404 : 503);
        return;
    }
    begin(stream_new(node, event, &asset));
}
