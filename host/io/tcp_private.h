/* What tcp.c (listening, dialling, the public calls) and tcp_conn.c (one connection's life) share.
 * Layer: io, private to tcp. */
#pragma once

#include "base/list.h"
#include "io/socket_backlog.h"
#include "io/table.h"
#include "io/tcp.h"
#include "io/tcp_queue.h"

#define TCP_READ_LENGTH KIB(256)
#define TCP_LOW_WATER   KIB(256) /* `sent` is told below it */
#define TCP_WRITE_BUFS  32       /* of one writev: 2 MiB */
#define TCP_ASYNC       KIB(4)  /* of one waiting write: so `sent` is told as the system takes it */
#define TCP_UNSENT_MIN  KIB(16) /* in the system's own queue, not on the wire yet */
#define TCP_UNSENT_MAX  MIB(1)
#define TCP_WAIT_LOW_MS                                                                            \
    2 /* a wait as short as this: the connection is fast, more may be unsent                       \
       */
#define TCP_WAIT_HIGH_MS 20

struct tcp {
    struct loop *loop;
    struct tcp_events events;
    struct conn *conns;              /* uthash by number */
    unsigned dialled, accepted;      /* connections now */
    unsigned places, address_places; /* for accepted ones */
    uint64_t last_accepted;          /* numbers given so far */
    uv_tcp_t listeners[LIMIT_LISTEN];
    unsigned listening;   /* of them are begun */
    uint16_t port;        /* 0: not listening */
    uv_idle_t idle;       /* runs while `deferred` has members */
    struct list deferred; /* connections with something to tell on a later turn */
    struct list dirty;    /* connections with something to write */
    struct list dialling; /* in order of their deadlines */
    struct list watched;  /* connections that have sent what is not acknowledged yet */
    struct loop_timer *watch_timer;
    struct loop_timer *dial_timer;
    struct tcp_pool pool;
    unsigned handles;   /* not yet closed: the last one frees the struct */
    bool accept_failed; /* the last time */
    bool freed;
    bool held;          /* no connection is read */
    size_t read_length; /* at a time */
    bool at_once;       /* tcp_send_at_once */
    bool turns;         /* who has been read is not read again before the others */
    struct loop_timer *turn_timer;
    uint8_t read_buffer[TCP_READ_LENGTH];
};

struct conn {
    UT_hash_handle hh;
    uint64_t number;
    struct tcp *tcp;
    uv_tcp_t uv;
    uv_connect_t connect;
    uv_write_t write;
    size_t in_flight; /* bytes of `write`; 0: none under way */
    uint64_t waits_since_ms;
    int unsent; /* how much the system may hold that it has not sent; 0: as much as it likes */
    struct socket_backlog backlog; /* when last looked at */
    struct tcp_queue queue;
    struct address remote;
    struct list dirty, deferred, dialling, watched;
    uint64_t deadline_ms; /* of the dial */
    bool open;            /* connected, and told */
    bool ended;           /* closing; out of the table */
    bool paused;
    bool had_turn;
    bool tell_sent; /* deferred: the queue has shrunk */
    enum err doom;  /* deferred: `closed` with that reason; ERR_OK: lives */
};

/* --- tcp_conn.c */
struct conn *tcp_conn_new(struct tcp *tcp, uint64_t number);
struct conn *tcp_conn_find(const struct tcp *tcp, uint64_t number); /* NULL also when doomed */
/* Reads from now on; tells `opened`. May end the connection. */
void tcp_conn_open(struct conn *conn);
enum err tcp_conn_read(struct conn *conn, bool on);
/* Writes what the system takes now and leaves the rest to libuv. */
void tcp_conn_pump(struct conn *conn);
/* Sends what the system takes now of `head` and then of the file; returns how many bytes of both. */
size_t tcp_conn_send_file(struct conn *conn, const void *head, size_t head_length, int fd,
                          uint64_t offset, size_t length);
/* Ends it now; the memory goes when libuv has let go. */
void tcp_conn_end(struct conn *conn);
void tcp_conn_end_tell(struct conn *conn, enum err why);
/* Ends it on a later turn: for faults found inside a call of the owner. */
void tcp_conn_doom(struct conn *conn, enum err why);
void tcp_conn_run_deferred(struct tcp *tcp);
void tcp_conn_tell_sent(struct conn *conn);
enum err tcp_err(int uv_error);

/* --- tcp_backlog.c */
/* The system has taken so much: the backlog is looked at until that is acknowledged. */
void tcp_backlog_sent(struct conn *conn, size_t length);
void tcp_backlog_look(void *user);

/* --- tcp.c */
void tcp_handle_closed(struct tcp *tcp);
