/* The addresses that a swarm knows: where they come from, when one may be tried
 * again. */
#include "base/mem.h"
#include "core/find.h"

#include <string.h>

#define REDIAL_MS        5000 /* doubled with every failure */
#define REDIAL_MAX_MS    600000
#define REDIAL_NEEDY_MS  20000 /* the most while a page waits and nobody is connected */
#define FAILURES_MAX     6     /* a stranger that never answers is forgotten */
#define FAILURES_COUNTED 8
#define GOOD_MS          60000 /* a connection that lasted so long was none that failed */

/* --- which addresses */

bool find_shares_network(const struct address *ours, const struct address *address)
{
    if (ours->family != address->family)
        return false;
    if (address_is_loopback(address) || address_is_loopback(ours))
        return address_is_loopback(address) && address_is_loopback(ours);
    size_t prefix = address->family == 4 ? 3 : 8;
    return memcmp(ours->ip, address->ip, prefix) == 0;
}

static bool may_dial(const struct swarm *swarm, const struct address *address)
{
    const struct address *listen = &swarm->node->config.listen;

    if (address->port == 0)
        return false;
    if (address_equal(address, listen) || address_equal(address, &swarm->node->external))
        return false; /* ourselves */
    return address_is_public(address) || find_shares_network(listen, address);
}

/* --- the table */

static struct candidate *find_candidate(struct swarm *swarm, const struct address *address)
{
    struct candidate *candidate;
    struct address plain = address_plain(address);

    HASH_FIND(hh, swarm->candidates, &plain, sizeof plain, candidate);
    return candidate;
}

static struct candidate *add_candidate(struct swarm *swarm, const struct address *address)
{
    struct candidate *candidate = mem_zalloc(sizeof *candidate);

    candidate->address = address_plain(address);
    HASH_ADD(hh, swarm->candidates, address, sizeof candidate->address, candidate);
    return candidate;
}

static void forget(struct swarm *swarm, struct candidate *candidate)
{
    HASH_DEL(swarm->candidates, candidate);
    mem_free(candidate);
}

void swarm_add_candidate(struct swarm *swarm, const struct address *address, bool explicit_peer)
{
    if (find_candidate(swarm, address) != NULL)
        return;
    struct address plain = address_plain(address);
    if (!explicit_peer &&
        (!may_dial(swarm, &plain) || HASH_COUNT(swarm->candidates) >= LIMIT_PEER_CANDIDATES))
        return;
    add_candidate(swarm, &plain)->explicit_peer = explicit_peer;
}

void swarm_free_candidates(struct swarm *swarm)
{
    struct candidate *candidate, *next;

    HASH_ITER(hh, swarm->candidates, candidate, next)
    forget(swarm, candidate);
}

/* --- when it is tried again */

uint64_t find_due_ms(const struct swarm *swarm, const struct candidate *candidate)
{
    if (candidate->failures == 0)
        return 0;
    uint32_t doublings =
        (candidate->failures < FAILURES_COUNTED ? candidate->failures : FAILURES_COUNTED) - 1;
    uint64_t delay = (uint64_t)REDIAL_MS << doublings;
    /* A page waits, and nobody is here: who was away may be back. */
    bool needy = !list_empty(&swarm->wants) && list_empty(&swarm->peers);
    uint64_t most = needy ? REDIAL_NEEDY_MS : REDIAL_MAX_MS;
    return candidate->ended_ms + (delay < most ? delay : most);
}

/* Has the connection been good for something, so that the next one may be, too? */
static bool was_good(const struct peer *peer)
{
    return peer->handshaken &&
           (peer->best_rate > 0 || peer->node->now_ms >= peer->opened_ms + GOOD_MS);
}

void swarm_peer_ended(struct swarm *swarm, const struct peer *peer)
{
    struct candidate *candidate = find_candidate(swarm, &peer->remote);

    if (peer->incoming || candidate == NULL)
        return;
    candidate->connected = false;
    candidate->is_self = candidate->is_self || peer->is_self;
    candidate->seed = peer->handshaken && bitfield_full(&peer->have);
    candidate->failures = was_good(peer) ? 1 : candidate->failures + 1;
    candidate->ended_ms = swarm->node->now_ms;
    if (!candidate->explicit_peer && !candidate->is_self && candidate->failures > FAILURES_MAX) {
        forget(swarm, candidate);
        return;
    }
    node_wake(swarm->node, find_due_ms(swarm, candidate));
}
