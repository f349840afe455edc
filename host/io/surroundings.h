/* Is this network metered, does this computer run on battery? Layer: io.
 *
 * NetworkManager and UPower say so on the system bus (D-Bus). Both are only asked, never started;
 * what is not there, or answers something else than it should, says nothing. When the bus goes away
 * it is looked for again, a minute apart at most; what was known stays until that has failed.
 *
 *   surroundings_dbus.c    with libsystemd's sd-bus
 *   surroundings_absent.c  without it (-DFRINGE_DBUS=OFF): nobody ever says anything */
#pragma once

#include "core/event.h"
#include "io/loop.h"

struct surroundings_bus;
/* `changed` is called on the loop, never from within this: soon, with how it is, and whenever that
 * changes. */
struct surroundings_bus *
surroundings_new(struct loop *loop, void (*changed)(void *user, const struct surroundings *now),
                 void *user);
void surroundings_free(struct surroundings_bus *bus); /* NULL: nothing */
