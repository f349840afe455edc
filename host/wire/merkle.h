/* BEP 52 merkle trees: SHA-256 over 16 KiB blocks. Layer: wire (pure).
 *
 * A file's leaves are the SHA-256 of its 16 KiB blocks, the last one short and not padded;
 * missing leaves are 32 zero bytes; a node is SHA-256(left || right). The piece layer holds the
 * nodes that cover one piece each. SHA-256 is libcrypto's, because it uses the CPU's own
 * instructions; the context is one per thread. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define HASH_LENGTH 32

void sha256(const void *data, size_t length, uint8_t ret_hash[HASH_LENGTH]);
/* The parent of two nodes. */
void merkle_parent(const uint8_t left[HASH_LENGTH], const uint8_t right[HASH_LENGTH],
                   uint8_t ret_hash[HASH_LENGTH]);
/* The root of an all-padding subtree `levels` above the leaves (0: the zero hash itself). */
void merkle_pad(unsigned levels, uint8_t ret_hash[HASH_LENGTH]);
/* The number of 16 KiB blocks in length bytes. */
uint32_t merkle_blocks(uint64_t length);
/* Writes the leaves of data (length > 0) to ret_leaves, merkle_blocks(length) * 32 bytes. */
void merkle_leaves(const void *data, size_t length, uint8_t *ret_leaves);
/* The root over `count` >= 1 nodes that stand `level` levels above the leaves, padded with
 * merkle_pad(level) to `width`, a power of two >= count. */
void merkle_root(const uint8_t *nodes, size_t count, size_t width, unsigned level,
                 uint8_t ret_root[HASH_LENGTH]);
/* The root of a file that is in memory as a whole (length > 0). */
void merkle_data_root(const void *data, size_t length, uint8_t ret_root[HASH_LENGTH]);
/* The hash that a piece must have. data is the piece (length <= piece_length, only real bytes).
 * file_length decides the padding: a file of at most one piece pads its leaves to the next power
 * of two only, so its piece hash is the file's root; else to piece_length / 16 KiB leaves. */
void merkle_piece(const void *data, size_t length, uint64_t file_length, uint32_t piece_length,
                  uint8_t ret_hash[HASH_LENGTH]);
/* The file's root from its piece layer (file longer than one piece, count pieces). */
void merkle_file_root(const uint8_t *layer, uint32_t count, uint32_t piece_length,
                      uint8_t ret_root[HASH_LENGTH]);
/* The height of the smallest complete tree over `width` >= 1 nodes: log2, rounded up. */
unsigned merkle_height(uint64_t width);

/* --- BEP 52 hash transfer (hash request, hashes) */

/* How many uncle hashes follow `count` hashes when proof_layers are asked for. */
uint32_t merkle_uncle_count(uint32_t count, uint32_t proof_layers);
/* Writes uncle_count uncle hashes, bottom-up, of the subtree of 2^height nodes that holds node
 * `index` in a layer of `count` nodes `level` levels above the leaves (index < the padded size).
 * Costs up to `count` hashes: limit how often a peer may ask. */
void merkle_uncles(const uint8_t *nodes, uint32_t count, unsigned level, uint32_t index,
                   unsigned height, uint32_t uncle_count, uint8_t *ret_uncles);
/* Verifies `count` >= 1 consecutive hashes starting at `index` of the layer `base` levels above
 * the leaves, with `proof_count` uncle hashes bottom-up, against a root: BEP 52 hash transfer.
 * `layers` is the height of the tree above the leaves; a subtree whose root is known (a piece)
 * is proven by giving its height and the index inside it. A count that is no power of two is
 * padded, as at a layer's end. ERR_BAD_HASH when the numbers do not fit or do not prove. */
enum err merkle_prove(const uint8_t *hashes, uint32_t count, uint32_t index, unsigned base,
                      unsigned layers, const uint8_t *proof, uint32_t proof_count,
                      const uint8_t root[HASH_LENGTH]);
