/* Is there a network at all? Layer: io. The kernel tells when an address comes or goes (rtnetlink),
 * so nothing is polled. Only what leads out of this machine counts: an interface that is up and
 * running, not loopback, with an address that is not link-local. */
#pragma once

#include "base/err.h"
#include "io/loop.h"

#include <stdbool.h>

struct network;
/* `changed` is called on the loop: soon, with how it is, and whenever that changes. ERR_IO: this
 * system cannot say. */
enum err network_new(struct loop *loop, void (*changed)(void *user, bool online), void *user,
                     struct network **ret);
void network_free(struct network *network); /* NULL: nothing */
