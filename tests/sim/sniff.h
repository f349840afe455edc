/* Reads what a node says on one connection, with a parser of its own, and holds it to the rules:
 * well-formed messages; blocks only of verified pieces and equal to what was published; HAVE and
 * bitfields that tell the truth; zone fetch says and serves nothing; zone off says nothing at
 * all; no more than LIMIT_PEER_REQUESTS_IN requests that are not answered. */
#pragma once

#include "core/update.h"
#include "world.h"

struct socket;

struct sniff {
    struct buf in; /* an incomplete message */
    bool handshaken, said_have;
    const struct torrent *torrent; /* after the handshake */
};

void sniff_init(struct sniff *sniff);
void sniff_done(struct sniff *sniff);
/* EFFECT_SEND: checks the bytes. */
void sniff_bytes(struct visitor *visitor, struct socket *socket, struct span data);
/* EFFECT_SEND_BLOCK: checks, and appends what goes out to `out`. */
void sniff_block(struct visitor *visitor, struct socket *socket, const struct effect *effect,
                 struct buf *out);
