#include "wire/merkle.h"

#include "base/limits.h"
#include "base/mem.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

/* Levels of the tallest tree that a count in 32 bits can make, above any level we are given. */
#define PAD_LEVELS 64

static once_flag once = ONCE_FLAG_INIT;
static EVP_MD *algorithm; /* fetched once: looking it up costs more than a short hash */
static tss_t context_key; /* only to free a thread's context when the thread ends */
static uint8_t pads[PAD_LEVELS][HASH_LENGTH];
static _Thread_local EVP_MD_CTX *context;

/* --- SHA-256 */

static _Noreturn void no_sha256(void)
{
    fputs("fringe: libcrypto has no SHA-256\n", stderr);
    abort();
}

static void free_context(void *ended)
{
    EVP_MD_CTX_free(ended);
}

/* libcrypto keeps the algorithm with the context, so later hashes only start it again. */
static EVP_MD_CTX *new_context(void)
{
    EVP_MD_CTX *made = EVP_MD_CTX_new();
    if (made == NULL || EVP_DigestInit_ex2(made, algorithm, NULL) != 1 ||
        tss_set(context_key, made) != thrd_success)
        no_sha256();
    return made;
}

/* Fills the table of padding, which is only hashes of hashes; so it must not use sha256(). */
static void setup(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    if (algorithm == NULL || tss_create(&context_key, free_context) != thrd_success)
        no_sha256();
    for (unsigned i = 1; i < PAD_LEVELS; i++) {
        uint8_t pair[2 * HASH_LENGTH];
        memcpy(pair, pads[i - 1], HASH_LENGTH);
        memcpy(pair + HASH_LENGTH, pads[i - 1], HASH_LENGTH);
        if (EVP_Digest(pair, sizeof pair, pads[i], NULL, algorithm, NULL) != 1)
            no_sha256();
    }
}

void sha256(const void *data, size_t length, uint8_t ret_hash[HASH_LENGTH])
{
    if (context == NULL) {
        call_once(&once, setup);
        context = new_context();
    }
    if (EVP_DigestInit_ex2(context, NULL, NULL) != 1 ||
        EVP_DigestUpdate(context, data, length) != 1 ||
        EVP_DigestFinal_ex(context, ret_hash, NULL) != 1)
        no_sha256();
}

/* --- nodes */

void merkle_parent(const uint8_t left[HASH_LENGTH], const uint8_t right[HASH_LENGTH],
                   uint8_t ret_hash[HASH_LENGTH])
{
    uint8_t pair[2 * HASH_LENGTH];

    memcpy(pair, left, HASH_LENGTH);
    memcpy(pair + HASH_LENGTH, right, HASH_LENGTH);
    sha256(pair, sizeof pair, ret_hash);
}

static const uint8_t *pad_at(unsigned level)
{
    call_once(&once, setup);
    assert(level < PAD_LEVELS);
    return pads[level];
}

void merkle_pad(unsigned levels, uint8_t ret_hash[HASH_LENGTH])
{
    memcpy(ret_hash, pad_at(levels), HASH_LENGTH);
}

uint32_t merkle_blocks(uint64_t length)
{
    return (uint32_t)((length + BLOCK_LENGTH - 1) / BLOCK_LENGTH);
}

void merkle_leaves(const void *data, size_t length, uint8_t *ret_leaves)
{
    const uint8_t *at = data;

    for (; length > 0; ret_leaves += HASH_LENGTH) {
        size_t block = length < BLOCK_LENGTH ? length : BLOCK_LENGTH;
        sha256(at, block, ret_leaves);
        at += block;
        length -= block;
    }
}

unsigned merkle_height(uint64_t width)
{
    unsigned height = 0;

    while ((UINT64_C(1) << height) < width)
        height++;
    return height;
}

/* --- a root from nodes that come one after the other
 *
 * Works like a binary counter: after n nodes, full[h] is the root of a complete subtree of
 * height h wherever bit h of n is set. So a tree of any width takes a fixed 2 KiB. */
struct climb {
    uint64_t count;
    unsigned level; /* of the nodes, above the leaves */
    uint8_t full[PAD_LEVELS][HASH_LENGTH];
};

static void climb_add(struct climb *climb, const uint8_t node[HASH_LENGTH])
{
    uint8_t carry[HASH_LENGTH];
    unsigned height = 0;

    memcpy(carry, node, HASH_LENGTH);
    for (; (climb->count >> height & 1) != 0; height++)
        merkle_parent(climb->full[height], carry, carry);
    memcpy(climb->full[height], carry, HASH_LENGTH);
    climb->count++;
}

/* The root of the nodes padded to 2^height. The incomplete subtree at the right edge grows
 * upwards: under a complete left sibling, or else beside padding. */
static void climb_root(const struct climb *climb, unsigned height, uint8_t ret[HASH_LENGTH])
{
    bool edge = false;
    uint8_t at[HASH_LENGTH];

    assert(climb->count > 0 && climb->count <= UINT64_C(1) << height);
    if (climb->count == UINT64_C(1) << height) {
        memcpy(ret, climb->full[height], HASH_LENGTH);
        return;
    }
    for (unsigned h = 0; h < height; h++) {
        bool full = (climb->count >> h & 1) != 0;
        if (edge && full)
            merkle_parent(climb->full[h], at, at);
        else if (edge)
            merkle_parent(at, pad_at(climb->level + h), at);
        else if (full)
            merkle_parent(climb->full[h], pad_at(climb->level + h), at);
        edge = edge || full;
    }
    memcpy(ret, at, HASH_LENGTH);
}

void merkle_root(const uint8_t *nodes, size_t count, size_t width, unsigned level,
                 uint8_t ret_root[HASH_LENGTH])
{
    struct climb climb;

    climb.count = 0;
    climb.level = level;
    for (size_t i = 0; i < count; i++)
        climb_add(&climb, nodes + i * HASH_LENGTH);
    climb_root(&climb, merkle_height(width), ret_root);
}

void merkle_data_root(const void *data, size_t length, uint8_t ret_root[HASH_LENGTH])
{
    uint32_t count = merkle_blocks(length);
    uint8_t *leaves = mem_calloc(count, HASH_LENGTH);

    merkle_leaves(data, length, leaves);
    merkle_root(leaves, count, (size_t)1 << merkle_height(count), 0, ret_root);
    mem_free(leaves);
}

void merkle_piece(const void *data, size_t length, uint64_t file_length, uint32_t piece_length,
                  uint8_t ret_hash[HASH_LENGTH])
{
    struct climb climb;
    uint64_t span = file_length > piece_length ? piece_length : file_length;
    const uint8_t *at = data;

    climb.count = climb.level = 0;
    while (length > 0) {
        size_t block = length < BLOCK_LENGTH ? length : BLOCK_LENGTH;
        uint8_t leaf[HASH_LENGTH];
        sha256(at, block, leaf);
        climb_add(&climb, leaf);
        at += block;
        length -= block;
    }
    climb_root(&climb, merkle_height(merkle_blocks(span)), ret_hash);
}

void merkle_file_root(const uint8_t *layer, uint32_t count, uint32_t piece_length,
                      uint8_t ret_root[HASH_LENGTH])
{
    size_t width = (size_t)1 << merkle_height(count);

    merkle_root(layer, count, width, merkle_height(piece_length / BLOCK_LENGTH), ret_root);
}

/* --- BEP 52 hash transfer */

uint32_t merkle_uncle_count(uint32_t count, uint32_t proof_layers)
{
    unsigned height = merkle_height(count);

    /* The layers below the subtree's own root are in the hashes themselves. */
    if (height == 0)
        return proof_layers + 1;
    return proof_layers > height - 1 ? proof_layers - (height - 1) : 0;
}

void merkle_uncles(const uint8_t *nodes, uint32_t count, unsigned level, uint32_t index,
                   unsigned height, uint32_t uncle_count, uint8_t *ret_uncles)
{
    for (uint32_t i = 0; i < uncle_count; i++, height++, ret_uncles += HASH_LENGTH) {
        uint64_t width = UINT64_C(1) << height;
        uint64_t start = ((uint64_t)index >> height ^ 1) * width;
        if (start >= count)
            merkle_pad(level + height, ret_uncles);
        else
            merkle_root(nodes + start * HASH_LENGTH, count - start < width ? count - start : width,
                        width, level, ret_uncles);
    }
}

enum err merkle_prove(const uint8_t *hashes, uint32_t count, uint32_t index, unsigned base,
                      unsigned layers, const uint8_t *proof, uint32_t proof_count,
                      const uint8_t root[HASH_LENGTH])
{
    unsigned height = merkle_height(count);
    uint8_t at[HASH_LENGTH];

    if (count == 0 || layers >= PAD_LEVELS || base > layers || proof_count > layers ||
        base + height + proof_count != layers)
        return ERR_BAD_HASH;
    /* The subtree must stand on a place of its own size, inside the tree. */
    uint64_t width = UINT64_C(1) << height;
    if (index % width != 0 || index >= UINT64_C(1) << (layers - base))
        return ERR_BAD_HASH;
    merkle_root(hashes, count, width, base, at);
    for (uint64_t place = (uint64_t)index >> height; proof_count > 0; proof_count--, place >>= 1) {
        if ((place & 1) != 0)
            merkle_parent(proof, at, at);
        else
            merkle_parent(at, proof, at);
        proof += HASH_LENGTH;
    }
    return memcmp(at, root, HASH_LENGTH) == 0 ? ERR_OK : ERR_BAD_HASH;
}
