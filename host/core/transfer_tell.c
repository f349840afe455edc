/* What came from whom, and what was given to whom: effects for the visitor's log and the sums of
 * each site. */
#include "core/node_impl.h"
#include "core/peer.h"
#include "core/site.h"
#include "core/swarm.h"

void transfer_tell(struct swarm *swarm, uint32_t file, const struct transfer_tale *tale)
{
    if (!swarm->node->config.tells_transfers || tale->bytes == 0)
        return;
    const struct metainfo_file *info = &swarm->meta->files[file];
    const struct site *site = swarm->site;
    struct effect *effect =
        update_add(swarm->node->update, EFFECT_TRANSFER, LIMIT_SITE + 2 * LIMIT_PATH + 3);
    buf_put_text(&effect->text, site->name);
    buf_put_u8(&effect->text, 0);
    effect->transfer.path = effect->text.length;
    buf_printf(&effect->text, "%s%s", swarm->base, info->path);
    buf_put_u8(&effect->text, 0);
    effect->transfer.no_log = swarm->node->fair.settings[SETTING_NO_LOG] != 0;
    effect->transfer.shared = tale->shared;
    effect->transfer.source = tale->source;
    effect->transfer.bytes = tale->bytes;
    effect->transfer.size = info->length;
    effect->transfer.seq = site->current != NULL ? site->current->release->seq : 0;
    if (tale->peer != NULL)
        effect->transfer.peer = *tale->peer;
}

static void tell_blocks(const struct piece *piece, uint32_t file, uint32_t first, uint32_t end)
{
    const struct block *block = &piece->blocks[first];
    const struct peer *peer = node_find_peer(piece->swarm->node, block->from);
    uint32_t from = first * BLOCK_LENGTH, to = end * BLOCK_LENGTH;
    struct transfer_tale tale = {.source = block->by_supernode ? SOURCE_SUPERNODE : SOURCE_PEERS,
                                 .peer = peer != NULL ? &peer->remote : NULL};

    tale.bytes = (to < piece->length ? to : piece->length) - from;
    transfer_tell(piece->swarm, file, &tale);
}

void transfer_tell_piece(const struct piece *piece)
{
    uint32_t file = metainfo_file_of_piece(piece->swarm->meta, piece->number), first = 0;

    if (!piece->swarm->node->config.tells_transfers)
        return;
    if (piece->source == SOURCE_ORIGIN) {
        struct transfer_tale tale = {.source = SOURCE_ORIGIN, .bytes = piece->length};
        transfer_tell(piece->swarm, file, &tale);
        return;
    }
    for (uint32_t i = 1; i <= piece->block_count; i++) {
        if (i < piece->block_count && piece->blocks[i].from == piece->blocks[first].from)
            continue;
        tell_blocks(piece, file, first, i);
        first = i;
    }
}
