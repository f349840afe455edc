/* After a new release: what the visitor had of the last one comes in its new version, too, though
 * no page asks for it. It comes after all that pages ask for, from peers if there are any, and
 * from the site as the crowd elects (swarm_crowd.c), so that the site gives about one copy. What
 * has not changed is there without a byte: content is stored by its root. */
#include "base/mem.h"
#include "core/crowd.h"
#include "core/find.h"
#include "core/site_catalog.h"

#include <string.h>

#define AT_ONCE     8      /* files in the background, of one bundle */
#define LOOK_MS     1000   /* between two looks whether the next may begin */
#define GIVE_UP_MS  600000 /* nothing of a file has come for so long */
#define PATIENCE_MS 5000   /* before what peers have told of is asked of the site; for each ... */
#define EACH_MS     10     /* ... host in the swarm ... */
#define WINDOW_MS   60000  /* ... a little more, in all up to that */

/* --- patience */

/* Who heard of the release from others comes after somebody who has begun with it. */
uint64_t site_patience_ms(const struct site *site)
{
    uint64_t window = site_count_hosts(site) * EACH_MS;

    if (!site->learn.by_push)
        return 0;
    window = window < WINDOW_MS ? window : WINDOW_MS;
    return PATIENCE_MS + rng_below(&site->node->rng, (uint32_t)window + 1);
}

/* Neighbours in the last release will be so in this one. */
static void introduce(struct swarm *swarm, const struct swarm *older)
{
    list_for_each(link, next, &older->peers)
    {
        const struct peer *peer = list_entry(link, struct peer, in_swarm);
        if (peer->dialable.port != 0)
            find_add(swarm, &peer->dialable, CANDIDATE_ITSELF, 0);
    }
}

void swarm_follow_older(struct swarm *swarm)
{
    list_for_each(link, next, &swarm->site->swarms)
    {
        const struct swarm *older = list_entry(link, struct swarm, in_site);
        if (older != swarm && strcmp(older->base, swarm->base) == 0)
            introduce(swarm, older);
    }
}

/* --- what is out of date */

static void compare_file(struct swarm *swarm, const struct swarm *older, uint32_t number)
{
    const char *path = older->meta->files[number].path;
    uint32_t file = metainfo_find_path(swarm->meta, path, strlen(path));

    if (file == UINT32_MAX || swarm_has_file(swarm, file) || !swarm_has_file(older, number))
        return;
    swarm_adopt_file(swarm, file);
    if (swarm_has_file(swarm, file))
        return;
    uint32_t count = swarm->outdated_count++;
    if ((count & (count - 1)) == 0)
        swarm->outdated =
            mem_realloc(swarm->outdated, (count > 0 ? 2 * count : 1) * sizeof *swarm->outdated);
    swarm->outdated[count] = file;
}

/* Against the release before: what was had of still older ones was updated then. */
static void compare(struct swarm *swarm, const struct site_release *before)
{
    for (size_t i = 0; i < before->swarm_count; i++) {
        const struct swarm *older = before->swarms[i];
        if (older == NULL || older == swarm || older->state != SWARM_READY ||
            strcmp(older->base, swarm->base) != 0)
            continue;
        for (uint32_t k = 0; k < older->meta->file_count; k++)
            compare_file(swarm, older, k);
    }
    swarm->compared = true;
}

/* --- in the background */

static bool has_foreground(const struct list *wants)
{
    list_for_each(link, next, wants)
    {
        if (!list_entry(link, struct want, in_swarm)->background)
            return true;
    }
    return false;
}

static bool pages_wait(const struct node *node)
{
    for (const struct site *site = node->sites; site != NULL; site = site->hh.next)
        list_for_each(link, next, &site->swarms)
        {
            const struct swarm *swarm = list_entry(link, struct swarm, in_site);
            if (has_foreground(&swarm->wants) || has_foreground(&swarm->held))
                return true;
        }
    return false;
}

static uint32_t stop_in(struct list *wants, bool all)
{
    uint32_t left = 0;

    list_for_each(link, next, wants)
    {
        struct want *want = list_entry(link, struct want, in_swarm);
        uint64_t now = want->swarm->node->now_ms;
        if (!want->background)
            continue;
        if (all || now >= want->moved_ms + GIVE_UP_MS) {
            want_free(want);
            continue;
        }
        want->used_ms = now; /* though no page reads it */
        left++;
    }
    return left;
}

/* THE place where a changed file begins to come: want_get_background makes a patch of it, where the
 * release has one that is worth it (delta.h), and else fetches the file. */
static void begin(struct swarm *swarm, uint32_t file)
{
    if (!swarm_has_file(swarm, file))
        want_get_background(swarm, file);
}

/* Goes on with that bundle; true: something is still to come. */
static bool update_swarm(struct swarm *swarm, bool wait)
{
    uint32_t running = stop_in(&swarm->wants, wait) + stop_in(&swarm->held, wait);

    if (wait) /* what was stopped begins anew */
        swarm->outdated_next = 0;
    while (!wait && running < AT_ONCE && swarm->outdated_next < swarm->outdated_count) {
        begin(swarm, swarm->outdated[swarm->outdated_next++]);
        running++;
    }
    if (running > 0 || swarm->outdated_next < swarm->outdated_count)
        return true;
    mem_free(swarm->outdated);
    swarm->outdated = NULL;
    swarm->outdated_count = swarm->outdated_next = 0;
    return false;
}

bool site_is_updating(const struct site *site)
{
    for (size_t i = 0; i < site->current->swarm_count; i++) {
        const struct swarm *swarm = site->current->swarms[i];
        if (swarm != NULL && (swarm->outdated_count > 0 ||
                              (swarm->state == SWARM_LOADING && site->current->older != NULL)))
            return true;
    }
    return false;
}

uint64_t site_update_tick(struct site *site)
{
    struct site_release *current = site->current;
    bool more = false;

    if (!site_may_use_peers(site) || site->served || site->node->fair.paused)
        return UINT64_MAX;
    uint64_t follow = site_catalog_follow(site), look = site->node->now_ms + LOOK_MS;
    bool wait = site_is_updating(site) && pages_wait(site->node);
    for (size_t i = 0; i < current->swarm_count; i++) {
        struct swarm *swarm = current->swarms[i];
        if (swarm == NULL || swarm->state != SWARM_READY)
            continue;
        if (!swarm->compared && current->older != NULL)
            compare(swarm, current->older);
        if (swarm->outdated_count > 0)
            more = update_swarm(swarm, wait) || more;
    }
    return more && look < follow ? look : follow;
}
