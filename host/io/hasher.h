/* Verifies pieces on worker threads (libuv's pool) and writes the good ones. Layer: io.
 *
 * One job = hash the bytes, compare, and only when they are right pwrite them. So nothing
 * unverified ever reaches a content file. Or: read a stored piece, hash its blocks, compare. */
#pragma once

#include "base/bytes.h"
#include "io/loop.h"
#include "io/rebuild.h"
#include "wire/merkle.h"

#include <stddef.h>

struct hasher_job {
    uint64_t op;   /* the caller's number */
    uint8_t *data; /* taken: freed by the hasher (mem_free); NULL: read it from fd */
    size_t length;
    uint64_t file_length; /* for the padding rule of merkle_piece */
    uint32_t piece_length;
    uint8_t expected[HASH_LENGTH];
    int fd; /* borrowed until `done`; -1: only verify */
    uint64_t offset;
    struct rebuild *rebuild; /* taken; NULL: a piece. Else only op and this count */
};

/* Borrowed for the call of `done`. */
struct hasher_result {
    uint64_t op;
    enum err err;                  /* ERR_OK stored, or read; ERR_BAD_HASH; ERR_NO_SPACE; ERR_IO */
    struct span data;              /* ERR_BAD_HASH: the bytes */
    struct span leaves;            /* the same, and of what was read: the hashes of its blocks */
    const struct rebuild *rebuild; /* what has come of it */
};

struct hasher;
struct hasher *hasher_new(struct loop *loop,
                          void (*done)(void *user, const struct hasher_result *result), void *user);
void hasher_submit(struct hasher *hasher, const struct hasher_job *job);
size_t hasher_pending(const struct hasher *hasher);
/* Waits for running jobs; `done` is not called any more. */
void hasher_free(struct hasher *hasher);
