/* bencode: a value has one form, so writing what was read gives the same bytes. */
#include "wire/bencode.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void copy_value(struct bencode *in, struct buf *out);

static void copy_dict(struct bencode *in, struct buf *out)
{
    struct span key = {NULL, 0};

    bencode_put_dict(out);
    bencode_enter_dict(in);
    while (bencode_next_key(in, &key)) {
        bencode_put_bytes(out, key.data, key.length);
        copy_value(in, out);
    }
    bencode_put_end(out);
}

static void copy_list(struct bencode *in, struct buf *out)
{
    bencode_put_list(out);
    bencode_enter_list(in);
    while (bencode_more(in))
        copy_value(in, out);
    bencode_put_end(out);
}

static void copy_value(struct bencode *in, struct buf *out)
{
    struct span bytes;

    switch (bencode_peek(in)) {
    case BENCODE_INT:
        bencode_put_int(out, bencode_int(in));
        break;
    case BENCODE_BYTES:
        bytes = bencode_bytes(in);
        bencode_put_bytes(out, bytes.data, bytes.length);
        break;
    case BENCODE_LIST:
        copy_list(in, out);
        break;
    case BENCODE_DICT:
        copy_dict(in, out);
        break;
    case BENCODE_NONE:
        bencode_skip(in); /* fails */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bencode skip, copy;
    struct buf out;

    bencode_init(&skip, data, size);
    bencode_skip(&skip);
    enum err err = bencode_finish(&skip);
    bencode_init(&copy, data, size);
    buf_init(&out, size + 4096);
    copy_value(&copy, &out);
    if (bencode_finish(&copy) != err)
        abort();
    if (err == ERR_OK && !span_equal(span_of(out.data, out.length), span_of(data, size)))
        abort();
    buf_done(&out);
    return 0;
}
