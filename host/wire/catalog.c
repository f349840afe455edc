#include "wire/catalog.h"

#include "base/limits.h"
#include "base/mem.h"
#include "wire/url.h"

#include <assert.h>
#include <string.h>

/*   offset size
 *        0    4  "FCAT"
 *        4    1  version, 1
 *        5    1  level: 0 bundles, 1 index
 *        6    2  number of entries, at least 1
 *  each entry:
 *        0    2  p, the length of the first path, 1 .. LIMIT_PATH
 *        2    p  first path
 *      2+p   32  info-hash of a bundle; SHA-256 of a page
 *     34+p    8  bytes
 *  only of a bundle:
 *     42+p    4  files, 1 .. LIMIT_TORRENT_FILES
 *     46+p    4  piece length, a power of two, BLOCK_LENGTH .. LIMIT_PIECE_LENGTH
 * Nothing may follow the last entry. */

#define MAGIC       "FCAT"
#define VERSION     1
#define HEAD        8
#define ENTRY_MIN   (2 + 1 + HASH_LENGTH + 8)
#define PAGE_TARGET KIB(16) /* a page of bundles is closed before it is longer */
#define BYTES_MAX   ((UINT64_C(1) << 53) - 1)

static_assert(HEAD + ENTRY_MIN + LIMIT_PATH + 8 <= PAGE_TARGET, "any entry fits a page");
static_assert(LIMIT_CATALOG_PAGE / ENTRY_MIN <= UINT16_MAX, "entries can be counted");

/* --- checks that reading and writing share */

static enum err check_path(const char *path, size_t length)
{
    if (length == 0 || length > LIMIT_PATH)
        return length == 0 ? ERR_BAD_NAME : ERR_TOO_LARGE;
    return path_segments_ok(path, length) ? ERR_OK : ERR_BAD_NAME;
}

static enum err check_numbers(const struct catalog_entry *entry, enum catalog_level level)
{
    if (level == CATALOG_INDEX)
        return entry->bytes >= HEAD && entry->bytes <= LIMIT_CATALOG_PAGE ? ERR_OK : ERR_RANGE;
    uint32_t piece = entry->piece_length;
    if (entry->bytes > BYTES_MAX || entry->files == 0 || entry->files > LIMIT_TORRENT_FILES)
        return ERR_RANGE;
    if (piece < BLOCK_LENGTH || piece > LIMIT_PIECE_LENGTH || (piece & (piece - 1)) != 0)
        return ERR_RANGE;
    return ERR_OK;
}

/* --- reading */

/* *at: where in page->texts its path goes. */
static enum err read_entry(struct reader *in, enum catalog_level level, char **at,
                           struct catalog_entry *ret)
{
    struct span path = reader_take(in, reader_u16(in));
    struct span hash = reader_take(in, HASH_LENGTH);

    ret->bytes = reader_u64(in);
    if (level == CATALOG_BUNDLES) {
        ret->files = reader_u32(in);
        ret->piece_length = reader_u32(in);
    }
    if (in->failed)
        return ERR_TRUNCATED;
    enum err err = check_path((const char *)path.data, path.length);
    if (err != ERR_OK)
        return err;
    memcpy(*at, path.data, path.length);
    (*at)[path.length] = '\0';
    ret->first = *at;
    *at += path.length + 1;
    memcpy(ret->hash, hash.data, HASH_LENGTH);
    return check_numbers(ret, level);
}

static enum err read_entries(struct reader *in, enum catalog_level level, struct catalog_page *page)
{
    char *at = page->texts;

    for (uint32_t i = 0; i < page->count; i++) {
        struct catalog_entry *entry = &page->entries[i];
        enum err err = read_entry(in, level, &at, entry);
        if (err != ERR_OK)
            return err;
        if (i > 0 && strcmp(entry[-1].first, entry->first) >= 0)
            return ERR_NONCANONICAL;
    }
    return reader_left(in) == 0 ? ERR_OK : ERR_NONCANONICAL;
}

static enum err read_head(struct reader *in, enum catalog_level level, uint32_t *ret_count)
{
    struct span magic = reader_take(in, 4);
    uint8_t version = reader_u8(in), found = reader_u8(in);

    *ret_count = reader_u16(in);
    if (in->failed)
        return ERR_TRUNCATED;
    if (!span_is(magic, MAGIC))
        return ERR_SYNTAX;
    if (version != VERSION)
        return ERR_UNSUPPORTED;
    if (found != level)
        return ERR_MISMATCH;
    if (*ret_count == 0)
        return ERR_MISSING;
    return *ret_count <= reader_left(in) / ENTRY_MIN ? ERR_OK : ERR_TRUNCATED;
}

static enum err check_proof(struct span data, const struct catalog_expect *expect)
{
    uint8_t hash[HASH_LENGTH];

    if (data.length > LIMIT_CATALOG_PAGE)
        return ERR_TOO_LARGE;
    if (data.length != expect->bytes)
        return ERR_MISMATCH;
    sha256(data.data, data.length, hash);
    return memcmp(hash, expect->hash, HASH_LENGTH) == 0 ? ERR_OK : ERR_BAD_HASH;
}

static bool in_range(const struct catalog_page *page, const struct catalog_expect *expect)
{
    if (expect->first != NULL && strcmp(page->entries[0].first, expect->first) != 0)
        return false;
    return expect->end == NULL || strcmp(page->entries[page->count - 1].first, expect->end) < 0;
}

enum err catalog_page_parse(struct span data, const struct catalog_expect *expect,
                            struct catalog_page **ret)
{
    struct reader in;
    uint32_t count;
    enum err err = check_proof(data, expect);

    reader_init(&in, data.data, data.length);
    if (err == ERR_OK)
        err = read_head(&in, expect->level, &count);
    if (err != ERR_OK)
        return err;
    struct catalog_page *page = mem_zalloc(sizeof *page);
    page->count = count;
    page->entries = mem_calloc(count, sizeof *page->entries);
    page->texts = mem_alloc(data.length); /* a NUL takes less than what stands around a path */
    err = read_entries(&in, expect->level, page);
    if (err == ERR_OK && !in_range(page, expect))
        err = ERR_MISMATCH;
    if (err == ERR_OK)
        *ret = page;
    else
        catalog_page_free(page);
    return err;
}

void catalog_page_free(struct catalog_page *page)
{
    if (page == NULL)
        return;
    mem_free(page->entries);
    mem_free(page->texts);
    mem_free(page);
}

struct catalog_expect catalog_expect_page(const struct catalog_page *index, uint32_t entry)
{
    const struct catalog_entry *named = &index->entries[entry];
    struct catalog_expect expect = {
        .level = CATALOG_BUNDLES, .bytes = named->bytes, .first = named->first};

    memcpy(expect.hash, named->hash, HASH_LENGTH);
    if (entry + 1 < index->count)
        expect.end = named[1].first;
    return expect;
}

uint32_t catalog_find(const struct catalog_page *page, const char *path)
{
    uint32_t low = 0, high = page->count; /* entries before low are not behind path */

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(page->entries[middle].first, path) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : UINT32_MAX;
}

/* --- cutting */

/* The number of folders that both paths are in. */
static uint32_t common_folders(const char *a, const char *b)
{
    uint32_t folders = 0;

    for (; *a == *b && *a != '\0'; a++, b++)
        folders += *a == '/';
    return folders;
}

/* FNV-1a with a last mix, for an order that has nothing to do with the names' own. */
static uint32_t name_mark(const char *text)
{
    uint32_t hash = 2166136261u;

    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    hash = (hash ^ hash >> 16) * 0x85ebca6bu;
    return hash ^ hash >> 13;
}

size_t catalog_cut(const char *const *paths, size_t count, size_t start, size_t max)
{
    assert(max > 0);
    if (count - start <= max)
        return count;
    size_t best = start + max;
    uint64_t least = UINT64_MAX;
    for (size_t i = start + (max + 3) / 4; i <= start + max; i++) {
        uint64_t rank = (uint64_t)common_folders(paths[i - 1], paths[i]) << 32;
        rank |= name_mark(paths[i]);
        if (rank < least) {
            least = rank;
            best = i;
        }
    }
    return best;
}

/* --- writing */

struct writer {
    catalog_sink sink;
    void *user;
    struct buf page, index;
    const char *first; /* of the open page */
    uint16_t entries, pages;
};

static void put_entry(struct buf *out, const struct catalog_entry *entry, enum catalog_level level)
{
    size_t length = strlen(entry->first);

    buf_put_u16(out, (uint16_t)length);
    buf_put(out, entry->first, length);
    buf_put(out, entry->hash, HASH_LENGTH);
    buf_put_u64(out, entry->bytes);
    if (level == CATALOG_INDEX)
        return;
    buf_put_u32(out, entry->files);
    buf_put_u32(out, entry->piece_length);
}

/* The number of entries is filled in when the page is closed. */
static void put_head(struct buf *out, enum catalog_level level)
{
    buf_put_text(out, MAGIC);
    buf_put_u8(out, VERSION);
    buf_put_u8(out, (uint8_t)level);
    buf_put_u16(out, 0);
}

static enum err finish(struct writer *writer, struct buf *page, uint16_t entries,
                       uint8_t ret_hash[HASH_LENGTH])
{
    if (page->failed)
        return ERR_TOO_LARGE;
    page->data[6] = (uint8_t)(entries >> 8);
    page->data[7] = (uint8_t)entries;
    sha256(page->data, page->length, ret_hash);
    bool taken = writer->sink(writer->user, ret_hash, span_of(page->data, page->length));
    return taken ? ERR_OK : ERR_CANCELLED;
}

static enum err close_page(struct writer *writer)
{
    struct catalog_entry named = {.first = writer->first, .bytes = writer->page.length};
    enum err err = finish(writer, &writer->page, writer->entries, named.hash);

    put_entry(&writer->index, &named, CATALOG_INDEX);
    writer->pages++;
    writer->entries = 0;
    buf_clear(&writer->page);
    if (err == ERR_OK && writer->index.failed)
        err = ERR_TOO_LARGE;
    return err;
}

static enum err add_bundle(struct writer *writer, const struct catalog_entry *bundle)
{
    size_t length = ENTRY_MIN - 1 + 8 + strlen(bundle->first);
    enum err err = ERR_OK;

    if (writer->entries > 0 && writer->page.length + length > PAGE_TARGET)
        err = close_page(writer);
    if (err != ERR_OK)
        return err;
    if (writer->entries == 0) {
        writer->first = bundle->first;
        put_head(&writer->page, CATALOG_BUNDLES);
    }
    put_entry(&writer->page, bundle, CATALOG_BUNDLES);
    writer->entries++;
    return ERR_OK;
}

static enum err check_bundles(const struct catalog_entry *bundles, size_t count)
{
    enum err err = count > 0 ? ERR_OK : ERR_MISSING;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        err = check_path(bundles[i].first, strlen(bundles[i].first));
        if (err == ERR_OK)
            err = check_numbers(&bundles[i], CATALOG_BUNDLES);
        if (err == ERR_OK && i > 0 && strcmp(bundles[i - 1].first, bundles[i].first) >= 0)
            err = ERR_NONCANONICAL;
    }
    return err;
}

enum err catalog_write(const struct catalog_entry *bundles, size_t count, catalog_sink sink,
                       void *user, struct catalog_expect *ret_index)
{
    struct writer writer = {.sink = sink, .user = user};
    struct catalog_expect index = {.level = CATALOG_INDEX};
    enum err err = check_bundles(bundles, count);

    if (err != ERR_OK)
        return err;
    buf_init(&writer.page, PAGE_TARGET);
    buf_init(&writer.index, LIMIT_CATALOG_PAGE);
    put_head(&writer.index, CATALOG_INDEX);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = add_bundle(&writer, &bundles[i]);
    if (err == ERR_OK)
        err = close_page(&writer);
    if (err == ERR_OK)
        err = finish(&writer, &writer.index, writer.pages, index.hash);
    index.bytes = writer.index.length;
    index.first = bundles[0].first;
    if (err == ERR_OK)
        *ret_index = index;
    buf_done(&writer.page);
    buf_done(&writer.index);
    return err;
}
