/* Strict JSON in (jansson) and JSON text out. Layer: wire (pure).
 *
 * What comes in is one object in UTF-8 without duplicate keys at any depth, without U+0000 in
 * strings, nested at most LIMIT_JSON_DEPTH deep. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <jansson.h>
#include <stdint.h>

#define JSON_INTEGER_MAX ((1ull << 53) - 1) /* what JavaScript keeps exactly */

/* *ret is set on ERR_OK only; json_decref it. ERR_TOO_DEEP, ERR_DUPLICATE, ERR_SYNTAX. */
enum err json_load_object(const void *data, size_t length, json_t **ret);

/* Members of an object. ERR_MISSING when there is none, ERR_SYNTAX when it is of another type,
 * ERR_RANGE / ERR_TOO_LARGE when outside the bounds. Text is printable (utf8.h) and borrowed. */
enum err json_get_integer(const json_t *object, const char *key, uint64_t min, uint64_t max,
                          uint64_t *ret);
enum err json_get_text(const json_t *object, const char *key, size_t max, const char **ret);
enum err json_text_of(const json_t *value, size_t max, const char **ret);

/* Appends a string with its quotes. '<', U+2028 and U+2029 are escaped as well, so that the text
 * may stand inside a script; bytes that are no UTF-8 become U+FFFD. */
void json_put_string(struct buf *out, const char *text);
