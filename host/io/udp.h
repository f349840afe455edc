/* Datagrams to a host and port, and what comes back from there: UDP trackers. Layer: io.
 *
 * Each op has a socket of its own, connected to one address: the system lets nothing from elsewhere
 * through, and its random port is one thing more that a forger would have to guess. */
#pragma once

#include "io/loop.h"
#include "wire/address.h"

#include <stddef.h>

#define UDP_OPS_MAX 128 /* at once */

struct udp_events {
    void *user;
    /* data is borrowed for the call; at most LIMIT_UDP_TRACKER_REPLY bytes, what is longer is lost
     */
    void (*received)(void *user, uint64_t op, const struct address *from, const uint8_t *data,
                     size_t length);
    /* ERR_NOT_FOUND: no such name, or no address of that family; ERR_REFUSED: nobody listens there,
     * or an address that public_only forbids; ERR_BUSY: UDP_OPS_MAX; ERR_NETWORK. The op is dead.
     */
    void (*failed)(void *user, uint64_t op, enum err why);
};

struct udp_request {
    uint64_t op;
    const char *host; /* a name, or a numeric address without brackets */
    uint16_t port;
    uint8_t family;   /* 4, 6: only an address of that; 0: IPv4 before IPv6 */
    bool public_only; /* no address of this machine or of a private network */
    const void *data;
    size_t length;
};

struct udp;
struct udp *udp_new(struct loop *loop, const struct udp_events *events);
/* Copies. The first one with that op looks the name up; while that lasts, only the newest datagram
 * is kept. Later ones go to the same address. */
void udp_send(struct udp *udp, const struct udp_request *request);
void udp_end(struct udp *udp, uint64_t op); /* unknown: nothing */
void udp_free(struct udp *udp);             /* ends everything, silently */
