#include "core/asset.h"

#include "base/mem.h"
#include "core/site_catalog.h"
#include "wire/url.h"

#include <string.h>

static struct asset refuse(const char *reason)
{
    return (struct asset){.reason = reason};
}

/* The swarm of the bundle that covers the path, and the path in it. NULL with *ret_reason NULL: it
 * is not known yet. */
static struct swarm *find_swarm(struct site *site, struct site_release *entry, const char *path,
                                const char **ret_relative, const char **ret_reason)
{
    const char *in_catalog = release_in_catalog(entry->release, path);

    if (in_catalog != NULL) {
        struct swarm *swarm = site_catalog_swarm(site, entry, in_catalog, ret_reason);
        if (swarm != NULL)
            swarm_need(swarm);
        *ret_relative = in_catalog;
        return swarm;
    }
    const struct release_bundle *bundle = release_find_bundle(entry->release, path, ret_relative);
    if (bundle != NULL)
        return site_release_swarm(site, entry, (size_t)(bundle - entry->release->bundles));
    *ret_reason = "not-listed";
    return NULL;
}

struct asset asset_resolve(struct site *site, uint64_t seq, const char *path)
{
    char decoded[LIMIT_PATH + 1];
    const char *reason = NULL, *relative = NULL;

    if (path_decode(path, strlen(path), decoded) != ERR_OK)
        return refuse("not-listed");
    struct site_release *release = site_find_release(site, seq, &reason);
    if (release == NULL)
        return refuse(reason);
    struct swarm *swarm = find_swarm(site, release, decoded, &relative, &reason);
    if (swarm == NULL)
        return (struct asset){.reason = reason};
    if (swarm->state == SWARM_FAILED)
        return refuse(swarm->reason);
    if (swarm->state == SWARM_LOADING)
        return (struct asset){0};
    uint32_t file = metainfo_find_path(swarm->meta, relative, strlen(relative));
    if (file == UINT32_MAX)
        return refuse("not-listed");
    if (!swarm_has_file(swarm, file))
        swarm_adopt_file(swarm, file);
    return (struct asset){.swarm = swarm, .release = release, .file = file};
}

const char *asset_content_type(const struct asset *asset)
{
    return release_media_type(asset->release->release, asset->swarm->meta->files[asset->file].path);
}

/* True the first time this document asks for this content. */
static bool see_file(struct doc *doc, const struct metainfo_file *file)
{
    struct doc_file *seen;
    uint64_t key;

    memcpy(&key, file->root, sizeof key);
    key ^= file->length;
    HASH_FIND(hh, doc->seen, &key, sizeof key, seen);
    if (seen != NULL || HASH_COUNT(doc->seen) >= LIMIT_DOC_FILES)
        return false;
    seen = mem_zalloc(sizeof *seen);
    seen->key = key;
    HASH_ADD(hh, doc->seen, key, sizeof seen->key, seen);
    return true;
}

static uint64_t stored_bytes(const struct swarm *swarm, uint32_t file)
{
    const struct metainfo_file *info = &swarm->meta->files[file];
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < info->pieces; i++)
        if (bitfield_get(&swarm->have, info->first_piece + i))
            bytes += metainfo_piece_bytes(swarm->meta, info->first_piece + i);
    return bytes;
}

void asset_count(struct site *site, const char *id, struct swarm *swarm, uint32_t file)
{
    struct doc *doc = doc_get(site->node, id, true);

    if (doc == NULL || !see_file(doc, &swarm->meta->files[file]))
        return;
    uint64_t cached = stored_bytes(swarm, file);
    doc->files++;
    doc->bytes[SOURCE_CACHE] += cached;
    site->bytes[SOURCE_CACHE] += cached;
    site->node->fair.month_changed |= cached > 0;
    struct transfer_tale tale = {.source = SOURCE_CACHE, .bytes = cached};
    transfer_tell(swarm, file, &tale);
    if (!swarm_has_file(swarm, file))
        want_add_doc(want_get(swarm, file), doc->serial);
}
