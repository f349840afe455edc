/* The head of an HTTP/1.x request, for the gateway (RFC 9112). Layer: wire (pure).
 *
 * Strict on purpose: what a browser does not send (bare line feeds, folded lines, blanks before a
 * colon, a body, bytes that are not ASCII in the target) is refused, never repaired, and the
 * target is handed on byte for byte. Everything is borrowed from the input. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>

struct request_head {
    struct span method, target;
    struct span host, range; /* the headers' values; data NULL: not there */
    bool keep_alive;
    bool has_body; /* one was announced: whoever does not read it must close */
};

/* ERR_MORE: no end yet (the caller has the cap); ERR_UNSUPPORTED: not HTTP/1.0 or 1.1;
 * ERR_DUPLICATE: Host or Range twice; ERR_SYNTAX. */
enum err request_head_parse(struct span data, struct request_head *ret_head, size_t *ret_used);
