/* Whom we dial, and when. Who wants something dials everybody it knows. Who wants nothing but
 * shares dials too, a few and slowly: behind a router that lets nobody in it would else give
 * nothing. */
#include "core/find.h"
#include "core/strikes.h"

#define ACTIVE_MS        300000 /* after its last use a swarm still looks for peers so long */
#define SLOW_MS          10000  /* between two dials of who wants nothing */
#define SLOW_CONNECTIONS 8      /* of a swarm that wants nothing, before it dials no more */
#define TELLERS_DIALLED  4      /* of those that have everything */
/* The other places are for those who dial us: if everybody filled its own by dialling, nobody would
 * have one for those who come last, and they need somebody most. */
#define DIAL_CONNECTIONS (LIMIT_PEERS_PER_SWARM * 2 / 5)
#define SLOW_PEERS       (LIMIT_PEERS / 2) /* over all swarms */
#define BRINGS_MS        10000             /* since its last block */

enum pace { PACE_NONE, PACE_SLOW, PACE_FREE };

bool find_is_active(const struct swarm *swarm)
{
    return site_may_use_peers(swarm->site) && !swarm->node->fair.paused && swarm_is_open(swarm) &&
           swarm->node->now_ms < swarm->used_ms + ACTIVE_MS;
}

static enum pace find_pace(const struct swarm *swarm)
{
    if (!swarm_is_open(swarm) || !site_may_use_peers(swarm->site) ||
        swarm->node->config.supernode || site_has_supernodes_only(swarm->site))
        return PACE_NONE;
    if (find_is_active(swarm) && !swarm_complete(swarm))
        return PACE_FREE;
    return site_may_share(swarm->site) && swarm->have.count > 0 ? PACE_SLOW : PACE_NONE;
}

static bool has_room(const struct swarm *swarm, bool explicit_peer, enum pace pace)
{
    uint32_t peers = HASH_COUNT(swarm->node->peers);

    if (pace == PACE_SLOW)
        return swarm->connections < SLOW_CONNECTIONS && peers < SLOW_PEERS;
    uint32_t places = explicit_peer ? LIMIT_PEERS_PER_SWARM : DIAL_CONNECTIONS;
    return swarm->connections < places && peers < LIMIT_PEERS;
}

/* Who shares what it has needs nobody who has everything, but a few to hear of new releases. */
static bool is_wanted(const struct swarm *swarm, const struct candidate *candidate, enum pace pace)
{
    if (candidate->connected || candidate->is_self)
        return false;
    return pace == PACE_FREE || !candidate->seed ||
           (candidate->tells_releases && swarm->connections < TELLERS_DIALLED);
}

static void dial(struct swarm *swarm, struct candidate *candidate)
{
    candidate->connected = true;
    swarm->dialled_ms = swarm->node->now_ms;
    peer_dial(swarm, &candidate->address);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t due_ms(const struct swarm *swarm, const struct candidate *candidate, enum pace pace)
{
    uint64_t due = find_due_ms(swarm, candidate), slow = swarm->dialled_ms + SLOW_MS;
    return pace == PACE_SLOW && due < slow ? slow : due;
}

/* Whom the visitor named, then who has not failed, then by priority (BEP 40). */
static bool is_better(const struct swarm *swarm, const struct candidate *a,
                      const struct candidate *b)
{
    bool a_named = a->source == CANDIDATE_EXPLICIT, b_named = b->source == CANDIDATE_EXPLICIT;

    if (a_named != b_named)
        return a_named;
    if ((a->failures == 0) != (b->failures == 0))
        return a->failures == 0;
    return find_priority(swarm, &a->address) > find_priority(swarm, &b->address);
}

/* The best that is due, or NULL; *wake: when the next one will be. */
static struct candidate *next_candidate(const struct swarm *swarm, enum pace pace, uint64_t *wake)
{
    struct candidate *best = NULL;

    for (struct candidate *c = swarm->candidates; c != NULL; c = c->hh.next) {
        if (!is_wanted(swarm, c, pace) || strikes_ban_address(swarm->node, &c->address))
            continue;
        uint64_t due = due_ms(swarm, c, pace);
        if (swarm->node->now_ms < due)
            *wake = earlier(*wake, due);
        else if (best == NULL || is_better(swarm, c, best))
            best = c;
    }
    return best;
}

uint64_t find_dial(struct swarm *swarm)
{
    enum pace pace = find_pace(swarm);
    bool named = swarm->node->config.peer_count > 0;
    uint64_t wake = UINT64_MAX;

    while (pace != PACE_NONE && has_room(swarm, named, pace)) {
        wake = UINT64_MAX;
        struct candidate *candidate = next_candidate(swarm, pace, &wake);
        if (candidate == NULL || !has_room(swarm, candidate->source == CANDIDATE_EXPLICIT, pace))
            return wake;
        dial(swarm, candidate);
    }
    return UINT64_MAX; /* who leaves makes room, and wakes us */
}

/* --- whom we let go */

/* It brings what somebody waits for, or the visitor named it: not to be given up for a stranger. */
static bool is_dear(struct swarm *swarm, const struct peer *peer)
{
    bool brings = peer->asked.count > 0 && swarm->node->now_ms < peer->block_ms + BRINGS_MS;
    return brings || peer->is_supernode || find_is_explicit(swarm, &peer->dialable);
}

static struct peer *find_lowest(struct swarm *swarm, uint32_t *ret_priority)
{
    struct peer *lowest = NULL;

    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (is_dear(swarm, peer))
            continue;
        uint32_t priority = find_priority(swarm, &peer->remote);
        if (lowest != NULL && priority >= *ret_priority)
            continue;
        lowest = peer;
        *ret_priority = priority;
    }
    return lowest;
}

bool swarm_make_room(struct swarm *swarm, const struct peer *newcomer)
{
    uint32_t priority = 0;

    if (swarm->connections < LIMIT_PEERS_PER_SWARM || swarm->node->config.supernode)
        return true; /* (a super-node has places for all together) */
    struct peer *lowest = find_lowest(swarm, &priority);
    if (lowest == NULL || priority >= find_priority(swarm, &newcomer->remote))
        return false;
    peer_close(lowest, false);
    return true;
}

/* --- all together */

void swarm_find_peers(struct swarm *swarm)
{
    const struct node_config *config = &swarm->node->config;

    if (!swarm_is_open(swarm) || !site_may_use_peers(swarm->site))
        return;
    for (size_t i = 0; i < config->peer_count; i++)
        find_add(swarm, &config->peers[i], CANDIDATE_EXPLICIT, 0);
    node_wake(swarm->node, swarm_peers_tick(swarm));
    if (swarm->node->lsd.on)
        node_wake(swarm->node, swarm->node->now_ms);
}

uint64_t swarm_peers_tick(struct swarm *swarm)
{
    if (!site_may_use_peers(swarm->site))
        return UINT64_MAX;
    uint64_t wake = find_ask_trackers(swarm);
    wake = earlier(wake, find_tell_peers(swarm));
    wake = earlier(wake, find_supernode(swarm));
    return earlier(wake, find_dial(swarm));
}
