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
        effect_done(update->effects[i]);
    update->count = 0;
}

void update_done(struct update *update)
{
    update_clear(update);
    for (size_t i = 0; i < update->allocated; i++)
        mem_free(update->effects[i]);
    mem_free(update->effects);
    *update = (struct update){0};
}

/* An effect stays where it is: who adds one may add others before it is complete. */
static struct effect *next_effect(struct update *update)
{
    if (update->count == update->capacity) {
        update->capacity = update->capacity > 0 ? 2 * update->capacity : 16;
        update->effects = mem_realloc(update->effects, update->capacity * sizeof *update->effects);
    }
    if (update->count == update->allocated)
        update->effects[update->allocated++] = mem_alloc(sizeof **update->effects);
    return update->effects[update->count++];
}

struct effect *update_add(struct update *update, enum effect_kind kind, size_t text_max)
{
    struct effect *effect = next_effect(update);

    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    buf_init(&effect->text, text_max);
    return effect;
}

struct buf *update_send(struct update *update, uint64_t conn)
{
    struct effect *last = update->count > 0 ? update->effects[update->count - 1] : NULL;
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
