/* Text from outside: is it UTF-8 (RFC 3629), may it be shown? Layer: wire (pure). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Well-formed: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_valid(const char *text, size_t length);
/* Well-formed and without control characters (C0, DEL, C1): safe on a terminal and in a log. */
bool utf8_printable(const char *text, size_t length);
/* The length of the well-formed sequence at text, or 0. */
size_t utf8_sequence(const char *text, size_t length);
/* Only 0x20 .. 0x7e: what a header value or a media type may hold. */
bool ascii_printable(const char *text, size_t length);
