/* sim_scale VISITORS MIB [NAME=NUMBER ...]: one crowd; a line of JSON (tests/bench/sim-scale.py,
 * ablation.py). The names are those of crowd.h's plan. */
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static int usage(const char *program)
{
    fprintf(stderr,
            "usage: %s VISITORS MIB [files=N] [origin_rate=BYTES] [every_ms=N] [vanish=PERCENT]\n"
            "       [seed=N] [deep=1] [series=1]\n",
            program);
    return 2;
}

static bool take(struct crowd_plan *plan, const char *option)
{
    const char *equals = strchr(option, '=');

    if (equals == NULL)
        return false;
    size_t length = (size_t)(equals - option);
    uint64_t number = strtoull(equals + 1, NULL, 10);
    if (strncmp(option, "files", length) == 0)
        plan->files = (uint32_t)number;
    else if (strncmp(option, "origin_rate", length) == 0)
        plan->origin_rate = number;
    else if (strncmp(option, "every_ms", length) == 0)
        plan->every_ms = number;
    else if (strncmp(option, "vanish", length) == 0)
        plan->vanish = (unsigned)number;
    else if (strncmp(option, "seed", length) == 0)
        plan->seed = number;
    else if (strncmp(option, "deep", length) == 0)
        plan->deep = number != 0;
    else if (strncmp(option, "series", length) == 0)
        plan->series = number != 0;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct crowd_plan plan = {.seed = 1};
    struct rusage used;

    if (argc < 3)
        return usage(argv[0]);
    plan.visitors = (uint32_t)strtoul(argv[1], NULL, 10);
    plan.bytes = strtoull(argv[2], NULL, 10) << 20;
    for (int i = 3; i < argc; i++)
        if (!take(&plan, argv[i]))
            return usage(argv[0]);
    struct crowd_result result = crowd_play(&plan);
    getrusage(RUSAGE_SELF, &used);
    printf(
        "{\"visitors\": %u, \"mib\": %llu, \"finished\": %s, \"copies\": %.4f, \"t50_s\": %.2f, "
        "\"t100_s\": %.2f, \"head_s\": %.2f, \"wasted\": %.4f, \"bound_s\": %.2f, \"steps\": %llu, "
        "\"cpu_s\": %.1f, \"rss_mb\": %ld}\n",
        plan.visitors, (unsigned long long)(plan.bytes >> 20), result.finished ? "true" : "false",
        result.copies, result.t50_s, result.t100_s, result.head_s, result.wasted, result.bound_s,
        (unsigned long long)result.steps, (double)clock() / CLOCKS_PER_SEC, used.ru_maxrss / 1024);
    return result.finished ? 0 : 1;
}
