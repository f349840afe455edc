/* wire/catalog: pages of a large site's bundles, and where it is cut into them. */
#include "base/limits.h"
#include "check_main.h"
#include "mutate.h"
#include "wire/catalog.h"

#define PAGES_MAX 1024

struct shelf {
    struct span pages[PAGES_MAX];
    uint32_t count, room;
};

static bool keep(void *user, const uint8_t hash[HASH_LENGTH], struct span page)
{
    struct shelf *shelf = user;
    uint8_t found[HASH_LENGTH];

    sha256(page.data, page.length, found);
    ck_assert_mem_eq(found, hash, HASH_LENGTH);
    if (shelf->count == shelf->room)
        return false;
    uint8_t *copy = mem_alloc(page.length);
    memcpy(copy, page.data, page.length);
    shelf->pages[shelf->count++] = span_of(copy, page.length);
    return true;
}

static void shelf_done(struct shelf *shelf)
{
    for (uint32_t i = 0; i < shelf->count; i++)
        mutate_free(shelf->pages[i]);
}

static struct catalog_entry bundle(const char *first)
{
    return (struct catalog_entry){
        .first = first, .hash = {7}, .bytes = 5000, .files = 1000, .piece_length = KIB(64)};
}

static struct catalog_expect expect_of(struct span page, enum catalog_level level)
{
    struct catalog_expect expect = {.level = level, .bytes = page.length};
    sha256(page.data, page.length, expect.hash);
    return expect;
}

/* "FCAT", version, level, count, then one bundle "a" */
#define ENTRY_A                                                                                    \
    "\0\1a"                                                                                        \
    "01234567890123456789012345678901"                                                             \
    "\0\0\0\0\0\0\0\5\0\0\0\2\0\1\0\0"
#define ENTRY_SIZE (sizeof ENTRY_A - 1)
static const char one[] = "FCAT\1\0\0\1" ENTRY_A;
static const char two_same[] = "FCAT\1\0\0\2" ENTRY_A ENTRY_A;

static enum err parse(const char *bytes, size_t length, enum catalog_level level)
{
    struct catalog_page *page = NULL;
    uint8_t *copy = mem_alloc(length);
    memcpy(copy, bytes, length);
    struct span exact = span_of(copy, length);
    struct catalog_expect expect = expect_of(exact, level);
    enum err err = catalog_page_parse(exact, &expect, &page);
    ck_assert_int_eq(page != NULL, err == ERR_OK);
    catalog_page_free(page);
    mem_free(copy);
    return err;
}

/* `one` with one byte changed. */
static enum err parse_changed(size_t at, char byte)
{
    char copy[sizeof one];
    memcpy(copy, one, sizeof one);
    copy[at] = byte;
    return parse(copy, sizeof one - 1, CATALOG_BUNDLES);
}

START_TEST(reads_the_table)
{
    struct catalog_page *page;
    struct span bytes = span_of(one, sizeof one - 1);
    struct catalog_expect expect = expect_of(bytes, CATALOG_BUNDLES);

    ck_assert_int_eq(catalog_page_parse(bytes, &expect, &page), ERR_OK);
    ck_assert_uint_eq(page->count, 1);
    ck_assert_str_eq(page->entries[0].first, "a");
    ck_assert_mem_eq(page->entries[0].hash, "01234567890123456789012345678901", HASH_LENGTH);
    ck_assert_uint_eq(page->entries[0].bytes, 5);
    ck_assert_uint_eq(page->entries[0].files, 2);
    ck_assert_uint_eq(page->entries[0].piece_length, KIB(64));
    catalog_page_free(page);
}
END_TEST

START_TEST(refuses_what_is_not_a_page)
{
    const size_t length = sizeof one - 1;

    for (size_t cut = 0; cut < length; cut++)
        ck_assert_int_eq(parse(one, cut, CATALOG_BUNDLES), ERR_TRUNCATED);
    ck_assert_int_eq(parse(one, length + 1, CATALOG_BUNDLES), ERR_NONCANONICAL);
    ck_assert_int_eq(parse(one, length, CATALOG_INDEX), ERR_MISMATCH);
    ck_assert_int_eq(parse_changed(0, 'X'), ERR_SYNTAX);
    ck_assert_int_eq(parse_changed(4, 2), ERR_UNSUPPORTED);
    ck_assert_int_eq(parse_changed(7, 0), ERR_MISSING);
    ck_assert_int_eq(parse_changed(6, '\xff'), ERR_TRUNCATED); /* 65281 entries */
    ck_assert_int_eq(parse_changed(8, '\x7f'), ERR_TRUNCATED); /* a path beyond the page */
    ck_assert_int_eq(parse_changed(10, '/'), ERR_BAD_NAME);
    ck_assert_int_eq(parse_changed(10, '.'), ERR_BAD_NAME);
    ck_assert_int_eq(parse_changed(43, 1), ERR_RANGE); /* 2^56 bytes */
    ck_assert_int_eq(parse_changed(54, 0), ERR_RANGE); /* no files */
    ck_assert_int_eq(parse_changed(51, 1), ERR_RANGE); /* 2^24 files */
    ck_assert_int_eq(parse_changed(57, 1), ERR_RANGE); /* 65792: no power of two */
    ck_assert_int_eq(parse_changed(56, 0), ERR_RANGE); /* piece length 0 */
    ck_assert_int_eq(parse(two_same, sizeof two_same - 1, CATALOG_BUNDLES), ERR_NONCANONICAL);
}
END_TEST

START_TEST(refuses_another_page_than_expected)
{
    struct catalog_page *page;
    struct span bytes = span_of(one, sizeof one - 1);
    struct catalog_expect good = expect_of(bytes, CATALOG_BUNDLES), bad = good;

    bad.hash[31] ^= 1;
    ck_assert_int_eq(catalog_page_parse(bytes, &bad, &page), ERR_BAD_HASH);
    bad = good;
    bad.bytes++;
    ck_assert_int_eq(catalog_page_parse(bytes, &bad, &page), ERR_MISMATCH);
    bad = good;
    bad.first = "b";
    ck_assert_int_eq(catalog_page_parse(bytes, &bad, &page), ERR_MISMATCH);
    bad = good;
    bad.end = "a";
    ck_assert_int_eq(catalog_page_parse(bytes, &bad, &page), ERR_MISMATCH);
    good.first = "a";
    good.end = "b";
    ck_assert_int_eq(catalog_page_parse(bytes, &good, &page), ERR_OK);
    catalog_page_free(page);

    uint8_t *large = mem_zalloc(LIMIT_CATALOG_PAGE + 1);
    bytes = span_of(large, LIMIT_CATALOG_PAGE + 1);
    good = expect_of(bytes, CATALOG_BUNDLES);
    ck_assert_int_eq(catalog_page_parse(bytes, &good, &page), ERR_TOO_LARGE);
    mem_free(large);
}
END_TEST

START_TEST(damage_is_refused_or_read_within_bounds)
{
    uint64_t state = mutate_seed();

    for (int i = 0; i < 20000; i++) {
        struct span copy = mutate_copy(one, sizeof one - 1, &state);
        struct catalog_expect expect = expect_of(copy, CATALOG_BUNDLES);
        struct catalog_page *page;
        if (catalog_page_parse(copy, &expect, &page) == ERR_OK)
            catalog_page_free(page);
        mutate_free(copy);
    }
}
END_TEST

START_TEST(finds_the_range_of_a_path)
{
    struct catalog_entry entries[] = {bundle("b/1"), bundle("b/5"), bundle("c")};
    struct catalog_page page = {.count = 3, .entries = entries};

    ck_assert_uint_eq(catalog_find(&page, "a"), UINT32_MAX);
    ck_assert_uint_eq(catalog_find(&page, "b/1"), 0);
    ck_assert_uint_eq(catalog_find(&page, "b/49"), 0);
    ck_assert_uint_eq(catalog_find(&page, "b/5"), 1);
    ck_assert_uint_eq(catalog_find(&page, "b/9/x"), 1);
    ck_assert_uint_eq(catalog_find(&page, "c"), 2);
    ck_assert_uint_eq(catalog_find(&page, "\xc3\xa9"), 2);
}
END_TEST

START_TEST(writes_only_what_can_be_read)
{
    struct catalog_entry list[] = {bundle("a"), bundle("b")};
    struct catalog_expect index;
    struct shelf shelf = {.room = PAGES_MAX};

    ck_assert_int_eq(catalog_write(list, 0, keep, &shelf, &index), ERR_MISSING);
    list[1].first = "a";
    ck_assert_int_eq(catalog_write(list, 2, keep, &shelf, &index), ERR_NONCANONICAL);
    list[1].first = "b/../c";
    ck_assert_int_eq(catalog_write(list, 2, keep, &shelf, &index), ERR_BAD_NAME);
    list[1] = bundle("b");
    list[1].piece_length = 3;
    ck_assert_int_eq(catalog_write(list, 2, keep, &shelf, &index), ERR_RANGE);
    ck_assert_uint_eq(shelf.count, 0);
    list[1].piece_length = KIB(64);
    ck_assert_int_eq(catalog_write(list, 2, keep, &shelf, &index), ERR_OK);
    ck_assert_uint_eq(shelf.count, 2);
    shelf_done(&shelf);
    shelf = (struct shelf){.room = 0};
    ck_assert_int_eq(catalog_write(list, 2, keep, &shelf, &index), ERR_CANCELLED);
}
END_TEST

/* --- a site of a million files */

#define FILES 1000000u
#define EACH  1000u

struct site {
    char *texts;
    const char **paths;
    struct catalog_entry *bundles;
    size_t *starts, count;
};

/* flat: all in one folder; else a hundred folders of a hundred of a hundred. */
static void make_site(struct site *site, bool flat)
{
    site->texts = mem_alloc(FILES * 24);
    site->paths = mem_calloc(FILES, sizeof *site->paths);
    for (uint32_t i = 0; i < FILES; i++) {
        char *text = site->texts + (size_t)i * 24;
        if (flat)
            snprintf(text, 24, "tile-%06u.png", i);
        else
            snprintf(text, 24, "%02u/%02u/tile-%02u.png", i / 10000, i / 100 % 100, i % 100);
        site->paths[i] = text;
    }
    site->bundles = mem_calloc(FILES / (EACH / 4) + 1, sizeof *site->bundles);
    site->starts = mem_calloc(FILES / (EACH / 4) + 2, sizeof *site->starts);
    site->count = 0;
    for (size_t at = 0; at < FILES; at = site->starts[site->count]) {
        size_t end = catalog_cut(site->paths, FILES, at, EACH);
        ck_assert_uint_gt(end, at);
        ck_assert_uint_le(end - at, EACH);
        site->bundles[site->count] = bundle(site->paths[at]);
        site->bundles[site->count].files = (uint32_t)(end - at);
        site->starts[++site->count] = end;
    }
}

static void site_done(struct site *site)
{
    mem_free(site->texts);
    mem_free(site->paths);
    mem_free(site->bundles);
    mem_free(site->starts);
}

/* What a host does: the index, the page of the index, the bundle of the page. Pages come in the
 * order of the index, and that comes last. */
static void look_up(const struct site *site, const struct shelf *shelf,
                    const struct catalog_expect *expect, size_t file)
{
    struct catalog_page *index, *page;
    const char *path = site->paths[file];

    ck_assert_int_eq(catalog_page_parse(shelf->pages[shelf->count - 1], expect, &index), ERR_OK);
    uint32_t entry = catalog_find(index, path);
    struct catalog_expect leaf = catalog_expect_page(index, entry);
    ck_assert_int_eq(catalog_page_parse(shelf->pages[entry], &leaf, &page), ERR_OK);
    const struct catalog_entry *found = &page->entries[catalog_find(page, path)];
    size_t number = 0;
    while (strcmp(site->bundles[number].first, found->first) != 0)
        number++;
    ck_assert_uint_ge(file, site->starts[number]);
    ck_assert_uint_lt(file, site->starts[number + 1]);
    catalog_page_free(page);
    catalog_page_free(index);
}

static void try_site(bool flat)
{
    struct site site;
    struct catalog_expect index;
    struct shelf shelf = {.room = PAGES_MAX};

    make_site(&site, flat);
    ck_assert_int_eq(catalog_write(site.bundles, site.count, keep, &shelf, &index), ERR_OK);
    ck_assert_uint_ge(site.count, FILES / EACH);
    ck_assert_uint_gt(shelf.count, 2);
    for (uint32_t i = 0; i < shelf.count; i++)
        ck_assert_uint_le(shelf.pages[i].length, KIB(16));
    for (size_t file = 0; file < FILES; file += 9973)
        look_up(&site, &shelf, &index, file);
    look_up(&site, &shelf, &index, FILES - 1);
    fprintf(stderr, "# %zu bundles, index %u bytes, first page %zu bytes\n", site.count,
            (unsigned)index.bytes, shelf.pages[0].length);
    shelf_done(&shelf);
    site_done(&site);
}

START_TEST(a_million_files_in_one_folder)
{
    try_site(true);
}
END_TEST

START_TEST(a_million_files_in_folders_are_cut_where_folders_end)
{
    struct site site;

    try_site(false);
    make_site(&site, false);
    for (size_t i = 0; i < site.count; i++)
        ck_assert_uint_eq(site.starts[i] % 100, 0);
    site_done(&site);
}
END_TEST

/* The cuts behind a file that is gone fall back into step. */
START_TEST(a_file_less_changes_few_bundles)
{
    struct site site;
    size_t same = 0, at = 0, old = 0;

    make_site(&site, true);
    memmove(site.paths + 500, site.paths + 501, (FILES - 501) * sizeof *site.paths);
    while (at < FILES - 1) {
        while (old < site.count && strcmp(site.bundles[old].first, site.paths[at]) < 0)
            old++;
        same += old < site.count && strcmp(site.bundles[old].first, site.paths[at]) == 0;
        at = catalog_cut(site.paths, FILES - 1, at, EACH);
    }
    ck_assert_uint_ge(same + 20, site.count);
    site_done(&site);
}
END_TEST

TEST_MAIN("catalog",
          TESTS(reads_the_table, refuses_what_is_not_a_page, refuses_another_page_than_expected,
                damage_is_refused_or_read_within_bounds, finds_the_range_of_a_path,
                writes_only_what_can_be_read, a_million_files_in_one_folder,
                a_million_files_in_folders_are_cut_where_folders_end,
                a_file_less_changes_few_bundles))
