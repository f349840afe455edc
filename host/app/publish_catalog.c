/* A folder with more files than every visitor should read the names of is cut into bundles, a
 * torrent each, and the release names a catalog of them (wire/catalog.h): a visitor then loads one
 * page of it, and the torrents of what its pages need. */
#include "app/cmd.h"
#include "app/publish.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define LARGE_FILES  10000 /* from so many on: a torrent of a megabyte for a page of a few files */
#define BUNDLE_FILES 1000  /* at most; a torrent of some 70 KB */

bool publish_is_large(const struct publish_files *files)
{
    return files->count > LARGE_FILES;
}

static void add_slice(struct publish_catalog *catalog, size_t start, size_t end,
                      const struct publish_files *files)
{
    struct publish_slice slice = {.start = start, .count = end - start};

    for (size_t i = start; i < end; i++)
        slice.bytes += (uint64_t)files->items[i].info.st_size;
    if ((catalog->slice_count & (catalog->slice_count - 1)) == 0)
        catalog->slices =
            mem_realloc(catalog->slices, (2 * catalog->slice_count + 1) * sizeof slice);
    catalog->slices[catalog->slice_count++] = slice;
}

uint32_t publish_catalog_cut(const struct publish_files *files, struct publish_catalog *catalog)
{
    const char **paths = mem_calloc(files->count, sizeof *paths);
    uint64_t most = 0;

    for (size_t i = 0; i < files->count; i++)
        paths[i] = files->items[i].path;
    for (size_t at = 0; at < files->count;) {
        size_t end = catalog_cut(paths, files->count, at, BUNDLE_FILES);
        add_slice(catalog, at, end, files);
        at = end;
    }
    mem_free(paths);
    for (size_t i = 0; i < catalog->slice_count; i++)
        most = catalog->slices[i].bytes > most ? catalog->slices[i].bytes : most;
    return publish_piece_length(most);
}

static void add_page(struct publish_catalog *catalog, const uint8_t *hash, struct span data)
{
    struct publish_page page;
    char hex[HEX_LENGTH(HASH_LENGTH)];

    hex_encode(hex, hash, HASH_LENGTH);
    snprintf(page.name, sizeof page.name, "%s.catalog", hex);
    buf_init(&page.data, data.length);
    buf_put(&page.data, data.data, data.length);
    catalog->pages =
        mem_realloc(catalog->pages, (catalog->page_count + 1) * sizeof *catalog->pages);
    catalog->pages[catalog->page_count++] = page;
}

static bool take_page(void *user, const uint8_t hash[HASH_LENGTH], struct span data)
{
    add_page(user, hash, data);
    return true;
}

static bool write_pages(const struct publish_files *files, uint32_t piece_length,
                        struct publish_plan *plan)
{
    struct publish_catalog *catalog = &plan->catalog;
    struct catalog_entry *entries = mem_calloc(catalog->slice_count, sizeof *entries);
    struct catalog_expect index;

    for (size_t i = 0; i < catalog->slice_count; i++) {
        const struct publish_slice *slice = &catalog->slices[i];
        entries[i] = (struct catalog_entry){.first = files->items[slice->start].path,
                                            .bytes = slice->bytes,
                                            .files = (uint32_t)slice->count,
                                            .piece_length = piece_length};
        memcpy(entries[i].hash, slice->bundle.infohash, HASH_LENGTH);
    }
    enum err err = catalog_write(entries, catalog->slice_count, take_page, catalog, &index);
    mem_free(entries);
    if (err != ERR_OK)
        return cmd_fail("the catalog of %zu bundles cannot be made: %s", catalog->slice_count,
                        err_text(err)) == CMD_OK;
    memcpy(plan->release.catalog.sha256, index.hash, HASH_LENGTH);
    plan->release.catalog.bytes = (uint32_t)index.bytes;
    return true;
}

bool publish_catalog_build(const struct publish_options *options, const struct publish_files *files,
                           uint32_t piece_length, struct publish_plan *plan)
{
    struct publish_catalog *catalog = &plan->catalog;

    for (size_t i = 0; i < catalog->slice_count; i++) {
        struct publish_slice *slice = &catalog->slices[i];
        struct publish_files own = {.items = files->items + slice->start, .count = slice->count};
        slice->bundle.base = options->base;
        buf_init(&slice->torrent, LIMIT_TORRENT);
        if (!publish_torrent(options, &own, piece_length, &slice->bundle, &slice->torrent))
            return false;
    }
    return write_pages(files, piece_length, plan);
}

void publish_catalog_done(struct publish_catalog *catalog)
{
    for (size_t i = 0; i < catalog->slice_count; i++)
        buf_done(&catalog->slices[i].torrent);
    for (size_t i = 0; i < catalog->page_count; i++)
        buf_done(&catalog->pages[i].data);
    mem_free(catalog->slices);
    mem_free(catalog->pages);
}
