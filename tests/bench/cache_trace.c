/* The miss ratio of the cache's policy beside LRU and FIFO on a power-law trace.
 *   cache_trace SEED FILES REQUESTS ALPHA PERMILLE   the cache as a share of all files' bytes */
#include "base/mem.h"
#include "core/cache.h"
#include "core/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct trace {
    uint32_t files, requests;
    uint64_t *lengths, bytes;
    double *until; /* the cumulated weight up to this file */
};

static double unit(struct rng *rng)
{
    return ((double)(rng_u64(rng) >> 11) + 0.5) / 9007199254740992.0;
}

/* Files of a web site: log-normal around 12 KB with a long tail. */
static uint64_t some_length(struct rng *rng)
{
    double normal = sqrt(-2 * log(unit(rng))) * cos(2 * 3.14159265358979 * unit(rng));
    double length = exp(9.4 + 1.3 * normal);
    return length < 100 ? 100 : length > 1e8 ? 100000000 : (uint64_t)length;
}

static void trace_make(struct trace *trace, struct rng *rng, double alpha)
{
    double sum = 0;

    trace->lengths = mem_calloc(trace->files, sizeof *trace->lengths);
    trace->until = mem_calloc(trace->files, sizeof *trace->until);
    for (uint32_t i = 0; i < trace->files; i++) {
        trace->lengths[i] = some_length(rng);
        trace->bytes += trace->lengths[i];
        sum += pow(i + 1, -alpha);
        trace->until[i] = sum;
    }
}

static uint32_t trace_next(const struct trace *trace, struct rng *rng)
{
    double at = unit(rng) * trace->until[trace->files - 1];
    uint32_t low = 0, high = trace->files - 1;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (trace->until[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- LRU and FIFO: a ring of files, the first goes first */

struct ring {
    bool refresh; /* LRU */
    uint64_t quota, bytes;
    uint32_t *next, *previous, head;
    bool *here;
};

static void ring_remove(struct ring *ring, uint32_t file)
{
    ring->next[ring->previous[file]] = ring->next[file];
    ring->previous[ring->next[file]] = ring->previous[file];
}

static void ring_push(struct ring *ring, uint32_t file)
{
    ring->previous[file] = ring->previous[ring->head];
    ring->next[file] = ring->head;
    ring->next[ring->previous[file]] = ring->previous[ring->head] = file;
}

static bool ring_ask(struct ring *ring, const struct trace *trace, uint32_t file)
{
    if (ring->here[file]) {
        if (ring->refresh) {
            ring_remove(ring, file);
            ring_push(ring, file);
        }
        return true;
    }
    if (trace->lengths[file] > ring->quota)
        return false;
    while (ring->bytes + trace->lengths[file] > ring->quota) {
        uint32_t victim = ring->next[ring->head];
        ring_remove(ring, victim);
        ring->here[victim] = false;
        ring->bytes -= trace->lengths[victim];
    }
    ring_push(ring, file);
    ring->here[file] = true;
    ring->bytes += trace->lengths[file];
    return false;
}

static void ring_make(struct ring *ring, const struct trace *trace, uint64_t quota, bool refresh)
{
    *ring = (struct ring){.refresh = refresh, .quota = quota, .head = trace->files};
    ring->next = mem_calloc(trace->files + 1, sizeof *ring->next);
    ring->previous = mem_calloc(trace->files + 1, sizeof *ring->previous);
    ring->here = mem_calloc(trace->files, sizeof *ring->here);
    ring->next[ring->head] = ring->previous[ring->head] = ring->head;
}

static void ring_done(struct ring *ring)
{
    mem_free(ring->next);
    mem_free(ring->previous);
    mem_free(ring->here);
}

/* --- ours */

static void gone(void *user, const uint8_t root[HASH_LENGTH], uint64_t length)
{
    (void)user, (void)root, (void)length;
}

static bool ours_ask(struct cache *cache, const struct trace *trace, uint32_t file)
{
    uint8_t root[HASH_LENGTH] = {0};

    memcpy(root, &file, sizeof file);
    if (cache_has(cache, root)) {
        cache_use(cache, root, 1);
        return true;
    }
    if (cache_reserve(cache, root, "https://a.example", trace->lengths[file]) == CACHE_RESERVED)
        cache_release(cache, root);
    return false;
}

static void play(const struct trace *trace, struct rng *rng, uint64_t quota)
{
    struct cache *cache = cache_new(quota, gone, NULL);
    struct ring lru, fifo;
    uint32_t ours = 0, lru_misses = 0, fifo_misses = 0;

    ring_make(&lru, trace, quota, true);
    ring_make(&fifo, trace, quota, false);
    for (uint32_t i = 0; i < trace->requests; i++) {
        uint32_t file = trace_next(trace, rng);
        ours += !ours_ask(cache, trace, file);
        lru_misses += !ring_ask(&lru, trace, file);
        fifo_misses += !ring_ask(&fifo, trace, file);
    }
    printf("{\"ours\": %.6f, \"lru\": %.6f, \"fifo\": %.6f}\n", (double)ours / trace->requests,
           (double)lru_misses / trace->requests, (double)fifo_misses / trace->requests);
    ring_done(&lru);
    ring_done(&fifo);
    cache_free(cache);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    uint8_t seed[32] = {0};
    uint64_t number = strtoull(argv[1], NULL, 10);
    memcpy(seed, &number, sizeof number);
    struct rng rng;
    rng_init(&rng, seed);
    struct trace trace = {.files = (uint32_t)strtoul(argv[2], NULL, 10),
                          .requests = (uint32_t)strtoul(argv[3], NULL, 10)};
    if (trace.files == 0 || trace.requests == 0)
        return 2;
    trace_make(&trace, &rng, strtod(argv[4], NULL));
    play(&trace, &rng, trace.bytes / 1000 * strtoull(argv[5], NULL, 10));
    mem_free(trace.lengths);
    mem_free(trace.until);
    return 0;
}
