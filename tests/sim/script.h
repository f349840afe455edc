/* A peer that does what a test says: a small, literal speaker of the wire with its own encoder, so
 * that it can say what the core's cannot. By default it has the whole torrent, unchokes and
 * serves; each flag is one way to be bad. It never verifies anything. */
#pragma once

#include "link.h"
#include "publisher.h"

struct script_flags {
    bool silent;          /* never says a word */
    bool garbage;         /* says noise instead of a handshake */
    bool wrong_infohash;  /* handshakes for a torrent that nobody knows */
    bool wrong_protocol;  /* a handshake with one wrong letter */
    bool has_nothing;     /* and says so (HAVE_NONE) */
    bool wrong_bitfield;  /* a bitfield one byte too long */
    bool spare_bit;       /* a bitfield with a bit after the last piece */
    bool lazy_bitfield;   /* nothing, and HAVEs one by one */
    bool bad_have;        /* HAVE of a piece that there is not */
    bool chokes;          /* never unchokes */
    bool rejects;         /* every request, though it unchoked */
    bool flips;           /* one bit of every block */
    bool flips_one;       /* one bit of one block of every piece */
    uint32_t flips_block; /* which one that is; flips_last: the last */
    bool flips_last;
    uint32_t flips_every;   /* and only of every so-many-th piece; 0: of all */
    bool serves_short;      /* blocks one byte too short */
    bool serves_unasked;    /* blocks that nobody asked for, over and over */
    bool huge_message;      /* announces a message of 100 MB */
    bool odd_request;       /* asks for blocks outside pieces and of odd lengths */
    bool reflects_id;       /* handshakes with the other's own peer id */
    bool no_fast;           /* speaks BEP 3 only */
    uint32_t stall_after;   /* serves so many blocks, then none; 0: serves all */
    uint32_t close_after;   /* serves so many blocks, then closes; 0: does not */
    uint32_t flood;         /* so many requests at once as soon as it is unchoked */
    bool extended;          /* speaks BEP 10; says no more of it than the test does */
    bool claims;            /* says again and again that it fetches everything, and never does */
    bool lies_of_hashes;    /* answers every hash request with hashes that do not prove */
    bool asks_whole;        /* 16 KiB even where the file ends earlier */
    uint32_t asks_every_us; /* for the first block, again and again once it is unchoked */
    uint32_t drip_us;       /* a byte of its handshake in so long */
    uint32_t delay_us;      /* before it serves a block */
};

struct script_conn {
    uint64_t conn;
    int side;
    struct buf in;
    bool handshaken, said_handshake;
    uint8_t other_id[20];
    uint32_t blocks_served, requests_got, cancels_got;
    uint32_t dripped, claim_serial;
    bool closed, said_hello;
    UT_hash_handle hh;
};

struct script {
    struct world *world;
    struct host *host;
    const struct torrent *torrent;
    struct script_flags flags;
    struct script_conn *conns;
    uint64_t number;
    /* what it saw, over all connections */
    uint32_t opened, closed, handshakes, unchokes, haves, blocks_got, rejects_got;
    uint32_t requests_got, blocks_served, interesteds;
    uint64_t bytes_got; /* of blocks */
    uint64_t last_opened_us, last_closed_us;
    /* what else a test wants to know, or to answer; false: as if it were not there */
    bool (*hear)(struct script *script, struct script_conn *sc, uint8_t id, struct span body);
    void *user;
    bool flooding; /* flood.h */
    uint32_t flood_kind, flood_serial;
    UT_hash_handle hh;
};

/* torrent: of a published bundle. */
struct script *script_new(struct world *world, const char *name, const struct link *link,
                          const struct torrent *torrent, const struct script_flags *flags);
struct script *script_find(struct world *world, uint64_t number);
struct torrent *script_torrent(struct publisher *publisher, size_t bundle);
/* Dials a visitor and speaks first. */
void script_dial(struct script *script, const struct host *to);
/* A message on one connection, or on all. */
void script_say(struct script *script, const struct script_conn *sc, uint8_t id, const void *data,
                size_t length);
void script_say_all(struct script *script, uint8_t id, const void *data, size_t length);
void scripts_free(struct world *world);
