#include "core/site_catalog.h"

#include "base/mem.h"
#include "core/swarm.h"
#include "wire/catalog.h"

#include <stdio.h>
#include <string.h>

#define PAGES_KEPT  8     /* of one release, besides the index */
#define RETRY_MS    30000 /* after a failure */
#define TIMEOUT_MS  8000
#define LOADING_MAX 8 /* torrents that a super-node waits for at a time */

/* The index or a page: not there, on its way, there, or refused for a while. */
struct part {
    struct site *site;
    struct catalog_expect expect; /* borrows from the index */
    uint32_t number;              /* its entry in the index */
    struct catalog_page *page;    /* NULL: not there */
    struct download get;
    const char *reason; /* why the last try failed; NULL: it did not */
    uint64_t retry_ms, used_ms;
};

struct site_catalog {
    struct part index, pages[PAGES_KEPT];
    size_t followed; /* bundles of the older release that have been looked up in this one */
    uint32_t at_page, at_bundle; /* what a super-node takes next */
};

/* --- getting a part */

static void part_clear(struct part *part)
{
    download_cancel(part->site->node, &part->get);
    download_done(&part->get);
    catalog_page_free(part->page);
    *part = (struct part){0};
}

static void part_failed(struct part *part, const char *reason, const char *text)
{
    struct site *site = part->site;

    part->reason = reason;
    part->retry_ms = site->node->now_ms + RETRY_MS;
    node_log_once(site->node, span_text(site->name), "%s: the catalog is refused (%s): %s",
                  site->name, reason, text);
}

static void part_came(void *owner, struct download *download, enum err result, int status,
                      uint32_t retry_after_s)
{
    struct part *part = owner;
    struct site *site = part->site;

    (void)status;
    if (retry_after_s > 0)
        site->origin_not_before_ms = site->node->now_ms + retry_after_s * UINT64_C(1000);
    if (result != ERR_OK) {
        part_failed(part, "no-catalog", err_text(result));
    } else {
        struct span body = span_of(download->body.data, download->body.length);
        enum err err = catalog_page_parse(body, &part->expect, &part->page);
        if (err != ERR_OK)
            part_failed(part, "bad-catalog", err_text(err));
    }
    download_done(download);
    node_wake(site->node, site->node->now_ms);
    site_answer_waiting(site);
}

static void part_get(struct part *part)
{
    struct site *site = part->site;
    char hex[HEX_LENGTH(HASH_LENGTH)], url[LIMIT_SITE + 128];

    hex_encode(hex, part->expect.hash, HASH_LENGTH);
    snprintf(url, sizeof url, "%s/.well-known/fringe/%s.catalog", site->name, hex);
    part->reason = NULL;
    part->get.owner = part;
    part->get.done = part_came;
    download_start(site->node, &part->get, url, LIMIT_CATALOG_PAGE, TIMEOUT_MS);
}

/* Is it there? False with *ret_reason NULL: it is on its way. */
static bool part_need(struct part *part, const char **ret_reason)
{
    uint64_t now = part->site->node->now_ms;

    *ret_reason = NULL;
    part->used_ms = now;
    if (part->page != NULL)
        return true;
    if (part->get.op != 0)
        return false;
    if (part->reason != NULL && now < part->retry_ms) {
        *ret_reason = part->reason;
    } else if (now < part->site->origin_not_before_ms) {
        *ret_reason = "no-catalog";
    } else {
        part_get(part);
    }
    return false;
}

/* --- the parts of one release */

static struct site_catalog *get_catalog(struct site *site, struct site_release *entry)
{
    const struct release_catalog *said = &entry->release->catalog;

    if (entry->catalog != NULL)
        return entry->catalog;
    entry->catalog = mem_zalloc(sizeof *entry->catalog);
    struct part *index = &entry->catalog->index;
    index->site = site;
    index->expect = (struct catalog_expect){.level = CATALOG_INDEX, .bytes = said->bytes};
    memcpy(index->expect.hash, said->sha256, HASH_LENGTH);
    return entry->catalog;
}

/* In the place of what nobody has needed for longest; NULL: all are on their way. */
static struct part *new_page(struct site_catalog *catalog, uint32_t number)
{
    struct part *oldest = NULL;

    for (size_t i = 0; i < PAGES_KEPT; i++) {
        struct part *part = &catalog->pages[i];
        if (part->get.op == 0 && (oldest == NULL || part->used_ms < oldest->used_ms))
            oldest = part;
    }
    if (oldest == NULL)
        return NULL;
    if (oldest->site != NULL)
        part_clear(oldest);
    oldest->site = catalog->index.site;
    oldest->number = number;
    oldest->expect = catalog_expect_page(catalog->index.page, number);
    return oldest;
}

static struct part *get_page(struct site_catalog *catalog, uint32_t number)
{
    for (size_t i = 0; i < PAGES_KEPT; i++)
        if (catalog->pages[i].site != NULL && catalog->pages[i].number == number)
            return &catalog->pages[i];
    return new_page(catalog, number);
}

/* The page of that number. False with *ret_reason NULL: wait. */
static bool need_page(struct site_catalog *catalog, uint32_t number, struct part **ret,
                      const char **ret_reason)
{
    *ret = get_page(catalog, number);
    *ret_reason = NULL; /* one that is on its way ends before long */
    return *ret != NULL && part_need(*ret, ret_reason);
}

/* --- swarms */

static struct swarm *find_counted(const struct site_release *entry, const uint8_t *infohash)
{
    for (size_t i = entry->release->bundle_count; i < entry->swarm_count; i++)
        if (memcmp(entry->swarms[i]->infohash, infohash, HASH_LENGTH) == 0)
            return entry->swarms[i];
    return NULL;
}

static struct swarm *count_swarm(struct site *site, struct site_release *entry,
                                 const struct catalog_entry *found)
{
    struct release_bundle bundle = {.base = entry->release->catalog.base};
    size_t count = entry->swarm_count + 1, listed = entry->release->bundle_count;

    memcpy(bundle.infohash, found->hash, HASH_LENGTH);
    struct swarm *swarm = site_find_swarm(site, found->hash);
    if (swarm == NULL)
        swarm = swarm_new(site, &bundle);
    entry->swarms = mem_realloc(entry->swarms, count * sizeof *entry->swarms);
    entry->firsts = mem_realloc(entry->firsts, (count - listed) * sizeof *entry->firsts);
    entry->firsts[count - listed - 1] = mem_strdup(found->first);
    entry->swarms[count - 1] = swarm;
    entry->swarm_count = count;
    return swarm;
}

static struct swarm *get_swarm(struct site *site, struct site_release *entry,
                               const struct catalog_entry *found, const char **ret_reason)
{
    size_t most = site->served ? LIMIT_CATALOG_SWARMS_SERVED : LIMIT_CATALOG_SWARMS;
    struct swarm *swarm = find_counted(entry, found->hash);

    if (swarm != NULL)
        return swarm;
    if (entry->swarm_count - entry->release->bundle_count < most)
        return count_swarm(site, entry, found);
    *ret_reason = "too-many-bundles";
    return NULL;
}

struct swarm *site_catalog_swarm(struct site *site, struct site_release *entry, const char *path,
                                 const char **ret_reason)
{
    struct site_catalog *catalog = get_catalog(site, entry);
    struct part *page;

    if (!part_need(&catalog->index, ret_reason))
        return NULL;
    uint32_t number = catalog_find(catalog->index.page, path);
    if (number == UINT32_MAX) {
        *ret_reason = "not-listed";
        return NULL;
    }
    if (!need_page(catalog, number, &page, ret_reason))
        return NULL;
    uint32_t bundle = catalog_find(page->page, path);
    if (bundle != UINT32_MAX)
        return get_swarm(site, entry, &page->page->entries[bundle], ret_reason);
    *ret_reason = "not-listed";
    return NULL;
}

/* --- without a page that asks */

/* It may be there later. */
static bool is_for_a_while(const char *reason)
{
    return reason == NULL || strcmp(reason, "no-catalog") == 0 ||
           strcmp(reason, "bad-catalog") == 0;
}

uint64_t site_catalog_follow(struct site *site)
{
    struct site_release *current = site->current, *older = current->older;
    const char *reason;

    if (older == NULL || current->release->catalog.base == NULL ||
        older->release->catalog.base == NULL ||
        strcmp(current->release->catalog.base, older->release->catalog.base) != 0)
        return UINT64_MAX;
    size_t *followed = &get_catalog(site, current)->followed, listed = older->release->bundle_count;
    for (; *followed < older->swarm_count - listed; ++*followed) {
        struct swarm *swarm = site_catalog_swarm(site, current, older->firsts[*followed], &reason);
        if (swarm == NULL && is_for_a_while(reason))
            return reason != NULL ? site->node->now_ms + RETRY_MS : UINT64_MAX;
        if (swarm != NULL && swarm->state == SWARM_LOADING && swarm->meta == NULL)
            swarm->patient = site->learn.by_push;
    }
    return UINT64_MAX;
}

static uint32_t count_loading(const struct site_release *entry)
{
    uint32_t loading = 0;

    for (size_t i = entry->release->bundle_count; i < entry->swarm_count; i++)
        loading += entry->swarms[i]->state == SWARM_LOADING;
    return loading;
}

bool site_catalog_take_all(struct site *site)
{
    struct site_release *entry = site->current;
    const char *reason;
    struct part *page;

    if (entry->release->catalog.base == NULL)
        return false;
    struct site_catalog *catalog = get_catalog(site, entry);
    if (!part_need(&catalog->index, &reason))
        return true;
    while (catalog->at_page < catalog->index.page->count) {
        if (!need_page(catalog, catalog->at_page, &page, &reason))
            return true;
        for (; catalog->at_bundle < page->page->count; catalog->at_bundle++) {
            if (count_loading(entry) >= LOADING_MAX)
                return true;
            struct swarm *swarm =
                get_swarm(site, entry, &page->page->entries[catalog->at_bundle], &reason);
            if (swarm == NULL)
                return false; /* as many as it may hold */
            swarm_need(swarm);
        }
        catalog->at_bundle = 0;
        catalog->at_page++;
    }
    return false;
}

void site_catalog_free(struct site_release *entry)
{
    if (entry->catalog != NULL) {
        for (size_t i = 0; i < PAGES_KEPT; i++)
            if (entry->catalog->pages[i].site != NULL)
                part_clear(&entry->catalog->pages[i]);
        part_clear(&entry->catalog->index);
        mem_free(entry->catalog);
    }
    for (size_t i = entry->release->bundle_count; i < entry->swarm_count; i++)
        mem_free(entry->firsts[i - entry->release->bundle_count]);
    mem_free(entry->firsts);
}
