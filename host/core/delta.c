#include "core/delta_impl.h"

#include "base/mem.h"
#include "wire/delta.h"

#include <string.h>

#define LOAD_MS    1000   /* for the torrents of patches and of the release before to be there */
#define STUCK_MS   5000   /* without a byte of the patch; ... */
#define STUCK_BACK 120000 /* ... no page waits for it: longer than peers have before the site */
#define LOOK_MS    250    /* while the patch comes */

/* --- what must be there first */

/* After a new start the release before is known, but nobody has asked for its files yet. */
static void load_older(const struct swarm *swarm, struct site_release *entry)
{
    struct site_release *older = entry->older;

    for (size_t i = 0; older != NULL && i < older->release->bundle_count; i++)
        if (older->swarms[i] == NULL && strcmp(older->release->bundles[i].base, swarm->base) == 0)
            site_release_swarm(swarm->site, older, i);
}

static bool is_loading(const struct swarm *swarm)
{
    return swarm->state == SWARM_LOADING;
}

static bool others_load(const struct swarm *swarm)
{
    list_for_each(link, next, &swarm->site->swarms)
    {
        const struct swarm *other = list_entry(link, struct swarm, in_site);
        if (is_loading(other) && strcmp(other->base, swarm->base) == 0)
            return true;
    }
    return false;
}

/* --- a held want's life */

void delta_look_again(struct swarm *swarm)
{
    if (swarm->site->current != NULL && swarm->site->current->older != NULL)
        node_wake(swarm->node, swarm->node->now_ms);
}

void delta_free(struct delta *delta)
{
    if (delta == NULL)
        return;
    node_op_end(delta->want->swarm->node, delta->op);
    if (delta->state == DELTA_REBUILDING)
        delta->want->swarm->node->rebuilding--;
    mem_free(delta);
}

static void give_up(struct want *want)
{
    delta_free(want->delta);
    want->delta = NULL;
    want_go_on(want);
}

static struct want *get_patch(struct delta *delta, struct swarm *patches)
{
    return delta->want->background ? want_get_background(patches, delta->patch)
                                   : want_get(patches, delta->patch);
}

/* The patch's bytes are the page's as well. */
static void want_patch(struct delta *delta, struct swarm *patches)
{
    struct want *want = get_patch(delta, patches);

    for (size_t i = 0; i < delta->want->doc_count; i++)
        want_add_doc(want, delta->want->docs[i]);
}

static void rebuild(struct delta *delta, const struct swarm *patches)
{
    const struct swarm *swarm = delta->want->swarm;
    const struct metainfo *meta = swarm->meta;
    const struct metainfo_file *file = &meta->files[delta->want->file];
    struct node *node = swarm->node;
    size_t length = (size_t)file->pieces * HASH_LENGTH;
    struct effect *effect = update_add(node->update, EFFECT_REBUILD, length);

    delta->state = DELTA_REBUILDING;
    delta->op = node_op_begin(node, OP_REBUILD, delta);
    node->rebuilding++;
    effect->rebuild.op = delta->op;
    effect->rebuild.site = swarm->site->name;
    effect->rebuild.old = delta->old;
    effect->rebuild.old_piece_length = delta->old_piece_length;
    effect->rebuild.patch = update_file(&patches->meta->files[delta->patch]);
    effect->rebuild.patch_piece_length = patches->meta->piece_length;
    effect->rebuild.file = update_file(file);
    effect->rebuild.piece_length = meta->piece_length;
    buf_put(&effect->text, metainfo_piece_hash(meta, file->first_piece), length);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Nobody can give the patch, or it takes too long. */
static bool is_stuck(const struct delta *delta, const struct want *want)
{
    const struct swarm *patches = want->swarm;
    uint64_t most = delta->want->background ? STUCK_BACK : STUCK_MS;
    uint64_t since = later(later(want->moved_ms, delta->since_ms), patches->block_ms);

    if (want->fetch != NULL)
        since = later(since, want->fetch->body_ms);
    else if (want->origin_failures == 0)
        since = later(since, want->origin_retry_ms); /* it is not the site's turn yet */
    bool peers = patches->availability != NULL && patches->availability[want->head] > 0;
    return patches->node->now_ms >= since + most ||
           (!peers && want->fetch == NULL && want->origin_failures > 0);
}

/* Returns when to look again; 0: give up. */
static uint64_t fetch_tick(struct delta *delta)
{
    struct swarm *patches = delta_patches(delta);

    if (patches == NULL || patches->state != SWARM_READY)
        return 0;
    uint64_t again = patches->node->now_ms + LOOK_MS;
    if (!swarm_has_file(patches, delta->patch)) {
        /* It is used as long as this want lives. */
        bool gone = swarm_find_want(patches, delta->patch) == NULL;
        return gone || is_stuck(delta, get_patch(delta, patches)) ? 0 : again;
    }
    if (patches->node->rebuilding > 0) /* each takes a lot of memory */
        return again;
    rebuild(delta, patches);
    return UINT64_MAX;
}

static uint64_t load_tick(struct delta *delta)
{
    struct swarm *patches = delta_patches(delta);
    uint64_t until = delta->since_ms + LOAD_MS, now = delta->want->swarm->node->now_ms;

    if (patches == NULL || patches->state == SWARM_FAILED)
        return 0;
    if (is_loading(patches) || others_load(delta->want->swarm)) {
        uint64_t again = now + LOOK_MS < until ? now + LOOK_MS : until;
        return now < until ? again : 0;
    }
    if (!delta_choose(delta, patches))
        return 0;
    delta->state = DELTA_FETCHING;
    delta->since_ms = now;
    if (!swarm_has_file(patches, delta->patch))
        want_patch(delta, patches);
    return fetch_tick(delta);
}

static uint64_t tick(struct delta *delta)
{
    if (delta->state == DELTA_LOADING)
        return load_tick(delta);
    return delta->state == DELTA_FETCHING ? fetch_tick(delta) : UINT64_MAX;
}

uint64_t delta_tick(struct want *want)
{
    uint64_t again = tick(want->delta);

    if (again != 0)
        return again;
    give_up(want);
    return want->swarm->node->now_ms + 1;
}

void delta_add_doc(struct want *want, uint64_t serial)
{
    const struct delta *delta = want->delta;
    struct swarm *patches =
        delta != NULL && delta->state == DELTA_FETCHING ? delta_patches(delta) : NULL;
    struct want *other = patches != NULL ? swarm_find_want(patches, delta->patch) : NULL;

    if (other != NULL)
        want_add_doc(other, serial);
}

bool delta_consider(struct want *want)
{
    struct swarm *swarm = want->swarm;
    const struct metainfo_file *file = &swarm->meta->files[want->file];
    struct site_release *entry = NULL;

    if (file->length <= LIMIT_DELTA_MIN || file->length > LIMIT_DELTA_FILE ||
        strcmp(swarm->base, DELTA_BASE) == 0 || swarm->site->current->older == NULL)
        return false;
    struct swarm *patches = delta_find_patches(swarm, &entry);
    if (patches == NULL)
        return false;
    load_older(swarm, entry);
    struct delta *delta = mem_zalloc(sizeof *delta);
    delta->want = want;
    delta->since_ms = swarm->node->now_ms;
    memcpy(delta->patches, patches->infohash, HASH_LENGTH);
    want->delta = delta;
    uint64_t again = tick(delta);
    if (again != 0) {
        node_wake(swarm->node, again);
        return true;
    }
    delta_free(delta);
    want->delta = NULL;
    return false;
}

/* --- what the store says */

static bool is_patchs_fault(enum err err)
{
    return err != ERR_OK && err != ERR_NOT_FOUND && err != ERR_NO_SPACE && err != ERR_READ_ONLY &&
           err != ERR_IO && err != ERR_BUSY && err != ERR_CANCELLED;
}

static void remember_bad(const struct delta *delta, enum err err)
{
    struct swarm *patches = delta_patches(delta);

    if (patches == NULL || patches->state != SWARM_READY)
        return;
    if (patches->bad_patches.bits == 0)
        bitfield_init(&patches->bad_patches, patches->meta->file_count);
    bitfield_set(&patches->bad_patches, delta->patch);
    const char *name = patches->meta->files[delta->patch].path;
    node_log_once(patches->node, span_text(name),
                  "%s%s%s is no good, so the whole file is fetched: %s", patches->site->name,
                  patches->base, name, err_text(err));
}

void delta_rebuilt(struct delta *delta, const struct event *event)
{
    struct swarm *swarm = delta->want->swarm;
    uint32_t file = delta->want->file;
    const struct metainfo_file *info = &swarm->meta->files[file];
    const struct bitfield *have = event->store.have;
    enum err result = event->store.result;

    delta->op = 0;
    delta->state = DELTA_FETCHING;
    swarm->node->rebuilding--;
    if (is_patchs_fault(result))
        remember_bad(delta, result);
    for (uint32_t i = 0; have != NULL && i < info->pieces; i++) /* the last one frees all */
        if (bitfield_get(have, i))
            swarm_piece_arrived(swarm, info->first_piece + i, SOURCE_CACHE);
    struct want *want = swarm_find_want(swarm, file);
    if (want != NULL && want->delta == delta)
        give_up(want);
    if (result == ERR_NO_SPACE || result == ERR_QUOTA || result == ERR_READ_ONLY || result == ERR_IO)
        swarm_cannot_store(swarm, info->first_piece, result);
    node_wake(swarm->node, swarm->node->now_ms + 1); /* others may wait for their turn */
}
