/* Reading a .torrent of BEP 52. Keys that are not named here are passed over.
 *
 *   dict
 *     "info"             dict; the info-hash is over its exact bytes
 *       "file tree"      dict: name -> node; node = dict of names, or a file: {"": dict}
 *         "attr"         bytes, optional: "l" and "p" are refused (BEP 47)
 *         "length"       integer >= 0
 *         "pieces root"  32 bytes; only when length > 0
 *       "meta version"   integer, 2
 *       "name"           bytes, a path segment
 *       "piece length"   integer, a power of two >= 16384
 *     "piece layers"     dict: root -> 32 bytes a piece, for each file of two or more pieces
 */
#include "base/limits.h"
#include "base/mem.h"
#include "wire/bencode.h"
#include "wire/metainfo_layers.h"
#include "wire/url.h"

#include <stdlib.h>
#include <string.h>

/* --- outline: the slices and numbers outside the file tree */

struct outline {
    struct span info, layers, tree, name;
    int64_t meta_version, piece_length;
    bool v1; /* keys of BEP 3, whether alone or beside BEP 52's */
};

static void read_info(struct bencode *in, struct outline *ret)
{
    struct span key = {NULL, 0};
    const uint8_t *start = in->at;

    bencode_enter_dict(in);
    while (bencode_next_key(in, &key)) {
        if (span_is(key, "file tree"))
            ret->tree = bencode_skip(in);
        else if (span_is(key, "meta version"))
            ret->meta_version = bencode_int(in);
        else if (span_is(key, "name"))
            ret->name = bencode_bytes(in);
        else if (span_is(key, "piece length"))
            ret->piece_length = bencode_int(in);
        else {
            ret->v1 |= span_is(key, "pieces") || span_is(key, "files") || span_is(key, "length");
            bencode_skip(in);
        }
    }
    ret->info = span_of(start, (size_t)(in->at - start));
}

static enum err read_outline(const uint8_t *data, size_t length, struct outline *ret)
{
    struct bencode in;
    struct span key = {NULL, 0};

    *ret = (struct outline){.layers = span_text("de")};
    bencode_init(&in, data, length);
    bencode_enter_dict(&in);
    while (bencode_next_key(&in, &key)) {
        if (span_is(key, "info"))
            read_info(&in, ret);
        else if (span_is(key, "piece layers"))
            ret->layers = bencode_skip(&in);
        else
            bencode_skip(&in);
    }
    return bencode_finish(&in);
}

static enum err check_piece_length(int64_t length)
{
    if (length > LIMIT_PIECE_LENGTH)
        return ERR_TOO_LARGE;
    if (length < (int64_t)BLOCK_LENGTH || (length & (length - 1)) != 0)
        return ERR_RANGE;
    return ERR_OK;
}

static enum err check_outline(const struct outline *outline)
{
    if (outline->info.data == NULL)
        return ERR_MISSING;
    /* First of all, because another version may mean other things by the same keys. */
    if (outline->meta_version != 2 || outline->v1)
        return ERR_UNSUPPORTED;
    if (outline->tree.data == NULL || outline->name.data == NULL || outline->piece_length == 0)
        return ERR_MISSING;
    if (!path_segment_ok((const char *)outline->name.data, outline->name.length))
        return ERR_BAD_NAME;
    return check_piece_length(outline->piece_length);
}

/* --- file tree: walked twice, to count and check, then to fill */

struct walk {
    struct bencode in;
    char path[LIMIT_PATH + 1];
    size_t path_length;
    unsigned depth;
    uint32_t piece_length;
    uint64_t files, pieces, path_bytes, bytes;
    struct metainfo *meta; /* NULL in the first walk */
};

struct node {
    bool has_length;
    uint64_t length;
    struct span root;
};

static void check_node(struct bencode *in, const struct node *node)
{
    if (!node->has_length || (node->length > 0 && node->root.data == NULL))
        bencode_fail(in, ERR_MISSING);
    else if (node->length > LIMIT_FILE_LENGTH)
        bencode_fail(in, ERR_TOO_LARGE);
    else if (node->root.data != NULL && node->root.length != HASH_LENGTH)
        bencode_fail(in, ERR_SYNTAX);
    else if (node->root.data != NULL && node->length == 0)
        bencode_fail(in, ERR_NONCANONICAL);
}

static void read_node(struct bencode *in, struct node *ret)
{
    struct span key = {NULL, 0};

    *ret = (struct node){0};
    bencode_enter_dict(in);
    while (bencode_next_key(in, &key)) {
        if (span_is(key, "length")) {
            ret->length = (uint64_t)bencode_int_in(in, 0, INT64_MAX);
            ret->has_length = true;
        } else if (span_is(key, "pieces root")) {
            ret->root = bencode_bytes(in);
        } else if (span_is(key, "attr")) {
            struct span attr = bencode_bytes(in);
            if (attr.length > 0 &&
                (memchr(attr.data, 'l', attr.length) || memchr(attr.data, 'p', attr.length)))
                bencode_fail(in, ERR_UNSUPPORTED);
        } else {
            bencode_skip(in);
        }
    }
    check_node(in, ret);
}

static void fill_file(struct walk *walk, const struct node *node, uint32_t pieces)
{
    struct metainfo *meta = walk->meta;
    struct metainfo_file *file = &meta->files[walk->files];
    char *path = meta->paths + walk->path_bytes;

    memcpy(path, walk->path, walk->path_length);
    path[walk->path_length] = '\0';
    file->path = path;
    file->length = node->length;
    if (node->length > 0)
        memcpy(file->root, node->root.data, HASH_LENGTH);
    file->first_piece = (uint32_t)walk->pieces;
    file->pieces = pieces;
}

static void walk_file(struct walk *walk)
{
    struct node node;

    read_node(&walk->in, &node);
    if (walk->in.err != ERR_OK)
        return;
    uint64_t pieces = (node.length + walk->piece_length - 1) / walk->piece_length;
    if (walk->meta != NULL)
        fill_file(walk, &node, (uint32_t)pieces);
    walk->files++;
    walk->pieces += pieces;
    walk->path_bytes += walk->path_length + 1;
    walk->bytes += node.length;
    if (walk->files > LIMIT_TORRENT_FILES || walk->pieces > LIMIT_TORRENT_PIECES ||
        walk->path_bytes > LIMIT_TORRENT_PATHS)
        bencode_fail(&walk->in, ERR_TOO_LARGE);
}

static bool push_name(struct walk *walk, struct span name)
{
    size_t slash = walk->path_length > 0;

    if (walk->depth > LIMIT_PATH_DEPTH)
        bencode_fail(&walk->in, ERR_TOO_DEEP);
    else if (!path_segment_ok((const char *)name.data, name.length))
        bencode_fail(&walk->in, ERR_BAD_NAME);
    else if (walk->path_length + slash + name.length > LIMIT_PATH)
        bencode_fail(&walk->in, ERR_TOO_LARGE);
    if (walk->in.err != ERR_OK)
        return false;
    if (slash)
        walk->path[walk->path_length++] = '/';
    memcpy(walk->path + walk->path_length, name.data, name.length);
    walk->path_length += name.length;
    return true;
}

/* A node: either one key "" (a file; it sorts before all others) or names, at least one.
 * Recursion goes no deeper than LIMIT_PATH_DEPTH. */
static void walk_tree(struct walk *walk)
{
    struct bencode *in = &walk->in;
    struct span name = {NULL, 0};
    size_t parent = walk->path_length;
    bool file = false;

    bencode_enter_dict(in);
    while (bencode_next_key(in, &name)) {
        if (file || (name.length == 0 && walk->depth == 0)) {
            bencode_fail(in, ERR_SYNTAX); /* a file with siblings, or no name at all */
        } else if (name.length == 0) {
            file = true;
            walk_file(walk);
        } else {
            walk->depth++;
            if (push_name(walk, name))
                walk_tree(walk);
            walk->depth--;
            walk->path_length = parent;
        }
    }
    if (name.data == NULL)
        bencode_fail(in, walk->depth == 0 ? ERR_MISSING : ERR_SYNTAX);
}

static void walk_start(struct walk *walk, const struct outline *outline, struct metainfo *meta)
{
    walk->path_length = walk->depth = 0;
    walk->files = walk->pieces = walk->path_bytes = walk->bytes = 0;
    walk->piece_length = (uint32_t)outline->piece_length;
    walk->meta = meta;
    bencode_init(&walk->in, outline->tree.data, outline->tree.length);
    walk_tree(walk);
}

static enum err read_tree(const struct outline *outline, struct metainfo *meta)
{
    struct walk walk;

    walk_start(&walk, outline, NULL);
    enum err err = bencode_finish(&walk.in);
    if (err != ERR_OK)
        return err;
    meta->file_count = (uint32_t)walk.files;
    meta->piece_count = (uint32_t)walk.pieces;
    meta->length = walk.bytes;
    meta->files = mem_calloc(walk.files, sizeof meta->files[0]);
    meta->paths = mem_alloc(walk.path_bytes);
    walk_start(&walk, outline, meta);
    return bencode_finish(&walk.in);
}

/* --- all of it */

static int compare_paths(const void *a, const void *b)
{
    const struct metainfo_file *const *x = a, *const *y = b;

    return strcmp((*x)->path, (*y)->path);
}

static void sort_paths(struct metainfo *meta)
{
    const struct metainfo_file **sorted = mem_calloc(meta->file_count, sizeof *sorted);

    for (uint32_t i = 0; i < meta->file_count; i++)
        sorted[i] = &meta->files[i];
    qsort(sorted, meta->file_count, sizeof *sorted, compare_paths);
    meta->by_path = mem_calloc(meta->file_count, sizeof meta->by_path[0]);
    for (uint32_t i = 0; i < meta->file_count; i++)
        meta->by_path[i] = (uint32_t)(sorted[i] - meta->files);
    mem_free(sorted);
}

/* bare: without the piece layers. */
static enum err make(const struct outline *outline, bool bare, struct metainfo **ret)
{
    enum err err = check_outline(outline);
    if (err != ERR_OK)
        return err;
    struct metainfo *meta = mem_zalloc(sizeof *meta);
    meta->piece_length = (uint32_t)outline->piece_length;
    err = read_tree(outline, meta);
    if (err == ERR_OK && !bare)
        err = metainfo_read_layers(outline->layers, meta);
    if (err != ERR_OK) {
        metainfo_free(meta);
        return err;
    }
    sort_paths(meta);
    sha256(outline->info.data, outline->info.length, meta->infohash);
    meta->name = mem_strndup((const char *)outline->name.data, outline->name.length);
    meta->info_length = (uint32_t)outline->info.length;
    *ret = meta;
    return ERR_OK;
}

enum err metainfo_parse(const uint8_t *data, size_t length, struct metainfo **ret)
{
    struct outline outline;

    if (length > LIMIT_TORRENT)
        return ERR_TOO_LARGE;
    enum err err = read_outline(data, length, &outline);
    return err == ERR_OK ? make(&outline, false, ret) : err;
}

enum err metainfo_parse_info(const uint8_t *data, size_t length, struct metainfo **ret)
{
    struct outline outline = {0};
    struct bencode in;

    if (length > LIMIT_TORRENT)
        return ERR_TOO_LARGE;
    bencode_init(&in, data, length);
    read_info(&in, &outline);
    enum err err = bencode_finish(&in);
    return err == ERR_OK ? make(&outline, true, ret) : err;
}

enum err metainfo_find_info(struct span torrent, struct span *ret_info)
{
    struct outline outline;
    enum err err = read_outline(torrent.data, torrent.length, &outline);

    if (err == ERR_OK && outline.info.data == NULL)
        err = ERR_MISSING;
    if (err == ERR_OK)
        *ret_info = outline.info;
    return err;
}
