/* minisign's three files. What verifies here was signed by the fixed key below. */
#include "wire/minisign.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(const struct minisign_key *key)
{
    struct minisign_key again;
    struct buf out;
    buf_init(&out, 4096);
    minisign_key_write(key, &out);
    if (minisign_key_parse(out.data, out.length, &again) != ERR_OK ||
        memcmp(key, &again, sizeof again) != 0)
        abort();
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char pub[] = "RWTd+VX0tKYT7XXO9OPOj0Tav9+UMbSG0yS3f0MCbYKNibMXj6sFFdIj";
    struct minisign_key key;
    struct minisign_secret secret;
    struct minisign_signature signature;
    if (minisign_key_parse(data, size, &key) == ERR_OK)
        check_key(&key);
    /* Without a password: scrypt would only make the fuzzer slow. */
    minisign_secret_parse(data, size, NULL, &secret);
    minisign_secret_needs_password(data, size);
    minisign_signature_parse(data, size, &signature);
    if (minisign_key_parse((const uint8_t *)pub, sizeof pub - 1, &key) != ERR_OK)
        abort();
    if (minisign_verify(&key, "hello\n", 6, data, size, &signature) == ERR_OK &&
        strcmp(signature.comment, "hi there") != 0)
        abort();
    return 0;
}
