#include "native/relay.h"

#include "base/limits.h"
#include "native/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One direction. Bytes pass as they come; only the four length bytes of each frame are looked
 * at, so that no frame over the limit gets through and none has to be kept whole. */
struct pipe {
    const char *source; /* for messages */
    int from, to;
    uint32_t limit;
    uint8_t bytes[KIB(64)];
    size_t start, end; /* bytes that wait to be written */
    uint8_t header[4];
    unsigned header_length;
    uint32_t frame_left;
    bool ended; /* the source has */
    bool held;  /* the first frame is not known yet: nothing is passed on */
};

/* Follows the frames through the bytes that just came; false at one over the limit. */
static bool check_frames(struct pipe *pipe, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        if (pipe->frame_left > 0) {
            size_t step =
                (size_t)(end - at) < pipe->frame_left ? (size_t)(end - at) : pipe->frame_left;
            pipe->frame_left -= (uint32_t)step;
            at += step;
            continue;
        }
        pipe->header[pipe->header_length++] = *at++;
        if (pipe->header_length < sizeof pipe->header)
            continue;
        pipe->header_length = 0;
        memcpy(&pipe->frame_left, pipe->header, sizeof pipe->frame_left);
        if (pipe->frame_left > pipe->limit) {
            fprintf(stderr, "fringe-native: a frame of %u bytes from %s: the limit is %u\n",
                    pipe->frame_left, pipe->source, pipe->limit);
            return false;
        }
    }
    return true;
}

static bool can_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* False when the relay must end. */
static bool fill(struct pipe *pipe)
{
    ssize_t got = read(pipe->from, pipe->bytes + pipe->end, sizeof pipe->bytes - pipe->end);
    if (got < 0 && can_wait())
        return true;
    if (got <= 0) {
        pipe->ended = true;
        return true;
    }
    const uint8_t *fresh = pipe->bytes + pipe->end;
    pipe->end += (size_t)got;
    return check_frames(pipe, fresh, fresh + got);
}

static bool drain(struct pipe *pipe)
{
    ssize_t put = write(pipe->to, pipe->bytes + pipe->start, pipe->end - pipe->start);
    if (put < 0 && !can_wait()) {
        fprintf(stderr, "fringe-native: writing what %s says: %s\n", pipe->source, strerror(errno));
        return false;
    }
    if (put > 0)
        pipe->start += (size_t)put;
    if (pipe->start == pipe->end)
        pipe->start = pipe->end = 0;
    return true;
}

/* What to wait for on each end of a pipe; -1 leaves an end out. */
static void watch(const struct pipe *pipe, struct pollfd *from, struct pollfd *to)
{
    bool full = pipe->end == sizeof pipe->bytes;
    bool waiting = pipe->start < pipe->end && !pipe->held;
    *from = (struct pollfd){.fd = pipe->ended || full ? -1 : pipe->from, .events = POLLIN};
    *to = (struct pollfd){.fd = waiting ? pipe->to : -1, .events = POLLOUT};
}

static bool serve(struct pipe *pipe, const struct pollfd *from, const struct pollfd *to)
{
    if (to->revents != 0 && !drain(pipe))
        return false;
    if (from->revents != 0 && !fill(pipe))
        return false;
    return true;
}

/* A short first frame is held back until it is whole: it may be meant for us. Null for what is
 * passed on. */
static const char *held_frame(struct pipe *pipe, uint32_t *ret_length)
{
    if (pipe->end < sizeof *ret_length) {
        pipe->held = !pipe->ended;
        return NULL;
    }
    memcpy(ret_length, pipe->bytes, sizeof *ret_length);
    if (*ret_length > DOCTOR_FRAME || pipe->ended) {
        pipe->held = false;
        return NULL;
    }
    if (pipe->end < sizeof *ret_length + *ret_length)
        return NULL;
    pipe->held = false;
    return (const char *)pipe->bytes + sizeof *ret_length;
}

/* True when the first frame was for us; *ret_status is how that ended. */
static bool take_first(struct pipe *pipe, const char *program, int *ret_status)
{
    uint32_t length;
    const char *text = pipe->held ? held_frame(pipe, &length) : NULL;

    if (text == NULL || !doctor_is_asked(text, length))
        return false;
    *ret_status = doctor_answer(program, text, length);
    return true;
}

/* The browser has gone, and all that it said is with the daemon. */
static bool is_done(const struct pipe *pipe)
{
    return pipe->ended && pipe->start == pipe->end;
}

static int run(struct pipe *out, struct pipe *in, const char *program)
{
    struct pollfd polls[4];
    int status;
    while (!is_done(out)) {
        if (is_done(in)) {
            fprintf(stderr, "fringe-native: the daemon has closed the connection\n");
            return 1;
        }
        watch(out, &polls[0], &polls[1]);
        watch(in, &polls[2], &polls[3]);
        if (poll(polls, 4, -1) < 0 && errno != EINTR)
            return 1;
        if (!serve(out, &polls[0], &polls[1]) || !serve(in, &polls[2], &polls[3]))
            return 1;
        if (take_first(out, program, &status))
            return status;
    }
    return 0;
}

int relay_run(int socket, const char *program)
{
    static struct pipe out = {.source = "the browser", .limit = LIMIT_FRAME_IN, .held = true};
    static struct pipe in = {.source = "the daemon", .limit = LIMIT_FRAME_OUT};
    out.from = STDIN_FILENO;
    in.to = STDOUT_FILENO;
    out.to = in.from = socket;
    /* A terminal would stay non-blocking for the shell; a pipe is ours alone. */
    if (!isatty(STDOUT_FILENO))
        fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
    return run(&out, &in, program);
}
