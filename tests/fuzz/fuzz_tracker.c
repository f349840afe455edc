/* A tracker's reply keeps its promises, and an announce URL is one line of printable ASCII. */
#include "base/limits.h"
#include "base/mem.h"
#include "wire/tracker.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void announce(const uint8_t *data, size_t size)
{
    char *base = mem_strndup((const char *)data, size);
    struct tracker_announce announce = {.port = 1, .event = TRACKER_STARTED};
    struct buf out;

    memcpy(announce.infohash, data, size < SHORT_HASH_LENGTH ? size : SHORT_HASH_LENGTH);
    buf_init(&out, LIMIT_URL + 1000);
    if (tracker_announce_url(base, &announce, &out) == ERR_OK)
        for (size_t i = 0; i < out.length; i++)
            if (out.data[i] <= ' ' || out.data[i] >= 0x7f || out.data[i] == '#')
                abort();
    buf_done(&out);
    mem_free(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tracker_reply reply;
    char text[ADDRESS_TEXT];
    struct address again;

    if (tracker_reply_parse(data, size, &reply) == ERR_OK) {
        if (reply.count > LIMIT_TRACKER_PEERS || reply.interval_s < 60 ||
            reply.interval_s > 86400 || (reply.failure[0] != '\0' && reply.count > 0))
            abort();
        for (size_t i = 0; i < reply.count; i++) {
            address_format(&reply.peers[i], text);
            if (reply.peers[i].port == 0 || address_parse(text, &again) != ERR_OK ||
                !address_equal(&again, &reply.peers[i]))
                abort();
        }
    }
    tracker_reply_done(&reply);
    if (size > 0)
        announce(data, size);
    return 0;
}
