/* The one way to accept a release: signature, trusted comment and JSON agree, in the order of
 * host/PROTOCOL.md 1.2. */
#include "base/limits.h"
#include "base/mem.h"
#include "wire/json.h"
#include "wire/minisign.h"
#include "wire/release.h"
#include "wire/url.h"

#include <stdio.h>
#include <string.h>

/* The trusted comment: fields in this order, one blank between them; what follows the last one
 * belongs to later versions and is ignored.
 *
 *   fringe=1
 *   site=<site>
 *   seq=<1 .. 2^53-1>
 *   expires=<seconds>
 *   sha256=<64 lower-case hex digits> */

/* Takes "key=value" and the blank behind it. */
static struct span take_field(struct reader *reader, const char *key)
{
    size_t key_length = strlen(key), length = 0;
    if (!span_is(reader_take(reader, key_length), key))
        reader->failed = true;
    while (!reader->failed && length < reader_left(reader) && reader->at[length] != ' ')
        length++;
    struct span value = reader_take(reader, length);
    if (reader_left(reader) > 0)
        reader_take(reader, 1);
    return value;
}

static bool take_number(struct reader *reader, const char *key, uint64_t *ret)
{
    struct span digits = take_field(reader, key);
    *ret = 0;
    if (digits.length == 0 || digits.length > 16 || (digits.data[0] == '0' && digits.length > 1))
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        *ret = *ret * 10 + (uint64_t)(digits.data[i] - '0');
    }
    return *ret <= JSON_INTEGER_MAX;
}

enum err release_comment_parse(const char *text, struct release_comment *ret)
{
    struct reader reader;
    reader_init(&reader, text, strlen(text));
    struct span format = take_field(&reader, "fringe=");
    if (!reader.failed && format.length > 0 && !span_is(format, "1"))
        return ERR_UNSUPPORTED;
    struct span site = take_field(&reader, "site=");
    if (reader.failed || site.length == 0 || site.length > LIMIT_SITE)
        return ERR_SYNTAX;
    memcpy(ret->site, site.data, site.length);
    ret->site[site.length] = '\0';
    if (!take_number(&reader, "seq=", &ret->seq) || ret->seq == 0 ||
        !take_number(&reader, "expires=", &ret->expires))
        return ERR_SYNTAX;
    struct span hex = take_field(&reader, "sha256=");
    if (reader.failed || !hex_decode(ret->sha256, HASH_LENGTH, (const char *)hex.data, hex.length))
        return ERR_SYNTAX;
    return site_check(ret->site);
}

void release_comment_format(const struct release *release,
                            const uint8_t sha256_of_json[HASH_LENGTH], struct buf *out)
{
    char hex[HEX_LENGTH(HASH_LENGTH)];
    hex_encode(hex, sha256_of_json, HASH_LENGTH);
    buf_printf(out, "fringe=1 site=%s seq=%llu expires=%llu sha256=%s", release->site,
               (unsigned long long)release->seq, (unsigned long long)release->expires, hex);
}

static enum err refuse(struct reason *reason, enum err err, const char *what)
{
    snprintf(reason->text, sizeof reason->text, "%s: %s", what, err_text(err));
    return err;
}

static enum err check_signature(const uint8_t *json, size_t json_length, const uint8_t *sig,
                                size_t sig_length, const struct minisign_key *key,
                                struct release_comment *ret, struct reason *reason)
{
    struct minisign_signature signature;
    uint8_t hash[HASH_LENGTH];
    enum err err = minisign_verify(key, json, json_length, sig, sig_length, &signature);
    if (err != ERR_OK)
        return refuse(reason, err, "release.json.minisig");
    err = release_comment_parse(signature.comment, ret);
    if (err != ERR_OK)
        return refuse(reason, err, "trusted comment");
    sha256(json, json_length, hash);
    if (memcmp(hash, ret->sha256, sizeof hash) != 0)
        return refuse(reason, ERR_MISMATCH, "sha256 of the trusted comment and release.json");
    return ERR_OK;
}

static enum err check_fields(const struct release *release, const struct release_comment *comment,
                             const char *site, uint64_t now_s, struct reason *reason)
{
    if (strcmp(release->site, comment->site) != 0 || release->seq != comment->seq ||
        release->expires != comment->expires)
        return refuse(reason, ERR_MISMATCH, "trusted comment and release.json");
    if (strcmp(release->site, site) != 0)
        return refuse(reason, ERR_WRONG_SITE, "site");
    if (release->expires <= now_s)
        return refuse(reason, ERR_EXPIRED, "expires");
    return ERR_OK;
}

enum err release_verify(const uint8_t *json, size_t json_length, const uint8_t *sig,
                        size_t sig_length, const struct minisign_key *key, const char *site,
                        uint64_t now_s, struct release **ret, struct reason *ret_reason)
{
    struct release_comment comment;
    struct release *release = NULL;
    if (json_length > LIMIT_RELEASE)
        return refuse(ret_reason, ERR_TOO_LARGE, "release.json");
    enum err err = check_signature(json, json_length, sig, sig_length, key, &comment, ret_reason);
    if (err == ERR_OK)
        err = release_parse(json, json_length, &release, ret_reason);
    if (err == ERR_OK)
        err = check_fields(release, &comment, site, now_s, ret_reason);
    if (err != ERR_OK) {
        release_free(release);
        return err;
    }
    ret_reason->text[0] = '\0';
    *ret = release;
    return ERR_OK;
}
