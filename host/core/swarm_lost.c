/* Pieces that were there and are not: the store found content damaged, or somebody removed it.
 * The store looks at all of it again, and what has gone is said to all (BEP 54). */
#include "core/peer.h"

#include <string.h>

static void lose_piece(struct swarm *swarm, uint32_t piece)
{
    if (!bitfield_unset(&swarm->have, piece))
        return;
    if (swarm_find_piece(swarm, piece) == NULL)
        bitfield_unset(&swarm->taken, piece);
    list_for_each(link, next, &swarm->peers)
        peer_dont_have(list_entry(link, struct peer, in_swarm), piece);
    list_for_each(link, next, &swarm->wants)
    {
        struct want *want = list_entry(link, struct want, in_swarm);
        const struct metainfo_file *file = &swarm->meta->files[want->file];
        if (piece >= file->first_piece && piece < want->head)
            want->head = piece;
    }
}

static void look_again(struct swarm *swarm)
{
    const struct bitfield *have = &swarm->have;

    swarm->doubt = swarm->load_op != 0; /* then once more after that */
    if (swarm->doubt)
        return;
    bitfield_done(&swarm->doubted);
    bitfield_init(&swarm->doubted, have->bits);
    bitfield_load(&swarm->doubted, have->bytes, bitfield_bytes(have->bits));
    swarm->load_op = node_op_begin(swarm->node, OP_CONTENT, swarm);
    struct effect *effect = update_add(swarm->node->update, EFFECT_LOAD_CONTENT, 0);
    effect->store.op = swarm->load_op;
    effect->store.site = swarm->site->name;
    effect->store.meta = swarm->meta;
}

/* What was stored while the store was looking is neither doubted nor lost. */
void swarm_looked_again(struct swarm *swarm, const struct bitfield *have)
{
    const struct bitfield *doubted = &swarm->doubted;
    uint32_t end = swarm->have.bits;

    for (uint32_t i = bitfield_next_one(doubted, 0, end); i != BITFIELD_NONE;
         i = bitfield_next_one(doubted, i + 1, end))
        if (!bitfield_get(have, i))
            lose_piece(swarm, i);
    bitfield_done(&swarm->doubted);
    if (swarm->doubt)
        look_again(swarm);
    swarm_fill_peers(swarm);
    swarm_consider_origin(swarm);
}

static bool has_content(const struct swarm *swarm, const uint8_t root[HASH_LENGTH])
{
    if (swarm->state != SWARM_READY)
        return false;
    for (uint32_t i = 0; i < swarm->meta->file_count; i++)
        if (memcmp(swarm->meta->files[i].root, root, HASH_LENGTH) == 0)
            return true;
    return false;
}

void swarm_file_lost(struct node *node, const uint8_t root[HASH_LENGTH])
{
    for (struct site *site = node->sites; site != NULL; site = site->hh.next)
        list_for_each(link, next, &site->swarms)
        {
            struct swarm *swarm = list_entry(link, struct swarm, in_site);
            if (has_content(swarm, root))
                look_again(swarm);
        }
}

/* --- what the cache lets go */

static void lose_file(struct swarm *swarm, const struct metainfo_file *file)
{
    for (uint32_t i = 0; i < file->pieces; i++)
        lose_piece(swarm, file->first_piece + i);
}

void swarm_file_gone(struct node *node, const uint8_t root[HASH_LENGTH])
{
    for (struct site *site = node->sites; site != NULL; site = site->hh.next)
        list_for_each(link, next, &site->swarms)
        {
            struct swarm *swarm = list_entry(link, struct swarm, in_site);
            if (swarm->state != SWARM_READY)
                continue;
            for (uint32_t i = 0; i < swarm->meta->file_count; i++)
                if (memcmp(swarm->meta->files[i].root, root, HASH_LENGTH) == 0)
                    lose_file(swarm, &swarm->meta->files[i]);
        }
}

void swarm_tell_old(const struct swarm *swarm)
{
    const struct metainfo *meta = swarm->meta;

    if (swarm->state != SWARM_READY || swarm->have.count == 0)
        return;
    struct effect *effect =
        update_add(swarm->node->update, EFFECT_FILES_OLD, (size_t)meta->file_count * HASH_LENGTH);
    for (uint32_t i = 0; i < meta->file_count; i++)
        if (meta->files[i].pieces > 0)
            buf_put(&effect->text, meta->files[i].root, HASH_LENGTH);
}

void swarm_tell_current(const struct swarm *swarm)
{
    if (swarm->state != SWARM_READY)
        return;
    struct effect *effect = update_add(swarm->node->update, EFFECT_FILES_CURRENT, 0);
    effect->store.site = swarm->site->name;
    effect->store.meta = swarm->meta;
}
