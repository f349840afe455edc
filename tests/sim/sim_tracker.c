/* A fake tracker: announces over HTTP (BEP 3), compact replies (BEP 23). */
#include "base/limits.h"
#include "base/mem.h"
#include "server.h"
#include "visitor.h"
#include "wire/bencode.h"

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
static void put_peers(struct sim_tracker *tracker, const uint8_t *infohash, uint64_t want,
                      struct buf *peers)
{
    struct world *world = tracker->server->world;
    size_t count = tracker->count, at = 0, longest = count / (want + 1) * 2;

    if (tracker->random && count > 0)
        at = world_below(world, count);
    for (size_t i = 0; i < count && peers->length / 6 < want; i++) {
        const struct sim_tracker_peer *peer =
            tracker->peers[tracker->random ? at % count : count - 1 - i];
        if (tracker->random && longest > 1) {
            uint64_t step = 1 + world_below(world, longest - 1);
            at += step;
            i += step - 1;
        } else {
            at++;
        }
        if (memcmp(peer->key.infohash, infohash, 20) != 0)
            continue;
        buf_put(peers, peer->key.address.ip, 4);
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
    put_peers(tracker, infohash, want, &peers);
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

static int handle(struct server *server, struct visitor *from, const char *path, struct buf *body)
{
    struct sim_tracker *tracker = server->handler;
    struct address address = from->host->address;
    uint8_t infohash[20], peer_id[20];
    char event[12] = "";

    tracker->announces++;
    if (tracker->garbage != NULL) {
        buf_put_text(body, tracker->garbage);
        return 200;
    }
    if (query_get(path, "info_hash", infohash, 20) != 20 ||
        query_get(path, "peer_id", peer_id, 20) != 20 || query_number(path, "compact") != 1)
        world_fail(server->world, "%s announces badly: %s", from->host->name, path);
    query_get(path, "event", (uint8_t *)event, sizeof event - 1);
    address.port = (uint16_t)query_number(path, "port");
    struct sim_tracker_peer *known = find_peer(tracker, infohash, &address);
    if (strcmp(event, "stopped") == 0) {
        tracker->stopped++;
        if (known != NULL)
            remove_peer(tracker, known);
    } else if (address.port != 0) {
        add_peer(tracker, infohash, &address)->left = query_number(path, "left");
    }
    uint64_t want = query_number(path, "numwant");
    put_reply(tracker, infohash, want > 0 && want < 200 ? want : 50, body);
    return 200;
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
