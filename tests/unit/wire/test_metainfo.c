/* wire/metainfo: what libtorrent computes, round trips, and each refusal. */
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "wire/metainfo.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PIECE KIB(64)

/* --- the publisher's side, small */

static void make_entry(struct metainfo_entry *entry, const char *path, size_t length)
{
    uint8_t *data = mem_alloc(length);
    uint32_t pieces = (uint32_t)((length + PIECE - 1) / PIECE);
    uint8_t *layer = mem_zalloc((size_t)(pieces + 1) * HASH_LENGTH);

    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)(i * 131 + 7);
    for (uint32_t i = 0; i < pieces; i++) {
        size_t at = (size_t)i * PIECE, part = length - at < PIECE ? length - at : PIECE;
        merkle_piece(data + at, part, length, PIECE, layer + (size_t)i * HASH_LENGTH);
    }
    *entry = (struct metainfo_entry){.path = path, .length = length, .layer = layer};
    if (pieces > 1)
        merkle_file_root(layer, pieces, PIECE, entry->root);
    else
        memcpy(entry->root, layer, HASH_LENGTH);
    mem_free(data);
}

static void free_entries(struct metainfo_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free((void *)(uintptr_t)entries[i].layer);
}

static const struct {
    const char *path;
    size_t length;
} sample[] = {
    /* Not in order, on purpose. "a-b" sorts before "a.txt"; strcmp would put "A/x" elsewhere. */
    {"z", 65537},       {"a.txt", 1},           {"d/dup2.bin", 163841},
    {"A/x.bin", 16384}, {"d/dup1.bin", 163841}, {"d/e/one", 65536},
    {"a-b", 0},
};
#define SAMPLES (sizeof sample / sizeof sample[0])

static void write_sample(struct buf *out, uint8_t infohash[HASH_LENGTH])
{
    struct metainfo_entry entries[SAMPLES];
    static const char *const trackers[] = {"http://t.example/a", "http://u.example/a"};
    static const char *const seeds[] = {"https://game.example/"};

    for (size_t i = 0; i < SAMPLES; i++)
        make_entry(&entries[i], sample[i].path, sample[i].length);
    buf_init(out, MIB(1));
    enum err err =
        metainfo_write("static", PIECE, entries, SAMPLES, trackers, 2, seeds, 1, out, infohash);
    ck_assert_int_eq(err, ERR_OK);
    free_entries(entries, SAMPLES);
}

/* An exact copy, so that the sanitizer sees a read past the end. */
static enum err parse(const void *data, size_t length, struct metainfo **ret)
{
    uint8_t *copy = mem_alloc(length);
    memcpy(copy, data, length);
    *ret = NULL;
    enum err err = metainfo_parse(copy, length, ret);
    ck_assert((err == ERR_OK) == (*ret != NULL));
    mem_free(copy);
    return err;
}

/* --- good torrents */

/* libtorrent 2.0.8, create_torrent(v2_only) over the same files, printed this info-hash. */
START_TEST(infohash_is_that_of_libtorrent)
{
    struct buf out;
    uint8_t infohash[HASH_LENGTH];
    char text[HEX_LENGTH(HASH_LENGTH)];
    struct metainfo *meta;
    struct span info;

    write_sample(&out, infohash);
    hex_encode(text, infohash, HASH_LENGTH);
    ck_assert_str_eq(text, "54087a657595bf4c73811f9c4a6e4625a0a586397876d32a5830599e4b78d87f");
    ck_assert_int_eq(parse(out.data, out.length, &meta), ERR_OK);
    ck_assert_mem_eq(meta->infohash, infohash, HASH_LENGTH);
    ck_assert_int_eq(metainfo_find_info(span_of(out.data, out.length), &info), ERR_OK);
    ck_assert_uint_eq(info.length, meta->info_length);
    sha256(info.data, info.length, infohash);
    ck_assert_mem_eq(meta->infohash, infohash, HASH_LENGTH);
    metainfo_free(meta);
    buf_done(&out);
}
END_TEST

START_TEST(parsed_as_written)
{
    struct buf out;
    uint8_t infohash[HASH_LENGTH];
    struct metainfo *meta;
    static const char *const order[] = {"A/x.bin",    "a-b",     "a.txt", "d/dup1.bin",
                                        "d/dup2.bin", "d/e/one", "z"};
    static const uint32_t pieces[] = {1, 0, 1, 3, 3, 1, 2};

    write_sample(&out, infohash);
    ck_assert_int_eq(parse(out.data, out.length, &meta), ERR_OK);
    ck_assert_str_eq(meta->name, "static");
    ck_assert_uint_eq(meta->piece_length, PIECE);
    ck_assert_uint_eq(meta->file_count, SAMPLES);
    ck_assert_uint_eq(meta->piece_count, 11);
    ck_assert_uint_eq(meta->length, 65537 + 1 + 2 * 163841 + 16384 + 65536);
    for (uint32_t i = 0, first = 0; i < SAMPLES; first += pieces[i++]) {
        ck_assert_str_eq(meta->files[i].path, order[i]);
        ck_assert_uint_eq(meta->files[i].pieces, pieces[i]);
        ck_assert_uint_eq(meta->files[i].first_piece, first);
        ck_assert((meta->files[i].layer != NULL) == (pieces[i] > 1));
        ck_assert_uint_eq(metainfo_find_path(meta, order[i], strlen(order[i])), i);
    }
    /* Equal files share one layer. */
    ck_assert_ptr_eq(meta->files[3].layer, meta->files[4].layer);
    metainfo_free(meta);
    buf_done(&out);
}
END_TEST

START_TEST(pieces_belong_to_their_files)
{
    struct buf out;
    uint8_t infohash[HASH_LENGTH];
    struct metainfo *meta;
    static const uint32_t file[] = {0, 2, 3, 3, 3, 4, 4, 4, 5, 6, 6};
    static const uint32_t bytes[] = {16384, 1,     65536, 65536, 32769, 65536,
                                     65536, 32769, 65536, 65536, 1};

    write_sample(&out, infohash);
    ck_assert_int_eq(parse(out.data, out.length, &meta), ERR_OK);
    for (uint32_t i = 0; i < 11; i++) {
        ck_assert_uint_eq(metainfo_file_of_piece(meta, i), file[i]);
        ck_assert_uint_eq(metainfo_piece_bytes(meta, i), bytes[i]);
    }
    ck_assert_ptr_eq(metainfo_piece_hash(meta, 0), meta->files[0].root);
    ck_assert_ptr_eq(metainfo_piece_hash(meta, 4), meta->files[3].layer + 2 * HASH_LENGTH);
    ck_assert_ptr_eq(metainfo_piece_hash(meta, 10), meta->files[6].layer + HASH_LENGTH);
    metainfo_free(meta);
    buf_done(&out);
}
END_TEST

START_TEST(paths_not_in_the_torrent_are_not_found)
{
    struct buf out;
    uint8_t infohash[HASH_LENGTH];
    struct metainfo *meta;

    write_sample(&out, infohash);
    ck_assert_int_eq(parse(out.data, out.length, &meta), ERR_OK);
    ck_assert_uint_eq(metainfo_find_path(meta, "", 0), UINT32_MAX);
    ck_assert_uint_eq(metainfo_find_path(meta, "a", 1), UINT32_MAX);
    ck_assert_uint_eq(metainfo_find_path(meta, "d", 1), UINT32_MAX);
    ck_assert_uint_eq(metainfo_find_path(meta, "d/", 2), UINT32_MAX);
    ck_assert_uint_eq(metainfo_find_path(meta, "a.txt\0", 6), UINT32_MAX);
    ck_assert_uint_eq(metainfo_find_path(meta, "a.txt", 4), UINT32_MAX);
    ck_assert_uint_eq(metainfo_find_path(meta, "zz", 2), UINT32_MAX);
    ck_assert_uint_eq(metainfo_find_path(meta, "zz", 1), 6);
    metainfo_free(meta);
    buf_done(&out);
}
END_TEST

START_TEST(equal_input_gives_equal_bytes)
{
    struct buf a, b;
    uint8_t infohash[HASH_LENGTH];

    write_sample(&a, infohash);
    write_sample(&b, infohash);
    ck_assert(span_equal(span_of(a.data, a.length), span_of(b.data, b.length)));
    /* What stock clients read stands outside `info`. */
    static const char start[] = "d8:announce18:http://t.example/a13:announce-listl"
                                "l18:http://t.example/ael18:http://u.example/aee4:infod";
    static const char end[] = "8:url-listl21:https://game.example/ee";
    ck_assert_mem_eq(a.data, start, strlen(start));
    ck_assert_mem_eq(a.data + a.length - strlen(end), end, strlen(end));
    buf_done(&a);
    buf_done(&b);
}
END_TEST

/* --- hand-made torrents */

static const char root[] = "0123456789abcdef0123456789ABCDEF";

/* A torrent with this file tree, these further info keys and these top keys. */
static enum err craft(const char *tree, const char *piece_length, const char *top)
{
    struct buf out;
    struct metainfo *meta;

    buf_init(&out, LIMIT_TORRENT);
    buf_printf(&out, "d4:infod9:file tree%s12:meta versioni2e4:name1:n12:piece length%se%se", tree,
               piece_length, top);
    enum err err = parse(out.data, out.length, &meta);
    metainfo_free(meta);
    buf_done(&out);
    return err;
}

static enum err craft_tree(const char *tree)
{
    return craft(tree, "i65536e", "");
}

static char *file_tree(const char *name, size_t name_length)
{
    return mem_printf("d%zu:%.*sd0:d6:lengthi5e11:pieces root32:%seee", name_length,
                      (int)name_length, name, root);
}

START_TEST(hostile_names_are_refused)
{
    static const char *const bad[] = {".",    "..",   "a/b",      "/",       "a\\b",
                                      "\x01", "\x7f", "\xff\xfe", "\xc0\xaf"};
    char *tree = file_tree("good", 4);
    ck_assert_int_eq(craft_tree(tree), ERR_OK);
    mem_free(tree);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tree = file_tree(bad[i], strlen(bad[i]));
        ck_assert_msg(craft_tree(tree) == ERR_BAD_NAME, "%s", bad[i]);
        mem_free(tree);
    }
    /* The torrent's own name is a path segment as well. */
    struct metainfo *meta;
    static const char named[] = "d4:infod9:file treed1:ad0:d6:lengthi0eeee12:meta versioni2e"
                                "4:name2:..12:piece lengthi65536eee";
    ck_assert_int_eq(parse(named, strlen(named), &meta), ERR_BAD_NAME);
}
END_TEST

START_TEST(long_and_deep_paths_are_refused)
{
    struct buf tree;

    for (unsigned depth = LIMIT_PATH_DEPTH; depth <= LIMIT_PATH_DEPTH + 1; depth++) {
        buf_init(&tree, MIB(1));
        for (unsigned i = 0; i < depth; i++)
            buf_put_text(&tree, "d1:a");
        buf_put_text(&tree, "d0:d6:lengthi0eee");
        for (unsigned i = 0; i < depth; i++)
            buf_put_u8(&tree, 'e');
        buf_put_u8(&tree, 0);
        ck_assert_int_eq(craft_tree((const char *)tree.data),
                         depth > LIMIT_PATH_DEPTH ? ERR_TOO_DEEP : ERR_OK);
        buf_done(&tree);
    }
    char name[LIMIT_PATH];
    memset(name, 'n', sizeof name);
    for (size_t length = LIMIT_PATH - 2; length < LIMIT_PATH; length++) {
        char *text = mem_printf("d1:ad%zu:%.*sd0:d6:lengthi0eeeee", length, (int)length, name);
        ck_assert_int_eq(craft_tree(text), length + 2 > LIMIT_PATH ? ERR_TOO_LARGE : ERR_OK);
        mem_free(text);
    }
}
END_TEST

START_TEST(bad_trees_are_refused)
{
    static const struct {
        const char *tree;
        enum err err;
    } bad[] = {
        {"de", ERR_MISSING},
        {"le", ERR_SYNTAX},
        {"d0:d6:lengthi0eee", ERR_SYNTAX},                          /* the root is no file */
        {"d1:ade3:bbbd0:d6:lengthi0eeee", ERR_SYNTAX},              /* an empty folder */
        {"d1:ad0:d6:lengthi0ee1:bd0:d6:lengthi0eeeee", ERR_SYNTAX}, /* a file with siblings */
        {"d1:ad0:deee", ERR_MISSING},                               /* no length */
        {"d1:ad0:d6:lengthi5eeee", ERR_MISSING},                    /* no root */
        {"d1:ad0:d6:lengthi-1eeee", ERR_RANGE},
        {"d1:ad0:d6:lengthi0e11:pieces root32:0123456789abcdef0123456789ABCDEFeee",
         ERR_NONCANONICAL},
        {"d1:ad0:d6:lengthi5e11:pieces root31:0123456789abcdef0123456789ABCDEeee", ERR_SYNTAX},
        {"d1:ad0:d6:lengthi5e11:pieces rooti7eeee", ERR_SYNTAX},
        {"d1:ad0:d6:lengthi1099511627777e11:pieces root32:0123456789abcdef0123456789ABCDEFeee",
         ERR_TOO_LARGE},
        {"d1:ad0:d4:attr1:l6:lengthi0eeee", ERR_UNSUPPORTED},
        {"d1:ad0:d4:attr2:xp6:lengthi0eeee", ERR_UNSUPPORTED},
        {"d1:bd0:d6:lengthi0eee1:ad0:d6:lengthi0eeee", ERR_NONCANONICAL},
        {"d1:ad0:d6:lengthi0eee1:ad0:d6:lengthi0eeee", ERR_DUPLICATE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(craft_tree(bad[i].tree) == bad[i].err, "%s: %s", bad[i].tree,
                      err_name(craft_tree(bad[i].tree)));
    ck_assert_int_eq(craft_tree("d1:ad0:d4:attr1:x6:lengthi0e5:other1:?eee"), ERR_OK);
}
END_TEST

START_TEST(piece_lengths_are_checked)
{
    static const char tree[] = "d1:ad0:d6:lengthi0eeee";

    ck_assert_int_eq(craft(tree, "i16384e", ""), ERR_OK);
    ck_assert_int_eq(craft(tree, "i16777216e", ""), ERR_OK);
    ck_assert_int_eq(craft(tree, "i33554432e", ""), ERR_TOO_LARGE);
    ck_assert_int_eq(craft(tree, "i8192e", ""), ERR_RANGE);
    ck_assert_int_eq(craft(tree, "i65537e", ""), ERR_RANGE);
    ck_assert_int_eq(craft(tree, "i-65536e", ""), ERR_RANGE);
    ck_assert_int_eq(craft(tree, "i-9223372036854775808e", ""), ERR_RANGE);
}
END_TEST

static enum err parse_text(const char *text)
{
    struct metainfo *meta;
    enum err err = parse(text, strlen(text), &meta);
    metainfo_free(meta);
    return err;
}

START_TEST(only_version_2_is_read)
{
    /* v1, as most torrents are */
    ck_assert_int_eq(parse_text("d8:announce1:x4:infod6:lengthi5e4:name1:a12:piece lengthi16384e"
                                "6:pieces20:01234567890123456789ee"),
                     ERR_UNSUPPORTED);
    /* hybrid */
    ck_assert_int_eq(parse_text("d4:infod9:file treed1:ad0:d6:lengthi0eeee6:lengthi0e"
                                "12:meta versioni2e4:name1:a12:piece lengthi16384e6:pieces0:ee"),
                     ERR_UNSUPPORTED);
    /* a version to come: said before anything else is looked at */
    ck_assert_int_eq(parse_text("d4:infod9:file treei5e12:meta versioni3ee"), ERR_TRUNCATED);
    ck_assert_int_eq(parse_text("d4:infod9:file treei5e12:meta versioni3eee"), ERR_UNSUPPORTED);
    ck_assert_int_eq(parse_text("d4:infod9:file treei5e12:meta versioni2eee"), ERR_MISSING);
    ck_assert_int_eq(parse_text("de"), ERR_MISSING);
    ck_assert_int_eq(parse_text("d4:infolee"), ERR_SYNTAX);
    ck_assert_int_eq(parse_text("d4:infodee"), ERR_UNSUPPORTED);
    ck_assert_int_eq(parse_text("<html>"), ERR_SYNTAX);
    ck_assert_int_eq(parse_text(""), ERR_TRUNCATED);
}
END_TEST

/* --- piece layers */

/* Two files of two pieces each, "a" with root A and "b" with root B (or A); the layers dict is
 * the test's. */
struct layered {
    struct metainfo_entry a, b;
};

static enum err craft_layers(const struct metainfo_entry *a, const struct metainfo_entry *b,
                             void (*put)(const struct layered *, struct buf *))
{
    struct buf out;
    struct metainfo *meta;
    struct layered layered = {*a, *b};

    buf_init(&out, MIB(1));
    buf_put_text(&out, "d4:infod9:file treed");
    for (int i = 0; i < 2; i++) {
        const struct metainfo_entry *entry = i == 0 ? a : b;
        buf_printf(&out, "1:%cd0:d6:lengthi%llue11:pieces root32:", 'a' + i,
                   (unsigned long long)entry->length);
        buf_put(&out, entry->root, HASH_LENGTH);
        buf_put_text(&out, "ee");
    }
    buf_put_text(&out, "e12:meta versioni2e4:name1:n12:piece lengthi65536ee12:piece layersd");
    put(&layered, &out);
    buf_put_text(&out, "ee");
    enum err err = parse(out.data, out.length, &meta);
    metainfo_free(meta);
    buf_done(&out);
    return err;
}

static void put_layer(const struct metainfo_entry *entry, size_t length, struct buf *out)
{
    buf_put_text(out, "32:");
    buf_put(out, entry->root, HASH_LENGTH);
    buf_printf(out, "%zu:", length);
    buf_put(out, entry->layer, length);
}

static const struct metainfo_entry *lower(const struct layered *two)
{
    return memcmp(two->a.root, two->b.root, HASH_LENGTH) <= 0 ? &two->a : &two->b;
}

static const struct metainfo_entry *upper(const struct layered *two)
{
    return lower(two) == &two->a ? &two->b : &two->a;
}

static void put_both(const struct layered *two, struct buf *out)
{
    put_layer(lower(two), 64, out);
    put_layer(upper(two), 64, out);
}

static void put_none(const struct layered *two, struct buf *out)
{
    (void)two, (void)out;
}

static void put_lower(const struct layered *two, struct buf *out)
{
    put_layer(lower(two), 64, out);
}

static void put_upper(const struct layered *two, struct buf *out)
{
    put_layer(upper(two), 64, out);
}

static void put_unsorted(const struct layered *two, struct buf *out)
{
    put_layer(upper(two), 64, out);
    put_layer(lower(two), 64, out);
}

static void put_twice(const struct layered *two, struct buf *out)
{
    put_layer(lower(two), 64, out);
    put_layer(lower(two), 64, out);
}

static void put_short(const struct layered *two, struct buf *out)
{
    put_layer(lower(two), 32, out);
    put_layer(upper(two), 64, out);
}

static void put_long(const struct layered *two, struct buf *out)
{
    put_layer(lower(two), 64, out);
    put_layer(upper(two), 96, out);
}

static void put_swapped(const struct layered *two, struct buf *out)
{
    struct metainfo_entry low = *lower(two), high = *upper(two);
    low.layer = upper(two)->layer;
    high.layer = lower(two)->layer;
    put_layer(&low, 64, out);
    put_layer(&high, 64, out);
}

static void put_extra(const struct layered *two, struct buf *out)
{
    put_both(two, out);
    buf_put_text(out, "32:\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    buf_printf(out, "64:%s%s", root, root);
}

static void put_extra_first(const struct layered *two, struct buf *out)
{
    buf_put_text(out, "32:\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
                      "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01");
    buf_printf(out, "64:%s%s", root, root);
    put_both(two, out);
}

static void put_odd_key(const struct layered *two, struct buf *out)
{
    buf_printf(out, "0:64:%s%s", root, root);
    put_both(two, out);
}

static void put_number(const struct layered *two, struct buf *out)
{
    buf_put_text(out, "32:");
    buf_put(out, lower(two)->root, HASH_LENGTH);
    buf_put_text(out, "i1e");
}

START_TEST(piece_layers_are_exact)
{
    struct metainfo_entry a, b, *two[] = {&a, &b};
    static const struct {
        void (*put)(const struct layered *, struct buf *);
        enum err err;
    } cases[] = {
        {put_both, ERR_OK},        {put_none, ERR_MISSING},          {put_lower, ERR_MISSING},
        {put_upper, ERR_MISSING},  {put_unsorted, ERR_NONCANONICAL}, {put_twice, ERR_DUPLICATE},
        {put_short, ERR_MISMATCH}, {put_long, ERR_MISMATCH},         {put_swapped, ERR_BAD_HASH},
        {put_extra, ERR_MISMATCH}, {put_extra_first, ERR_MISMATCH},  {put_odd_key, ERR_SYNTAX},
        {put_number, ERR_MISSING}, /* so few bytes cannot be two layers */
    };

    make_entry(two[0], "a", 65537);
    make_entry(two[1], "b", 65538);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum err err = craft_layers(&a, &b, cases[i].put);
        ck_assert_msg(err == cases[i].err, "case %zu: %s", i, err_name(err));
    }
    /* Two files, one content: one entry. */
    ck_assert_int_eq(craft_layers(&a, &a, put_lower), ERR_OK);
    ck_assert_int_eq(craft_layers(&a, &a, put_both), ERR_DUPLICATE);
    /* One root, two lengths: one of them is a lie, and files are stored by root. */
    struct metainfo_entry lie = a;
    lie.length = 65539;
    ck_assert_int_eq(craft_layers(&a, &lie, put_lower), ERR_MISMATCH);
    lie.length = 5;
    ck_assert_int_eq(craft_layers(&a, &lie, put_lower), ERR_MISMATCH);
    mem_free((void *)(uintptr_t)a.layer);
    mem_free((void *)(uintptr_t)b.layer);
}
END_TEST

START_TEST(a_file_of_one_piece_needs_no_layer)
{
    char *tree = file_tree("a", 1);
    char *extra = mem_printf("12:piece layersd32:%s32:%se", root, root);

    ck_assert_int_eq(craft(tree, "i65536e", "12:piece layersde"), ERR_OK);
    ck_assert_int_eq(craft(tree, "i65536e", extra), ERR_MISMATCH);
    ck_assert_int_eq(craft(tree, "i65536e", "12:piece layersle"), ERR_SYNTAX);
    mem_free(tree);
    mem_free(extra);
}
END_TEST

/* --- caps */

START_TEST(huge_claims_cost_nothing)
{
    struct buf tree;
    char *one;

    /* A file of 2^26 pieces without a byte of layer. */
    one = mem_printf("d1:ad0:d6:lengthi1099511627776e11:pieces root32:%seee", root);
    ck_assert_int_eq(craft(one, "i16384e", ""), ERR_TOO_LARGE); /* too many pieces */
    ck_assert_int_eq(craft(one, "i1048576e", ""), ERR_MISSING);
    mem_free(one);

    /* Many files in a folder of a long name. */
    buf_init(&tree, MIB(8));
    char name[2001];
    memset(name, 'n', 2000);
    name[2000] = '\0';
    buf_printf(&tree, "d2000:%sd", name);
    for (int i = 0; i < 70000; i++)
        buf_printf(&tree, "8:%08dd0:d6:lengthi0eee", i);
    buf_put(&tree, "ee", 3);
    ck_assert_int_eq(craft_tree((const char *)tree.data), ERR_TOO_LARGE);
    buf_done(&tree);

    /* Too many files. */
    buf_init(&tree, LIMIT_TORRENT - 1000);
    buf_put_u8(&tree, 'd');
    for (unsigned i = 0; i <= LIMIT_TORRENT_FILES; i++)
        buf_printf(&tree, "7:%07ud0:d6:lengthi0eee", i);
    buf_put(&tree, "e", 2);
    ck_assert(!tree.failed);
    ck_assert_int_eq(craft_tree((const char *)tree.data), ERR_TOO_LARGE);
    buf_done(&tree);
}
END_TEST

START_TEST(a_torrent_over_the_cap_is_not_looked_at)
{
    struct metainfo *meta = NULL;
    uint8_t *data = mem_zalloc(LIMIT_TORRENT + 1);
    ck_assert_int_eq(metainfo_parse(data, LIMIT_TORRENT + 1, &meta), ERR_TOO_LARGE);
    ck_assert_ptr_null(meta);
    mem_free(data);
}
END_TEST

/* --- damage */

START_TEST(truncation_at_every_byte)
{
    struct buf out;
    uint8_t infohash[HASH_LENGTH];
    struct metainfo *meta;

    write_sample(&out, infohash);
    for (size_t i = 0; i < out.length; i++)
        ck_assert_msg(parse(out.data, i, &meta) == ERR_TRUNCATED, "at %zu", i);
    buf_done(&out);
}
END_TEST

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Damage inside `info` changes the info-hash or is refused; in the layers it is refused. */
START_TEST(random_mutations)
{
    struct buf out;
    uint8_t infohash[HASH_LENGTH];
    const char *env = getenv("TEST_SEED");
    uint64_t seed = env != NULL ? strtoull(env, NULL, 10) : (uint64_t)time(NULL) << 8 | 1;
    uint64_t state = seed;

    fprintf(stderr, "# TEST_SEED=%llu\n", (unsigned long long)seed);
    write_sample(&out, infohash);
    uint8_t *copy = mem_alloc(out.length);
    for (int round = 0; round < 20000; round++) {
        struct metainfo *meta = NULL;
        memcpy(copy, out.data, out.length);
        for (uint64_t n = 1 + next_random(&state) % 3; n > 0; n--)
            copy[next_random(&state) % out.length] = (uint8_t)next_random(&state);
        if (metainfo_parse(copy, out.length, &meta) != ERR_OK)
            continue;
        struct span info;
        bool same_info = metainfo_find_info(span_of(copy, out.length), &info) == ERR_OK &&
                         info.length == meta->info_length;
        ck_assert_msg(same_info, "seed %llu round %d", (unsigned long long)seed, round);
        metainfo_free(meta);
    }
    mem_free(copy);
    buf_done(&out);
}
END_TEST

/* --- the writer's refusals */

static enum err write_paths(const char *const *paths, size_t count)
{
    struct metainfo_entry entries[4] = {{0}};
    struct buf out;
    uint8_t infohash[HASH_LENGTH];

    for (size_t i = 0; i < count; i++)
        entries[i] = (struct metainfo_entry){.path = paths[i]};
    buf_init(&out, MIB(1));
    enum err err = metainfo_write("n", PIECE, entries, count, NULL, 0, NULL, 0, &out, infohash);
    buf_done(&out);
    return err;
}

START_TEST(writer_refuses_what_it_could_not_read)
{
    static const char *const good[] = {"a/b", "a-b", "a.b"};
    static const char *const twice[] = {"a/b", "x", "a/b"};
    static const char *const folder[] = {"a/b", "a-b", "a"};
    static const char *const bad[] = {"",    "/a",   "a/",   "a//b", "..",
                                      "./a", "a/..", "a\\b", "a\nb", "\xff"};

    ck_assert_int_eq(write_paths(good, 3), ERR_OK);
    ck_assert_int_eq(write_paths(good, 0), ERR_MISSING);
    ck_assert_int_eq(write_paths(twice, 3), ERR_DUPLICATE);
    ck_assert_int_eq(write_paths(folder, 3), ERR_DUPLICATE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(write_paths(&bad[i], 1) == ERR_BAD_NAME, "%s", bad[i]);
}
END_TEST

START_TEST(writer_checks_numbers_and_layers)
{
    struct metainfo_entry two[2] = {{.path = "a", .length = 70000}, {.path = "b", .length = 5}};
    struct buf out;
    uint8_t hash[HASH_LENGTH], layer[2 * HASH_LENGTH] = {0};

    buf_init(&out, MIB(1));
    ck_assert_int_eq(metainfo_write("n", PIECE, two, 2, NULL, 0, NULL, 0, &out, hash),
                     ERR_MISSING); /* no layer */
    two[0].layer = layer;
    ck_assert_int_eq(metainfo_write("n", PIECE, two, 2, NULL, 0, NULL, 0, &out, hash),
                     ERR_MISMATCH); /* one root, two lengths */
    ck_assert_int_eq(metainfo_write("n", 65537, two, 2, NULL, 0, NULL, 0, &out, hash), ERR_RANGE);
    ck_assert_int_eq(metainfo_write("n", 8192, two, 2, NULL, 0, NULL, 0, &out, hash), ERR_RANGE);
    ck_assert_int_eq(metainfo_write("a/b", PIECE, two, 2, NULL, 0, NULL, 0, &out, hash),
                     ERR_BAD_NAME);
    two[0].length = LIMIT_FILE_LENGTH + 1;
    ck_assert_int_eq(metainfo_write("n", PIECE, two, 2, NULL, 0, NULL, 0, &out, hash),
                     ERR_TOO_LARGE);
    buf_done(&out);
}
END_TEST

TEST_MAIN("wire.metainfo",
          TESTS(infohash_is_that_of_libtorrent, parsed_as_written, pieces_belong_to_their_files,
                paths_not_in_the_torrent_are_not_found, equal_input_gives_equal_bytes,
                hostile_names_are_refused, long_and_deep_paths_are_refused, bad_trees_are_refused,
                piece_lengths_are_checked, only_version_2_is_read, piece_layers_are_exact,
                a_file_of_one_piece_needs_no_layer, huge_claims_cost_nothing,
                a_torrent_over_the_cap_is_not_looked_at, truncation_at_every_byte, random_mutations,
                writer_refuses_what_it_could_not_read, writer_checks_numbers_and_layers))
