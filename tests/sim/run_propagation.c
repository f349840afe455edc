/* sim_propagation VISITORS [NAME=NUMBER ...]: visitors of a site are online with release 1, whole
 * and idle; release 2 is uploaded, and one of them opens a page. How soon do all know of it and
 * hold what it has changed, and what did the site send? A line of JSON
 * (tests/bench/propagation.py).
 */
#include "base/mem.h"
#include "publisher.h"
#include "server.h"
#include "visitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SITE      "https://game.example"
#define SIGNATURE "/.well-known/fringe/release.json.minisig"
#define CHANGED   "/static/changed.bin"
#define SECONDS   600
#define BIN_S     5 /* of the rate at the site */

struct plan {
    uint32_t visitors;
    uint64_t seed, changed_kib, idle_s, series;
};

struct run {
    const struct plan *plan;
    struct world *world;
    struct publisher *site;
    struct sim_tracker *tracker;
    struct visitor **visitors;
    double *known_s, *held_s;
    uint32_t known, held;
    uint64_t looks[SECONDS + 1]; /* requests for the signature, so far */
    uint8_t root[HASH_LENGTH];
};

static void add_files(struct run *run)
{
    char name[32];

    for (uint32_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "same%u.bin", i);
        publisher_add(run->site, 0, name, MIB(1), i + 1);
    }
    publisher_add(run->site, 0, "changed.bin", run->plan->changed_kib * 1024, 10);
    publisher_publish(run->site);
}

static void init(struct run *run, const struct plan *plan)
{
    struct link origin = {.up = 4000000, .down = 4000000, .latency_us = 5000};

    *run = (struct run){.plan = plan, .world = world_new(plan->seed)};
    run->world->bare = getenv("SIM_TRACE") == NULL;
    run->site = publisher_new(run->world, SITE, &origin);
    run->tracker = sim_tracker_new(run->world, "https://tracker.example");
    run->tracker->random = true;
    run->tracker->server->host->link.up = run->tracker->server->host->link.down = 125000000;
    run->site->trackers[run->site->tracker_count++] =
        mem_strdup("https://tracker.example/announce");
    add_files(run);
    run->visitors = mem_calloc(plan->visitors, sizeof *run->visitors);
    run->known_s = mem_calloc(plan->visitors, sizeof *run->known_s);
    run->held_s = mem_calloc(plan->visitors, sizeof *run->held_s);
}

/* They have come over some minutes, not all at once. */
static void come(struct run *run)
{
    for (uint32_t i = 0; i < run->plan->visitors; i++) {
        char name[16];
        struct visitor_config config = {
            .name = name, .link = LINK_HOME, .zone = ZONE_SHARE, .knows = run->site, .holds = true};
        snprintf(name, sizeof name, "v%u", i);
        run->visitors[i] = visitor_new(run->world, &config);
        if (i % 16 == 15)
            world_run(run->world, 1 + 120000ull * 16 / run->plan->visitors);
    }
    world_run(run->world, run->plan->idle_s * 1000);
}

static void upload(struct run *run)
{
    publisher_add(run->site, 0, "changed.bin", run->plan->changed_kib * 1024, 11);
    publisher_publish(run->site);
    memcpy(run->root, publisher_lookup(run->site, run->site->seq, CHANGED)->root, HASH_LENGTH);
}

static bool knows(const struct visitor *visitor)
{
    return visitor->disk->sites != NULL && visitor->disk->sites->record.seq == 2;
}

static void look(struct run *run, double now_s)
{
    for (uint32_t i = 0; i < run->plan->visitors; i++) {
        const struct visitor *visitor = run->visitors[i];
        if (run->known_s[i] == 0 && knows(visitor)) {
            run->known_s[i] = now_s;
            run->known++;
        }
        if (run->held_s[i] > 0 ||
            !disk_has(visitor->disk, run->root, KIB(64), 0, run->plan->changed_kib * 1024))
            continue;
        run->held_s[i] = now_s;
        run->held++;
    }
}

static int falling(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return first > second ? -1 : first < second;
}

/* The time within which 95 of 100 had it; without an end when they have not. */
static double p95(double *times, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        times[i] = times[i] == 0 ? 1e9 : times[i];
    qsort(times, count, sizeof *times, falling);
    return times[count / 20];
}

/* The busiest seconds at the site, by the mean from the first request to the last. */
static double peak_by_mean(const struct run *run, uint32_t seconds)
{
    uint32_t first = 0, last = seconds;
    uint64_t peak = 0, total = run->looks[seconds] - run->looks[0];

    while (first < seconds && run->looks[first + 1] == run->looks[0])
        first++;
    while (last > first + 1 && run->looks[last - 1] == run->looks[seconds])
        last--;
    for (uint32_t s = first; s + BIN_S <= last; s++) {
        uint64_t rate = run->looks[s + BIN_S] - run->looks[s];
        peak = rate > peak ? rate : peak;
    }
    return total > 0 ? (double)peak / BIN_S * (last - first) / (double)total : 0;
}

static void play(struct run *run, uint64_t before)
{
    uint32_t s = 0;
    const struct resource *signature = server_get(run->site->server, SIGNATURE);

    run->looks[0] = signature->requests;
    while (s < SECONDS && (run->known < run->plan->visitors || run->held < run->plan->visitors)) {
        world_run(run->world, 1000);
        look(run, ++s);
        run->looks[s] = signature->requests;
        if (run->plan->series > 0)
            fprintf(stderr, "%3u s: %u know, %u hold, %llu looks, %.2f copies\n", s, run->known,
                    run->held, (unsigned long long)(run->looks[s] - run->looks[0]),
                    (double)(server_sent_below(run->site->server, "/static/") - before) /
                        ((double)run->plan->changed_kib * 1024));
    }
    double copies = (double)(server_sent_below(run->site->server, "/static/") - before) /
                    ((double)run->plan->changed_kib * 1024);
    uint64_t torrents = server_requests_below(run->site->server, "/.well-known/fringe/");
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"visitors\": %u, \"known\": %u, \"held\": %u, \"known_p95_s\": %.0f, "
           "\"held_p95_s\": %.0f, \"origin_copies\": %.3f, \"looks_each\": %.3f, "
           "\"peak_by_mean\": %.2f, \"documents\": %llu, \"cpu_s\": %.1f, \"rss_mb\": %ld}\n",
           run->plan->visitors, run->known, run->held, p95(run->known_s, run->plan->visitors),
           p95(run->held_s, run->plan->visitors), copies,
           (double)(run->looks[s] - run->looks[0]) / run->plan->visitors, peak_by_mean(run, s),
           (unsigned long long)torrents, (double)clock() / CLOCKS_PER_SEC, used.ru_maxrss / 1024);
}

static bool take(struct plan *plan, const char *option)
{
    const struct {
        const char *name;
        uint64_t *number;
    } options[] = {{"seed=", &plan->seed},
                   {"changed_kib=", &plan->changed_kib},
                   {"idle_s=", &plan->idle_s},
                   {"series=", &plan->series}};

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        size_t length = strlen(options[i].name);
        if (strncmp(option, options[i].name, length) != 0)
            continue;
        *options[i].number = strtoull(option + length, NULL, 10);
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct plan plan = {.seed = 1, .changed_kib = 1024, .idle_s = 120};
    struct run run;

    if (argc >= 2)
        plan.visitors = (uint32_t)strtoul(argv[1], NULL, 10);
    bool good = plan.visitors > 0;
    for (int i = 2; i < argc; i++)
        good = good && take(&plan, argv[i]);
    if (!good) {
        fprintf(stderr, "usage: %s VISITORS [seed=N] [changed_kib=N] [idle_s=N] [series=1]\n",
                argv[0]);
        return 2;
    }
    init(&run, &plan);
    come(&run);
    uint64_t before = server_sent_below(run.site->server, "/static/");
    upload(&run);
    visitor_site_open(run.visitors[plan.visitors / 2], SITE, 2, "doc");
    play(&run, before);
    bool finished = run.known == plan.visitors && run.held == plan.visitors;
    world_free(run.world);
    sim_tracker_free(run.tracker);
    mem_free(run.visitors);
    mem_free(run.known_s);
    mem_free(run.held_s);
    return finished ? 0 : 1;
}
