#include "wire/delta.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <zstd.h>

#define READ       KIB(64)
#define FEED       MIB(1) /* between two calls of progress */
#define LEVEL      12     /* 15 and more take ten times as long and save a hundredth */
#define WINDOW_LOG 27     /* LIMIT_DELTA_FILE */
#define LONG_FROM  MIB(1) /* matches that are far away are looked for */
#define WINDOW_MIN MIB(8) /* RFC 9842: always allowed */

static const uint8_t magic[8] = {0x5e, 0x2a, 0x4d, 0x18, 0x20, 0x00, 0x00, 0x00};

_Static_assert(LIMIT_DELTA_FILE == 1u << WINDOW_LOG, "the window holds the largest file");

/* --- names */

void delta_name(const uint8_t *root, const uint8_t *old_root, char ret_name[DELTA_NAME])
{
    char mark[HEX_LENGTH(DELTA_MARK)], old[HEX_LENGTH(DELTA_MARK)];

    hex_encode(mark, root, DELTA_MARK);
    hex_encode(old, old_root, DELTA_MARK);
    snprintf(ret_name, DELTA_NAME, "%s-%s.dcz", mark, old);
}

bool delta_name_parse(const char *name, uint8_t ret_mark[DELTA_MARK],
                      uint8_t ret_old_mark[DELTA_MARK])
{
    char again[DELTA_NAME];

    if (strlen(name) != DELTA_NAME - 1 || !hex_decode(ret_mark, DELTA_MARK, name, 2 * DELTA_MARK) ||
        !hex_decode(ret_old_mark, DELTA_MARK, name + 2 * DELTA_MARK + 1, 2 * DELTA_MARK))
        return false;
    delta_name(ret_mark, ret_old_mark, again);
    return strcmp(name, again) == 0;
}

bool delta_allowed(uint64_t length, uint64_t old_length)
{
    uint64_t window = old_length + old_length / 4;

    return length > LIMIT_DELTA_MIN && length <= LIMIT_DELTA_FILE && old_length > 0 &&
           old_length <= LIMIT_DELTA_FILE && (length <= WINDOW_MIN || length <= window);
}

uint64_t delta_patch_max(uint64_t length)
{
    return length / 2;
}

/* --- making */

static int window_log(uint64_t length)
{
    int bits = 10;

    while (bits < WINDOW_LOG && 1ull << bits < length)
        bits++;
    return bits;
}

static bool configure(ZSTD_CCtx *context, struct span old, size_t length)
{
    size_t results[] = {
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL),
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log(length)),
        ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, length >= LONG_FROM),
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0),
        ZSTD_CCtx_setPledgedSrcSize(context, length),
        ZSTD_CCtx_refPrefix(context, old.data, old.length),
    };

    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        if (ZSTD_isError(results[i]))
            return false;
    }
    return true;
}

/* All of `input`; with `end`, what the compressor still holds as well. */
static enum err compress(ZSTD_CCtx *context, ZSTD_inBuffer *input, bool end, struct buf *out)
{
    size_t left;

    do {
        uint8_t block[READ];
        ZSTD_outBuffer output = {block, sizeof block, 0};

        left = ZSTD_compressStream2(context, &output, input, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return ERR_BUSY;
        buf_put(out, block, output.pos);
        if (out->failed)
            return ERR_TOO_LARGE;
    } while (input->pos < input->size || (end && left > 0));
    return ERR_OK;
}

enum err delta_make(struct span old, struct span data, struct buf *out,
                    bool (*progress)(void *user, uint64_t done), void *user)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    uint8_t hash[HASH_LENGTH];
    enum err err = ERR_OK;

    if (context == NULL || !configure(context, old, data.length)) {
        ZSTD_freeCCtx(context);
        return ERR_BUSY;
    }
    sha256(old.data, old.length, hash);
    buf_put(out, magic, sizeof magic);
    buf_put(out, hash, sizeof hash);
    for (size_t at = 0; at < data.length && err == ERR_OK;) {
        size_t step = data.length - at < FEED ? data.length - at : FEED;
        ZSTD_inBuffer input = {data.data + at, step, 0};

        at += step;
        err = compress(context, &input, at == data.length, out);
        if (err == ERR_OK && progress != NULL && !progress(user, at))
            err = ERR_CANCELLED;
    }
    ZSTD_freeCCtx(context);
    return err == ERR_OK && out->failed ? ERR_TOO_LARGE : err;
}

/* --- applying */

struct decoder {
    const struct delta_job *job;
    ZSTD_DCtx *context;
    ZSTD_inBuffer input;
    uint64_t done; /* bytes taken */
    uint8_t *in, *out;
    size_t fill; /* of out */
    bool ended;  /* the patch has no more bytes to read */
};

static enum err read_more(struct decoder *decoder)
{
    size_t got = 0;
    enum err err = ERR_OK;

    if (!decoder->ended)
        err = decoder->job->read(decoder->job->user, decoder->in, READ, &got);
    decoder->ended = got < READ;
    decoder->input = (ZSTD_inBuffer){decoder->in, got, 0};
    return err;
}

static enum err check_header(struct decoder *decoder)
{
    const struct delta_job *job = decoder->job;
    uint8_t hash[HASH_LENGTH];
    enum err err = read_more(decoder);

    if (err != ERR_OK)
        return err;
    if (decoder->input.size < DELTA_HEADER)
        return ERR_TRUNCATED;
    if (memcmp(decoder->in, magic, sizeof magic) != 0)
        return ERR_SYNTAX;
    sha256(job->old.data, job->old.length, hash);
    if (memcmp(decoder->in + sizeof magic, hash, sizeof hash) != 0)
        return ERR_MISMATCH;
    decoder->input.pos = DELTA_HEADER;
    /* So the decoder's own memory is bounded by what the caller expects. */
    if (ZSTD_getFrameContentSize(decoder->in + DELTA_HEADER, decoder->input.size - DELTA_HEADER) !=
        job->length)
        return ERR_SYNTAX;
    return ERR_OK;
}

static enum err hand_over(struct decoder *decoder)
{
    enum err err = decoder->job->take(decoder->job->user, decoder->out, decoder->fill);

    decoder->done += decoder->fill;
    decoder->fill = 0;
    return err;
}

/* More of what the decoder waits for. */
static enum err feed(struct decoder *decoder, bool stuck)
{
    if (decoder->input.pos < decoder->input.size)
        return stuck ? ERR_SYNTAX : ERR_OK;
    return decoder->ended ? ERR_TRUNCATED : read_more(decoder);
}

/* Until the frame ends; never more than the chunk and the length. */
static enum err decode(struct decoder *decoder)
{
    const struct delta_job *job = decoder->job;
    enum err err = ERR_OK;
    size_t left = 1;

    while (left > 0 && err == ERR_OK) {
        uint64_t rest = job->length - decoder->done;
        size_t room = rest < job->chunk ? (size_t)rest : job->chunk;
        ZSTD_outBuffer output = {decoder->out, room, decoder->fill};
        size_t before = decoder->input.pos;

        left = ZSTD_decompressStream(decoder->context, &output, &decoder->input);
        if (ZSTD_isError(left))
            return ERR_SYNTAX;
        bool stuck = output.pos == decoder->fill && decoder->input.pos == before;
        decoder->fill = output.pos;
        if (decoder->fill == room && room > 0)
            err = hand_over(decoder);
        else if (left > 0)
            err = feed(decoder, stuck);
    }
    return err;
}

/* Nothing may follow the frame, and all of the file has come of it. */
static enum err check_end(struct decoder *decoder)
{
    if (decoder->input.pos < decoder->input.size || decoder->done != decoder->job->length)
        return ERR_SYNTAX;
    enum err err = decoder->ended ? ERR_OK : read_more(decoder);
    return err == ERR_OK && decoder->input.size > decoder->input.pos ? ERR_SYNTAX : err;
}

enum err delta_apply(const struct delta_job *job)
{
    struct decoder decoder = {.job = job, .context = ZSTD_createDCtx()};
    enum err err = ERR_BUSY;

    if (decoder.context == NULL)
        return err;
    decoder.in = mem_alloc(READ);
    decoder.out = mem_alloc(job->chunk);
    if (ZSTD_isError(ZSTD_DCtx_setParameter(decoder.context, ZSTD_d_windowLogMax, WINDOW_LOG)) ||
        ZSTD_isError(ZSTD_DCtx_refPrefix(decoder.context, job->old.data, job->old.length)))
        goto out;
    err = check_header(&decoder);
    if (err == ERR_OK)
        err = decode(&decoder);
    if (err == ERR_OK)
        err = check_end(&decoder);
out:
    ZSTD_freeDCtx(decoder.context);
    mem_free(decoder.in);
    mem_free(decoder.out);
    return err;
}
