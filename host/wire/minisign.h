/* minisign keys and signatures, algorithm "ED" only (prehashed, BLAKE2b-512). Layer: wire (pure;
 * salt and random bytes come from the caller). Format: the crib in host/PROTOCOL.md. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

struct minisign_key { /* public */
    uint8_t id[8], key[32];
};

struct minisign_secret { /* unlocked */
    uint8_t id[8], key[64];
};

struct minisign_signature {
    uint8_t id[8], signature[64], global[64];
    char comment[8193]; /* trusted; printable UTF-8 */
};

/* A .pub file (two lines) or the bare 56 base64 characters. */
enum err minisign_key_parse(const uint8_t *data, size_t length, struct minisign_key *ret);
void minisign_key_write(const struct minisign_key *key, struct buf *out);          /* .pub file */
void minisign_key_base64(const struct minisign_key *key, char ret_text[57]);
/* The key id as minisign shows it: 16 upper-case hex digits. */
void minisign_id_text(const uint8_t id[8], char ret_text[17]);

enum err minisign_signature_parse(const uint8_t *data, size_t length,
                                  struct minisign_signature *ret);
/* Parses and verifies both signatures; the comment is filled only when they are right. */
enum err minisign_verify(const struct minisign_key *key, const void *message, size_t length,
                         const uint8_t *sig, size_t sig_length, struct minisign_signature *ret);

/* Secret key files, with stock minisign's scrypt encryption (password NULL: an unencrypted key,
 * as `minisign -G -W` makes them). ERR_MISSING: it needs a password. ERR_BAD_HASH: the password is
 * wrong (or the file damaged). ERR_NO_SPACE: scrypt got no memory. */
enum err minisign_secret_parse(const uint8_t *data, size_t length, const char *password,
                               struct minisign_secret *ret);
bool minisign_secret_needs_password(const uint8_t *data, size_t length);
enum err minisign_secret_write(const struct minisign_secret *secret, const char *password,
                               const uint8_t salt[32], struct buf *out);
/* A key pair from 8 + 32 random bytes. */
void minisign_keypair(const uint8_t random[40], struct minisign_secret *ret_secret,
                      struct minisign_key *ret_key);
void minisign_secret_public(const struct minisign_secret *secret, struct minisign_key *ret_key);
void minisign_sign(const struct minisign_secret *secret, const void *message, size_t length,
                   const char *trusted_comment, struct buf *out); /* the whole .minisig */
