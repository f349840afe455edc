/* The visitor's limits in the store: a number each, by the names of the native API. */
#include "app/daemon_impl.h"
#include "base/log.h"
#include "wire/json.h"

#include <string.h>

/* Beside the settings themselves. */
static const char *const more[] = {"month",      "month_bytes",    "paused_until", "ever_cache",
                                   "ever_peers", "ever_supernode", "ever_origin",  "ever_uploaded"};
enum { MORE = sizeof more / sizeof more[0] };

#define UNTIL_RESUMED JSON_INTEGER_MAX /* in the store */

static void take(void *user, const struct store_setting *setting)
{
    struct settings_record *record = user;
    uint64_t *ever = record->ever.bytes;
    uint64_t *const values[MORE] = {&record->month,          &record->month_bytes,
                                    &record->paused_until_s, &ever[SOURCE_CACHE],
                                    &ever[SOURCE_PEERS],     &ever[SOURCE_SUPERNODE],
                                    &ever[SOURCE_ORIGIN],    &record->ever.uploaded};

    for (int i = 0; i < SETTING_COUNT_; i++)
        if (strcmp(setting->name, setting_name((enum setting)i)) == 0)
            record->settings[i] = setting->value;
    for (int i = 0; i < MORE && setting->value <= JSON_INTEGER_MAX; i++)
        if (strcmp(setting->name, more[i]) == 0)
            *values[i] = setting->value;
}

void daemon_load_settings(struct daemon *daemon, struct settings_record *ret)
{
    memset(ret, 0, sizeof *ret);
    enum err err = store_each_setting(daemon->store, take, ret);
    if (err != ERR_OK)
        log_error("cannot read the settings: %s", err_text(err));
    if (ret->paused_until_s == UNTIL_RESUMED)
        ret->paused_until_s = UINT64_MAX;
}

void daemon_save_settings(struct daemon *daemon, const struct settings_record *record)
{
    uint64_t until = record->paused_until_s;
    const uint64_t *ever = record->ever.bytes;
    uint64_t values[MORE] = {
        record->month,       record->month_bytes,  until < UNTIL_RESUMED ? until : UNTIL_RESUMED,
        ever[SOURCE_CACHE],  ever[SOURCE_PEERS],   ever[SOURCE_SUPERNODE],
        ever[SOURCE_ORIGIN], record->ever.uploaded};
    struct store_setting settings[SETTING_COUNT_ + MORE];

    for (int i = 0; i < SETTING_COUNT_; i++)
        settings[i] = (struct store_setting){setting_name((enum setting)i), record->settings[i]};
    for (int i = 0; i < MORE; i++)
        settings[SETTING_COUNT_ + i] = (struct store_setting){more[i], values[i]};
    enum err err = store_save_settings(daemon->store, settings, SETTING_COUNT_ + MORE);
    if (err != ERR_OK)
        log_error("cannot remember the settings: %s", err_text(err));
}
