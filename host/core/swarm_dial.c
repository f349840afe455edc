/* Whom we dial, and when. Who wants something dials everybody it knows. Who wants nothing but
 * shares dials too, a few and slowly: behind a router that lets nobody in it would else give
 * nothing. */
#include "core/find.h"
#include "core/strikes.h"

#define ACTIVE_MS        300000 /* after its last use a swarm still looks for peers so long */
#define SLOW_MS          10000  /* between two dials of who wants nothing */
#define SLOW_CONNECTIONS 8      /* of a swarm that wants nothing, before it dials no more */
/* Half of the places are for those who dial us: if everybody filled all of its own by dialling,
 * nobody would have a place for anybody. */
#define DIAL_CONNECTIONS (LIMIT_PEERS_PER_SWARM / 2)
#define SLOW_PEERS       (LIMIT_PEERS / 2) /* over all swarms */

enum pace { PACE_NONE, PACE_SLOW, PACE_FREE };

bool find_is_active(const struct swarm *swarm)
{
    return site_may_use_peers(swarm->site) && !swarm->node->fair.paused &&
           swarm->state == SWARM_READY && swarm->node->now_ms < swarm->used_ms + ACTIVE_MS;
}

static enum pace find_pace(const struct swarm *swarm)
{
    if (swarm->state != SWARM_READY || !site_may_use_peers(swarm->site))
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

/* Who shares what it has needs nobody who has everything. */
static bool is_wanted(const struct candidate *candidate, enum pace pace)
{
    if (candidate->connected || candidate->is_self)
        return false;
    return pace == PACE_FREE || !candidate->seed;
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

uint64_t find_dial(struct swarm *swarm)
{
    enum pace pace = find_pace(swarm);
    uint64_t now = swarm->node->now_ms, wake = UINT64_MAX;
    struct candidate *candidate, *next;

    if (pace == PACE_NONE ||
        !has_room(swarm, swarm->node->config.peer_count > 0, pace)) /* most often */
        return UINT64_MAX;
    HASH_ITER(hh, swarm->candidates, candidate, next)
    {
        if (!is_wanted(candidate, pace) || strikes_ban_address(swarm->node, &candidate->address))
            continue;
        uint64_t due = find_due_ms(swarm, candidate);
        if (pace == PACE_SLOW && due < swarm->dialled_ms + SLOW_MS)
            due = swarm->dialled_ms + SLOW_MS;
        if (now < due)
            wake = earlier(wake, due);
        else if (has_room(swarm, candidate->explicit_peer, pace))
            dial(swarm, candidate);
    }
    return wake;
}

void swarm_find_peers(struct swarm *swarm)
{
    const struct node_config *config = &swarm->node->config;

    if (swarm->state != SWARM_READY || !site_may_use_peers(swarm->site))
        return;
    for (size_t i = 0; i < config->peer_count; i++)
        swarm_add_candidate(swarm, &config->peers[i], true);
    node_wake(swarm->node, swarm_peers_tick(swarm));
}

uint64_t swarm_peers_tick(struct swarm *swarm)
{
    if (!site_may_use_peers(swarm->site))
        return UINT64_MAX;
    uint64_t announce = find_ask_trackers(swarm);
    return earlier(announce, find_dial(swarm));
}
