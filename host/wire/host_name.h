/* Host names and ports inside URLs, in the one form that browsers serialise (WHATWG URL):
 * lower-case DNS names, dotted-quad IPv4, bracketed and compressed IPv6. Layer: wire (pure). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The length of the canonical host at the start of text, which must end there or go on with
 * ':' or '/'; 0 when there is none. */
size_t host_name_length(const char *text, size_t length);
/* "localhost", "127.0.0.1" or "[::1]": a plain-http page of this machine. */
bool host_name_is_local(const char *host, size_t length);
/* ":8080" -> 8080; 0 when it is not exactly a colon and 1 .. 65535 without leading zeros. */
unsigned host_port_parse(const char *text, size_t length);
