/* fringe stop: ends the daemon. */
#include "app/client.h"
#include "app/client_options.h"
#include "app/cmd.h"

static const char usage[] = "usage: fringe stop [--socket PATH]\n";

int cmd_stop(int argc, char **argv)
{
    struct client_options options = {.usage = usage};
    struct api_request request = {.type = API_STOP};
    json_t *answer = NULL;
    int status;
    if (!client_options_read(&options, argc, argv, &status))
        return status;
    struct client *client = client_open(options.socket);
    bool good = client != NULL && client_ask(client, &request, &answer);
    json_decref(answer);
    client_free(client);
    return good ? CMD_OK : CMD_FAILED;
}
