#include "wire/ut_pex.h"

#include "wire/bencode.h"
#include "wire/compact.h"

#include <assert.h>

/* A bencoded dict, every key optional:
 *
 *   "added"     bytes, 6 a peer    "added6"    bytes, 18 a peer
 *   "added.f"   bytes, 1 a peer    "added6.f"  bytes, 1 a peer
 *   "dropped"   bytes, 6 a peer    "dropped6"  bytes, 18 a peer */

static void add_peers(struct bencode *in, struct span list, const struct span *flags,
                      uint8_t family, struct ut_pex_peer *peers, size_t *count)
{
    if (in->err != ERR_OK)
        return;
    if (!compact_fits(list, family)) {
        bencode_fail(in, ERR_SYNTAX);
        return;
    }
    size_t total = list.length / compact_size(family);
    if (flags != NULL && flags->data != NULL && flags->length != total) {
        bencode_fail(in, ERR_MISMATCH);
        return;
    }
    for (size_t i = 0; i < total && *count < LIMIT_PEX_PEERS; i++) {
        struct ut_pex_peer peer = {.address = compact_at(list, family, i)};
        if (flags != NULL && flags->data != NULL)
            peer.flags = flags->data[i];
        if (peer.address.port != 0)
            peers[(*count)++] = peer;
    }
}

struct lists {
    struct span added, added_flags, added6, added6_flags, dropped, dropped6;
};

static void read_lists(struct bencode *in, struct lists *ret)
{
    const struct {
        const char *key;
        struct span *list;
    } known[] = {
        {"added", &ret->added},     {"added.f", &ret->added_flags},
        {"added6", &ret->added6},   {"added6.f", &ret->added6_flags},
        {"dropped", &ret->dropped}, {"dropped6", &ret->dropped6},
    };
    struct span key = {NULL, 0};

    bencode_enter_dict(in);
    while (bencode_next_key(in, &key)) {
        size_t i = 0;
        while (i < sizeof known / sizeof known[0] && !span_is(key, known[i].key))
            i++;
        if (i < sizeof known / sizeof known[0])
            *known[i].list = bencode_bytes(in);
        else
            bencode_skip(in);
    }
}

enum err ut_pex_decode(struct span payload, struct ut_pex *ret)
{
    struct bencode in;
    struct lists lists = {0};

    ret->added_count = ret->dropped_count = 0;
    bencode_init(&in, payload.data, payload.length);
    read_lists(&in, &lists);
    bencode_finish(&in);
    add_peers(&in, lists.added, &lists.added_flags, 4, ret->added, &ret->added_count);
    add_peers(&in, lists.added6, &lists.added6_flags, 6, ret->added, &ret->added_count);
    add_peers(&in, lists.dropped, NULL, 4, ret->dropped, &ret->dropped_count);
    add_peers(&in, lists.dropped6, NULL, 6, ret->dropped, &ret->dropped_count);
    if (in.err != ERR_OK)
        ret->added_count = ret->dropped_count = 0;
    return in.err;
}

/* --- encode */

static void put_list(struct buf *out, const char *key, uint8_t family,
                     const struct ut_pex_peer *peers, size_t count)
{
    struct buf list;

    buf_init(&list, LIMIT_PEX_PEERS * compact_size(6));
    for (size_t i = 0; i < count; i++)
        if (peers[i].address.family == family)
            compact_put(&list, &peers[i].address);
    bencode_put_text(out, key);
    bencode_put_bytes(out, list.data, list.length);
    buf_done(&list);
}

static void put_flags(struct buf *out, const char *key, uint8_t family,
                      const struct ut_pex_peer *peers, size_t count)
{
    uint8_t flags[LIMIT_PEX_PEERS];
    size_t length = 0;

    for (size_t i = 0; i < count; i++)
        if (peers[i].address.family == family)
            flags[length++] = peers[i].flags;
    bencode_put_text(out, key);
    bencode_put_bytes(out, flags, length);
}

/* All keys are written, empty or not: some clients look for the ones of IPv4. */
void ut_pex_encode(const struct ut_pex *pex, struct buf *out)
{
    assert(pex->added_count <= LIMIT_PEX_PEERS && pex->dropped_count <= LIMIT_PEX_PEERS);
    bencode_put_dict(out);
    put_list(out, "added", 4, pex->added, pex->added_count);
    put_flags(out, "added.f", 4, pex->added, pex->added_count);
    put_list(out, "added6", 6, pex->added, pex->added_count);
    put_flags(out, "added6.f", 6, pex->added, pex->added_count);
    put_list(out, "dropped", 4, pex->dropped, pex->dropped_count);
    put_list(out, "dropped6", 6, pex->dropped, pex->dropped_count);
    bencode_put_end(out);
}
