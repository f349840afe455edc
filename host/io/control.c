/* io/control: frames over a unix stream socket. A client's memory lives until libuv has closed
 * its pipe; client->control is NULL once the control is gone. */
#include "io/control.h"

#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/control_path.h"
#include "wire/native_frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct control {
    struct control_events events;
    uv_pipe_t listener;
    char *path;
    int lock;
    uint64_t last_client;
    struct list clients;
    size_t count;
    bool full; /* said so in the log */
};

struct client {
    struct list link;
    struct control *control;
    uint64_t number;
    uv_pipe_t pipe;
    bool draining; /* control_close: nothing more in, what is queued out */
    bool refused;  /* never `opened`, so never `closed` */
    size_t queued;
    size_t in_length;
    uint8_t in[NATIVE_FRAME_HEADER + LIMIT_FRAME_IN];
};

struct outgoing {
    uv_write_t request;
    struct buf frame;
};

static struct client *find(const struct control *control, uint64_t number)
{
    list_for_each(link, next, &control->clients)
    {
        struct client *client = list_entry(link, struct client, link);
        if (client->number == number)
            return client;
    }
    return NULL;
}

/* --- the end of a client */

static void client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct control *control = client->control;

    if (control != NULL) {
        list_remove(&client->link);
        control->count--;
        if (!client->refused)
            control->events.closed(control->events.user, client->number);
    }
    mem_free(client);
}

static void client_end(struct client *client)
{
    if (!uv_is_closing((uv_handle_t *)&client->pipe))
        uv_close((uv_handle_t *)&client->pipe, client_closed);
}

static bool client_alive(const struct client *client)
{
    return !client->draining && !uv_is_closing((const uv_handle_t *)&client->pipe);
}

/* --- in */

/* What is not a JSON object can be told by its first letter; the rest is for the API's parser. */
static bool looks_like_object(struct span json)
{
    size_t i = 0;

    while (i < json.length && memchr(" \t\r\n", json.data[i], 4) != NULL)
        i++;
    return i < json.length && json.data[i] == '{';
}

/* Every whole frame in the buffer; the rest moves to the front. */
static enum err take_frames(struct client *client)
{
    size_t at = 0;

    while (client_alive(client)) {
        struct span json;
        size_t used;
        enum err err = native_frame_decode(client->in + at, client->in_length - at, LIMIT_FRAME_IN,
                                           &json, &used);
        if (err == ERR_MORE)
            break;
        if (err != ERR_OK)
            return err;
        if (!looks_like_object(json))
            return ERR_SYNTAX;
        at += used;
        client->control->events.message(client->control->events.user, client->number, json);
    }
    client->in_length -= at;
    if (at > 0)
        memmove(client->in, client->in + at, client->in_length);
    return ERR_OK;
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_room)
{
    struct client *client = handle->data;

    (void)suggested;
    /* Never empty: a buffer this long holds a whole frame, and whole frames are taken out. */
    *ret_room = uv_buf_init((char *)client->in + client->in_length,
                            (unsigned)(sizeof client->in - client->in_length));
}

static void got_bytes(uv_stream_t *stream, ssize_t length, const uv_buf_t *room)
{
    struct client *client = stream->data;
    enum err err;

    (void)room;
    if (length < 0) {
        client_end(client);
        return;
    }
    client->in_length += (size_t)length;
    err = take_frames(client);
    if (err != ERR_OK) {
        log_warning("control: client %llu sent a bad frame: %s; connection closed",
                    (unsigned long long)client->number, err_text(err));
        client_end(client);
    }
}

/* --- out */

static void frame_sent(uv_write_t *request, int status)
{
    struct outgoing *outgoing = request->data;
    struct client *client = request->handle->data;

    client->queued -= outgoing->frame.length;
    buf_done(&outgoing->frame);
    mem_free(outgoing);
    if (status != 0 || (client->draining && client->queued == 0))
        client_end(client);
}

size_t control_queued(const struct control *control, uint64_t number)
{
    const struct client *client = find(control, number);
    return client != NULL ? client->queued : 0;
}

void control_send(struct control *control, uint64_t number, struct span json)
{
    struct client *client = find(control, number);
    struct outgoing *outgoing;
    uv_buf_t bytes;

    if (client == NULL || !client_alive(client))
        return;
    if (json.length > LIMIT_FRAME_OUT || client->queued + json.length > LIMIT_CONTROL_QUEUE) {
        log_warning("control: client %llu %s; connection closed", (unsigned long long)number,
                    json.length > LIMIT_FRAME_OUT ? "would get too long a frame" : "does not read");
        client_end(client);
        return;
    }
    outgoing = mem_zalloc(sizeof *outgoing);
    buf_init(&outgoing->frame, NATIVE_FRAME_HEADER + LIMIT_FRAME_OUT);
    native_frame_encode(json, &outgoing->frame);
    outgoing->request.data = outgoing;
    bytes = uv_buf_init((char *)outgoing->frame.data, (unsigned)outgoing->frame.length);
    client->queued += outgoing->frame.length;
    if (uv_write(&outgoing->request, (uv_stream_t *)&client->pipe, &bytes, 1, frame_sent) != 0) {
        client->queued -= outgoing->frame.length;
        buf_done(&outgoing->frame);
        mem_free(outgoing);
        client_end(client);
    }
}

/* --- a new client */

static bool same_user(const struct client *client)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    int fd;

    return uv_fileno((const uv_handle_t *)&client->pipe, &fd) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid();
}

static bool may_stay(struct control *control, const struct client *client)
{
    if (!same_user(client)) {
        log_warning("control: refused a client of another user");
        return false;
    }
    if (control->count > LIMIT_CONTROL_CLIENTS) {
        if (!control->full)
            log_warning("control: refused a client: %d are connected", LIMIT_CONTROL_CLIENTS);
        control->full = true;
        return false;
    }
    control->full = false;
    return true;
}

static void client_came(uv_stream_t *listener, int status)
{
    struct control *control = listener->data;
    struct client *client;

    if (status != 0) {
        log_warning("control: cannot accept a client: %s", uv_strerror(status));
        return;
    }
    client = mem_alloc(sizeof *client); /* the buffer needs no zeroes */
    memset(client, 0, offsetof(struct client, in));
    uv_pipe_init(listener->loop, &client->pipe, 0); /* cannot fail */
    client->pipe.data = client;
    client->control = control;
    client->number = ++control->last_client;
    list_push_back(&control->clients, &client->link);
    control->count++;
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) != 0 || !may_stay(control, client)) {
        client->refused = true;
        client_end(client);
        return;
    }
    control->events.opened(control->events.user, client->number);
    if (client_alive(client))
        uv_read_start((uv_stream_t *)&client->pipe, give_room, got_bytes);
}

/* --- the whole */

static void listener_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;

    mem_free(control->path);
    mem_free(control);
}

enum err control_new(struct loop *loop, const char *path, const struct control_events *events,
                     struct control **ret)
{
    struct control *control;
    int fd, lock, result;
    enum err err = control_path_take(path, &fd, &lock);

    if (err != ERR_OK)
        return err;
    control = mem_zalloc(sizeof *control);
    control->events = *events;
    control->path = mem_strdup(path);
    control->lock = lock;
    list_init(&control->clients);
    uv_pipe_init(&loop->uv, &control->listener, 0);
    control->listener.data = control;
    result = uv_pipe_open(&control->listener, fd);
    if (result != 0)
        close(fd);
    else
        result = uv_listen((uv_stream_t *)&control->listener, 64, client_came);
    if (result != 0) {
        log_error("cannot listen on %s: %s", path, uv_strerror(result));
        control_free(control);
        return ERR_IO;
    }
    *ret = control;
    return ERR_OK;
}

void control_close(struct control *control, uint64_t number)
{
    struct client *client = find(control, number);

    if (client == NULL || !client_alive(client))
        return;
    client->draining = true;
    uv_read_stop((uv_stream_t *)&client->pipe);
    if (client->queued == 0)
        client_end(client);
}

size_t control_clients(const struct control *control)
{
    return control->count;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    list_for_each(link, next, &control->clients)
    {
        struct client *client = list_entry(link, struct client, link);
        list_remove(link);
        client->control = NULL;
        client_end(client);
    }
    /* The socket goes first: once the lock is free another daemon may bind there. */
    unlink(control->path);
    close(control->lock);
    uv_close((uv_handle_t *)&control->listener, listener_closed);
}
