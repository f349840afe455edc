/* What may stand in a release: the checks that parsing and the command line share.
 * Layer: wire (pure). */
#pragma once

#include <stdbool.h>

/* A name of the header allow-list in its usual spelling, or NULL when it is none. */
const char *release_header_name(const char *name);
/* 0x20 .. 0x7e, not empty, no blank at either end. */
bool release_header_value_ok(const char *value);
/* ".wasm": a dot and 1 .. 31 letters, digits, '.', '-', '_', '+'. */
bool release_suffix_ok(const char *suffix);
/* "type/subtype" of tokens, then perhaps ";" and parameters. */
bool release_media_type_ok(const char *type);
/* http, https or udp URL; a udp one names its port. */
bool release_tracker_ok(const char *url);
/* tcp://host:port or wss://host[:port]/path. */
bool release_supernode_ok(const char *url);
