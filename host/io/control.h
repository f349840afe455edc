/* The control socket: a unix stream socket (0600, same uid only) that speaks native messaging
 * frames (host/PROTOCOL.md 2). Layer: io.
 *
 * Clients are numbered from 1 up. A frame over LIMIT_FRAME_IN, or one that does not begin like a
 * JSON object, is logged and ends its client; so does not reading (LIMIT_CONTROL_QUEUE). `closed`
 * follows `opened` once, in a later turn of the loop, after control_close too; only control_free
 * is silent. control_send and control_close may be called from any event, control_free from none;
 * a dead or unknown number does nothing. */
#pragma once

#include "base/bytes.h"
#include "io/loop.h"

struct control_events {
    void *user;
    void (*opened)(void *user, uint64_t client);
    void (*message)(void *user, uint64_t client, struct span json); /* borrowed */
    void (*closed)(void *user, uint64_t client);
};

struct control;
/* Creates the folder (0700) and takes the place of a dead socket; ERR_BUSY when a live daemon
 * answers there or holds PATH.lock (flock'ed as long as the control lives, and left behind);
 * ERR_EXISTS when PATH is not a socket; ERR_BAD_NAME when the path is too long for a socket. */
enum err control_new(struct loop *loop, const char *path, const struct control_events *events,
                     struct control **ret);
/* Frames and queues; a client that does not read (LIMIT_CONTROL_QUEUE) is dropped. */
void control_send(struct control *control, uint64_t client, struct span json);
void control_close(struct control *control, uint64_t client); /* after what is queued has left */
/* Bytes that the client has not taken yet. */
size_t control_queued(const struct control *control, uint64_t client);
size_t control_clients(const struct control *control);
void control_free(struct control *control); /* removes the socket file */
