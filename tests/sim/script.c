#include "script.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

enum {
    CHOKE,
    UNCHOKE,
    INTERESTED,
    NOT_INTERESTED,
    HAVE,
    BITFIELD,
    REQUEST,
    PIECE,
    CANCEL,
    HAVE_ALL = 14,
    EXTENDED = 20,
    HAVE_NONE = 15,
    REJECT = 16,
    HASH_REQUEST = 21,
    HASHES = 22
};

struct script *script_find(struct world *world, uint64_t number)
{
    struct script *script;
    HASH_FIND(hh, world->scripts, &number, sizeof number, script);
    return script;
}

static struct script_conn *find_conn(struct script *script, uint64_t number)
{
    struct script_conn *conn;
    HASH_FIND(hh, script->conns, &number, sizeof number, conn);
    return conn;
}

/* --- saying */

static void say(struct script *script, const struct script_conn *sc, const void *data,
                size_t length)
{
    struct conn *conn = link_find(script->world, sc->conn);
    if (conn != NULL && !sc->closed)
        link_send(conn, sc->side, data, length);
}

static void say_message(struct script *script, const struct script_conn *sc, uint8_t id,
                        const void *data, size_t length)
{
    struct buf out;

    buf_init(&out, MIB(1));
    buf_put_u32(&out, (uint32_t)length + 1);
    buf_put_u8(&out, id);
    buf_put(&out, data, length);
    say(script, sc, out.data, out.length);
    buf_done(&out);
}

static void say_numbers(struct script *script, const struct script_conn *sc, uint8_t id, uint32_t a,
                        uint32_t b, uint32_t c, int count)
{
    uint8_t data[12];
    store_u32be(data, a);
    store_u32be(data + 4, b);
    store_u32be(data + 8, c);
    say_message(script, sc, id, data, (size_t)count * 4);
}

static void make_handshake(struct script *script, const struct script_conn *sc, uint8_t data[68])
{
    memset(data, 0, 68);
    data[0] = 19;
    memcpy(data + 1, "BitTorrent protocol", 19);
    data[25] = script->flags.claims || script->flags.extended ? 0x10 : 0;
    data[27] = script->flags.no_fast ? 0 : 4;
    memcpy(data + 28, script->torrent->key, 20);
    world_fill(script->number, data + 48, 20);
    if (script->flags.reflects_id && sc->handshaken)
        memcpy(data + 48, sc->other_id, 20);
    if (script->flags.wrong_infohash)
        memset(data + 28, 0x55, 20);
    if (script->flags.wrong_protocol)
        data[5] = 'X';
}

static void fire_drip(struct world *world, uint64_t number, uint64_t conn_number)
{
    struct script *script = script_find(world, number);
    struct script_conn *sc = find_conn(script, conn_number);
    uint8_t handshake[68];

    if (sc == NULL || sc->closed || sc->dripped == 68)
        return;
    make_handshake(script, sc, handshake);
    say(script, sc, handshake + sc->dripped++, 1);
    world_after(world, script->flags.drip_us, fire_drip, number, conn_number);
}

static void say_handshake(struct script *script, struct script_conn *sc)
{
    uint8_t data[1000];

    if (sc->said_handshake || script->flags.silent)
        return;
    sc->said_handshake = true;
    if (script->flags.garbage) {
        world_fill(script->number, data, sizeof data);
        say(script, sc, data, sizeof data);
    } else if (script->flags.drip_us > 0) {
        fire_drip(script->world, script->number, sc->conn);
    } else {
        make_handshake(script, sc, data);
        say(script, sc, data, 68);
    }
}

static void say_bitfield(struct script *script, const struct script_conn *sc)
{
    uint32_t pieces = script->torrent->meta->piece_count;
    size_t length = (pieces + 7) / 8;
    uint8_t *bits = mem_zalloc(length + 1);

    for (uint32_t i = 0; i < pieces && !script->flags.has_nothing; i++)
        bits[i / 8] |= (uint8_t)(0x80 >> i % 8);
    if (script->flags.spare_bit)
        bits[length - 1] |= 1;
    say_message(script, sc, BITFIELD, bits, length + script->flags.wrong_bitfield);
    mem_free(bits);
}

/* So many pieces from there on one extent may have: it lies within one file. */
static uint32_t claimable(const struct script *script, uint32_t first)
{
    const struct metainfo *meta = script->torrent->meta;
    const struct metainfo_file *file = &meta->files[metainfo_file_of_piece(meta, first)];
    uint32_t left = file->first_piece + file->pieces - first;

    return left < LIMIT_CLAIM_PIECES ? left : LIMIT_CLAIM_PIECES;
}

/* Speaks fringe_claim, wants everything, and claims it all for a minute, every second. */
static void fire_claims(struct world *world, uint64_t number, uint64_t conn_number)
{
    static const char hello[] = "\0d1:md12:fringe_claimi1eee";
    struct script *script = script_find(world, number);
    struct script_conn *sc = find_conn(script, conn_number);
    uint32_t pieces = script->torrent->meta->piece_count;
    uint8_t data[37] = {1 /* the id it was given */, 1, 0, 0, 1};

    if (sc == NULL || sc->closed)
        return;
    say_message(script, sc, EXTENDED, hello, sizeof hello - 1);
    world_fill(script->number, data + 9, 20); /* its peer id */
    data[35] = 60000 >> 8;
    data[36] = 60000 & 255;
    for (uint32_t first = 0; first < pieces; first += claimable(script, first)) {
        uint32_t left = claimable(script, first);
        store_u32be(data + 5, ++sc->claim_serial);
        store_u32be(data + 29, first);
        data[34] = (uint8_t)left;
        say_message(script, sc, EXTENDED, data, sizeof data);
    }
    world_after(world, 1000000, fire_claims, number, conn_number);
}

static void say_have(struct script *script, const struct script_conn *sc)
{
    const struct script_flags *flags = &script->flags;

    if (flags->lazy_bitfield) {
        say_message(script, sc, HAVE_NONE, NULL, 0);
        for (uint32_t i = 0; i < script->torrent->meta->piece_count; i++)
            say_numbers(script, sc, HAVE, i, 0, 0, 1);
    } else if (flags->wrong_bitfield || flags->spare_bit || flags->no_fast) {
        say_bitfield(script, sc);
    } else {
        say_message(script, sc, flags->has_nothing ? HAVE_NONE : HAVE_ALL, NULL, 0);
    }
    if (flags->claims)
        fire_claims(script->world, script->number, sc->conn);
    if (flags->bad_have)
        say_numbers(script, sc, HAVE, script->torrent->meta->piece_count, 0, 0, 1);
}

/* --- blocks */

static bool flips_here(const struct script_flags *flags, uint32_t piece, uint32_t begin, bool last)
{
    if (!flags->flips_one || (flags->flips_every > 0 && piece % flags->flips_every != 0))
        return false;
    return flags->flips_last ? last : begin == flags->flips_block * BLOCK_LENGTH;
}

static void say_block(struct script *script, struct script_conn *sc, uint32_t piece, uint32_t begin,
                      uint32_t length)
{
    const struct metainfo *meta = script->torrent->meta;
    const struct metainfo_file *file = &meta->files[metainfo_file_of_piece(meta, piece)];
    const struct content *content = library_find(script->world, file->root);
    uint64_t offset = (uint64_t)(piece - file->first_piece) * meta->piece_length + begin;
    uint8_t *data = mem_zalloc(8 + (size_t)length);

    store_u32be(data, piece);
    store_u32be(data + 4, begin);
    if (offset < content->length) {
        uint64_t left = content->length - offset;
        memcpy(data + 8, content->data + offset, left < length ? (size_t)left : length);
    }
    bool last = begin + BLOCK_LENGTH >= metainfo_piece_bytes(meta, piece);
    if (script->flags.flips || flips_here(&script->flags, piece, begin, last))
        data[8 + length / 2] ^= 4;
    say_message(script, sc, PIECE, data, 8 + (size_t)length - script->flags.serves_short);
    mem_free(data);
    sc->blocks_served++;
    script->blocks_served++;
}

static void fire_serve(struct world *world, uint64_t number, uint64_t packed)
{
    struct script *script = script_find(world, number);
    struct script_conn *sc = find_conn(script, packed >> 40);
    uint32_t piece = (uint32_t)(packed >> 12 & 0xfffffff), block = packed & 0xfff;

    if (sc == NULL || sc->closed)
        return;
    uint32_t begin = block * BLOCK_LENGTH;
    uint32_t left = metainfo_piece_bytes(script->torrent->meta, piece) - begin;
    say_block(script, sc, piece, begin, left < BLOCK_LENGTH ? left : BLOCK_LENGTH);
}

static void hang_up(struct script *script, struct script_conn *sc)
{
    struct conn *conn = link_find(script->world, sc->conn);

    sc->closed = true;
    script->closed++;
    script->last_closed_us = world_elapsed_us(script->world);
    if (conn != NULL)
        link_close(conn, sc->side);
}

static void hear_request(struct script *script, struct script_conn *sc, const uint8_t *data)
{
    uint32_t piece = load_u32be(data), begin = load_u32be(data + 4), length = load_u32be(data + 8);
    const struct script_flags *flags = &script->flags;

    sc->requests_got++;
    script->requests_got++;
    if (flags->rejects) {
        say_numbers(script, sc, REJECT, piece, begin, length, 3);
    } else if (flags->close_after > 0 && sc->blocks_served >= flags->close_after) {
        hang_up(script, sc);
    } else if (flags->stall_after == 0 || sc->blocks_served < flags->stall_after) {
        if (flags->delay_us == 0)
            say_block(script, sc, piece, begin, length);
        else
            world_after(script->world, flags->delay_us, fire_serve, script->number,
                        sc->conn << 40 | (uint64_t)piece << 12 | begin / BLOCK_LENGTH);
    }
}

static void fire_unasked(struct world *world, uint64_t number, uint64_t conn_number)
{
    struct script *script = script_find(world, number);
    struct script_conn *sc = find_conn(script, conn_number);

    if (sc == NULL || sc->closed)
        return;
    for (uint32_t i = 0; i < 8; i++)
        say_block(script, sc, i % script->torrent->meta->piece_count, 0, 1);
    world_after(world, 20000, fire_unasked, number, conn_number);
}

/* --- hearing */

static uint32_t first_block(const struct script *script, uint32_t piece)
{
    uint32_t length = metainfo_piece_bytes(script->torrent->meta, piece);
    return length < BLOCK_LENGTH && !script->flags.asks_whole ? length : BLOCK_LENGTH;
}

static void fire_ask(struct world *world, uint64_t number, uint64_t conn_number)
{
    struct script *script = script_find(world, number);
    struct script_conn *sc = find_conn(script, conn_number);

    if (sc == NULL || sc->closed)
        return;
    say_numbers(script, sc, REQUEST, 0, 0, first_block(script, 0), 3);
    world_after(world, script->flags.asks_every_us, fire_ask, number, conn_number);
}

static void hear_unchoke(struct script *script, struct script_conn *sc)
{
    uint32_t pieces = script->torrent->meta->piece_count;

    script->unchokes++;
    if (pieces == 0)
        return; /* only empty files: there is nothing to ask for */
    for (uint32_t i = 0; i < script->flags.flood; i++)
        say_numbers(script, sc, REQUEST, i % pieces, 0, first_block(script, i % pieces), 3);
    if (script->flags.asks_every_us > 0)
        fire_ask(script->world, script->number, sc->conn);
    if (script->flags.odd_request) {
        say_numbers(script, sc, REQUEST, pieces, 0, BLOCK_LENGTH, 3);
        say_numbers(script, sc, REQUEST, 0, 0, 100000, 3);
        say_numbers(script, sc, REQUEST, 0, 0xffffffff, BLOCK_LENGTH, 3);
        say_numbers(script, sc, REQUEST, 0, 0, 0, 3);
    }
}

static void say_false_hashes(struct script *script, const struct script_conn *sc,
                             const uint8_t request[48])
{
    uint32_t count = load_u32be(request + 40), layers = load_u32be(request + 44);
    size_t hashes = count + merkle_uncle_count(count, layers);
    uint8_t *data = mem_alloc(48 + hashes * HASH_LENGTH);

    memcpy(data, request, 48);
    world_fill(script->number, data + 48, hashes * HASH_LENGTH);
    say_message(script, sc, HASHES, data, 48 + hashes * HASH_LENGTH);
    mem_free(data);
}

static void hear_message(struct script *script, struct script_conn *sc, uint8_t id,
                         const uint8_t *data, size_t length)
{
    if (script->hear != NULL && script->hear(script, sc, id, span_of(data, length)))
        return;
    if (id == REQUEST && length == 12)
        hear_request(script, sc, data);
    else if (id == UNCHOKE)
        hear_unchoke(script, sc);
    else if (id == HASH_REQUEST && length == 48 && script->flags.lies_of_hashes)
        say_false_hashes(script, sc, data);
    else if (id == HAVE || id == HAVE_ALL || (id == BITFIELD && length > 0))
        script->haves++;
    else if (id == CANCEL)
        sc->cancels_got++;
    else if (id == REJECT)
        script->rejects_got++;
    else if (id == INTERESTED)
        script->interesteds++;
    else if (id == PIECE) {
        script->blocks_got++;
        script->bytes_got += length - 8;
    }
}

static void introduce(struct script *script, struct script_conn *sc)
{
    memcpy(sc->other_id, sc->in.data + 48, 20);
    sc->handshaken = true;
    script->handshakes++;
    say_handshake(script, sc);
    if (script->flags.garbage || script->flags.silent || script->flags.drip_us > 0)
        return;
    say_have(script, sc);
    if (script->flags.huge_message)
        say(script, sc, "\x06\x00\x00\x00\x07", 5);
    say_message(script, sc, INTERESTED, NULL, 0);
    if (!script->flags.chokes)
        say_message(script, sc, UNCHOKE, NULL, 0);
    if (script->flags.serves_unasked && script->torrent->meta->piece_count > 0)
        fire_unasked(script->world, script->number, sc->conn);
}

static void bytes(void *owner, struct conn *conn, int side, const uint8_t *data, size_t length)
{
    struct script *script = owner;
    struct script_conn *sc = find_conn(script, conn->number);

    (void)side;
    buf_put(&sc->in, data, length);
    if (!sc->handshaken && sc->in.length >= 68) {
        introduce(script, sc);
        buf_drop_front(&sc->in, 68);
    }
    while (sc->handshaken && !sc->closed && sc->in.length >= 4) {
        uint32_t size = load_u32be(sc->in.data);
        if (sc->in.length < 4 + (size_t)size)
            break;
        if (size > 0)
            hear_message(script, sc, sc->in.data[4], sc->in.data + 5, size - 1);
        buf_drop_front(&sc->in, 4 + (size_t)size);
    }
}

static void opened(void *owner, struct conn *conn, int side)
{
    struct script *script = owner;
    struct script_conn *sc = mem_zalloc(sizeof *sc);

    sc->conn = conn->number;
    sc->side = side;
    buf_init(&sc->in, MIB(2));
    HASH_ADD(hh, script->conns, conn, sizeof sc->conn, sc);
    script->opened++;
    script->last_opened_us = world_elapsed_us(script->world);
    if (side == 0 || script->flags.garbage || script->flags.drip_us > 0)
        say_handshake(script, sc);
}

static void closed(void *owner, struct conn *conn, int side, enum err why)
{
    struct script *script = owner;
    struct script_conn *sc = find_conn(script, conn->number);

    (void)side;
    (void)why;
    if (sc == NULL || sc->closed)
        return;
    sc->closed = true;
    script->closed++;
    script->last_closed_us = world_elapsed_us(script->world);
}

static const struct link_events events = {opened, bytes, NULL, closed};

/* --- life */

struct script *script_new(struct world *world, const char *name, const struct link *link,
                          const struct torrent *torrent, const struct script_flags *flags)
{
    struct script *script = mem_zalloc(sizeof *script);

    script->world = world;
    script->host = link_host_new(world, name, link);
    script->host->accept = &events;
    script->host->accept_owner = script;
    script->torrent = torrent;
    script->flags = *flags;
    script->number = world_number(world);
    HASH_ADD(hh, world->scripts, number, sizeof script->number, script);
    return script;
}

struct torrent *script_torrent(struct publisher *publisher, size_t bundle)
{
    return library_torrent(publisher->world, publisher->bundles[bundle].infohash);
}

void script_dial(struct script *script, const struct host *to)
{
    link_dial(script->host, &to->address, 0, &events, script);
}

void script_say(struct script *script, const struct script_conn *sc, uint8_t id, const void *data,
                size_t length)
{
    say_message(script, sc, id, data, length);
}

void script_say_all(struct script *script, uint8_t id, const void *data, size_t length)
{
    for (struct script_conn *sc = script->conns; sc != NULL; sc = sc->hh.next)
        if (sc->handshaken && !sc->closed)
            say_message(script, sc, id, data, length);
}

void scripts_free(struct world *world)
{
    struct script *script, *next;

    HASH_ITER(hh, world->scripts, script, next)
    {
        struct script_conn *sc, *next_sc;
        HASH_ITER(hh, script->conns, sc, next_sc)
        {
            HASH_DEL(script->conns, sc);
            buf_done(&sc->in);
            mem_free(sc);
        }
        HASH_DEL(world->scripts, script);
        mem_free(script);
    }
}
