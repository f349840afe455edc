#include "core/site.h"

#include "base/mem.h"
#include "core/peer.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define WASTE_FREE      MIB(1) /* what may come in vain, and besides ... */
#define WASTE_SHARE     20     /* ... one part in so many of what was of use */
#define SWARMS_RESTORED 64     /* shared again at start */

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
    list_init(&site->waiting);
    list_init(&site->swarms);
    buf_init(&site->json, LIMIT_RELEASE);
    buf_init(&site->signature, LIMIT_SIGNATURE);
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

static void release_entry_free(struct site_release *entry)
{
    release_free(entry->release);
    mem_free(entry->swarms);
    mem_free(entry);
}

void site_free(struct site *site)
{
    struct node *node = site->node;

    download_cancel(node, &site->get_json);
    download_cancel(node, &site->get_signature);
    download_cancel(node, &site->get_key);
    download_done(&site->get_json);
    download_done(&site->get_signature);
    download_done(&site->get_key);
    list_for_each(link, next, &site->swarms) swarm_free(list_entry(link, struct swarm, in_site));
    list_for_each(link, next, &site->waiting) mem_free(list_entry(link, struct waiting, in_site));
    while (site->current != NULL) {
        struct site_release *older = site->current->older;
        release_entry_free(site->current);
        site->current = older;
    }
    buf_done(&site->json);
    buf_done(&site->signature);
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
        .key = site->key,
        .seq = site->seq,
        .release = span_of(site->json.data, site->json.length),
        .signature = span_of(site->signature.data, site->signature.length),
    };
}

/* --- zones */

enum zone site_zone(const struct site *site)
{
    return site->zone != ZONE_DEFAULT ? site->zone : site->node->config.default_zone;
}

static bool release_is_live(const struct site *site)
{
    return site->current != NULL && !site->blocked &&
           site->current->release->expires > site->node->wall_s;
}

bool site_may_use_peers(const struct site *site)
{
    return site_zone(site) != ZONE_OFF && release_is_live(site);
}

bool site_may_share(const struct site *site)
{
    return site_zone(site) == ZONE_SHARE && release_is_live(site) && fair_use_may_give(site->node);
}

bool site_may_waste(const struct site *site)
{
    uint64_t useful = site->bytes[SOURCE_PEERS] + site->bytes[SOURCE_ORIGIN];
    return site->wasted <= WASTE_FREE + useful / WASTE_SHARE;
}

static void apply_zone(struct site *site)
{
    list_for_each(link, next, &site->swarms)
        swarm_zone_changed(list_entry(link, struct swarm, in_site));
}

void site_set_zone(struct site *site, enum zone zone)
{
    enum zone before = site_zone(site);

    site->zone = zone;
    site_save(site);
    if (site_zone(site) == before)
        return;
    if (site_zone(site) == ZONE_OFF) {
        download_cancel(site->node, &site->get_json);
        download_cancel(site->node, &site->get_signature);
        download_cancel(site->node, &site->get_key);
        site->fetching = false;
    }
    apply_zone(site);
    if (site_may_share(site))
        site_start_swarms(site);
    site_answer_waiting(site);
}

/* --- releases */

static struct swarm *find_swarm(struct site *site, const uint8_t infohash[HASH_LENGTH])
{
    list_for_each(link, next, &site->swarms)
    {
        struct swarm *swarm = list_entry(link, struct swarm, in_site);
        if (memcmp(swarm->infohash, infohash, HASH_LENGTH) == 0)
            return swarm;
    }
    return NULL;
}

struct swarm *site_release_swarm(struct site *site, struct site_release *entry, size_t number)
{
    const struct release_bundle *bundle = &entry->release->bundles[number];

    if (entry->swarms[number] == NULL)
        entry->swarms[number] = find_swarm(site, bundle->infohash);
    if (entry->swarms[number] == NULL)
        entry->swarms[number] = swarm_new(site, bundle);
    swarm_need(entry->swarms[number]);
    return entry->swarms[number];
}

void site_start_swarms(struct site *site)
{
    if (site->current == NULL)
        return;
    for (size_t i = 0; i < site->current->release->bundle_count; i++)
        site_release_swarm(site, site->current, i);
}

static bool is_used(const struct site *site, const struct swarm *swarm)
{
    for (struct site_release *entry = site->current; entry != NULL; entry = entry->older)
        for (size_t i = 0; i < entry->release->bundle_count; i++)
            if (entry->swarms[i] == swarm)
                return true;
    return false;
}

/* Forgets the oldest releases over the number kept, and the swarms that were theirs alone. */
static void drop_old_releases(struct site *site)
{
    struct site_release *entry = site->current;

    for (int kept = 1; kept < SITE_RELEASES_KEPT && entry != NULL; kept++)
        entry = entry->older;
    if (entry == NULL || entry->older == NULL)
        return;
    struct site_release *old = entry->older;
    entry->older = NULL;
    while (old != NULL) {
        struct site_release *older = old->older;
        release_entry_free(old);
        old = older;
    }
    list_for_each(link, next, &site->swarms)
    {
        struct swarm *swarm = list_entry(link, struct swarm, in_site);
        if (!is_used(site, swarm))
            swarm_free(swarm);
    }
}

void site_add_release(struct site *site, struct release *release)
{
    struct site_release *entry = mem_zalloc(sizeof *entry);

    entry->release = release;
    entry->swarms = mem_calloc(release->bundle_count, sizeof *entry->swarms);
    entry->older = site->current;
    site->current = entry;
    site->seq = release->seq;
    site->blocked = false;
    site->reason = NULL;
    drop_old_releases(site);
}

struct site_release *site_find_release(struct site *site, uint64_t seq, const char **ret_reason)
{
    *ret_reason = NULL;
    if (site->blocked) {
        *ret_reason = "key-changed";
        return NULL;
    }
    for (struct site_release *entry = site->current; entry != NULL; entry = entry->older) {
        if (seq != 0 && entry->release->seq != seq)
            continue;
        if (entry->release->expires > site->node->wall_s)
            return entry;
        if (!site->fetching)
            *ret_reason = "expired";
        return NULL;
    }
    if (site->fetching)
        return NULL;
    if (site->reason != NULL)
        *ret_reason = site->reason;
    else if (site->current != NULL)
        *ret_reason = "seq-mismatch";
    else if (site->tried_seq != 0 || site->retry_ms != 0)
        *ret_reason = "no-release";
    return NULL;
}

/* --- restored */

void site_restore(struct node *node, const struct site_record *record)
{
    struct site *site = site_get(node, record->site, true);
    struct release *release = NULL;
    struct reason reason;

    if (site == NULL)
        return;
    site->zone = record->zone;
    site->has_key = record->has_key;
    site->key = record->key;
    site->seq = record->seq;
    if (!record->has_key || record->release.length == 0)
        return;
    if (release_verify(record->release.data, record->release.length, record->signature.data,
                       record->signature.length, &record->key, record->site, node->wall_s, &release,
                       &reason) != ERR_OK)
        return; /* expired while we were away, or the index is damaged: it is fetched again */
    buf_put(&site->json, record->release.data, record->release.length);
    buf_put(&site->signature, record->signature.data, record->signature.length);
    uint64_t highest = site->seq;
    site_add_release(site, release);
    if (highest > site->seq)
        site->seq = highest;
    if (site_may_share(site) && HASH_COUNT(node->sites) <= SWARMS_RESTORED)
        site_start_swarms(site);
}

/* --- small things */

uint32_t site_peer_count(const struct site *site)
{
    uint32_t count = 0;

    list_for_each(swarm_link, next_swarm, &site->swarms)
        list_for_each(link, next, &list_entry(swarm_link, struct swarm, in_site)->peers) count++;
    return count;
}

uint64_t site_tick(struct site *site)
{
    uint64_t wake = UINT64_MAX;

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
