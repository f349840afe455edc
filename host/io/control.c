/* io/control: frames over a unix stream socket. A client's memory lives until libuv has closed
 * its pipe; client->control is NULL once the control is gone. */
#include "io/control.h"

#include "base/limits.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/control_path.h"
#include "wire/native_batch.h"
#include "wire/native_frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct control {
    struct control_events events;
    uv_pipe_t listener;
    uv_prepare_t turn; /* runs while an answer waits for the turn of the loop to end */
    int open_handles;  /* of these two */
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
    bool draining;    /* control_close: nothing more in, what is queued out */
    bool refused;     /* never `opened`, so never `closed` */
    bool batches;     /* it has sent an array, so it understands them */
    size_t queued;    /* bytes that libuv has not written yet */
    struct buf batch; /* answers of this turn, without the bracket that ends them */
    unsigned batch_count;
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
    buf_done(&client->batch);
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

/* The frame's messages: it is one, or an array of them. */
static enum err take_messages(struct client *client, struct span frame)
{
    struct native_batch batch;
    struct span json;
    enum err err = native_batch_begin(&batch, frame);

    client->batches |= err == ERR_OK && batch.array;
    while (err == ERR_OK && client_alive(client)) {
        err = native_batch_next(&batch, &json);
        if (err == ERR_OK)
            client->control->events.message(client->control->events.user, client->number, json);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
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
        at += used;
        err = take_messages(client, json);
        if (err != ERR_OK)
            return err;
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

static void write_frame(struct client *client, struct span json)
{
    struct outgoing *outgoing = mem_zalloc(sizeof *outgoing);
    uv_buf_t bytes;

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

/* One answer goes as it is, several as an array. */
static void send_batch(struct client *client)
{
    unsigned count = client->batch_count;

    if (count == 0)
        return;
    client->batch_count = 0;
    buf_put(&client->batch, "]", 1);
    if (!uv_is_closing((uv_handle_t *)&client->pipe)) {
        struct span array = span_of(client->batch.data, client->batch.length);
        write_frame(client, count > 1 ? array : span_of(array.data + 1, array.length - 2));
    }
    buf_clear(&client->batch);
}

static void turn_ends(uv_prepare_t *turn)
{
    struct control *control = turn->data;

    uv_prepare_stop(turn);
    list_for_each(link, next, &control->clients) send_batch(list_entry(link, struct client, link));
}

/* A browser takes about a millisecond for each message from a host, however short. */
static void add_to_batch(struct client *client, struct span json)
{
    if (client->batch_count == LIMIT_BATCH || client->batch.length + json.length > LIMIT_BATCH_OUT)
        send_batch(client);
    buf_put(&client->batch, client->batch_count == 0 ? "[" : ",", 1);
    buf_put(&client->batch, json.data, json.length);
    client->batch_count++;
    uv_prepare_start(&client->control->turn, turn_ends);
}

static size_t waiting(const struct client *client)
{
    return client->queued + client->batch.length;
}

size_t control_queued(const struct control *control, uint64_t number)
{
    const struct client *client = find(control, number);
    return client != NULL ? waiting(client) : 0;
}

void control_send(struct control *control, uint64_t number, struct span json)
{
    struct client *client = find(control, number);

    if (client == NULL || !client_alive(client))
        return;
    if (json.length > LIMIT_FRAME_OUT || waiting(client) + json.length > LIMIT_CONTROL_QUEUE) {
        log_warning("control: client %llu %s; connection closed", (unsigned long long)number,
                    json.length > LIMIT_FRAME_OUT ? "would get too long a frame" : "does not read");
        client_end(client);
        return;
    }
    if (client->batches && json.length <= LIMIT_BATCH_OUT) {
        add_to_batch(client, json);
        return;
    }
    send_batch(client);
    write_frame(client, json);
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
    buf_init(&client->batch, LIMIT_BATCH_OUT + LIMIT_BATCH + KIB(1));
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

static void handle_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;

    if (--control->open_handles > 0)
        return;
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
    uv_prepare_init(&loop->uv, &control->turn);
    control->turn.data = control;
    control->open_handles = 2;
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
    send_batch(client);
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
    uv_close((uv_handle_t *)&control->listener, handle_closed);
    uv_close((uv_handle_t *)&control->turn, handle_closed);
}
