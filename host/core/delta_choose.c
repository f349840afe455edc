/* Which patch of a release makes a wanted file from one that we have, and whether it is worth it.
 */
#include "core/delta_impl.h"
#include "wire/delta.h"

#include <string.h>

#define RATE_MIN     1250000 /* bytes a second: what is believed of a line that nothing came on yet */
#define REBUILD_RATE 50000000 /* bytes a second of the new file */
#define TRIP_MS      200      /* one file more to ask for */
#define SCAN_FILES   65536    /* of an old bundle, to find the old file by its hash */

/* --- where things are */

struct swarm *delta_find_patches(const struct swarm *swarm, struct site_release **ret_entry)
{
    struct site *site = swarm->site;

    for (struct site_release *entry = site->current; entry != NULL; entry = entry->older) {
        size_t count = entry->release->bundle_count, patches = count;
        bool found = false;
        for (size_t i = 0; i < count; i++) {
            found = found || entry->swarms[i] == swarm;
            if (strcmp(entry->release->bundles[i].base, DELTA_BASE) == 0)
                patches = i;
        }
        *ret_entry = entry;
        if (found)
            return patches < count ? site_release_swarm(site, entry, patches) : NULL;
    }
    return NULL;
}

struct swarm *delta_patches(const struct delta *delta)
{
    list_for_each(link, next, &delta->want->swarm->site->swarms)
    {
        struct swarm *swarm = list_entry(link, struct swarm, in_site);
        if (memcmp(swarm->infohash, delta->patches, HASH_LENGTH) == 0)
            return swarm;
    }
    return NULL;
}

static bool is_old(const struct swarm *swarm, uint32_t file, const uint8_t mark[DELTA_MARK])
{
    const struct metainfo_file *info = &swarm->meta->files[file];
    return info->length > 0 && memcmp(info->root, mark, DELTA_MARK) == 0 &&
           swarm_has_file(swarm, file);
}

/* Most often it had the same path; with the content's hash in its name it did not. */
static uint32_t find_old(const struct swarm *swarm, const char *path,
                         const uint8_t mark[DELTA_MARK])
{
    uint32_t file = metainfo_find_path(swarm->meta, path, strlen(path));

    if (file != UINT32_MAX && is_old(swarm, file, mark))
        return file;
    for (file = 0; file < swarm->meta->file_count && file < SCAN_FILES; file++)
        if (is_old(swarm, file, mark))
            return file;
    return UINT32_MAX;
}

static bool have_old(struct delta *delta, const uint8_t mark[DELTA_MARK])
{
    const struct want *want = delta->want;
    const char *path = want->swarm->meta->files[want->file].path;

    list_for_each(link, next, &want->swarm->site->swarms)
    {
        const struct swarm *swarm = list_entry(link, struct swarm, in_site);
        bool looked_at = swarm->state == SWARM_READY && strcmp(swarm->base, want->swarm->base) == 0;
        uint32_t file = looked_at ? find_old(swarm, path, mark) : UINT32_MAX;
        if (file == UINT32_MAX)
            continue;
        delta->old = update_file(&swarm->meta->files[file]);
        delta->old_piece_length = swarm->meta->piece_length;
        return true;
    }
    return false;
}

/* --- is it worth it? */

static uint64_t missing_bytes(const struct swarm *swarm, uint32_t file)
{
    const struct metainfo_file *info = &swarm->meta->files[file];
    uint64_t missing = 0;

    for (uint32_t i = info->first_piece; i < info->first_piece + info->pieces; i++)
        if (!bitfield_get(&swarm->have, i) && !bitfield_get(&swarm->storing, i))
            missing += metainfo_piece_bytes(swarm->meta, i);
    return missing;
}

/* Much less to fetch, and all of the file is there sooner. */
static bool is_worth(const struct want *want, const struct swarm *patches, uint32_t patch)
{
    const struct swarm *swarm = want->swarm;
    uint64_t length = swarm->meta->files[want->file].length;
    uint64_t whole = missing_bytes(swarm, want->file), part = missing_bytes(patches, patch);
    uint64_t rate = swarm->rate > RATE_MIN ? swarm->rate : RATE_MIN;

    return part <= whole / 2 &&
           part * 1000 / rate + length * 1000 / REBUILD_RATE + TRIP_MS < whole * 1000 / rate;
}

static bool is_usable(const struct delta *delta, const struct swarm *patches, uint32_t patch)
{
    const struct want *want = delta->want;
    uint64_t length = want->swarm->meta->files[want->file].length;
    uint64_t patch_length = patches->meta->files[patch].length;

    return delta_allowed(length, delta->old.length) && patch_length > DELTA_HEADER &&
           patch_length <= delta_patch_max(length) && !bitfield_get(&patches->bad_patches, patch) &&
           is_worth(want, patches, patch);
}

/* The patches of a file stand together: the first of them in the order of names. */
static uint32_t first_patch(const struct metainfo *meta, const uint8_t *root)
{
    static const uint8_t none[DELTA_MARK];
    char name[DELTA_NAME];
    uint32_t low = 0, high = meta->file_count;

    delta_name(root, none, name);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(meta->files[meta->by_path[middle]].path, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool delta_choose(struct delta *delta, const struct swarm *patches)
{
    const struct metainfo *meta = patches->meta;
    const struct want *want = delta->want;
    const uint8_t *root = want->swarm->meta->files[want->file].root;
    struct delta best = {.patch = UINT32_MAX};

    uint32_t first = first_patch(meta, root);
    for (uint32_t i = first; i < meta->file_count && i - first < LIMIT_DELTA_EACH; i++) {
        uint8_t mark[DELTA_MARK], old_mark[DELTA_MARK];
        uint32_t patch = meta->by_path[i];
        if (!delta_name_parse(meta->files[patch].path, mark, old_mark) ||
            memcmp(mark, root, DELTA_MARK) != 0)
            break;
        if (!have_old(delta, old_mark) || !is_usable(delta, patches, patch))
            continue;
        if (best.patch != UINT32_MAX && meta->files[best.patch].length <= meta->files[patch].length)
            continue;
        best = *delta;
        best.patch = patch;
    }
    if (best.patch != UINT32_MAX)
        *delta = best;
    return best.patch != UINT32_MAX;
}
