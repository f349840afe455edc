/* BEP 15: a tracker over UDP, the client's side. Layer: wire (pure).
 *
 * Two exchanges: connect gives a connection id, which shows the tracker that our address is
 * real; announce uses it. The caller draws a random transaction id for each packet, and takes a
 * reply only from the tracker's address, with that transaction id and the awaited action. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "wire/tracker.h"

#define UDP_TRACKER_CONNECTION_MS 60000 /* a connection id may be used so long */
#define UDP_TRACKER_HOST          256   /* a host name and its NUL */

/* "udp://host:port" with or without a path (trackers over UDP have none, but people write
 * "/announce"); an IPv6 address stands in brackets, which ret_host has not. ERR_BAD_URL. */
enum err udp_tracker_url(const char *url, char ret_host[UDP_TRACKER_HOST], uint16_t *ret_port);

/* How long to wait for the reply to try number `attempt` (0, 1, ..), 15 * 2^attempt seconds; 0:
 * the tracker is given up. A connection id that ran out meanwhile is asked for anew. */
uint32_t udp_tracker_timeout_ms(unsigned attempt);

enum udp_tracker_action {
    UDP_TRACKER_CONNECT = 0,
    UDP_TRACKER_ANNOUNCE = 1,
    UDP_TRACKER_ERROR = 3
};

void udp_tracker_put_connect(uint32_t transaction, struct buf *out);
void udp_tracker_put_announce(uint64_t connection, uint32_t transaction,
                              const struct tracker_announce *announce, struct buf *out);

struct udp_tracker_reply {
    enum udp_tracker_action action;
    uint32_t transaction;
    uint64_t connection;        /* CONNECT */
    struct tracker_reply reply; /* ANNOUNCE: interval, counts, peers; ERROR: failure. Owned */
};

/* family: of the socket that it came to; with 6 the peers are IPv6 addresses. Peers with port 0
 * and those over LIMIT_TRACKER_PEERS are left out. ERR_UNSUPPORTED: another action.
 * After an error *ret holds nothing. */
enum err udp_tracker_decode(const uint8_t *data, size_t length, uint8_t family,
                            struct udp_tracker_reply *ret);
void udp_tracker_reply_done(struct udp_tracker_reply *reply);
