/* fringe stop: ends the daemon. */
#include "app/client.h"
#include "app/client_options.h"
#include "app/cmd.h"

static const char usage[] = "usage: fringe stop [--socket PATH]\n";

int cmd_stop(int argc, char **argv)
{
    struct client_options options = {.usage = usage};
    struct api_request request = {.type = API_STOP};

    return client_command(&options, argc, argv, &request, NULL);
}
