/* What the tests of io share: a loop that is turned by hand, so that one thread can be both the
 * server and its client, and small blocking-free sockets for that client. */
#pragma once

#include "check_main.h"
#include "io/loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Turns the loop until the condition holds; a test that waits longer than this has failed. */
#define PUMP_UNTIL_MS(LOOP, LIMIT_MS, CONDITION)                                                   \
    do {                                                                                           \
        uint64_t pump_end = uv_hrtime() + (uint64_t)(LIMIT_MS)*1000000;                            \
        while (!(CONDITION)) {                                                                     \
            ck_assert_msg(uv_hrtime() < pump_end, "waited too long for: %s", #CONDITION);          \
            uv_run(&(LOOP)->uv, UV_RUN_NOWAIT);                                                    \
            usleep(200);                                                                           \
        }                                                                                          \
    } while (0)
#define PUMP_UNTIL(LOOP, CONDITION) PUMP_UNTIL_MS(LOOP, 10000, CONDITION)

/* Turns the loop for a while: for what must not happen. */
static inline void pump_ms(struct loop *loop, unsigned ms)
{
    uint64_t end = uv_hrtime() + (uint64_t)ms * 1000000;

    do {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        usleep(200);
    } while (uv_hrtime() < end);
}

/* Bytes received so far on a client's socket, always NUL-terminated. */
struct inbox {
    int fd;
    bool ended; /* the other side closed */
    size_t length, capacity;
    char *text;
};

static inline void inbox_init(struct inbox *inbox, int fd)
{
    *inbox = (struct inbox){.fd = fd, .capacity = 256, .text = calloc(1, 256)};
}

static inline void inbox_done(struct inbox *inbox)
{
    if (inbox->fd >= 0)
        close(inbox->fd);
    free(inbox->text);
    *inbox = (struct inbox){.fd = -1};
}

/* Takes what has arrived; returns whether anything had. */
static inline bool inbox_take(struct inbox *inbox)
{
    char bytes[65536];
    ssize_t length = recv(inbox->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (length == 0 || (length < 0 && errno != EAGAIN))
        inbox->ended = true;
    if (length <= 0)
        return false;
    while (inbox->length + (size_t)length + 1 > inbox->capacity) {
        inbox->capacity *= 2;
        inbox->text = realloc(inbox->text, inbox->capacity);
    }
    memcpy(inbox->text + inbox->length, bytes, (size_t)length);
    inbox->length += (size_t)length;
    inbox->text[inbox->length] = '\0';
    return true;
}

/* Sends all of it, turning the loop meanwhile. False when the other side is gone. */
static inline bool pump_send(struct loop *loop, int fd, const void *data, size_t length)
{
    const char *at = data;

    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent > 0) {
            at += sent;
            length -= (size_t)sent;
        }
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    }
    return true;
}
