/* What a node wants done: carried out in the world, and held to the rules on the way. */
#include "base/limits.h"
#include "base/mem.h"
#include "publisher.h"
#include "server.h"
#include "visitor.h"
#include "wire/json.h"
#include "wire/supernode_url.h"
#include "wire/udp_tracker.h"

#include <string.h>

/* --- effects: peers */

static void check_may_talk(struct visitor *visitor, const char *what)
{
    if (visitor_is_off(visitor))
        world_fail(visitor->world, "%s is off, and does this: %s", visitor->host->name, what);
}

static struct conn *conn_of(struct visitor *visitor, uint64_t name, const char *what,
                            struct socket **ret_socket)
{
    struct socket *socket = visitor_socket(visitor, name);
    struct conn *conn = socket != NULL ? link_find(visitor->world, socket->conn) : NULL;

    if (conn == NULL)
        world_fail(visitor->world, "%s: %s on connection %llx, which is dead", visitor->host->name,
                   what, (unsigned long long)name);
    *ret_socket = socket;
    return conn;
}

/* A super-node's URL, by whatever it carries its bytes, with a numeric address in it. */
static struct address address_of_url(struct visitor *visitor, const char *text)
{
    struct supernode_url url;
    struct address address = {.family = 0};

    if (!supernode_url_parse(text, &url) || address_parse(url.authority, &address) != ERR_OK)
        world_fail(visitor->world, "%s dials the super-node %s", visitor->host->name, text);
    return address;
}

static void do_dial(struct visitor *visitor, const struct effect *effect)
{
    char to_text[ADDRESS_TEXT];
    struct address to = effect->text.length > 0
                            ? address_of_url(visitor, (const char *)effect->text.data)
                            : effect->peer.to;

    address_format(&to, to_text);
    check_may_talk(visitor, "dial");
    if (visitor_socket(visitor, effect->peer.conn) != NULL)
        world_fail(visitor->world, "%s dials with a number that it uses", visitor->host->name);
    if (gauges_paused(visitor))
        world_fail(visitor->world, "%s dials though it is paused", visitor->host->name);
    visitor->counts.dials++;
    struct host *host = link_find_address(visitor->world, &to);
    world_trace(visitor->world, "%s > dial %s", visitor->host->name,
                host != NULL ? host->name : to_text);
    struct conn *conn =
        link_dial(visitor->host, &to, effect->peer.conn, &visitor_peer_events, visitor);
    visitor_add_socket(visitor, effect->peer.conn, conn, 0);
}

static void check_queue(struct visitor *visitor, const struct conn *conn, int side)
{
    if (link_queued(conn, side) > LIMIT_PEER_SEND_QUEUE)
        world_fail(visitor->world, "%s has %zu bytes unsent on one connection", visitor->host->name,
                   link_queued(conn, side));
}

static void do_send(struct visitor *visitor, const struct effect *effect)
{
    struct socket *socket;
    struct conn *conn = conn_of(visitor, effect->peer.conn, "send", &socket);

    if (!socket->opened)
        world_fail(visitor->world, "%s sends before it is connected", visitor->host->name);
    if (effect->text.failed)
        world_fail(visitor->world, "%s sends more than its buffer takes", visitor->host->name);
    sniff_bytes(visitor, socket, span_of(effect->text.data, effect->text.length));
    link_send(conn, socket->side, effect->text.data, effect->text.length);
    check_queue(visitor, conn, socket->side);
}

static void do_send_block(struct visitor *visitor, const struct effect *effect)
{
    struct span head = span_of(effect->text.data, effect->text.length);
    struct socket *socket;
    struct conn *conn = conn_of(visitor, effect->peer.conn, "send a block", &socket);

    sniff_block(visitor, socket, effect);
    const struct content *content = library_find(visitor->world, effect->peer.file.root);
    visitor->counts.blocks_sent++;
    socket->owes = true;
    visitor->counts.block_bytes_sent += effect->peer.length;
    gauges_sent_block(visitor, head.length + effect->peer.length + effect->peer.pad);
    link_send_block(conn, socket->side, head, content->data + effect->peer.offset,
                    effect->peer.length, effect->peer.pad);
    check_queue(visitor, conn, socket->side);
}

static void do_close(struct visitor *visitor, const struct effect *effect)
{
    struct socket *socket;
    struct conn *conn = conn_of(visitor, effect->peer.conn, "close", &socket);
    struct host *to = conn->ends[1 - socket->side].host;

    world_trace(visitor->world, "%s > close %s", visitor->host->name,
                to != NULL ? to->name : "dial");
    visitor->counts.closed_by_us++;
    int side = socket->side;
    visitor_drop_socket(visitor, socket);
    link_close(conn, side);
}

/* --- effects: http */

static void do_http_get(struct visitor *visitor, const struct effect *effect)
{
    const char *url = (const char *)effect->text.data;
    struct http_want want = {.op = effect->http.op,
                             .url = url,
                             .has_range = effect->http.has_range,
                             .first = effect->http.first,
                             .last = effect->http.last,
                             .max = effect->http.max,
                             .paced = effect->http.paced,
                             .timeout_ms = effect->http.timeout_ms};
    if (effect->http.condition > 0)
        want.condition = url + effect->http.condition;

    /* A last word to the tracker is no more than the politeness to be forgotten. */
    if (strstr(url, "event=stopped") == NULL)
        check_may_talk(visitor, url);
    visitor->counts.gets++;
    if (want.has_range)
        world_trace(visitor->world, "%s > get %.200s %llu-%llu", visitor->host->name, url,
                    (unsigned long long)want.first, (unsigned long long)want.last);
    else
        world_trace(visitor->world, "%s > get %.200s", visitor->host->name, url);
    server_request(visitor, &want);
    uint32_t active = server_active(visitor);
    if (active > visitor->counts.max_gets)
        visitor->counts.max_gets = active;
}

static void do_http_cancel(struct visitor *visitor, const struct effect *effect)
{
    world_trace(visitor->world, "%s > cancel", visitor->host->name);
    if (!server_cancel(visitor, effect->http.op))
        world_fail(visitor->world, "%s cancels a request that is over", visitor->host->name);
}

/* To connect for a last word is allowed, too. */
static void do_datagram(struct visitor *visitor, const struct effect *effect)
{
    const uint8_t *data = effect->text.data + effect->datagram.data;
    size_t length = effect->text.length - effect->datagram.data;
    bool announces = length == 98 && load_u32be(data + 8) == UDP_TRACKER_ANNOUNCE;
    uint32_t event = announces ? load_u32be(data + 80) : 0;

    if (announces && event != 3)
        check_may_talk(visitor, "announce over UDP");
    world_trace(visitor->world, "%s > datagram %s:%u %s %u", visitor->host->name,
                (const char *)effect->text.data, effect->datagram.port,
                announces ? "announce" : "connect", event);
    datagram_send(visitor, effect);
}

/* --- effects: answers */

static void do_event(struct visitor *visitor, json_t *json)
{
    json_decref(visitor->last_event);
    visitor->last_event = json;
    visitor->events++;
}

/* What goes with an answer is on the disk, whole, and its hashes were right (disk.c). */
static void check_body(const struct visitor *visitor, const struct ask *ask,
                       const struct effect *effect)
{
    const struct metainfo_file *file = &effect->answer.file;

    if (ask->request.inline_max < file->length ||
        !disk_has(visitor->disk, file->root, effect->answer.piece_length, 0, file->length))
        world_fail(visitor->world, "%s gives bytes with an answer that it must not: %s",
                   visitor->host->name, ask->request.path);
}

static void do_answer(struct visitor *visitor, const struct effect *effect)
{
    struct ask *ask;
    json_t *json;

    world_trace(visitor->world, "%s > answer %.*s", visitor->host->name, (int)effect->text.length,
                effect->text.data);
    if (json_load_object(effect->text.data, effect->text.length, &json) != ERR_OK)
        world_fail(visitor->world, "%s answers what is no JSON object", visitor->host->name);
    if (json_object_get(json, "event") != NULL) {
        do_event(visitor, json);
        return;
    }
    uint64_t id = (uint64_t)json_integer_value(json_object_get(json, "id"));
    HASH_FIND(hh, visitor->asks, &id, sizeof id, ask);
    if (ask == NULL || ask->answer != NULL || ask->client != effect->answer.client)
        world_fail(visitor->world, "%s answers a request that nobody made", visitor->host->name);
    ask->answer = json;
    ask->has_body = effect->answer.has_body;
    if (ask->has_body)
        check_body(visitor, ask, effect);
    if (ask->fetch != NULL)
        fetch_answered(ask->fetch, json);
}

static void do_log(struct visitor *visitor, const struct effect *effect)
{
    world_trace(visitor->world, "%s > log %s", visitor->host->name,
                (const char *)effect->text.data);
}

static void do_store_piece(struct visitor *visitor, struct effect *effect)
{
    world_trace(visitor->world, "%s > store piece %u, %u bytes", visitor->host->name,
                effect->store.piece, effect->store.length);
    disk_store_piece(visitor->disk, effect);
}

void visitor_do_effect(struct visitor *visitor, struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_ANSWER:
        do_answer(visitor, effect);
        break;
    case EFFECT_STREAM_HEAD:
    case EFFECT_STREAM_READY:
    case EFFECT_STREAM_FAIL:
        fetch_effect(visitor, effect);
        break;
    case EFFECT_DIAL:
        do_dial(visitor, effect);
        break;
    case EFFECT_SEND:
        do_send(visitor, effect);
        break;
    case EFFECT_SEND_BLOCK:
        do_send_block(visitor, effect);
        break;
    case EFFECT_CLOSE:
        do_close(visitor, effect);
        break;
    case EFFECT_HTTP_GET:
        do_http_get(visitor, effect);
        break;
    case EFFECT_HTTP_CANCEL:
        do_http_cancel(visitor, effect);
        break;
    case EFFECT_RECEIVE:
        link_hold(visitor->host, effect->receive.held, effect->receive.bodies_held);
        break;
    case EFFECT_LSD_LISTEN:
        visitor->listens = effect->lsd.on;
        break;
    case EFFECT_SURROUNDINGS:
        visitor_watch(visitor, effect->surroundings_on);
        break;
    case EFFECT_LSD_SEND:
        datagram_shout(visitor, effect);
        break;
    case EFFECT_DATAGRAM:
        do_datagram(visitor, effect);
        break;
    case EFFECT_DATAGRAM_END:
        datagram_end(visitor, effect->datagram.op);
        break;
    case EFFECT_LOAD_TORRENT:
        disk_load_torrent(visitor->disk, effect);
        break;
    case EFFECT_LOAD_CONTENT:
        disk_load_content(visitor->disk, effect);
        break;
    case EFFECT_STORE_PIECE:
        do_store_piece(visitor, effect);
        break;
    case EFFECT_LOAD_LEAVES:
        disk_load_leaves(visitor->disk, effect);
        break;
    case EFFECT_REBUILD:
        disk_rebuild(visitor->disk, effect);
        break;
    case EFFECT_SAVE_SITE:
        disk_save_site(visitor->disk, effect);
        break;
    case EFFECT_SAVE_SETTINGS:
        disk_save_settings(visitor->disk, effect);
        break;
    case EFFECT_SAVE_TORRENT:
        disk_save_torrent(visitor->disk, effect);
        break;
    case EFFECT_LOG:
        do_log(visitor, effect);
        break;
    case EFFECT_TRANSFER:    /* no visitor here keeps a log, */
    case EFFECT_EXPECT_FILE: /* or has a quota */
    case EFFECT_FILES_OLD:
    case EFFECT_FILES_CURRENT:
        break;
    case EFFECT_STOP:
        world_trace(visitor->world, "%s > stop", visitor->host->name);
        visitor->counts.stops++;
        break;
    }
}
