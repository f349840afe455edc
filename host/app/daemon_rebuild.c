/* New files from old ones and patches: the store's part of EFFECT_REBUILD. */
#include "app/daemon_impl.h"
#include "base/mem.h"

#include <string.h>

/* In the hands of the hasher; its three files are pinned. */
struct rebuilding {
    uint64_t op;
    struct metainfo_file old, patch, file;
    uint32_t piece_length;
    UT_hash_handle hh;
};

static void answer(struct daemon *daemon, uint64_t op, enum err err)
{
    struct answer *answer = mem_zalloc(sizeof *answer);

    answer->event.kind = EVENT_REBUILT;
    answer->event.store.op = op;
    answer->event.store.result = err;
    list_push_back(&daemon->answers, &answer->link);
}

/* What is there already: when it cannot be opened it is not what was stored. */
static bool open_stored(struct daemon *daemon, const struct metainfo_file *file,
                        uint32_t piece_length, int *ret_fd)
{
    daemon_cache_used(daemon, file->root);
    if (store_fd(daemon->store, file, piece_length, ret_fd) == ERR_OK)
        return true;
    daemon_file_lost(daemon, file);
    return false;
}

static enum err open_new(struct daemon *daemon, const struct effect *effect, int *ret_fd)
{
    const struct metainfo_file *file = &effect->rebuild.file;
    enum err err = daemon_cache_reserve(daemon, file, effect->rebuild.site);

    return err == ERR_OK ? store_fd(daemon->store, file, effect->rebuild.piece_length, ret_fd)
                         : err;
}

static void pin(struct daemon *daemon, const struct rebuilding *rebuilding,
                void (*what)(struct store *store, const uint8_t root[HASH_LENGTH]))
{
    what(daemon->store, rebuilding->old.root);
    what(daemon->store, rebuilding->patch.root);
    what(daemon->store, rebuilding->file.root);
}

static void begin(struct daemon *daemon, const struct effect *effect, struct rebuild *rebuild)
{
    struct rebuilding *rebuilding = mem_zalloc(sizeof *rebuilding);

    rebuilding->op = effect->rebuild.op;
    rebuilding->old = effect->rebuild.old;
    rebuilding->patch = effect->rebuild.patch;
    rebuilding->file = effect->rebuild.file;
    rebuilding->piece_length = effect->rebuild.piece_length;
    HASH_ADD(hh, daemon->rebuilding, op, sizeof rebuilding->op, rebuilding);
    pin(daemon, rebuilding, store_pin);
    hasher_submit(daemon->hasher,
                  &(struct hasher_job){.op = rebuilding->op, .fd = -1, .rebuild = rebuild});
}

void daemon_rebuild(struct daemon *daemon, struct effect *effect)
{
    struct rebuild *rebuild = mem_zalloc(sizeof *rebuild);
    size_t length;
    enum err err = ERR_NOT_FOUND;

    rebuild->old_length = effect->rebuild.old.length;
    rebuild->patch_length = effect->rebuild.patch.length;
    rebuild->length = effect->rebuild.file.length;
    rebuild->piece_length = effect->rebuild.piece_length;
    memcpy(rebuild->old_root, effect->rebuild.old.root, HASH_LENGTH);
    if (open_stored(daemon, &effect->rebuild.old, effect->rebuild.old_piece_length,
                    &rebuild->old_fd) &&
        open_stored(daemon, &effect->rebuild.patch, effect->rebuild.patch_piece_length,
                    &rebuild->patch_fd))
        err = open_new(daemon, effect, &rebuild->fd);
    if (err != ERR_OK) {
        answer(daemon, effect->rebuild.op, err);
        rebuild_free(rebuild);
        return;
    }
    rebuild->hashes = buf_take(&effect->text, &length);
    begin(daemon, effect, rebuild);
}

void daemon_rebuilt(struct daemon *daemon, const struct hasher_result *result)
{
    const struct bitfield *have = &result->rebuild->have;
    struct event event = {.kind = EVENT_REBUILT};
    struct rebuilding *rebuilding;

    HASH_FIND(hh, daemon->rebuilding, &result->op, sizeof result->op, rebuilding);
    if (rebuilding == NULL)
        return;
    for (uint32_t i = 0; i < have->bits; i++) {
        if (bitfield_get(have, i))
            store_mark_piece(daemon->store, &rebuilding->file, rebuilding->piece_length, i);
    }
    daemon_cache_stored(daemon, rebuilding->file.root);
    if (result->err == ERR_NOT_FOUND) {
        store_doubt(daemon->store, rebuilding->old.root);
        daemon_file_lost(daemon, &rebuilding->old);
        store_doubt(daemon->store, rebuilding->patch.root);
        daemon_file_lost(daemon, &rebuilding->patch);
    }
    daemon_flush_soon(daemon);
    pin(daemon, rebuilding, store_unpin);
    HASH_DEL(daemon->rebuilding, rebuilding);
    mem_free(rebuilding);
    event.store.op = result->op;
    event.store.result = result->err;
    event.store.have = have;
    daemon_step(daemon, &event);
}

void daemon_forget_rebuilding(struct daemon *daemon)
{
    struct rebuilding *rebuilding, *next;

    HASH_ITER(hh, daemon->rebuilding, rebuilding, next)
    {
        HASH_DEL(daemon->rebuilding, rebuilding);
        mem_free(rebuilding);
    }
}
