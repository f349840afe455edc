#include "crowd.h"

#include "base/mem.h"
#include "fetch.h"
#include "publisher.h"
#include "server.h"
#include "visitor.h"

#include <stdio.h>
#include <stdlib.h>

#define SITE        "https://game.example"
#define ORIGIN_RATE 4000000 /* 32 Mbit/s */
#define VANISH_MS   5000
#define MOST_MS     600000

struct crowd {
    const struct crowd_plan *plan;
    struct world *world;
    struct publisher *site;
    struct sim_tracker *tracker;
    struct visitor **visitors;
    uint32_t files;
    uint64_t seconds, last[3]; /* of the series: printed, and the sums then */
};

/* --- who is there */

static void add_files(struct crowd *crowd)
{
    char name[32];

    for (uint32_t i = 0; i < crowd->files; i++) {
        snprintf(name, sizeof name, "f%u.bin", i);
        publisher_add(crowd->site, 0, name, crowd->plan->bytes / crowd->files, i + 1);
    }
    publisher_publish(crowd->site);
}

static void crowd_init(struct crowd *crowd, const struct crowd_plan *plan)
{
    struct link origin = {.latency_us = 5000};

    *crowd = (struct crowd){.plan = plan, .files = plan->files > 0 ? plan->files : 1};
    origin.up = origin.down = plan->origin_rate > 0 ? plan->origin_rate : ORIGIN_RATE;
    crowd->world = world_new(plan->seed);
    crowd->world->bare = getenv("SIM_TRACE") == NULL;
    crowd->site = publisher_new(crowd->world, SITE, &origin);
    crowd->tracker = sim_tracker_new(crowd->world, "https://tracker.example");
    crowd->tracker->random = true;
    crowd->tracker->server->host->link.up = crowd->tracker->server->host->link.down = 125000000;
    crowd->site->trackers[crowd->site->tracker_count++] =
        mem_strdup("https://tracker.example/announce");
    add_files(crowd);
    crowd->visitors = mem_calloc(plan->visitors, sizeof *crowd->visitors);
}

static void crowd_done(struct crowd *crowd)
{
    world_free(crowd->world);
    sim_tracker_free(crowd->tracker);
    mem_free(crowd->visitors);
}

/* Everybody has been here before, so that what is counted is the files. */
static void come(struct crowd *crowd, uint32_t number)
{
    struct visitor_config config = {.link = LINK_HOME, .zone = ZONE_SHARE, .knows = crowd->site};
    char *name = mem_printf("v%u", number), path[64];

    config.name = name;
    crowd->visitors[number] = visitor_new(crowd->world, &config);
    mem_free(name);
    crowd->visitors[number]->host->link.deep = crowd->plan->deep;
    for (uint32_t i = 0; i < crowd->files; i++) {
        snprintf(path, sizeof path, "/static/f%u.bin", i);
        fetch_begin(crowd->visitors[number], SITE, crowd->site->seq, path, "doc");
    }
}

static void vanish(struct crowd *crowd)
{
    uint32_t gone = crowd->plan->visitors * crowd->plan->vanish / 100;

    if (gone == 0)
        return;
    world_run(crowd->world, VANISH_MS);
    for (uint32_t i = 0; i < gone; i++)
        visitor_kill(crowd->visitors[i * crowd->plan->visitors / gone]);
}

/* --- what it cost */

static int by_time(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return first < second ? -1 : first > second;
}

/* Seconds until a visitor had everything; less than 0: it left, or has not. */
static double time_of(const struct visitor *visitor, struct crowd_result *result)
{
    double last = 0;

    list_for_each(link, next, &visitor->all_fetches)
    {
        const struct fetch *fetch = list_entry(link, struct fetch, in_visitor);
        if (fetch->state == FETCH_LEFT)
            return -1;
        double took = (double)(fetch->done_us - fetch->asked_us) / 1e6;
        double tenth = (double)(fetch->tenth_us - fetch->asked_us) / 1e6;
        if (fetch->state != FETCH_DONE) {
            result->finished = false;
            return -1;
        }
        last = took > last ? took : last;
        result->head_s = tenth > result->head_s ? tenth : result->head_s;
    }
    return last;
}

static double wasted_bytes(struct visitor *visitor)
{
    if (visitor->node == NULL)
        return 0;
    struct ask *ask = visitor_site_status(visitor, SITE, "doc");
    ask_wait(visitor, ask, 1000);
    return (double)ask_number(visitor, ask, "total.wasted");
}

static double most(double a, double b)
{
    return a > b ? a : b;
}

/* The origin gives one copy, the visitors the rest to each other. */
static double bound_s(const struct crowd_plan *plan)
{
    const struct link home = LINK_HOME;
    double bytes = (double)plan->bytes, count = plan->visitors;
    double origin = plan->origin_rate > 0 ? (double)plan->origin_rate : ORIGIN_RATE;
    double bound = most(bytes / origin, bytes / (double)home.down);

    return most(bound, (count - 1) * bytes / (count * (double)home.up));
}

static struct crowd_result measure(const struct crowd *crowd)
{
    const struct crowd_plan *plan = crowd->plan;
    struct crowd_result result = {.finished = true, .bound_s = bound_s(plan)};
    double *times = mem_calloc(plan->visitors, sizeof *times);
    size_t count = 0;

    for (uint32_t i = 0; i < plan->visitors; i++) {
        double time = time_of(crowd->visitors[i], &result);
        result.steps += crowd->visitors[i]->counts.steps;
        result.wasted += wasted_bytes(crowd->visitors[i]);
        if (time >= 0)
            times[count++] = time;
    }
    qsort(times, count, sizeof *times, by_time);
    result.t50_s = count > 0 ? times[count / 2] : 0;
    result.t100_s = count > 0 ? times[count - 1] : 0;
    result.copies =
        (double)server_sent_below(crowd->site->server, "/static/") / (double)plan->bytes;
    result.wasted /= (double)plan->bytes * plan->visitors;
    mem_free(times);
    return result;
}

/* --- all together */

/* MB/s of the origin and of all visitors, up and down. */
static void print_second(struct crowd *crowd)
{
    uint64_t origin = server_sent_below(crowd->site->server, "/static/"), sent = 0, received = 0;

    for (uint32_t i = 0; i < crowd->plan->visitors && crowd->visitors[i] != NULL; i++) {
        sent += crowd->visitors[i]->host->sent;
        received += crowd->visitors[i]->host->received;
    }
    fprintf(stderr, "%3llu s: origin %.2f, visitors up %.2f down %.2f MB/s\n",
            (unsigned long long)++crowd->seconds, (double)(origin - crowd->last[0]) / 1e6,
            (double)(sent - crowd->last[1]) / 1e6, (double)(received - crowd->last[2]) / 1e6);
    crowd->last[0] = origin;
    crowd->last[1] = sent;
    crowd->last[2] = received;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void run(struct crowd *crowd, bool (*is_so)(void *arg), uint64_t ms)
{
    if (!crowd->plan->series) {
        world_run_until(crowd->world, is_so, crowd->world, ms);
        return;
    }
    for (bool over = false; ms >= 1000 && !over; ms -= 1000) {
        over = world_run_until(crowd->world, is_so, crowd->world, 1000);
        print_second(crowd);
    }
}

struct crowd_result crowd_play(const struct crowd_plan *plan)
{
    struct crowd crowd;

    crowd_init(&crowd, plan);
    for (uint32_t i = 0; i < plan->visitors; i++) {
        come(&crowd, i);
        if (plan->every_ms > 0)
            run(&crowd, never, plan->every_ms);
    }
    vanish(&crowd);
    run(&crowd, fetches_are_over, plan->most_ms > 0 ? plan->most_ms : MOST_MS);
    struct crowd_result result = measure(&crowd);
    crowd_done(&crowd);
    return result;
}
