/* Pages of a catalog: the first byte is the level that is expected. What is read is in order, every
 * entry is found by its own path, and bundles that are written again make the same page. */
#include "base/limits.h"
#include "wire/catalog.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_page(void *user, const uint8_t hash[HASH_LENGTH], struct span page)
{
    struct span *expected = user;

    (void)hash;
    if (expected->data != NULL && !span_equal(page, *expected))
        abort();
    expected->data = NULL; /* the index comes next */
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct catalog_page *page;
    struct catalog_expect index;

    if (size == 0)
        return 0;
    struct span bytes = span_of(data + 1, size - 1);
    struct catalog_expect expect = {.bytes = bytes.length};
    expect.level = data[0] & 1 ? CATALOG_INDEX : CATALOG_BUNDLES;
    sha256(bytes.data, bytes.length, expect.hash);
    if (catalog_page_parse(bytes, &expect, &page) != ERR_OK)
        return 0;
    for (uint32_t i = 0; i < page->count; i++)
        if (catalog_find(page, page->entries[i].first) != i)
            abort();
    if (expect.level == CATALOG_BUNDLES && bytes.length <= KIB(16) &&
        catalog_write(page->entries, page->count, same_page, &bytes, &index) != ERR_OK)
        abort();
    catalog_page_free(page);
    return 0;
}
