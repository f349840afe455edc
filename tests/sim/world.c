#include "world.h"

#include "base/mem.h"
#include "link.h"
#include "publisher.h"
#include "replay.h"
#include "script.h"
#include "server.h"
#include "visitor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_TAIL KIB(64) /* kept when not all is */

struct happening {
    uint64_t at_us, serial;
    world_fire *fire;
    uint64_t a, b;
};

/* --- life */

static unsigned parts_left_out(void)
{
    static const char *const names[] = {"sparing", "claims", "rank",    "rarest", "head",
                                        "assist",  "hedge",  "endgame", "hurry"};
    const char *given = getenv("SIM_WITHOUT");
    unsigned parts = 0;

    for (unsigned i = 0; given != NULL && i < sizeof names / sizeof names[0]; i++)
        if (strstr(given, names[i]) != NULL)
            parts |= 1u << i;
    return parts;
}

struct world *world_new(uint64_t seed)
{
    struct world *world = mem_zalloc(sizeof *world);
    const char *given = getenv("SIM_SEED");

    world->seed = given != NULL ? strtoull(given, NULL, 10) : seed;
    world->random = world->seed * 0x9e3779b97f4a7c15u + 1;
    world->start_us = world->now_us = 1000ull * 1000 * 1000;
    world->trace_hash = 14695981039346656037u;
    world->without = parts_left_out();
    world->keep_trace = getenv("SIM_TRACE") != NULL;
    buf_init(&world->trace, SIZE_MAX / 2);
    replay_begin(world);
    return world;
}

void world_free(struct world *world)
{
    if (getenv("SIM_TRACE") != NULL)
        fwrite(world->trace.data, 1, world->trace.length, stderr);
    visitors_free(world);
    scripts_free(world);
    datagrams_free(world);
    servers_free(world);
    publishers_free(world);
    link_free_all(world);
    buf_done(&world->trace);
    mem_free(world->queue);
    mem_free(world);
    replay_end();
}

/* --- the queue */

static bool is_before(const struct happening *a, const struct happening *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->serial < b->serial;
}

static void swap(struct happening *a, struct happening *b)
{
    struct happening c = *a;
    *a = *b;
    *b = c;
}

void world_at(struct world *world, uint64_t at_us, world_fire *fire, uint64_t a, uint64_t b)
{
    if (world->queue_count == world->queue_capacity) {
        world->queue_capacity = world->queue_capacity > 0 ? 2 * world->queue_capacity : 256;
        world->queue = mem_realloc(world->queue, world->queue_capacity * sizeof *world->queue);
    }
    size_t i = world->queue_count++;
    world->queue[i] = (struct happening){.at_us = at_us > world->now_us ? at_us : world->now_us,
                                         .serial = world->serial++,
                                         .fire = fire,
                                         .a = a,
                                         .b = b};
    for (; i > 0 && is_before(&world->queue[i], &world->queue[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&world->queue[i], &world->queue[(i - 1) / 2]);
}

void world_after(struct world *world, uint64_t delay_us, world_fire *fire, uint64_t a, uint64_t b)
{
    world_at(world, world->now_us + delay_us, fire, a, b);
}

static struct happening take_first(struct world *world)
{
    struct happening first = world->queue[0];
    size_t i = 0;

    world->queue[0] = world->queue[--world->queue_count];
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < world->queue_count && is_before(&world->queue[child], &world->queue[least]))
                least = child;
        if (least == i)
            return first;
        swap(&world->queue[i], &world->queue[least]);
        i = least;
    }
}

/* --- the clock */

uint64_t world_now_ms(const struct world *world)
{
    return world->now_us / 1000;
}

uint64_t world_elapsed_us(const struct world *world)
{
    return world->now_us - world->start_us;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

bool world_run_until(struct world *world, bool (*is_so)(void *arg), void *arg, uint64_t ms)
{
    uint64_t end_us = world->now_us + ms * 1000;

    while (!is_so(arg)) {
        if (world->queue_count == 0 || world->queue[0].at_us > end_us) {
            world->now_us = end_us;
            return false;
        }
        struct happening happening = take_first(world);
        world->now_us = happening.at_us;
        happening.fire(world, happening.a, happening.b);
    }
    return true;
}

void world_run(struct world *world, uint64_t ms)
{
    world_run_until(world, never, NULL, ms);
}

uint64_t world_number(struct world *world)
{
    return ++world->last_number;
}

/* --- randomness: splitmix64 */

static uint64_t mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t world_random(struct world *world)
{
    return mix(&world->random);
}

uint64_t world_below(struct world *world, uint64_t limit)
{
    return world_random(world) % limit;
}

bool world_chance(struct world *world, unsigned percent)
{
    return world_below(world, 100) < percent;
}

void world_fill(uint64_t seed, uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i += 8) {
        uint64_t value = mix(&seed);
        memcpy(data + i, &value, length - i < 8 ? length - i : 8);
    }
}

/* --- the trace */

void world_trace(struct world *world, const char *format, ...)
{
    uint64_t us = world_elapsed_us(world);
    char line[512];
    va_list args;

    if (world->bare)
        return;
    int at = snprintf(line, sizeof line, "%7llu.%03u ", (unsigned long long)(us / 1000),
                      (unsigned)(us % 1000));
    va_start(args, format);
    vsnprintf(line + at, sizeof line - (size_t)at, format, args);
    va_end(args);
    for (const char *c = line; *c != '\0'; c++)
        world->trace_hash = (world->trace_hash ^ (uint8_t)*c) * 1099511628211u;
    if (!world->keep_trace && world->trace.length > 2 * TRACE_TAIL)
        buf_drop_front(&world->trace, TRACE_TAIL);
    buf_printf(&world->trace, "%s\n", line);
}

static void just_abort(const char *text)
{
    (void)text;
    abort();
}

void (*world_on_failure)(const char *text) = just_abort;

void world_fail(struct world *world, const char *format, ...)
{
    va_list args;
    char line[512];

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    world_trace(world, "FAILED");
    replay_trace();
    fprintf(stderr, "%s\n", line);
    replay_print();
    world_on_failure(line);
    abort();
}
