/* Keeps a TCP port of the home router mapped to the peers' port. Layer: io.
 *
 * NAT-PMP and UPnP are asked at the same time, each by itself: asked again with back-off while it
 * fails, renewed at half its lease, removed when the mapping is not wanted any more. The mapping
 * that came first is the one in use for as long as it lives. */
#pragma once

#include "io/loop.h"
#include "io/router.h"

struct portmap_options {
    const char *program; /* as in portmap_run_new */
    uint32_t lease_s, retry_ms, retry_max_ms;
    uint32_t renew_ms; /* 0: half of what the router grants */
};

extern const struct portmap_options portmap_defaults;

struct portmap_state {
    const char *state;       /* "off", "asking", or router_result_name */
    const char *method;      /* mapped: router_method_name, else "" */
    struct address external; /* mapped; else port 0 */
};

struct portmap;
/* listen: with the port that peers reach. changed: never from inside a call. NULL is returned when
 * no router could help: loopback, a public address, one IPv6 address, no port. */
struct portmap *portmap_new(struct loop *loop, const struct portmap_options *options,
                            const struct address *listen,
                            void (*changed)(void *user, const struct portmap_state *state),
                            void *user);
/* At birth it is not wanted. */
void portmap_want(struct portmap *portmap, bool wanted);
/* Removes the mappings: turns the loop until that is done, LIMIT_ROUTER_REMOVE_MS at most.
 * `changed` is not called any more. */
void portmap_free(struct portmap *portmap);
