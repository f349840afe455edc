/* One file for a page: asset.want over native messaging, then the gateway's stream, as the
 * extension does it. The stream is held to the rules: the head agrees with what the publisher
 * published, every byte said to be ready is on the disk, it ends once. */
#pragma once

#include "base/list.h"
#include "core/update.h"
#include "world.h"

#include <jansson.h>

enum fetch_state {
    FETCH_ASKED,     /* asset.want is out */
    FETCH_OPENING,   /* the gateway has the request */
    FETCH_STREAMING, /* the head is there */
    FETCH_DONE,      /* everything is */
    FETCH_ORIGIN,    /* "via": "origin" */
    FETCH_REFUSED,   /* the API said no */
    FETCH_FAILED,    /* the stream did: before the head (status) or after it */
    FETCH_LEFT,      /* the page went away */
};

struct fetch {
    struct visitor *visitor;
    struct list in_visitor;
    enum fetch_state state;
    uint64_t number, stream; /* stream 0: none yet */
    char *site, *path, *doc, *range;
    uint64_t seq;
    bool head_only, has_site; /* has_site: what it asks for is known */
    char token[40];
    int status;
    char reason[40], content_type[130];
    uint64_t first, end, length, ready;
    uint32_t piece_length;
    uint8_t root[32];
    uint64_t asked_us, answered_us, head_us, first_byte_us, done_us; /* since the beginning */
    uint64_t tenth_us;                                               /* the first tenth */
    UT_hash_handle hh;
};

/* A page's whole request; seq 0: any. */
struct fetch *fetch_begin(struct visitor *visitor, const char *site, uint64_t seq, const char *path,
                          const char *doc);
struct fetch *fetch_begin_range(struct visitor *visitor, const char *site, uint64_t seq,
                                const char *path, const char *doc, const char *range,
                                bool head_only);
/* Straight to the gateway, with whatever token and path. */
struct fetch *fetch_stream(struct visitor *visitor, const char *token, uint64_t seq,
                           const char *path, const char *range, bool head_only);
/* The page closes the connection. */
void fetch_leave(struct fetch *fetch);
bool fetch_is_over(const struct fetch *fetch);
/* Runs until it is over; fails the test when that takes longer than `ms`. */
void fetch_wait(struct fetch *fetch, uint64_t ms);
/* All of a world's fetches. */
bool fetches_are_over(void *world);
const char *fetch_state_name(enum fetch_state state);

/* --- for visitor.c */
void fetch_answered(struct fetch *fetch, json_t *answer);
void fetch_effect(struct visitor *visitor, const struct effect *effect);
void fetch_free(struct fetch *fetch);
/* The host ends: every stream breaks. */
void fetches_break(struct visitor *visitor);
