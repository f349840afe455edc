/* A fake tracker: announces over HTTP (BEP 3) with compact replies (BEP 23), and over UDP (BEP 15).
 */
#include "base/limits.h"
#include "base/mem.h"
#include "server.h"
#include "visitor.h"
#include "wire/bencode.h"
#include "wire/udp_tracker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The value of a key in the query, percent-decoded. */
static size_t query_get(const char *query, const char *key, uint8_t *out, size_t max)
{
    size_t key_length = strlen(key), length = 0;

    for (const char *p = strchr(query, '?'); p != NULL; p = strchr(p, '&')) {
        p++;
        if (strncmp(p, key, key_length) != 0 || p[key_length] != '=')
            continue;
        for (p += key_length + 1; *p != '\0' && *p != '&' && length < max; p++) {
            if (*p == '%' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
                out[length++] = (uint8_t)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
                p += 2;
            } else {
                out[length++] = (uint8_t)*p;
            }
        }
        break;
    }
    return length;
}

static uint64_t query_number(const char *query, const char *key)
{
    char text[24] = "";
    query_get(query, key, (uint8_t *)text, sizeof text - 1);
    return strtoull(text, NULL, 10);
}

static struct sim_tracker_key make_key(const uint8_t *infohash, const struct address *address)
{
    struct sim_tracker_key key;

    memset(&key, 0, sizeof key);
    memcpy(key.infohash, infohash, sizeof key.infohash);
    key.address = *address;
    return key;
}

static struct sim_tracker_peer *find_peer(struct sim_tracker *tracker, const uint8_t *infohash,
                                          const struct address *address)
{
    struct sim_tracker_key key = make_key(infohash, address);
    struct sim_tracker_peer *peer;

    HASH_FIND(hh, tracker->table, &key, sizeof key, peer);
    return peer;
}

static struct sim_tracker_peer *add_peer(struct sim_tracker *tracker, const uint8_t infohash[20],
                                         const struct address *address)
{
    struct sim_tracker_peer *peer = find_peer(tracker, infohash, address);

    if (peer != NULL)
        return peer;
    if (tracker->count == tracker->capacity) {
        tracker->capacity = 2 * tracker->capacity + 16;
        tracker->peers = mem_realloc(tracker->peers, tracker->capacity * sizeof *tracker->peers);
    }
    peer = mem_zalloc(sizeof *peer);
    peer->key = make_key(infohash, address);
    peer->place = tracker->count;
    tracker->peers[tracker->count++] = peer;
    HASH_ADD(hh, tracker->table, key, sizeof peer->key, peer);
    return peer;
}

void sim_tracker_add(struct sim_tracker *tracker, const uint8_t infohash[20],
                     const struct address *address)
{
    add_peer(tracker, infohash, address);
}

static void remove_peer(struct sim_tracker *tracker, struct sim_tracker_peer *peer)
{
    struct sim_tracker_peer *last = tracker->peers[--tracker->count];

    tracker->peers[peer->place] = last;
    last->place = peer->place;
    HASH_DEL(tracker->table, peer);
    mem_free(peer);
}

/* The newest first; or, a random tracker, from a random place on with random steps. */
static void put_peers(struct sim_tracker *tracker, const uint8_t *infohash, uint8_t family,
                      uint64_t want, struct buf *peers)
{
    size_t ip_length = family == 6 ? 16 : 4;
    struct world *world = tracker->server->world;
    size_t count = tracker->count, at = 0, longest = count / (want + 1) * 2;

    if (tracker->random && count > 0)
        at = world_below(world, count);
    for (size_t i = 0; i < count && peers->length / (ip_length + 2) < want; i++) {
        const struct sim_tracker_peer *peer =
            tracker->peers[tracker->random ? at % count : count - 1 - i];
        if (tracker->random && longest > 1) {
            uint64_t step = 1 + world_below(world, longest - 1);
            at += step;
            i += step - 1;
        } else {
            at++;
        }
        if (peer->key.address.family != family || memcmp(peer->key.infohash, infohash, 20) != 0)
            continue;
        buf_put(peers, peer->key.address.ip, ip_length);
        buf_put_u16(peers, peer->key.address.port);
    }
}

static void put_count(const struct sim_tracker *tracker, const uint8_t *infohash, const char *name,
                      bool complete, struct buf *body)
{
    int64_t count = 0;

    for (size_t i = 0; i < tracker->count; i++)
        count += memcmp(tracker->peers[i]->key.infohash, infohash, 20) == 0 &&
                 (tracker->peers[i]->left == 0) == complete;
    bencode_put_text(body, name);
    bencode_put_int(body, count);
}

static void put_reply(struct sim_tracker *tracker, const uint8_t *infohash, uint64_t want,
                      struct buf *body)
{
    struct buf peers;

    buf_init(&peers, KIB(64));
    put_peers(tracker, infohash, 4, want, &peers);
    bencode_put_dict(body);
    put_count(tracker, infohash, "complete", true, body);
    put_count(tracker, infohash, "incomplete", false, body);
    bencode_put_text(body, "interval");
    bencode_put_int(body, tracker->interval_s);
    bencode_put_text(body, "peers");
    bencode_put_bytes(body, peers.data, peers.length);
    bencode_put_end(body);
    buf_done(&peers);
}

/* --- over both */

static void take_announce(struct sim_tracker *tracker, const struct tracker_announce *announce,
                          struct address address)
{
    address.port = announce->port;
    struct sim_tracker_peer *known = find_peer(tracker, announce->infohash, &address);

    tracker->announces++;
    tracker->events[announce->event]++;
    tracker->started6 += announce->event == TRACKER_STARTED && address.family == 6;
    if (announce->event == TRACKER_STOPPED) {
        tracker->stopped++;
        tracker->stopped6 += address.family == 6;
        if (known != NULL)
            remove_peer(tracker, known);
    } else if (address.port != 0) {
        add_peer(tracker, announce->infohash, &address)->left = announce->left;
    }
}

static uint64_t wanted(uint64_t want)
{
    return want > 0 && want < 200 ? want : 50;
}

static enum tracker_event event_of(const char *path)
{
    static const char *const names[] = {[TRACKER_COMPLETED] = "completed",
                                        [TRACKER_STARTED] = "started",
                                        [TRACKER_STOPPED] = "stopped"};
    char event[12] = "";

    query_get(path, "event", (uint8_t *)event, sizeof event - 1);
    for (int i = TRACKER_COMPLETED; i <= TRACKER_STOPPED; i++)
        if (strcmp(names[i], event) == 0)
            return (enum tracker_event)i;
    return TRACKER_NONE;
}

static int handle(struct server *server, struct visitor *from, const char *path, struct buf *body)
{
    struct sim_tracker *tracker = server->handler;
    struct tracker_announce announce = {.event = event_of(path)};

    if (tracker->garbage != NULL) {
        tracker->announces++;
        buf_put_text(body, tracker->garbage);
        return 200;
    }
    if (query_get(path, "info_hash", announce.infohash, 20) != 20 ||
        query_get(path, "peer_id", announce.peer_id, 20) != 20 ||
        query_number(path, "compact") != 1)
        world_fail(server->world, "%s announces badly: %s", from->host->name, path);
    announce.port = (uint16_t)query_number(path, "port");
    announce.left = query_number(path, "left");
    take_announce(tracker, &announce, from->host->address);
    put_reply(tracker, announce.infohash, wanted(query_number(path, "numwant")), body);
    return 200;
}

/* --- UDP: what its codec of the host does not do, the tracker's side */

#define CONNECTION    UINT64_C(0x1122334455667788)
#define CONNECTION_MS 120000

static void handle_connect(struct sim_tracker *tracker, struct reader *in, struct buf *reply)
{
    tracker->connects++;
    tracker->connected_ms = world_now_ms(tracker->server->world);
    buf_put_u32(reply, UDP_TRACKER_CONNECT);
    buf_put_u32(reply, reader_u32(in));
    buf_put_u64(reply, CONNECTION + tracker->connects);
}

static void put_udp_peers(struct sim_tracker *tracker, const struct tracker_announce *announce,
                          uint8_t family, struct buf *reply)
{
    struct buf peers;

    buf_init(&peers, KIB(64));
    put_peers(tracker, announce->infohash, family, wanted(announce->num_want), &peers);
    buf_put_u32(reply, tracker->interval_s);
    buf_put_u32(reply, (uint32_t)tracker->count); /* all are leechers here */
    buf_put_u32(reply, 0);
    buf_put(reply, peers.data, peers.length);
    buf_done(&peers);
}

static void handle_announce(struct sim_tracker *tracker, const struct address *from,
                            struct reader *in, struct buf *reply)
{
    struct tracker_announce announce = {0};
    static const enum tracker_event events[] = {TRACKER_NONE, TRACKER_COMPLETED, TRACKER_STARTED,
                                                TRACKER_STOPPED};
    uint32_t transaction = reader_u32(in);

    memcpy(announce.infohash, reader_take(in, 20).data, 20);
    reader_take(in, 20);
    announce.downloaded = reader_u64(in);
    announce.left = reader_u64(in);
    announce.uploaded = reader_u64(in);
    announce.event = events[reader_u32(in) & 3];
    reader_take(in, 8);
    announce.num_want = reader_u32(in);
    announce.port = reader_u16(in);
    if (in->failed || reader_left(in) != 0)
        world_fail(tracker->server->world, "an announce over UDP of the wrong length");
    take_announce(tracker, &announce, *from);
    buf_put_u32(reply, UDP_TRACKER_ANNOUNCE);
    buf_put_u32(reply, transaction);
    put_udp_peers(tracker, &announce, from->family, reply);
}

void sim_tracker_datagram(struct server *server, const struct address *from, struct span data,
                          struct buf *reply)
{
    struct sim_tracker *tracker = server->handler;
    struct reader in;

    reader_init(&in, data.data, data.length);
    uint64_t connection = reader_u64(&in);
    uint32_t action = reader_u32(&in);
    if (tracker->garbage != NULL) {
        tracker->announces++;
        buf_put_text(reply, tracker->garbage);
    } else if (action == UDP_TRACKER_CONNECT) {
        handle_connect(tracker, &in, reply);
    } else if (connection - CONNECTION > tracker->connects ||
               world_now_ms(server->world) > tracker->connected_ms + CONNECTION_MS) {
        world_fail(server->world, "an announce with a connection id that is none, or old");
    } else {
        handle_announce(tracker, from, &in, reply);
    }
}

struct sim_tracker *sim_tracker_new(struct world *world, const char *site)
{
    struct sim_tracker *tracker = mem_zalloc(sizeof *tracker);

    tracker->server = server_new(world, site, &LINK_FAST);
    tracker->server->handle = handle;
    tracker->server->handler = tracker;
    tracker->interval_s = 1800;
    return tracker;
}

void sim_tracker_free(struct sim_tracker *tracker)
{
    for (size_t i = tracker->count; i-- > 0;)
        remove_peer(tracker, tracker->peers[i]);
    mem_free(tracker->peers);
    mem_free(tracker);
}
