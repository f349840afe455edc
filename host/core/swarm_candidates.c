/* The addresses that a swarm knows: where they come from, when one may be tried
 * again. */
#include "base/mem.h"
#include "core/find.h"
#include "wire/peer_priority.h"

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

/* A private address is good where it was heard on our own network, or shows to be on it. */
static bool may_dial(const struct swarm *swarm, const struct address *address,
                     enum candidate_source source)
{
    const struct node_config *config = &swarm->node->config;
    bool shared = find_shares_network(&config->listen, address);

    if (address->port == 0)
        return false;
    for (size_t i = 0; i < config->listen_too_count; i++) {
        shared = shared || find_shares_network(&config->listen_too[i], address);
        if (address_same_ip(address, &config->listen_too[i]) &&
            address->port == config->listen.port)
            return false;
    }
    if (address_equal(address, &config->listen) || address_equal(address, &swarm->node->external))
        return false;                                                 /* ourselves */
    bool link_local = address->family == 6 && address->ip[0] == 0xfe; /* of which link? */
    return (source == CANDIDATE_LOCAL && !link_local) || address_is_public(address) || shared;
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
    candidate->source = CANDIDATE_TRACKER;
    HASH_ADD(hh, swarm->candidates, address, sizeof candidate->address, candidate);
    return candidate;
}

static void forget(struct swarm *swarm, struct candidate *candidate)
{
    HASH_DEL(swarm->candidates, candidate);
    mem_free(candidate);
}

static bool has_room(const struct swarm *swarm, enum candidate_source source)
{
    uint32_t count = HASH_COUNT(swarm->candidates);

    if (source == CANDIDATE_EXPLICIT)
        return true;
    if (source == CANDIDATE_PEX || source == CANDIDATE_ITSELF) /* anybody may make up many */
        return count < LIMIT_PEER_CANDIDATES / 4 * 3;
    return count < LIMIT_PEER_CANDIDATES;
}

/* It has come to us before anybody told us where it is. */
static void find_connected(struct swarm *swarm, struct candidate *candidate)
{
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (!peer->incoming || peer->is_candidate ||
            !address_equal(&peer->dialable, &candidate->address))
            continue;
        candidate->connected = peer->is_candidate = true;
        return;
    }
}

struct candidate *find_add(struct swarm *swarm, const struct address *address,
                           enum candidate_source source, uint64_t from)
{
    struct address plain = address_plain(address);

    if (find_candidate(swarm, &plain) != NULL || !has_room(swarm, source) ||
        swarm->node->config.supernode || site_has_supernodes_only(swarm->site))
        return NULL;
    if (source != CANDIDATE_EXPLICIT && !may_dial(swarm, &plain, source))
        return NULL;
    struct candidate *candidate = add_candidate(swarm, &plain);
    candidate->source = source;
    candidate->from = from;
    find_connected(swarm, candidate);
    return candidate;
}

void find_forget(struct swarm *swarm, const struct address *address, uint64_t from)
{
    struct candidate *candidate = find_candidate(swarm, address);

    if (candidate != NULL && candidate->source == CANDIDATE_PEX && candidate->from == from &&
        !candidate->connected && !candidate->is_self && !candidate->met)
        forget(swarm, candidate);
}

uint32_t find_count_from(const struct swarm *swarm, uint64_t from)
{
    uint32_t count = 0;

    for (const struct candidate *c = swarm->candidates; c != NULL; c = c->hh.next)
        count += c->source == CANDIDATE_PEX && c->from == from;
    return count;
}

bool find_is_explicit(struct swarm *swarm, const struct address *address)
{
    const struct candidate *candidate = find_candidate(swarm, address);
    return candidate != NULL && candidate->source == CANDIDATE_EXPLICIT;
}

void swarm_peer_listens(struct swarm *swarm, struct peer *peer)
{
    struct candidate *candidate = find_add(swarm, &peer->dialable, CANDIDATE_ITSELF, 0);

    if (candidate == NULL)
        candidate = find_candidate(swarm, &peer->dialable);
    if (candidate == NULL || candidate->connected)
        return;
    candidate->connected = candidate->met = true;
    peer->is_candidate = true;
}

void swarm_free_candidates(struct swarm *swarm)
{
    struct candidate *candidate, *next;

    HASH_ITER(hh, swarm->candidates, candidate, next)
    forget(swarm, candidate);
}

/* --- which are better (BEP 40) */

/* Where others see us: from inside a network nobody can tell for sure. */
static const struct address *own_address(const struct node *node)
{
    if (node->external.port != 0)
        return &node->external;
    return node->seen_as.family != 0 ? &node->seen_as : &node->config.listen;
}

uint32_t find_priority(const struct swarm *swarm, const struct address *address)
{
    struct address own = *own_address(swarm->node);

    own.port = node_public_port(swarm->node);
    return peer_priority(&own, address);
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

static struct candidate *candidate_of(struct swarm *swarm, const struct peer *peer)
{
    bool is_one = !peer->incoming || peer->is_candidate;
    return is_one ? find_candidate(swarm, &peer->dialable) : NULL;
}

static bool is_hopeless(const struct candidate *candidate)
{
    return candidate->source != CANDIDATE_EXPLICIT && !candidate->is_self &&
           candidate->failures > FAILURES_MAX;
}

void swarm_peer_ended(struct swarm *swarm, const struct peer *peer)
{
    struct candidate *candidate = candidate_of(swarm, peer);
    if (candidate == NULL)
        return;
    candidate->connected = false;
    candidate->met = candidate->met || peer->handshaken;
    candidate->is_self = candidate->is_self || peer->is_self;
    candidate->seed = peer->handshaken && bitfield_full(&peer->have);
    candidate->tells_releases = peer->speaks[EXTENSION_FRINGE_RELEASE] != 0;
    candidate->failures = was_good(peer) ? 1 : candidate->failures + 1;
    candidate->ended_ms = swarm->node->now_ms;
    if (is_hopeless(candidate))
        forget(swarm, candidate);
    else
        node_wake(swarm->node, find_due_ms(swarm, candidate));
}
