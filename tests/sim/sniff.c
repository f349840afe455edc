#include "sniff.h"

#include "base/limits.h"
#include "publisher.h"
#include "visitor.h"

#include <string.h>

enum {
    CHOKE = 0,
    UNCHOKE = 1,
    HAVE = 4,
    BITFIELD = 5,
    REQUEST = 6,
    PIECE = 7,
    HAVE_ALL = 14,
    HAVE_NONE = 15,
    REJECT = 16,
    EXTENDED = 20,
    HASHES = 22
};

void sniff_init(struct sniff *sniff)
{
    *sniff = (struct sniff){0};
    buf_init(&sniff->in, MIB(1));
}

void sniff_done(struct sniff *sniff)
{
    buf_done(&sniff->in);
}

static void wrong(struct visitor *visitor, const char *what, uint64_t number)
{
    world_fail(visitor->world, "%s says to a peer what it must not: %s %llu", visitor->host->name,
               what, (unsigned long long)number);
}

/* --- what it has */

static bool has_piece(const struct visitor *visitor, const struct metainfo *meta, uint32_t piece)
{
    const struct metainfo_file *file = &meta->files[metainfo_file_of_piece(meta, piece)];
    uint64_t first = (uint64_t)(piece - file->first_piece) * meta->piece_length;

    return disk_has(visitor->disk, file->root, meta->piece_length, first,
                    first + metainfo_piece_bytes(meta, piece));
}

static void check_have(struct visitor *visitor, const struct sniff *sniff, uint32_t piece)
{
    if (piece >= sniff->torrent->meta->piece_count)
        wrong(visitor, "have of no piece", piece);
    /* What has just been lost is known to the node when the disk has looked again. */
    if (!visitor->disk->lost && !has_piece(visitor, sniff->torrent->meta, piece))
        wrong(visitor, "have of a piece that it has not", piece);
    if (visitor_zone(visitor, sniff->torrent->publisher->site) != ZONE_SHARE)
        wrong(visitor, "have, though it only fetches", piece);
    visitor->counts.haves_sent++;
}

static void check_bitfield(struct visitor *visitor, const struct sniff *sniff, struct span bits)
{
    uint32_t pieces = sniff->torrent->meta->piece_count;

    if (bits.length != (pieces + 7) / 8)
        wrong(visitor, "a bitfield of wrong length", bits.length);
    for (uint32_t i = 0; i < bits.length * 8; i++) {
        bool set = bits.data[i / 8] & (0x80 >> i % 8);
        if (set && i >= pieces)
            wrong(visitor, "a spare bit", i);
        if (set)
            check_have(visitor, sniff, i);
    }
}

static void check_request(struct visitor *visitor, struct sniff *sniff, struct span payload)
{
    const struct metainfo *meta = sniff->torrent->meta;

    if (payload.length != 12)
        wrong(visitor, "a request of odd length", payload.length);
    uint32_t piece = load_u32be(payload.data), begin = load_u32be(payload.data + 4),
             length = load_u32be(payload.data + 8);
    if (piece >= meta->piece_count || begin % BLOCK_LENGTH != 0 || length == 0 ||
        length > BLOCK_LENGTH || (uint64_t)begin + length > metainfo_piece_bytes(meta, piece))
        wrong(visitor, "a request outside its piece", piece);
    if (++sniff->asked > LIMIT_PEER_REQUESTS_IN)
        wrong(visitor, "more requests than a peer takes", sniff->asked);
    /* Of another torrent, with pieces of another length: allowed, but wasteful. */
    visitor->counts.needless_requests += has_piece(visitor, meta, piece);
}

/* --- hashes and extended messages */

static uint32_t find_root(struct visitor *visitor, const struct metainfo *meta, const uint8_t *root)
{
    for (uint32_t i = 0; i < meta->file_count; i++)
        if (meta->files[i].pieces > 0 && memcmp(meta->files[i].root, root, HASH_LENGTH) == 0)
            return i;
    wrong(visitor, "hashes of no file", 0);
    return 0;
}

/* They are right: with a whole proof they lead to the root. */
static void check_hashes(struct visitor *visitor, const struct sniff *sniff, struct span payload)
{
    const struct metainfo *meta = sniff->torrent->meta;

    if (payload.length < 48 || payload.length % HASH_LENGTH != 16)
        wrong(visitor, "hashes of odd length", payload.length);
    if (visitor_zone(visitor, sniff->torrent->publisher->site) != ZONE_SHARE)
        wrong(visitor, "hashes, though it does not share", 0);
    const struct metainfo_file *file = &meta->files[find_root(visitor, meta, payload.data)];
    uint32_t base = load_u32be(payload.data + 32), index = load_u32be(payload.data + 36),
             count = load_u32be(payload.data + 40), layers = load_u32be(payload.data + 44);
    uint32_t uncles = merkle_uncle_count(count, layers);
    if (payload.length != 48 + (size_t)(count + uncles) * HASH_LENGTH)
        wrong(visitor, "hashes of the wrong number", count);
    unsigned height = merkle_height(merkle_blocks(file->length));
    if (file->layer != NULL)
        height = merkle_height(meta->piece_length / BLOCK_LENGTH) + merkle_height(file->pieces);
    if (base + merkle_height(count) + uncles == height &&
        merkle_prove(payload.data + 48, count, index, base, height,
                     payload.data + 48 + (size_t)count * HASH_LENGTH, uncles, file->root) != ERR_OK)
        wrong(visitor, "hashes that do not prove", index);
}

/* --- what the other side answers */

static void hear_message(struct sniff *sniff)
{
    uint8_t id = sniff->head[4];
    bool answer = id == PIECE || id == REJECT;

    if (answer && sniff->asked > 0)
        sniff->asked--;
    if (id == CHOKE && !sniff->fast)
        sniff->asked = 0; /* BEP 3: a choke has forgotten them */
}

static void hear_head(struct sniff *sniff, uint8_t byte)
{
    sniff->head[sniff->head_length++] = byte;
    uint32_t length = load_u32be(sniff->head);
    if (sniff->head_length == 4 && length == 0)
        sniff->head_length = 0;
    if (sniff->head_length < 5)
        return;
    hear_message(sniff);
    sniff->skip = length - 1;
    sniff->head_length = 0;
}

void sniff_heard(struct sniff *sniff, struct span data)
{
    for (size_t i = 0; i < data.length;) {
        if (sniff->skip > 0) {
            size_t left = data.length - i;
            size_t skip = sniff->skip < left ? sniff->skip : left;
            sniff->skip -= (uint32_t)skip;
            i += skip;
        } else if (!sniff->heard_handshake) {
            sniff->fast = sniff->head_length++ == 27 ? (data.data[i] & 4) != 0 : sniff->fast;
            sniff->heard_handshake = sniff->head_length == 68;
            sniff->head_length %= 68;
            i++;
        } else {
            hear_head(sniff, data.data[i++]);
        }
    }
}

/* --- messages */

static void check_message(struct visitor *visitor, struct sniff *sniff, uint8_t id,
                          struct span payload)
{
    if (id == BITFIELD || id == HAVE_ALL || id == HAVE_NONE) {
        if (sniff->said_have)
            wrong(visitor, "a second bitfield", id);
        sniff->said_have = true;
    }
    if (id == CHOKE || id == UNCHOKE)
        sniff->unchoked = id == UNCHOKE;
    if (id == HAVE && payload.length != 4)
        wrong(visitor, "have of odd length", payload.length);
    else if (id == HAVE)
        check_have(visitor, sniff, load_u32be(payload.data));
    else if (id == BITFIELD)
        check_bitfield(visitor, sniff, payload);
    else if (id == HAVE_ALL)
        for (uint32_t i = 0; i < sniff->torrent->meta->piece_count; i++)
            check_have(visitor, sniff, i);
    else if (id == REQUEST)
        check_request(visitor, sniff, payload);
    else if (id == HASHES)
        check_hashes(visitor, sniff, payload);
    else if (id == EXTENDED && payload.length == 0)
        wrong(visitor, "an extended message without an id", 0);
    else if (id == PIECE)
        wrong(visitor, "a block that is not from the store", id);
    else if (id > 23 || (id > 9 && id < 13) || id == 18 || id == 19)
        wrong(visitor, "an unknown message", id);
}

static const char *const message_names[] = {
    "choke",   "unchoke", "interested", "not-interested", "have",   "bitfield",
    "request", "piece",   "cancel",     "port",           "",       "",
    "",        "suggest", "have-all",   "have-none",      "reject", "allowed-fast",
    "",        "",        "extended",   "hash-request",   "hashes", "hash-reject"};

static void trace_message(struct visitor *visitor, const struct socket *socket, uint8_t id,
                          struct span payload)
{
    const struct conn *conn = link_find(visitor->world, socket->conn);
    uint32_t a = payload.length >= 4 ? load_u32be(payload.data) : 0;
    uint32_t b = payload.length >= 8 ? load_u32be(payload.data + 4) : 0;
    const char *name =
        id < sizeof message_names / sizeof message_names[0] ? message_names[id] : "?";
    const char *to = conn->ends[1 - socket->side].host->name;

    if (id == BITFIELD || id >= 20)
        world_trace(visitor->world, "%s > %s to %s", visitor->host->name, name, to);
    else if (payload.length >= 8)
        world_trace(visitor->world, "%s > %s %u %u to %s", visitor->host->name, name, a, b, to);
    else
        world_trace(visitor->world, "%s > %s %u to %s", visitor->host->name, name, a, to);
}

static void check_handshake(struct visitor *visitor, struct sniff *sniff)
{
    const uint8_t *data = sniff->in.data;

    if (data[0] != 19 || memcmp(data + 1, "BitTorrent protocol", 19) != 0)
        wrong(visitor, "no handshake", data[0]);
    sniff->torrent = library_torrent(visitor->world, data + 28);
    if (sniff->torrent == NULL)
        wrong(visitor, "an unknown info-hash", data[28]);
    sniff->handshaken = true;
    world_trace(visitor->world, "%s > handshake", visitor->host->name);
    buf_drop_front(&sniff->in, 68);
}

static void check_zone(struct visitor *visitor, const struct sniff *sniff)
{
    if (sniff->torrent == NULL)
        return;
    if (visitor_zone(visitor, sniff->torrent->publisher->site) == ZONE_OFF)
        wrong(visitor, "something, though it is off", 0);
}

void sniff_bytes(struct visitor *visitor, struct socket *socket, struct span data)
{
    struct sniff *sniff = &socket->out;

    if (visitor->world->bare)
        return;
    buf_put(&sniff->in, data.data, data.length);
    if (!sniff->handshaken && sniff->in.length >= 68)
        check_handshake(visitor, sniff);
    if (!sniff->handshaken)
        return;
    check_zone(visitor, sniff);
    size_t at = 0;
    while (sniff->in.length - at >= 4) {
        const uint8_t *message = sniff->in.data + at;
        size_t length = load_u32be(message);
        if (length > LIMIT_PEER_MESSAGE)
            wrong(visitor, "a message that is too long", length);
        if (sniff->in.length - at < 4 + length)
            break;
        if (length > 0) {
            trace_message(visitor, socket, message[4], span_of(message + 5, length - 1));
            check_message(visitor, sniff, message[4], span_of(message + 5, length - 1));
        }
        at += 4 + length;
    }
    buf_drop_front(&sniff->in, at);
}

/* --- blocks */

static const struct metainfo_file *
check_block_place(struct visitor *visitor, const struct sniff *sniff, const struct effect *effect)
{
    const struct metainfo *meta = sniff->torrent->meta;
    const uint8_t *head = effect->text.data;
    uint32_t whole = effect->peer.length + effect->peer.pad;

    if (effect->text.length != 13 || head[4] != PIECE || load_u32be(head) != 9 + whole)
        wrong(visitor, "a block with a wrong head", effect->text.length);
    uint32_t piece = load_u32be(head + 5), begin = load_u32be(head + 9);
    if (piece >= meta->piece_count)
        wrong(visitor, "a block of no piece", piece);
    const struct metainfo_file *file = &meta->files[metainfo_file_of_piece(meta, piece)];
    uint64_t offset = (uint64_t)(piece - file->first_piece) * meta->piece_length + begin;
    if (effect->peer.offset != offset || offset + effect->peer.length > file->length ||
        memcmp(effect->peer.file.root, file->root, HASH_LENGTH) != 0)
        wrong(visitor, "a block from elsewhere", piece);
    if (effect->peer.pad > 0 && offset + effect->peer.length != file->length)
        wrong(visitor, "zeros inside a file", effect->peer.pad);
    return file;
}

void sniff_block(struct visitor *visitor, struct socket *socket, const struct effect *effect)
{
    struct sniff *sniff = &socket->out;
    uint64_t offset = effect->peer.offset;

    if (visitor->world->bare)
        return;
    if (sniff->torrent == NULL || sniff->in.length > 0)
        wrong(visitor, "a block inside another message", 0);
    if (visitor_zone(visitor, sniff->torrent->publisher->site) != ZONE_SHARE)
        wrong(visitor, "a block, though it does not share", 0);
    const struct metainfo_file *file = check_block_place(visitor, sniff, effect);
    if (!disk_has(visitor->disk, file->root, effect->peer.piece_length, offset,
                  offset + effect->peer.length))
        wrong(visitor, "a block that is not verified", offset);
    if (effect->peer.pad > BLOCK_LENGTH || effect->peer.length > BLOCK_LENGTH)
        wrong(visitor, "a block that is too long", effect->peer.length);
    trace_message(visitor, socket, PIECE, span_of(effect->text.data + 5, 8));
}
