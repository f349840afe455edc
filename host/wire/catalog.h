/* The list of a large site's bundles, in pages: what release.json names by one hash instead of
 * listing it. Layer: wire (pure). A page is immutable after parsing and owns its memory.
 *
 * A site of a million files is cut into about a thousand bundles of one base, each a range of
 * paths in the order of strcmp. An index page (level 1) names the pages, a page (level 0) names the
 * bundles; both name each by the first path that it covers. So a host loads the index, one page and
 * one torrent to find one file, and each of them is proven by its hash. BEP 52 file trees cannot be
 * had in parts: the info-hash covers all of a tree. PROTOCOL.md 1.6. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "wire/merkle.h"

enum catalog_level {
    CATALOG_BUNDLES,
    CATALOG_INDEX,
};

struct catalog_entry {
    const char *first;         /* path behind the base, raw bytes; the entry covers what follows */
    uint8_t hash[HASH_LENGTH]; /* of a bundle: its info-hash; of a page: SHA-256 of its bytes */
    uint64_t bytes;            /* of all the bundle's files; of a page: its own */
    uint32_t files;            /* of a bundle; in an index 0 */
    uint32_t piece_length;     /* of a bundle; in an index 0 */
};

struct catalog_page {
    uint32_t count;
    struct catalog_entry *entries; /* rising by first */
    char *texts;                   /* the memory behind entries[].first */
};

/* What the page above (or the release) says of one. */
struct catalog_expect {
    enum catalog_level level;
    uint8_t hash[HASH_LENGTH];
    uint64_t bytes;
    const char *first, *end; /* its first path, and the first path behind it; NULL: any */
};

/* What the index says of the page that it names in that entry; borrows from index. */
struct catalog_expect catalog_expect_page(const struct catalog_page *index, uint32_t entry);
/* The one way to accept a page. *ret is set only on ERR_OK. Among the refusals: ERR_BAD_HASH,
 * ERR_MISMATCH (another level, or paths outside its range), ERR_NONCANONICAL (not rising, or bytes
 * behind the last entry), ERR_BAD_NAME, ERR_TOO_LARGE. */
enum err catalog_page_parse(struct span data, const struct catalog_expect *expect,
                            struct catalog_page **ret);
void catalog_page_free(struct catalog_page *page);
/* The entry that covers a path, or UINT32_MAX when the path comes before all of them. */
uint32_t catalog_find(const struct catalog_page *page, const char *path);

/* Where the bundle that begins with paths[start] ends: at most `max` files further. Paths rise. It
 * is cut where folders end, and within a folder at a place that depends on the names alone: one
 * file more or less changes the bundle that it is in and maybe the next ones, but not all. */
size_t catalog_cut(const char *const *paths, size_t count, size_t start, size_t max);

/* Is given each page once it is whole, the index last; false ends the writing. */
typedef bool (*catalog_sink)(void *user, const uint8_t hash[HASH_LENGTH], struct span page);
/* Writes the pages of these bundles and says what the release has to expect of the index. Equal
 * input gives equal bytes. ERR_CANCELLED when the sink said no; else ERR_* as parsing would. */
enum err catalog_write(const struct catalog_entry *bundles, size_t count, catalog_sink sink,
                       void *user, struct catalog_expect *ret_index);
