#include "core/getting.h"

#include "base/mem.h"
#include "core/peer_impl.h"
#include "core/strikes.h"
#include "wire/bencode.h"

#include <stdlib.h>
#include <string.h>

#define INFO_ASKED 8     /* pieces of info under way, from one peer: a wrong one has one culprit */
#define ASKED_MAX  4     /* requests for hashes under way with one peer */
#define ANSWER_MS  3000  /* then another peer is asked */
#define DRIP_MS    10000 /* for all of info, and at this rate */
#define DRIP_RATE  KIB(32)
#define CHUNK      512 /* hashes in a request (BEP 52 wants no more) */

/* A run of hashes of one file's piece layer. */
struct chunk {
    uint32_t file, index, count;
    uint8_t *place; /* in layers */
    uint64_t conn, asked_ms;
    bool done;
};

struct getting {
    struct swarm *swarm;
    /* first the info dictionary */
    uint64_t conn; /* whom we ask; 0: nobody */
    uint64_t moved_ms, begun_ms;
    uint32_t total, asked;
    struct buf info;
    /* then the layers */
    struct metainfo *bare; /* NULL: info is not there yet */
    uint32_t *order;       /* files that have a layer, by root, each root once */
    uint32_t order_count;
    uint8_t *layers;
    struct chunk *chunks;
    uint32_t chunk_count, left, first_open;
};

/* --- birth and death */

void getting_start(struct swarm *swarm)
{
    if (swarm->getting != NULL || swarm->meta != NULL)
        return;
    swarm->getting = mem_zalloc(sizeof *swarm->getting);
    swarm->getting->swarm = swarm;
    buf_init(&swarm->getting->info, LIMIT_METADATA);
    swarm_find_peers(swarm);
}

void getting_stop(struct swarm *swarm)
{
    struct getting *getting = swarm->getting;

    if (getting == NULL)
        return;
    swarm->getting = NULL;
    buf_done(&getting->info);
    metainfo_free(getting->bare);
    mem_free(getting->order);
    mem_free(getting->layers);
    mem_free(getting->chunks);
    mem_free(getting);
}

static void ask_layers(struct getting *getting);

/* --- the info dictionary */

static struct peer *choose_source(const struct getting *getting)
{
    list_for_each(link, next, &getting->swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (peer->speaks[EXTENSION_UT_METADATA] != 0 && peer->metadata_size > 0 &&
            !peer->gives_no_info)
            return peer;
    }
    return NULL;
}

static void ask_info(struct getting *getting)
{
    struct peer *peer =
        getting->conn != 0 ? node_find_peer(getting->swarm->node, getting->conn) : NULL;
    uint32_t got = (uint32_t)getting->info.length / BLOCK_LENGTH;

    if (peer == NULL) {
        peer = choose_source(getting);
        getting->conn = peer != NULL ? peer->conn : 0;
        if (peer == NULL)
            return;
        buf_clear(&getting->info);
        getting->total = peer->metadata_size;
        getting->asked = got = 0;
        getting->moved_ms = getting->begun_ms = getting->swarm->node->now_ms;
    }
    uint32_t pieces = ut_metadata_pieces(getting->total);
    while (getting->asked < pieces && getting->asked < got + INFO_ASKED)
        peer_ask_info(peer, getting->asked++);
    node_wake(peer->node, getting->moved_ms + ANSWER_MS);
}

/* This peer is of no use for it: the next one is asked, from the beginning. */
static void next_source(struct getting *getting)
{
    struct peer *peer = node_find_peer(getting->swarm->node, getting->conn);

    if (peer != NULL)
        peer->gives_no_info = true;
    getting->conn = 0;
    ask_info(getting);
}

/* --- what is missing besides it */

static void find_layers(struct getting *getting)
{
    struct metainfo_file *files = getting->bare->files;
    uint32_t *order = mem_calloc(getting->bare->file_count, sizeof *order), count = 0, unique = 0;

    for (uint32_t i = 0; i < getting->bare->file_count; i++)
        if (files[i].pieces > 1)
            order[count++] = i;
    qsort_r(order, count, sizeof *order, metainfo_by_root, files);
    for (uint32_t i = 0; i < count; i++)
        if (unique == 0 || metainfo_by_root(&order[unique - 1], &order[i], files) != 0)
            order[unique++] = order[i];
    getting->order = order;
    getting->order_count = unique;
}

static uint32_t chunks_of(const struct metainfo_file *file)
{
    return (file->pieces + CHUNK - 1) / CHUNK;
}

static void make_chunks(struct getting *getting)
{
    const struct metainfo_file *files = getting->bare->files;
    size_t hashes = 0;

    for (uint32_t i = 0; i < getting->order_count; i++) {
        hashes += files[getting->order[i]].pieces;
        getting->chunk_count += chunks_of(&files[getting->order[i]]);
    }
    getting->left = getting->chunk_count;
    getting->layers = mem_calloc(hashes, HASH_LENGTH);
    getting->chunks = mem_calloc(getting->chunk_count, sizeof *getting->chunks);
    struct chunk *chunk = getting->chunks;
    uint8_t *place = getting->layers;
    for (uint32_t i = 0; i < getting->order_count; i++) {
        const struct metainfo_file *file = &files[getting->order[i]];
        for (uint32_t at = 0; at < file->pieces; at += CHUNK, chunk++) {
            uint32_t count = file->pieces - at < CHUNK ? file->pieces - at : CHUNK;
            *chunk = (struct chunk){getting->order[i], at, count, place, 0, 0, false};
            place += (size_t)count * HASH_LENGTH;
        }
    }
}

/* --- all is there */

static void put_layers(const struct getting *getting, struct buf *out)
{
    const uint8_t *layer = getting->layers;

    bencode_put_text(out, "piece layers");
    bencode_put_dict(out);
    for (uint32_t i = 0; i < getting->order_count; i++) {
        const struct metainfo_file *file = &getting->bare->files[getting->order[i]];
        bencode_put_bytes(out, file->root, HASH_LENGTH);
        bencode_put_bytes(out, layer, (size_t)file->pieces * HASH_LENGTH);
        layer += (size_t)file->pieces * HASH_LENGTH;
    }
    bencode_put_end(out);
}

/* As the site would have given it, but for trackers and web seeds: those count from nobody. */
static void finish(struct getting *getting)
{
    struct swarm *swarm = getting->swarm;
    struct buf torrent;

    buf_init(&torrent, LIMIT_TORRENT);
    bencode_put_dict(&torrent);
    bencode_put_text(&torrent, "info");
    buf_put(&torrent, getting->info.data, getting->info.length);
    if (getting->order_count > 0)
        put_layers(getting, &torrent);
    bencode_put_end(&torrent);
    getting_stop(swarm);
    if (torrent.failed)
        swarm_refuse_torrent(swarm, ERR_TOO_LARGE);
    else
        swarm_take_torrent(swarm, &torrent);
    buf_done(&torrent);
}

static void info_complete(struct getting *getting)
{
    struct swarm *swarm = getting->swarm;
    uint8_t hash[HASH_LENGTH];

    sha256(getting->info.data, getting->info.length, hash);
    if (memcmp(hash, swarm->infohash, HASH_LENGTH) != 0) {
        struct peer *liar = node_find_peer(getting->swarm->node, getting->conn);
        getting->conn = 0;
        peer_refuse(liar, STRIKE_BAD_BYTES, "sent metadata that does not have its hash");
        ask_info(getting);
        return;
    }
    getting->conn = 0;
    enum err err = metainfo_parse_info(getting->info.data, getting->info.length, &getting->bare);
    if (err != ERR_OK) {
        swarm_refuse_torrent(swarm, err); /* the publisher's own fault: no peer can mend it */
        getting_stop(swarm);
        return;
    }
    find_layers(getting);
    make_chunks(getting);
    if (getting->left == 0)
        finish(getting);
    else
        ask_layers(getting);
}

bool getting_info(struct peer *peer, const struct ut_metadata *msg)
{
    struct swarm *swarm = peer->swarm;
    struct node *node = peer->node;
    struct getting *getting = swarm->getting;
    uint64_t conn = peer->conn;

    if (getting == NULL || getting->conn != conn)
        return true;
    bool next = msg->piece * (size_t)BLOCK_LENGTH == getting->info.length;
    if (msg->kind == UT_METADATA_REJECT || !next || msg->total_size != getting->total) {
        next_source(getting);
        return true;
    }
    buf_put(&getting->info, msg->data.data, msg->data.length);
    getting->moved_ms = node->now_ms;
    if (getting->info.length == getting->total)
        info_complete(getting);
    else
        ask_info(getting);
    return node_find_peer(node, conn) != NULL;
}

/* --- piece layers */

static struct peer_hashes request_for(const struct getting *getting, const struct chunk *chunk)
{
    const struct metainfo *bare = getting->bare;
    const struct metainfo_file *file = &bare->files[chunk->file];
    struct peer_hashes request = {.index = chunk->index};
    unsigned height = merkle_height(file->pieces);

    memcpy(request.root, file->root, HASH_LENGTH);
    request.base = merkle_height(bare->piece_length / BLOCK_LENGTH);
    request.count = 1u << merkle_height(chunk->count); /* padding and all, as libtorrent asks */
    if (request.count < 2)
        request.count = 2;
    request.proof_layers = merkle_height(request.count) < height ? height - 1 : 0;
    return request;
}

static void ask_chunk(struct getting *getting, struct peer *peer, struct chunk *chunk)
{
    struct peer_msg msg = {.kind = PEER_HASH_REQUEST, .hash = request_for(getting, chunk)};

    chunk->conn = peer->conn;
    chunk->asked_ms = peer->node->now_ms;
    peer->layers_asked++;
    peer_send(peer, &msg);
    node_wake(peer->node, chunk->asked_ms + ANSWER_MS);
}

static void ask_layers(struct getting *getting)
{
    struct chunk *chunks = getting->chunks;
    uint32_t at = getting->first_open;

    while (at < getting->chunk_count && chunks[at].done)
        at++;
    getting->first_open = at;
    list_for_each(link, next, &getting->swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        for (; !peer->gives_no_layers && peer->layers_asked < ASKED_MAX; at++) {
            while (at < getting->chunk_count && (chunks[at].done || chunks[at].conn != 0))
                at++;
            if (at == getting->chunk_count)
                return;
            ask_chunk(getting, peer, &chunks[at]);
        }
    }
}

static struct chunk *find_chunk(struct peer *peer, const struct peer_hashes *answer)
{
    struct getting *getting = peer->swarm->getting;

    for (uint32_t i = 0; getting != NULL && i < getting->chunk_count; i++) {
        struct chunk *chunk = &getting->chunks[i];
        if (chunk->conn != peer->conn || chunk->done || chunk->index != answer->index)
            continue;
        struct peer_hashes request = request_for(getting, chunk);
        if (peer_hashes_match(&request, answer))
            return chunk;
    }
    return NULL;
}

static bool proves(const struct getting *getting, const struct peer_hashes *answer,
                   const struct chunk *chunk)
{
    const struct metainfo_file *file = &getting->bare->files[chunk->file];
    uint32_t uncles = merkle_uncle_count(answer->count, answer->proof_layers);
    unsigned layers = answer->base + merkle_height(file->pieces);
    const uint8_t *hashes = answer->hashes.data;

    if (answer->hashes.length != (size_t)(answer->count + uncles) * HASH_LENGTH)
        return false;
    return merkle_prove(hashes, answer->count, answer->index, answer->base, layers,
                        hashes + (size_t)answer->count * HASH_LENGTH, uncles, file->root) == ERR_OK;
}

static void give_back(struct getting *getting, struct peer *peer)
{
    for (uint32_t i = 0; i < getting->chunk_count; i++)
        if (getting->chunks[i].conn == peer->conn && !getting->chunks[i].done)
            getting->chunks[i].conn = 0;
    peer->layers_asked = 0;
}

bool getting_hashes(struct peer *peer, const struct peer_hashes *answer)
{
    struct getting *getting = peer->swarm->getting;
    struct chunk *chunk = find_chunk(peer, answer);

    if (chunk == NULL)
        return true;
    if (!proves(getting, answer, chunk)) {
        struct swarm *swarm = peer->swarm;
        peer_refuse(peer, STRIKE_BAD_PROOF, "sent hashes that do not prove");
        if (swarm->getting != NULL)
            ask_layers(swarm->getting);
        return false;
    }
    memcpy(chunk->place, answer->hashes.data, (size_t)chunk->count * HASH_LENGTH);
    chunk->done = true;
    peer->layers_asked--;
    if (--getting->left == 0)
        finish(getting);
    else
        ask_layers(getting);
    return true;
}

void getting_rejected(struct peer *peer, const struct peer_hashes *request)
{
    struct getting *getting = peer->swarm->getting;

    if (find_chunk(peer, request) == NULL)
        return;
    peer->gives_no_layers = true;
    give_back(getting, peer);
    ask_layers(getting);
}

/* --- peers and time */

void getting_peer_ready(struct peer *peer)
{
    struct getting *getting = peer->swarm->getting;

    if (getting == NULL)
        return;
    if (getting->bare != NULL)
        ask_layers(getting);
    else if (getting->conn == 0)
        ask_info(getting);
}

void getting_peer_left(struct peer *peer)
{
    struct getting *getting = peer->swarm->getting;

    if (getting == NULL)
        return;
    give_back(getting, peer);
    if (getting->conn == peer->conn)
        getting->conn = 0;
    node_wake(peer->node, peer->node->now_ms); /* others are asked at the next tick */
}

/* Returns when the next one is slow. */
static uint64_t drop_slow(struct getting *getting)
{
    uint64_t now = getting->swarm->node->now_ms, wake = UINT64_MAX;

    for (uint32_t i = getting->first_open; i < getting->chunk_count; i++) {
        struct chunk *chunk = &getting->chunks[i];
        struct peer *peer =
            chunk->conn != 0 ? node_find_peer(getting->swarm->node, chunk->conn) : NULL;
        if (chunk->done || peer == NULL)
            continue;
        if (now < chunk->asked_ms + ANSWER_MS) {
            wake = chunk->asked_ms + ANSWER_MS < wake ? chunk->asked_ms + ANSWER_MS : wake;
            continue;
        }
        peer->gives_no_layers = true;
        give_back(getting, peer);
    }
    return wake;
}

/* Who sends a byte now and then must not keep us from asking others. */
static bool drips(const struct getting *getting)
{
    return getting->swarm->node->now_ms >=
           getting->begun_ms + DRIP_MS + getting->total * UINT64_C(1000) / DRIP_RATE;
}

uint64_t getting_tick(struct swarm *swarm)
{
    struct getting *getting = swarm->getting;
    uint64_t now = swarm->node->now_ms;

    if (getting == NULL)
        return UINT64_MAX;
    if (getting->bare != NULL) {
        uint64_t wake = drop_slow(getting), late = now + ANSWER_MS;
        ask_layers(getting);
        return wake < late ? wake : late;
    }
    if (getting->conn != 0 && (now >= getting->moved_ms + ANSWER_MS || drips(getting)))
        next_source(getting);
    else
        ask_info(getting);
    return getting->conn != 0 ? getting->moved_ms + ANSWER_MS : UINT64_MAX;
}
