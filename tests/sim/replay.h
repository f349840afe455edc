/* Whatever ends a test while a world is there says on stderr how to see it again: a broken
 * invariant, an assertion, a crash, a sanitizer's finding, a test that hangs. */
#pragma once

struct world;

void replay_begin(const struct world *world);
void replay_end(void);
void replay_print(void); /* the command, if there is a world */
void replay_trace(void); /* the end of its trace; all of it with SIM_TRACE */
/* For programs of Check: heeds crashes (a fuzzer does that itself). */
void replay_watch(void);
/* The test at hand says so when it hangs: Check's own limit kills without a word. */
void replay_limit_time(void);
