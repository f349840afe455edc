/* wire/udp_tracker: BEP 15's packets, as a client needs them. */
#include "base/limits.h"
#include "check_main.h"
#include "mutate.h"
#include "wire/udp_tracker.h"

static enum err decode(const void *data, size_t length, uint8_t family,
                       struct udp_tracker_reply *ret)
{
    uint8_t *copy = mem_alloc(length);
    if (length > 0)
        memcpy(copy, data, length);
    enum err err = udp_tracker_decode(copy, length, family, ret);
    mem_free(copy);
    return err;
}

#define DECODE(TEXT, FAMILY, RET) decode(TEXT, sizeof(TEXT) - 1, FAMILY, RET)

START_TEST(requests_are_those_of_the_table)
{
    struct tracker_announce announce = {.port = 6881,
                                        .uploaded = 3,
                                        .downloaded = 1,
                                        .left = UINT64_MAX,
                                        .event = TRACKER_STARTED,
                                        .key = 0xbeef,
                                        .num_want = UINT32_MAX};
    struct buf out;
    static const char wanted[] = "\0\0\4\x17\x27\x10\x19\x80\0\0\0\0tran"
                                 "connecti\0\0\0\1tran"
                                 "abcdefghijklmnopqrst-FR0100-012345678901"
                                 "\0\0\0\0\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\3"
                                 "\0\0\0\2\0\0\0\0\0\0\xbe\xef\xff\xff\xff\xff\x1a\xe1";

    memcpy(announce.infohash, "abcdefghijklmnopqrst", SHORT_HASH_LENGTH);
    memcpy(announce.peer_id, "-FR0100-012345678901", PEER_ID_LENGTH);
    buf_init(&out, 1000);
    udp_tracker_put_connect(0x7472616e, &out);
    ck_assert_uint_eq(out.length, 16);
    udp_tracker_put_announce(0x636f6e6e65637469, 0x7472616e, &announce, &out);
    ck_assert_uint_eq(out.length, 16 + 98);
    ck_assert_mem_eq(out.data, wanted, 16 + 98);
    static const enum tracker_event events[] = {TRACKER_NONE, TRACKER_COMPLETED, TRACKER_STARTED,
                                                TRACKER_STOPPED};
    for (uint8_t i = 0; i < 4; i++) {
        buf_clear(&out);
        announce.event = events[i];
        udp_tracker_put_announce(1, 2, &announce, &out);
        ck_assert_uint_eq(out.data[83], i);
    }
    buf_done(&out);
}
END_TEST

START_TEST(connect_replies)
{
    struct udp_tracker_reply reply;

    ck_assert_int_eq(DECODE("\0\0\0\0tran\1\2\3\4\5\6\7\x8", 4, &reply), ERR_OK);
    ck_assert_int_eq(reply.action, UDP_TRACKER_CONNECT);
    ck_assert_uint_eq(reply.transaction, 0x7472616e);
    ck_assert_uint_eq(reply.connection, 0x0102030405060708);
    udp_tracker_reply_done(&reply);
    ck_assert_int_eq(DECODE("\0\0\0\0tran\1\2\3\4\5\6\7\x8more", 4, &reply), ERR_OK);
    udp_tracker_reply_done(&reply);
}
END_TEST

static void assert_peer(const struct udp_tracker_reply *reply, size_t i, const char *wanted)
{
    char text[ADDRESS_TEXT];
    ck_assert_uint_lt(i, reply->reply.count);
    address_format(&reply->reply.peers[i], text);
    ck_assert_str_eq(text, wanted);
}

#define HEAD "\0\0\0\1tran\0\0\7\x08\0\0\0\5\0\0\0\6"
static const char four[] = HEAD "\1\2\3\4\x1a\xe1\5\6\7\x8\0\0\x9\x9\x9\x9\0\x50";
static const char six[] = HEAD "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\1\2";

START_TEST(announce_replies)
{
    struct udp_tracker_reply reply;

    ck_assert_int_eq(DECODE(four, 4, &reply), ERR_OK);
    ck_assert_int_eq(reply.action, UDP_TRACKER_ANNOUNCE);
    ck_assert_uint_eq(reply.transaction, 0x7472616e);
    ck_assert_uint_eq(reply.reply.interval_s, 1800);
    ck_assert_uint_eq(reply.reply.leechers, 5);
    ck_assert_uint_eq(reply.reply.seeders, 6);
    ck_assert_uint_eq(reply.reply.count, 2); /* nobody listens on port 0 */
    assert_peer(&reply, 0, "1.2.3.4:6881");
    assert_peer(&reply, 1, "9.9.9.9:80");
    udp_tracker_reply_done(&reply);
    ck_assert_int_eq(DECODE(six, 6, &reply), ERR_OK);
    ck_assert_uint_eq(reply.reply.count, 1);
    assert_peer(&reply, 0, "[2001:db8::7]:258");
    udp_tracker_reply_done(&reply);
    ck_assert_int_eq(DECODE(HEAD, 6, &reply), ERR_OK);
    ck_assert_uint_eq(reply.reply.count, 0);
    udp_tracker_reply_done(&reply);
}
END_TEST

START_TEST(errors_are_failures)
{
    struct udp_tracker_reply reply;
    uint8_t longer[8 + 1000] = {0, 0, 0, 3};

    ck_assert_int_eq(DECODE("\0\0\0\3trannot\x1bhere", 4, &reply), ERR_OK);
    ck_assert_int_eq(reply.action, UDP_TRACKER_ERROR);
    ck_assert_str_eq(reply.reply.failure, "not?here");
    udp_tracker_reply_done(&reply);
    ck_assert_int_eq(DECODE("\0\0\0\3tran", 4, &reply), ERR_OK);
    ck_assert_str_ne(reply.reply.failure, "");
    udp_tracker_reply_done(&reply);
    memset(longer + 8, 'x', 1000);
    ck_assert_int_eq(decode(longer, sizeof longer, 4, &reply), ERR_OK);
    ck_assert_uint_eq(strlen(reply.reply.failure), sizeof reply.reply.failure - 1);
    udp_tracker_reply_done(&reply);
}
END_TEST

static uint32_t interval(uint32_t sent)
{
    uint8_t bytes[20] = {0, 0, 0, 1};
    struct udp_tracker_reply reply;

    store_u32be(bytes + 8, sent);
    ck_assert_int_eq(decode(bytes, sizeof bytes, 4, &reply), ERR_OK);
    uint32_t ret = reply.reply.interval_s;
    udp_tracker_reply_done(&reply);
    return ret;
}

START_TEST(intervals_are_clamped_as_over_http)
{
    ck_assert_uint_eq(interval(0), 1800);
    ck_assert_uint_eq(interval(1), 60);
    ck_assert_uint_eq(interval(900), 900);
    ck_assert_uint_eq(interval(INT32_MAX), 86400);
    ck_assert_uint_eq(interval(UINT32_MAX), 1800); /* -1 */
}
END_TEST

START_TEST(replies_out_of_form_are_refused)
{
    struct udp_tracker_reply reply;

    ck_assert_int_eq(DECODE("\0\0\0\2tran01234567", 4, &reply), ERR_UNSUPPORTED);
    ck_assert_int_eq(DECODE("\x80\0\0\0tran01234567", 4, &reply), ERR_UNSUPPORTED);
    ck_assert_int_eq(decode(four, sizeof four - 2, 4, &reply), ERR_SYNTAX);
    ck_assert_int_eq(decode(six, sizeof six - 2, 6, &reply), ERR_SYNTAX);
    ck_assert_int_eq(DECODE(six, 4, &reply), ERR_OK); /* 18 bytes are three peers of IPv4 */
    udp_tracker_reply_done(&reply);
    ck_assert_int_eq(decode(four, 26, 6, &reply), ERR_SYNTAX);
    ck_assert_ptr_null(reply.reply.peers);
    ck_assert_uint_eq(reply.reply.count, 0);
}
END_TEST

START_TEST(peers_and_sizes_are_capped)
{
    uint8_t *bytes = mem_alloc(LIMIT_UDP_TRACKER_REPLY + 1);
    struct udp_tracker_reply reply;

    memset(bytes, 1, LIMIT_UDP_TRACKER_REPLY + 1);
    memcpy(bytes, "\0\0\0\1", 4);
    ck_assert_int_eq(udp_tracker_decode(bytes, 20 + 6 * 300, 4, &reply), ERR_OK);
    ck_assert_uint_eq(reply.reply.count, LIMIT_TRACKER_PEERS);
    udp_tracker_reply_done(&reply);
    ck_assert_int_eq(udp_tracker_decode(bytes, 20 + 18 * LIMIT_TRACKER_PEERS, 6, &reply), ERR_OK);
    ck_assert_uint_eq(reply.reply.count, LIMIT_TRACKER_PEERS);
    udp_tracker_reply_done(&reply);
    ck_assert_int_eq(udp_tracker_decode(bytes, LIMIT_UDP_TRACKER_REPLY + 1, 4, &reply),
                     ERR_TOO_LARGE);
    mem_free(bytes);
}
END_TEST

START_TEST(truncation_at_every_byte)
{
    struct udp_tracker_reply reply;

    for (size_t i = 0; i < 16; i++)
        ck_assert_msg(decode("\0\0\0\0tran\1\2\3\4\5\6\7\x8", i, 4, &reply) == ERR_TRUNCATED,
                      "connect at %zu", i);
    for (size_t i = 0; i < sizeof four - 1; i++) {
        enum err wanted = i < 20 ? ERR_TRUNCATED : (i - 20) % 6 == 0 ? ERR_OK : ERR_SYNTAX;
        ck_assert_msg(decode(four, i, 4, &reply) == wanted, "announce at %zu", i);
        udp_tracker_reply_done(&reply);
    }
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(decode("\0\0\0\3tran", i, 4, &reply), ERR_TRUNCATED);
}
END_TEST

START_TEST(waits_double_and_end)
{
    static const uint32_t seconds[] = {15, 30, 60, 120, 240, 480, 960, 1920, 3840};

    for (unsigned i = 0; i < 9; i++)
        ck_assert_uint_eq(udp_tracker_timeout_ms(i), seconds[i] * 1000);
    ck_assert_uint_eq(udp_tracker_timeout_ms(9), 0);
    ck_assert_uint_eq(udp_tracker_timeout_ms(UINT32_MAX), 0);
}
END_TEST

START_TEST(urls)
{
    static const struct {
        const char *url, *host;
        uint16_t port;
    } good[] = {
        {"udp://tracker.example:1337", "tracker.example", 1337},
        {"udp://tracker.example:80/announce?x", "tracker.example", 80},
        {"udp://127.0.0.1:65535/", "127.0.0.1", 65535},
        {"udp://[2001:db8::7]:6969", "2001:db8::7", 6969},
    };
    static const char *const bad[] = {
        "",
        "udp://",
        "udp://a",
        "udp://a:",
        "udp://a:0",
        "udp://a:65536",
        "udp://a:99999999999",
        "udp://a:80x",
        "udp://:80",
        "udp://a b:80",
        "udp://A.example:80",
        "udp://[::1:80",
        "udp://::1:80",
        "udp://[g::1]:80",
        "udp://[::1]80",
        "udp://u@h:80",
        "udp://[]:80",
        "http://a:80",
        "UDP://a:80",
        "udp://a:-1",
        "udp://a/:80",
        "udp://a:80?x",
    };
    char host[UDP_TRACKER_HOST];
    uint16_t port = 0;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_int_eq(udp_tracker_url(good[i].url, host, &port), ERR_OK);
        ck_assert_str_eq(host, good[i].host);
        ck_assert_uint_eq(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(udp_tracker_url(bad[i], host, &port) == ERR_BAD_URL, "%s", bad[i]);
    char *longer = mem_printf("udp://%0300d:80", 0);
    ck_assert_int_eq(udp_tracker_url(longer, host, &port), ERR_BAD_URL);
    mem_free(longer);
}
END_TEST

START_TEST(random_mutations)
{
    uint64_t seed = mutate_seed(), state = seed;

    for (int round = 0; round < 100000; round++) {
        struct span copy = mutate_copy(four, sizeof four - 1, &state);
        struct udp_tracker_reply reply;
        enum err err = udp_tracker_decode(copy.data, copy.length, round % 2 ? 4 : 6, &reply);
        ck_assert_msg(reply.reply.count <= 3 && (err == ERR_OK || reply.reply.peers == NULL),
                      "seed %llu", (unsigned long long)seed);
        udp_tracker_reply_done(&reply);
        mutate_free(copy);
    }
}
END_TEST

TEST_MAIN("wire.udp_tracker",
          TESTS(requests_are_those_of_the_table, connect_replies, announce_replies,
                errors_are_failures, intervals_are_clamped_as_over_http,
                replies_out_of_form_are_refused, peers_and_sizes_are_capped,
                truncation_at_every_byte, waits_double_and_end, urls, random_mutations))
