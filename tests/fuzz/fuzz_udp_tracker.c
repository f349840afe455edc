/* A UDP tracker's reply, over both families, keeps its promises; a URL gives a plain host. */
#include "base/limits.h"
#include "base/mem.h"
#include "wire/udp_tracker.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void reply(const uint8_t *data, size_t size, uint8_t family)
{
    struct udp_tracker_reply reply;

    if (udp_tracker_decode(data, size, family, &reply) == ERR_OK) {
        if (reply.reply.count > LIMIT_TRACKER_PEERS)
            abort();
        for (size_t i = 0; i < reply.reply.count; i++)
            if (reply.reply.peers[i].port == 0 || reply.reply.peers[i].family != family)
                abort();
        if (reply.action == UDP_TRACKER_ERROR && reply.reply.failure[0] == '\0')
            abort();
    } else if (reply.reply.peers != NULL) {
        abort();
    }
    udp_tracker_reply_done(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *url = mem_strndup((const char *)data, size), host[UDP_TRACKER_HOST];
    uint16_t port = 0;

    reply(data, size, 4);
    reply(data, size, 6);
    if (udp_tracker_url(url, host, &port) == ERR_OK &&
        (port == 0 || host[0] == '\0' || strpbrk(host, "/@[]% \r\n") != NULL))
        abort();
    mem_free(url);
    return 0;
}
