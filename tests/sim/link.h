/* Hosts and the network between them. A connection is two pipes, one each way: ordered bytes that
 * leave at the sender's rate (fairly among its pipes), travel for both latencies, and arrive at
 * the receiver's rate. At most LINK_WINDOW bytes of a pipe are on their way; and as TCP keeps a
 * drop-tail queue from growing, no more to one host than its link takes in LINK_QUEUE_MS.
 *
 * Of TCP it has order, back-pressure, refusal, timeout and reset; it has no slow start or loss. */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "world.h"

#define LINK_WINDOW   MIB(1)
#define LINK_QUEUE_MS 100 /* and the time that it travels */
#define LINK_DIAL_MS  LIMIT_DIAL_MS

struct link {
    uint64_t up, down;   /* bytes a second */
    uint32_t latency_us; /* one way, to the middle of the network */
    bool nat;            /* cannot be dialled */
    bool deep;           /* its system takes all that is sent, and says how much of it waits */
};

/* 8 up, 16 down Mbit/s, 20 ms round trip between two of them. */
#define LINK_HOME ((struct link){.up = 1000000, .down = 2000000, .latency_us = 5000})
#define LINK_FAST ((struct link){.up = 12500000, .down = 12500000, .latency_us = 1000})

/* What the owner of a connection's end learns. conn stays valid for the call. */
struct link_events {
    void (*opened)(void *owner, struct conn *conn, int side);
    void (*bytes)(void *owner, struct conn *conn, int side, const uint8_t *data, size_t length);
    void (*sent)(void *owner, struct conn *conn, int side, size_t queued);
    /* the end is dead after this; also when a dial failed */
    void (*closed)(void *owner, struct conn *conn, int side, enum err why);
};

struct host {
    struct world *world;
    uint64_t number;
    char name[24];
    struct address address; /* where it listens */
    struct link link;
    int island; /* hosts of different islands do not hear each other */
    bool alive;
    const struct link_events *accept; /* NULL: refuses */
    void *accept_owner;
    struct list ready;  /* pipes with something to send */
    struct list parked; /* pipes to this host, that wait because too much is on its way to it */
    uint64_t coming;    /* bytes on their way to it */
    bool sending;
    uint64_t down_free_us;
    bool holding;      /* its sockets are not read */
    bool shuts;        /* nor the bodies that web servers send it */
    struct held *held; /* what waits for that, in order */
    size_t held_count, held_capacity;
    uint64_t sent, received; /* bytes */
    uint32_t open_conns;
    UT_hash_handle hh, by_place;
};

/* A chunk that has arrived at a host that does not read. */
struct held {
    uint64_t conn, side;
};

struct chunk {
    struct chunk *next;
    size_t length;
    bool held; /* by a host that does not read, or at a border */
    uint8_t data[];
};

/* Bytes that have not been sent: our own copy, or what stays where it is. */
struct segment {
    struct segment *next;
    const uint8_t *data;
    size_t length;
    uint8_t copy[];
};

struct pipe {
    struct list in_host; /* ready of the sending host, or parked of the receiving one */
    struct conn *conn;
    int side; /* who sends */
    struct segment *waiting, **last_waiting;
    size_t length;               /* of all of them */
    struct chunk *first, **last; /* on their way */
    size_t on_way;
    uint64_t last_at_us;
    bool ending, end_sent; /* no more after what is queued */
    enum err why;
};

struct end {
    struct host *host;
    uint64_t name; /* as its owner names it */
    const struct link_events *events;
    void *owner;
    bool open; /* the owner does not know of an end */
};

struct conn {
    struct world *world;
    uint64_t number;
    struct end ends[2];   /* 0 dialled */
    struct pipe pipes[2]; /* [i]: what end i sends */
    bool established;
    bool unheld; /* delivered though its receiver holds */
    bool body;   /* of a web server */
    UT_hash_handle hh;
};

struct host *link_host_new(struct world *world, const char *name, const struct link *link);
struct host *link_find_host(struct world *world, uint64_t number);
void link_host_move(struct host *host, const uint8_t ip[4]); /* to another address */
struct address link_address6(const struct host *host); /* over IPv6 */
struct host *link_find_address(struct world *world, const struct address *address);
/* Everything that it had open breaks; nobody can dial it. The owner is not told. */
void link_host_down(struct host *host);
void link_host_up(struct host *host);
/* Back-pressure: its sockets are not read until it reads again, or web servers' only. */
void link_hold(struct host *host, bool holding, bool bodies);
void link_free_all(struct world *world);

struct conn *link_find(struct world *world, uint64_t number);
struct conn *link_dial(struct host *from, const struct address *to, uint64_t name,
                       const struct link_events *events, void *owner);
/* A connection that is there at once: a web server's, whose cost the server counts itself. */
struct conn *link_join(struct host *from, const struct link_events *from_events, void *from_owner,
                       struct host *to, const struct link_events *to_events, void *to_owner);
void link_send(struct conn *conn, int side, const void *data, size_t length);
/* A head, `length` bytes that outlive the connection (thousands of visitors send the same), zeros.
 */
void link_send_block(struct conn *conn, int side, struct span head, const uint8_t *data,
                     size_t length, size_t pad);
/* Gives up the end at once: what is queued is lost, what has left arrives, then the other end
 * is told. No closed call for this end. */
void link_close(struct conn *conn, int side);
/* The same after everything queued has left. */
void link_finish(struct conn *conn, int side);
/* The network breaks it: both ends are told ERR_NETWORK. */
void link_break(struct conn *conn);
uint64_t link_travel_us(const struct host *a, const struct host *b);
static inline size_t link_queued(const struct conn *conn, int side)
{
    return conn->pipes[side].length;
}
