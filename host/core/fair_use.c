#include "core/fair_use.h"

#include "core/choker.h"
#include "core/peer.h"

#include <string.h>

#define SLOTS         8    /* by default */
#define RECEIVE_LEAST 2048 /* that the bucket of what comes holds */
#define RESUME_MS     10   /* reading goes on when so much may come */
#define CHUNK_MS      10   /* read at a time */
#define CHUNK_MIN     1024
#define CHUNK_MAX     KIB(64)
#define ASK_MS        500   /* of the rate may be outstanding at peers */
#define SLOW_MS       800   /* after it was held up, the cap is still what is slow */
#define SLOW_BLOCK_MS 3000  /* unless a swarm's peers have given nothing for so long */
#define SAVE_MS       10000 /* how often the month's bytes are saved */
#define CALENDAR_MS   60000 /* between looks whether the month has ended, when it is full */
#define FOREVER       UINT64_MAX

/* --- the month */

/* The civil calendar (proleptic Gregorian), counted from 1 March of the year 0. */
static uint64_t month_of(uint64_t wall_s)
{
    uint64_t days = wall_s / 86400 + 719468;
    uint64_t era = days / 146097, day = days % 146097;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint64_t month = (5 * (day - (365 * year + year / 4 - year / 100)) + 2) / 153; /* 0: March */

    return 12 * (era * 400 + year) + month + 2;
}

void fair_use_look_at_calendar(struct node *node)
{
    uint64_t month = month_of(node->wall_s);

    if (month <= node->fair.month)
        return; /* a clock that was set back does not begin a month anew */
    node->fair.month_changed |= node->fair.month_bytes > 0;
    node->fair.month = month;
    node->fair.month_bytes = 0;
}

static bool month_is_full(const struct node *node)
{
    uint64_t cap = node->fair.settings[SETTING_MONTHLY_CAP];
    return cap > 0 && node->fair.month_bytes + BLOCK_LENGTH > cap;
}

/* --- saving */

struct settings_record fair_use_record(const struct node *node)
{
    const struct fair_use *fair = &node->fair;
    struct settings_record record = {.month = fair->month, .month_bytes = fair->month_bytes};

    memcpy(record.settings, fair->settings, sizeof record.settings);
    if (fair->paused)
        record.paused_until_s = fair->pause_until_s;
    record.ever = node_ever(node);
    return record;
}

static void save(struct node *node)
{
    struct effect *effect = update_add(node->update, EFFECT_SAVE_SETTINGS, 0);

    effect->settings = fair_use_record(node);
    node->fair.month_changed = false;
    node->fair.save_ms = node->now_ms + SAVE_MS;
}

/* --- what follows from a change */

bool fair_use_may_give(const struct node *node)
{
    return !node->fair.paused && !month_is_full(node) && surroundings_forbid(node) == NULL;
}

/* Peers are told when there is something to give again, or nothing any more. */
static void tell_swarms(struct node *node)
{
    unsigned sites = 0;

    node->fair.gives = fair_use_may_give(node);
    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        list_for_each(link, next, &site->swarms)
            swarm_fair_use_changed(list_entry(link, struct swarm, in_site));
        if (++sites <= SITES_SHARED_AGAIN)
            site_share_again(site); /* it was forbidden when this run began */
    }
}

static uint64_t chunk(const struct node *node)
{
    uint64_t rate = node->fair.settings[SETTING_DOWNLOAD_RATE];
    uint64_t bytes = rate * CHUNK_MS / 1000;

    if (rate == 0)
        return 0;
    bytes = bytes > CHUNK_MIN ? bytes : CHUNK_MIN;
    return bytes < CHUNK_MAX ? bytes : CHUNK_MAX;
}

static void say_receive(struct node *node)
{
    struct effect *effect = update_add(node->update, EFFECT_RECEIVE, 0);

    effect->receive.held = node->fair.holding;
    effect->receive.bodies_held = node->fair.holding || node->bodies_held;
    effect->receive.chunk = (uint32_t)chunk(node);
}

void fair_use_look_at_disk(struct node *node)
{
    uint64_t enough = node->bodies_held ? STORING_MAX / 2 : STORING_MAX - 1;
    bool hold = node->storing_bytes > enough;

    if (hold == node->bodies_held)
        return;
    node->bodies_held = hold;
    say_receive(node);
}

static void set_rates(struct node *node)
{
    struct fair_use *fair = &node->fair;
    bool was_limited = fair->down.rate > 0;

    limiter_set(&fair->up, fair->settings[SETTING_UPLOAD_RATE], BLOCK_LENGTH, node->now_ms);
    limiter_set(&fair->down, fair->settings[SETTING_DOWNLOAD_RATE], RECEIVE_LEAST, node->now_ms);
    fair->holding = false;
    if (was_limited || fair->down.rate > 0)
        say_receive(node);
}

void fair_use_init(struct node *node)
{
    node->fair.settings[SETTING_SLOTS] = SLOTS;
    node->fair.gives = true;
}

void fair_use_restore(struct node *node, const struct settings_record *record)
{
    struct fair_use *fair = &node->fair;
    uint64_t longest = LIMIT_PAUSE_MINUTES * UINT64_C(60), left;

    for (int i = 0; i < SETTING_COUNT_; i++)
        if (setting_check((enum setting)i, record->settings[i]) == ERR_OK)
            fair->settings[i] = record->settings[i];
    node->before = record->ever;
    fair->month = record->month;
    fair->month_bytes = record->month_bytes;
    fair_use_look_at_calendar(node);
    set_rates(node);
    if (record->paused_until_s == FOREVER) {
        fair->paused = true;
        fair->pause_until_ms = fair->pause_until_s = FOREVER;
    } else if (record->paused_until_s > node->wall_s) {
        left = record->paused_until_s - node->wall_s;
        left = left < longest ? left : longest; /* the clock may have been wrong then, or is now */
        fair->paused = true;
        fair->pause_until_s = node->wall_s + left;
        fair->pause_until_ms = node->now_ms + left * 1000;
        node_wake(node, fair->pause_until_ms);
    }
    surroundings_look(node);
    fair->gives = fair_use_may_give(node);
}

/* --- what the visitor says */

void fair_use_set(struct node *node, const struct api_request *request)
{
    struct fair_use *fair = &node->fair;
    bool rates = request->given[SETTING_UPLOAD_RATE] || request->given[SETTING_DOWNLOAD_RATE];
    bool any = false;

    for (int i = 0; i < SETTING_COUNT_; i++) {
        if (request->given[i])
            fair->settings[i] = request->settings[i];
        any |= request->given[i];
    }
    if (!any)
        return;
    if (rates)
        set_rates(node);
    /* Who sets a cap sees this month; a clock that once was years ahead is forgotten. */
    if (request->given[SETTING_MONTHLY_CAP])
        fair->month = month_of(node->wall_s);
    surroundings_look(node);
    choker_settings_changed(node);
    node_wake(node, node->now_ms); /* local discovery may begin or end */
    save(node);
    if (fair->gives != fair_use_may_give(node))
        tell_swarms(node);
    swarm_fill_all(node);
    peer_serve_all(node);
}

void fair_use_pause(struct node *node, uint64_t minutes)
{
    struct fair_use *fair = &node->fair;

    fair->paused = true;
    fair->pause_until_ms = minutes > 0 ? node->now_ms + minutes * 60000 : FOREVER;
    fair->pause_until_s = minutes > 0 ? node->wall_s + minutes * 60 : FOREVER;
    node_wake(node, fair->pause_until_ms);
    save(node);
    tell_swarms(node);
}

void fair_use_resume(struct node *node)
{
    if (!node->fair.paused)
        return;
    node->fair.paused = false;
    save(node);
    tell_swarms(node);
}

void fair_use_surroundings(struct node *node, const struct surroundings *now)
{
    surroundings_heard(node, now);
    if (node->fair.gives != fair_use_may_give(node))
        tell_swarms(node);
}

uint64_t fair_use_paused_s(const struct node *node)
{
    const struct fair_use *fair = &node->fair;

    if (!fair->paused || fair->pause_until_ms == FOREVER)
        return fair->paused ? FOREVER : 0;
    return fair->pause_until_ms > node->now_ms ? (fair->pause_until_ms - node->now_ms + 999) / 1000
                                               : 0;
}

const char *fair_use_state(const struct node *node)
{
    const char *forbidden = surroundings_forbid(node);

    if (node->fair.paused)
        return "paused";
    if (month_is_full(node))
        return "month";
    return forbidden != NULL ? forbidden : "on";
}

/* --- giving */

bool fair_use_may_send(struct node *node, uint64_t bytes)
{
    uint64_t ready = limiter_ready_ms(&node->fair.up, bytes, node->now_ms);

    if (ready > node->now_ms)
        node_wake(node, ready);
    return ready <= node->now_ms;
}

void fair_use_sent(struct node *node, uint64_t bytes)
{
    limiter_spend(&node->fair.up, bytes, node->now_ms);
    meter_count(&node->fair.sent, bytes, node->now_ms);
}

void fair_use_sent_block(struct node *node, uint64_t bytes)
{
    fair_use_sent(node, bytes);
    fair_use_look_at_calendar(node);
    if (!node->fair.month_changed)
        node_wake(node, node->now_ms + SAVE_MS);
    node->fair.month_changed = true;
    node->fair.month_bytes += bytes;
    if (month_is_full(node))
        node_wake(node, node->now_ms); /* this very step */
}

uint64_t fair_use_queue(const struct node *node)
{
    return node->fair.up.rate > 0 ? limiter_capacity(&node->fair.up) : UINT64_MAX;
}

/* --- taking */

/* Peers are not to blame for the time that they are not listened to. */
static void excuse_peers(struct node *node, uint64_t ms)
{
    for (struct peer *peer = node->peers; peer != NULL; peer = peer->hh.next)
        peer->block_ms += peer->asked.count > 0 ? ms : 0;
    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        list_for_each(link, next, &site->swarms) list_entry(link, struct swarm, in_site)
            ->settle_ms += ms;
    }
}

static void look_at_debt(struct node *node)
{
    struct fair_use *fair = &node->fair;
    bool in_debt = !limiter_allows(&fair->down, 0, node->now_ms);
    uint64_t enough = fair->down.rate * RESUME_MS / 1000;
    uint64_t ready = limiter_ready_ms(&fair->down, enough, node->now_ms);

    if (!fair->holding && !in_debt)
        return;
    if (ready > node->now_ms)
        node_wake(node, ready);
    if (fair->holding == (ready > node->now_ms))
        return;
    fair->holding = !fair->holding;
    fair->ever_held = true;
    fair->held_ms = node->now_ms;
    if (fair->holding)
        excuse_peers(node, ready - node->now_ms);
    say_receive(node);
}

void fair_use_received(struct node *node, uint64_t bytes)
{
    meter_count(&node->fair.received, bytes, node->now_ms);
    if (node->fair.down.rate == 0)
        return;
    limiter_spend(&node->fair.down, bytes, node->now_ms);
    look_at_debt(node);
}

uint64_t fair_use_download_rate(const struct node *node)
{
    return node->fair.down.rate;
}

/* Blocks asked of the swarm's peers; *ret_waits when one of them could be asked. */
static uint64_t bytes_asked(const struct swarm *swarm, bool *ret_waits)
{
    uint64_t blocks = 0;

    *ret_waits = false;
    list_for_each(link, next, &swarm->peers)
    {
        const struct peer *peer = list_entry(link, struct peer, in_swarm);
        blocks += peer->asked.count;
        *ret_waits = *ret_waits || (peer->am_interested && !peer->peer_choking);
    }
    return blocks * BLOCK_LENGTH;
}

bool fair_use_may_ask(const struct swarm *swarm)
{
    struct node *node = swarm->node;
    uint64_t window = node->fair.down.rate * ASK_MS / 1000, waiting = 0;
    bool waits;

    if (node->fair.down.rate == 0)
        return true;
    for (struct site *site = node->sites; site != NULL; site = site->hh.next) {
        list_for_each(link, next, &site->swarms)
        {
            bytes_asked(list_entry(link, struct swarm, in_site), &waits);
            waiting += waits;
        }
    }
    uint64_t share = window / (waiting > 0 ? waiting : 1);
    return bytes_asked(swarm, &waits) < (share > BLOCK_LENGTH ? share : BLOCK_LENGTH);
}

bool fair_use_slows(const struct swarm *swarm)
{
    const struct fair_use *fair = &swarm->node->fair;
    uint64_t now = swarm->node->now_ms;

    return fair->down.rate > 0 && fair->ever_held &&
           (fair->holding || now < fair->held_ms + SLOW_MS) &&
           (now < swarm->block_ms + SLOW_BLOCK_MS || now < swarm->ready_ms + SLOW_BLOCK_MS);
}

/* --- time */

uint64_t fair_use_tick(struct node *node)
{
    struct fair_use *fair = &node->fair;

    fair_use_look_at_calendar(node);
    if (fair->paused && node->now_ms >= fair->pause_until_ms)
        fair_use_resume(node);
    if (fair->gives != fair_use_may_give(node)) {
        save(node);
        tell_swarms(node);
    }
    if (fair->month_changed && node->now_ms >= fair->save_ms)
        save(node);
    if (fair->down.rate > 0)
        look_at_debt(node);
    if (fair->up.rate > 0)
        peer_serve_all(node);
    uint64_t wake = fair->month_changed ? fair->save_ms : FOREVER;
    if (month_is_full(node) && !fair->paused && wake > node->now_ms + CALENDAR_MS)
        wake = node->now_ms + CALENDAR_MS;
    return fair->paused && fair->pause_until_ms < wake ? fair->pause_until_ms : wake;
}
