/* wire/peer_msg: every kind both ways, exact lengths, hostile frames. */
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "wire/peer_msg.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Decodes from an exact copy, so that the sanitizer sees a read past the end. The result's
 * payload is compared by offset only where a test needs it. */
static enum err decode(const void *data, size_t length, struct peer_msg *ret, size_t *ret_used)
{
    uint8_t *copy = mem_alloc(length);
    if (length > 0)
        memcpy(copy, data, length);
    enum err err = peer_msg_decode(copy, length, ret, ret_used);
    mem_free(copy);
    return err;
}

/* --- handshake */

static struct peer_handshake a_handshake(bool extended, bool fast)
{
    struct peer_handshake ret = {.extended = extended, .fast = fast};
    memcpy(ret.infohash, "abcdefghijklmnopqrst", SHORT_HASH_LENGTH);
    memcpy(ret.peer_id, "-FR0100-012345678901", PEER_ID_LENGTH);
    return ret;
}

START_TEST(handshake_is_68_bytes)
{
    struct peer_handshake handshake = a_handshake(true, true);
    struct buf out;
    static const char wanted[] = "\x13"
                                 "BitTorrent protocol"
                                 "\0\0\0\0\0\x10\0\x04"
                                 "abcdefghijklmnopqrst"
                                 "-FR0100-012345678901";

    buf_init(&out, 1000);
    peer_handshake_encode(&handshake, &out);
    ck_assert_uint_eq(out.length, HANDSHAKE_LENGTH);
    ck_assert_mem_eq(out.data, wanted, HANDSHAKE_LENGTH);
    buf_done(&out);
}
END_TEST

START_TEST(handshake_round_trips)
{
    for (int bits = 0; bits < 4; bits++) {
        struct peer_handshake in = a_handshake(bits & 1, bits & 2), back;
        struct buf out;
        buf_init(&out, 1000);
        peer_handshake_encode(&in, &out);
        for (size_t i = 0; i < HANDSHAKE_LENGTH; i++)
            ck_assert_int_eq(peer_handshake_decode(out.data, i, &back), ERR_MORE);
        ck_assert_int_eq(peer_handshake_decode(out.data, out.length, &back), ERR_OK);
        ck_assert_int_eq(back.extended, in.extended);
        ck_assert_int_eq(back.fast, in.fast);
        ck_assert_mem_eq(back.infohash, in.infohash, SHORT_HASH_LENGTH);
        ck_assert_mem_eq(back.peer_id, in.peer_id, PEER_ID_LENGTH);
        buf_done(&out);
    }
}
END_TEST

START_TEST(handshake_of_another_protocol_is_refused_at_once)
{
    struct peer_handshake back;
    struct buf out;
    struct peer_handshake in = a_handshake(true, true);

    ck_assert_int_eq(peer_handshake_decode((const uint8_t *)"G", 1, &back), ERR_SYNTAX);
    ck_assert_int_eq(peer_handshake_decode((const uint8_t *)"\x13"
                                                            "Bad",
                                           4, &back),
                     ERR_SYNTAX);
    buf_init(&out, 1000);
    peer_handshake_encode(&in, &out);
    out.data[19] = 'L';
    ck_assert_int_eq(peer_handshake_decode(out.data, 19, &back), ERR_MORE);
    ck_assert_int_eq(peer_handshake_decode(out.data, 20, &back), ERR_SYNTAX);
    out.data[19] = 'l';
    /* What libtorrent 2.0.8 sends: DHT and all; unknown bits are no matter. */
    memset(out.data + 20, 0xff, 8);
    ck_assert_int_eq(peer_handshake_decode(out.data, out.length, &back), ERR_OK);
    ck_assert(back.extended && back.fast);
    buf_done(&out);
}
END_TEST

/* --- messages: bytes as the BEPs lay them out */

static const struct {
    const char *bytes;
    size_t length;
    struct peer_msg msg;
} vectors[] = {
    {"\0\0\0\0", 4, {.kind = PEER_KEEP_ALIVE}},
    {"\0\0\0\1\0", 5, {.kind = PEER_CHOKE}},
    {"\0\0\0\1\1", 5, {.kind = PEER_UNCHOKE}},
    {"\0\0\0\1\2", 5, {.kind = PEER_INTERESTED}},
    {"\0\0\0\1\3", 5, {.kind = PEER_NOT_INTERESTED}},
    {"\0\0\0\5\4\1\2\3\4", 9, {.kind = PEER_HAVE, .index = 0x01020304}},
    {"\0\0\0\3\5\xf0\x10", 7, {.kind = PEER_BITFIELD, .payload = {.length = 2}}},
    {"\0\0\0\1\5", 5, {.kind = PEER_BITFIELD}},
    {"\0\0\0\x0d\6\0\0\0\1\0\0\x40\0\0\0\x40\0",
     17,
     {.kind = PEER_REQUEST, .index = 1, .begin = 16384, .length = 16384}},
    {"\0\0\0\x0c\7\0\0\0\2\0\0\0\3abc",
     16,
     {.kind = PEER_PIECE, .index = 2, .begin = 3, .length = 3, .payload = {.length = 3}}},
    {"\0\0\0\x0d\x08\0\0\0\1\0\0\x40\0\0\0\x40\0",
     17,
     {.kind = PEER_CANCEL, .index = 1, .begin = 16384, .length = 16384}},
    {"\0\0\0\3\x09\x1a\xe1", 7, {.kind = PEER_PORT, .port = 6881}},
    {"\0\0\0\5\x0d\0\0\0\7", 9, {.kind = PEER_SUGGEST, .index = 7}},
    {"\0\0\0\1\x0e", 5, {.kind = PEER_HAVE_ALL}},
    {"\0\0\0\1\x0f", 5, {.kind = PEER_HAVE_NONE}},
    {"\0\0\0\x0d\x10\0\0\0\1\0\0\0\0\0\0\x4e\x20",
     17,
     {.kind = PEER_REJECT, .index = 1, .begin = 0, .length = 20000}},
    {"\0\0\0\5\x11\0\0\0\x08", 9, {.kind = PEER_ALLOWED_FAST, .index = 8}},
    {"\0\0\0\4\x14\0de", 8, {.kind = PEER_EXTENDED, .payload = {.length = 2}}},
    {"\0\0\0\2\x14\x05", 6, {.kind = PEER_EXTENDED, .extended_id = 5}},
    {"\0\0\0\x31\x15"
     "0123456789abcdef0123456789ABCDEF"
     "\0\0\0\2\0\0\0\4\0\0\0\4\0\0\0\2",
     53,
     {.kind = PEER_HASH_REQUEST, .hash = {.base = 2, .index = 4, .count = 4, .proof_layers = 2}}},
    {"\0\0\0\x31\x17"
     "0123456789abcdef0123456789ABCDEF"
     "\0\0\0\2\0\0\0\4\0\0\0\4\0\0\0\2",
     53,
     {.kind = PEER_HASH_REJECT, .hash = {.base = 2, .index = 4, .count = 4, .proof_layers = 2}}},
    {"\0\0\0\x71\x16"
     "0123456789abcdef0123456789ABCDEF"
     "\0\0\0\2\0\0\0\0\0\0\0\2\0\0\0\0"
     "0123456789abcdef0123456789ABCDEF"
     "0123456789abcdef0123456789ABCDEF",
     117,
     {.kind = PEER_HASHES, .hash = {.base = 2, .count = 2, .hashes = {.length = 64}}}},
};
#define VECTORS (sizeof vectors / sizeof vectors[0])

static void assert_same(const struct peer_msg *a, const struct peer_msg *b)
{
    ck_assert_int_eq(a->kind, b->kind);
    ck_assert_uint_eq(a->index, b->index);
    ck_assert_uint_eq(a->begin, b->begin);
    ck_assert_uint_eq(a->length, b->length);
    ck_assert_uint_eq(a->port, b->port);
    ck_assert_uint_eq(a->extended_id, b->extended_id);
    ck_assert_uint_eq(a->payload.length, b->payload.length);
    ck_assert_uint_eq(a->hash.base, b->hash.base);
    ck_assert_uint_eq(a->hash.index, b->hash.index);
    ck_assert_uint_eq(a->hash.count, b->hash.count);
    ck_assert_uint_eq(a->hash.proof_layers, b->hash.proof_layers);
    ck_assert_uint_eq(a->hash.hashes.length, b->hash.hashes.length);
}

START_TEST(every_kind_decodes)
{
    for (size_t i = 0; i < VECTORS; i++) {
        struct peer_msg msg;
        size_t used = 0;
        enum err err = decode(vectors[i].bytes, vectors[i].length, &msg, &used);
        ck_assert_msg(err == ERR_OK, "vector %zu: %s", i, err_name(err));
        ck_assert_uint_eq(used, vectors[i].length);
        assert_same(&msg, &vectors[i].msg);
        if (msg.hash.count > 0)
            ck_assert_mem_eq(msg.hash.root, "0123456789abcdef0123456789ABCDEF", HASH_LENGTH);
    }
}
END_TEST

START_TEST(every_kind_encodes_back)
{
    for (size_t i = 0; i < VECTORS; i++) {
        struct peer_msg msg;
        size_t used = 0;
        struct buf out;
        const uint8_t *bytes = (const uint8_t *)vectors[i].bytes;
        ck_assert_int_eq(peer_msg_decode(bytes, vectors[i].length, &msg, &used), ERR_OK);
        buf_init(&out, 1000);
        peer_msg_encode(&msg, &out);
        if (msg.kind == PEER_PIECE) { /* the data follows from elsewhere */
            ck_assert_uint_eq(out.length, 13);
            ck_assert_mem_eq(msg.payload.data, "abc", 3);
            buf_put(&out, msg.payload.data, msg.payload.length);
        }
        ck_assert_uint_eq(out.length, used);
        ck_assert_mem_eq(out.data, bytes, used);
        buf_done(&out);
    }
}
END_TEST

START_TEST(truncation_at_every_byte)
{
    for (size_t i = 0; i < VECTORS; i++)
        for (size_t length = 0; length < vectors[i].length; length++) {
            struct peer_msg msg;
            size_t used = 0;
            ck_assert_msg(decode(vectors[i].bytes, length, &msg, &used) == ERR_MORE,
                          "vector %zu at %zu", i, length);
        }
}
END_TEST

/* The kind alone settles which lengths are right: known before the body has come. */
START_TEST(wrong_lengths_are_refused_from_five_bytes)
{
    static const struct {
        uint8_t kind;
        uint32_t length;
        enum err err;
    } cases[] = {
        {PEER_CHOKE, 2, ERR_SYNTAX},
        {PEER_HAVE_ALL, 1000, ERR_SYNTAX},
        {PEER_HAVE, 4, ERR_SYNTAX},
        {PEER_HAVE, 6, ERR_SYNTAX},
        {PEER_HAVE, LIMIT_PEER_MESSAGE, ERR_SYNTAX},
        {PEER_REQUEST, 12, ERR_SYNTAX},
        {PEER_REQUEST, 14, ERR_SYNTAX},
        {PEER_CANCEL, 12, ERR_SYNTAX},
        {PEER_REJECT, 14, ERR_SYNTAX},
        {PEER_PORT, 2, ERR_SYNTAX},
        {PEER_SUGGEST, 1, ERR_SYNTAX},
        {PEER_ALLOWED_FAST, 9, ERR_SYNTAX},
        {PEER_PIECE, 8, ERR_SYNTAX},
        {PEER_PIECE, 9, ERR_SYNTAX}, /* no data at all */
        {PEER_PIECE, 9 + LIMIT_PEER_REQUEST, ERR_MORE},
        {PEER_PIECE, 10 + LIMIT_PEER_REQUEST, ERR_TOO_LARGE},
        {PEER_EXTENDED, 1, ERR_SYNTAX},
        {PEER_EXTENDED, 2 + LIMIT_PEER_EXTENDED, ERR_MORE},
        {PEER_EXTENDED, 3 + LIMIT_PEER_EXTENDED, ERR_TOO_LARGE},
        {PEER_HASH_REQUEST, 48, ERR_SYNTAX},
        {PEER_HASH_REJECT, 50, ERR_SYNTAX},
        {PEER_HASHES, 49, ERR_SYNTAX},
        {PEER_HASHES, 49 + 33, ERR_SYNTAX},
        {PEER_HASHES, 49 + 32, ERR_MORE},
        {PEER_BITFIELD, LIMIT_PEER_MESSAGE, ERR_MORE},
        {PEER_BITFIELD, LIMIT_PEER_MESSAGE + 1, ERR_TOO_LARGE},
        {99, LIMIT_PEER_MESSAGE, ERR_MORE},
        {99, UINT32_MAX, ERR_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t head[5];
        struct peer_msg msg;
        size_t used = 0;
        store_u32be(head, cases[i].length);
        head[4] = cases[i].kind;
        enum err err = decode(head, 5, &msg, &used);
        ck_assert_msg(err == cases[i].err, "case %zu: %s", i, err_name(err));
    }
}
END_TEST

START_TEST(hashes_must_hold_what_they_count)
{
    uint8_t frame[4 + 49 + 40 * HASH_LENGTH] = {0};
    struct peer_msg msg;
    size_t used = 0;
    static const struct {
        uint32_t hashes, count;
        enum err err;
    } cases[] = {{2, 0, ERR_SYNTAX}, {2, 3, ERR_SYNTAX}, {2, UINT32_MAX, ERR_SYNTAX},
                 {2, 2, ERR_OK},     {34, 2, ERR_OK},    {35, 2, ERR_SYNTAX}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        store_u32be(frame, 49 + cases[i].hashes * HASH_LENGTH);
        frame[4] = PEER_HASHES;
        store_u32be(frame + 5 + 40, cases[i].count);
        enum err err = decode(frame, 53 + (size_t)cases[i].hashes * HASH_LENGTH, &msg, &used);
        ck_assert_msg(err == cases[i].err, "case %zu: %s", i, err_name(err));
    }
}
END_TEST

START_TEST(unknown_kinds_are_passed_over)
{
    struct peer_msg msg;
    size_t used = 0;

    ck_assert_int_eq(decode("\0\0\0\3\x63"
                            "ab",
                            7, &msg, &used),
                     ERR_OK);
    ck_assert_int_eq(msg.kind, PEER_UNKNOWN);
    ck_assert_uint_eq(used, 7);
    /* 10 to 12 lie between kinds that we know */
    ck_assert_int_eq(decode("\0\0\0\1\x0a", 5, &msg, &used), ERR_OK);
    ck_assert_int_eq(msg.kind, PEER_UNKNOWN);
}
END_TEST

START_TEST(one_message_is_taken_from_a_stream)
{
    static const char stream[] = "\0\0\0\1\1\0\0\0\5\4\0\0\0\x09\0\0\0\0";
    const uint8_t *at = (const uint8_t *)stream;
    size_t left = sizeof stream - 1, used = 0;
    static const enum peer_msg_kind kinds[] = {PEER_UNCHOKE, PEER_HAVE, PEER_KEEP_ALIVE};

    for (size_t i = 0; i < 3; i++, at += used, left -= used) {
        struct peer_msg msg;
        ck_assert_int_eq(peer_msg_decode(at, left, &msg, &used), ERR_OK);
        ck_assert_int_eq(msg.kind, kinds[i]);
    }
    ck_assert_uint_eq(left, 0);
}
END_TEST

/* --- extended handshake */

static enum err extended_text(const char *text, struct peer_extended *ret)
{
    uint8_t *copy = mem_dup(text, strlen(text));
    enum err err = peer_extended_decode(span_of(copy, strlen(text)), ret);
    mem_free(copy);
    return err;
}

START_TEST(extended_handshake_round_trips)
{
    struct peer_extended in = {.ut_metadata = 1,
                               .ut_pex = 2,
                               .lt_donthave = 3,
                               .fringe_claim = 4,
                               .fringe_release = 255,
                               .upload_only_id = 5,
                               .your_ip = {.family = 4, .ip = {192, 3, 2, 7}},
                               .reqq = 500,
                               .metadata_size = 31235,
                               .port = 6881,
                               .upload_only = true,
                               .version = "Fringe 0.1.0"};
    struct peer_extended back;
    struct buf out;

    buf_init(&out, 1000);
    peer_extended_encode(&in, &out);
    ck_assert(
        span_is(span_of(out.data, out.length),
                "d1:md12:fringe_claimi4e14:fringe_releasei255e11:lt_donthavei3e"
                "11:upload_onlyi5e11:ut_metadatai1e6:ut_pexi2ee13:metadata_sizei31235e1:pi6881e"
                "4:reqqi500e11:upload_onlyi1e1:v12:Fringe 0.1.06:yourip4:\xc0\3\2\7e"));
    ck_assert_int_eq(peer_extended_decode(span_of(out.data, out.length), &back), ERR_OK);
    ck_assert_uint_eq(back.ut_metadata, 1);
    ck_assert_uint_eq(back.ut_pex, 2);
    ck_assert_uint_eq(back.lt_donthave, 3);
    ck_assert_uint_eq(back.fringe_claim, 4);
    ck_assert_uint_eq(back.fringe_release, 255);
    ck_assert_uint_eq(back.reqq, 500);
    ck_assert_uint_eq(back.metadata_size, 31235);
    ck_assert_uint_eq(back.port, 6881);
    ck_assert(back.upload_only);
    ck_assert_uint_eq(back.upload_only_id, 5);
    ck_assert(address_equal(&back.your_ip, &in.your_ip));
    ck_assert_str_eq(back.version, "Fringe 0.1.0");
    for (size_t i = 0; i < out.length; i++)
        ck_assert_int_eq(peer_extended_decode(span_of(out.data, i), &back), ERR_TRUNCATED);
    buf_clear(&out);
    in = (struct peer_extended){0};
    peer_extended_encode(&in, &out);
    ck_assert(span_is(span_of(out.data, out.length), "d1:mdee"));
    buf_done(&out);
}
END_TEST

START_TEST(extended_handshake_of_a_stock_client)
{
    struct peer_extended ext;

    /* As libtorrent 2.0.8 lays it out, with keys that we do not know. */
    ck_assert_int_eq(
        extended_text("d12:complete_agoi5e1:md11:lt_donthavei7e10:share_modei8e11:upload_onlyi3e"
                      "12:ut_holepunchi4e11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei560e"
                      "4:reqqi2000e11:upload_onlyi1e1:v18:libtorrent/2.0.8.06:yourip4:\x7f\1\1\1e",
                      &ext),
        ERR_OK);
    ck_assert_uint_eq(ext.lt_donthave, 7);
    ck_assert_uint_eq(ext.ut_metadata, 2);
    ck_assert_uint_eq(ext.ut_pex, 1);
    ck_assert_uint_eq(ext.fringe_claim, 0);
    ck_assert_uint_eq(ext.metadata_size, 560);
    ck_assert_uint_eq(ext.reqq, 2000);
    ck_assert_uint_eq(ext.port, 0);
    ck_assert(ext.upload_only);
    ck_assert_uint_eq(ext.upload_only_id, 3);
    ck_assert_uint_eq(ext.your_ip.family, 4);
    ck_assert_mem_eq(ext.your_ip.ip, "\x7f\1\1\1", 4);
    ck_assert_str_eq(ext.version, "libtorrent/2.0.8.0");
}
END_TEST

START_TEST(numbers_without_sense_read_as_not_said)
{
    struct peer_extended ext;

    ck_assert_int_eq(extended_text("d1:md11:ut_metadatai256e6:ut_pexi-1ee13:metadata_size"
                                   "i99999999999e1:pi65536e4:reqqi-5e1:v3:a\nbe",
                                   &ext),
                     ERR_OK);
    ck_assert_uint_eq(ext.ut_metadata, 0);
    ck_assert_uint_eq(ext.ut_pex, 0);
    ck_assert_uint_eq(ext.metadata_size, 0);
    ck_assert_uint_eq(ext.port, 0);
    ck_assert_uint_eq(ext.reqq, 0);
    ck_assert_str_eq(ext.version, "a?b");
    char *text = mem_printf("d1:v100:%0100de", 0);
    ck_assert_int_eq(extended_text(text, &ext), ERR_OK);
    ck_assert_uint_eq(strlen(ext.version), sizeof ext.version - 1);
    mem_free(text);
}
END_TEST

/* It may come again and take back what it offered: that is not the same as silence. */
START_TEST(an_id_of_0_is_not_silence)
{
    struct peer_extended ext;
    struct buf out;

    ck_assert_int_eq(extended_text("d1:md6:ut_pexi0eee", &ext), ERR_OK);
    ck_assert_uint_eq(ext.named, PEER_NAMES_UT_PEX);
    ck_assert_uint_eq(ext.ut_pex, 0);
    ck_assert(!ext.says_upload_only);
    ck_assert_int_eq(extended_text("d1:mde11:upload_onlyi0ee", &ext), ERR_OK);
    ck_assert_uint_eq(ext.named, 0);
    ck_assert(ext.says_upload_only && !ext.upload_only);
    ext.named = PEER_NAMES_FRINGE_CLAIM;
    buf_init(&out, 1000);
    peer_extended_encode(&ext, &out);
    ck_assert(span_is(span_of(out.data, out.length), "d1:md12:fringe_claimi0ee11:upload_onlyi0ee"));
    buf_done(&out);
}
END_TEST

START_TEST(extended_handshakes_out_of_form_are_refused)
{
    struct peer_extended ext;

    ck_assert_int_eq(extended_text("le", &ext), ERR_SYNTAX);
    ck_assert_int_eq(extended_text("d1:mi5ee", &ext), ERR_SYNTAX);
    ck_assert_int_eq(extended_text("d1:md6:ut_pex1:1ee", &ext), ERR_SYNTAX);
    ck_assert_int_eq(extended_text("d1:mde1:mdee", &ext), ERR_DUPLICATE);
    ck_assert_int_eq(extended_text("d1:p4:6881e", &ext), ERR_SYNTAX);
    ck_assert_int_eq(extended_text("d1:v1:x1:mdee", &ext), ERR_NONCANONICAL);
    ck_assert_int_eq(extended_text("d1:mdeeX", &ext), ERR_SYNTAX);
}
END_TEST

/* --- damage */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

START_TEST(random_mutations_never_read_past_the_end)
{
    const char *env = getenv("TEST_SEED");
    uint64_t seed = env != NULL ? strtoull(env, NULL, 10) : (uint64_t)time(NULL) << 8 | 1;
    uint64_t state = seed;

    fprintf(stderr, "# TEST_SEED=%llu\n", (unsigned long long)seed);
    for (int round = 0; round < 200000; round++) {
        uint8_t data[128];
        size_t i = next_random(&state) % VECTORS, length = vectors[i].length, used = 0;
        struct peer_msg msg;
        memcpy(data, vectors[i].bytes, length);
        for (uint64_t n = 1 + next_random(&state) % 3; n > 0; n--)
            data[next_random(&state) % length] = (uint8_t)next_random(&state);
        enum err err = decode(data, length, &msg, &used);
        ck_assert_msg(err != ERR_OK || (used >= 4 && used <= length), "seed %llu",
                      (unsigned long long)seed);
    }
}
END_TEST

TEST_MAIN("wire.peer_msg",
          TESTS(handshake_is_68_bytes, handshake_round_trips,
                handshake_of_another_protocol_is_refused_at_once, every_kind_decodes,
                every_kind_encodes_back, truncation_at_every_byte,
                wrong_lengths_are_refused_from_five_bytes, hashes_must_hold_what_they_count,
                unknown_kinds_are_passed_over, one_message_is_taken_from_a_stream,
                extended_handshake_round_trips, an_id_of_0_is_not_silence,
                extended_handshake_of_a_stock_client, numbers_without_sense_read_as_not_said,
                extended_handshakes_out_of_form_are_refused,
                random_mutations_never_read_past_the_end))
