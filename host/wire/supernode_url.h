/* Where a release says that a super-node is (host/PROTOCOL.md 1.1). Layer: wire (pure). */
#pragma once

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct supernode_url {
    bool websocket, tls;
    char host[LIMIT_URL + 1];      /* without the brackets of an IPv6 address */
    char authority[LIMIT_URL + 1]; /* as a Host header has it */
    uint16_t port;
    const char *path; /* points into the text; "/" when there is none */
};

/* "tcp://host:port", "wss://host[:port][/path]", "ws://" the same, for this machine only. */
bool supernode_url_parse(const char *url, struct supernode_url *ret);
