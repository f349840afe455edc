#include "wire/native_batch.h"

#include <string.h>

static uint8_t skip_space(struct native_batch *batch)
{
    const struct span *frame = &batch->frame;

    while (batch->at < frame->length && memchr(" \t\r\n", frame->data[batch->at], 4) != NULL)
        batch->at++;
    return batch->at < frame->length ? frame->data[batch->at] : 0;
}

enum err native_batch_begin(struct native_batch *batch, struct span frame)
{
    *batch = (struct native_batch){.frame = frame};
    uint8_t first = skip_space(batch);
    batch->array = first == '[';
    batch->at += batch->array;
    return first == '[' || first == '{' ? ERR_OK : ERR_SYNTAX;
}

/* Behind the quotation mark that ends the text which begins at `at`. */
static size_t text_end(struct span json, size_t at)
{
    for (at++; at < json.length && json.data[at] != '"'; at++) {
        if (json.data[at] == '\\')
            at++;
    }
    return at + 1;
}

/* Behind the bracket that closes the one at `at`; 0 when none does. */
static size_t object_end(struct span json, size_t at)
{
    size_t depth = 0;

    while (at < json.length) {
        uint8_t letter = json.data[at];
        if (letter == '"') {
            at = text_end(json, at);
            continue;
        }
        depth += letter == '{' || letter == '[';
        depth -= letter == '}' || letter == ']';
        at++;
        if (depth == 0)
            return at;
    }
    return 0;
}

/* Between two objects, before the first, and after the last. */
static enum err next_begins(struct native_batch *batch)
{
    uint8_t letter = skip_space(batch);

    if (letter == ']' && batch->count > 0) {
        batch->at++;
        return skip_space(batch) == 0 && batch->at == batch->frame.length ? ERR_NOT_FOUND
                                                                          : ERR_SYNTAX;
    }
    if (batch->count > 0) {
        if (letter != ',')
            return ERR_SYNTAX;
        batch->at++;
        letter = skip_space(batch);
    }
    if (letter != '{')
        return ERR_SYNTAX;
    return batch->count < LIMIT_BATCH ? ERR_OK : ERR_TOO_LARGE;
}

enum err native_batch_next(struct native_batch *batch, struct span *ret_json)
{
    if (!batch->array) {
        *ret_json = batch->frame;
        return batch->count++ == 0 ? ERR_OK : ERR_NOT_FOUND;
    }
    enum err err = next_begins(batch);
    if (err != ERR_OK)
        return err;
    size_t end = object_end(batch->frame, batch->at);
    if (end == 0)
        return ERR_SYNTAX;
    *ret_json = span_of(batch->frame.data + batch->at, end - batch->at);
    batch->at = end;
    batch->count++;
    return ERR_OK;
}
