/* One question to the router in a process of its own: `fringe port-map`. Layer: io.
 *
 * The libraries that ask block, and know no limit for what a router sends (io/router.h). A process
 * can be ended at any moment, and what a router makes it do is not done to the daemon. */
#pragma once

#include "io/loop.h"
#include "io/router.h"

struct portmap_run;
/* program: a file to run; NULL: this very program. done is called once, never from inside this
 * call; what goes wrong, or takes longer than limit_ms, is ROUTER_NONE. With done NULL the run is
 * on its own: it cannot be freed, and the end of the loop waits for it. */
struct portmap_run *portmap_run_new(struct loop *loop, const char *program,
                                    const struct router_question *question, uint32_t limit_ms,
                                    void (*done)(void *user, const struct router_answer *answer),
                                    void *user);
/* Kills it; done is not called any more. */
void portmap_run_free(struct portmap_run *run);
