#include "gauge.h"

#include "base/limits.h"
#include "disk.h"
#include "visitor.h"

#define CHUNK KIB(16) /* what link.c delivers at a time */

static void gauge_set(struct visitor *visitor, struct gauge *gauge, uint64_t rate, uint64_t least)
{
    uint64_t bucket = rate / 25 > least ? rate / 25 : least;

    /* The node counts in whole milliseconds. */
    *gauge = (struct gauge){
        .rate = rate, .slack = bucket + CHUNK + rate / 500 + 64, .at_us = visitor->world->now_us};
}

static void gauge_add(struct visitor *visitor, struct gauge *gauge, uint64_t bytes,
                      const char *what)
{
    uint64_t now_us = visitor->world->now_us;

    if (gauge->rate == 0)
        return;
    gauge->level -= (double)(now_us - gauge->at_us) * (double)gauge->rate / 1e6;
    gauge->level = (gauge->level > 0 ? gauge->level : 0) + (double)bytes;
    gauge->at_us = now_us;
    if (gauge->level > (double)gauge->slack)
        world_fail(visitor->world, "%s %s faster than %llu bytes/s: %.0f bytes too many",
                   visitor->host->name, what, (unsigned long long)gauge->rate,
                   gauge->level - (double)gauge->slack);
}

static void take_settings(struct visitor *visitor, const uint64_t settings[SETTING_COUNT_])
{
    struct gauges *gauges = &visitor->gauges;

    gauge_set(visitor, &gauges->up, settings[SETTING_UPLOAD_RATE], BLOCK_LENGTH);
    gauge_set(visitor, &gauges->down, settings[SETTING_DOWNLOAD_RATE], 2048);
    gauges->month_cap = settings[SETTING_MONTHLY_CAP];
    gauges->unmetered_only = settings[SETTING_UNMETERED_ONLY] != 0;
    gauges->mains_only = settings[SETTING_MAINS_ONLY] != 0;
}

void gauges_start(struct visitor *visitor)
{
    static const uint64_t none[SETTING_COUNT_];
    const struct disk *disk = visitor->disk;

    visitor->gauges = (struct gauges){0};
    take_settings(visitor, disk->has_settings ? disk->settings.settings : none);
    if (disk->has_settings)
        visitor->gauges.month_bytes = disk->settings.month_bytes;
}

void gauges_hear(struct visitor *visitor, const struct api_request *request)
{
    struct gauges *gauges = &visitor->gauges;
    uint64_t settings[SETTING_COUNT_] = {[SETTING_UPLOAD_RATE] = gauges->up.rate,
                                         [SETTING_DOWNLOAD_RATE] = gauges->down.rate,
                                         [SETTING_MONTHLY_CAP] = gauges->month_cap,
                                         [SETTING_UNMETERED_ONLY] = gauges->unmetered_only,
                                         [SETTING_MAINS_ONLY] = gauges->mains_only};

    if (request->type == API_RESUME)
        gauges->paused_until_us = 0;
    else if (request->type == API_PAUSE && request->minutes == 0)
        gauges->paused_until_us = UINT64_MAX;
    else if (request->type == API_PAUSE)
        gauges->paused_until_us = visitor->world->now_us + request->minutes * 60000000 - 1000;
    if (request->type != API_SETTINGS)
        return;
    for (int i = 0; i < SETTING_COUNT_; i++)
        settings[i] = request->given[i] ? request->settings[i] : settings[i];
    take_settings(visitor, settings);
}

bool gauges_paused(const struct visitor *visitor)
{
    return visitor->world->now_us < visitor->gauges.paused_until_us;
}

static void check_surroundings(struct visitor *visitor)
{
    const struct gauges *gauges = &visitor->gauges;
    const struct surroundings *now = &visitor->surroundings;

    if ((gauges->unmetered_only || gauges->mains_only) && !visitor->watch_told)
        world_fail(visitor->world, "%s uploads before it knows where it is", visitor->host->name);
    if (gauges->unmetered_only && now->metered == SAID_YES)
        world_fail(visitor->world, "%s uploads over a metered network", visitor->host->name);
    if (gauges->mains_only && now->on_battery == SAID_YES)
        world_fail(visitor->world, "%s uploads on battery", visitor->host->name);
}

void gauges_sent_block(struct visitor *visitor, uint64_t bytes)
{
    struct gauges *gauges = &visitor->gauges;

    gauge_add(visitor, &gauges->up, bytes, "uploads");
    gauges->month_bytes += bytes;
    if (gauges->month_cap > 0 && gauges->month_bytes > gauges->month_cap)
        world_fail(visitor->world, "%s uploads more than its month's %llu bytes",
                   visitor->host->name, (unsigned long long)gauges->month_cap);
    if (gauges_paused(visitor))
        world_fail(visitor->world, "%s uploads though it is paused", visitor->host->name);
    check_surroundings(visitor);
}

void gauges_received(struct visitor *visitor, uint64_t bytes)
{
    gauge_add(visitor, &visitor->gauges.down, bytes, "downloads");
}
