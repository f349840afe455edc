/* Hash requests of a hostile peer are refused or answered with exactly what was announced; an
 * answer whose proof reaches the root proves.
 *
 *   u8 which file, u32 base, index, count, proof layers */
#include "base/limits.h"
#include "wire/hash_answer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PIECE  KIB(64)
#define BLOCKS 30 /* of the larger file; the smaller one has three */

/* Made once: leaves are hashes of their numbers, so no content is needed. */
static struct {
    struct metainfo meta;
    struct metainfo_file files[2];
    uint8_t leaves[BLOCKS * HASH_LENGTH], layer[8 * HASH_LENGTH];
} world;

static void make_world(void)
{
    for (uint32_t i = 0; i < BLOCKS; i++)
        sha256(&i, sizeof i, world.leaves + (size_t)i * HASH_LENGTH);
    for (uint32_t i = 0; i < 8; i++)
        merkle_root(world.leaves + (size_t)i * 4 * HASH_LENGTH, i < 7 ? 4 : 2, 4, 0,
                    world.layer + (size_t)i * HASH_LENGTH);
    world.files[0] = (struct metainfo_file){
        .length = (uint64_t)BLOCKS * BLOCK_LENGTH - 1, .pieces = 8, .layer = world.layer};
    merkle_file_root(world.layer, 8, PIECE, world.files[0].root);
    world.files[1] =
        (struct metainfo_file){.length = 3 * BLOCK_LENGTH, .first_piece = 8, .pieces = 1};
    merkle_root(world.leaves, 3, 4, 0, world.files[1].root);
    world.meta = (struct metainfo){
        .piece_length = PIECE, .file_count = 2, .piece_count = 9, .files = world.files};
}

static void check_proof(const struct peer_hashes *request, const struct hash_plan *plan,
                        const struct buf *out)
{
    unsigned layers = plan->file == 0 ? 5 : 2;

    if (request->proof_layers + request->base + 1 != layers)
        return;
    if (merkle_prove(out->data, request->count, request->index, request->base, layers,
                     out->data + (size_t)request->count * HASH_LENGTH, plan->uncles,
                     request->root) != ERR_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in;
    struct hash_plan plan;
    struct peer_hashes request;
    struct buf out;

    if (world.meta.file_count == 0)
        make_world();
    reader_init(&in, data, size);
    uint8_t file = reader_u8(&in) % 3;
    memset(request.root, 0, HASH_LENGTH);
    if (file < 2)
        memcpy(request.root, world.files[file].root, HASH_LENGTH);
    request.base = reader_u32(&in);
    request.index = reader_u32(&in);
    request.count = reader_u32(&in);
    request.proof_layers = reader_u32(&in);
    if (hash_answer_plan(&world.meta, &request, file, &plan) != ERR_OK)
        return 0;
    buf_init(&out, MIB(1));
    uint32_t piece = plan.file == 0 && plan.piece != UINT32_MAX ? plan.piece : 0;
    hash_answer(&world.meta, &request, &plan, world.leaves + (size_t)piece * 4 * HASH_LENGTH, &out);
    if (out.failed || out.length != ((size_t)request.count + plan.uncles) * HASH_LENGTH)
        abort();
    check_proof(&request, &plan, &out);
    buf_done(&out);
    return 0;
}
