#include "patches.h"

#include "base/mem.h"
#include "wire/delta.h"

#include <string.h>

/* --- the publisher's side */

static struct publisher_bundle *patch_bundle(struct publisher *publisher)
{
    for (size_t i = 0; i < publisher->bundle_count; i++)
        if (strcmp(publisher->bundles[i].base, DELTA_BASE) == 0)
            return &publisher->bundles[i];
    return &publisher->bundles[publisher_add_bundle(publisher, DELTA_BASE, KIB(64))];
}

static void root_of(const struct publisher_file *file, uint8_t ret_root[HASH_LENGTH])
{
    struct metainfo_entry entry;

    publisher_hash(file, KIB(64), &entry);
    memcpy(ret_root, entry.root, HASH_LENGTH);
    mem_free((void *)entry.layer);
}

struct publisher_file *patches_change(struct publisher *publisher, const char *path, uint64_t at,
                                      uint64_t length)
{
    struct publisher_file *file = publisher_file(&publisher->bundles[0], path), *patch;
    uint8_t *old = mem_dup(file->data, (size_t)file->length);
    uint8_t root[HASH_LENGTH], old_root[HASH_LENGTH];
    char name[DELTA_NAME];
    struct buf out;
    size_t patch_length;

    root_of(file, old_root);
    world_fill(at * 7 + length + publisher->seq, file->data + at, (size_t)length);
    root_of(file, root);
    delta_name(root, old_root, name);
    buf_init(&out, (size_t)file->length);
    if (delta_make(span_of(old, (size_t)file->length), span_of(file->data, (size_t)file->length),
                   &out, NULL, NULL) != ERR_OK)
        world_fail(publisher->world, "no patch for %s", path);
    mem_free(old);
    patch = publisher_file(patch_bundle(publisher), name);
    mem_free(patch->data);
    patch->data = buf_take(&out, &patch_length);
    patch->length = patch_length;
    return patch;
}

/* --- the disk's side */

struct run {
    const struct content *patch;
    size_t read;
    uint64_t length;
    uint32_t piece_length, piece;
    const uint8_t *hashes;
    struct bitfield *have;
};

static enum err read_patch(void *user, uint8_t *data, size_t max, size_t *ret_length)
{
    struct run *run = user;
    size_t left = (size_t)run->patch->length - run->read;

    *ret_length = left < max ? left : max;
    if (*ret_length > 0)
        memcpy(data, run->patch->data + run->read, *ret_length);
    run->read += *ret_length;
    return ERR_OK;
}

static enum err take_piece(void *user, const uint8_t *data, size_t length)
{
    struct run *run = user;
    uint8_t hash[HASH_LENGTH];
    uint32_t piece = run->piece++;

    merkle_piece(data, length, run->length, run->piece_length, hash);
    if (memcmp(hash, run->hashes + (size_t)piece * HASH_LENGTH, HASH_LENGTH) != 0)
        return ERR_BAD_HASH;
    bitfield_set(run->have, piece);
    return ERR_OK;
}

enum err patches_apply(const struct content *old, const struct content *patch, uint64_t length,
                       uint32_t piece_length, const uint8_t *hashes, struct bitfield *ret_have)
{
    struct run run = {.patch = patch,
                      .length = length,
                      .piece_length = piece_length,
                      .hashes = hashes,
                      .have = ret_have};
    const struct delta_job job = {.old = span_of(old->data, (size_t)old->length),
                                  .length = length,
                                  .chunk = piece_length,
                                  .user = &run,
                                  .read = read_patch,
                                  .take = take_piece};

    bitfield_init(ret_have, (uint32_t)((length + piece_length - 1) / piece_length));
    return delta_apply(&job);
}
