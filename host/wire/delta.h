/* Patches from one version of a file to the next: RFC 9842's "dcz". Layer: wire (pure).
 *
 *   offset size
 *        0    8  5e 2a 4d 18 20 00 00 00: with what follows, a frame that zstd skips
 *        8   32  SHA-256 of the old file
 *       40  ...  one zstd frame that says its content's size; the old file is its dictionary, as
 * raw content; window at most 8 MiB or 1.25 x the old file, whichever is larger
 *
 * A release's patches are a bundle of their own at DELTA_BASE. A patch is named by the first bytes
 * of both pieces roots, the new file's first: "<16 hex>-<16 hex>.dcz". The name only finds it: what
 * it is made for stands in its header, what comes of it is proven by the new file's hashes. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "wire/merkle.h"

#define DELTA_BASE   "/.well-known/fringe/delta/"
#define DELTA_HEADER 40
#define DELTA_MARK   8 /* bytes of a root in a name */
#define DELTA_NAME   (2 * 2 * DELTA_MARK + sizeof "-.dcz")

void delta_name(const uint8_t *root, const uint8_t *old_root, char ret_name[DELTA_NAME]);
/* False: it is not named like a patch. */
bool delta_name_parse(const char *name, uint8_t ret_mark[DELTA_MARK],
                      uint8_t ret_old_mark[DELTA_MARK]);

/* May a file of that length have a patch from one of that length? RFC 9842 bounds the window by the
 * old file, and the window holds the new one. */
bool delta_allowed(uint64_t length, uint64_t old_length);
/* A patch may be so long at most; what is longer is not worth it. */
uint64_t delta_patch_max(uint64_t length);

/* Makes a patch; the same input gives the same bytes. Appends to out, up to its max: ERR_TOO_LARGE
 * when that is not enough, as soon as that is clear. progress may be NULL: told how many bytes of
 * the new file are done; false ends it with ERR_CANCELLED. */
enum err delta_make(struct span old, struct span data, struct buf *out,
                    bool (*progress)(void *user, uint64_t done), void *user);

struct delta_job {
    struct span old;
    uint64_t length; /* of the new file, exactly */
    size_t chunk;    /* `take` gets so many bytes at a time, at the end the rest */
    void *user;
    /* The patch's next bytes; fewer than max at its end only. */
    enum err (*read)(void *user, uint8_t *data, size_t max, size_t *ret_length);
    /* The new file's next bytes, not verified. */
    enum err (*take)(void *user, const uint8_t *data, size_t length);
};

/* Applies a patch. It costs the new file's length in memory, and a chunk.
 *
 *   ERR_MISMATCH   made for another old file
 *   ERR_SYNTAX     no patch, damaged, or for a file of another length
 *   ERR_TRUNCATED  it ends in the middle
 *   ERR_BUSY       no memory for it
 * or what read or take have answered. */
enum err delta_apply(const struct delta_job *job);
