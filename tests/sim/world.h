/* The simulated world: one clock, one queue of what will happen, one seed, one trace.
 *
 *   world.c      the clock, the queue, randomness, the trace, failure
 *   link.c       hosts, and ordered byte streams between them at their links' rates
 *   server.c     web servers: a site's origin; sim_tracker.c, a tracker
 *   datagram.c   datagrams, which may be lost
 *   transfer.c   HTTP, the visitor's side and the server's
 *   disk.c       a visitor's store
 *   visitor.c    a host that runs the real core (node_step)
 *   effects.c    what the core wants done, carried out at once
 *   ask.c        requests of the native API and their answers
 *   fetch.c      a page at a visitor: asset.want, then the gateway's stream
 *   sniff.c      reads what a visitor sends to its peers and holds it to the rules
 *   gauge.c      holds a visitor to its limits: rates, the month, pause
 *   caps.c       holds a node to every cap of limits.h, and counts again what it counts
 *   publisher.c  a site's files, torrents, releases and signatures
 *   script.c     peers that say what a test wants
 *   replay.c     how a test that failed is seen again
 *
 * Nothing here reads a clock, a file or the network: the same seed gives the same trace, byte for
 * byte. Whoever breaks an invariant ends the test with world_fail, which prints the command that
 * replays it and the last lines of the trace. Time is kept in microseconds, nodes see milliseconds.
 */
#pragma once

#include "base/bytes.h"
#include "wire/address.h"

#include <uthash.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_WALL_S 1800000000ull /* the wall clock at the beginning */

struct world;
struct happening;
struct host;
struct conn;
struct server;
struct visitor;
struct script;
struct publisher;
struct content;
struct torrent;

/* What happens when its time has come. It gets two numbers, not pointers: whatever they name may
 * be gone by then, and is looked up again. */
typedef void world_fire(struct world *world, uint64_t a, uint64_t b);

struct world {
    uint64_t seed, random;
    uint64_t start_us, now_us, serial, last_number;
    struct happening *queue; /* a binary heap */
    size_t queue_count, queue_capacity;
    struct buf trace;
    bool bare;           /* no trace and no reading along: for thousands of visitors */
    bool keep_trace;     /* all of it; else the end, for failures */
    uint64_t trace_hash; /* over all of it, kept or not */
    struct host *hosts;  /* by number */
    struct host *places; /* the same by address */
    struct conn *conns;  /* by number */
    struct conn **conn_table;
    uint64_t conn_places, last_conn;
    struct server *servers;
    struct transfer *transfers;
    struct packet *packets; /* datagrams on their way */
    struct visitor *visitors;
    struct script *scripts;
    struct publisher *publishers;
    struct content *library;  /* every published file, by pieces root */
    struct torrent *torrents; /* by the first 20 bytes of the info-hash */
    uint32_t last_host;
    uint32_t open_fetches;
    unsigned without; /* parts of the scheduler that nodes do without (node.h) */
};

/* SIM_WITHOUT=claims,rank,... leaves out parts of the scheduler (enum node_part). The seed is the
 * environment's SIM_SEED when that is set; with SIM_TRACE the whole trace goes to stderr at the
 * end. */
struct world *world_new(uint64_t seed);
void world_free(struct world *world);

uint64_t world_now_ms(const struct world *world); /* as nodes see it */
/* Since the beginning: what tests reason in. */
uint64_t world_elapsed_us(const struct world *world);

/* Lets time pass: for so long, or until nothing is left to happen. */
void world_run(struct world *world, uint64_t ms);
/* Until it is so; false when it is not within `ms`. */
bool world_run_until(struct world *world, bool (*is_so)(void *arg), void *arg, uint64_t ms);

void world_at(struct world *world, uint64_t at_us, world_fire *fire, uint64_t a, uint64_t b);
void world_after(struct world *world, uint64_t delay_us, world_fire *fire, uint64_t a, uint64_t b);
uint64_t world_number(struct world *world);

/* Seeded, and apart from the nodes' own randomness. */
uint64_t world_random(struct world *world);
uint64_t world_below(struct world *world, uint64_t limit);
bool world_chance(struct world *world, unsigned percent);
void world_fill(uint64_t seed, uint8_t *data, size_t length); /* bytes that depend on seed only */

/* A line of the trace, with the time before it. */
void world_trace(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Called with what is wrong, which has been printed; the default aborts. Tests hand it to their
 * framework. */
extern void (*world_on_failure)(const char *text);
_Noreturn void world_fail(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
