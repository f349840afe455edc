/* The inside of getting: shared by getting.c (info, time) and getting_layers.c (piece layers). */
#pragma once

#include "core/getting.h"

#define GETTING_ANSWER_MS 3000 /* then another peer is asked */

/* A run of hashes of one file's piece layer. */
struct chunk {
    uint32_t file, index, count;
    uint8_t *place; /* in layers */
    uint64_t conn, asked_ms;
    bool done;
};

struct getting {
    struct swarm *swarm;
    /* first the info dictionary */
    uint64_t conn; /* whom we ask; 0: nobody */
    uint64_t moved_ms, begun_ms;
    uint32_t total, asked;
    struct buf info;
    /* then the layers */
    struct metainfo *bare; /* NULL: info is not there yet */
    uint32_t *order;       /* files that have a layer, by root, each root once */
    uint32_t order_count;
    uint8_t *layers;
    struct chunk *chunks;
    uint32_t chunk_count, left, first_open;
};

/* info is there: finds which layers are missing, and cuts them into chunks. */
void getting_layers_plan(struct getting *getting);
void getting_layers_ask(struct getting *getting);
void getting_layers_give_back(struct getting *getting, struct peer *peer); /* it answers no more */
/* Gives up peers that are slow; returns when the next one is. */
uint64_t getting_layers_drop_slow(struct getting *getting);
void getting_layers_put(const struct getting *getting, struct buf *out); /* into a torrent */
/* All is there: the swarm gets its torrent; frees getting. */
void getting_finish(struct getting *getting);
