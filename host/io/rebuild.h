/* A new file from an old one and a patch (wire/delta.h), on a hasher's thread. Layer: io.
 *
 * The new file comes piece by piece; each is hashed, and written only when it is what the torrent
 * says, as everything else that reaches a content file. So what a bad patch has given rightly
 * stays. It costs the old file's and the new file's length in memory, LIMIT_DELTA_FILE at most
 * each, while it runs. */
#pragma once

#include "base/bitfield.h"
#include "base/err.h"
#include "wire/merkle.h"

#include <stdatomic.h>

struct rebuild {
    int old_fd, patch_fd, fd; /* borrowed until it is over */
    uint64_t old_length, patch_length, length;
    uint32_t piece_length;
    uint8_t old_root[HASH_LENGTH];
    uint8_t *hashes;      /* of the new file's pieces, one after the other; owned */
    struct bitfield have; /* pieces written: initialised by rebuild_run */
};

/* ERR_OK: all pieces are written.
 *   ERR_NOT_FOUND             the old file is not what it was, or the patch cannot be read
 *   ERR_NO_SPACE, ERR_IO      the disk
 *   ERR_BUSY, ERR_CANCELLED   no memory, or *stop
 * or the patch is no good: what delta_apply says, ERR_BAD_HASH: something else comes of it. */
enum err rebuild_run(struct rebuild *rebuild, const atomic_bool *stop);
void rebuild_free(struct rebuild *rebuild); /* NULL is fine */
