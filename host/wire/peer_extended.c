/* The BEP 10 handshake (extended id 0): a bencoded dict.
 *
 *   "fringe_swarm"   integer: how large the swarm is, as the sender's tracker counts it (ours)
 *   "m"              dict: name -> id that the sender wants the message under, 0 = not (any more)
 *   "metadata_size"  integer: bytes of `info` (BEP 9)
 *   "p"              integer: the sender's listening port
 *   "reqq"           integer: requests that it queues
 *   "upload_only"    integer: 1 = wants nothing (BEP 21)
 *   "v"              bytes: client name and version
 *   "yourip"         bytes, 4 or 16: the receiver's address, as the sender sees it
 *
 * Structure is strict; a number that makes no sense reads as "not said", because clients differ
 * in what they put here and nothing depends on it. */
#include "base/limits.h"
#include "wire/bencode.h"
#include "wire/peer_msg.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
    uint8_t bit;
} names[] = {
    /* sorted, as they are written */
    {"fringe_claim", offsetof(struct peer_extended, fringe_claim), PEER_NAMES_FRINGE_CLAIM},
    {"fringe_release", offsetof(struct peer_extended, fringe_release), PEER_NAMES_FRINGE_RELEASE},
    {"lt_donthave", offsetof(struct peer_extended, lt_donthave), PEER_NAMES_LT_DONTHAVE},
    {"upload_only", offsetof(struct peer_extended, upload_only_id), PEER_NAMES_UPLOAD_ONLY},
    {"ut_metadata", offsetof(struct peer_extended, ut_metadata), PEER_NAMES_UT_METADATA},
    {"ut_pex", offsetof(struct peer_extended, ut_pex), PEER_NAMES_UT_PEX},
};
#define NAMES (sizeof names / sizeof names[0])

static void read_ids(struct bencode *in, struct peer_extended *ret)
{
    struct span key = {NULL, 0};

    bencode_enter_dict(in);
    while (bencode_next_key(in, &key)) {
        int64_t id = bencode_int(in);
        for (size_t i = 0; i < NAMES; i++) {
            if (!span_is(key, names[i].name))
                continue;
            ((uint8_t *)ret)[names[i].offset] = id > 0 && id <= UINT8_MAX ? (uint8_t)id : 0;
            ret->named |= names[i].bit;
        }
    }
}

static uint32_t read_number(struct bencode *in, uint32_t max)
{
    int64_t value = bencode_int(in);

    return value > 0 && value <= max ? (uint32_t)value : 0;
}

static void read_upload_only(struct bencode *in, struct peer_extended *ret)
{
    ret->upload_only = bencode_int(in) != 0;
    ret->says_upload_only = true;
}

static void read_your_ip(struct span ip, struct peer_extended *ret)
{
    if (ip.length != 4 && ip.length != 16)
        return;
    ret->your_ip = (struct address){.family = ip.length == 4 ? 4 : 6};
    memcpy(ret->your_ip.ip, ip.data, ip.length);
}

enum err peer_extended_decode(struct span payload, struct peer_extended *ret)
{
    struct bencode in;
    struct span key = {NULL, 0};

    *ret = (struct peer_extended){0};
    bencode_init(&in, payload.data, payload.length);
    bencode_enter_dict(&in);
    while (bencode_next_key(&in, &key)) {
        if (span_is(key, "fringe_swarm"))
            ret->swarm_size = read_number(&in, LIMIT_SWARM_SIZE);
        else if (span_is(key, "m"))
            read_ids(&in, ret);
        else if (span_is(key, "metadata_size"))
            ret->metadata_size = read_number(&in, LIMIT_TORRENT);
        else if (span_is(key, "p"))
            ret->port = (uint16_t)read_number(&in, UINT16_MAX);
        else if (span_is(key, "reqq"))
            ret->reqq = read_number(&in, UINT32_MAX);
        else if (span_is(key, "upload_only"))
            read_upload_only(&in, ret);
        else if (span_is(key, "v"))
            span_printable(bencode_bytes(&in), ret->version, sizeof ret->version);
        else if (span_is(key, "yourip"))
            read_your_ip(bencode_bytes(&in), ret);
        else
            bencode_skip(&in);
    }
    return bencode_finish(&in);
}

static void put_any(struct buf *out, const char *key, uint32_t value)
{
    bencode_put_text(out, key);
    bencode_put_int(out, value);
}

static void put_number(struct buf *out, const char *key, uint32_t value)
{
    if (value != 0)
        put_any(out, key, value);
}

void peer_extended_encode(const struct peer_extended *extended, struct buf *out)
{
    bencode_put_dict(out);
    put_number(out, "fringe_swarm", extended->swarm_size);
    bencode_put_text(out, "m");
    bencode_put_dict(out);
    for (size_t i = 0; i < NAMES; i++) {
        uint8_t id = ((const uint8_t *)extended)[names[i].offset];
        if (id != 0 || (extended->named & names[i].bit) != 0)
            put_any(out, names[i].name, id);
    }
    bencode_put_end(out);
    put_number(out, "metadata_size", extended->metadata_size);
    put_number(out, "p", extended->port);
    put_number(out, "reqq", extended->reqq);
    if (extended->upload_only || extended->says_upload_only)
        put_any(out, "upload_only", extended->upload_only);
    if (extended->version[0] != '\0') {
        bencode_put_text(out, "v");
        bencode_put_text(out, extended->version);
    }
    if (extended->your_ip.family != 0) {
        bencode_put_text(out, "yourip");
        bencode_put_bytes(out, extended->your_ip.ip, extended->your_ip.family == 4 ? 4 : 16);
    }
    bencode_put_end(out);
}
