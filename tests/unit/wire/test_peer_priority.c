/* wire/peer_priority: the vectors of BEP 40 and of CRC-32C. */
#include "check_main.h"
#include "mutate.h"
#include "wire/peer_priority.h"

START_TEST(crc32c_vectors)
{
    uint8_t bytes[32];

    ck_assert_uint_eq(crc32c("123456789", 9), 0xe3069283);
    ck_assert_uint_eq(crc32c("", 0), 0);
    /* RFC 3720 B.4 */
    memset(bytes, 0, sizeof bytes);
    ck_assert_uint_eq(crc32c(bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    ck_assert_uint_eq(crc32c(bytes, sizeof bytes), 0x62a8ab43);
    for (uint8_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i;
    ck_assert_uint_eq(crc32c(bytes, sizeof bytes), 0x46dd794e);
}
END_TEST

static uint32_t priority(const char *a, const char *b)
{
    struct address one, two;

    ck_assert_int_eq(address_parse(a, &one), ERR_OK);
    ck_assert_int_eq(address_parse(b, &two), ERR_OK);
    ck_assert_uint_eq(peer_priority(&one, &two), peer_priority(&two, &one));
    return peer_priority(&one, &two);
}

#define CRC(BYTES) crc32c(BYTES, sizeof(BYTES) - 1)

START_TEST(ipv4_vectors)
{
    ck_assert_uint_eq(CRC("\x62\x4c\x14\0\x7b\xd5\0\0"), 0xec2d7224);
    ck_assert_uint_eq(priority("123.213.32.10:1", "98.76.54.32:2"), 0xec2d7224);
    ck_assert_uint_eq(priority("123.213.32.10:3", "123.213.32.234:4"), 0x99568189);
    /* the same /16, not the same /24: ff.ff.ff.55 */
    ck_assert_uint_eq(priority("1.2.3.255:1", "1.2.4.170:1"), CRC("\1\2\3\x55\1\2\4\0"));
    /* the same address: the ports, and only they */
    ck_assert_uint_eq(priority("1.2.3.4:258", "1.2.3.4:6881"), CRC("\1\2\x1a\xe1"));
    ck_assert_uint_eq(priority("9.9.9.9:258", "9.9.9.9:6881"), CRC("\1\2\x1a\xe1"));
}
END_TEST

START_TEST(ipv6_masks)
{
    ck_assert_uint_eq(priority("[2001:db8:1:ffff:ffff:ffff:ffff:ffff]:1", "[2001:db8:2::aaff]:1"),
                      CRC("\x20\1\x0d\xb8\0\1\x55\x55\x55\x55\x55\x55\x55\x55\x55\x55"
                          "\x20\1\x0d\xb8\0\2\0\0\0\0\0\0\0\0\0\x55"));
    /* the same /48 */
    ck_assert_uint_eq(priority("[2001:db8:1:ffff::ff]:1", "[2001:db8:1:eeff::]:1"),
                      CRC("\x20\1\x0d\xb8\0\1\xee\x55\0\0\0\0\0\0\0\0"
                          "\x20\1\x0d\xb8\0\1\xff\x55\0\0\0\0\0\0\0\x55"));
    /* the same /56 */
    ck_assert_uint_eq(priority("[2001:db8:1:1ff:ff00::]:1", "[2001:db8:1:1ee::]:1"),
                      CRC("\x20\1\x0d\xb8\0\1\1\xee\0\0\0\0\0\0\0\0"
                          "\x20\1\x0d\xb8\0\1\1\xff\x55\0\0\0\0\0\0\0"));
    /* the last byte */
    ck_assert_uint_eq(priority("[2001:db8::ff]:1", "[2001:db8::fe]:1"),
                      CRC("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\xfe"
                          "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\xff"));
    ck_assert_uint_eq(priority("[2001:db8::ff]:1", "[2001:db8::ff]:1"), CRC("\0\1\0\1"));
}
END_TEST

START_TEST(families)
{
    ck_assert_uint_eq(priority("[::ffff:123.213.32.10]:1", "98.76.54.32:2"), 0xec2d7224);
    ck_assert_uint_eq(priority("[::ffff:123.213.32.10]:1", "[::ffff:98.76.54.32]:2"), 0xec2d7224);
    ck_assert_uint_eq(priority("[2001:db8::1]:1", "98.76.54.32:2"), 0);
}
END_TEST

START_TEST(random_pairs_agree)
{
    uint64_t state = mutate_seed();

    for (int round = 0; round < 100000; round++) {
        struct address a = {.family = round % 2 ? 4 : 6}, b;
        for (size_t i = 0; i < (a.family == 4 ? 4u : 16u); i++)
            a.ip[i] = (uint8_t)mutate_random(&state);
        b = a;
        for (size_t i = mutate_random(&state) % 17; i < (a.family == 4 ? 4u : 16u); i++)
            b.ip[i] = (uint8_t)mutate_random(&state);
        a.port = (uint16_t)mutate_random(&state);
        ck_assert_uint_eq(peer_priority(&a, &b), peer_priority(&b, &a));
    }
}
END_TEST

TEST_MAIN("wire.peer_priority",
          TESTS(crc32c_vectors, ipv4_vectors, ipv6_masks, families, random_pairs_agree))
