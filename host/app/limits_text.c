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

static void print_when_not(const json_t *settings)
{
    bool metered = client_number(settings, setting_name(SETTING_UNMETERED_ONLY)) != 0;
    bool battery = client_number(settings, setting_name(SETTING_MAINS_ONLY)) != 0;

    if (metered || battery)
        cmd_print("not given  %s%s%s", metered ? "over a metered network" : "",
                  metered && battery ? " or " : "", battery ? "on battery" : "");
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
    print_when_not(settings);
    if (client_number(settings, setting_name(SETTING_LOCAL_DISCOVERY)) != 0)
        cmd_print("own network is told what is shared (local discovery)");
    if (client_number(settings, setting_name(SETTING_NO_LOG)) != 0)
        cmd_print("log        none is kept");
    cmd_print("new sites  %s", client_text(settings, setting_name(SETTING_DEFAULT_ZONE), "?"));
}

void limits_print_sharing(const json_t *object)
{
    static const char *const says[][2] = {
        {"month", "no: this month's cap is reached"},
        {"metered", "no: this network is metered"},
        {"battery", "no: this computer runs on battery"},
        {"asking", "not yet: the system is asked about the network and the power"},
    };
    const char *sharing = client_text(object, "sharing", "?");
    unsigned long long seconds = client_number(object, "paused_s");

    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
        if (strcmp(sharing, says[i][0]) == 0)
            sharing = says[i][1];
    if (strcmp(sharing, "paused") != 0)
        cmd_print("sharing    %s", sharing);
    else if (seconds == 0)
        cmd_print("sharing    paused until `fringe resume`");
    else
        cmd_print("sharing    paused for %llu more minutes", (seconds + 59) / 60);
}
