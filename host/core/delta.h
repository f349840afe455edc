/* A new version of a file from the one we have and a patch of the release. Layer: core (pure).
 *
 * A want that may be had so is held: nothing of it is asked of anybody (it stands in swarm->held,
 * not in swarm->wants) until the patch has been fetched, like any file, from the release's bundle
 * at DELTA_BASE, and the store has rebuilt the file. Whatever goes wrong, the want goes on as if
 * there were no patch; a patch that is no good is not tried again. */
#pragma once

#include "core/swarm.h"

/* A new want: true when it is held. */
bool delta_consider(struct want *want);
/* Looks how a held want fares; returns when to look again. It may be held no longer after it. */
uint64_t delta_tick(struct want *want);
/* What held wants may wait for has happened in that swarm: each looks how it fares. */
void delta_look_again(struct swarm *swarm);
/* One more document counts the bytes. */
void delta_add_doc(struct want *want, uint64_t serial);
void delta_free(struct delta *delta); /* NULL is fine */
void delta_rebuilt(struct delta *delta, const struct event *event);
