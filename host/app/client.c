#include "app/client.h"

#include "app/cmd.h"
#include "base/mem.h"
#include "base/paths.h"
#include "wire/json.h"
#include "wire/native_frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define API_VERSION 1
#define TIMEOUT_S   60 /* without a byte: a release that has to be fetched first may take long */

struct client {
    int fd;
    uint64_t last_id;
    size_t used; /* of `in`, by the frame that was answered last */
    struct span text;
    struct buf in;
};

int client_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int connect_to(const char *path, unsigned seconds)
{
    struct timeval timeout = {.tv_sec = (time_t)seconds};
    int fd = client_connect(path);
    if (fd < 0 && errno == ENAMETOOLONG) {
        cmd_fail("%s is too long for a socket: choose a shorter --socket", path);
        return -1;
    }
    if (fd < 0) {
        cmd_fail("no host answers at %s (%s): start `fringe daemon`, or a browser with the Fringe "
                 "extension",
                 path, strerror(errno));
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    return fd;
}

static bool say_hello(struct client *client)
{
    struct api_request request = {.type = API_HELLO, .api = API_VERSION};
    json_t *answer = NULL;
    bool good = client_ask(client, &request, &answer);
    if (good && client_number(answer, "api") != API_VERSION)
        good = cmd_fail("the host that runs is of another version (%s): end it with `fringe stop`",
                        client_text(answer, "version", "?")) == CMD_OK;
    json_decref(answer);
    return good;
}

struct client *client_open(const char *socket)
{
    return client_open_within(socket, TIMEOUT_S);
}

struct client *client_open_within(const char *socket, unsigned seconds)
{
    char path[4096];
    if (socket == NULL && !paths_socket(path, sizeof path)) {
        cmd_fail("no place for the socket: set HOME, or give --socket PATH");
        return NULL;
    }
    int fd = connect_to(socket != NULL ? socket : path, seconds);
    if (fd < 0)
        return NULL;
    struct client *client = mem_zalloc(sizeof *client);
    client->fd = fd;
    buf_init(&client->in, LIMIT_FRAME_OUT + NATIVE_FRAME_HEADER + KIB(64));
    if (!say_hello(client)) {
        client_free(client);
        return NULL;
    }
    return client;
}

void client_free(struct client *client)
{
    if (client == NULL)
        return;
    close(client->fd);
    buf_done(&client->in);
    mem_free(client);
}

static bool send_all(struct client *client, const struct buf *out)
{
    for (size_t at = 0; at < out->length;) {
        ssize_t put = send(client->fd, out->data + at, out->length - at, MSG_NOSIGNAL);
        if (put <= 0)
            return cmd_fail("the host does not listen: %s", strerror(errno)) == CMD_OK;
        at += (size_t)put;
    }
    return true;
}

/* The next frame; borrowed until the next call. */
static bool next_frame(struct client *client, struct span *ret)
{
    buf_drop_front(&client->in, client->used);
    client->used = 0;
    for (;;) {
        enum err err = native_frame_decode(client->in.data, client->in.length, LIMIT_FRAME_OUT, ret,
                                           &client->used);
        if (err == ERR_OK)
            return true;
        if (err != ERR_MORE)
            return cmd_fail("the host sent a frame over the limit") == CMD_OK;
        uint8_t *at = buf_extend(&client->in, KIB(16));
        if (at == NULL)
            return cmd_fail("the host sent a frame over the limit") == CMD_OK;
        ssize_t got = recv(client->fd, at, KIB(16), 0);
        client->in.length -= KIB(16) - (got > 0 ? (size_t)got : 0);
        if (got == 0)
            return cmd_fail("the host has closed the connection") == CMD_OK;
        if (got < 0 && errno != EINTR)
            return cmd_fail("the host does not answer: %s", strerror(errno)) == CMD_OK;
    }
}

static bool check_answer(const json_t *answer)
{
    if (json_is_true(json_object_get(answer, "ok")))
        return true;
    return cmd_fail("%s (%s)", client_text(answer, "text", "the host refused"),
                    client_text(answer, "error", "failed")) == CMD_OK;
}

bool client_ask(struct client *client, struct api_request *request, json_t **ret_answer)
{
    struct buf json, frame;
    json_t *answer = NULL;
    bool good, found = false;
    request->id = ++client->last_id;
    buf_init(&json, LIMIT_FRAME_IN);
    buf_init(&frame, LIMIT_FRAME_IN + NATIVE_FRAME_HEADER);
    api_request_write(request, &json);
    native_frame_encode(span_of(json.data, json.length), &frame);
    good = send_all(client, &frame);
    while (good && !found) {
        good = next_frame(client, &client->text);
        if (good && json_load_object(client->text.data, client->text.length, &answer) != ERR_OK)
            good = cmd_fail("the host sent what is no JSON object") == CMD_OK;
        found = good && client_number(answer, "id") == request->id;
        if (good && !found)
            json_decref(answer);
    }
    good = good && check_answer(answer);
    if (good)
        *ret_answer = answer;
    else if (found)
        json_decref(answer);
    buf_done(&json);
    buf_done(&frame);
    return good;
}

struct span client_answer_text(const struct client *client)
{
    return client->text;
}

const char *client_text(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : otherwise;
}

uint64_t client_number(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}
