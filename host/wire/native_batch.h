/* Several messages in one frame: a JSON array of objects, as in JSON-RPC 2.0's batches
 * (host/PROTOCOL.md 2). Layer: wire (pure).
 *
 * Only where one object ends and the next begins is looked at; each is for the API's parser. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

struct native_batch {
    struct span frame;
    size_t at;      /* of what has not been read */
    unsigned count; /* objects given so far */
    bool array;
};

/* `frame` is borrowed. ERR_SYNTAX when it is neither an object nor an array. */
enum err native_batch_begin(struct native_batch *batch, struct span frame);
/* The next object, borrowed; a frame that is an object gives itself. ERR_NOT_FOUND after the last
 * one; ERR_SYNTAX when what follows is no object, or the array is empty or does not end;
 * ERR_TOO_LARGE over LIMIT_BATCH. */
enum err native_batch_next(struct native_batch *batch, struct span *ret_json);
