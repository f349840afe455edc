/* The two multicast groups of local discovery (BEP 14). Layer: io.
 *
 * The sockets are bound to the groups' own addresses, so that only what was sent to a group is
 * heard: nothing from beyond this network can come that way. Time to live is 1. */
#pragma once

#include "io/loop.h"
#include "wire/address.h"

#include <stddef.h>

struct multicast_events {
    void *user;
    /* data is borrowed for the call; at most LIMIT_LSD_MESSAGE bytes, what is longer is lost */
    void (*heard)(void *user, const struct address *from, const uint8_t *data, size_t length);
};

struct multicast;
/* ERR_NETWORK: neither group can be joined. Other programs on this machine may listen as well. */
enum err multicast_new(struct loop *loop, const struct multicast_events *events,
                       struct multicast **ret);
/* To the group of that family (4 or 6), on every network that this machine is on now. */
void multicast_send(struct multicast *multicast, uint8_t family, const void *data, size_t length);
void multicast_free(struct multicast *multicast);
