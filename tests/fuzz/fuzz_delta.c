/* RFC 9842 patches: no frame gives more than the expected length, in chunks of the right size, and
 * a name that is understood is written the same. The first byte says which length is expected and
 * whether the rest is a whole patch or a frame behind a good header. */
#include "base/mem.h"
#include "wire/delta.h"

#include <stdlib.h>
#include <string.h>

#define OLD    KIB(4)
#define LENGTH KIB(20)
#define CHUNK  KIB(16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct span patch;
    size_t at;
    uint64_t length, done;
};

static enum err feed(void *user, uint8_t *data, size_t max, size_t *ret_length)
{
    struct run *run = user;
    size_t left = run->patch.length - run->at;

    *ret_length = left < max ? left : max;
    if (*ret_length > 0)
        memcpy(data, run->patch.data + run->at, *ret_length);
    run->at += *ret_length;
    return ERR_OK;
}

static enum err take(void *user, const uint8_t *data, size_t length)
{
    struct run *run = user;
    uint8_t hash[HASH_LENGTH];

    if (length == 0 || length > CHUNK || length > run->length - run->done)
        abort();
    if (length < CHUNK && run->done + length != run->length)
        abort();
    sha256(data, length, hash); /* reads all of it */
    run->done += length;
    return ERR_OK;
}

static void apply(struct span old, struct span patch, uint64_t length)
{
    struct run run = {.patch = patch, .length = length};
    struct delta_job job = {old, length, CHUNK, &run, feed, take};

    if (delta_apply(&job) == ERR_OK && run.done != length)
        abort();
}

static void try_name(const uint8_t *data, size_t size)
{
    uint8_t mark[DELTA_MARK], old_mark[DELTA_MARK];
    char name[DELTA_NAME], *text = mem_strndup((const char *)data, size);

    if (delta_name_parse(text, mark, old_mark)) {
        delta_name(mark, old_mark, name);
        if (strcmp(name, text) != 0)
            abort();
    }
    mem_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t old[OLD];
    struct buf patch;

    if (size == 0)
        return 0;
    for (size_t i = 0; i < OLD; i++)
        old[i] = (uint8_t)(i * i >> 3 ^ i);
    uint64_t length = data[0] & 0x80 ? LENGTH : 1 + (data[0] & 0x3f) * 16u;
    try_name(data + 1, size - 1);
    buf_init(&patch, MIB(1));
    if (data[0] & 0x40) {
        uint8_t hash[HASH_LENGTH];
        sha256(old, OLD, hash);
        buf_put(&patch, "\x5e\x2a\x4d\x18\x20\0\0\0", 8);
        buf_put(&patch, hash, sizeof hash);
    }
    buf_put(&patch, data + 1, size - 1);
    apply(span_of(old, OLD), span_of(patch.data, patch.length), length);
    buf_done(&patch);
    return 0;
}
