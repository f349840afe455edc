/* How long a host takes to find the file of a path in a site with a catalog, with the index, the
 * pages and the torrents that it needs in memory.
 *
 *   catalog_lookup FOLDER <PATHS      FOLDER is a published .well-known/fringe; a path behind the
 * base a line
 *
 * Prints {"paths": n, "found": n, "us": mean, "bundles": n, "bytes": n}: bytes that were read of
 * the folder. */
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wire/catalog.h"
#include "wire/metainfo.h"
#include "wire/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATHS_MAX 100000
#define PAGES_MAX 2000
#define REPEATS   20

static const char *folder;
static uint64_t bytes_read;
static struct catalog_page *index_page, *pages[PAGES_MAX];

struct bundle {
    uint8_t infohash[HASH_LENGTH];
    struct metainfo *meta;
};
static struct bundle *bundles;
static size_t bundle_count;

static struct buf load(const char *name, const char *suffix)
{
    struct buf data;
    char path[4096], block[65536];
    size_t got;

    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    buf_init(&data, LIMIT_TORRENT);
    while ((got = fread(block, 1, sizeof block, file)) > 0)
        buf_put(&data, block, got);
    fclose(file);
    bytes_read += data.length;
    return data;
}

static struct catalog_page *load_page(const struct catalog_expect *expect)
{
    char hex[HEX_LENGTH(HASH_LENGTH)];
    struct catalog_page *page = NULL;

    hex_encode(hex, expect->hash, HASH_LENGTH);
    struct buf data = load(hex, ".catalog");
    if (catalog_page_parse(span_of(data.data, data.length), expect, &page) != ERR_OK) {
        fprintf(stderr, "%s: not the page that is expected\n", hex);
        exit(1);
    }
    buf_done(&data);
    return page;
}

static void load_index(void)
{
    struct release *release;
    struct reason reason;
    struct buf json = load("release", ".json");

    if (release_parse(json.data, json.length, &release, &reason) != ERR_OK ||
        release->catalog.base == NULL) {
        fprintf(stderr, "release.json has no catalog\n");
        exit(1);
    }
    struct catalog_expect expect = {.level = CATALOG_INDEX, .bytes = release->catalog.bytes};
    memcpy(expect.hash, release->catalog.sha256, HASH_LENGTH);
    index_page = load_page(&expect);
    release_free(release);
    buf_done(&json);
}

static const struct metainfo *torrent_of(const uint8_t infohash[HASH_LENGTH])
{
    char hex[HEX_LENGTH(HASH_LENGTH)];

    for (size_t i = 0; i < bundle_count; i++)
        if (memcmp(bundles[i].infohash, infohash, HASH_LENGTH) == 0)
            return bundles[i].meta;
    hex_encode(hex, infohash, HASH_LENGTH);
    struct buf data = load(hex, ".torrent");
    bundles = mem_realloc(bundles, (bundle_count + 1) * sizeof *bundles);
    struct bundle *bundle = &bundles[bundle_count++];
    memcpy(bundle->infohash, infohash, HASH_LENGTH);
    if (metainfo_parse(data.data, data.length, &bundle->meta) != ERR_OK)
        exit(1);
    buf_done(&data);
    return bundle->meta;
}

static bool find(const char *path)
{
    uint32_t number = catalog_find(index_page, path);

    if (number == UINT32_MAX)
        return false;
    if (pages[number] == NULL) {
        struct catalog_expect expect = catalog_expect_page(index_page, number);
        pages[number] = load_page(&expect);
    }
    uint32_t entry = catalog_find(pages[number], path);
    if (entry == UINT32_MAX)
        return false;
    const struct metainfo *meta = torrent_of(pages[number]->entries[entry].hash);
    return metainfo_find_path(meta, path, strlen(path)) != UINT32_MAX;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static char *paths[PATHS_MAX];
    char line[LIMIT_PATH + 2];
    size_t count = 0, found = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: catalog_lookup FOLDER <PATHS\n");
        return 2;
    }
    folder = argv[1];
    while (count < PATHS_MAX && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        paths[count++] = mem_strdup(line);
    }
    load_index();
    for (size_t i = 0; i < count; i++)
        found += find(paths[i]);
    double start = seconds();
    for (size_t k = 0; k < REPEATS; k++)
        for (size_t i = 0; i < count; i++)
            find(paths[i]);
    double each = (seconds() - start) / (double)(REPEATS * (count > 0 ? count : 1));
    printf("{\"paths\": %zu, \"found\": %zu, \"us\": %.3f, \"bundles\": %zu, \"bytes\": %llu}\n",
           count, found, each * 1e6, bundle_count, (unsigned long long)bytes_read);
    return 0;
}
