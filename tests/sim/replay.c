#include "replay.h"

#include "world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOW 6000 /* of a trace, when something fails */

#define HANGS_S 55 /* a little before Check ends the test (check_main.h) and nobody knows why */

/* The last world that began and has not ended; 0: none. A handler of signals reads it. */
static volatile uint64_t seed;
static volatile bool is_on;
static const struct world *last; /* while it is on */

/* Only where a sanitizer is linked. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

void replay_print(void)
{
    char line[600];

    if (!is_on)
        return;
    int length = snprintf(line, sizeof line,
                          "replay: SIM_SEED=%llu CK_FORK=no CK_DEFAULT_TIMEOUT=0 %.400s\n",
                          (unsigned long long)seed, program_invocation_name);
    if (write(STDERR_FILENO, line, (size_t)length) < 0)
        return;
}

void replay_trace(void)
{
    if (!is_on)
        return;
    size_t length = last->trace.length;
    size_t show = length < SHOW || last->keep_trace ? length : SHOW;
    fprintf(stderr, "the end of the trace of seed %llu:\n%.*s", (unsigned long long)seed, (int)show,
            show > 0 ? (char *)last->trace.data + length - show : "");
}

static void died(int signal_number)
{
    replay_print();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

void replay_watch(void)
{
    signal(SIGABRT, died);
    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(replay_print);
}

/* Where Check does not fork there is somebody who watches. */
void replay_limit_time(void)
{
    const char *fork = getenv("CK_FORK"), *times = getenv("CK_TIMEOUT_MULTIPLIER");
    int multiplier = times != NULL ? atoi(times) : 1;

    if (fork != NULL && strcmp(fork, "no") == 0)
        return;
    signal(SIGALRM, died);
    alarm(HANGS_S * (unsigned)(multiplier > 1 ? multiplier : 1));
}

void replay_begin(const struct world *world)
{
    last = world;
    seed = world->seed;
    is_on = true;
}

void replay_end(void)
{
    is_on = false;
}
