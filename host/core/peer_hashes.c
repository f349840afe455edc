/* Hashes that a peer asks for (BEP 52): from the torrent at the piece layer and above, below it
 * from a piece that we have, which the store reads and hashes. */
#include "core/peer_impl.h"
#include "core/strikes.h"

#include "base/mem.h"
#include "wire/hash_answer.h"

#include <string.h>

#define REJECT_COST 64 /* an asker that takes no for an answer may go on for ever */

/* An answer that waits for its leaves. */
struct hash_job {
    struct list in_peer;
    struct peer *peer;
    uint64_t op;
    struct peer_hashes request;
    struct hash_plan plan;
};

/* --- what it costs */

/* About a microsecond a unit: a node of a layer costs a tenth, a block's leaf ten. */
static uint32_t cost_of(const struct metainfo *meta, const struct peer_hashes *request,
                        const struct hash_plan *plan)
{
    uint32_t cost = 1 + request->count / 8;

    if (plan->uncles > 0)
        cost += meta->files[plan->file].pieces / 8;
    if (plan->piece != UINT32_MAX)
        cost += 64 + 16 * merkle_blocks(metainfo_piece_bytes(meta, plan->piece));
    return cost;
}

static bool reject(struct peer *peer, const struct peer_hashes *request)
{
    struct peer_msg answer = {.kind = PEER_HASH_REJECT, .hash = *request};

    peer_send(peer, &answer);
    return true;
}

/* --- answers */

static void answer(struct peer *peer, const struct peer_hashes *request,
                   const struct hash_plan *plan, const uint8_t *leaves)
{
    struct peer_msg msg = {.kind = PEER_HASHES, .hash = *request};
    struct buf hashes;

    buf_init(&hashes, LIMIT_PEER_MESSAGE);
    hash_answer(peer->swarm->meta, request, plan, leaves, &hashes);
    msg.hash.hashes = span_of(hashes.data, hashes.length);
    peer_send(peer, &msg);
    buf_done(&hashes);
}

static void load_leaves(struct peer *peer, const struct peer_hashes *request,
                        const struct hash_plan *plan)
{
    struct hash_job *job = mem_zalloc(sizeof *job);

    job->peer = peer;
    job->request = *request;
    job->plan = *plan;
    job->op = node_op_begin(peer->node, OP_LEAVES, job);
    list_push_back(&peer->hash_jobs, &job->in_peer);
    peer->hash_job_count++;
    swarm_piece_effect(peer->swarm, EFFECT_LOAD_LEAVES, plan->piece, job->op);
}

static void job_free(struct hash_job *job)
{
    node_op_end(job->peer->node, job->op);
    job->peer->hash_job_count--;
    list_remove(&job->in_peer);
    mem_free(job);
}

void peer_leaves_loaded(void *owner, const struct event *event)
{
    struct hash_job *job = owner;
    struct peer *peer = job->peer;
    const struct metainfo *meta = peer->swarm->meta;
    size_t whole = (size_t)merkle_blocks(metainfo_piece_bytes(meta, job->plan.piece)) * HASH_LENGTH;

    if (event->store.result == ERR_OK && event->store.leaves.length == whole &&
        site_may_share(peer->swarm->site))
        answer(peer, &job->request, &job->plan, event->store.leaves.data);
    else
        reject(peer, &job->request);
    job_free(job);
}

void peer_hashes_done(struct peer *peer)
{
    list_for_each(link, next, &peer->hash_jobs)
        job_free(list_entry(link, struct hash_job, in_peer));
}

/* --- the request */

bool peer_handle_hash_request(struct peer *peer, const struct peer_hashes *request)
{
    struct swarm *swarm = peer->swarm;
    struct hash_plan plan = {.piece = UINT32_MAX};
    bool may = site_may_share(swarm->site) &&
               hash_answer_plan(swarm->meta, request, peer->hash_file, &plan) == ERR_OK &&
               (plan.piece == UINT32_MAX || (bitfield_get(&swarm->have, plan.piece) &&
                                             peer->hash_job_count < LIMIT_HASH_READS));
    uint32_t cost = may ? cost_of(swarm->meta, request, &plan) : REJECT_COST;
    uint64_t level = flood_add(&peer->hash_work, peer->node->now_ms, LIMIT_HASH_WORK_S, cost);

    if (level > 2 * LIMIT_HASH_WORK)
        return peer_refuse(peer, STRIKE_FLOOD, "floods us with hash requests");
    if (!may || level > LIMIT_HASH_WORK)
        return reject(peer, request);
    peer->hash_file = plan.file;
    if (plan.piece == UINT32_MAX)
        answer(peer, request, &plan, NULL);
    else
        load_leaves(peer, request, &plan);
    return true;
}
