/* What somebody has done to us, and who is let in no more for it. Layer: core (pure).
 *
 * Who it is, is a name: a peer's address (strikes_name), or any other. A web seed's is its site
 * (origin_trust.c): for malformed answers, never for files that it has changed, which look like
 * bad bytes. Strikes add up and are forgotten with time; at STRIKES_BAN it is banned for
 * STRIKES_BAN_MS. LIMIT_STRIKES names are kept, and the oldest goes first. */
#pragma once

#include "base/bytes.h"
#include "wire/address.h"
#include "wire/merkle.h"

#include <uthash.h>

#define STRIKES_BAN    100
#define STRIKES_BAN_MS 3600000 /* and as long a whole ban's strikes take to be forgotten */

/* A little more than an even share of a ban: they must add up though time has passed. */
enum {
    STRIKE_MALFORMED = 27, /* no message, or one out of place: a bug, perhaps */
    STRIKE_FLOOD = 55,
    STRIKE_BAD_PROOF = 55,          /* hashes that do not prove */
    STRIKE_BAD_BYTES = STRIKES_BAN, /* its own, beyond doubt */
};

struct node;

struct strikes {
    uint8_t name[HASH_LENGTH]; /* of the name */
    uint64_t points, at_ms;    /* in thousandths, at that time */
    uint64_t banned_until_ms;
    UT_hash_handle hh;
};

/* Returns whether it is banned now. */
bool strikes_add(struct node *node, struct span who, unsigned strike);
bool strikes_ban(struct node *node, struct span who); /* is it? */
bool strikes_ban_address(struct node *node, const struct address *address);
/* The name of an address: without its port, but on loopback, where all are one machine. */
struct span strikes_name(const struct address *address, struct address *buffer);
void strikes_done(struct node *node);
