/* Hash transfer: the hashes and uncles of any part of any tree prove, and damaged ones do not;
 * numbers from a hostile peer are only refused.
 *
 *   u8 nodes - 1, u8 place, u8 height, u8 damage; then a peer's u32 count, index, base, layers,
 *   uncles; the rest is content */
#include "base/bytes.h"
#include "wire/merkle.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_NODES 256

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void honest(const uint8_t *nodes, uint32_t count, uint32_t place, unsigned part,
                   unsigned damage)
{
    unsigned layers = merkle_height(count), height = part % (layers + 1);
    uint32_t width = 1u << height, index = place % count / width * width;
    uint32_t given = count - index < width ? count - index : width;
    uint8_t root[HASH_LENGTH], hashes[MAX_NODES * HASH_LENGTH], uncles[8 * HASH_LENGTH];

    merkle_root(nodes, count, (size_t)1 << layers, 2, root);
    merkle_uncles(nodes, count, 2, index, height, layers - height, uncles);
    for (uint32_t i = 0; i < width; i++)
        merkle_pad(2, hashes + (size_t)i * HASH_LENGTH);
    memcpy(hashes, nodes + (size_t)index * HASH_LENGTH, (size_t)given * HASH_LENGTH);
    check(merkle_prove(hashes, width, index, 2, layers + 2, uncles, layers - height, root) ==
          ERR_OK);
    hashes[damage % (width * HASH_LENGTH)] ^= 1;
    check(merkle_prove(hashes, width, index, 2, layers + 2, uncles, layers - height, root) ==
          ERR_BAD_HASH);
}

/* The caller has counted the hashes that it passes; all other numbers are the peer's. */
static void hostile(struct reader *in, const uint8_t *nodes, uint32_t count)
{
    uint8_t root[HASH_LENGTH] = {0};
    uint32_t hashes = reader_u32(in), index = reader_u32(in), base = reader_u32(in);
    uint32_t layers = reader_u32(in), uncles = reader_u32(in);

    if (hashes <= count && uncles <= count)
        merkle_prove(nodes, hashes, index, base, layers, nodes, uncles, root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in;
    uint8_t nodes[MAX_NODES * HASH_LENGTH];

    reader_init(&in, data, size);
    uint32_t count = reader_u8(&in) + 1u;
    uint8_t place = reader_u8(&in), part = reader_u8(&in), damage = reader_u8(&in);
    for (uint32_t i = 0; i < count; i++) {
        size_t left = size > i ? size - i : 0;
        sha256(left > 0 ? data + i : data, left, nodes + (size_t)i * HASH_LENGTH);
    }
    honest(nodes, count, place, part, damage);
    hostile(&in, nodes, count);
    return 0;
}
