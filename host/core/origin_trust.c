/* What the site's own server is worth as a source of pieces, by what it did. Its pages are never
 * worse off: what is not asked of it here, and no peer has, its visitors ask of it themselves.
 *
 *   changed    a file that is not the release's. No fault: it is not asked of the server for a
 *              minute, whatever pages say, and when CHANGED_MANY have been found so in a row it
 *              has another release, and nothing is asked for as long.
 *   hangs      no connection, or no byte of a body, until io/http gives up. Whatever else waits
 *              for its answer waits no longer, and nothing is asked for a while, longer each time.
 *   malformed  what no server of HTTP may answer. A strike in the name of the site, as a peer's
 *              malformed message is (strikes.h); a ban ends what is asked of it for pieces, and
 *              only that: the release and its torrents are signed.
 *   trickles   peers have what it brings too slowly: it is left to them.
 *
 * Being down, and any status that refuses, costs no more than waiting longer and longer. */
#include "base/mem.h"
#include "core/crowd.h"
#include "core/peer.h"
#include "core/strikes.h"

#define CHANGED_MS   60000
#define CHANGED_MANY 8
#define HANG_MS      10000
#define HANG_MAX_MS  120000
#define WATCH_MS     2000 /* in which a body brings so much, or is left to peers */
#define WATCH_BYTES  KIB(16)
#define TRICKLED_MS  10000
#define HOPELESS_MS  5000 /* a page waits no longer for a server that is not to be asked */

/* A file of which the server has another version. */
struct changed_file {
    uint32_t file;
    uint64_t until_ms;
    UT_hash_handle hh;
};

/* --- the server as a whole */

uint64_t origin_ready_ms(const struct site *site)
{
    return site->origin_not_before_ms > site->pieces_not_before_ms ? site->origin_not_before_ms
                                                                   : site->pieces_not_before_ms;
}

static void pause_site(struct site *site, uint64_t ms)
{
    uint64_t until = site->node->now_ms + ms;

    if (site->pieces_not_before_ms < until)
        site->pieces_not_before_ms = until;
    node_wake(site->node, until);
}

bool origin_is_hopeless(const struct want *want)
{
    const struct site *site = want->swarm->site;

    return want->origin_failures > 0 || origin_ready_ms(site) > site->node->now_ms + HOPELESS_MS;
}

void origin_gave(struct want *want)
{
    struct site *site = want->swarm->site;

    want->origin_failures = 0;
    site->origin_changed = site->origin_hangs = 0;
}

/* --- files that it has changed */

static void forget_changed(struct swarm *swarm, struct changed_file *changed)
{
    HASH_DEL(swarm->changed, changed);
    mem_free(changed);
}

uint64_t origin_changed_until(struct swarm *swarm, uint32_t file)
{
    struct changed_file *changed;

    HASH_FIND(hh, swarm->changed, &file, sizeof file, changed);
    if (changed == NULL)
        return 0;
    if (swarm->node->now_ms < changed->until_ms)
        return changed->until_ms;
    forget_changed(swarm, changed);
    return 0;
}

static void remember_changed(struct swarm *swarm, uint32_t file)
{
    struct changed_file *changed;

    HASH_FIND(hh, swarm->changed, &file, sizeof file, changed);
    if (changed == NULL) {
        if (HASH_COUNT(swarm->changed) >= LIMIT_CHANGED_FILES)
            forget_changed(swarm, swarm->changed); /* uthash keeps the order of insertion */
        changed = mem_zalloc(sizeof *changed);
        changed->file = file;
        HASH_ADD(hh, swarm->changed, file, sizeof file, changed);
    }
    changed->until_ms = swarm->node->now_ms + CHANGED_MS;
}

void origin_trust_done(struct swarm *swarm)
{
    while (swarm->changed != NULL)
        forget_changed(swarm, swarm->changed);
}

void origin_has_changed(struct want *want, const char *what)
{
    struct swarm *swarm = want->swarm;
    struct site *site = swarm->site;
    const char *path = swarm->meta->files[want->file].path;

    node_log_once(swarm->node, span_text(path),
                  "%s%s%s: the site's own file is not the one of its release: %s", site->name,
                  swarm->base, path, what);
    if (origin_changed_until(swarm, want->file) == 0)
        site->origin_changed++;
    remember_changed(swarm, want->file);
    if (site->origin_changed >= CHANGED_MANY)
        pause_site(site, CHANGED_MS);
    origin_failed(want, CHANGED_MS);
}

/* --- what it does wrong */

void origin_malformed(struct want *want, const char *what)
{
    struct site *site = want->swarm->site;

    node_log_once(site->node, span_text(site->name), "%s: the site's server %s", site->name, what);
    if (strikes_add(site->node, span_text(site->name), STRIKE_MALFORMED))
        pause_site(site, STRIKES_BAN_MS);
    origin_failed(want, HANG_MS);
}

/* All that waits for the first byte waits no longer: it would be the same for each. */
static void give_up_waiting(struct site *site)
{
    list_for_each(swarm_link, next_swarm, &site->swarms)
    {
        struct swarm *swarm = list_entry(swarm_link, struct swarm, in_site);
        list_for_each(link, next, &swarm->wants)
        {
            struct want *want = list_entry(link, struct want, in_swarm);
            if (want->fetch == NULL || want->fetch->headed)
                continue;
            origin_cancel(want->fetch);
            origin_failed(want, HANG_MS);
        }
    }
}

void origin_hung(struct want *want)
{
    struct site *site = want->swarm->site;
    uint64_t pause = HANG_MS << (site->origin_hangs < 4 ? site->origin_hangs : 4);

    site->origin_hangs++;
    pause_site(site, pause < HANG_MAX_MS ? pause : HANG_MAX_MS);
    origin_failed(want, HANG_MS);
    give_up_waiting(site);
}

/* --- what it does too slowly */

static bool somebody_gives(const struct swarm *swarm, uint32_t piece)
{
    list_for_each(link, next, &swarm->peers)
    {
        const struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (bitfield_get(&peer->have, piece) && !peer->peer_choking && !peer->snubbed)
            return true;
    }
    return false;
}

static bool may_be_left(const struct origin_fetch *fetch)
{
    const struct swarm *swarm = fetch->want->swarm;

    /* In a crowd the server's rate is divided by many, and what is fetched is what nobody has. */
    return !crowd_is(swarm) && !fair_use_slows(swarm) && !swarm->node->bodies_held &&
           fetch->piece < fetch->end && somebody_gives(swarm, fetch->piece);
}

void origin_watch(struct want *want)
{
    struct origin_fetch *fetch = want->fetch;
    uint64_t now = want->swarm->node->now_ms;

    if (fetch == NULL)
        return;
    if (!may_be_left(fetch) || fetch->watched_ms == 0) {
        fetch->watched_ms = now;
        fetch->watched = fetch->got;
    } else if (now >= fetch->watched_ms + WATCH_MS) {
        if (fetch->got - fetch->watched < WATCH_BYTES) {
            origin_cancel(fetch);
            want->origin_retry_ms = now + TRICKLED_MS;
            node_wake(want->swarm->node, want->origin_retry_ms);
            swarm_fill_peers(want->swarm);
            return;
        }
        fetch->watched_ms = now;
        fetch->watched = fetch->got;
    }
    if (may_be_left(fetch))
        node_wake(want->swarm->node, fetch->watched_ms + WATCH_MS);
}
