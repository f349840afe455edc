/* The Range header, one byte range (RFC 9110 section 14). Layer: wire (pure). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum http_range_result {
    HTTP_RANGE_WHOLE,         /* none, several, malformed or another unit: answer 200 */
    HTTP_RANGE_PART,          /* answer 206 with first .. last */
    HTTP_RANGE_UNSATISFIABLE, /* answer 416 */
};

/* value: the header's text or NULL; length: of the representation. first and last are
 * inclusive and set for HTTP_RANGE_PART only. */
enum http_range_result http_range_parse(const char *value, uint64_t length, uint64_t *ret_first,
                                        uint64_t *ret_last);
/* Content-Range of a 206: "bytes 0-4/10". False when it is not that; total UINT64_MAX for "*". */
bool http_content_range_parse(const char *value, uint64_t *ret_first, uint64_t *ret_last,
                              uint64_t *ret_total);
