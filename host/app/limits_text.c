#include "app/limits_text.h"

#include "app/client.h"
#include "app/cmd.h"

#include <stdio.h>
#include <string.h>

/* "500 kB/s", or "free" where there is no limit. */
static const char *amount(const json_t *settings, enum setting setting, const char *per,
                          char ret[2 * BYTES_TEXT])
{
    uint64_t value = client_number(settings, setting_name(setting));
    char size[BYTES_TEXT];

    if (value == 0)
        snprintf(ret, 2 * BYTES_TEXT, "no limit");
    else
        snprintf(ret, 2 * BYTES_TEXT, "%s%s", cmd_bytes(value, size), per);
    return ret;
}

void limits_print(const json_t *settings)
{
    char up[2 * BYTES_TEXT], down[2 * BYTES_TEXT], month[2 * BYTES_TEXT];

    cmd_print("limits     upload: %s, download: %s, given a month: %s, slots: %llu",
              amount(settings, SETTING_UPLOAD_RATE, "/s", up),
              amount(settings, SETTING_DOWNLOAD_RATE, "/s", down),
              amount(settings, SETTING_MONTHLY_CAP, "", month),
              (unsigned long long)client_number(settings, setting_name(SETTING_SLOTS)));
    if (client_number(settings, setting_name(SETTING_CACHE_QUOTA)) != 0)
        cmd_print("cache      at most %s", amount(settings, SETTING_CACHE_QUOTA, "", up));
    if (client_number(settings, setting_name(SETTING_LOCAL_DISCOVERY)) != 0)
        cmd_print("own network is told what is shared (local discovery)");
    if (client_number(settings, setting_name(SETTING_NO_LOG)) != 0)
        cmd_print("log        none is kept");
    cmd_print("new sites  %s", client_text(settings, setting_name(SETTING_DEFAULT_ZONE), "?"));
}

void limits_print_sharing(const json_t *object)
{
    const char *sharing = client_text(object, "sharing", "?");
    unsigned long long seconds = client_number(object, "paused_s");

    if (strcmp(sharing, "month") == 0)
        cmd_print("sharing    no: this month's cap is reached");
    else if (strcmp(sharing, "paused") != 0)
        cmd_print("sharing    %s", sharing);
    else if (seconds == 0)
        cmd_print("sharing    paused until `fringe resume`");
    else
        cmd_print("sharing    paused for %llu more minutes", (seconds + 59) / 60);
}
