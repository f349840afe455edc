/* Files for which the cache's quota left no room: pages get them from the site itself for a while,
 * instead of the host fetching them again and again in vain. */
#include "core/swarm.h"

#include "base/mem.h"

#include <string.h>

#define FILES    64 /* remembered at once; the oldest goes */
#define RETRY_MS 60000

struct no_room {
    uint32_t files[FILES];
    uint64_t until_ms[FILES];
    uint32_t next;
};

void swarm_no_room(struct swarm *swarm, uint32_t file)
{
    if (swarm->no_room == NULL)
        swarm->no_room = mem_zalloc(sizeof *swarm->no_room);
    struct no_room *no_room = swarm->no_room;
    no_room->files[no_room->next] = file;
    no_room->until_ms[no_room->next] = swarm->node->now_ms + RETRY_MS;
    no_room->next = (no_room->next + 1) % FILES;
}

bool swarm_has_no_room(const struct swarm *swarm, uint32_t file)
{
    const struct no_room *no_room = swarm->no_room;

    for (uint32_t i = 0; no_room != NULL && i < FILES; i++)
        if (no_room->files[i] == file && swarm->node->now_ms < no_room->until_ms[i])
            return true;
    return false;
}

void swarm_expect(struct swarm *swarm, uint32_t file)
{
    struct effect *effect = update_add(swarm->node->update, EFFECT_EXPECT_FILE, 0);

    effect->store.site = swarm->site->name;
    effect->store.file = update_file(&swarm->meta->files[file]);
}

static void refuse(struct swarm *swarm, const uint8_t root[HASH_LENGTH], enum err why)
{
    struct want *want, *next;

    HASH_ITER(hh, swarm->wanted_files, want, next)
    {
        const struct metainfo_file *file = &swarm->meta->files[want->file];
        if (memcmp(file->root, root, HASH_LENGTH) == 0) {
            swarm_cannot_store(swarm, file->first_piece, why);
            return; /* its twins are found out in the same way */
        }
    }
}

void swarm_refused(struct node *node, const uint8_t root[HASH_LENGTH], enum err why)
{
    for (struct site *site = node->sites; site != NULL; site = site->hh.next)
        list_for_each(link, next, &site->swarms)
            refuse(list_entry(link, struct swarm, in_site), root, why);
}
