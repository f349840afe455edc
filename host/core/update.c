#include "core/update.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

void update_init(struct update *update)
{
    *update = (struct update){0};
}

static void effect_done(struct effect *effect)
{
    buf_done(&effect->text);
    if (effect->kind == EFFECT_STORE_PIECE)
        mem_free(effect->store.data);
}

void update_clear(struct update *update)
{
    for (size_t i = 0; i < update->count; i++)
        effect_done(&update->effects[i]);
    update->count = 0;
}

void update_done(struct update *update)
{
    update_clear(update);
    mem_free(update->effects);
    *update = (struct update){0};
}

struct effect *update_add(struct update *update, enum effect_kind kind, size_t text_max)
{
    if (update->count == update->capacity) {
        update->capacity = update->capacity > 0 ? 2 * update->capacity : 16;
        update->effects = mem_realloc(update->effects, update->capacity * sizeof *update->effects);
    }
    struct effect *effect = &update->effects[update->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    buf_init(&effect->text, text_max);
    return effect;
}

struct buf *update_send(struct update *update, uint64_t conn)
{
    struct effect *last = update->count > 0 ? &update->effects[update->count - 1] : NULL;
    if (last != NULL && last->kind == EFFECT_SEND && last->peer.conn == conn)
        return &last->text;
    struct effect *effect = update_add(update, EFFECT_SEND, MIB(4));
    effect->peer.conn = conn;
    return &effect->text;
}

struct metainfo_file update_file(const struct metainfo_file *file)
{
    struct metainfo_file copy = *file;

    copy.path = NULL;
    copy.layer = NULL;
    return copy;
}
