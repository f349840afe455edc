/* wire/tracker: announce URLs, and replies in both forms. */
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "wire/tracker.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static struct tracker_announce an_announce(void)
{
    struct tracker_announce announce = {.port = 6881,
                                        .uploaded = 1,
                                        .downloaded = 2,
                                        .left = UINT64_MAX,
                                        .event = TRACKER_STARTED,
                                        .key = 0xbeef,
                                        .num_want = 50};
    memcpy(announce.infohash, "\x00\x01 aZ09-._~%&=\xff\x80/?#", SHORT_HASH_LENGTH);
    memcpy(announce.peer_id, "-FR0100-012345678901", PEER_ID_LENGTH);
    return announce;
}

static void assert_url(const char *base, const struct tracker_announce *announce,
                       const char *wanted)
{
    struct buf out;
    buf_init(&out, 4000);
    ck_assert_int_eq(tracker_announce_url(base, announce, &out), ERR_OK);
    ck_assert_uint_eq(out.length, strlen(wanted));
    ck_assert_mem_eq(out.data, wanted, out.length);
    buf_done(&out);
}

#define QUERY                                                                                      \
    "info_hash=%00%01%20aZ09-._~%25%26%3D%FF%80%2F%3F%23%00&peer_id=-FR0100-012345678901"          \
    "&port=6881&uploaded=1&downloaded=2&left=18446744073709551615&compact=1&numwant=50"            \
    "&key=0000beef"

START_TEST(announce_urls)
{
    struct tracker_announce announce = an_announce();

    assert_url("http://t.example/announce", &announce,
               "http://t.example/announce?" QUERY "&event=started");
    assert_url("https://t.example:8443/a?pass=x", &announce,
               "https://t.example:8443/a?pass=x&" QUERY "&event=started");
    announce.event = TRACKER_NONE;
    assert_url("http://t.example/a", &announce, "http://t.example/a?" QUERY);
    announce.event = TRACKER_STOPPED;
    assert_url("http://t.example/a", &announce, "http://t.example/a?" QUERY "&event=stopped");
    announce.event = TRACKER_COMPLETED;
    assert_url("http://t.example/a", &announce, "http://t.example/a?" QUERY "&event=completed");
}
END_TEST

START_TEST(bad_bases_are_refused)
{
    static const struct {
        const char *base;
        enum err err;
    } bad[] = {
        {"udp://t.example:80", ERR_UNSUPPORTED},
        {"ftp://t.example/", ERR_BAD_URL},
        {"", ERR_BAD_URL},
        {"http://", ERR_BAD_URL},
        {"http:///a", ERR_BAD_URL},
        {"https://?a", ERR_BAD_URL},
        {"http://t.example/a b", ERR_BAD_URL},
        {"http://t.example/a\r\nX: y", ERR_BAD_URL},
        {"http://t.example/a#frag", ERR_BAD_URL},
        {"http://t.example/\xc3\xa4", ERR_BAD_URL},
        {"HTTP://t.example/", ERR_BAD_URL},
        {"file:///etc/passwd", ERR_BAD_URL},
    };
    struct tracker_announce announce = an_announce();
    struct buf out;

    buf_init(&out, 4000);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(tracker_announce_url(bad[i].base, &announce, &out) == bad[i].err, "%s",
                      bad[i].base);
    ck_assert_uint_eq(out.length, 0);
    char *longer = mem_printf("http://t.example/%0*d", LIMIT_URL, 0);
    ck_assert_int_eq(tracker_announce_url(longer, &announce, &out), ERR_TOO_LARGE);
    mem_free(longer);
    buf_done(&out);
    buf_init(&out, 100);
    ck_assert_int_eq(tracker_announce_url("http://t.example/", &announce, &out), ERR_TOO_LARGE);
    buf_done(&out);
}
END_TEST

/* --- replies */

static enum err parse(const void *data, size_t length, struct tracker_reply *ret)
{
    uint8_t *copy = mem_alloc(length);
    memcpy(copy, data, length);
    enum err err = tracker_reply_parse(copy, length, ret);
    mem_free(copy);
    return err;
}

#define PARSE(TEXT, RET) parse(TEXT, sizeof(TEXT) - 1, RET)

static void assert_peer(const struct tracker_reply *reply, size_t i, const char *wanted)
{
    char text[ADDRESS_TEXT];
    ck_assert_uint_lt(i, reply->count);
    address_format(&reply->peers[i], text);
    ck_assert_str_eq(text, wanted);
}

/* opentracker's own layout. */
static const char compact[] = "d8:completei1e10:downloadedi0e10:incompletei2e8:intervali1756e"
                              "12:min intervali878e5:peers12:\x7f\0\0\1\x1a\xe1\1\2\3\4\0\x50"
                              "6:peers618:\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\1\2e";

START_TEST(compact_replies)
{
    struct tracker_reply reply;

    ck_assert_int_eq(PARSE(compact, &reply), ERR_OK);
    ck_assert_str_eq(reply.failure, "");
    ck_assert_uint_eq(reply.interval_s, 1756);
    ck_assert_uint_eq(reply.min_interval_s, 878);
    ck_assert_uint_eq(reply.seeders, 1);
    ck_assert_uint_eq(reply.leechers, 2);
    ck_assert_uint_eq(reply.external.family, 0);
    ck_assert_uint_eq(reply.count, 3);
    assert_peer(&reply, 0, "127.0.0.1:6881");
    assert_peer(&reply, 1, "1.2.3.4:80");
    assert_peer(&reply, 2, "[2001:db8::7]:258");
    tracker_reply_done(&reply);
    ck_assert_int_eq(PARSE("d5:peers12:\1\2\3\4\0\0\1\2\3\4\0\7e", &reply), ERR_OK);
    ck_assert_uint_eq(reply.count, 1); /* nobody listens on port 0 */
    assert_peer(&reply, 0, "1.2.3.4:7");
    tracker_reply_done(&reply);
    ck_assert_int_eq(PARSE("d8:intervali1800e5:peers0:e", &reply), ERR_OK);
    ck_assert_uint_eq(reply.count, 0);
    tracker_reply_done(&reply);
}
END_TEST

START_TEST(replies_with_a_list_of_dicts)
{
    struct tracker_reply reply;

    ck_assert_int_eq(PARSE("d5:peersld2:ip7:1.2.3.47:peer id20:012345678901234567894:porti80eed"
                           "2:ip3:::14:porti81eed2:ip9:localhost4:porti82eed2:ip7:1.2.3.4"
                           "4:porti0eed2:ip7:1.2.3.44:porti65536eed2:ip0:4:porti5eed"
                           "4:porti5eede2:ipe",
                           &reply),
                     ERR_SYNTAX);
    ck_assert_int_eq(PARSE("d5:peersld2:ip7:1.2.3.47:peer id20:012345678901234567894:porti80eed"
                           "2:ip3:::14:porti81eed2:ip9:localhost4:porti82eed2:ip7:1.2.3.4"
                           "4:porti0eed2:ip7:1.2.3.44:porti65536eed2:ip0:4:porti5eed"
                           "4:porti5eedeee",
                           &reply),
                     ERR_OK);
    ck_assert_uint_eq(reply.count, 2);
    assert_peer(&reply, 0, "1.2.3.4:80");
    assert_peer(&reply, 1, "[::1]:81");
    tracker_reply_done(&reply);
    ck_assert_int_eq(PARSE("d5:peersld2:ip9:1.2.3.4:94:porti80eed2:ip9:[::1]:1:]4:porti80eed"
                           "2:ip8:1.2.3.4\0"
                           "4:porti80eed2:ip60:000000000000000000000000000000000000000000000000"
                           "0000000000004:porti80eeee",
                           &reply),
                     ERR_OK);
    ck_assert_uint_eq(reply.count, 0);
    tracker_reply_done(&reply);
}
END_TEST

START_TEST(failures)
{
    struct tracker_reply reply;

    ck_assert_int_eq(PARSE("d14:failure reason9:not\x1bhere!e", &reply), ERR_OK);
    ck_assert_str_eq(reply.failure, "not?here!");
    ck_assert_uint_eq(reply.count, 0);
    tracker_reply_done(&reply);
    ck_assert_int_eq(PARSE("d14:failure reason0:5:peers6:\1\2\3\4\0\x50"
                           "e",
                           &reply),
                     ERR_OK);
    ck_assert_str_ne(reply.failure, "");
    ck_assert_uint_eq(reply.count, 0);
    tracker_reply_done(&reply);
    char *text = mem_printf("d14:failure reason500:%0500de", 0);
    ck_assert_int_eq(parse(text, strlen(text), &reply), ERR_OK);
    ck_assert_uint_eq(strlen(reply.failure), sizeof reply.failure - 1);
    mem_free(text);
    tracker_reply_done(&reply);
}
END_TEST

static uint32_t retry(const char *text)
{
    struct tracker_reply reply;
    ck_assert_int_eq(tracker_reply_parse((const uint8_t *)text, strlen(text), &reply), ERR_OK);
    ck_assert_str_eq(reply.failure, "x");
    return reply.retry_s;
}

START_TEST(retries)
{
    ck_assert_uint_eq(retry("d14:failure reason1:xe"), 0);
    ck_assert_uint_eq(retry("d14:failure reason1:x8:retry ini5ee"), 300);
    ck_assert_uint_eq(retry("d14:failure reason1:x8:retry ini-5ee"), 0);
    ck_assert_uint_eq(retry("d14:failure reason1:x8:retry ini9223372036854775807ee"), 86400);
    ck_assert_uint_eq(retry("d14:failure reason1:x8:retry in5:nevere"), TRACKER_NEVER);
    ck_assert_uint_eq(retry("d14:failure reason1:x8:retry in5:neveee"), 0);
}
END_TEST

START_TEST(our_address_as_the_tracker_sees_it)
{
    struct tracker_reply reply;
    char text[ADDRESS_TEXT];

    ck_assert_int_eq(PARSE("d11:external ip4:\1\2\3\4e", &reply), ERR_OK);
    address_format(&reply.external, text);
    ck_assert_str_eq(text, "1.2.3.4:0");
    ck_assert_int_eq(PARSE("d11:external ip16:\x20\1\0\0\0\0\0\0\0\0\0\0\0\0\0\1e", &reply),
                     ERR_OK);
    address_format(&reply.external, text);
    ck_assert_str_eq(text, "[2001::1]:0");
    ck_assert_int_eq(PARSE("d11:external ip16:\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4e", &reply),
                     ERR_OK);
    ck_assert_uint_eq(reply.external.family, 4);
    ck_assert_int_eq(PARSE("d11:external ip5:\1\2\3\4\5e", &reply), ERR_OK);
    ck_assert_uint_eq(reply.external.family, 0);
}
END_TEST

static uint32_t interval(const char *text)
{
    struct tracker_reply reply;
    ck_assert_int_eq(parse(text, strlen(text), &reply), ERR_OK);
    uint32_t ret = reply.interval_s;
    tracker_reply_done(&reply);
    return ret;
}

START_TEST(intervals_are_clamped)
{
    ck_assert_uint_eq(interval("de"), 1800);
    ck_assert_uint_eq(interval("d8:intervali0ee"), 1800);
    ck_assert_uint_eq(interval("d8:intervali-5ee"), 1800);
    ck_assert_uint_eq(interval("d8:intervali1ee"), 60);
    ck_assert_uint_eq(interval("d8:intervali900ee"), 900);
    ck_assert_uint_eq(interval("d8:intervali900e12:min intervali1000ee"), 1000);
    ck_assert_uint_eq(interval("d8:intervali9223372036854775807ee"), 86400);
}
END_TEST

START_TEST(replies_out_of_form_are_refused)
{
    struct tracker_reply reply;

    ck_assert_int_eq(PARSE("", &reply), ERR_TRUNCATED);
    ck_assert_int_eq(PARSE("<html>", &reply), ERR_SYNTAX);
    ck_assert_int_eq(PARSE("le", &reply), ERR_SYNTAX);
    ck_assert_int_eq(PARSE("d5:peers5:\1\2\3\4\5e", &reply), ERR_SYNTAX);
    ck_assert_int_eq(PARSE("d5:peers6:\1\2\3\4\5\6"
                           "6:peers617:01234567890123456e",
                           &reply),
                     ERR_SYNTAX);
    ck_assert_uint_eq(reply.count, 0);
    ck_assert_ptr_null(reply.peers);
    ck_assert_int_eq(PARSE("d5:peersli5eee", &reply), ERR_SYNTAX);
    ck_assert_int_eq(PARSE("d5:peersi5ee", &reply), ERR_SYNTAX);
    ck_assert_int_eq(PARSE("d8:interval2:10e", &reply), ERR_SYNTAX);
    ck_assert_int_eq(PARSE("dee", &reply), ERR_SYNTAX);
}
END_TEST

START_TEST(peers_and_sizes_are_capped)
{
    struct buf text;
    struct tracker_reply reply;
    size_t many = 6 * 1000;

    buf_init(&text, MIB(1));
    buf_printf(&text, "d5:peers%zu:", many);
    memset(buf_extend(&text, many), 7, many);
    buf_put_u8(&text, 'e');
    ck_assert_int_eq(parse(text.data, text.length, &reply), ERR_OK);
    ck_assert_uint_eq(reply.count, LIMIT_TRACKER_PEERS);
    tracker_reply_done(&reply);
    memset(buf_extend(&text, LIMIT_TRACKER_REPLY), 7, LIMIT_TRACKER_REPLY);
    ck_assert_int_eq(parse(text.data, text.length, &reply), ERR_TOO_LARGE);
    buf_done(&text);
}
END_TEST

START_TEST(truncation_at_every_byte)
{
    struct tracker_reply reply;
    for (size_t i = 0; i < sizeof compact - 1; i++)
        ck_assert_msg(parse(compact, i, &reply) == ERR_TRUNCATED, "at %zu", i);
}
END_TEST

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

START_TEST(random_mutations_leave_nothing_behind)
{
    const char *env = getenv("TEST_SEED");
    uint64_t seed = env != NULL ? strtoull(env, NULL, 10) : (uint64_t)time(NULL) << 8 | 1;
    uint64_t state = seed;

    fprintf(stderr, "# TEST_SEED=%llu\n", (unsigned long long)seed);
    for (int round = 0; round < 100000; round++) {
        uint8_t data[sizeof compact - 1];
        struct tracker_reply reply;
        memcpy(data, compact, sizeof data);
        for (uint64_t n = 1 + next_random(&state) % 3; n > 0; n--)
            data[next_random(&state) % sizeof data] = (uint8_t)next_random(&state);
        enum err err = parse(data, sizeof data, &reply);
        ck_assert_msg(err == ERR_OK || reply.peers == NULL, "seed %llu", (unsigned long long)seed);
        ck_assert_uint_le(reply.count, 3);
        tracker_reply_done(&reply);
    }
}
END_TEST

TEST_MAIN("wire.tracker",
          TESTS(announce_urls, bad_bases_are_refused, compact_replies, replies_with_a_list_of_dicts,
                failures, retries, our_address_as_the_tracker_sees_it, intervals_are_clamped,
                replies_out_of_form_are_refused, peers_and_sizes_are_capped,
                truncation_at_every_byte, random_mutations_leave_nothing_behind))
