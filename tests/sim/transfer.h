/* One HTTP exchange of a visitor with a server: both sides of it. See server.h. */
#pragma once

#include "server.h"

struct transfer {
    struct world *world;
    uint64_t number, visitor, op;
    struct server *server;
    char *path;      /* with the query */
    char *condition; /* NULL: none */
    bool has_range, active, answered, paced;
    uint64_t first, last, max;
    uint32_t timeout_ms;
    uint64_t begun_us, moved_us;
    /* the response */
    int status;
    uint32_t retry_after_s;
    struct fault fault;
    struct buf own_body; /* when it is no resource's */
    bool partial;
    uint64_t body_first, body_end; /* of the resource or own_body */
    uint64_t pushed, counted, got;
    uint64_t conn; /* 0: none yet */
    struct list in_visitor;
    UT_hash_handle hh;
};

void transfers_free(struct world *world);
struct resource *transfer_resource(const struct transfer *transfer); /* or NULL */

/* --- reply.c */
void reply_decide(struct transfer *transfer);
/* How much of the body goes out before something happens. */
uint64_t reply_limit(const struct transfer *transfer);
void reply_read(struct transfer *transfer, uint64_t at, uint8_t *data, size_t length);
