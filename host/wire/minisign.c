#include "wire/minisign.h"

#include "base/limits.h"
#include "base/mem.h"
#include "wire/minisign_text.h"
#include "wire/utf8.h"

#include <sodium.h>
#include <string.h>

/* Public key, 42 bytes as 56 base64 characters:
 *
 *   offset  size  field
 *   0       2     "Ed", also for keys that make "ED" signatures
 *   2       8     key id
 *   10      32    Ed25519 public key
 *
 * A .pub file is an untrusted comment line and that. */
#define KEY_BYTES 42

enum err minisign_key_parse(const uint8_t *data, size_t length, struct minisign_key *ret)
{
    uint8_t raw[KEY_BYTES];
    struct reader reader;
    struct span line;
    if (length > LIMIT_PUBLIC_KEY)
        return ERR_TOO_LARGE;
    reader_init(&reader, data, length);
    enum err err = minisign_line(&reader, &line);
    if (err == ERR_OK && minisign_strip(&line, MINISIGN_UNTRUSTED))
        err = minisign_line(&reader, &line);
    if (err == ERR_OK && reader_left(&reader) > 0)
        err = ERR_SYNTAX;
    if (err == ERR_OK)
        err = minisign_base64(line, raw, sizeof raw);
    if (err == ERR_OK && memcmp(raw, "Ed", 2) != 0)
        err = ERR_UNSUPPORTED;
    if (err != ERR_OK)
        return err;
    memcpy(ret->id, raw + 2, sizeof ret->id);
    memcpy(ret->key, raw + 10, sizeof ret->key);
    return ERR_OK;
}

void minisign_key_base64(const struct minisign_key *key, char ret_text[57])
{
    uint8_t raw[KEY_BYTES] = "Ed";
    memcpy(raw + 2, key->id, sizeof key->id);
    memcpy(raw + 10, key->key, sizeof key->key);
    sodium_bin2base64(ret_text, 57, raw, sizeof raw, sodium_base64_VARIANT_ORIGINAL);
}

void minisign_id_text(const uint8_t id[8], char ret_text[17])
{
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--)
        number = number << 8 | id[i];
    for (int i = 15; i >= 0; i--, number >>= 4)
        ret_text[i] = "0123456789ABCDEF"[number & 15];
    ret_text[16] = '\0';
}

void minisign_key_write(const struct minisign_key *key, struct buf *out)
{
    char id[17], text[57];
    minisign_id_text(key->id, id);
    minisign_key_base64(key, text);
    buf_printf(out, "%sminisign public key %s\n%s\n", MINISIGN_UNTRUSTED, id, text);
}

/* Signature, four lines:
 *
 *   "untrusted comment: " anything
 *   base64 of 74 bytes: "ED" | key id 8 | Ed25519 signature 64 of BLAKE2b-512 of the message
 *   "trusted comment: " printable UTF-8
 *   base64 of 64 bytes: Ed25519 signature of (the 64 bytes above | the trusted comment's text) */
#define SIGNATURE_BYTES 74

static enum err parse_signature_line(struct span line, struct minisign_signature *ret)
{
    uint8_t raw[SIGNATURE_BYTES];
    enum err err = minisign_base64(line, raw, sizeof raw);
    if (err != ERR_OK)
        return err;
    if (memcmp(raw, "ED", 2) != 0)
        return ERR_UNSUPPORTED;
    memcpy(ret->id, raw + 2, sizeof ret->id);
    memcpy(ret->signature, raw + 10, sizeof ret->signature);
    return ERR_OK;
}

static enum err parse_comment_line(struct span line, struct minisign_signature *ret)
{
    if (!minisign_strip(&line, MINISIGN_TRUSTED))
        return ERR_SYNTAX;
    if (line.length >= sizeof ret->comment)
        return ERR_TOO_LARGE;
    if (!utf8_printable((const char *)line.data, line.length))
        return ERR_SYNTAX;
    memcpy(ret->comment, line.data, line.length);
    ret->comment[line.length] = '\0';
    return ERR_OK;
}

enum err minisign_signature_parse(const uint8_t *data, size_t length,
                                  struct minisign_signature *ret)
{
    struct reader reader;
    struct span lines[4];
    if (length > LIMIT_SIGNATURE)
        return ERR_TOO_LARGE;
    reader_init(&reader, data, length);
    for (int i = 0; i < 4; i++) {
        enum err err = minisign_line(&reader, &lines[i]);
        if (err != ERR_OK)
            return err;
    }
    if (reader_left(&reader) > 0 || !minisign_strip(&lines[0], MINISIGN_UNTRUSTED))
        return ERR_SYNTAX;
    enum err err = parse_signature_line(lines[1], ret);
    if (err == ERR_OK)
        err = parse_comment_line(lines[2], ret);
    if (err == ERR_OK)
        err = minisign_base64(lines[3], ret->global, sizeof ret->global);
    return err;
}

static bool global_ok(const struct minisign_key *key, const struct minisign_signature *sig)
{
    uint8_t message[sizeof sig->signature + sizeof sig->comment];
    size_t length = strlen(sig->comment);
    memcpy(message, sig->signature, sizeof sig->signature);
    memcpy(message + sizeof sig->signature, sig->comment, length);
    return crypto_sign_verify_detached(sig->global, message, sizeof sig->signature + length,
                                       key->key) == 0;
}

enum err minisign_verify(const struct minisign_key *key, const void *message, size_t length,
                         const uint8_t *sig, size_t sig_length, struct minisign_signature *ret)
{
    struct minisign_signature parsed = {0};
    uint8_t hash[64];
    ret->comment[0] = '\0';
    enum err err = minisign_signature_parse(sig, sig_length, &parsed);
    if (err != ERR_OK)
        return err;
    if (memcmp(parsed.id, key->id, sizeof key->id) != 0)
        return ERR_WRONG_KEY;
    crypto_generichash(hash, sizeof hash, message, length, NULL, 0);
    if (crypto_sign_verify_detached(parsed.signature, hash, sizeof hash, key->key) != 0 ||
        !global_ok(key, &parsed))
        return ERR_BAD_SIGNATURE;
    *ret = parsed;
    return ERR_OK;
}
