#include "core/getting_impl.h"

#include "base/mem.h"
#include "core/peer_impl.h"
#include "core/strikes.h"
#include "wire/bencode.h"

#include <stdlib.h>
#include <string.h>

#define ASKED_MAX 4   /* requests for hashes under way with one peer */
#define CHUNK     512 /* hashes in a request (BEP 52 wants no more) */

/* --- what is missing besides info */

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

void getting_layers_plan(struct getting *getting)
{
    find_layers(getting);
    make_chunks(getting);
}

void getting_layers_put(const struct getting *getting, struct buf *out)
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

/* --- asking */

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
    node_wake(peer->node, chunk->asked_ms + GETTING_ANSWER_MS);
}

void getting_layers_ask(struct getting *getting)
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

void getting_layers_give_back(struct getting *getting, struct peer *peer)
{
    for (uint32_t i = 0; i < getting->chunk_count; i++)
        if (getting->chunks[i].conn == peer->conn && !getting->chunks[i].done)
            getting->chunks[i].conn = 0;
    peer->layers_asked = 0;
}

/* Returns when the next one is slow. */
uint64_t getting_layers_drop_slow(struct getting *getting)
{
    uint64_t now = getting->swarm->node->now_ms, wake = UINT64_MAX;

    for (uint32_t i = getting->first_open; i < getting->chunk_count; i++) {
        struct chunk *chunk = &getting->chunks[i];
        struct peer *peer =
            chunk->conn != 0 ? node_find_peer(getting->swarm->node, chunk->conn) : NULL;
        if (chunk->done || peer == NULL)
            continue;
        if (now < chunk->asked_ms + GETTING_ANSWER_MS) {
            wake = chunk->asked_ms + GETTING_ANSWER_MS < wake ? chunk->asked_ms + GETTING_ANSWER_MS
                                                              : wake;
            continue;
        }
        peer->gives_no_layers = true;
        getting_layers_give_back(getting, peer);
    }
    return wake;
}

/* --- what comes */

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
            getting_layers_ask(swarm->getting);
        return false;
    }
    memcpy(chunk->place, answer->hashes.data, (size_t)chunk->count * HASH_LENGTH);
    chunk->done = true;
    peer->layers_asked--;
    if (--getting->left == 0)
        getting_finish(getting);
    else
        getting_layers_ask(getting);
    return true;
}

void getting_rejected(struct peer *peer, const struct peer_hashes *request)
{
    struct getting *getting = peer->swarm->getting;

    if (find_chunk(peer, request) == NULL)
        return;
    peer->gives_no_layers = true;
    getting_layers_give_back(getting, peer);
    getting_layers_ask(getting);
}
