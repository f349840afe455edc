/* A hostile peer against a whole host: the real core in the simulated world (tests/sim), which
 * holds it to the world's rules at every step. Whatever the peer says, the host goes on, and a page
 * still gets every file from the site.
 *
 * The first byte says what the host has; then follow the peer's deeds, each a byte and what it
 * needs:
 *
 *   0x00 .. 0xdf  a message with that id modulo 24: u8 n, n bytes of body
 *   0xe0          u8 n, n bytes as they are
 *   0xe1          u8 n: n * 100 ms pass
 *   0xe2          u8: a page begins to ask for that file
 *   0xe3          u8 piece, u8 block, u8 flip: a right block, or one with a byte that is not
 *   0xe4          it connects once more, and speaks there from now on
 *   0xe5          u8: the visitor chooses that zone
 *   0xe6          u8 id, u8 n, u8 with: a message of n * 512 bytes
 *   0xe7          u8 file, base, index, count, proof layers: a hash request */
#include "base/limits.h"
#include "base/mem.h"
#include "fetch.h"
#include "publisher.h"
#include "script.h"
#include "visitor.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define SITE  "https://game.example"
#define FILES 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[FILES] = {"a.bin", "b.bin", "c.bin"};

struct attack {
    struct world *world;
    struct publisher *site;
    struct visitor *visitor;
    struct host *host;
    const struct torrent *torrent;
    uint64_t conn; /* where it speaks; 0: nowhere */
    uint8_t connections;
    struct reader in;
};

/* --- the peer's end */

static void heard_opened(void *owner, struct conn *conn, int side)
{
    struct attack *attack = owner;
    uint8_t handshake[68] = "\x13"
                            "BitTorrent protocol\0\0\0\0\0\x10\0\x04";

    memcpy(handshake + 28, attack->torrent->key, 20);
    memset(handshake + 48, 'x', 19);
    handshake[67] = ++attack->connections;
    attack->conn = conn->number;
    link_send(conn, side, handshake, sizeof handshake);
}

static void heard_bytes(void *owner, struct conn *conn, int side, const uint8_t *data,
                        size_t length)
{
    (void)owner, (void)conn, (void)side, (void)data, (void)length;
}

static void heard_closed(void *owner, struct conn *conn, int side, enum err why)
{
    struct attack *attack = owner;

    (void)side, (void)why;
    if (attack->conn == conn->number)
        attack->conn = 0;
}

static const struct link_events events = {heard_opened, heard_bytes, NULL, heard_closed};

static void dial(struct attack *attack)
{
    if (attack->connections >= 4)
        return;
    link_dial(attack->host, &attack->visitor->host->address, 0, &events, attack);
    world_run(attack->world, 100);
}

static void say(struct attack *attack, const void *data, size_t length)
{
    struct conn *conn = link_find(attack->world, attack->conn);

    if (attack->conn != 0 && conn != NULL)
        link_send(conn, 0, data, length);
}

static void say_message(struct attack *attack, uint8_t id, struct span body)
{
    uint8_t head[5];

    store_u32be(head, (uint32_t)body.length + 1);
    head[4] = id;
    say(attack, head, sizeof head);
    say(attack, body.data, body.length);
}

/* --- its deeds */

static struct span take(struct attack *attack, size_t length)
{
    return reader_take(&attack->in,
                       length <= reader_left(&attack->in) ? length : reader_left(&attack->in));
}

static void say_block(struct attack *attack)
{
    const struct metainfo *meta = attack->torrent->meta;
    uint32_t piece = reader_u8(&attack->in) % meta->piece_count, block = reader_u8(&attack->in);
    uint8_t flip = reader_u8(&attack->in), body[8 + BLOCK_LENGTH];
    const struct metainfo_file *file = &meta->files[metainfo_file_of_piece(meta, piece)];
    uint32_t bytes = metainfo_piece_bytes(meta, piece);
    uint32_t begin = block % merkle_blocks(bytes) * BLOCK_LENGTH;
    uint32_t length = bytes - begin < BLOCK_LENGTH ? bytes - begin : BLOCK_LENGTH;
    uint64_t offset = (uint64_t)(piece - file->first_piece) * meta->piece_length + begin;

    store_u32be(body, piece);
    store_u32be(body + 4, begin);
    memcpy(body + 8, library_find(attack->world, file->root)->data + offset, length);
    body[8 + flip % length] ^= flip > 127;
    say_message(attack, 7, span_of(body, 8 + (size_t)length));
}

static void say_long(struct attack *attack)
{
    static uint8_t body[255 * 512];
    uint8_t id = reader_u8(&attack->in) % 24;
    size_t length = reader_u8(&attack->in) * (size_t)512;

    memset(body, reader_u8(&attack->in), length);
    say_message(attack, id, span_of(body, length));
}

static void say_hash_request(struct attack *attack)
{
    uint8_t body[48];

    memcpy(body, attack->torrent->meta->files[reader_u8(&attack->in) % FILES].root, HASH_LENGTH);
    for (unsigned i = 0; i < 4; i++)
        store_u32be(body + HASH_LENGTH + 4 * i, reader_u8(&attack->in));
    say_message(attack, 21, span_of(body, sizeof body));
}

static struct fetch *ask_page(struct attack *attack, unsigned file)
{
    char path[40] = "/static/";

    strcat(path, paths[file % FILES]);
    return fetch_begin(attack->visitor, SITE, 0, path, "doc");
}

static void deed(struct attack *attack)
{
    static const enum zone zones[] = {ZONE_OFF, ZONE_FETCH, ZONE_SHARE};
    uint8_t what = reader_u8(&attack->in), number;

    switch (what) {
    case 0xe0: {
        struct span raw = take(attack, reader_u8(&attack->in));
        say(attack, raw.data, raw.length);
        break;
    }
    case 0xe1:
        number = reader_u8(&attack->in);
        world_run(attack->world, number * (uint64_t)100);
        break;
    case 0xe2:
        ask_page(attack, reader_u8(&attack->in));
        break;
    case 0xe3:
        say_block(attack);
        break;
    case 0xe4:
        dial(attack);
        break;
    case 0xe5:
        visitor_set_zone(attack->visitor, SITE, zones[reader_u8(&attack->in) % 3]);
        break;
    case 0xe6:
        say_long(attack);
        break;
    case 0xe7:
        say_hash_request(attack);
        break;
    default:
        number = reader_u8(&attack->in);
        say_message(attack, what % 24, take(attack, number));
    }
    world_run(attack->world, 1);
}

/* --- the world */

static void begin(struct attack *attack, bool has_files)
{
    static const struct link link = LINK_FAST;
    struct visitor_config config = {.name = "v", .link = link, .zone = ZONE_SHARE};

    attack->world = world_new(1);
    attack->site = publisher_new(attack->world, SITE, NULL);
    attack->site->bundles[0].piece_length = KIB(32);
    publisher_add(attack->site, 0, paths[0], KIB(80) + 5, 1);
    publisher_add(attack->site, 0, paths[1], KIB(32), 2);
    publisher_add(attack->site, 0, paths[2], 100, 3);
    publisher_publish(attack->site);
    attack->torrent = script_torrent(attack->site, 0);
    config.knows = attack->site;
    attack->visitor = visitor_new(attack->world, &config);
    attack->host = link_host_new(attack->world, "x", &link);
    visitor_site_open(attack->visitor, SITE, 0, "doc");
    world_run(attack->world, 100);
    for (unsigned i = 0; has_files && i < FILES; i++)
        fetch_wait(ask_page(attack, i), 60000);
    dial(attack);
}

/* A visitor who wants files gets them. */
static void check_page(struct attack *attack)
{
    struct ask *ask = visitor_set_zone(attack->visitor, SITE, ZONE_FETCH);

    ask_wait(attack->visitor, ask, 1000);
    for (unsigned i = 0; i < FILES; i++) {
        struct fetch *fetch = ask_page(attack, i);
        fetch_wait(fetch, 120000);
        if (fetch->state != FETCH_DONE)
            world_fail(attack->world, "%s: %s", paths[i], fetch_state_name(fetch->state));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attack attack = {0};

    reader_init(&attack.in, data, size);
    begin(&attack, (reader_u8(&attack.in) & 1) != 0);
    for (unsigned deeds = 0; deeds < 100 && reader_left(&attack.in) > 0; deeds++)
        deed(&attack);
    check_page(&attack);
    world_free(attack.world);
    return 0;
}
