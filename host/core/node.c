#include "core/node.h"
#include "core/blame.h"
#include "core/delta.h"

#include "base/mem.h"
#include "core/node_impl.h"
#include "core/peer.h"
#include "core/site.h"
#include "core/strikes.h"
#include "core/supernode.h"
#include "core/swarm.h"

#include <string.h>

/* --- birth and death */

struct node *node_new(const struct node_config *config)
{
    struct node *node = mem_zalloc(sizeof *node);

    node->config = *config;
    node->config.version = mem_strdup(config->version != NULL ? config->version : "");
    node->config.gateway = mem_strdup(config->gateway != NULL ? config->gateway : "");
    node->config.data = mem_strdup(config->data != NULL ? config->data : "");
    node->now_ms = config->start_ms;
    node->deadline_ms = config->local_discovery ? config->start_ms : UINT64_MAX;
    node->mapping_state = "off";
    node->mapping_method = "";
    rng_init(&node->rng, config->seed);
    fair_use_init(node);
    list_init(&node->farewells);
    list_init(&node->asking);
    for (size_t i = 0; i < config->site_count; i++)
        node->config.sites[i] = mem_strdup(config->sites[i]);
    if (config->supernode)
        node->deadline_ms = config->start_ms;
    return node;
}

static void free_small_tables(struct node *node)
{
    struct op *op, *next_op;
    HASH_ITER(hh, node->ops, op, next_op)
    node_op_end(node, op->number);
    node_tell_done(node);
    strikes_done(node);
    struct doc *doc, *next_doc;
    HASH_ITER(hh, node->docs, doc, next_doc)
    doc_free(node, doc);
}

void node_free(struct node *node)
{
    if (node == NULL)
        return;
    /* Freeing sites still emits effects (closing peers); nobody carries them out. */
    struct update update;
    update_init(&update);
    node->update = &update;
    struct stream *stream, *next_stream;
    HASH_ITER(hh, node->streams, stream, next_stream)
    stream_closed(node, stream->number);
    struct site *site, *next_site;
    HASH_ITER(hh, node->sites, site, next_site)
    site_free(site);
    struct peer *peer, *next_peer;
    HASH_ITER(hh, node->peers, peer, next_peer)
    peer_close(peer, false);
    farewells_free(node);
    free_small_tables(node);
    update_done(&update);
    mem_free((void *)node->config.version);
    mem_free((void *)node->config.gateway);
    mem_free((void *)node->config.data);
    for (size_t i = 0; i < node->config.site_count; i++)
        mem_free((void *)node->config.sites[i]);
    mem_free(node);
}

/* --- numbers, ops, wake-ups */

uint64_t node_number(struct node *node)
{
    return ++node->last_number;
}

struct peer *node_find_peer(const struct node *node, uint64_t conn)
{
    struct peer *peer;

    HASH_FIND(hh, node->peers, &conn, sizeof conn, peer);
    return peer;
}

uint64_t node_op_begin(struct node *node, enum op_kind kind, void *owner)
{
    struct op *op = mem_zalloc(sizeof *op);

    op->number = node_number(node);
    op->kind = kind;
    op->owner = owner;
    HASH_ADD(hh, node->ops, number, sizeof op->number, op);
    return op->number;
}

static struct op *find_op(struct node *node, uint64_t number, enum op_kind kind)
{
    struct op *op;

    HASH_FIND(hh, node->ops, &number, sizeof number, op);
    return op != NULL && op->kind == kind ? op : NULL;
}

void node_op_end(struct node *node, uint64_t number)
{
    struct op *op;

    HASH_FIND(hh, node->ops, &number, sizeof number, op);
    if (op == NULL)
        return;
    HASH_DEL(node->ops, op);
    mem_free(op);
}

void node_wake(struct node *node, uint64_t at_ms)
{
    if (at_ms < node->deadline_ms)
        node->deadline_ms = at_ms;
}

uint64_t node_deadline(const struct node *node)
{
    uint64_t at = supernode_next_tick_ms(node);

    return node->deadline_ms > at ? node->deadline_ms : at;
}

/* --- the port that others dial */

uint16_t node_public_port(const struct node *node)
{
    return node->external.port != 0 ? node->external.port : node->config.listen.port;
}

uint16_t node_port_for(const struct node *node, const struct address *peer)
{
    bool through_router = peer->family == 4 && address_is_public(peer);

    return through_router ? node_public_port(node) : node->config.listen.port;
}

static void port_mapped(struct node *node, const struct event *event)
{
    uint16_t before = node_public_port(node);

    node->external = event->mapping.external;
    node->mapping_state = event->mapping.state;
    node->mapping_method = event->mapping.method;
    if (node_public_port(node) != before)
        node_wake(node, node->now_ms); /* trackers are told */
}

/* --- the step */

static void request_step(struct node *node, const struct event *event)
{
    const struct api_request *request = event->client.request;

    if (request->type == API_HELLO && request->extension)
        node_tell_to(node, event->client.client);
    node_handle_request(node, event->client.client, request);
    if (request->type == API_SITE_ZONE) {
        struct site *site = site_get(node, request->site, false);
        if (site != NULL)
            node_tell_zone(node, site, event->client.client);
    }
    if (request->type == API_SETTINGS && request->given[SETTING_DEFAULT_ZONE])
        node_tell_zone(node, NULL, event->client.client);
}

static void peer_step(struct node *node, const struct event *event)
{
    struct peer *peer = node_find_peer(node, event->peer.conn);

    if (event->kind == EVENT_PEER_BYTES)
        fair_use_received(node, event->peer.data.length);
    if (event->kind == EVENT_PEER_OPENED && peer == NULL)
        peer_accepted(node, event->peer.conn, &event->peer.remote);
    if (peer == NULL)
        return;
    if (event->kind == EVENT_PEER_OPENED)
        peer_opened(peer, &event->peer.remote);
    else if (event->kind == EVENT_PEER_BYTES)
        peer_bytes(peer, event->peer.data);
    else if (event->kind == EVENT_PEER_SENT)
        peer_sent(peer, event);
    else
        peer_closed(peer);
}

static void http_step(struct node *node, const struct event *event)
{
    struct op *op = find_op(node, event->http.op, OP_DOWNLOAD);

    if (event->kind == EVENT_HTTP_BODY)
        fair_use_received(node, event->http.data.length);
    if (op != NULL && event->kind == EVENT_HTTP_HEAD)
        download_head(op->owner, event);
    else if (op != NULL && event->kind == EVENT_HTTP_BODY)
        download_body(node, op->owner, event);
    else if (op != NULL && event->kind == EVENT_HTTP_DONE)
        download_finish(node, op->owner, event);
    op = find_op(node, event->http.op, OP_ORIGIN);
    if (op == NULL)
        return;
    if (event->kind == EVENT_HTTP_HEAD)
        origin_head(op->owner, event);
    else if (event->kind == EVENT_HTTP_BODY)
        origin_body(op->owner, event);
    else
        origin_done(op->owner, event);
}

static void datagram_step(struct node *node, const struct event *event)
{
    struct op *op = find_op(node, event->datagram.op, OP_DATAGRAM);

    if (op != NULL)
        udp_announce_heard(op->owner, event);
}

static void store_step(struct node *node, const struct event *event)
{
    struct op *op;

    HASH_FIND(hh, node->ops, &event->store.op, sizeof event->store.op, op);
    if (op == NULL)
        return;
    enum op_kind kind = op->kind;
    void *owner = op->owner;
    node_op_end(node, op->number);
    if (event->kind == EVENT_TORRENT_LOADED && kind == OP_TORRENT)
        swarm_torrent_loaded(owner, event);
    else if (event->kind == EVENT_TORRENT_LOADED && kind == OP_INFO)
        peer_info_loaded(owner, event);
    else if (event->kind == EVENT_CONTENT_LOADED && kind == OP_CONTENT)
        swarm_content_loaded(owner, event);
    else if (event->kind == EVENT_LEAVES_LOADED && kind == OP_LEAVES)
        peer_leaves_loaded(owner, event);
    else if (event->kind == EVENT_LEAVES_LOADED && kind == OP_CASE)
        blame_cases_leaves_loaded(owner, event);
    else if (event->kind == EVENT_PIECE_STORED && kind == OP_PIECE)
        swarm_piece_stored(owner, event);
    else if (event->kind == EVENT_REBUILT && kind == OP_REBUILD)
        delta_rebuilt(owner, event);
}

/* Everything with a deadline is looked at, and the earliest next one kept. That is one pass over
 * what is alive, only when something is due. */
static void tick(struct node *node)
{
    if (node->now_ms < node_deadline(node))
        return;
    node->ticked_ms = node->now_ms;
    node->deadline_ms = UINT64_MAX;
    node_wake(node, supernode_tick(node));
    node_wake(node, fair_use_tick(node));
    node_wake(node, choker_tick(node));
    struct peer *peer, *next_peer;
    HASH_ITER(hh, node->peers, peer, next_peer)
    node_wake(node, peer_tick(peer));
    struct site *site, *next_site;
    HASH_ITER(hh, node->sites, site, next_site)
    node_wake(node, site_tick(site));
    node_wake(node, farewells_tick(node));
    node_wake(node, lsd_tick(node));
    /* What was due has been done: never ask to be woken in the past. */
    if (node->deadline_ms <= node->now_ms)
        node->deadline_ms = node->now_ms + 1;
}

/* All that goes to peers counts, not only blocks. */
static void count_messages(struct node *node, size_t from)
{
    for (size_t i = from; i < node->update->count; i++)
        if (node->update->effects[i]->kind == EFFECT_SEND)
            fair_use_sent(node, node->update->effects[i]->text.length);
}

void node_step(struct node *node, const struct event *event, struct update *update)
{
    node->now_ms = event->now_ms;
    node->wall_s = event->wall_s;
    node->update = update;
    size_t before = update->count;
    health_look_at_clock(node);
    switch (event->kind) {
    case EVENT_TICK:
        break;
    case EVENT_SETTINGS:
        fair_use_restore(node, event->settings);
        break;
    case EVENT_RESTORED:
        site_restore(node, event->restored);
        break;
    case EVENT_REQUEST:
        request_step(node, event);
        break;
    case EVENT_CLIENT_CLOSED:
        node_tell_no_more(node, event->client.client);
        break;
    case EVENT_STREAM_OPENED:
        stream_open(node, event);
        break;
    case EVENT_STREAM_CLOSED:
        stream_closed(node, event->stream.stream);
        break;
    case EVENT_PEER_OPENED:
    case EVENT_PEER_BYTES:
    case EVENT_PEER_SENT:
    case EVENT_PEER_CLOSED:
        peer_step(node, event);
        break;
    case EVENT_HTTP_HEAD:
    case EVENT_HTTP_BODY:
    case EVENT_HTTP_DONE:
        http_step(node, event);
        break;
    case EVENT_LSD_HEARD:
        lsd_heard(node, event);
        break;
    case EVENT_DATAGRAM:
        datagram_step(node, event);
        break;
    case EVENT_TORRENT_LOADED:
    case EVENT_CONTENT_LOADED:
    case EVENT_PIECE_STORED:
    case EVENT_LEAVES_LOADED:
    case EVENT_REBUILT:
        store_step(node, event);
        break;
    case EVENT_STORE:
        health_store(node, event->store.result);
        break;
    case EVENT_NETWORK:
        health_network(node, event->online);
        break;
    case EVENT_SURROUNDINGS:
        fair_use_surroundings(node, &event->surroundings);
        break;
    case EVENT_FILE_LOST:
        swarm_file_lost(node, event->store.root);
        break;
    case EVENT_NO_ROOM:
        swarm_refused(node, event->store.root, event->store.result);
        break;
    case EVENT_FILE_GONE:
        swarm_file_gone(node, event->store.root);
        break;
    case EVENT_PORT_MAPPED:
        port_mapped(node, event);
        break;
    }
    tick(node);
    fair_use_look_at_disk(node);
    health_tell(node);
    count_messages(node, before);
    node->update = NULL;
}

void node_farewell(struct node *node, struct update *update)
{
    node->update = update;
    for (struct site *site = node->sites; site != NULL; site = site->hh.next)
        list_for_each(link, next, &site->swarms)
            swarm_announce_stopped(list_entry(link, struct swarm, in_site));
    node->update = NULL;
}

void node_drain(struct node *node, struct update *update)
{
    node->update = update;
    supernode_drain(node);
    node->update = NULL;
}
