/* wire/ut_pex, wire/compact, wire/lt_donthave: peers and lost pieces, both ways. */
#include "check_main.h"
#include "mutate.h"
#include "wire/bencode.h"
#include "wire/compact.h"
#include "wire/lt_donthave.h"
#include "wire/ut_pex.h"

static enum err decode(const void *data, size_t length, struct ut_pex *ret)
{
    uint8_t *copy = mem_alloc(length);
    if (length > 0)
        memcpy(copy, data, length);
    enum err err = ut_pex_decode(span_of(copy, length), ret);
    mem_free(copy);
    return err;
}

#define DECODE(TEXT, RET) decode(TEXT, sizeof(TEXT) - 1, RET)

static void assert_peer(const struct ut_pex_peer *peer, const char *wanted, uint8_t flags)
{
    char text[ADDRESS_TEXT];
    address_format(&peer->address, text);
    ck_assert_str_eq(text, wanted);
    ck_assert_uint_eq(peer->flags, flags);
}

/* The keys in the order of BEP 3, two peers and one of IPv6 added, one of each dropped. */
static const char sample[] = "d5:added12:\1\2\3\4\x1a\xe1\5\6\7\x8\0\x50"
                             "7:added.f2:\x02\x10"
                             "6:added618:\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\1\2"
                             "8:added6.f1:\x04"
                             "7:dropped6:\x9\x9\x9\x9\0\x9"
                             "8:dropped618:\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x8\1\2e";

START_TEST(reads_and_writes_the_same)
{
    struct ut_pex pex;
    struct buf out;

    ck_assert_int_eq(DECODE(sample, &pex), ERR_OK);
    ck_assert_uint_eq(pex.added_count, 3);
    assert_peer(&pex.added[0], "1.2.3.4:6881", UT_PEX_UPLOAD_ONLY);
    assert_peer(&pex.added[1], "5.6.7.8:80", UT_PEX_REACHABLE);
    assert_peer(&pex.added[2], "[2001:db8::7]:258", UT_PEX_UTP);
    ck_assert_uint_eq(pex.dropped_count, 2);
    assert_peer(&pex.dropped[0], "9.9.9.9:9", 0);
    assert_peer(&pex.dropped[1], "[2001:db8::8]:258", 0);
    buf_init(&out, KIB(16));
    ut_pex_encode(&pex, &out);
    ck_assert_uint_eq(out.length, sizeof sample - 1);
    ck_assert_mem_eq(out.data, sample, out.length);
    buf_done(&out);
}
END_TEST

START_TEST(every_key_may_be_missing)
{
    struct ut_pex pex;
    struct buf out;

    ck_assert_int_eq(DECODE("de", &pex), ERR_OK);
    ck_assert_uint_eq(pex.added_count + pex.dropped_count, 0);
    ck_assert_int_eq(DECODE("d5:added6:\1\2\3\4\0\1"
                            "7:unknownlee",
                            &pex),
                     ERR_OK);
    ck_assert_uint_eq(pex.added_count, 1);
    assert_peer(&pex.added[0], "1.2.3.4:1", 0);
    pex.added_count = pex.dropped_count = 0;
    buf_init(&out, KIB(16));
    ut_pex_encode(&pex, &out);
    static const char none[] =
        "d5:added0:7:added.f0:6:added60:8:added6.f0:7:dropped0:8:dropped60:e";
    ck_assert_uint_eq(out.length, sizeof none - 1);
    ck_assert_mem_eq(out.data, none, out.length);
    buf_done(&out);
    ck_assert_int_eq(DECODE(none, &pex), ERR_OK);
}
END_TEST

START_TEST(mixed_families_are_sorted_out)
{
    struct ut_pex pex = {.added_count = 3}, back;
    struct buf out;

    address_parse("[2001:db8::7]:1", &pex.added[0].address);
    pex.added[0].flags = 1;
    address_parse("1.2.3.4:2", &pex.added[1].address);
    pex.added[1].flags = 2;
    address_parse("[2001:db8::8]:3", &pex.added[2].address);
    pex.added[2].flags = 4;
    buf_init(&out, KIB(16));
    ut_pex_encode(&pex, &out);
    ck_assert_int_eq(decode(out.data, out.length, &back), ERR_OK);
    ck_assert_uint_eq(back.added_count, 3);
    assert_peer(&back.added[0], "1.2.3.4:2", 2);
    assert_peer(&back.added[1], "[2001:db8::7]:1", 1);
    assert_peer(&back.added[2], "[2001:db8::8]:3", 4);
    buf_done(&out);
}
END_TEST

/* n peers of IPv4 and as many of IPv6, added and dropped. */
static void put_many(struct buf *out, size_t n)
{
    static const struct {
        const char *key;
        size_t size;
    } lists[] = {{"added", 6},    {"added.f", 1}, {"added6", 18},
                 {"added6.f", 1}, {"dropped", 6}, {"dropped6", 18}};

    bencode_put_dict(out);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        uint8_t *bytes = mem_alloc(n * lists[i].size);
        memset(bytes, 7, n * lists[i].size);
        bencode_put_text(out, lists[i].key);
        bencode_put_bytes(out, bytes, n * lists[i].size);
        mem_free(bytes);
    }
    bencode_put_end(out);
}

START_TEST(fifty_and_fifty_are_kept)
{
    static const struct {
        size_t sent, four;
    } cases[] = {{20, 20}, {30, 30}, {50, 50}, {100, 50}, {1000, 50}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ut_pex pex;
        struct buf out;
        size_t kept = 2 * cases[i].sent < LIMIT_PEX_PEERS ? 2 * cases[i].sent : LIMIT_PEX_PEERS;
        buf_init(&out, MIB(1));
        put_many(&out, cases[i].sent);
        ck_assert_int_eq(decode(out.data, out.length, &pex), ERR_OK);
        ck_assert_uint_eq(pex.added_count, kept);
        ck_assert_uint_eq(pex.dropped_count, kept);
        for (size_t j = 0; j < kept; j++)
            ck_assert_uint_eq(pex.added[j].address.family, j < cases[i].four ? 4 : 6);
        buf_clear(&out);
        ut_pex_encode(&pex, &out);
        ck_assert_int_eq(decode(out.data, out.length, &pex), ERR_OK);
        ck_assert_uint_eq(pex.added_count, kept);
        buf_done(&out);
    }
}
END_TEST

START_TEST(port_0_is_left_out_with_its_flag)
{
    struct ut_pex pex;

    ck_assert_int_eq(DECODE("d5:added18:\1\1\1\1\0\1\2\2\2\2\0\0\3\3\3\3\0\3"
                            "7:added.f3:\1\2\4e",
                            &pex),
                     ERR_OK);
    ck_assert_uint_eq(pex.added_count, 2);
    assert_peer(&pex.added[0], "1.1.1.1:1", 1);
    assert_peer(&pex.added[1], "3.3.3.3:3", 4);
}
END_TEST

START_TEST(lists_out_of_form_are_refused)
{
    static const struct {
        const char *text;
        enum err err;
    } bad[] = {
        {"", ERR_TRUNCATED},
        {"le", ERR_SYNTAX},
        {"dex", ERR_SYNTAX},
        {"d5:added5:abcdee", ERR_SYNTAX},
        {"d6:added617:abcdefghijklmnopqe", ERR_SYNTAX},
        {"d7:dropped1:ae", ERR_SYNTAX},
        {"d8:dropped66:abcdefe", ERR_SYNTAX},
        {"d5:addedi5ee", ERR_SYNTAX},
        {"d5:addedlee", ERR_SYNTAX},
        {"d5:added6:abcdef7:added.f0:e", ERR_MISMATCH},
        {"d5:added6:abcdef7:added.f2:abe", ERR_MISMATCH},
        {"d7:added.f1:ae", ERR_MISMATCH},
        {"d6:added618:abcdefghijklmnopqr8:added6.f2:abe", ERR_MISMATCH},
        {"d5:added6:abcdef5:added6:abcdefe", ERR_DUPLICATE},
        {"d7:dropped0:5:added0:e", ERR_NONCANONICAL},
    };
    struct ut_pex pex;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(decode(bad[i].text, strlen(bad[i].text), &pex) == bad[i].err, "%s",
                      bad[i].text);
        ck_assert_uint_eq(pex.added_count + pex.dropped_count, 0);
    }
}
END_TEST

START_TEST(truncation_at_every_byte)
{
    struct ut_pex pex;

    for (size_t i = 0; i < sizeof sample - 1; i++)
        ck_assert_msg(decode(sample, i, &pex) == ERR_TRUNCATED, "at %zu", i);
}
END_TEST

START_TEST(random_mutations)
{
    uint64_t seed = mutate_seed(), state = seed;

    for (int round = 0; round < 100000; round++) {
        struct span copy = mutate_copy(sample, sizeof sample - 1, &state);
        struct ut_pex pex;
        enum err err = ut_pex_decode(copy, &pex);
        ck_assert_msg(pex.added_count <= 3 && pex.dropped_count <= 2, "seed %llu",
                      (unsigned long long)seed);
        ck_assert(err == ERR_OK || pex.added_count + pex.dropped_count == 0);
        mutate_free(copy);
    }
}
END_TEST

START_TEST(compact_lists)
{
    struct span list = span_of("\1\2\3\4\0\1\5\6\7\x8\xff\xff", 12);
    struct address address = compact_at(list, 4, 1);
    char text[ADDRESS_TEXT];

    ck_assert_uint_eq(compact_size(4), 6);
    ck_assert_uint_eq(compact_size(6), 18);
    ck_assert(compact_fits(list, 4) && !compact_fits(list, 6));
    ck_assert(compact_fits(span_of(NULL, 0), 4));
    address_format(&address, text);
    ck_assert_str_eq(text, "5.6.7.8:65535");
}
END_TEST

START_TEST(a_lost_piece_is_four_bytes)
{
    struct buf out;
    uint32_t piece = 0;

    buf_init(&out, 100);
    lt_donthave_encode(0x01020304, &out);
    ck_assert_uint_eq(out.length, 4);
    ck_assert_mem_eq(out.data, "\1\2\3\4", 4);
    ck_assert_int_eq(lt_donthave_decode(span_of(out.data, 4), &piece), ERR_OK);
    ck_assert_uint_eq(piece, 0x01020304);
    for (size_t length = 0; length < 8; length++)
        if (length != 4)
            ck_assert_int_eq(lt_donthave_decode(span_of("12345678", length), &piece), ERR_SYNTAX);
    buf_done(&out);
}
END_TEST

TEST_MAIN("wire.ut_pex",
          TESTS(reads_and_writes_the_same, every_key_may_be_missing, mixed_families_are_sorted_out,
                fifty_and_fifty_are_kept, port_0_is_left_out_with_its_flag,
                lists_out_of_form_are_refused, truncation_at_every_byte, random_mutations,
                compact_lists, a_lost_piece_is_four_bytes))
