/* The catalog of a large site: all of its pages, and of its bundles a sample, which from here on
 * count as the release's own. */
#include "app/verify.h"
#include "base/mem.h"
#include "wire/catalog.h"

#include <stdio.h>
#include <string.h>

#define SAMPLE_BUNDLES 16 /* without --all */

static const char publish_again[] =
    "upload all that `fringe publish` lists as \"what the release will name\", unchanged";

static struct catalog_page *get_page(struct verify *verify, const struct catalog_expect *expect)
{
    char hex[HEX_LENGTH(HASH_LENGTH)];
    struct catalog_page *page = NULL;
    struct verify_reply reply = {0};

    hex_encode(hex, expect->hash, HASH_LENGTH);
    char *path = mem_printf("/.well-known/fringe/%s.catalog", hex);
    struct verify_request request = {.path = path, .max = LIMIT_CATALOG_PAGE};
    if (verify_get(verify, &request, &reply) && verify_reply_is_good(verify, &reply)) {
        enum err err =
            catalog_page_parse(span_of(reply.body.data, reply.body.length), expect, &page);
        if (err != ERR_OK)
            verify_add(&verify->report, VERIFY_FAULT, "catalog", reply.url, publish_again,
                       "this is not the page of the catalog that the release names: %s",
                       err_text(err));
    }
    verify_reply_done(&reply);
    mem_free(path);
    return page;
}

static void add_bundle(struct verify *verify, const struct catalog_entry *entry)
{
    struct release *release = verify->release;

    release->bundles =
        mem_realloc(release->bundles, (release->bundle_count + 1) * sizeof *release->bundles);
    struct release_bundle *bundle = &release->bundles[release->bundle_count++];
    *bundle = (struct release_bundle){.base = mem_strdup(release->catalog.base),
                                      .files = entry->files,
                                      .bytes = entry->bytes,
                                      .piece_length = entry->piece_length};
    memcpy(bundle->infohash, entry->hash, HASH_LENGTH);
}

/* Every page, and of each as many bundles as its share of the sample. */
static void look_at_pages(struct verify *verify, const struct catalog_page *index)
{
    uint32_t each = (SAMPLE_BUNDLES + index->count - 1) / index->count;
    uint64_t files = 0;

    for (uint32_t i = 0; i < index->count && !verify->gone; i++) {
        struct catalog_expect expect = catalog_expect_page(index, i);
        struct catalog_page *page = get_page(verify, &expect);
        if (page == NULL)
            continue;
        uint32_t step = page->count > each ? page->count / each : 1;
        for (uint32_t k = 0; k < page->count; k++) {
            files += page->entries[k].files;
            if (verify->options->all || k % step == 0)
                add_bundle(verify, &page->entries[k]);
            else
                verify->files += page->entries[k].files;
        }
        catalog_page_free(page);
    }
    if (files != verify->release->catalog.files && verify->report.found[VERIFY_FAULT] == 0)
        verify_add(&verify->report, VERIFY_FAULT, "catalog", verify->site, publish_again,
                   "the release says %llu files, its catalog names %llu",
                   (unsigned long long)verify->release->catalog.files, (unsigned long long)files);
}

void verify_catalog(struct verify *verify)
{
    const struct release_catalog *said = &verify->release->catalog;
    struct catalog_expect expect = {.level = CATALOG_INDEX, .bytes = said->bytes};

    if (said->base == NULL)
        return;
    memcpy(expect.hash, said->sha256, HASH_LENGTH);
    struct catalog_page *index = get_page(verify, &expect);
    if (index != NULL)
        look_at_pages(verify, index);
    catalog_page_free(index);
}
