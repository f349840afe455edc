/* One question to the router in a process of its own: `fringe port-map`. Layer: io.
 *
 * The libraries that ask block, and know no limit for what a router sends (io/router.h). A process
 * can be ended at any moment, and what a router makes it do is not done to the daemon. */
#pragma once

#include "io/loop.h"
#include "io/router.h"

struct portmap_run;
/* The only call, and never from inside portmap_run_new; `run` is dead after it. What goes wrong, or
 * takes too long, or was killed, is ROUTER_NONE. */
typedef void portmap_run_done(void *user, const struct portmap_run *run,
                              const struct router_answer *answer);
/* program: a file to run; NULL: this very program. */
struct portmap_run *portmap_run_new(struct loop *loop, const char *program,
                                    const struct router_question *question, uint32_t limit_ms,
                                    portmap_run_done *done, void *user);
void portmap_run_kill(struct portmap_run *run); /* done follows soon */
