/* fringe pause, fringe resume: no other visitors for a while. */
#include "app/client.h"
#include "app/client_options.h"
#include "app/cmd.h"
#include "app/limits_text.h"

#include <stdlib.h>
#include <string.h>

static const char pause_usage[] =
    "usage: fringe pause [MINUTES] [--socket PATH]\n"
    "Nothing is given to other visitors or taken from them; pages get their files from the\n"
    "cache and the sites. It ends after so many minutes, a week at most, or with `fringe "
    "resume`.\n";
static const char resume_usage[] = "usage: fringe resume [--socket PATH]\n";

static bool read_minutes(const char *text, uint64_t *ret)
{
    char *end;

    if (strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
        return false;
    *ret = strtoull(text, &end, 10);
    return *ret >= 1 && *ret <= LIMIT_PAUSE_MINUTES;
}

int cmd_pause(int argc, char **argv)
{
    struct client_options options = {.usage = pause_usage, .words_optional = 1};
    struct api_request request = {.type = API_PAUSE};
    int status;

    if (!client_options_read(&options, argc, argv, &status))
        return status;
    if (options.word_count == 1 && !read_minutes(options.words[0], &request.minutes)) {
        cmd_fail("%s is no number of minutes from 1 to %u", options.words[0], LIMIT_PAUSE_MINUTES);
        return CMD_USAGE;
    }
    return client_run(&options, &request, limits_print_sharing);
}

int cmd_resume(int argc, char **argv)
{
    struct client_options options = {.usage = resume_usage};
    struct api_request request = {.type = API_RESUME};

    return client_command(&options, argc, argv, &request, limits_print_sharing);
}
