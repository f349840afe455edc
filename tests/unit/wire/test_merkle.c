/* wire/merkle: the vectors of BEP 52 as libtorrent computes them, and hash transfer. */
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "wire/merkle.h"

#include <string.h>
#include <threads.h>

#define PIECE KIB(64)

static uint8_t *content(size_t length)
{
    uint8_t *data = mem_alloc(length);
    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)(i * 131 + 7);
    return data;
}

static void assert_hex(const uint8_t hash[HASH_LENGTH], const char *prefix)
{
    char text[HEX_LENGTH(HASH_LENGTH)];
    hex_encode(text, hash, HASH_LENGTH);
    text[strlen(prefix)] = '\0';
    ck_assert_str_eq(text, prefix);
}

/* The piece layer of a file; returns the number of pieces. */
static uint32_t piece_layer(const uint8_t *data, size_t length, uint32_t piece, uint8_t *ret_layer)
{
    uint32_t count = 0;
    for (size_t at = 0; at < length; at += piece, count++) {
        size_t part = length - at < piece ? length - at : piece;
        merkle_piece(data + at, part, length, piece, ret_layer + (size_t)count * HASH_LENGTH);
    }
    return count;
}

static const struct {
    size_t length;
    const char *root;
} vectors[] = {
    {1, "ca358758f6d27e6cf45272937977a748fd88391db679ceda7dc7bf1f005ee879"},
    {16383, "271a9efae4585ea8efd184987d8c66dc5891b01b15661957b6cc3ff2b711edc4"},
    {16384, "3d63cbe5e7de119b1f813deb546c5c8e9ce524e97fa3d664f15b3770adcc9a55"},
    {16385, "6c646855e35ea5564841be0a790d8ef488ebc340d63bd897a267cf7b6d4b71a7"},
    {32768, "ac026923e079b705b1d2af71d7507295be9256e9829e8b0c16c6535d56e503cf"},
    {49153, "aa128d3b2661a2a28ab81f11faba613810ef52d0ef031ca50dcbcf2938ec8796"},
    {65536, "36c041293801c24c3dc7cb66c29dc998ca8d2761069892a10405c1fbe93f0aeb"},
    {65537, "350b00d05dadf6abe2f1409fe5f30979f407cf66a6363a46cd36abbb24ad0271"},
    {163841, "a9c8c743711d8c7a98c831b42c257f813abe1861685c7e7c3e2a53fcc21a3774"},
};

START_TEST(roots_are_those_of_libtorrent)
{
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t *data = content(vectors[i].length);
        uint8_t layer[3 * HASH_LENGTH], root[HASH_LENGTH];
        uint32_t pieces = piece_layer(data, vectors[i].length, PIECE, layer);
        ck_assert_uint_eq(pieces, (vectors[i].length + PIECE - 1) / PIECE);
        if (pieces == 1)
            memcpy(root, layer, HASH_LENGTH); /* the piece hash of a small file is its root */
        else
            merkle_file_root(layer, pieces, PIECE, root);
        assert_hex(root, vectors[i].root);
        mem_free(data);
    }
}
END_TEST

START_TEST(piece_layers_are_those_of_libtorrent)
{
    uint8_t *data = content(163841), layer[3 * HASH_LENGTH];

    ck_assert_uint_eq(piece_layer(data, 65537, PIECE, layer), 2);
    assert_hex(layer, "36c041293801c24c");
    assert_hex(layer + HASH_LENGTH, "1c69c907833688f5");
    ck_assert_uint_eq(piece_layer(data, 163841, PIECE, layer), 3);
    assert_hex(layer, "36c041293801c24c");
    assert_hex(layer + HASH_LENGTH, "36c041293801c24c");
    assert_hex(layer + 2 * HASH_LENGTH, "4bf6c91c209545b7");
    mem_free(data);
}
END_TEST

START_TEST(padding_is_that_of_the_standard)
{
    static const char *const pads[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b",
        "db56114e00fdd4c1f85c892bf35ac9a89289aaecb1ebd0a96cde606a748b5d71",
        "c78009fdf07fc56a11f122370658a353aaa542ed63e44c4bc15ff4cd105ab33c",
        "536d98837f2dd165a55d5eeae91485954472d56f246df256bf3cae19352a123c",
    };
    for (unsigned i = 0; i < 5; i++) {
        uint8_t hash[HASH_LENGTH];
        merkle_pad(i, hash);
        assert_hex(hash, pads[i]);
    }
}
END_TEST

START_TEST(a_small_file_is_its_own_hash)
{
    uint8_t a[HASH_LENGTH], b[HASH_LENGTH];
    uint8_t *data = content(16384);

    sha256(data, 16384, a);
    merkle_piece(data, 16384, 16384, PIECE, b);
    ck_assert_mem_eq(a, b, HASH_LENGTH);
    sha256("abc", 3, a);
    assert_hex(a, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256("", 0, a);
    assert_hex(a, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    mem_free(data);
}
END_TEST

START_TEST(blocks_and_heights)
{
    ck_assert_uint_eq(merkle_blocks(0), 0);
    ck_assert_uint_eq(merkle_blocks(1), 1);
    ck_assert_uint_eq(merkle_blocks(16384), 1);
    ck_assert_uint_eq(merkle_blocks(16385), 2);
    ck_assert_uint_eq(merkle_blocks(LIMIT_FILE_LENGTH), 1u << 26);
    ck_assert_uint_eq(merkle_height(1), 0);
    ck_assert_uint_eq(merkle_height(2), 1);
    ck_assert_uint_eq(merkle_height(5), 3);
    ck_assert_uint_eq(merkle_height(8), 3);
}
END_TEST

/* A second way to the same root: pad the nodes for real and fold level by level. */
static void root_by_folding(const uint8_t *nodes, size_t count, size_t width, unsigned level,
                            uint8_t ret_root[HASH_LENGTH])
{
    uint8_t *row = mem_alloc(width * HASH_LENGTH);
    for (size_t i = 0; i < width; i++) {
        if (i < count)
            memcpy(row + i * HASH_LENGTH, nodes + i * HASH_LENGTH, HASH_LENGTH);
        else
            merkle_pad(level, row + i * HASH_LENGTH);
    }
    for (; width > 1; width /= 2)
        for (size_t i = 0; i < width / 2; i++)
            merkle_parent(row + 2 * i * HASH_LENGTH, row + (2 * i + 1) * HASH_LENGTH,
                          row + i * HASH_LENGTH);
    memcpy(ret_root, row, HASH_LENGTH);
    mem_free(row);
}

static void make_nodes(uint8_t *nodes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sha256(&i, sizeof i, nodes + (size_t)i * HASH_LENGTH);
}

START_TEST(root_of_every_count_and_width)
{
    uint8_t nodes[33 * HASH_LENGTH], a[HASH_LENGTH], b[HASH_LENGTH];

    make_nodes(nodes, 33);
    for (uint32_t count = 1; count <= 33; count++)
        for (size_t width = (size_t)1 << merkle_height(count); width <= 128; width *= 2)
            for (unsigned level = 0; level < 3; level++) {
                merkle_root(nodes, count, width, level, a);
                root_by_folding(nodes, count, width, level, b);
                ck_assert_mem_eq(a, b, HASH_LENGTH);
            }
}
END_TEST

/* The answers that a libtorrent seed gave for a file of 29 blocks, a tree of 32 leaves. */
START_TEST(uncle_counts_are_those_of_libtorrent)
{
    ck_assert_uint_eq(merkle_uncle_count(8, 2), 0);
    ck_assert_uint_eq(merkle_uncle_count(4, 2), 1);
    ck_assert_uint_eq(merkle_uncle_count(4, 4), 3);
    ck_assert_uint_eq(merkle_uncle_count(512, 0), 0);
}
END_TEST

/* A file of 29 blocks at 64 KiB a piece: leaves, piece layer (8 nodes) and root. */
struct tree {
    uint8_t leaves[29 * HASH_LENGTH], layer[8 * HASH_LENGTH], root[HASH_LENGTH];
};

static void tree_init(struct tree *tree)
{
    size_t length = 28 * BLOCK_LENGTH + 1000;
    uint8_t *data = content(length);
    data[5 * BLOCK_LENGTH] ^= 1; /* or every whole block would be the same */
    merkle_leaves(data, length, tree->leaves);
    ck_assert_uint_eq(piece_layer(data, length, PIECE, tree->layer), 8);
    merkle_file_root(tree->layer, 8, PIECE, tree->root);
    mem_free(data);
}

START_TEST(hash_transfer_proves_to_the_root)
{
    struct tree tree;
    uint8_t uncles[5 * HASH_LENGTH];

    tree_init(&tree);
    /* (base 2, index 0, count 8, proof 2): the whole piece layer, no uncles */
    ck_assert_int_eq(merkle_prove(tree.layer, 8, 0, 2, 5, NULL, 0, tree.root), ERR_OK);
    /* (base 0, index 4, count 4, proof 4): one piece's leaves and 3 uncles */
    merkle_uncles(tree.leaves, 29, 0, 4, 2, 3, uncles);
    ck_assert_mem_eq(uncles, tree.layer, HASH_LENGTH);
    const uint8_t *leaves = tree.leaves + 4 * HASH_LENGTH;
    ck_assert_int_eq(merkle_prove(leaves, 4, 4, 0, 5, uncles, 3, tree.root), ERR_OK);
    /* The same uncles come from the piece layer alone. */
    uint8_t again[3 * HASH_LENGTH];
    merkle_uncles(tree.layer, 8, 2, 1, 0, 3, again);
    ck_assert_mem_eq(uncles, again, sizeof again);
    /* A piece's leaves against the piece hash that is known already. */
    ck_assert_int_eq(merkle_prove(leaves, 4, 0, 0, 2, NULL, 0, tree.layer + HASH_LENGTH), ERR_OK);
    /* The last leaf is alone in its piece; truncated at the layer's end it still proves. */
    merkle_uncles(tree.leaves, 29, 0, 28, 2, 3, uncles);
    leaves = tree.leaves + 28 * HASH_LENGTH;
    ck_assert_int_eq(merkle_prove(leaves, 1, 0, 0, 0, NULL, 0, leaves), ERR_OK);
    uint8_t padded[4 * HASH_LENGTH] = {0};
    memcpy(padded, leaves, HASH_LENGTH);
    ck_assert_int_eq(merkle_prove(padded, 4, 28, 0, 5, uncles, 3, tree.root), ERR_OK);
    ck_assert_int_eq(merkle_prove(padded, 3, 28, 0, 5, uncles, 3, tree.root), ERR_OK);
}
END_TEST

START_TEST(every_subtree_proves)
{
    struct tree tree;
    uint8_t uncles[5 * HASH_LENGTH];

    tree_init(&tree);
    for (unsigned height = 0; height <= 5; height++) {
        for (uint32_t index = 0; index < 29; index += 1u << height) {
            uint32_t count = 29 - index < 1u << height ? 29 - index : 1u << height;
            if (merkle_height(count) != height)
                continue; /* the shape would be another, smaller one */
            merkle_uncles(tree.leaves, 29, 0, index, height, 5 - height, uncles);
            ck_assert_int_eq(merkle_prove(tree.leaves + index * HASH_LENGTH, count, index, 0, 5,
                                          uncles, 5 - height, tree.root),
                             ERR_OK);
        }
    }
}
END_TEST

START_TEST(hash_transfer_refuses_what_does_not_fit)
{
    struct tree tree;
    uint8_t uncles[6 * HASH_LENGTH];
    const uint8_t *leaves = tree.leaves + 4 * HASH_LENGTH;

    tree_init(&tree);
    merkle_uncles(tree.leaves, 29, 0, 4, 2, 3, uncles);
    ck_assert_int_eq(merkle_prove(leaves, 4, 4, 0, 5, uncles, 3, tree.root), ERR_OK);
    ck_assert_int_eq(merkle_prove(leaves, 0, 4, 0, 5, uncles, 3, tree.root), ERR_BAD_HASH);
    ck_assert_int_eq(merkle_prove(leaves, 4, 8, 0, 5, uncles, 3, tree.root), ERR_BAD_HASH);
    ck_assert_int_eq(merkle_prove(leaves, 4, 5, 0, 5, uncles, 3, tree.root), ERR_BAD_HASH);
    ck_assert_int_eq(merkle_prove(leaves, 4, 32 + 4, 0, 5, uncles, 3, tree.root), ERR_BAD_HASH);
    ck_assert_int_eq(merkle_prove(leaves, 4, 4, 0, 5, uncles, 2, tree.root), ERR_BAD_HASH);
    ck_assert_int_eq(merkle_prove(leaves, 4, 4, 0, 6, uncles, 3, tree.root), ERR_BAD_HASH);
    ck_assert_int_eq(merkle_prove(leaves, 4, 4, 1, 5, uncles, 3, tree.root), ERR_BAD_HASH);
    ck_assert_int_eq(merkle_prove(leaves, 4, 4, 6, 5, uncles, 3, tree.root), ERR_BAD_HASH);
    ck_assert_int_eq(merkle_prove(leaves, 4, 4, 0, UINT32_MAX, uncles, UINT32_MAX, tree.root),
                     ERR_BAD_HASH);
    for (unsigned bit = 0; bit < 3 * HASH_LENGTH * 8; bit += 7) {
        uncles[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_eq(merkle_prove(leaves, 4, 4, 0, 5, uncles, 3, tree.root), ERR_BAD_HASH);
        uncles[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    tree.leaves[4 * HASH_LENGTH] ^= 1;
    ck_assert_int_eq(merkle_prove(leaves, 4, 4, 0, 5, uncles, 3, tree.root), ERR_BAD_HASH);
}
END_TEST

static int hash_in_thread(void *arg)
{
    uint8_t root[HASH_LENGTH];
    for (int i = 0; i < 200; i++)
        merkle_piece(arg, 49153, 49153, PIECE, root);
    char text[HEX_LENGTH(HASH_LENGTH)];
    hex_encode(text, root, HASH_LENGTH);
    return strcmp(text, vectors[5].root) == 0;
}

/* Under the sanitizers this also shows that a thread's context goes with the thread. */
START_TEST(threads_hash_at_once)
{
    uint8_t *data = content(49153);
    thrd_t threads[4];

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(thrd_create(&threads[i], hash_in_thread, data), thrd_success);
    for (int i = 0; i < 4; i++) {
        int right = 0;
        thrd_join(threads[i], &right);
        ck_assert_int_eq(right, 1);
    }
    mem_free(data);
}
END_TEST

TEST_MAIN("wire.merkle",
          TESTS(roots_are_those_of_libtorrent, piece_layers_are_those_of_libtorrent,
                padding_is_that_of_the_standard, a_small_file_is_its_own_hash, blocks_and_heights,
                root_of_every_count_and_width, uncle_counts_are_those_of_libtorrent,
                hash_transfer_proves_to_the_root, every_subtree_proves,
                hash_transfer_refuses_what_does_not_fit, threads_hash_at_once))
