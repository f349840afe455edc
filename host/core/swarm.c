#include "core/swarm.h"
#include "core/blame.h"

#include "base/mem.h"
#include "core/crowd.h"
#include "core/getting.h"
#include "core/peer.h"
#include "core/supernode.h"

#include <string.h>

/* --- birth and death */

struct swarm *swarm_new(struct site *site, const struct release_bundle *bundle)
{
    struct node *node = site->node;
    struct swarm *swarm = mem_zalloc(sizeof *swarm);

    swarm->node = node;
    swarm->site = site;
    swarm->base = mem_strdup(bundle->base);
    memcpy(swarm->infohash, bundle->infohash, HASH_LENGTH);
    list_init(&swarm->wants);
    list_init(&swarm->held);
    list_init(&swarm->peers);
    list_init(&swarm->inquiries);
    list_init(&swarm->cases);
    list_init(&swarm->cold);
    list_push_back(&site->swarms, &swarm->in_site);
    /* BEP 20; fresh for every swarm and run, so that a visitor cannot be followed. */
    memcpy(swarm->peer_id, "-FR0100-", 8);
    rng_bytes(&node->rng, swarm->peer_id + 8, PEER_ID_LENGTH - 8);
    swarm->used_ms = node->now_ms;
    swarm->told_idle = true; /* nobody has heard anything else */

    swarm->load_op = node_op_begin(node, OP_TORRENT, swarm);
    struct effect *effect = update_add(node->update, EFFECT_LOAD_TORRENT, 0);
    effect->store.op = swarm->load_op;
    memcpy(effect->store.infohash, swarm->infohash, HASH_LENGTH);
    return swarm;
}

static void close_all_peers(struct swarm *swarm)
{
    struct peer *peer, *next;

    HASH_ITER(hh, swarm->node->peers, peer, next)
    if (peer->swarm == swarm)
        peer_close(peer, false);
}

static void drop_list(struct list *wants)
{
    list_for_each(link, next, wants)
    {
        struct want *want = list_entry(link, struct want, in_swarm);
        list_for_each(stream_link, next_stream, &want->streams)
            stream_fail(list_entry(stream_link, struct stream, in_want), 503);
        want_free(want);
    }
}

static void drop_wants(struct swarm *swarm)
{
    drop_list(&swarm->wants);
    drop_list(&swarm->held);
}

static void drop_pieces(struct swarm *swarm)
{
    struct piece *piece, *next;

    HASH_ITER(hh, swarm->pieces, piece, next)
    swarm_drop_piece(swarm, piece);
}

/* Streams of complete files hold no want, but they know their swarm. */
static void fail_streams(struct swarm *swarm)
{
    struct stream *stream, *next;

    HASH_ITER(hh, swarm->node->streams, stream, next)
    if (stream->swarm == swarm)
        stream_fail(stream, 503);
}

void swarm_free(struct swarm *swarm)
{
    drop_wants(swarm);
    fail_streams(swarm);
    close_all_peers(swarm);
    blame_done(swarm);
    getting_stop(swarm);
    drop_pieces(swarm);
    swarm_announce_stopped(swarm);
    download_cancel(swarm->node, &swarm->get_torrent);
    download_done(&swarm->get_torrent);
    node_op_end(swarm->node, swarm->load_op);
    node_op_end(swarm->node, swarm->info_op);
    buf_done(&swarm->info);
    swarm_free_candidates(swarm);
    crowd_done(swarm);
    origin_trust_done(swarm);
    bitfield_done(&swarm->have);
    bitfield_done(&swarm->storing);
    bitfield_done(&swarm->taken);
    bitfield_done(&swarm->doubted);
    bitfield_done(&swarm->bad_patches);
    metainfo_free(swarm->meta);
    mem_free(swarm->twins);
    mem_free(swarm->availability);
    mem_free(swarm->given);
    mem_free(swarm->outdated);
    mem_free(swarm->suggested);
    mem_free(swarm->no_room);
    mem_free(swarm->base);
    list_remove(&swarm->in_site);
    mem_free(swarm);
}

/* --- what is there */

bool swarm_complete(const struct swarm *swarm)
{
    return swarm->state == SWARM_READY && bitfield_full(&swarm->have);
}

bool swarm_is_idle(const struct swarm *swarm)
{
    return list_empty(&swarm->wants) && swarm->node->now_ms >= swarm->idle_ms + SWARM_IDLE_MS;
}

bool swarm_has_file(const struct swarm *swarm, uint32_t file)
{
    const struct metainfo_file *info = &swarm->meta->files[file];
    return bitfield_next_zero(&swarm->have, info->first_piece, info->first_piece + info->pieces) ==
           BITFIELD_NONE;
}

bool swarm_is_head(const struct swarm *swarm, uint32_t piece)
{
    uint32_t number = metainfo_file_of_piece(swarm->meta, piece);
    const struct metainfo_file *file = &swarm->meta->files[number];

    return piece - file->first_piece < swarm_head_pieces(file->pieces);
}

/* --- pieces on their way */

struct piece *swarm_find_piece(struct swarm *swarm, uint32_t number)
{
    struct piece *piece;

    HASH_FIND(hh, swarm->pieces, &number, sizeof number, piece);
    return piece;
}

struct piece *swarm_add_piece(struct swarm *swarm, uint32_t number)
{
    struct piece *piece = mem_zalloc(sizeof *piece);

    piece->swarm = swarm;
    piece->number = number;
    piece->length = metainfo_piece_bytes(swarm->meta, number);
    piece->block_count = merkle_blocks(piece->length);
    piece->blocks = mem_calloc(piece->block_count, sizeof *piece->blocks);
    piece->started_ms = piece->moved_ms = swarm->node->now_ms;
    HASH_ADD(hh, swarm->pieces, number, sizeof piece->number, piece);
    bitfield_set(&swarm->taken, number);
    return piece;
}

void swarm_drop_piece(struct swarm *swarm, struct piece *piece)
{
    struct peer *peer;

    list_for_each(link, next, &swarm->peers)
    {
        peer = list_entry(link, struct peer, in_swarm);
        if (peer->piece == piece)
            peer->piece = NULL;
    }
    for (uint32_t i = 0; i < piece->block_count && !piece->storing; i++)
        swarm->loose -= !piece->blocks[i].received && piece->blocks[i].requests == 0;
    node_op_end(swarm->node, piece->op);
    bitfield_unset(&swarm->storing, piece->number);
    if (piece->storing)
        swarm->node->storing_bytes -= piece->length;
    else
        swarm->site->wasted += (uint64_t)piece->received * BLOCK_LENGTH;
    HASH_DEL(swarm->pieces, piece);
    if (!bitfield_get(&swarm->have, piece->number))
        bitfield_unset(&swarm->taken, piece->number);
    mem_free(piece->data);
    mem_free(piece->blocks);
    mem_free(piece);
}

struct effect *swarm_piece_effect(struct swarm *swarm, enum effect_kind kind, uint32_t number,
                                  uint64_t op)
{
    const struct metainfo *meta = swarm->meta;
    uint32_t file = metainfo_file_of_piece(meta, number);
    struct effect *effect = update_add(swarm->node->update, kind, 0);

    effect->store.op = op;
    effect->store.site = swarm->site->name;
    effect->store.file = update_file(&meta->files[file]);
    effect->store.piece_length = meta->piece_length;
    effect->store.piece = swarm_piece_offset(swarm, file, number);
    effect->store.length = metainfo_piece_bytes(meta, number);
    memcpy(effect->store.expected, metainfo_piece_hash(meta, number), HASH_LENGTH);
    return effect;
}

void swarm_store_piece(struct swarm *swarm, struct piece *piece, uint8_t *data, enum source source)
{
    piece->storing = true;
    bitfield_set(&swarm->storing, piece->number);
    swarm->node->storing_bytes += piece->length;
    piece->source = source;
    piece->op = node_op_begin(swarm->node, OP_PIECE, piece);
    swarm_piece_effect(swarm, EFFECT_STORE_PIECE, piece->number, piece->op)->store.data = data;
}

struct want *swarm_find_want(struct swarm *swarm, uint32_t file)
{
    struct want *want;

    HASH_FIND(hh, swarm->wanted_files, &file, sizeof file, want);
    return want;
}

/* The piece is there: everyone who could care is told. */
static void piece_arrived(struct swarm *swarm, uint32_t file, uint32_t number, enum source source,
                          bool twin)
{
    uint32_t length = metainfo_piece_bytes(swarm->meta, number);

    if (!bitfield_set(&swarm->have, number))
        return;
    bitfield_set(&swarm->taken, number);
    struct piece *coming = swarm_find_piece(swarm, number); /* its twin was quicker */
    if (coming != NULL && !coming->storing)
        swarm_cancel_piece(swarm, coming);
    swarm->piece_at_ms = swarm->node->now_ms;
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        peer_have(peer, number);
        peer_check_redundant(peer);
    }
    struct want *want = swarm_find_want(swarm, file);
    if (want != NULL)
        want_piece_stored(want, number, length, source, twin);
    supernode_piece_arrived(swarm, number);
}

void swarm_piece_arrived(struct swarm *swarm, uint32_t number, enum source source)
{
    uint32_t file = metainfo_file_of_piece(swarm->meta, number);
    uint32_t offset = swarm_piece_offset(swarm, file, number);
    uint32_t twin = file;

    do {
        uint32_t there = swarm->meta->files[twin].first_piece + offset;
        piece_arrived(swarm, twin, there, source, twin != file);
        twin = swarm->twins != NULL ? swarm->twins[twin] : file;
    } while (twin != file);
}

static void adopt_from(struct swarm *swarm, uint32_t file, const struct swarm *other)
{
    const struct metainfo_file *mine = &swarm->meta->files[file];

    if (other == swarm || other->state != SWARM_READY ||
        other->meta->piece_length != swarm->meta->piece_length)
        return;
    uint32_t number = metainfo_find_path(other->meta, mine->path, strlen(mine->path));
    if (number == UINT32_MAX)
        return;
    const struct metainfo_file *theirs = &other->meta->files[number];
    if (theirs->length != mine->length || memcmp(theirs->root, mine->root, HASH_LENGTH) != 0)
        return;
    for (uint32_t i = 0; i < mine->pieces; i++)
        if (bitfield_get(&other->have, theirs->first_piece + i))
            swarm_piece_arrived(swarm, mine->first_piece + i, SOURCE_CACHE);
}

void swarm_adopt_file(struct swarm *swarm, uint32_t file)
{
    list_for_each(link, next, &swarm->site->swarms)
        adopt_from(swarm, file, list_entry(link, struct swarm, in_site));
}

/* The disk refuses: the page must not suffer, so its files go to the origin by themselves. */
static void store_failed(struct swarm *swarm, enum err result)
{
    swarm->node->counts.store_errors++;
    health_store(swarm->node, result);
    node_log_once(swarm->node, span_text(err_name(result)),
                  "cannot write to the cache: %s; files go to the site itself meanwhile",
                  err_text(result));
}

void swarm_cannot_store(struct swarm *swarm, uint32_t number, enum err result)
{
    uint32_t file = metainfo_file_of_piece(swarm->meta, number);
    struct want *want = swarm_find_want(swarm, file);

    if (result == ERR_QUOTA)
        swarm_no_room(swarm, file);
    else
        store_failed(swarm, result);
    if (want == NULL)
        return;
    list_for_each(link, next, &want->streams)
        stream_fail(list_entry(link, struct stream, in_want), 503);
    want_free(want);
}

void swarm_piece_stored(struct piece *piece, const struct event *event)
{
    struct swarm *swarm = piece->swarm;
    uint32_t number = piece->number;
    enum source source = piece->source;
    enum err result = event->store.result;

    piece->op = 0;
    swarm->node->counts.bad_pieces += result == ERR_BAD_HASH;
    bool kept = result == ERR_BAD_HASH && source != SOURCE_ORIGIN && blame_begin(piece, event);
    if (result == ERR_BAD_HASH && !kept)
        swarm->site->wasted += piece->length;
    if (result == ERR_OK)
        transfer_tell_piece(piece);
    if (!kept)
        swarm_drop_piece(swarm, piece);
    if (result == ERR_OK) {
        health_store(swarm->node, ERR_OK);
        blame_cases_piece_stored(swarm, number);
        swarm_piece_arrived(swarm, number, source);
    } else if (result != ERR_BAD_HASH) {
        swarm_cannot_store(swarm, number, result);
    } else if (source == SOURCE_ORIGIN) {
        struct want *want = swarm_find_want(swarm, metainfo_file_of_piece(swarm->meta, number));
        if (want != NULL)
            origin_bad_bytes(want);
    }
    supernode_fill(swarm);
    swarm_fill_peers(swarm);
}

/* --- zones and time */

void swarm_zone_changed(struct swarm *swarm)
{
    if (!site_may_use_peers(swarm->site)) {
        drop_wants(swarm);
        close_all_peers(swarm);
        swarm_announce_stopped(swarm);
        getting_stop(swarm);
        if (swarm->get_torrent.op != 0) {
            download_cancel(swarm->node, &swarm->get_torrent);
            swarm_switched_off(swarm);
        }
        return;
    }
    list_for_each(link, next, &swarm->peers)
        peer_update_choke(list_entry(link, struct peer, in_swarm));
    swarm_find_peers(swarm);
}

static void consider_origin(struct swarm *swarm)
{
    list_for_each(link, next, &swarm->wants)
        origin_consider(list_entry(link, struct want, in_swarm));
}

void swarm_fair_use_changed(struct swarm *swarm)
{
    if (swarm->state != SWARM_READY || !site_may_use_peers(swarm->site))
        return;
    if (swarm->node->fair.paused) {
        close_all_peers(swarm);
        swarm_announce_stopped(swarm);
        consider_origin(swarm);
        return;
    }
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (peer->extended)
            peer_send_extended(peer);
    }
    swarm_announce_again(swarm);
    swarm_zone_changed(swarm);
}

uint64_t swarm_tick(struct swarm *swarm)
{
    uint64_t wake = UINT64_MAX;

    if (swarm->state != SWARM_READY)
        return swarm_loading_tick(swarm);
    list_for_each(link, next, &swarm->wants)
    {
        uint64_t at = want_tick(list_entry(link, struct want, in_swarm));
        wake = at < wake ? at : wake;
    }
    list_for_each(link, next, &swarm->held)
    {
        uint64_t at = want_tick(list_entry(link, struct want, in_swarm));
        wake = at < wake ? at : wake;
    }
    uint64_t at = swarm_peers_tick(swarm), renew = crowd_tick(swarm);
    at = renew < at ? renew : at;
    uint64_t info = peer_info_tick(swarm), blame = blame_tick(swarm);
    at = info < at ? info : at;
    at = blame < at ? blame : at;
    uint64_t fill = supernode_fill(swarm);
    at = fill < at ? fill : at;
    return at < wake ? at : wake;
}
