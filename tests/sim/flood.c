#include "flood.h"

#include "base/limits.h"
#include "core/peer.h"
#include "wire/fringe_claim.h"
#include "wire/ut_metadata.h"
#include "wire/ut_pex.h"

#include <string.h>

#define EVERY_US  20000
#define SLOWLY_US 61000000
#define AT_ONCE   20 /* messages */

enum { HAVE = 4, EXTENDED = 20, HASH_REQUEST = 21, HASHES = 22, UNKNOWN = 99 };

#define HELLO "\0d1:md12:fringe_claimi7e6:ut_pexi8e11:ut_metadatai9e11:lt_donthavei10eee"

static void say_extended(struct script *script, const struct script_conn *sc,
                         enum extension extension, const struct buf *payload)
{
    struct buf out;

    buf_init(&out, KIB(16));
    buf_put_u8(&out, (uint8_t)extension);
    buf_put(&out, payload->data, payload->length);
    script_say(script, sc, EXTENDED, out.data, out.length);
    buf_done(&out);
}

static void put_names(struct script *script, struct buf *out)
{
    struct ut_pex names = {.added_count = LIMIT_PEX_PEERS};

    for (size_t i = 0; i < LIMIT_PEX_PEERS; i++) {
        uint32_t serial = script->flood_serial++;
        names.added[i].address = (struct address){
            .family = 4,
            .ip = {21, (uint8_t)(serial >> 16), (uint8_t)(serial >> 8), (uint8_t)serial},
            .port = 6881};
    }
    ut_pex_encode(&names, out);
}

static void put_claim(struct script *script, struct buf *out)
{
    struct fringe_claim claim = {
        .serial = ++script->flood_serial, .hops = 1, .pass_on = true, .count = 1};
    uint32_t pieces = script->torrent->meta->piece_count;

    world_fill(script->flood_serial / 64, claim.claimer, sizeof claim.claimer);
    claim.extents[0] = (struct fringe_extent){
        .first = script->flood_serial % pieces, .pieces = 1, .ttl_ms = 60000};
    fringe_claim_encode(&claim, out);
}

/* Of the file that this piece is in: of all its blocks. */
static void put_hash_head(const struct script *script, uint8_t head[48])
{
    const struct metainfo *meta = script->torrent->meta;
    uint32_t piece = script->flood_serial % meta->piece_count;

    memset(head, 0, 48);
    memcpy(head, meta->files[metainfo_file_of_piece(meta, piece)].root, HASH_LENGTH);
    store_u32be(head + 40, 2u << script->flood_serial % 4);
}

static void say_hashes(struct script *script, const struct script_conn *sc, bool answer)
{
    uint8_t body[48 + 16 * HASH_LENGTH];

    world_fill(script->flood_serial, body, sizeof body);
    put_hash_head(script, body);
    size_t hashes = answer ? load_u32be(body + 40) : 0;
    script_say(script, sc, answer ? HASHES : HASH_REQUEST, body, 48 + hashes * HASH_LENGTH);
}

static void say_have(struct script *script, const struct script_conn *sc)
{
    uint8_t piece[5] = {EXTENSION_LT_DONTHAVE};

    store_u32be(piece + 1, script->flood_serial / 2 % script->torrent->meta->piece_count);
    if (script->flood_serial % 2 == 0)
        script_say(script, sc, HAVE, piece + 1, 4);
    else
        script_say(script, sc, EXTENDED, piece, 5);
}

static void put_info_request(struct script *script, struct buf *out)
{
    struct ut_metadata msg = {.kind = UT_METADATA_REQUEST, .piece = script->flood_serial % 2};

    ut_metadata_encode(&msg, out);
}

static void say_one(struct script *script, const struct script_conn *sc)
{
    static const enum extension extensions[FLOOD_KINDS_] = {
        [FLOOD_NAMES] = EXTENSION_UT_PEX,
        [FLOOD_NAMES_SLOWLY] = EXTENSION_UT_PEX,
        [FLOOD_CLAIMS] = EXTENSION_FRINGE_CLAIM,
        [FLOOD_INFO_REQUESTS] = EXTENSION_UT_METADATA,
    };
    static void (*const puts[FLOOD_KINDS_])(struct script *, struct buf *) = {
        [FLOOD_NAMES] = put_names,
        [FLOOD_NAMES_SLOWLY] = put_names,
        [FLOOD_CLAIMS] = put_claim,
        [FLOOD_INFO_REQUESTS] = put_info_request,
    };
    enum flood_kind kind = (enum flood_kind)script->flood_kind;
    struct buf payload;

    script->flood_serial++;
    buf_init(&payload, KIB(8));
    if (puts[kind] != NULL) {
        puts[kind](script, &payload);
        say_extended(script, sc, extensions[kind], &payload);
    } else if (kind == FLOOD_HASH_REQUESTS || kind == FLOOD_HASHES) {
        say_hashes(script, sc, kind == FLOOD_HASHES);
    } else if (kind == FLOOD_HAVES) {
        say_have(script, sc);
    } else {
        script_say(script, sc, UNKNOWN, "", 0);
    }
    buf_done(&payload);
}

static void fire_flood(struct world *world, uint64_t number, uint64_t unused)
{
    struct script *script = script_find(world, number);
    bool slowly = script->flood_kind == FLOOD_NAMES_SLOWLY;

    (void)unused;
    if (!script->flooding || script->torrent->meta->piece_count == 0)
        return;
    for (struct script_conn *sc = script->conns; sc != NULL; sc = sc->hh.next) {
        if (!sc->handshaken || sc->closed)
            continue;
        if (!sc->said_hello)
            script_say(script, sc, EXTENDED, HELLO, sizeof HELLO - 1);
        sc->said_hello = true;
        for (int i = 0; i < (slowly ? 1 : AT_ONCE); i++)
            say_one(script, sc);
    }
    world_after(world, slowly ? SLOWLY_US : EVERY_US, fire_flood, number, 0);
}

void flood_begin(struct script *script, enum flood_kind kind)
{
    script->flood_kind = kind;
    script->flooding = true;
    world_after(script->world, EVERY_US, fire_flood, script->number, 0);
}
