#include "io/rebuild.h"

#include "base/mem.h"
#include "io/file_bytes.h"
#include "wire/delta.h"

#include <stdlib.h>
#include <string.h>

struct run {
    struct rebuild *rebuild;
    const atomic_bool *stop;
    uint64_t read;  /* of the patch */
    uint32_t piece; /* the next to come */
};

static enum err read_patch(void *user, uint8_t *data, size_t max, size_t *ret_length)
{
    struct run *run = user;
    uint64_t left = run->rebuild->patch_length - run->read;
    size_t length = left < max ? (size_t)left : max;

    *ret_length = length;
    run->read += length;
    enum err err = file_bytes_read(run->rebuild->patch_fd, data, length, run->read - length);
    return err == ERR_OK ? ERR_OK : ERR_NOT_FOUND;
}

static enum err take_piece(void *user, const uint8_t *data, size_t length)
{
    struct run *run = user;
    struct rebuild *rebuild = run->rebuild;
    uint32_t piece = run->piece++;
    uint8_t hash[HASH_LENGTH];

    if (atomic_load(run->stop))
        return ERR_CANCELLED;
    merkle_piece(data, length, rebuild->length, rebuild->piece_length, hash);
    if (memcmp(hash, rebuild->hashes + (size_t)piece * HASH_LENGTH, HASH_LENGTH) != 0)
        return ERR_BAD_HASH;
    enum err err =
        file_bytes_write(rebuild->fd, data, length, (uint64_t)piece * rebuild->piece_length);
    if (err == ERR_OK)
        bitfield_set(&rebuild->have, piece);
    return err;
}

static bool has_root(const uint8_t *data, uint64_t length, const uint8_t root[HASH_LENGTH])
{
    uint8_t hash[HASH_LENGTH];

    merkle_data_root(data, (size_t)length, hash);
    return memcmp(hash, root, HASH_LENGTH) == 0;
}

static enum err apply(struct rebuild *rebuild, const uint8_t *old, const atomic_bool *stop)
{
    struct run run = {.rebuild = rebuild, .stop = stop};
    const struct delta_job job = {.old = span_of(old, (size_t)rebuild->old_length),
                                  .length = rebuild->length,
                                  .chunk = rebuild->piece_length,
                                  .user = &run,
                                  .read = read_patch,
                                  .take = take_piece};
    enum err err = delta_apply(&job);

    /* Whose fault is it? */
    if (err == ERR_MISMATCH && !has_root(old, rebuild->old_length, rebuild->old_root))
        err = ERR_NOT_FOUND;
    return err;
}

/* Not mapped: a file that somebody cuts short meanwhile would be a signal in the decoder. */
enum err rebuild_run(struct rebuild *rebuild, const atomic_bool *stop)
{
    enum err err = ERR_BUSY;

    bitfield_init(&rebuild->have, (uint32_t)((rebuild->length + rebuild->piece_length - 1) /
                                             rebuild->piece_length));
    if (!delta_allowed(rebuild->length, rebuild->old_length))
        return ERR_TOO_LARGE;
    uint8_t *old = malloc((size_t)rebuild->old_length); /* so much may be refused */
    if (old == NULL)
        return ERR_BUSY;
    err = file_bytes_read(rebuild->old_fd, old, (size_t)rebuild->old_length, 0);
    if (err == ERR_OK)
        err = apply(rebuild, old, stop);
    else
        err = ERR_NOT_FOUND;
    free(old);
    return err;
}

void rebuild_free(struct rebuild *rebuild)
{
    if (rebuild == NULL)
        return;
    bitfield_done(&rebuild->have);
    mem_free(rebuild->hashes);
    mem_free(rebuild);
}
