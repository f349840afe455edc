/* A visitor's connection to a super-node: one, to one of those that the release names, as long as
 * the site is open. Visitors begin at different ones, so that each has its share; when one does
 * not answer it is the next one's turn. */
#include "core/find.h"
#include "core/strikes.h"
#include "core/supernode.h"

#include <string.h>

#define KEEP_MS      300000 /* after the last page has gone, or asked for something */
#define AGAIN_MS     5000   /* when all have been tried, doubled each time */
#define AGAIN_MAX_MS 600000
#define NEEDY_MAX_MS 20000 /* while a page waits and nobody is connected */
#define GOOD_MS      60000 /* a connection that lasted so long was none that failed */

bool site_has_supernodes_only(const struct site *site)
{
    return !site->node->config.supernode && site->current != NULL &&
           strcmp(site->current->release->sharing, "supernode-only") == 0;
}

static const struct release *current_release(const struct swarm *swarm)
{
    return swarm->site->current != NULL ? swarm->site->current->release : NULL;
}

static bool is_open(const struct swarm *swarm)
{
    return swarm_is_open(swarm) && site_may_use_peers(swarm->site) && !swarm->node->fair.paused &&
           !swarm->node->config.supernode &&
           (swarm->node->now_ms < swarm->used_ms + KEEP_MS || docs_open(swarm->site));
}

/* --- nobody else */

static void close_others(struct swarm *swarm)
{
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (!peer->is_supernode)
            peer_close(peer, false);
    }
    if (swarm->candidates != NULL)
        swarm_free_candidates(swarm);
    if (swarm->tracker_count > 0)
        swarm_announce_stopped(swarm);
}

/* --- the connection */

static void dial(struct swarm *swarm, const struct release *release)
{
    size_t count = release->supernode_count;
    size_t first = load_u32be(swarm->peer_id + PEER_ID_LENGTH - 4) % count;
    const char *url = release->supernodes[(first + swarm->supernode_failures) % count];

    swarm->supernode = peer_dial_url(swarm, url, find_must_be_public(swarm))->conn;
}

uint64_t find_supernode(struct swarm *swarm)
{
    const struct release *release = current_release(swarm);
    struct peer *peer =
        swarm->supernode != 0 ? node_find_peer(swarm->node, swarm->supernode) : NULL;
    uint64_t now = swarm->node->now_ms;

    if (site_has_supernodes_only(swarm->site))
        close_others(swarm);
    if (!is_open(swarm) || release == NULL || release->supernode_count == 0) {
        if (peer != NULL)
            peer_close(peer, false);
        return UINT64_MAX;
    }
    if (peer != NULL)
        return swarm->used_ms + KEEP_MS > now ? swarm->used_ms + KEEP_MS : now + KEEP_MS;
    if (now < swarm->supernode_due_ms)
        return swarm->supernode_due_ms;
    if (HASH_COUNT(swarm->node->peers) < LIMIT_PEERS)
        dial(swarm, release);
    return UINT64_MAX; /* who leaves makes room, and wakes us */
}

static uint64_t delay_ms(const struct swarm *swarm, size_t count)
{
    uint32_t rounds = swarm->supernode_failures / (uint32_t)count;
    uint64_t delay = (uint64_t)AGAIN_MS << (rounds < 8 ? rounds : 8);
    bool needy = !list_empty(&swarm->wants) && list_empty(&swarm->peers);
    uint64_t most = needy ? NEEDY_MAX_MS : AGAIN_MAX_MS;

    /* One failed: the next one is tried at once. */
    if (swarm->supernode_failures % count != 0)
        return 0;
    delay = delay < most ? delay : most;
    return delay + rng_below(&swarm->node->rng, (uint32_t)delay / 4 + 1);
}

void supernode_link_ended(struct swarm *swarm, const struct peer *peer)
{
    const struct release *release = current_release(swarm);
    uint64_t now = swarm->node->now_ms;

    if (!peer->is_supernode || swarm->supernode != peer->conn)
        return;
    swarm->supernode = 0;
    if (release == NULL || release->supernode_count == 0)
        return;
    bool was_good = peer->handshaken && now >= peer->opened_ms + GOOD_MS;
    swarm->supernode_failures = was_good ? 1 : swarm->supernode_failures + 1;
    swarm->supernode_due_ms = now + delay_ms(swarm, release->supernode_count);
    node_wake(swarm->node, swarm->supernode_due_ms);
}

/* --- what may be expected of it */

bool supernode_is_bringing(const struct swarm *swarm)
{
    const struct peer *peer =
        swarm->supernode != 0 ? node_find_peer(swarm->node, swarm->supernode) : NULL;

    if (peer == NULL || !peer->settled || !peer->handshaken || peer->peer_choking || peer->snubbed)
        return false;
    bool late = swarm->node->now_ms >= peer->block_ms + SUPERNODE_HEDGE_MS;
    return peer->asked.count > 0 && !late;
}
