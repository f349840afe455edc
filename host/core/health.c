#include "core/health.h"

#include "core/site.h"

#define CLOCK_OFF_S    43200 /* less does no harm to releases and certificates */
#define JUMP_S         30    /* the wall clock against the monotonic one */
#define STORE_RETRY_MS 10000 /* as for a piece that could not be written */

/* --- the clock */

static uint64_t distance(int64_t off)
{
    return off < 0 ? (uint64_t)-off : (uint64_t)off;
}

/* How far the clock is ahead of the site's, as far as that is known. */
static bool off_by(const struct site *site, int64_t *ret)
{
    const struct node *node = site->node;

    if (site->clock_heard) {
        *ret = site->clock_off_s;
        return true;
    }
    /* A release cannot be from tomorrow. */
    if (site->current == NULL || site->current->release->issued <= node->wall_s)
        return false;
    *ret = -(int64_t)(site->current->release->issued - node->wall_s);
    return true;
}

static void judge_clock(struct node *node)
{
    struct health *health = &node->health;
    int64_t least = 0, off;
    bool heard = false;

    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        if (!off_by(site, &off))
            continue;
        if (heard && (off < 0) != (least < 0))
            least = 0; /* they do not agree */
        else if (!heard || distance(off) < distance(least))
            least = off;
        heard = true;
    }
    health->clock_off_s = distance(least);
    health->clock = health->clock_off_s < CLOCK_OFF_S ? CLOCK_OK
                    : least > 0                       ? CLOCK_AHEAD
                                                      : CLOCK_BEHIND;
}

void health_heard(struct site *site, uint64_t date_s)
{
    if (date_s == 0 || date_s > INT64_MAX)
        return;
    site->clock_heard = true;
    site->clock_off_s = (int64_t)site->node->wall_s - (int64_t)date_s;
    judge_clock(site->node);
}

/* --- sites */

void health_tried(struct site *site, enum err result)
{
    site->origin_tried = true;
    site->origin_error = result;
}

const char *health_of_origin(const struct site *site)
{
    if (!site->origin_tried)
        return "unknown";
    switch (site->origin_error) {
    case ERR_NETWORK:
    case ERR_TIMEOUT:
        return "unreachable";
    case ERR_TLS:
        return "tls";
    default:
        return "ok";
    }
}

/* What was put off need not wait any longer. */
static void try_sites_again(struct node *node)
{
    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        site->retry_ms = site->origin_not_before_ms = site->pieces_not_before_ms = 0;
        site->origin_hangs = 0;
        if (site->learn.failures > 0)
            site->learn.poll_ms = node->now_ms;
    }
    node_wake(node, node->now_ms);
}

void health_look_at_clock(struct node *node)
{
    struct health *health = &node->health;
    int64_t base = (int64_t)node->wall_s - (int64_t)(node->now_ms / 1000);

    if (health->started && distance(base - health->wall_base_s) > JUMP_S) {
        for (struct site *site = node->sites; site != NULL; site = site->hh.next)
            site->clock_heard = false;
        judge_clock(node);
        try_sites_again(node);
        health->told.clock = CLOCK_STATES_; /* who could not open a site tries again */
    }
    if (!health->started || distance(base - health->wall_base_s) > JUMP_S)
        health->wall_base_s = base;
    health->started = true;
}

/* --- store and network */

void health_store(struct node *node, enum err result)
{
    node->store_error = result;
    node->store_retry_ms = result == ERR_OK ? 0 : node->now_ms + STORE_RETRY_MS;
}

void health_network(struct node *node, bool online)
{
    bool back = node->health.offline && online;

    node->health.offline = !online;
    if (back)
        try_sites_again(node);
}

/* --- telling */

static const char *store_name(enum err err)
{
    return err == ERR_OK || err == ERR_NO_SPACE || err == ERR_READ_ONLY ? err_name(err) : "io";
}

void health_put(const struct node *node, struct api_answer *answer)
{
    static const char *const clocks[] = {"ok", "ahead", "behind"};
    const struct health *health = &node->health;

    api_answer_text(answer, "store", store_name(node->store_error));
    api_answer_text(answer, "network", health->offline ? "none" : "ok");
    api_answer_text(answer, "clock", clocks[health->clock]);
    api_answer_number(answer, "clock_off_s", health->clock != CLOCK_OK ? health->clock_off_s : 0);
}

void health_tell(struct node *node)
{
    struct health *health = &node->health;

    if (health->told.store == node->store_error && health->told.offline == health->offline &&
        health->told.clock == health->clock)
        return;
    health->told.store = node->store_error;
    health->told.offline = health->offline;
    health->told.clock = health->clock;
    node_tell_health(node);
}
