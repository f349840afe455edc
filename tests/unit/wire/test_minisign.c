/* wire/minisign: what stock minisign 0.11 made is read, and nothing that was touched. */
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "wire/minisign.h"

#include <sodium.h>
#include <string.h>

/* minisign -G -W; echo hello > f; minisign -S -m f -t "hi there" */
#define PUB "RWTd+VX0tKYT7XXO9OPOj0Tav9+UMbSG0yS3f0MCbYKNibMXj6sFFdIj"
#define SECRET                                                                                     \
    "untrusted comment: minisign encrypted secret key\n"                                           \
    "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA3flV9LSmE+29dR3MLp"   \
    "xsa4/HRYvp2EXsXB1jAm5yASbGzMXRdC6L/"                                                          \
    "3XO9OPOj0Tav9+UMbSG0yS3f0MCbYKNibMXj6sFFdIjAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
#define LINE2                                                                                      \
    "RUTd+VX0tKYT7WTe713jPdkRQ3Cc41PSHlnrz8h1bKsxNWGGpNryMOkqOgyyhSgxhL7Z+jK8IJff+"                \
    "IQ3cXPaGGtJFlWH3qU5JgM=\n"
#define LINE4                                                                                      \
    "KdYNpP2WWiwp+yxaqMzUq2u4SNKAixi80TK/aW+S3aSY+pSqpNPpUcMyjSFXd7xXtNtv1VxkScM6WnpBxFWLDA==\n"
#define SIG                                                                                        \
    "untrusted comment: signature from minisign secret key\n" LINE2                                \
    "trusted comment: hi there\n" LINE4

static struct minisign_key stock_key(void)
{
    struct minisign_key key;
    ck_assert_int_eq(minisign_key_parse((const uint8_t *)PUB, strlen(PUB), &key), ERR_OK);
    return key;
}

static enum err verify(const char *sig, const char *message)
{
    struct minisign_key key = stock_key();
    struct minisign_signature out;
    enum err err =
        minisign_verify(&key, message, strlen(message), (const uint8_t *)sig, strlen(sig), &out);
    ck_assert(err == ERR_OK || out.comment[0] == '\0');
    return err;
}

START_TEST(public_keys)
{
    struct minisign_key key = stock_key(), again;
    char text[57], id[17];
    minisign_key_base64(&key, text);
    ck_assert_str_eq(text, PUB);
    minisign_id_text(key.id, id);
    ck_assert_str_eq(id, "ED13A6B4F455F9DD");
    struct buf file;
    buf_init(&file, LIMIT_PUBLIC_KEY);
    minisign_key_write(&key, &file);
    ck_assert_int_eq(minisign_key_parse(file.data, file.length, &again), ERR_OK);
    ck_assert_mem_eq(&key, &again, sizeof key);
    /* Without its last newline, with CR LF. */
    ck_assert_int_eq(minisign_key_parse(file.data, file.length - 1, &again), ERR_OK);
    buf_done(&file);
    static const char *const bad[] = {
        "",
        "\n",
        PUB "x",
        PUB "\nx",
        PUB "\n\n",
        " " PUB,
        "untrusted comment: x\n",
        "trusted comment: x\n" PUB,
        "RWT",
        "QWT" PUB,
        "RWTd+VX0tKYT7WTe713jPdkRQ3Cc41PSHlnrz8h1bK==",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(minisign_key_parse((const uint8_t *)bad[i], strlen(bad[i]), &again) != ERR_OK,
                      "%s", bad[i]);
    char other[] = PUB;
    other[0] = 'S'; /* another algorithm */
    ck_assert_int_eq(minisign_key_parse((uint8_t *)other, 56, &again), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(a_stock_signature_verifies)
{
    struct minisign_key key = stock_key();
    struct minisign_signature out;
    ck_assert_int_eq(minisign_verify(&key, "hello\n", 6, (const uint8_t *)SIG, strlen(SIG), &out),
                     ERR_OK);
    ck_assert_str_eq(out.comment, "hi there");
    key.id[0] ^= 1;
    ck_assert_int_eq(minisign_verify(&key, "hello\n", 6, (const uint8_t *)SIG, strlen(SIG), &out),
                     ERR_WRONG_KEY);
    key.id[0] ^= 1;
    key.key[5] ^= 1;
    ck_assert_int_eq(minisign_verify(&key, "hello\n", 6, (const uint8_t *)SIG, strlen(SIG), &out),
                     ERR_BAD_SIGNATURE);
}
END_TEST

START_TEST(what_was_touched_does_not)
{
    ck_assert_int_eq(verify(SIG, "hello"), ERR_BAD_SIGNATURE);
    ck_assert_int_eq(
        verify("untrusted comment: \n" LINE2 "trusted comment: hi there\n" LINE4, "hello\n"),
        ERR_OK); /* the untrusted comment is not signed */
    ck_assert_int_eq(
        verify("untrusted comment: \r\n" LINE2 "trusted comment: hi there\r\n" LINE4, "hello\n"),
        ERR_OK);
    ck_assert_int_eq(
        verify("untrusted comment: \n" LINE2 "trusted comment: hi their\n" LINE4, "hello\n"),
        ERR_BAD_SIGNATURE);
    ck_assert_int_eq(
        verify("untrusted comment: \n" LINE2 "trusted comment: hi there \n" LINE4, "hello\n"),
        ERR_BAD_SIGNATURE);
    ck_assert_int_eq(verify("untrusted comment: \n" LINE2 "trusted comment: hi there\n", "hello\n"),
                     ERR_TRUNCATED);
    ck_assert_int_eq(verify(SIG "x", "hello\n"), ERR_SYNTAX);
    ck_assert_int_eq(verify("", "hello\n"), ERR_TRUNCATED);
    ck_assert_int_eq(
        verify("untrusted comment: \n" LINE2 "trusted comment: hi\033[1m\n" LINE4, "hello\n"),
        ERR_SYNTAX);
}
END_TEST

/* Every single flipped bit of the two base64 lines. */
START_TEST(no_bit_can_be_flipped)
{
    const char *text = SIG;
    char sig[sizeof SIG];
    for (size_t i = 0; i < strlen(text); i++) {
        bool checked =
            strstr(text, LINE2) <= text + i && text + i < strstr(text, "trusted comment: hi");
        checked |= text + i >= strstr(text, LINE4) && text[i] != '\n';
        for (int bit = 0; checked && text[i] != '\n' && bit < 8; bit++) {
            memcpy(sig, text, sizeof sig);
            sig[i] = (char)(sig[i] ^ 1 << bit);
            ck_assert_msg(verify(sig, "hello\n") != ERR_OK, "byte %zu bit %d", i, bit);
        }
    }
}
END_TEST

START_TEST(legacy_signatures_are_not_taken)
{
    char sig[sizeof SIG];
    memcpy(sig, SIG, sizeof sig);
    memcpy(strstr(sig, "RUT"), "RWT", 3); /* "Ed": not prehashed */
    ck_assert_int_eq(verify(sig, "hello\n"), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(sizes_are_capped)
{
    struct minisign_key key = stock_key();
    struct minisign_signature out;
    uint8_t *big = mem_alloc(LIMIT_SIGNATURE + 1);
    memset(big, 'a', LIMIT_SIGNATURE + 1);
    ck_assert_int_eq(minisign_verify(&key, "", 0, big, LIMIT_SIGNATURE + 1, &out), ERR_TOO_LARGE);
    ck_assert_int_eq(minisign_key_parse(big, LIMIT_PUBLIC_KEY + 1, &key), ERR_TOO_LARGE);
    mem_free(big);
    struct buf sig;
    buf_init(&sig, LIMIT_SIGNATURE);
    buf_put_text(&sig, "untrusted comment: x\n" LINE2 "trusted comment: ");
    for (int i = 0; i < 8193; i++)
        buf_put_u8(&sig, 'c');
    buf_put_text(&sig, "\n" LINE4);
    ck_assert_int_eq(minisign_signature_parse(sig.data, sig.length, &out), ERR_TOO_LARGE);
    buf_done(&sig);
}
END_TEST

START_TEST(a_stock_secret_key_signs)
{
    struct minisign_secret secret;
    struct minisign_key key = stock_key(), own;
    struct minisign_signature out;
    struct buf sig;
    ck_assert(!minisign_secret_needs_password((const uint8_t *)SECRET, strlen(SECRET)));
    ck_assert_int_eq(minisign_secret_parse((const uint8_t *)SECRET, strlen(SECRET), NULL, &secret),
                     ERR_OK);
    minisign_secret_public(&secret, &own);
    ck_assert_mem_eq(&own, &key, sizeof key);
    buf_init(&sig, LIMIT_SIGNATURE);
    minisign_sign(&secret, "hello\n", 6, "hi there", &sig);
    buf_put_u8(&sig, 0);
    ck_assert_str_eq((char *)sig.data, SIG); /* Ed25519 is deterministic */
    sig.length--;
    ck_assert_int_eq(minisign_verify(&key, "hello\n", 6, sig.data, sig.length, &out), ERR_OK);
    buf_done(&sig);
}
END_TEST

/* A key sealed as minisign does it, but with scrypt's smallest parameters. */
static void sealed_key(const struct minisign_secret *secret, const char *password, char text[512])
{
    uint8_t raw[158] = "EdScB2", stream[104];
    struct buf plain;
    buf_init(&plain, 4096);
    ck_assert_int_eq(minisign_secret_write(secret, NULL, raw + 6, &plain), ERR_OK);
    const char *line = (char *)memchr(plain.data, '\n', plain.length) + 1;
    size_t decoded;
    ck_assert_int_eq(sodium_base642bin(raw, 158, line, 212, NULL, &decoded, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    buf_done(&plain);
    memcpy(raw, "EdScB2", 6);
    raw[38] = 0x00, raw[39] = 0x80; /* opslimit 32768 */
    raw[48] = 0x00, raw[49] = 0x01; /* memlimit 16 MiB */
    ck_assert_int_eq(crypto_pwhash_scryptsalsa208sha256(stream, 104, password, strlen(password),
                                                        raw + 6, 32768, 1 << 24),
                     0);
    for (int i = 0; i < 104; i++)
        raw[54 + i] ^= stream[i];
    strcpy(text, "untrusted comment: x\n");
    sodium_bin2base64(text + strlen(text), 400, raw, 158, sodium_base64_VARIANT_ORIGINAL);
}

START_TEST(sealed_keys_need_their_password)
{
    uint8_t random[40];
    struct minisign_secret secret, again;
    struct minisign_key key;
    char text[512];
    for (int i = 0; i < 40; i++)
        random[i] = (uint8_t)i;
    minisign_keypair(random, &secret, &key);
    sealed_key(&secret, "open", text);
    const uint8_t *data = (const uint8_t *)text;
    ck_assert(minisign_secret_needs_password(data, strlen(text)));
    ck_assert_int_eq(minisign_secret_parse(data, strlen(text), NULL, &again), ERR_MISSING);
    ck_assert_int_eq(minisign_secret_parse(data, strlen(text), "opem", &again), ERR_BAD_HASH);
    ck_assert_int_eq(minisign_secret_parse(data, strlen(text), "open", &again), ERR_OK);
    ck_assert_mem_eq(&secret, &again, sizeof secret);
}
END_TEST

START_TEST(damaged_secret_keys_are_refused)
{
    struct minisign_secret secret;
    char text[sizeof SECRET];
    for (size_t i = strlen(SECRET) - 150; i < strlen(SECRET) - 1; i++) {
        memcpy(text, SECRET, sizeof text);
        text[i] = text[i] == 'B' ? 'C' : 'B';
        struct minisign_secret *out = &secret;
        enum err err = minisign_secret_parse((uint8_t *)text, strlen(text), NULL, out);
        /* The id of a stock plain key has no check: its checksum is all zeros. */
        ck_assert_msg(err != ERR_OK || i < strlen(SECRET) - 1 - 212 + 84, "byte %zu", i);
    }
    ck_assert_int_eq(minisign_secret_parse((const uint8_t *)SIG, strlen(SIG), NULL, &secret),
                     ERR_SYNTAX);
    ck_assert_int_eq(minisign_secret_parse((const uint8_t *)PUB, strlen(PUB), NULL, &secret),
                     ERR_SYNTAX);
}
END_TEST

TEST_MAIN("minisign", TESTS(public_keys, a_stock_signature_verifies, what_was_touched_does_not,
                            no_bit_can_be_flipped, legacy_signatures_are_not_taken,
                            sizes_are_capped, a_stock_secret_key_signs,
                            sealed_keys_need_their_password, damaged_secret_keys_are_refused))
