/* Peers' TCP connections: plain libuv streams, numbered. Layer: io.
 *
 * A dialled connection's number is the caller's (top bit clear); an accepted one gets a number
 * with the top bit set. Nothing is written until tcp_flush, so that one step of the core becomes
 * one writev per connection. What is queued on one connection leaves in order. After `closed`
 * a number is dead; calls with a dead or unknown number do nothing. */
#pragma once

#include "io/loop.h"
#include "wire/address.h"

#include <stddef.h>

#define TCP_ACCEPTED (UINT64_C(1) << 63)

struct tcp_events {
    void *user;
    void (*opened)(void *user, uint64_t conn, const struct address *remote);
    /* data is borrowed for the call; up to 256 KiB */
    void (*bytes)(void *user, uint64_t conn, const uint8_t *data, size_t length);
    /* the queue has shrunk to `queued` bytes that the system has not taken (told at least when it
     * falls below 256 KiB); of what it has taken, `backlog` wait in front of the uplink */
    void (*sent)(void *user, uint64_t conn, size_t queued, size_t backlog);
    void (*closed)(void *user, uint64_t conn, enum err why);
};

struct tcp;
/* listen: `count` addresses, at most LIMIT_LISTEN; none: no incoming peers. Port 0 picks one; all
 * others are on the first one's port. An IPv6 wildcard takes IPv4 too, when it is alone. */
enum err tcp_new(struct loop *loop, const struct address *listen, size_t count,
                 const struct tcp_events *events, struct tcp **ret);
uint16_t tcp_port(const struct tcp *tcp); /* 0: not listening */
/* `opened` or `closed` follows (ERR_REFUSED, ERR_TIMEOUT, ERR_NETWORK; ERR_BUSY: LIMIT_PEERS are
 * dialled). Accepted connections have LIMIT_PEERS places of their own, so strangers cannot take
 * ours. */
void tcp_dial(struct tcp *tcp, uint64_t conn, const struct address *to);
/* Copies. More than LIMIT_PEER_SEND_QUEUE unsent: closed with ERR_TOO_LARGE. Before `opened` it
 * waits for the connection. */
void tcp_send(struct tcp *tcp, uint64_t conn, const void *data, size_t length);
/* head, then `length` bytes of fd from `offset` (read at once: fd is borrowed for the call
 * only), then `pad` zero bytes (BEP 52's last block, see facts on libtorrent). A
 * short read closes the connection with ERR_IO: a frame half sent cannot be taken back. */
void tcp_send_file(struct tcp *tcp, uint64_t conn, const void *head, size_t head_length, int fd,
                   uint64_t offset, size_t length, size_t pad);
void tcp_flush(struct tcp *tcp);
void tcp_close(struct tcp *tcp, uint64_t conn); /* no `closed` call follows */
/* Stop reading from a connection and go on: back-pressure. */
void tcp_pause(struct tcp *tcp, uint64_t conn, bool paused);
/* The same for all of them, those to come too, besides tcp_pause; and how much to read at a time
 * (0: as much as there is). With a chunk they take turns: who has been read waits until the others
 * have been, or have nothing. */
void tcp_receive(struct tcp *tcp, bool held, size_t chunk);
/* Blocks go from the page cache to the socket as far as that takes them at once (sendfile), and may
 * leave before tcp_flush: for a server, whose links are no home's. */
void tcp_send_at_once(struct tcp *tcp);
/* More or fewer places for accepted connections than LIMIT_PEERS, and for those of one address. */
void tcp_set_places(struct tcp *tcp, unsigned all, unsigned for_address);
void tcp_stop_listening(struct tcp *tcp);
void tcp_free(struct tcp *tcp); /* closes everything, silently */
