/* How much of what the system has taken of a TCP connection waits in front of the uplink. All
 * connections share it, and what is sent into a full one is lost, or delays what matters more than
 * any block. Layer: io. In a file of its own: linux/tcp.h and netinet/tcp.h exclude each other. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct socket_backlog {
    bool under_way; /* something of it is unacknowledged */
    bool delayed;   /* by other traffic or by its own: what is sent now waits */
    size_t bytes;   /* that wait */
};

struct socket_backlog socket_backlog(int fd);
