/* Verifies pieces on worker threads (libuv's pool) and writes the good ones. Layer: io.
 *
 * One job = hash the bytes, compare, and only when they are right pwrite them. So nothing
 * unverified ever reaches a content file. */
#pragma once

#include "io/loop.h"
#include "wire/merkle.h"

#include <stddef.h>

struct hasher_job {
    uint64_t op;            /* the caller's number */
    uint8_t *data;          /* taken: freed by the hasher (mem_free) */
    size_t length;
    uint64_t file_length;   /* for the padding rule of merkle_piece */
    uint32_t piece_length;
    uint8_t expected[HASH_LENGTH];
    int fd;                 /* borrowed until `done`; -1: only verify */
    uint64_t offset;
};

struct hasher;
/* done: ERR_OK stored; ERR_BAD_HASH; ERR_NO_SPACE; ERR_IO. */
struct hasher *hasher_new(struct loop *loop, void (*done)(void *user, uint64_t op, enum err result),
                          void *user);
void hasher_submit(struct hasher *hasher, const struct hasher_job *job);
size_t hasher_pending(const struct hasher *hasher);
/* Waits for running jobs; `done` is not called any more. */
void hasher_free(struct hasher *hasher);
