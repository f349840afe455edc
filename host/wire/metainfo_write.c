/* Writing a v2-only .torrent of BEP 52; the layout stands in metainfo_parse.c. */
#include "base/limits.h"
#include "base/mem.h"
#include "wire/bencode.h"
#include "wire/metainfo.h"
#include "wire/url.h"

#include <stdlib.h>
#include <string.h>

/* --- checks */

static enum err check_path(const char *path)
{
    size_t length = strnlen(path, LIMIT_PATH + 1), start = 0;
    unsigned depth = 0;

    if (length > LIMIT_PATH)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && path[i] != '/')
            continue;
        if (!path_segment_ok(path + start, i - start))
            return ERR_BAD_NAME;
        if (++depth > LIMIT_PATH_DEPTH)
            return ERR_TOO_DEEP;
        start = i + 1;
    }
    return ERR_OK;
}

static enum err check_entry(const struct metainfo_entry *entry, uint32_t piece_length)
{
    if (entry->length > LIMIT_FILE_LENGTH)
        return ERR_TOO_LARGE;
    if (entry->length > piece_length && entry->layer == NULL)
        return ERR_MISSING;
    return check_path(entry->path);
}

static enum err check_entries(const struct metainfo_entry *entries, size_t count,
                              uint32_t piece_length)
{
    uint64_t pieces = 0, path_bytes = 0;

    if (count == 0)
        return ERR_MISSING;
    for (size_t i = 0; i < count; i++) {
        enum err err = check_entry(&entries[i], piece_length);
        if (err != ERR_OK)
            return err;
        pieces += (entries[i].length + piece_length - 1) / piece_length;
        path_bytes += strlen(entries[i].path) + 1;
    }
    if (count > LIMIT_TORRENT_FILES || pieces > LIMIT_TORRENT_PIECES ||
        path_bytes > LIMIT_TORRENT_PATHS)
        return ERR_TOO_LARGE;
    return ERR_OK;
}

/* --- order */

/* The tree's order is that of each segment, so the end of a segment sorts before any byte:
 * first the end of the path, then '/'. */
static int tree_rank(char c)
{
    if (c == '\0')
        return 0;
    return c == '/' ? 1 : 2 + (uint8_t)c;
}

static int compare_tree(const void *a, const void *b)
{
    const struct metainfo_entry *const *x = a, *const *y = b;
    const char *p = (*x)->path, *q = (*y)->path;

    while (*p == *q && *p != '\0')
        p++, q++;
    return tree_rank(*p) - tree_rank(*q);
}

static int compare_roots(const void *a, const void *b)
{
    const struct metainfo_entry *const *x = a, *const *y = b;

    return memcmp((*x)->root, (*y)->root, HASH_LENGTH);
}

/* Sorted, the same path twice stands side by side, and so do a file and a folder of one name. */
static enum err check_twice(const struct metainfo_entry **sorted, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        size_t length = strlen(sorted[i - 1]->path);
        const char *path = sorted[i]->path;
        if (strncmp(path, sorted[i - 1]->path, length) == 0 &&
            (path[length] == '\0' || path[length] == '/'))
            return ERR_DUPLICATE;
    }
    return ERR_OK;
}

/* --- parts */

static void put_file(const struct metainfo_entry *entry, struct buf *out)
{
    bencode_put_dict(out);
    bencode_put_text(out, "");
    bencode_put_dict(out);
    bencode_put_text(out, "length");
    bencode_put_int(out, (int64_t)entry->length);
    if (entry->length > 0) {
        bencode_put_text(out, "pieces root");
        bencode_put_bytes(out, entry->root, HASH_LENGTH);
    }
    bencode_put_end(out);
    bencode_put_end(out);
}

/* The length of the folders, with their last '/', that both paths stand in. */
static size_t common_folder(const char *a, const char *b)
{
    size_t folder = 0;

    for (size_t i = 0; a[i] == b[i] && a[i] != '\0'; i++)
        if (a[i] == '/')
            folder = i + 1;
    return folder;
}

static void close_folders(const char *rest, struct buf *out)
{
    for (; (rest = strchr(rest, '/')) != NULL; rest++)
        bencode_put_end(out);
}

static void put_tree(const struct metainfo_entry **sorted, size_t count, struct buf *out)
{
    const char *last = "";

    bencode_put_dict(out);
    for (size_t i = 0; i < count; i++) {
        size_t common = common_folder(last, sorted[i]->path);
        const char *name = sorted[i]->path + common, *slash;
        close_folders(last + common, out);
        for (; (slash = strchr(name, '/')) != NULL; name = slash + 1) {
            bencode_put_bytes(out, name, (size_t)(slash - name));
            bencode_put_dict(out);
        }
        bencode_put_text(out, name);
        put_file(sorted[i], out);
        last = sorted[i]->path;
    }
    close_folders(last, out);
    bencode_put_end(out);
}

/* Sorts by root; equal files have one entry. */
static enum err put_layers(const struct metainfo_entry **sorted, size_t count,
                           uint32_t piece_length, struct buf *out)
{
    const struct metainfo_entry *last = NULL;

    qsort(sorted, count, sizeof *sorted, compare_roots);
    bencode_put_dict(out);
    for (size_t i = 0; i < count; i++) {
        if (sorted[i]->length == 0)
            continue;
        bool again = last != NULL && compare_roots(&last, &sorted[i]) == 0;
        if (again && last->length != sorted[i]->length)
            return ERR_MISMATCH;
        last = sorted[i];
        if (again || last->length <= piece_length)
            continue;
        bencode_put_bytes(out, last->root, HASH_LENGTH);
        bencode_put_bytes(out, last->layer,
                          (last->length + piece_length - 1) / piece_length * HASH_LENGTH);
    }
    bencode_put_end(out);
    return ERR_OK;
}

/* Each tracker is a tier of its own, tried in order (BEP 12). */
static void put_trackers(const char *const *trackers, size_t count, struct buf *out)
{
    if (count == 0)
        return;
    bencode_put_text(out, "announce");
    bencode_put_text(out, trackers[0]);
    if (count == 1)
        return;
    bencode_put_text(out, "announce-list");
    bencode_put_list(out);
    for (size_t i = 0; i < count; i++) {
        bencode_put_list(out);
        bencode_put_text(out, trackers[i]);
        bencode_put_end(out);
    }
    bencode_put_end(out);
}

static void put_web_seeds(const char *const *urls, size_t count, struct buf *out)
{
    if (count == 0)
        return;
    bencode_put_text(out, "url-list");
    bencode_put_list(out);
    for (size_t i = 0; i < count; i++)
        bencode_put_text(out, urls[i]);
    bencode_put_end(out);
}

static void put_info(const char *name, uint32_t piece_length, const struct metainfo_entry **sorted,
                     size_t count, struct buf *out, uint8_t ret_infohash[HASH_LENGTH])
{
    bencode_put_text(out, "info");
    size_t start = out->length;
    bencode_put_dict(out);
    bencode_put_text(out, "file tree");
    put_tree(sorted, count, out);
    bencode_put_text(out, "meta version");
    bencode_put_int(out, 2);
    bencode_put_text(out, "name");
    bencode_put_text(out, name);
    bencode_put_text(out, "piece length");
    bencode_put_int(out, piece_length);
    bencode_put_end(out);
    sha256(out->data + start, out->length - start, ret_infohash);
}

enum err metainfo_write(const char *name, uint32_t piece_length,
                        const struct metainfo_entry *entries, size_t count,
                        const char *const *trackers, size_t tracker_count,
                        const char *const *web_seeds, size_t web_seed_count, struct buf *out,
                        uint8_t ret_infohash[HASH_LENGTH])
{
    if (piece_length < BLOCK_LENGTH || piece_length > LIMIT_PIECE_LENGTH ||
        (piece_length & (piece_length - 1)) != 0)
        return ERR_RANGE;
    if (!path_segment_ok(name, strlen(name)))
        return ERR_BAD_NAME;
    enum err err = check_entries(entries, count, piece_length);
    if (err != ERR_OK)
        return err;
    const struct metainfo_entry **sorted = mem_calloc(count, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &entries[i];
    qsort(sorted, count, sizeof *sorted, compare_tree);
    err = check_twice(sorted, count);
    if (err != ERR_OK)
        goto out;
    size_t start = out->length;
    bencode_put_dict(out);
    put_trackers(trackers, tracker_count, out);
    put_info(name, piece_length, sorted, count, out, ret_infohash);
    bencode_put_text(out, "piece layers");
    err = put_layers(sorted, count, piece_length, out);
    put_web_seeds(web_seeds, web_seed_count, out);
    bencode_put_end(out);
    if (err == ERR_OK && (out->failed || out->length - start > LIMIT_TORRENT))
        err = ERR_TOO_LARGE;
out:
    mem_free(sorted);
    return err;
}
