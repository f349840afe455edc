/* A peer's stream after the handshake: each message that decodes encodes to the same bytes. */
#include "base/limits.h"
#include "wire/peer_msg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct peer_msg *msg, const uint8_t *data, size_t used)
{
    struct buf out;

    if (msg->kind == PEER_UNKNOWN)
        return;
    buf_init(&out, LIMIT_PEER_MESSAGE + 4);
    peer_msg_encode(msg, &out);
    if (msg->kind == PEER_PIECE)
        buf_put(&out, msg->payload.data, msg->payload.length);
    if (!span_equal(span_of(out.data, out.length), span_of(data, used)))
        abort();
    buf_done(&out);
}

static void handshake(const uint8_t *data, size_t size)
{
    struct peer_handshake one, two;
    struct buf out;

    if (peer_handshake_decode(data, size, &one) != ERR_OK)
        return;
    buf_init(&out, HANDSHAKE_LENGTH);
    peer_handshake_encode(&one, &out);
    if (peer_handshake_decode(out.data, out.length, &two) != ERR_OK ||
        one.extended != two.extended || one.fast != two.fast ||
        memcmp(one.infohash, two.infohash, SHORT_HASH_LENGTH) != 0 ||
        memcmp(one.peer_id, two.peer_id, PEER_ID_LENGTH) != 0)
        abort();
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct peer_msg msg;
    size_t used = 0;

    handshake(data, size);
    for (; peer_msg_decode(data, size, &msg, &used) == ERR_OK; data += used, size -= used) {
        if (used < 4 || used > size)
            abort();
        round_trip(&msg, data, used);
    }
    return 0;
}
