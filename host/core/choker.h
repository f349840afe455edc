/* Who may ask us for blocks (BEP 3). Layer: core (pure).
 *
 * Our own kind, who speak fringe_claim, always may: what they get they give on at once, and slots
 * among them cost a crowd seconds. Who only says so gets no more than one of them would: blocks go
 * to whose request has waited longest, within the rate, the month and LIMIT_PEERS_PER_ADDRESS.
 * Strangers may as long as the uplink has room. When requests wait for it, so many strangers as
 * there are slots may ask at a time: every TURN_MS those who gave us most since the last turn, and
 * then those whose last turn is longest ago; one slot is the optimistic one, which goes round every
 * OPTIMISTIC_MS among all others. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct node;
struct peer;

struct choker {
    uint64_t full_ms;  /* requests last had to wait for the uplink; 0: never */
    uint64_t turn_ms;  /* the next turn; 0: none is needed */
    uint64_t lucky_ms; /* when the optimistic slot goes on */
    uint64_t lucky;    /* the connection that has it; 0: none */
};

bool choker_is_stranger(const struct peer *peer);
/* Its interest has changed, or what we know of it; we share, and it knows what we have. */
void choker_consider(struct peer *peer);
void choker_uplink_is_full(struct node *node);
void choker_settings_changed(struct node *node);
uint64_t choker_tick(struct node *node); /* returns when to be woken next */
