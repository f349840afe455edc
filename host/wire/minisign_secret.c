/* minisign's secret keys and what is made with them. Keys in the clear live on the stack of
 * these functions and are wiped before they return. */
#include "base/limits.h"
#include "base/mem.h"
#include "wire/minisign.h"
#include "wire/minisign_text.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

/* Secret key file: an untrusted comment line, then base64 of 158 bytes:
 *
 *   offset  size  field
 *   0       2     "Ed"
 *   2       2     key derivation: "Sc" scrypt, or two zero bytes: not encrypted
 *   4       2     checksum: "B2" BLAKE2b-256
 *   6       32    salt
 *   38      8     scrypt opslimit, little-endian
 *   46      8     scrypt memlimit, little-endian
 *   54      104   the sealed part, XORed with the scrypt stream when encrypted:
 *   54      8       key id
 *   62      64      Ed25519 secret key (seed | public key)
 *   126     32      BLAKE2b-256 of ("Ed" | key id | secret key); zeros where never encrypted */
#define SECRET_BYTES 158
#define AT_SALT      6
#define AT_OPS       38
#define AT_MEM       46
#define AT_SEALED    54
#define SEALED_BYTES 104
#define SEALED_KEY   8
#define SEALED_CHECK 72
/* Stock minisign writes these; it halves them where memory is short. */
#define OPS_MAX crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE
#define MEM_MAX crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE
#define OPS_MIN crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_MIN
#define MEM_MIN crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_MIN

static void store_u64le(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t load_u64le(const uint8_t *in)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | in[i];
    return value;
}

static enum err load_file(const uint8_t *data, size_t length, uint8_t raw[SECRET_BYTES])
{
    struct reader reader;
    struct span line;
    if (length > LIMIT_PUBLIC_KEY)
        return ERR_TOO_LARGE;
    reader_init(&reader, data, length);
    enum err err = minisign_line(&reader, &line);
    if (err == ERR_OK && !minisign_strip(&line, MINISIGN_UNTRUSTED))
        err = ERR_SYNTAX;
    if (err == ERR_OK)
        err = minisign_line(&reader, &line);
    if (err == ERR_OK && reader_left(&reader) > 0)
        err = ERR_SYNTAX;
    if (err == ERR_OK)
        err = minisign_base64(line, raw, SECRET_BYTES);
    if (err == ERR_OK && (memcmp(raw, "Ed", 2) != 0 || memcmp(raw + 4, "B2", 2) != 0))
        err = ERR_UNSUPPORTED;
    return err;
}

static bool is_plain(const uint8_t raw[SECRET_BYTES])
{
    return raw[2] == 0 && raw[3] == 0;
}

/* XORs the sealed part with the stream of the password: seals and opens. */
static enum err apply_password(uint8_t raw[SECRET_BYTES], const char *password)
{
    uint8_t stream[SEALED_BYTES];
    uint64_t ops = load_u64le(raw + AT_OPS), mem = load_u64le(raw + AT_MEM);
    if (ops > OPS_MAX || mem > MEM_MAX || ops < OPS_MIN || mem < MEM_MIN)
        return ERR_RANGE;
    if (crypto_pwhash_scryptsalsa208sha256(stream, sizeof stream, password, strlen(password),
                                           raw + AT_SALT, ops, mem) != 0)
        return ERR_NO_SPACE;
    for (size_t i = 0; i < sizeof stream; i++)
        raw[AT_SEALED + i] ^= stream[i];
    sodium_memzero(stream, sizeof stream);
    return ERR_OK;
}

static void checksum(const uint8_t *sealed, uint8_t ret_hash[32])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, (const uint8_t *)"Ed", 2);
    crypto_generichash_update(&state, sealed, SEALED_CHECK);
    crypto_generichash_final(&state, ret_hash, 32);
}

/* The public half is derived again: a signature made with a wrong one gives the key away. */
static enum err check_sealed(const uint8_t *sealed, bool plain)
{
    uint8_t hash[32], pub[32], again[64];
    checksum(sealed, hash);
    bool unset = plain && sodium_is_zero(sealed + SEALED_CHECK, sizeof hash);
    if (!unset && sodium_memcmp(hash, sealed + SEALED_CHECK, sizeof hash) != 0)
        return ERR_BAD_HASH;
    crypto_sign_seed_keypair(pub, again, sealed + SEALED_KEY);
    enum err err =
        sodium_memcmp(again, sealed + SEALED_KEY, sizeof again) == 0 ? ERR_OK : ERR_MISMATCH;
    sodium_memzero(again, sizeof again);
    return err;
}

enum err minisign_secret_parse(const uint8_t *data, size_t length, const char *password,
                               struct minisign_secret *ret)
{
    uint8_t raw[SECRET_BYTES];
    enum err err = load_file(data, length, raw);
    if (err == ERR_OK && !is_plain(raw)) {
        if (memcmp(raw + 2, "Sc", 2) != 0)
            err = ERR_UNSUPPORTED;
        else
            err = password != NULL ? apply_password(raw, password) : ERR_MISSING;
    }
    if (err == ERR_OK)
        err = check_sealed(raw + AT_SEALED, is_plain(raw));
    if (err == ERR_OK) {
        memcpy(ret->id, raw + AT_SEALED, sizeof ret->id);
        memcpy(ret->key, raw + AT_SEALED + SEALED_KEY, sizeof ret->key);
    }
    sodium_memzero(raw, sizeof raw);
    return err;
}

bool minisign_secret_needs_password(const uint8_t *data, size_t length)
{
    uint8_t raw[SECRET_BYTES];
    bool needs = load_file(data, length, raw) == ERR_OK && !is_plain(raw);
    sodium_memzero(raw, sizeof raw);
    return needs;
}

static void put_secret(const uint8_t raw[SECRET_BYTES], struct buf *out)
{
    char text[sodium_base64_ENCODED_LEN(SECRET_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    sodium_bin2base64(text, sizeof text, raw, SECRET_BYTES, sodium_base64_VARIANT_ORIGINAL);
    buf_printf(out, "%sminisign %s secret key\n%s\n", MINISIGN_UNTRUSTED,
               is_plain(raw) ? "unencrypted" : "encrypted", text);
    sodium_memzero(text, sizeof text);
}

/* As stock minisign: where 1 GiB cannot be had, half of it, and so on. */
static enum err seal(uint8_t raw[SECRET_BYTES], const char *password)
{
    enum err err = ERR_NO_SPACE;
    uint64_t ops = OPS_MAX, mem = MEM_MAX;
    memcpy(raw + 2, "Sc", 2);
    for (; err == ERR_NO_SPACE && ops >= OPS_MIN && mem >= MEM_MIN; ops /= 2, mem /= 2) {
        store_u64le(raw + AT_OPS, ops);
        store_u64le(raw + AT_MEM, mem);
        err = apply_password(raw, password);
    }
    return err;
}

enum err minisign_secret_write(const struct minisign_secret *secret, const char *password,
                               const uint8_t salt[32], struct buf *out)
{
    uint8_t raw[SECRET_BYTES] = "Ed";
    enum err err = ERR_OK;
    memcpy(raw + 4, "B2", 2);
    memcpy(raw + AT_SALT, salt, 32);
    memcpy(raw + AT_SEALED, secret->id, sizeof secret->id);
    memcpy(raw + AT_SEALED + SEALED_KEY, secret->key, sizeof secret->key);
    checksum(raw + AT_SEALED, raw + AT_SEALED + SEALED_CHECK);
    if (password != NULL)
        err = seal(raw, password);
    if (err == ERR_OK)
        put_secret(raw, out);
    sodium_memzero(raw, sizeof raw);
    return err;
}

void minisign_keypair(const uint8_t random[40], struct minisign_secret *ret_secret,
                      struct minisign_key *ret_key)
{
    memcpy(ret_secret->id, random, sizeof ret_secret->id);
    memcpy(ret_key->id, random, sizeof ret_key->id);
    crypto_sign_seed_keypair(ret_key->key, ret_secret->key, random + 8);
}

void minisign_secret_public(const struct minisign_secret *secret, struct minisign_key *ret_key)
{
    memcpy(ret_key->id, secret->id, sizeof ret_key->id);
    memcpy(ret_key->key, secret->key + 32, sizeof ret_key->key);
}

void minisign_sign(const struct minisign_secret *secret, const void *message, size_t length,
                   const char *trusted_comment, struct buf *out)
{
    uint8_t hash[64], raw[74] = "ED", global[64];
    char text[101];
    struct buf covered;
    crypto_generichash(hash, sizeof hash, message, length, NULL, 0);
    memcpy(raw + 2, secret->id, sizeof secret->id);
    crypto_sign_detached(raw + 10, NULL, hash, sizeof hash, secret->key);
    buf_init(&covered, LIMIT_SIGNATURE);
    buf_put(&covered, raw + 10, 64);
    buf_put_text(&covered, trusted_comment);
    assert(!covered.failed);
    crypto_sign_detached(global, NULL, covered.data, covered.length, secret->key);
    buf_done(&covered);
    sodium_bin2base64(text, sizeof text, raw, sizeof raw, sodium_base64_VARIANT_ORIGINAL);
    buf_printf(out, "%ssignature from minisign secret key\n%s\n", MINISIGN_UNTRUSTED, text);
    sodium_bin2base64(text, sizeof text, global, sizeof global, sodium_base64_VARIANT_ORIGINAL);
    buf_printf(out, "%s%s\n%s\n", MINISIGN_TRUSTED, trusted_comment, text);
}
