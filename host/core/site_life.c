/* A site's releases in memory. The current one is for new pages; an older one stays as long as
 * pages of it are open, and some minutes more for those that are just coming. */
#include "base/mem.h"
#include "core/site_catalog.h"
#include "core/swarm.h"

#include <string.h>

/* --- states */

/* The publisher's kill switch: a release that shares nothing. */
static bool is_revoked(const struct site *site)
{
    return site->current != NULL && release_is_empty(site->current->release);
}

const char *site_blocked_reason(const struct site *site)
{
    if (site->blocked)
        return "key-changed";
    return is_revoked(site) ? "revoked" : NULL;
}

static bool is_expired(const struct site *site, const struct site_release *entry)
{
    return entry->release->expires <= site->node->wall_s;
}

bool site_is_live(const struct site *site)
{
    return site->current != NULL && site_blocked_reason(site) == NULL &&
           !is_expired(site, site->current);
}

enum site_life site_life(const struct site *site)
{
    if (site_blocked_reason(site) != NULL)
        return LIFE_BLOCKED;
    if (site->current == NULL)
        return site->fetching ? LIFE_FETCHING : LIFE_UNKNOWN;
    if (is_expired(site, site->current))
        return LIFE_EXPIRED;
    return site->fetching || site_is_updating(site) ? LIFE_UPDATING : LIFE_CURRENT;
}

const char *site_life_name(enum site_life life)
{
    static const char *const names[] = {"unknown",  "fetching", "current",
                                        "updating", "expired",  "blocked"};
    return names[life];
}

/* --- swarms of releases */

struct swarm *site_find_swarm(struct site *site, const uint8_t infohash[HASH_LENGTH])
{
    list_for_each(link, next, &site->swarms)
    {
        struct swarm *swarm = list_entry(link, struct swarm, in_site);
        if (memcmp(swarm->infohash, infohash, HASH_LENGTH) == 0)
            return swarm;
    }
    return NULL;
}

static struct swarm *get_swarm(struct site *site, struct site_release *entry, size_t number)
{
    const struct release_bundle *bundle = &entry->release->bundles[number];

    if (entry->swarms[number] == NULL)
        entry->swarms[number] = site_find_swarm(site, bundle->infohash);
    if (entry->swarms[number] == NULL)
        entry->swarms[number] = swarm_new(site, bundle);
    return entry->swarms[number];
}

struct swarm *site_release_swarm(struct site *site, struct site_release *entry, size_t number)
{
    struct swarm *swarm = get_swarm(site, entry, number);

    swarm_need(swarm);
    return swarm;
}

void site_follow_release(struct site *site)
{
    for (size_t i = 0; i < site->current->release->bundle_count; i++) {
        struct swarm *swarm = get_swarm(site, site->current, i);
        if (swarm->state == SWARM_LOADING && swarm->meta == NULL)
            swarm->patient = site->learn.by_push;
    }
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
        for (size_t i = 0; i < entry->swarm_count; i++)
            if (entry->swarms[i] == swarm)
                return true;
    return false;
}

/* --- which releases stay */

static void entry_free(struct site_release *entry)
{
    site_catalog_free(entry);
    release_free(entry->release);
    mem_free(entry->swarms);
    mem_free(entry);
}

void site_free_releases(struct site *site)
{
    while (site->current != NULL) {
        struct site_release *older = site->current->older;
        entry_free(site->current);
        site->current = older;
    }
}

static bool is_current(const struct site *site, const struct swarm *swarm)
{
    for (size_t i = 0; i < site->current->swarm_count; i++)
        if (site->current->swarms[i] == swarm)
            return true;
    return false;
}

/* For the cache: what only older releases have may go first. */
void site_tell_ages(const struct site *site)
{
    const struct site_release *current = site->current;

    if (current == NULL || current->older == NULL)
        return;
    list_for_each(link, next, &site->swarms)
    {
        const struct swarm *swarm = list_entry(link, struct swarm, in_site);
        if (!is_current(site, swarm))
            swarm_tell_old(swarm);
    }
    for (size_t i = 0; i < current->swarm_count; i++)
        if (current->swarms[i] != NULL)
            swarm_tell_current(current->swarms[i]);
}

static void free_unused_swarms(struct site *site)
{
    list_for_each(link, next, &site->swarms)
    {
        struct swarm *swarm = list_entry(link, struct swarm, in_site);
        if (!is_used(site, swarm))
            swarm_free(swarm);
    }
}

/* Takes it off the site, with the swarms that were its alone. */
static void drop_release(struct site *site, struct site_release *entry)
{
    struct site_release **at = &site->current;

    while (*at != entry)
        at = &(*at)->older;
    site_tell_ages(site);
    *at = entry->older;
    entry_free(entry);
    free_unused_swarms(site);
}

static void drop_all_older(struct site *site)
{
    while (site->current->older != NULL)
        drop_release(site, site->current->older);
}

/* Over the number kept the oldest that no page is open of goes, else the oldest. */
static void keep_few(struct site *site)
{
    struct site_release *oldest = NULL, *unread = NULL;
    uint32_t count = 0;

    for (struct site_release *entry = site->current; entry != NULL; entry = entry->older) {
        count++;
        oldest = entry;
        if (entry != site->current && !docs_read(site, entry->release->seq))
            unread = entry;
    }
    if (count > SITE_RELEASES_KEPT)
        drop_release(site, unread != NULL ? unread : oldest);
}

void site_add_release(struct site *site, struct release *release)
{
    struct site_release *entry = mem_zalloc(sizeof *entry);
    bool begins_anew = release->seq < site->seq; /* with a new key */

    entry->release = release;
    entry->swarms = mem_calloc(release->bundle_count, sizeof *entry->swarms);
    entry->swarm_count = release->bundle_count;
    entry->older = site->current;
    if (site->current != NULL)
        site->current->used_ms = site->node->now_ms;
    site->current = entry;
    site->releases++;
    site->seq = release->seq;
    site->blocked = false;
    site->reason = NULL;
    if (is_revoked(site) || begins_anew)
        drop_all_older(site);
    keep_few(site);
    if (entry->older != NULL)
        node_wake(site->node, site->node->now_ms + RELEASE_STAYS_MS);
}

void site_release_used(struct site *site, uint64_t seq)
{
    for (struct site_release *entry = site->current; entry != NULL; entry = entry->older)
        if (entry->release->seq == seq)
            entry->used_ms = site->node->now_ms;
}

/* Older releases that nobody reads go. Returns when to look again. */
static uint64_t age(struct site *site)
{
    uint64_t now = site->node->now_ms, wake = UINT64_MAX;
    struct site_release *next = site->current != NULL ? site->current->older : NULL;

    for (struct site_release *entry = next; entry != NULL; entry = next) {
        next = entry->older;
        if (now >= entry->used_ms + RELEASE_STAYS_MS && docs_read(site, entry->release->seq))
            entry->used_ms = now;
        uint64_t at = entry->used_ms + RELEASE_STAYS_MS;
        if (now >= at)
            drop_release(site, entry);
        else
            wake = at < wake ? at : wake;
    }
    return wake;
}

uint64_t site_life_tick(struct site *site)
{
    uint64_t wake = age(site);
    bool live = site_is_live(site);

    if (site->was_live && !live) /* expired: nobody is served on */
        site_apply_zone(site);
    site->was_live = live;
    if (!live)
        return wake;
    uint64_t left_s = site->current->release->expires - site->node->wall_s;
    uint64_t at = site->node->now_ms + (left_s < UINT32_MAX ? left_s : UINT32_MAX) * 1000;
    return at < wake ? at : wake;
}

/* --- for a page */

static struct site_release *find_entry(struct site *site, uint64_t seq)
{
    struct site_release *entry = site->current;

    while (entry != NULL && seq != 0 && entry->release->seq != seq)
        entry = entry->older;
    return entry;
}

struct site_release *site_find_release(struct site *site, uint64_t seq, const char **ret_reason)
{
    struct site_release *entry = find_entry(site, seq);
    bool coming = site->fetching && !site->blocked && (seq == 0 || seq > site->seq);

    *ret_reason = coming ? NULL : site_blocked_reason(site);
    if (*ret_reason != NULL)
        return NULL;
    if (entry != NULL && !is_expired(site, entry) && !is_revoked(site))
        return entry;
    if (site->fetching)
        return NULL;
    if (entry != NULL)
        *ret_reason = "expired";
    else if (site->reason != NULL)
        *ret_reason = site->reason;
    else if (site->current != NULL)
        *ret_reason = "seq-mismatch";
    else if (site->tried_seq != 0 || site->retry_ms != 0)
        *ret_reason = "no-release";
    return NULL;
}

/* --- restored */

/* An expired one, too: it still says which key may come next, and what was shared. */
static struct release *verify_record(const struct site *site, const struct site_record *record)
{
    struct release *release = NULL;
    struct reason reason;

    if (!record->has_key || record->release.length == 0 ||
        release_verify(record->release.data, record->release.length, record->signature.data,
                       record->signature.length, &record->key, site->name, 0, &release,
                       &reason) != ERR_OK)
        return NULL; /* the index is damaged: it is fetched again */
    return release;
}

void site_share_again(struct site *site)
{
    if (list_empty(&site->swarms) && site_may_share(site))
        site_start_swarms(site);
}

void site_restore(struct node *node, const struct site_record *record)
{
    struct site *site = site_get(node, record->site, true);

    if (site == NULL)
        return;
    site->zone = record->zone;
    site->has_key = record->has_key;
    site->key = record->key;
    site->seq = record->seq;
    struct release *release = verify_record(site, record);
    if (release != NULL) {
        buf_put(&site->json, record->release.data, record->release.length);
        buf_put(&site->signature, record->signature.data, record->signature.length);
        site_add_release(site, release);
        site->seq = record->seq > site->seq ? record->seq : site->seq;
    }
    site->blocked = record->blocked;
    if (HASH_COUNT(node->sites) <= SITES_SHARED_AGAIN)
        site_share_again(site);
}
