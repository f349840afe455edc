/* Peers tell each other of peers (BEP 11). What is heard is a hint from a stranger: it is capped,
 * and dialled only where swarm_candidates.c lets it. */
#include "core/find.h"
#include "core/strikes.h"

#include "base/mem.h"
#include "wire/ut_pex.h"

#include <string.h>

#define FIRST_MS    2000  /* after it offers ut_pex: some more may have connected meanwhile */
#define EVERY_MS    60000 /* at most one message in so long, both ways */
#define EARLY_BY_MS 15000 /* clocks differ, and a message may be late while its next one is not */
#define EARLY_MAX   4     /* messages too early, before the peer goes */

struct pex {
    uint64_t next_ms; /* when something may be told */
    uint64_t heard_ms;
    uint32_t early;
    size_t told_count;
    struct address told[LIMIT_PEX_PEERS]; /* whom it knows from us, and we are connected to */
};

/* --- telling */

static bool is_in(const struct address *list, size_t count, const struct address *address)
{
    for (size_t i = 0; i < count; i++)
        if (address_equal(&list[i], address))
            return true;
    return false;
}

/* Who may be named to `to`: somebody who can be dialled, and not an address that means another
 * machine, or nothing, where `to` is. */
static bool may_name(const struct peer *to, const struct peer *peer)
{
    if (peer == to || peer->dialable.port == 0)
        return false;
    return address_is_public(&peer->dialable) || find_shares_network(&to->remote, &peer->dialable);
}

static size_t find_named(const struct peer *to, struct ut_pex_peer ret[LIMIT_PEX_PEERS])
{
    size_t count = 0;

    /* Those who came before it, and then the last: so that everybody of many is named to some. */
    for (const struct list *link = to->in_swarm.prev;
         link != &to->in_swarm && count < LIMIT_PEX_PEERS; link = link->prev) {
        if (link == &to->swarm->peers)
            continue;
        const struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (!may_name(to, peer))
            continue;
        bool seed = peer->upload_only || bitfield_full(&peer->have);
        ret[count].address = peer->dialable;
        ret[count++].flags =
            (uint8_t)((seed ? UT_PEX_UPLOAD_ONLY : 0) | (peer->incoming ? 0 : UT_PEX_REACHABLE));
    }
    return count;
}

/* What has changed since the last message. */
static void compare(const struct pex *pex, const struct ut_pex_peer *now, size_t count,
                    struct ut_pex *ret)
{
    struct address addresses[LIMIT_PEX_PEERS];

    ret->added_count = ret->dropped_count = 0;
    for (size_t i = 0; i < count; i++) {
        addresses[i] = now[i].address;
        if (!is_in(pex->told, pex->told_count, &now[i].address))
            ret->added[ret->added_count++] = now[i];
    }
    for (size_t i = 0; i < pex->told_count; i++)
        if (!is_in(addresses, count, &pex->told[i]))
            ret->dropped[ret->dropped_count++] =
                (struct ut_pex_peer){.address = pex->told[i], .flags = 0};
}

static void tell(struct peer *peer)
{
    struct ut_pex_peer named[LIMIT_PEX_PEERS];
    struct ut_pex message;
    struct buf payload;
    size_t count = find_named(peer, named);

    peer->pex->next_ms = peer->node->now_ms + EVERY_MS;
    compare(peer->pex, named, count, &message);
    if (message.added_count + message.dropped_count == 0)
        return;
    buf_init(&payload, KIB(8));
    ut_pex_encode(&message, &payload);
    peer_send_extension(peer, EXTENSION_UT_PEX, &payload);
    buf_done(&payload);
    peer->pex->told_count = count;
    for (size_t i = 0; i < count; i++)
        peer->pex->told[i] = named[i].address;
}

uint64_t find_tell_peers(struct swarm *swarm)
{
    uint64_t wake = UINT64_MAX;

    if (!site_may_share(swarm->site) || site_has_supernodes_only(swarm->site))
        return wake;
    list_for_each(link, next, &swarm->peers)
    {
        struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (peer->pex == NULL || peer->speaks[EXTENSION_UT_PEX] == 0)
            continue;
        if (swarm->node->now_ms >= peer->pex->next_ms)
            tell(peer);
        wake = peer->pex->next_ms < wake ? peer->pex->next_ms : wake;
    }
    return wake;
}

/* --- hearing */

/* Too often? A few early ones are passed over, then it goes. */
static bool is_early(struct pex *pex, uint64_t now_ms)
{
    bool early = pex->heard_ms != 0 && now_ms < pex->heard_ms + EVERY_MS - EARLY_BY_MS;

    if (early)
        pex->early++;
    else
        pex->heard_ms = now_ms;
    return early;
}

static void take(struct peer *peer, const struct ut_pex *heard)
{
    struct swarm *swarm = peer->swarm;

    for (size_t i = 0; i < heard->dropped_count; i++)
        find_forget(swarm, &heard->dropped[i].address, peer->conn);
    uint32_t known = find_count_from(swarm, peer->conn);
    for (size_t i = 0; i < heard->added_count && known < LIMIT_PEX_FROM_PEER; i++) {
        const struct ut_pex_peer *added = &heard->added[i];
        struct candidate *candidate = find_add(swarm, &added->address, CANDIDATE_PEX, peer->conn);
        if (candidate == NULL)
            continue;
        candidate->seed = (added->flags & UT_PEX_UPLOAD_ONLY) != 0;
        known++;
    }
}

bool peer_handle_pex(struct peer *peer, struct span payload)
{
    struct ut_pex heard;

    if (ut_pex_decode(payload, &heard) != ERR_OK)
        return peer_refuse(peer, STRIKE_MALFORMED, "sent a malformed list of peers");
    peer_begin_pex(peer);
    if (is_early(peer->pex, peer->node->now_ms))
        return peer->pex->early <= EARLY_MAX ||
               peer_refuse(peer, STRIKE_FLOOD, "names peers too often");
    take(peer, &heard);
    node_wake(peer->node, find_dial(peer->swarm));
    return true;
}

/* --- birth */

void peer_begin_pex(struct peer *peer)
{
    if (peer->pex != NULL)
        return;
    peer->pex = mem_zalloc(sizeof *peer->pex);
    peer->pex->next_ms = peer->node->now_ms + FIRST_MS;
    node_wake(peer->node, peer->pex->next_ms);
}
