/* What is wrong with the computer, as far as a host can see: for `status`, and told to every
 * extension when it changes (PROTOCOL.md 2). Layer: core (pure).
 *
 *   store     why nothing could be written to it last. The adapter looks from time to time whether
 *             that is over, so it ends by itself.
 *   network   is there any but loopback? The adapter tells.
 *   clock     against the Date that sites send. One site can lie, so all that were heard since the
 *             clock was last set must agree, and the smallest difference counts. Only said, never
 *             used: whoever could move the clock could freeze a site (PROTOCOL.md 1.4).
 *
 * A wall clock that leaves the monotonic one was set, or the computer slept: what was refused or
 * put off because of it may be tried again at once. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct node;
struct site;
struct event;
struct api_answer;

enum clock_state { CLOCK_OK, CLOCK_AHEAD, CLOCK_BEHIND, CLOCK_STATES_ };

struct health {
    bool offline;
    enum clock_state clock;
    uint64_t clock_off_s;
    bool started;
    int64_t wall_base_s; /* the wall clock minus the monotonic one */
    struct {
        enum err store;
        bool offline;
        enum clock_state clock;
    } told;
};

/* The fields of `health`, into an open object or event. */
void health_put(const struct node *node, struct api_answer *answer);
/* The site has answered, or not; date_s: what it says the time is, 0: nothing. */
void health_heard(struct site *site, uint64_t date_s);
void health_tried(struct site *site, enum err result);
/* For `site.status`: "ok", "unreachable", "tls"; "unknown": not asked in this run. */
const char *health_of_origin(const struct site *site);
void health_store(struct node *node, enum err result);
void health_network(struct node *node, bool online);
/* At the beginning of a step: has the clock jumped? */
void health_look_at_clock(struct node *node);
/* At the end of a step: tells who wants to know. */
void health_tell(struct node *node);
