#include "wire/hash_answer.h"

#include "base/limits.h"

#include <assert.h>
#include <string.h>

/* A file's tree. Its piece level is where the metainfo's hashes stand: the piece layer, or for a
 * file of at most one piece the root itself. */
struct tree {
    const uint8_t *layer;
    uint32_t pieces, blocks;
    unsigned height, piece_level; /* above the leaves */
};

static struct tree tree_of(const struct metainfo *meta, uint32_t number)
{
    const struct metainfo_file *file = &meta->files[number];
    struct tree tree = {
        .layer = file->layer, .pieces = file->pieces, .blocks = merkle_blocks(file->length)};

    if (file->layer != NULL) {
        tree.piece_level = merkle_height(meta->piece_length / BLOCK_LENGTH);
        tree.height = tree.piece_level + merkle_height(file->pieces);
    } else {
        tree.layer = file->root;
        tree.height = tree.piece_level = merkle_height(tree.blocks);
    }
    return tree;
}

/* --- plan */

static enum err find_file(const struct metainfo *meta, const uint8_t root[HASH_LENGTH],
                          uint32_t near, uint32_t *ret)
{
    for (uint32_t i = 0; i <= meta->file_count; i++) {
        uint32_t number = i == 0 ? near : i - 1;
        if (number >= meta->file_count || meta->files[number].length == 0)
            continue;
        if (memcmp(meta->files[number].root, root, HASH_LENGTH) == 0) {
            *ret = number;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* As libtorrent: up to the padded end of the level, and a proof up to below the root. A count
 * that is no power of two stands for the next one where only padding is cut off; elsewhere such
 * hashes could not be proven. */
static enum err check_numbers(const struct tree *tree, const struct peer_hashes *request)
{
    if (request->count > LIMIT_HASHES_COUNT)
        return ERR_TOO_LARGE;
    if (request->count == 0 || request->base >= tree->height ||
        request->proof_layers >= tree->height - request->base)
        return ERR_RANGE;
    uint64_t level_width = UINT64_C(1) << (tree->height - request->base);
    uint64_t width = UINT64_C(1) << merkle_height(request->count);
    if (request->index % width != 0 || request->index + width > level_width)
        return ERR_RANGE;
    uint64_t end = (uint64_t)request->index + request->count;
    return request->count == width || end << request->base >= tree->blocks ? ERR_OK : ERR_RANGE;
}

/* Blocks: only inside one piece, because each piece must be read and hashed for them; and only
 * of a piece that is there, not of the padding behind the last one. */
static enum err plan_leaves(const struct metainfo *meta, const struct tree *tree,
                            const struct peer_hashes *request, struct hash_plan *ret)
{
    unsigned below = tree->piece_level - request->base;
    uint32_t piece = (uint32_t)((uint64_t)request->index >> below);

    if (merkle_height(request->count) > below)
        return ERR_TOO_LARGE;
    if (piece >= tree->pieces)
        return ERR_RANGE;
    ret->piece = meta->files[ret->file].first_piece + piece;
    return ERR_OK;
}

enum err hash_answer_plan(const struct metainfo *meta, const struct peer_hashes *request,
                          uint32_t near, struct hash_plan *ret)
{
    *ret = (struct hash_plan){.piece = UINT32_MAX};
    enum err err = find_file(meta, request->root, near, &ret->file);
    if (err != ERR_OK)
        return err;
    struct tree tree = tree_of(meta, ret->file);
    err = check_numbers(&tree, request);
    if (err != ERR_OK)
        return err;
    ret->uncles = merkle_uncle_count(request->count, request->proof_layers);
    return request->base < tree.piece_level ? plan_leaves(meta, &tree, request, ret) : ERR_OK;
}

/* --- answer */

/* Consecutive known nodes of one level; what lies behind them is padding. */
struct row {
    const uint8_t *nodes;
    uint32_t count;
    unsigned level;
};

/* Node `index` of the level `level`, at or above the row's own. */
static void put_node(const struct row *row, unsigned level, uint32_t index, struct buf *out)
{
    uint64_t width = UINT64_C(1) << (level - row->level), start = index * width;
    uint8_t hash[HASH_LENGTH];

    if (start >= row->count)
        merkle_pad(level, hash);
    else
        merkle_root(row->nodes + start * HASH_LENGTH,
                    row->count - start < width ? row->count - start : width, width, row->level,
                    hash);
    buf_put(out, hash, HASH_LENGTH);
}

/* The uncles of the subtree of that node, bottom-up. */
static void put_uncles(const struct row *row, unsigned level, uint32_t index, uint32_t count,
                       struct buf *out)
{
    for (; count > 0; count--, level++, index >>= 1)
        put_node(row, level, index ^ 1, out);
}

/* From the leaves of one piece up to its root, and from there on from the piece layer. */
static void answer_leaves(const struct metainfo *meta, const struct tree *tree,
                          const struct peer_hashes *request, const struct hash_plan *plan,
                          const uint8_t *leaves, struct buf *out)
{
    uint32_t piece = plan->piece - meta->files[plan->file].first_piece;
    unsigned below = tree->piece_level - request->base, height = merkle_height(request->count);
    uint32_t index = request->index - (piece << below);
    uint32_t inside = plan->uncles < below - height ? plan->uncles : below - height;
    struct row row = {leaves, merkle_blocks(metainfo_piece_bytes(meta, plan->piece)), 0};
    struct row layer = {tree->layer, tree->pieces, tree->piece_level};

    for (uint32_t i = 0; i < request->count; i++)
        put_node(&row, request->base, index + i, out);
    put_uncles(&row, request->base + height, index >> height, inside, out);
    put_uncles(&layer, tree->piece_level, piece, plan->uncles - inside, out);
}

static void answer_layer(const struct tree *tree, const struct peer_hashes *request,
                         const struct hash_plan *plan, struct buf *out)
{
    struct row layer = {tree->layer, tree->pieces, tree->piece_level};
    unsigned height = merkle_height(request->count);

    for (uint32_t i = 0; i < request->count; i++)
        put_node(&layer, request->base, request->index + i, out);
    put_uncles(&layer, request->base + height, request->index >> height, plan->uncles, out);
}

void hash_answer(const struct metainfo *meta, const struct peer_hashes *request,
                 const struct hash_plan *plan, const uint8_t *leaves, struct buf *out)
{
    struct tree tree = tree_of(meta, plan->file);

    if (plan->piece == UINT32_MAX) {
        answer_layer(&tree, request, plan, out);
        return;
    }
    assert(leaves != NULL);
    answer_leaves(meta, &tree, request, plan, leaves, out);
}
