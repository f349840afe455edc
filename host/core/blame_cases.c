/* Bad pieces of which nobody could say which blocks were wrong. To have given some of such a piece
 * is no crime: the others may have been right. So the case stays open until the piece comes from
 * anywhere with its right hash: then its blocks are compared with those of the bad one, and who
 * sent one that differs is banned, beyond doubt. All others are cleared.
 *
 * Until then each giver is under suspicion, which costs an honest one nothing: it is asked for
 * whole pieces only, and nobody else for blocks of these (swarm_fetch.c). If one of them does not
 * have its hash there is no doubt whose it was. */
#include "core/blame.h"

#include "base/mem.h"
#include "core/strikes.h"

#include <string.h>

struct blame_case {
    struct list in_swarm;
    struct swarm *swarm;
    struct blame_blocks blocks;
    uint64_t op; /* the right piece's hashes are being read; 0: not */
};

static bool gave(const struct blame_case *open, uint64_t conn)
{
    for (uint32_t i = 0; i < open->blocks.count; i++)
        if (open->blocks.from[i] == conn)
            return true;
    return false;
}

/* Suspects are the givers of what is still open. */
static void look_at_suspects(struct swarm *swarm)
{
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        peer->suspect = false;
        if (!peer->gave_blocks)
            continue;
        list_for_each(case_link, next_case, &swarm->cases)
        {
            if (gave(list_entry(case_link, struct blame_case, in_swarm), peer->conn))
                peer->suspect = true;
        }
    }
}

static void case_free(struct blame_case *open)
{
    open->swarm->case_count--;
    list_remove(&open->in_swarm);
    node_op_end(open->swarm->node, open->op);
    mem_free(open->blocks.leaves);
    mem_free(open->blocks.from);
    mem_free(open);
}

void blame_cases_open(struct swarm *swarm, struct blame_blocks *blocks)
{
    struct blame_case *open = mem_zalloc(sizeof *open);

    if (swarm->case_count >= LIMIT_BLAME_CASES)
        case_free(list_entry(swarm->cases.next, struct blame_case, in_swarm));
    open->swarm = swarm;
    open->blocks = *blocks;
    list_push_back(&swarm->cases, &open->in_swarm);
    swarm->case_count++;
    look_at_suspects(swarm);
}

static void load_leaves(struct blame_case *open)
{
    open->op = node_op_begin(open->swarm->node, OP_CASE, open);
    swarm_piece_effect(open->swarm, EFFECT_LOAD_LEAVES, open->blocks.piece, open->op);
}

void blame_cases_piece_stored(struct swarm *swarm, uint32_t piece)
{
    list_for_each(link, next, &swarm->cases)
    {
        struct blame_case *open = list_entry(link, struct blame_case, in_swarm);
        if (open->blocks.piece == piece && open->op == 0)
            load_leaves(open);
    }
}

static void judge(struct blame_case *open, const uint8_t *right)
{
    for (uint32_t i = 0; i < open->blocks.count; i++) {
        size_t at = (size_t)i * HASH_LENGTH;
        if (memcmp(right + at, open->blocks.leaves + at, HASH_LENGTH) != 0)
            blame_strike(open->swarm, open->blocks.from[i], STRIKE_BAD_BYTES);
    }
}

void blame_cases_leaves_loaded(void *owner, const struct event *event)
{
    struct blame_case *open = owner;
    struct swarm *swarm = open->swarm;

    open->op = 0;
    if (event->store.result == ERR_OK &&
        event->store.leaves.length == (size_t)open->blocks.count * HASH_LENGTH)
        judge(open, event->store.leaves.data);
    case_free(open);
    look_at_suspects(swarm);
    swarm_fill_peers(swarm);
}

void blame_cases_done(struct swarm *swarm)
{
    list_for_each(link, next, &swarm->cases)
        case_free(list_entry(link, struct blame_case, in_swarm));
}
