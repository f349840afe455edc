/* When the site is asked about its next release. */
#include "core/site_learn.h"

#include "core/crowd.h"
#include "core/peer_impl.h"
#include "core/strikes.h"

#include <string.h>

#define POLL_MS         3600000  /* a site whose pages are read, ... */
#define POLL_SELDOM_MS  21600000 /* ... and one whose pages nobody has read for USED_MS */
#define POLL_MAX_MS     86400000 /* whatever Cache-Control says */
#define USED_MS         86400000
#define CONFIRM_EACH_MS 10    /* a hundred hosts a second ask the site, ... */
#define CONFIRM_MAX_MS  45000 /* ... until there are too many to be done within a minute */
#define AGAIN_MS        15000 /* the site did not show it: later, and then longer */
#define AGAIN_DOUBLINGS 8
#define HOSTS_HOLD_MS   600000
#define HINT_MS         600000

/* --- life */

void site_learn_init(struct site *site)
{
    struct site_learn *learn = &site->learn;

    fringe_release_mark(site->name, learn->mark);
    buf_init(&learn->json, LIMIT_RELEASE);
    buf_init(&learn->signature, LIMIT_SIGNATURE);
    learn->confirm_ms = UINT64_MAX;
}

void site_learn_done(struct site *site)
{
    buf_done(&site->learn.json);
    buf_done(&site->learn.signature);
}

void site_learn_forget(struct site_learn *learn)
{
    buf_done(&learn->json);
    buf_done(&learn->signature);
    learn->seq = 0;
    learn->confirm_ms = UINT64_MAX;
}

uint64_t site_learn_seq(const struct site *site)
{
    uint64_t seq = site->current != NULL ? site->current->release->seq : 0;
    return site->learn.seq > seq ? site->learn.seq : seq;
}

/* --- when to ask the site */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* As many hosts as there may be, as far as we know: with nobody who counts them, the neighbours of
 * our neighbours. */
uint64_t site_count_hosts(const struct site *site)
{
    bool holds = site->node->now_ms < site->learn.hosts_ms + HOSTS_HOLD_MS;
    uint64_t most = holds ? site->learn.hosts : 0;

    list_for_each(link, next, &site->swarms)
    {
        const struct swarm *swarm = list_entry(link, struct swarm, in_site);
        uint64_t peers = swarm->speakers, size = crowd_size(swarm);
        most = size > most ? size : most;
        most = peers * peers > most ? peers * peers : most;
    }
    return most;
}

uint64_t site_learn_spread_ms(const struct site *site)
{
    uint64_t window = earlier(site_count_hosts(site) * CONFIRM_EACH_MS, CONFIRM_MAX_MS);
    return window > 0 ? rng_below(&site->node->rng, (uint32_t)window) : 0;
}

/* A tracker's count is old in a wave: the highest travels with it. A liar gains little, as nobody
 * waits longer than CONFIRM_MAX_MS. */
void site_learn_hear_hosts(struct site *site, uint32_t hosts)
{
    struct site_learn *learn = &site->learn;
    bool holds = site->node->now_ms < learn->hosts_ms + HOSTS_HOLD_MS;

    if (holds && hosts <= learn->hosts)
        return;
    learn->hosts = hosts < LIMIT_SWARM_SIZE ? hosts : LIMIT_SWARM_SIZE;
    learn->hosts_ms = site->node->now_ms;
}

/* Three quarters to five quarters of it. */
static uint64_t jittered(const struct site *site, uint64_t ms)
{
    return ms - ms / 4 + rng_below(&site->node->rng, (uint32_t)(ms / 2));
}

static uint64_t poll_after_ms(const struct site *site)
{
    const struct site_learn *learn = &site->learn;
    bool used = learn->used && site->node->now_ms < learn->used_ms + USED_MS;
    uint64_t wait = used ? POLL_MS : POLL_SELDOM_MS;
    uint64_t fresh = site->get_signature.max_age_s * UINT64_C(1000);

    wait = fresh > wait ? fresh : wait;
    return jittered(site, earlier(wait, POLL_MAX_MS));
}

static uint64_t again_after_ms(const struct site *site)
{
    uint32_t doublings =
        site->learn.failures < AGAIN_DOUBLINGS ? site->learn.failures : AGAIN_DOUBLINGS;
    return jittered(site, (uint64_t)AGAIN_MS << doublings);
}

void site_learn_used(struct site *site)
{
    struct site_learn *learn = &site->learn;

    learn->used = true;
    learn->used_ms = site->node->now_ms;
    /* It was left alone for long, and is to be asked soon again. */
    if (learn->poll_ms > site->node->now_ms + POLL_MS + POLL_MS / 4)
        learn->poll_ms = site->node->now_ms + jittered(site, POLL_MS);
}

bool site_learn_confirm_now(struct site *site, uint64_t seq)
{
    struct site_learn *learn = &site->learn;

    if (learn->seq == 0 || learn->seq != seq || learn->failures > 0)
        return false;
    learn->confirm_ms = site->node->now_ms;
    return site_look(site);
}

void site_learn_looked(struct site *site, enum site_showed showed)
{
    struct site_learn *learn = &site->learn;
    uint64_t now = site->node->now_ms;

    if (learn->seq > 0 && learn->seq <= site->seq)
        site_learn_forget(learn);
    if (learn->heard <= site_learn_seq(site))
        learn->heard = 0;
    bool waits = learn->seq > 0;
    learn->failures = waits || showed == SITE_SHOWED_NOTHING ? learn->failures + 1 : 0;
    learn->poll_ms = now + poll_after_ms(site);
    if (waits)
        learn->confirm_ms = now + again_after_ms(site);
    else if (showed == SITE_SHOWED_NOTHING)
        learn->poll_ms = earlier(learn->poll_ms, now + again_after_ms(site));
    node_wake(site->node, earlier(learn->poll_ms, learn->confirm_ms));
}

void site_learn_hint(struct site *site)
{
    struct site_learn *learn = &site->learn;
    uint64_t now = site->node->now_ms;

    if (learn->hinted_ms > 0 && now < learn->hinted_ms + HINT_MS)
        return;
    learn->hinted_ms = now;
    learn->poll_ms = earlier(learn->poll_ms, now + site_learn_spread_ms(site));
    node_wake(site->node, learn->poll_ms);
}

/* --- time */

uint64_t site_learn_tick(struct site *site)
{
    struct site_learn *learn = &site->learn;
    uint64_t now = site->node->now_ms;

    if (site_zone(site) == ZONE_OFF || !site->has_key || site->key_is_new || site->seq == 0)
        return UINT64_MAX;
    if (learn->poll_ms == 0)
        learn->poll_ms = now + poll_after_ms(site);
    uint64_t ask = site_learn_ask_tick(site);
    if (site->fetching)
        return ask;
    uint64_t due = earlier(learn->poll_ms, learn->confirm_ms);
    due = due > site->origin_not_before_ms ? due : site->origin_not_before_ms;
    if (now < due)
        return earlier(due, ask);
    site_look(site);
    return ask;
}
