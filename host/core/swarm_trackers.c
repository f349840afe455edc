/* Which tracker is asked, and when. Each tracker of the release is a tier of its own (BEP 12), so
 * that all visitors meet at the first one that works; the next is asked while that one is silent.
 * A tier has a way for each family that we listen on. */
#include "core/trackers.h"

#include "base/mem.h"

#include <string.h>

#define LATE_MS   3000   /* no answer for so long: the next tracker is asked as well */
#define NEEDY_MS  300000 /* a page finds nobody: so soon again, if the tracker said nothing */
#define FAILED_MS 60000  /* doubled with every failure */
#define DOUBLINGS 5
#define NEVER_MS  86400000

/* --- the list */

static struct tracker *take_tracker(struct swarm *swarm, struct tracker **old, size_t count,
                                    const char *url, uint8_t family)
{
    for (size_t i = 0; i < count; i++) {
        struct tracker *tracker = old[i];
        if (tracker == NULL || tracker->family != family || strcmp(tracker->url, url) != 0)
            continue;
        old[i] = NULL;
        return tracker;
    }
    struct tracker *tracker = mem_alloc(sizeof *tracker);
    tracker_init(tracker, swarm, url, family);
    return tracker;
}

static void drop_trackers(struct tracker **trackers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (trackers[i] == NULL)
            continue;
        tracker_farewell(trackers[i]);
        tracker_done(trackers[i]);
        mem_free(trackers[i]);
    }
    mem_free(trackers);
}

static bool listens_on_ipv6(const struct node_config *config)
{
    if (config->listen.port == 0)
        return false;
    for (size_t i = 0; i < config->listen_too_count; i++)
        if (config->listen_too[i].family == 6)
            return true;
    return config->listen.family == 6;
}

static bool has_numeric_host(const char *url)
{
    const char *scheme_end = strstr(url, "://");
    const char *host = scheme_end != NULL ? scheme_end + 3 : url;

    return *host == '[' || strspn(host, "0123456789.") == strcspn(host, ":/");
}

/* A tracker takes the address that an announce comes from: who can be reached over IPv6, too,
 * announces itself over both, so that visitors of either family find it. */
static void add_tracker(struct swarm *swarm, struct tracker **old, size_t old_count,
                        const char *url)
{
    struct tracker **end = swarm->trackers + swarm->tracker_count;

    if (has_numeric_host(url) || !listens_on_ipv6(&swarm->node->config)) {
        end[0] = take_tracker(swarm, old, old_count, url, 0);
        swarm->tracker_count++;
        return;
    }
    end[0] = take_tracker(swarm, old, old_count, url, 4);
    end[1] = take_tracker(swarm, old, old_count, url, 6);
    end[0]->other = end[1];
    end[1]->other = end[0];
    swarm->tracker_count += 2;
}

/* A new release may name other trackers. */
static void follow_release(struct swarm *swarm)
{
    const struct site_release *current = swarm->site->current;

    if (current == NULL || current->release->seq == swarm->trackers_seq)
        return;
    const struct release *release = current->release;
    struct tracker **old = swarm->trackers;
    size_t old_count = swarm->tracker_count;
    swarm->trackers_seq = release->seq;
    swarm->tracker_count = 0;
    swarm->trackers = mem_calloc(release->tracker_count * 2, sizeof *swarm->trackers);
    for (size_t i = 0; i < release->tracker_count; i++)
        add_tracker(swarm, old, old_count, release->trackers[i]);
    drop_trackers(old, old_count);
}

void swarm_announce_stopped(struct swarm *swarm)
{
    drop_trackers(swarm->trackers, swarm->tracker_count);
    swarm->trackers = NULL;
    swarm->tracker_count = 0;
    swarm->trackers_seq = 0;
}

/* --- answers */

static uint64_t jitter_ms(struct swarm *swarm, uint64_t wait_ms)
{
    return rng_below(&swarm->node->rng, (uint32_t)(wait_ms / 8) + 1);
}

static uint32_t add_saturated(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* One that keeps the families apart gives two numbers: the larger one is at least no dream. */
static uint32_t larger_size(const struct tracker *tracker)
{
    uint32_t other = tracker->other != NULL ? tracker->other->size : 0;

    return tracker->size > other ? tracker->size : other;
}

static void take_reply(struct tracker *tracker, const struct tracker_reply *reply)
{
    struct swarm *swarm = tracker->swarm;
    uint64_t interval_ms = reply->interval_s * UINT64_C(1000);
    uint64_t needy_ms = reply->min_interval_s * UINT64_C(1000);

    if (needy_ms == 0)
        needy_ms = interval_ms < NEEDY_MS ? interval_ms : NEEDY_MS;
    tracker->failures = 0;
    tracker->announced = true;
    tracker->completed = tracker->told_completed; /* what has come since is news */
    tracker->next_ms = swarm->node->now_ms + interval_ms + jitter_ms(swarm, interval_ms);
    tracker->needy_ms = swarm->node->now_ms + needy_ms;
    tracker->size = add_saturated(reply->seeders, reply->leechers);
    swarm->swarm_size = larger_size(tracker);
    if (address_is_public(&reply->external) &&
        (tracker->family != 6 || !swarm->node->tracker_saw)) {
        swarm->node->seen_as = reply->external;
        swarm->node->tracker_saw = true;
    }
    for (size_t i = 0; i < reply->count; i++)
        find_add(swarm, &reply->peers[i], CANDIDATE_TRACKER, 0);
}

static void take_failure(struct tracker *tracker, const char *why, uint32_t retry_s)
{
    struct node *node = tracker->swarm->node;
    uint32_t doublings = tracker->failures < DOUBLINGS ? tracker->failures : DOUBLINGS;
    uint64_t wait_ms = (uint64_t)FAILED_MS << doublings;

    tracker->failures++;
    tracker->size = 0;
    wait_ms += jitter_ms(tracker->swarm, wait_ms);
    if (retry_s == TRACKER_NEVER)
        wait_ms = NEVER_MS;
    else if (retry_s * UINT64_C(1000) > wait_ms)
        wait_ms = retry_s * UINT64_C(1000);
    tracker->next_ms = tracker->needy_ms = node->now_ms + wait_ms;
    if (tracker->other != NULL && tracker->other->failures == 0)
        return; /* nothing is wrong with a tracker that has one family only */
    node_log_once(node, span_text(tracker->url),
                  "the tracker %.200s does not answer as it should: %s", tracker->url, why);
}

void tracker_answered(struct tracker *tracker, enum err result, const struct tracker_reply *reply,
                      uint32_t retry_s)
{
    struct swarm *swarm = tracker->swarm;

    if (reply == NULL)
        take_failure(tracker, err_text(result), retry_s);
    else if (reply->failure[0] != '\0')
        take_failure(tracker, reply->failure, reply->retry_s);
    else
        take_reply(tracker, reply);
    node_wake(swarm->node, swarm_peers_tick(swarm));
    list_for_each(link, next, &swarm->wants)
        origin_consider(list_entry(link, struct want, in_swarm));
}

/* --- asking */

static enum tracker_event next_event(const struct tracker *tracker)
{
    const struct swarm *swarm = tracker->swarm;

    if (!tracker->announced)
        return TRACKER_STARTED;
    if (!tracker->completed && site_may_share(swarm->site) && swarm_complete(swarm))
        return TRACKER_COMPLETED;
    return TRACKER_NONE;
}

/* What it, and those that ask it, should know at once. */
static bool has_news(const struct tracker *tracker)
{
    return next_event(tracker) == TRACKER_COMPLETED ||
           (tracker->announced && tracker->port != tracker_port(tracker));
}

static uint64_t due_ms(const struct tracker *tracker)
{
    const struct swarm *swarm = tracker->swarm;

    if (tracker->failures == 0 && has_news(tracker))
        return 0;
    bool needy = !list_empty(&swarm->wants) && list_empty(&swarm->peers);
    return needy ? tracker->needy_ms : tracker->next_ms;
}

static void ask(struct tracker *tracker)
{
    struct swarm *swarm = tracker->swarm;

    if (swarm->settling == 0)
        swarm->settle_ms = swarm->node->now_ms;
    tracker_ask(tracker, next_event(tracker));
}

/* Asks it when it is due. True: the trackers behind it need not be asked now. */
static bool consider(struct tracker *tracker, uint64_t *wake)
{
    uint64_t now = tracker->swarm->node->now_ms;

    if (!tracker_is_asked(tracker)) {
        uint64_t due = due_ms(tracker);
        if (now < due) {
            *wake = due < *wake ? due : *wake;
            return tracker->failures == 0;
        }
        ask(tracker);
    }
    uint64_t late = tracker->asked_ms + LATE_MS;
    if (!tracker_is_asked(tracker) || now >= late)
        return false;
    *wake = late < *wake ? late : *wake;
    return true;
}

/* The tier of tracker *i: one way or two, of which one that works is enough. Moves *i behind it. */
static bool consider_tier(struct swarm *swarm, size_t *i, uint64_t *wake)
{
    struct tracker *tracker = swarm->trackers[(*i)++];
    bool suffices = consider(tracker, wake);

    if (tracker->other == NULL)
        return suffices;
    (*i)++;
    return consider(tracker->other, wake) || suffices;
}

uint64_t find_ask_trackers(struct swarm *swarm)
{
    uint64_t wake = UINT64_MAX;

    if (!swarm_is_open(swarm) || site_has_supernodes_only(swarm->site) ||
        (!find_is_active(swarm) && !site_may_share(swarm->site)))
        return wake;
    follow_release(swarm);
    for (size_t i = 0; i < swarm->tracker_count; i++) {
        uint64_t at = udp_announce_tick(&swarm->trackers[i]->udp);
        wake = at < wake ? at : wake;
    }
    for (size_t i = 0; i < swarm->tracker_count;)
        if (consider_tier(swarm, &i, &wake))
            break;
    return wake;
}

bool swarm_asks_trackers(const struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->tracker_count; i++) {
        const struct tracker *tracker = swarm->trackers[i];
        bool heard = tracker->other != NULL && tracker->other->announced;
        if (tracker_is_asked(tracker) && !heard)
            return true;
    }
    return false;
}

void swarm_announce_again(struct swarm *swarm)
{
    if (!find_is_active(swarm) && !site_may_share(swarm->site)) {
        swarm_announce_stopped(swarm); /* there will be no other */
        return;
    }
    for (size_t i = 0; i < swarm->tracker_count; i++)
        if (swarm->trackers[i]->failures == 0)
            swarm->trackers[i]->next_ms = swarm->node->now_ms;
    node_wake(swarm->node, swarm->node->now_ms + 1);
}
