/* Bencode (BEP 3), strict: every value has one form, and only that form is read or written.
 * Layer: wire (pure).
 *
 *   integer   "i" ["-"] digits "e"   no leading zero, no "-0"; 64 bits
 *   bytes     digits ":" bytes       no leading zero in the length
 *   list      "l" values "e"
 *   dict      "d" (bytes value)* "e" keys in raw-byte order, none twice
 *
 * The reader is a cursor over borrowed memory. After the first error it stays where it is,
 * everything reads as zero or empty, and loops end; so a decoder reads all that it wants and
 * looks at `err` once. Nesting is capped by LIMIT_BENCODE_DEPTH. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>

enum bencode_kind { BENCODE_NONE, BENCODE_INT, BENCODE_BYTES, BENCODE_LIST, BENCODE_DICT };

struct bencode {
    const uint8_t *at, *end;
    unsigned depth; /* lists and dicts that are open */
    enum err err;   /* TRUNCATED, SYNTAX, NONCANONICAL, DUPLICATE, TOO_DEEP, RANGE; it sticks */
};

void bencode_init(struct bencode *in, const void *data, size_t length);
/* Is the next thing a value, and which? BENCODE_NONE at the end of its list, at the end of the
 * input or after an error. */
enum bencode_kind bencode_peek(const struct bencode *in);
/* Records an error of the caller's own, unless there is one already. */
void bencode_fail(struct bencode *in, enum err err);

int64_t bencode_int(struct bencode *in);
/* An integer in [low, high], else ERR_RANGE. */
int64_t bencode_int_in(struct bencode *in, int64_t low, int64_t high);
struct span bencode_bytes(struct bencode *in);
/* Passes over one value of any kind, checked all the way down; returns its exact bytes. */
struct span bencode_skip(struct bencode *in);

/* A list: bencode_enter_list(in); while (bencode_more(in)) { read one value } */
void bencode_enter_list(struct bencode *in);
bool bencode_more(struct bencode *in); /* false: the list has been left, or an error */

/* A dict: keep `key` between the calls, {NULL, 0} at first:
 *     struct span key = {0};
 *     bencode_enter_dict(in);
 *     while (bencode_next_key(in, &key)) { read or skip one value } */
void bencode_enter_dict(struct bencode *in);
bool bencode_next_key(struct bencode *in, struct span *key);

/* Ends a document: the cursor's error, or ERR_SYNTAX when bytes are left over. */
enum err bencode_finish(struct bencode *in);

/* --- writer. The caller writes keys in order. */
void bencode_put_int(struct buf *out, int64_t value);
void bencode_put_bytes(struct buf *out, const void *data, size_t length);
void bencode_put_text(struct buf *out, const char *text);
void bencode_put_list(struct buf *out); /* begins */
void bencode_put_dict(struct buf *out); /* begins */
void bencode_put_end(struct buf *out);  /* ends a list or dict */
