/* wire/hash_answer: every request that a tree allows, against the tree itself. */
#include "base/limits.h"
#include "check_main.h"
#include "mutate.h"
#include "wire/hash_answer.h"

#define PIECE KIB(64)

/* In the order of the file tree. */
static const struct {
    const char *path;
    size_t length;
} sample[] = {
    {"a-empty", 0},
    {"b-one-block", 16384},
    {"c-three-blocks", 49153 - 16384},
    {"d-one-piece", 65536},
    {"e-two-pieces", 65537},
    {"f-29-blocks", 28 * 16384 + 1000},
    {"g-nine-pieces", 9 * 65536},
};
#define FILES (sizeof sample / sizeof sample[0])

static uint8_t *content(size_t number)
{
    uint8_t *data = mem_alloc(sample[number].length);
    for (size_t i = 0; i < sample[number].length; i++)
        data[i] = (uint8_t)(i * 131 + 7 + i / 16384 + number);
    return data;
}

static struct metainfo *make_torrent(void)
{
    struct metainfo_entry entries[FILES];
    uint8_t layers[FILES][16 * HASH_LENGTH], infohash[HASH_LENGTH];
    struct metainfo *meta = NULL;
    struct buf out;

    for (size_t i = 0; i < FILES; i++) {
        uint8_t *data = content(i);
        uint32_t pieces = 0;
        for (size_t at = 0; at < sample[i].length; at += PIECE, pieces++) {
            size_t part = sample[i].length - at < PIECE ? sample[i].length - at : PIECE;
            merkle_piece(data + at, part, sample[i].length, PIECE,
                         layers[i] + (size_t)pieces * HASH_LENGTH);
        }
        entries[i] = (struct metainfo_entry){.path = sample[i].path, .length = sample[i].length};
        if (pieces > 1) {
            entries[i].layer = layers[i];
            merkle_file_root(layers[i], pieces, PIECE, entries[i].root);
        } else if (pieces == 1) {
            memcpy(entries[i].root, layers[i], HASH_LENGTH);
        }
        mem_free(data);
    }
    buf_init(&out, MIB(1));
    ck_assert_int_eq(
        metainfo_write("static", PIECE, entries, FILES, NULL, 0, NULL, 0, &out, infohash), ERR_OK);
    ck_assert_int_eq(metainfo_parse(out.data, out.length, &meta), ERR_OK);
    buf_done(&out);
    return meta;
}

/* A whole padded tree: levels[0] the leaves, .. */
struct tree {
    unsigned height;
    uint32_t blocks;
    uint8_t *levels[8];
};

static void tree_init(struct tree *tree, size_t number)
{
    uint8_t *data = content(number);

    tree->blocks = merkle_blocks(sample[number].length);
    tree->height = merkle_height(tree->blocks);
    /* Every piece of a longer file has a whole subtree. */
    if (sample[number].length > PIECE)
        tree->height = 2 + merkle_height((sample[number].length + PIECE - 1) / PIECE);
    size_t width = (size_t)1 << tree->height;
    tree->levels[0] = mem_zalloc(width * HASH_LENGTH);
    merkle_leaves(data, sample[number].length, tree->levels[0]);
    for (unsigned level = 1; level <= tree->height; level++) {
        width /= 2;
        tree->levels[level] = mem_alloc(width * HASH_LENGTH);
        for (size_t i = 0; i < width; i++)
            merkle_parent(tree->levels[level - 1] + 2 * i * HASH_LENGTH,
                          tree->levels[level - 1] + (2 * i + 1) * HASH_LENGTH,
                          tree->levels[level] + i * HASH_LENGTH);
    }
    mem_free(data);
}

static void tree_done(struct tree *tree)
{
    for (unsigned level = 0; level <= tree->height; level++)
        mem_free(tree->levels[level]);
}

/* Answers as a host would: the leaves of the one piece that the plan names. */
static enum err answer(const struct metainfo *meta, const struct tree *tree,
                       const struct peer_hashes *request, struct buf *out)
{
    struct hash_plan plan;
    uint8_t *leaves = NULL;
    enum err err = hash_answer_plan(meta, request, UINT32_MAX, &plan);

    if (err != ERR_OK)
        return err;
    if (plan.piece != UINT32_MAX) {
        uint32_t blocks = merkle_blocks(metainfo_piece_bytes(meta, plan.piece));
        uint32_t first = (plan.piece - meta->files[plan.file].first_piece) * 4;
        leaves = mem_dup(tree->levels[0] + (size_t)first * HASH_LENGTH, blocks * HASH_LENGTH);
    }
    hash_answer(meta, request, &plan, leaves, out);
    ck_assert_uint_eq(out->length, (request->count + plan.uncles) * HASH_LENGTH);
    mem_free(leaves);
    return ERR_OK;
}

/* What the answer must be, from the whole tree; false when there must be none. */
static bool wanted(const struct tree *tree, const struct peer_hashes *request, bool layer,
                   struct buf *out)
{
    unsigned height = merkle_height(request->count);
    uint64_t width = UINT64_C(1) << height;

    if (request->count == 0 || request->base >= tree->height ||
        request->proof_layers + request->base >= tree->height || request->index % width != 0 ||
        request->index + width > UINT64_C(1) << (tree->height - request->base))
        return false;
    uint64_t end = (uint64_t)request->index + request->count;
    if (request->count != width && end << request->base < tree->blocks)
        return false; /* cut short where there is no padding */
    if (!layer && request->base + height > 2 && tree->height > 2)
        return false; /* blocks of more than one piece */
    if (!layer && request->index << request->base >= (tree->blocks + 3) / 4 * 4)
        return false; /* blocks of no piece */
    buf_put(out, tree->levels[request->base] + (size_t)request->index * HASH_LENGTH,
            (size_t)request->count * HASH_LENGTH);
    uint32_t at = request->index >> height;
    for (unsigned level = request->base + height,
                  n = merkle_uncle_count(request->count, request->proof_layers);
         n > 0; n--, level++, at /= 2)
        buf_put(out, tree->levels[level] + (size_t)(at ^ 1) * HASH_LENGTH, HASH_LENGTH);
    return true;
}

static void check_request(const struct metainfo *meta, const struct tree *tree, bool layer,
                          const struct peer_hashes *request)
{
    struct buf got, expected;
    unsigned height = merkle_height(request->count > 0 ? request->count : 1);

    buf_init(&got, MIB(1));
    buf_init(&expected, MIB(1));
    bool good = wanted(tree, request, layer, &expected);
    enum err err = answer(meta, tree, request, &got);
    ck_assert_msg((err == ERR_OK) == good, "base %u index %u count %u proof %u: %s", request->base,
                  request->index, request->count, request->proof_layers, err_name(err));
    ck_assert(span_equal(span_of(got.data, got.length), span_of(expected.data, expected.length)));
    /* A full proof reaches the root. */
    if (good && request->proof_layers + request->base == tree->height - 1)
        ck_assert_int_eq(merkle_prove(got.data, request->count, request->index, request->base,
                                      tree->height, got.data + request->count * HASH_LENGTH,
                                      tree->height - request->base - height, request->root),
                         ERR_OK);
    buf_done(&got);
    buf_done(&expected);
}

START_TEST(every_request_of_every_file)
{
    struct metainfo *meta = make_torrent();

    for (size_t i = 1; i < FILES; i++) {
        struct tree tree;
        struct peer_hashes request = {0};
        tree_init(&tree, i);
        memcpy(request.root, meta->files[i].root, HASH_LENGTH);
        ck_assert_mem_eq(tree.levels[tree.height], request.root, HASH_LENGTH);
        uint32_t width = 1u << tree.height;
        for (request.base = 0; request.base <= tree.height + 1; request.base++)
            for (request.count = 0; request.count <= width + 1; request.count++)
                for (request.index = 0; request.index <= width; request.index++)
                    for (request.proof_layers = 0; request.proof_layers <= tree.height + 1;
                         request.proof_layers++)
                        check_request(meta, &tree, request.base >= 2 && tree.height > 2, &request);
        tree_done(&tree);
    }
    metainfo_free(meta);
}
END_TEST

/* What a libtorrent 2.0.8 seed answered for a file of 29 blocks. */
START_TEST(answers_are_those_of_libtorrent)
{
    static const struct {
        uint32_t base, index, count, proof, hashes;
    } seen[] = {{2, 0, 8, 2, 8}, {0, 4, 4, 2, 5}, {0, 4, 4, 4, 7}, {0, 4, 4, 5, 0}};
    struct metainfo *meta = make_torrent();
    struct tree tree;

    tree_init(&tree, 5);
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
        struct peer_hashes request = {.base = seen[i].base,
                                      .index = seen[i].index,
                                      .count = seen[i].count,
                                      .proof_layers = seen[i].proof};
        struct buf out;
        memcpy(request.root, meta->files[5].root, HASH_LENGTH);
        buf_init(&out, MIB(1));
        enum err err = answer(meta, &tree, &request, &out);
        ck_assert_int_eq(err, seen[i].hashes > 0 ? ERR_OK : ERR_RANGE);
        ck_assert_uint_eq(out.length, seen[i].hashes * HASH_LENGTH);
        buf_done(&out);
    }
    tree_done(&tree);
    metainfo_free(meta);
}
END_TEST

static enum err plan(const struct metainfo *meta, size_t file, uint32_t base, uint32_t index,
                     uint32_t count, uint32_t proof, struct hash_plan *ret)
{
    struct peer_hashes request = {
        .base = base, .index = index, .count = count, .proof_layers = proof};
    memcpy(request.root, meta->files[file].root, HASH_LENGTH);
    return hash_answer_plan(meta, &request, UINT32_MAX, ret);
}

START_TEST(plans_say_what_is_needed)
{
    struct metainfo *meta = make_torrent();
    struct hash_plan ret;

    ck_assert_int_eq(plan(meta, 6, 2, 0, 16, 0, &ret), ERR_OK);
    ck_assert_uint_eq(ret.file, 6);
    ck_assert_uint_eq(ret.piece, UINT32_MAX);
    ck_assert_int_eq(plan(meta, 6, 0, 8, 4, 5, &ret), ERR_OK);
    ck_assert_uint_eq(ret.piece, meta->files[6].first_piece + 2);
    ck_assert_int_eq(plan(meta, 6, 1, 8, 2, 4, &ret), ERR_OK);
    ck_assert_uint_eq(ret.piece, meta->files[6].first_piece + 4);
    ck_assert_int_eq(plan(meta, 3, 0, 0, 4, 1, &ret), ERR_OK);
    ck_assert_uint_eq(ret.piece, meta->files[3].first_piece);
    metainfo_free(meta);
}
END_TEST

START_TEST(refusals_say_why)
{
    struct metainfo *meta = make_torrent();
    struct hash_plan ret;
    struct peer_hashes request = {.count = 2};

    ck_assert_int_eq(hash_answer_plan(meta, &request, 0, &ret), ERR_NOT_FOUND);
    ck_assert_int_eq(plan(meta, 0, 0, 0, 2, 0, &ret),
                     ERR_NOT_FOUND);                              /* an empty file has no root */
    ck_assert_int_eq(plan(meta, 1, 0, 0, 1, 0, &ret), ERR_RANGE); /* one block */
    ck_assert_int_eq(plan(meta, 6, 0, 0, 8, 0, &ret), ERR_TOO_LARGE); /* two pieces' blocks */
    ck_assert_int_eq(plan(meta, 6, 0, 60, 4, 0, &ret), ERR_RANGE);    /* padding */
    ck_assert_int_eq(plan(meta, 6, 2, 8, 8, 0, &ret), ERR_OK);        /* padding of the layer */
    ck_assert_int_eq(plan(meta, 6, 2, 0, LIMIT_HASHES_COUNT + 1, 0, &ret), ERR_TOO_LARGE);
    ck_assert_int_eq(plan(meta, 6, 2, 0, LIMIT_HASHES_COUNT, 0, &ret), ERR_RANGE);
    ck_assert_int_eq(plan(meta, 6, 2, 0, 0, 0, &ret), ERR_RANGE);
    ck_assert_int_eq(plan(meta, 6, 2, 1, 2, 0, &ret), ERR_RANGE);
    ck_assert_int_eq(plan(meta, 6, 2, 0, 3, 0, &ret), ERR_RANGE); /* three of nine */
    ck_assert_int_eq(plan(meta, 6, 2, 0, 9, 0, &ret), ERR_OK);    /* all nine, padding cut off */
    ck_assert_int_eq(plan(meta, 6, 6, 0, 1, 0, &ret), ERR_RANGE);
    ck_assert_int_eq(plan(meta, 6, 2, 0, 2, 4, &ret), ERR_RANGE);
    ck_assert_int_eq(plan(meta, 6, UINT32_MAX, 0, 2, 0, &ret), ERR_RANGE);
    ck_assert_int_eq(plan(meta, 6, 2, UINT32_MAX - 1, 2, 0, &ret), ERR_RANGE);
    ck_assert_int_eq(plan(meta, 6, 2, 0, 2, UINT32_MAX, &ret), ERR_RANGE);
    metainfo_free(meta);
}
END_TEST

START_TEST(the_near_file_is_only_a_hint)
{
    struct metainfo *meta = make_torrent();
    struct peer_hashes request = {.base = 2, .count = 2};
    struct hash_plan ret;

    memcpy(request.root, meta->files[5].root, HASH_LENGTH);
    for (uint32_t near = 0; near <= FILES; near++) {
        ck_assert_int_eq(hash_answer_plan(meta, &request, near, &ret), ERR_OK);
        ck_assert_uint_eq(ret.file, 5);
    }
    metainfo_free(meta);
}
END_TEST

/* Numbers from a hostile peer: refused, or answered within the bounds of what they asked. */
START_TEST(random_requests)
{
    struct metainfo *meta = make_torrent();
    uint64_t seed = mutate_seed(), state = seed;
    struct tree trees[FILES];

    for (size_t i = 1; i < FILES; i++)
        tree_init(&trees[i], i);
    for (int round = 0; round < 100000; round++) {
        size_t file = 1 + mutate_random(&state) % (FILES - 1);
        struct peer_hashes request;
        struct buf out;
        uint32_t *numbers[] = {&request.base, &request.index, &request.count,
                               &request.proof_layers};
        memcpy(request.root, meta->files[file].root, HASH_LENGTH);
        for (size_t i = 0; i < 4; i++)
            *numbers[i] = (uint32_t)mutate_random(&state) >> mutate_random(&state) % 32;
        buf_init(&out, MIB(1));
        answer(meta, &trees[file], &request, &out);
        buf_done(&out);
    }
    for (size_t i = 1; i < FILES; i++)
        tree_done(&trees[i]);
    metainfo_free(meta);
}
END_TEST

TEST_MAIN("wire.hash_answer", TESTS(every_request_of_every_file, answers_are_those_of_libtorrent,
                                    plans_say_what_is_needed, refusals_say_why,
                                    the_near_file_is_only_a_hint, random_requests))
