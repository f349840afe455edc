/* What the node wants done, done: one function an effect. */
#include "app/daemon_impl.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/file_bytes.h"

#include <sodium.h>
#include <string.h>

/* --- clients and streams */

static bool read_whole(struct daemon *daemon, const struct effect *effect, uint8_t *bytes)
{
    const struct metainfo_file *file = &effect->answer.file;
    int fd;

    if (!store_has_content(daemon->store, file->root))
        return false;
    enum err err = store_fd(daemon->store, file, effect->answer.piece_length, &fd);
    if (err == ERR_MISMATCH)
        daemon_file_lost(daemon, file);
    if (err != ERR_OK || file_bytes_read(fd, bytes, (size_t)file->length, 0) != ERR_OK)
        return false;
    daemon_cache_used(daemon, file->root);
    return true;
}

/* Puts the file's bytes into the answer, as its last member. What cannot be read is left to the
 * gateway, which says so, and what a slow client would have to be dropped for to its pace. */
static void put_body(struct daemon *daemon, struct effect *effect)
{
    char text[sodium_base64_ENCODED_LEN(LIMIT_INLINE, sodium_base64_VARIANT_ORIGINAL)];
    uint8_t bytes[LIMIT_INLINE];
    size_t length = (size_t)effect->answer.file.length;

    if (length > sizeof bytes || effect->text.length == 0 ||
        control_queued(daemon->control, effect->answer.client) > LIMIT_CONTROL_QUEUE / 4 ||
        !read_whole(daemon, effect, bytes))
        return;
    sodium_bin2base64(text, sizeof text, bytes, length, sodium_base64_VARIANT_ORIGINAL);
    effect->text.length--; /* the closing brace */
    buf_printf(&effect->text, ",\"body\":\"%s\"}", text);
}

static void answer_client(struct daemon *daemon, struct effect *effect)
{
    if (effect->answer.has_body)
        put_body(daemon, effect);
    control_send(daemon->control, effect->answer.client,
                 span_of(effect->text.data, effect->text.length));
}

/* A file that is still to come is made here. */
static enum err open_for_stream(struct daemon *daemon, const struct effect *effect, int *ret_fd)
{
    const struct metainfo_file *file = &effect->stream.file;
    enum err err = daemon_cache_reserve(daemon, file, effect->stream.site);

    if (err == ERR_OK || store_has_content(daemon->store, file->root)) /* what is there is given */
        err = store_fd(daemon->store, file, effect->stream.piece_length, ret_fd);
    if (err == ERR_OK)
        daemon_cache_stream(daemon, effect->stream.stream, file->root);
    return err;
}

static void stream_head(struct daemon *daemon, struct effect *effect)
{
    char etag[HEX_LENGTH(HASH_LENGTH)];
    struct gateway_head head = {.status = effect->stream.status,
                                .first = effect->stream.first,
                                .end = effect->stream.end,
                                .length = effect->stream.length,
                                .content_type = (const char *)effect->text.data,
                                .etag = etag,
                                .fd = -1};

    hex_encode(etag, effect->stream.file.root, HASH_LENGTH);
    enum err err = ERR_OK;
    if (head.length > 0 && head.status != 416)
        err = open_for_stream(daemon, effect, &head.fd);
    if (err == ERR_MISMATCH)
        daemon_file_lost(daemon, &effect->stream.file);
    if (err != ERR_OK) {
        gateway_fail(daemon->gateway, effect->stream.stream, 503);
        /* The gateway says nothing after a failure: the node must hear of it all the same. */
        struct answer *answer = mem_zalloc(sizeof *answer);
        answer->event.kind = EVENT_STREAM_CLOSED;
        answer->event.stream.stream = effect->stream.stream;
        list_push_back(&daemon->answers, &answer->link);
        return;
    }
    gateway_head(daemon->gateway, effect->stream.stream, &head);
}

/* --- peers */

static void tell_of_file(struct daemon *daemon, enum event_kind kind,
                         const struct metainfo_file *file, enum err result)
{
    struct answer *answer = mem_zalloc(sizeof *answer);

    answer->event.kind = kind;
    answer->event.store.result = result;
    memcpy(answer->root, file->root, HASH_LENGTH);
    answer->event.store.root = answer->root;
    list_push_back(&daemon->answers, &answer->link);
}

/* The store has found content damaged: the node must not offer it any more. */
void daemon_file_lost(struct daemon *daemon, const struct metainfo_file *file)
{
    tell_of_file(daemon, EVENT_FILE_LOST, file, ERR_OK);
}

static void expect_file(struct daemon *daemon, const struct effect *effect)
{
    enum err err = daemon_cache_reserve(daemon, &effect->store.file, effect->store.site);

    if (err != ERR_OK)
        tell_of_file(daemon, EVENT_NO_ROOM, &effect->store.file, err);
}

static bool is_ws(const struct daemon *daemon, uint64_t conn)
{
    return (conn & CONN_WEBSOCKET) != 0 && daemon->ws != NULL;
}

static void close_peer(struct daemon *daemon, uint64_t conn)
{
    daemon_dial_cancel(daemon, conn);
    if (is_ws(daemon, conn))
        ws_close(daemon->ws, conn);
    else
        tcp_close(daemon->tcp, conn);
}

static void send_bytes(struct daemon *daemon, const struct effect *effect)
{
    if (is_ws(daemon, effect->peer.conn))
        ws_send(daemon->ws, effect->peer.conn, effect->text.data, effect->text.length);
    else
        tcp_send(daemon->tcp, effect->peer.conn, effect->text.data, effect->text.length);
}

static void send_block(struct daemon *daemon, struct effect *effect)
{
    int fd;

    daemon_cache_given(daemon, effect->peer.file.root);
    if (store_fd(daemon->store, &effect->peer.file, effect->peer.piece_length, &fd) != ERR_OK) {
        daemon_file_lost(daemon, &effect->peer.file);
        close_peer(daemon, effect->peer.conn);
        struct answer *answer = mem_zalloc(sizeof *answer);
        answer->event.kind = EVENT_PEER_CLOSED;
        answer->event.peer.conn = effect->peer.conn;
        answer->event.peer.why = ERR_IO;
        list_push_back(&daemon->answers, &answer->link);
        return;
    }
    if (is_ws(daemon, effect->peer.conn))
        ws_send_file(daemon->ws, effect->peer.conn, effect->text.data, effect->text.length, fd,
                     effect->peer.offset, effect->peer.length, effect->peer.pad);
    else
        tcp_send_file(daemon->tcp, effect->peer.conn, effect->text.data, effect->text.length, fd,
                      effect->peer.offset, effect->peer.length, effect->peer.pad);
}

/* --- the store */

static void load_torrent(struct daemon *daemon, struct effect *effect)
{
    struct answer *answer = mem_zalloc(sizeof *answer);

    answer->event.kind = EVENT_TORRENT_LOADED;
    answer->event.store.op = effect->store.op;
    answer->loads_torrent = true;
    memcpy(answer->infohash, effect->store.infohash, HASH_LENGTH);
    list_push_back(&daemon->answers, &answer->link);
}

static void load_content(struct daemon *daemon, struct effect *effect)
{
    struct answer *answer = mem_zalloc(sizeof *answer);

    answer->event.kind = EVENT_CONTENT_LOADED;
    answer->event.store.op = effect->store.op;
    answer->event.store.result = store_load_have(daemon->store, effect->store.meta, &answer->have);
    answer->event.store.have = &answer->have;
    daemon_cache_current(daemon, effect->store.meta, effect->store.site);
    list_push_back(&daemon->answers, &answer->link);
}

static void store_answer(struct daemon *daemon, enum event_kind kind, uint64_t op, enum err err)
{
    struct answer *answer = mem_zalloc(sizeof *answer);

    answer->event.kind = kind;
    answer->event.store.op = op;
    answer->event.store.result = err;
    list_push_back(&daemon->answers, &answer->link);
}

static void submit(struct daemon *daemon, const struct effect *effect, const struct hasher_job *job,
                   bool reading)
{
    struct storing *storing = mem_zalloc(sizeof *storing);

    storing->op = job->op;
    storing->reading = reading;
    storing->file = effect->store.file;
    storing->piece_length = effect->store.piece_length;
    storing->piece = effect->store.piece;
    HASH_ADD(hh, daemon->storing, op, sizeof storing->op, storing);
    store_pin(daemon->store, storing->file.root);
    hasher_submit(daemon->hasher, job);
}

static struct hasher_job piece_job(const struct effect *effect)
{
    struct hasher_job job = {.op = effect->store.op,
                             .length = effect->store.length,
                             .file_length = effect->store.file.length,
                             .piece_length = effect->store.piece_length,
                             .offset = (uint64_t)effect->store.piece * effect->store.piece_length};

    memcpy(job.expected, effect->store.expected, HASH_LENGTH);
    return job;
}

static void store_piece(struct daemon *daemon, struct effect *effect)
{
    struct hasher_job job = piece_job(effect);

    enum err err = daemon_cache_reserve(daemon, &effect->store.file, effect->store.site);
    if (err == ERR_OK)
        err = store_fd(daemon->store, &effect->store.file, job.piece_length, &job.fd);
    if (err != ERR_OK) {
        store_answer(daemon, EVENT_PIECE_STORED, job.op, err);
        return;
    }
    job.data = effect->store.data;
    effect->store.data = NULL;
    submit(daemon, effect, &job, false);
}

/* Reads a stored piece for the hashes of its blocks. */
static void load_leaves(struct daemon *daemon, struct effect *effect)
{
    struct hasher_job job = piece_job(effect);

    daemon_cache_used(daemon, effect->store.file.root);
    if (store_fd(daemon->store, &effect->store.file, job.piece_length, &job.fd) != ERR_OK) {
        store_answer(daemon, EVENT_LEAVES_LOADED, job.op, ERR_IO);
        daemon_file_lost(daemon, &effect->store.file);
        return;
    }
    submit(daemon, effect, &job, true);
}

static void piece_stored(struct daemon *daemon, const struct storing *storing, enum err err)
{
    if (err != ERR_OK)
        return;
    store_mark_piece(daemon->store, &storing->file, storing->piece_length, storing->piece);
    daemon_cache_stored(daemon, storing->file.root);
    daemon_flush_soon(daemon);
}

static void leaves_read(struct daemon *daemon, const struct storing *storing, enum err err)
{
    if (err == ERR_OK)
        return;
    store_doubt(daemon->store, storing->file.root);
    daemon_file_lost(daemon, &storing->file);
    daemon_flush_soon(daemon);
}

void daemon_piece_done(struct daemon *daemon, const struct hasher_result *result)
{
    struct storing *storing;

    if (result->rebuild != NULL) {
        daemon_rebuilt(daemon, result);
        return;
    }
    HASH_FIND(hh, daemon->storing, &result->op, sizeof result->op, storing);
    if (storing == NULL)
        return;
    struct event event = {.kind = storing->reading ? EVENT_LEAVES_LOADED : EVENT_PIECE_STORED};
    event.store.op = result->op;
    event.store.result = result->err;
    event.store.leaves = result->leaves;
    event.store.data = result->data;
    if (storing->reading)
        leaves_read(daemon, storing, result->err);
    else
        piece_stored(daemon, storing, result->err);
    store_unpin(daemon->store, storing->file.root);
    HASH_DEL(daemon->storing, storing);
    mem_free(storing);
    daemon_step(daemon, &event);
}

void daemon_forget_pieces(struct daemon *daemon)
{
    struct storing *storing, *next;

    HASH_ITER(hh, daemon->storing, storing, next)
    {
        HASH_DEL(daemon->storing, storing);
        mem_free(storing);
    }
}

static void save_site(struct daemon *daemon, struct effect *effect)
{
    const struct site_record *record = &effect->site;
    struct store_site site = {.site = record->site,
                              .zone = record->zone,
                              .has_key = record->has_key,
                              .blocked = record->blocked,
                              .key = record->key,
                              .seq = record->seq,
                              .release = record->release,
                              .signature = record->signature};
    enum err err = store_save_site(daemon->store, &site);

    if (err != ERR_OK)
        log_error("cannot remember %s: %s", site.site, err_text(err));
    daemon_store_failed(daemon, err);
}

static void save_torrent(struct daemon *daemon, struct effect *effect)
{
    enum err err = store_save_torrent(daemon->store, effect->store.infohash,
                                      span_of(effect->text.data, effect->text.length));
    if (err != ERR_OK)
        log_error("cannot keep a torrent: %s", err_text(err));
    daemon_store_failed(daemon, err);
}

/* Trackers are asked over the network, in any case. */
static bool is_of_a_site(const struct daemon *daemon, const char *url)
{
    for (size_t i = 0; i < daemon->options->site_count; i++) {
        size_t length = strlen(daemon->options->sites[i]);
        if (strncmp(url, daemon->options->sites[i], length) == 0 && url[length] == '/')
            return true;
    }
    return false;
}

static void get_http(struct daemon *daemon, struct effect *effect)
{
    struct http_request request = {.op = effect->http.op,
                                   .url = (const char *)effect->text.data,
                                   .has_range = effect->http.has_range,
                                   .first = effect->http.first,
                                   .last = effect->http.last,
                                   .max = effect->http.max,
                                   .public_only = effect->http.public_only,
                                   .family = effect->http.family,
                                   .timeout_ms = effect->http.timeout_ms,
                                   .paced = effect->http.paced};
    if (effect->http.condition > 0)
        request.condition = (const char *)effect->text.data + effect->http.condition;
    if (daemon->webroot != NULL && is_of_a_site(daemon, request.url))
        webroot_get(daemon->webroot, &request);
    else
        http_get(daemon->http, &request);
}

static void cancel_http(struct daemon *daemon, uint64_t op)
{
    http_cancel(daemon->http, op);
    if (daemon->webroot != NULL)
        webroot_cancel(daemon->webroot, op);
}

static void receive(struct daemon *daemon, struct effect *effect)
{
    tcp_receive(daemon->tcp, effect->receive.held, effect->receive.chunk);
    http_receive(daemon->http, effect->receive.bodies_held, effect->receive.chunk);
    if (daemon->ws != NULL)
        ws_receive(daemon->ws, effect->receive.held);
    if (daemon->webroot != NULL)
        webroot_receive(daemon->webroot, effect->receive.bodies_held);
}

static void send_datagram(struct daemon *daemon, struct effect *effect)
{
    struct udp_request request = {.op = effect->datagram.op,
                                  .host = (const char *)effect->text.data,
                                  .port = effect->datagram.port,
                                  .public_only = effect->datagram.public_only,
                                  .family = effect->datagram.family,
                                  .data = effect->text.data + effect->datagram.data,
                                  .length = effect->text.length - effect->datagram.data};
    udp_send(daemon->udp, &request);
}

static void lsd_listen(struct daemon *daemon, bool on)
{
    const struct multicast_events events = {daemon, daemon_lsd_heard};

    multicast_free(daemon->multicast);
    daemon->multicast = NULL;
    if (!on)
        return;
    enum err err = multicast_new(&daemon->loop, &events, &daemon->multicast);
    if (err != ERR_OK)
        log_warning("local discovery does not work here: %s", err_text(err));
}

/* --- all */

static void carry_out(struct daemon *daemon, struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_ANSWER:
        answer_client(daemon, effect);
        break;
    case EFFECT_STREAM_HEAD:
        stream_head(daemon, effect);
        break;
    case EFFECT_STREAM_READY:
        gateway_ready(daemon->gateway, effect->stream.stream, effect->stream.upto);
        break;
    case EFFECT_STREAM_FAIL:
        gateway_fail(daemon->gateway, effect->stream.stream, effect->stream.status);
        break;
    case EFFECT_DIAL:
        daemon_dial(daemon, effect);
        break;
    case EFFECT_SEND:
        send_bytes(daemon, effect);
        break;
    case EFFECT_SEND_BLOCK:
        send_block(daemon, effect);
        break;
    case EFFECT_CLOSE:
        close_peer(daemon, effect->peer.conn);
        break;
    case EFFECT_HTTP_GET:
        get_http(daemon, effect);
        break;
    case EFFECT_HTTP_CANCEL:
        cancel_http(daemon, effect->http.op);
        break;
    case EFFECT_RECEIVE:
        receive(daemon, effect);
        break;
    case EFFECT_LSD_LISTEN:
        lsd_listen(daemon, effect->lsd.on);
        break;
    case EFFECT_LSD_SEND:
        if (daemon->multicast != NULL)
            multicast_send(daemon->multicast, effect->lsd.family, effect->text.data,
                           effect->text.length);
        break;
    case EFFECT_SURROUNDINGS:
        daemon_surroundings(daemon, effect->surroundings_on);
        break;
    case EFFECT_DATAGRAM:
        send_datagram(daemon, effect);
        break;
    case EFFECT_DATAGRAM_END:
        udp_end(daemon->udp, effect->datagram.op);
        break;
    case EFFECT_LOAD_TORRENT:
        load_torrent(daemon, effect);
        break;
    case EFFECT_LOAD_CONTENT:
        load_content(daemon, effect);
        break;
    case EFFECT_STORE_PIECE:
        store_piece(daemon, effect);
        break;
    case EFFECT_LOAD_LEAVES:
        load_leaves(daemon, effect);
        break;
    case EFFECT_EXPECT_FILE:
        expect_file(daemon, effect);
        break;
    case EFFECT_FILES_OLD:
        daemon_cache_old(daemon, span_of(effect->text.data, effect->text.length));
        break;
    case EFFECT_FILES_CURRENT:
        daemon_cache_current(daemon, effect->store.meta, effect->store.site);
        break;
    case EFFECT_REBUILD:
        daemon_rebuild(daemon, effect);
        break;
    case EFFECT_SAVE_SITE:
        save_site(daemon, effect);
        break;
    case EFFECT_SAVE_SETTINGS:
        daemon_save_settings(daemon, &effect->settings);
        break;
    case EFFECT_SAVE_TORRENT:
        save_torrent(daemon, effect);
        break;
    case EFFECT_LOG:
        log_message(effect->level, "%s", (const char *)effect->text.data);
        break;
    case EFFECT_TRANSFER:
        daemon_log_transfer(daemon, effect);
        daemon_shared_count(daemon, effect);
        break;
    case EFFECT_STOP:
        loop_stop(&daemon->loop);
        break;
    }
}

void daemon_carry_out(struct daemon *daemon, struct update *update)
{
    for (size_t i = 0; i < update->count; i++)
        carry_out(daemon, update->effects[i]);
}
