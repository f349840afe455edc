/* Host names to addresses, without blocking the loop. Layer: io. */
#pragma once

#include "base/err.h"
#include "io/loop.h"
#include "wire/address.h"

struct resolver;

/* done: once for each question that was not cancelled, never from inside the call. ERR_NOT_FOUND:
 * no such name; ERR_REFUSED: only at addresses that are not public. */
struct resolver *resolver_new(struct loop *loop,
                              void (*done)(void *user, uint64_t op, enum err result,
                                           const struct address *address),
                              void *user);
/* IPv4 first, as for trackers. op: of no question that is open. */
void resolver_ask(struct resolver *resolver, uint64_t op, const char *host, uint16_t port,
                  bool public_only);
void resolver_cancel(struct resolver *resolver, uint64_t op);
void resolver_free(struct resolver *resolver); /* cancels all */
