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
    bool handshaken, said_have, unchoked;
    const struct torrent *torrent; /* after the handshake */
    uint32_t asked;                /* requests without an answer */
    /* what the other side says, as far as it answers requests */
    uint8_t head[5];
    uint32_t head_length, skip;
    bool heard_handshake, fast;
};

void sniff_init(struct sniff *sniff);
void sniff_done(struct sniff *sniff);
/* EVENT_PEER_BYTES: counts the answers. */
void sniff_heard(struct sniff *sniff, struct span data);
/* EFFECT_SEND: checks the bytes. */
void sniff_bytes(struct visitor *visitor, struct socket *socket, struct span data);
/* EFFECT_SEND_BLOCK: checks it. */
void sniff_block(struct visitor *visitor, struct socket *socket, const struct effect *effect);
