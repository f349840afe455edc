#include "core/site.h"

#include "base/mem.h"
#include "core/peer.h"
#include "core/supernode.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define WASTE_FREE  MIB(1) /* what may come in vain, and besides ... */
#define WASTE_SHARE 20     /* ... one part in so many of what was of use */

/* --- life */

/* A site that nobody chose and that holds nothing may go when there are too many. */
static bool make_room(struct node *node)
{
    if (HASH_COUNT(node->sites) < LIMIT_SITES)
        return true;
    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        if (site->zone == ZONE_DEFAULT && list_empty(&site->swarms) && list_empty(&site->waiting) &&
            !site->fetching) {
            site_free(site);
            return true;
        }
    }
    return false;
}

static struct site *site_new(struct node *node, const char *name)
{
    struct site *site = mem_zalloc(sizeof *site);
    uint8_t token[16];

    site->node = node;
    snprintf(site->name, sizeof site->name, "%s", name);
    rng_bytes(&node->rng, token, sizeof token);
    hex_encode(site->token, token, sizeof token);
    site->zone = ZONE_DEFAULT;
    site->served = supernode_serves(node, name);
    list_init(&site->waiting);
    list_init(&site->swarms);
    buf_init(&site->json, LIMIT_RELEASE);
    buf_init(&site->signature, LIMIT_SIGNATURE);
    site_learn_init(site);
    HASH_ADD_STR(node->sites, name, site);
    return site;
}

struct site *site_get(struct node *node, const char *name, bool create)
{
    struct site *site;

    HASH_FIND_STR(node->sites, name, site);
    if (site != NULL || !create || !make_room(node))
        return site;
    return site_new(node, name);
}

struct site *site_by_token(struct node *node, const char *token)
{
    for (struct site *site = node->sites; site != NULL; site = site->hh.next)
        if (strlen(token) == 32 && sodium_memcmp(site->token, token, 32) == 0)
            return site;
    return NULL;
}

void site_free(struct site *site)
{
    struct node *node = site->node;

    supernode_site_done(site);
    site_fetch_done(site);
    site_learn_done(site);
    list_for_each(link, next, &site->swarms) swarm_free(list_entry(link, struct swarm, in_site));
    list_for_each(link, next, &site->waiting) mem_free(list_entry(link, struct waiting, in_site));
    site_free_releases(site);
    docs_forget_site(node, site);
    buf_done(&site->json);
    buf_done(&site->signature);
    node_add_totals(&node->before, site);
    HASH_DEL(node->sites, site);
    mem_free(site);
}

void site_save(struct site *site)
{
    struct effect *effect = update_add(site->node->update, EFFECT_SAVE_SITE, 0);
    effect->site = (struct site_record){
        .site = site->name,
        .zone = site->zone,
        .has_key = site->has_key && !site->key_is_new,
        .blocked = site->blocked,
        .key = site->key,
        .seq = site->seq,
        .release = span_of(site->json.data, site->json.length),
        .signature = span_of(site->signature.data, site->signature.length),
    };
}

/* --- zones */

enum zone site_zone(const struct site *site)
{
    if (site->node->config.supernode)
        return site->served ? ZONE_SHARE : ZONE_OFF;
    return site->zone != ZONE_DEFAULT ? site->zone : node_default_zone(site->node);
}

bool site_may_use_peers(const struct site *site)
{
    return site_zone(site) != ZONE_OFF && site_is_live(site);
}

bool site_may_share(const struct site *site)
{
    return site_zone(site) == ZONE_SHARE && site_is_live(site) && fair_use_may_give(site->node);
}

bool site_may_waste(const struct site *site)
{
    uint64_t useful =
        site->bytes[SOURCE_PEERS] + site->bytes[SOURCE_SUPERNODE] + site->bytes[SOURCE_ORIGIN];
    return site->wasted <= WASTE_FREE + useful / WASTE_SHARE;
}

void site_apply_zone(struct site *site)
{
    list_for_each(link, next, &site->swarms)
        swarm_zone_changed(list_entry(link, struct swarm, in_site));
}

void site_set_zone(struct site *site, enum zone zone)
{
    enum zone before = site_zone(site);

    site->zone = zone;
    site_save(site);
    if (site_zone(site) != before)
        site_zone_changed(site);
}

void site_zone_changed(struct site *site)
{
    if (site_zone(site) == ZONE_OFF)
        site_fetch_cancel(site);
    site_apply_zone(site);
    if (site_may_share(site))
        site_start_swarms(site);
    site_answer_waiting(site);
}

/* --- small things */

void site_spared(const struct site *site, uint64_t *ret_asked, uint64_t *ret_shared)
{
    const uint64_t *bytes = site->bytes;
    uint64_t shared = bytes[SOURCE_PEERS] + bytes[SOURCE_SUPERNODE];
    uint64_t fetched = site->node->config.has_folder ? 0 : bytes[SOURCE_ORIGIN];

    *ret_asked = site->served ? site->uploaded : shared + fetched;
    *ret_shared = shared;
    if (site->served) /* what was fetched once has been given as often as it was asked for */
        *ret_shared = site->uploaded > fetched ? site->uploaded - fetched : 0;
}

bool site_page_waits(const struct site *site)
{
    list_for_each(link, next, &site->waiting)
    {
        uint64_t seq = list_entry(link, struct waiting, in_site)->request.seq;
        if (seq == 0 || seq > site->seq)
            return true;
    }
    return false;
}

uint32_t site_peer_count(const struct site *site)
{
    uint32_t count = 0;

    list_for_each(swarm_link, next_swarm, &site->swarms)
        list_for_each(link, next, &list_entry(swarm_link, struct swarm, in_site)->peers) count++;
    return count;
}

uint64_t site_tick(struct site *site)
{
    uint64_t wake = site_life_tick(site), super = supernode_site_tick(site);
    uint64_t learn = site_learn_tick(site);

    wake = super < wake ? super : wake;
    wake = learn < wake ? learn : wake;
    uint64_t update = site_update_tick(site);
    wake = update < wake ? update : wake;

    list_for_each(link, next, &site->swarms)
    {
        uint64_t at = swarm_tick(list_entry(link, struct swarm, in_site));
        wake = at < wake ? at : wake;
    }
    if (!list_empty(&site->waiting))
        site_answer_waiting(site);
    list_for_each(link, next, &site->waiting)
    {
        uint64_t at = list_entry(link, struct waiting, in_site)->deadline_ms;
        wake = at < wake ? at : wake;
    }
    return wake;
}
