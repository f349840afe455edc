#include "wire/release.h"

#include "base/limits.h"
#include "base/mem.h"
#include "wire/json.h"
#include "wire/minisign.h"
#include "wire/release_rules.h"
#include "wire/url.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* release.json, the table of host/PROTOCOL.md 1.1 in the order of this file:
 *
 *   fringe     integer                1
 *   site       string                 site_check
 *   seq        integer                1 .. 2^53-1
 *   version    string, optional       at most LIMIT_VERSION_TEXT bytes, printable
 *   issued     integer                seconds
 *   expires    integer                seconds, not before issued
 *   bundles    array                  at most LIMIT_BUNDLES objects; no base and no infohash twice
 *   catalog    object, optional       of further bundles, whose base is not one of those
 *   types      object, optional       suffix -> media type
 *   headers    object, optional       of the allow-list -> value
 *   trackers   array, optional        URLs
 *   supernodes array, optional        URLs
 *   sharing    string, optional       "peers" or "supernode-only"
 *   next_key   string, optional       minisign public key */

static enum err refuse(struct reason *reason, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err refuse(struct reason *reason, enum err err, const char *format, ...)
{
    char what[120];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(reason->text, sizeof reason->text, "%s: %s", what, err_text(err));
    return err;
}

/* --- scalar members */

static enum err get_integer(const json_t *object, const char *key, uint64_t min, uint64_t max,
                            uint64_t *ret, struct reason *reason)
{
    enum err err = json_get_integer(object, key, min, max, ret);
    return err == ERR_OK ? ERR_OK : refuse(reason, err, "%s", key);
}

static enum err get_text(const json_t *object, const char *key, size_t max, char **ret,
                         struct reason *reason)
{
    const char *text;
    enum err err = json_get_text(object, key, max, &text);
    if (err != ERR_OK)
        return refuse(reason, err, "%s", key);
    *ret = mem_strdup(text);
    return ERR_OK;
}

/* The same where the key may be absent. */
static enum err get_optional(const json_t *object, const char *key, size_t max, const char *absent,
                             char **ret, struct reason *reason)
{
    if (json_object_get(object, key) != NULL)
        return get_text(object, key, max, ret, reason);
    *ret = absent != NULL ? mem_strdup(absent) : NULL;
    return ERR_OK;
}

static enum err parse_numbers(const json_t *root, struct release *release, struct reason *reason)
{
    uint64_t format;
    enum err err = get_integer(root, "fringe", 0, JSON_INTEGER_MAX, &format, reason);
    if (err == ERR_OK && format != 1)
        err = refuse(reason, ERR_UNSUPPORTED, "fringe: format %llu", (unsigned long long)format);
    if (err == ERR_OK)
        err = get_integer(root, "seq", 1, JSON_INTEGER_MAX, &release->seq, reason);
    if (err == ERR_OK)
        err = get_integer(root, "issued", 0, JSON_INTEGER_MAX, &release->issued, reason);
    if (err == ERR_OK)
        err = get_integer(root, "expires", release->issued, JSON_INTEGER_MAX, &release->expires,
                          reason);
    return err;
}

static enum err parse_texts(const json_t *root, struct release *release, struct reason *reason)
{
    struct minisign_key key;
    enum err err = get_text(root, "site", LIMIT_SITE, &release->site, reason);
    if (err == ERR_OK && (err = site_check(release->site)) != ERR_OK)
        err = refuse(reason, err, "site");
    if (err == ERR_OK)
        err = get_optional(root, "version", LIMIT_VERSION_TEXT, "", &release->version, reason);
    if (err == ERR_OK)
        err = get_optional(root, "sharing", 32, "peers", &release->sharing, reason);
    /* A rule that we do not know cannot be kept: so nothing is shared at all. */
    if (err == ERR_OK && strcmp(release->sharing, "peers") != 0 &&
        strcmp(release->sharing, "supernode-only") != 0)
        err = refuse(reason, ERR_UNSUPPORTED, "sharing \"%s\"", release->sharing);
    if (err == ERR_OK)
        err = get_optional(root, "next_key", 56, NULL, &release->next_key, reason);
    if (err == ERR_OK && release->next_key != NULL &&
        (strlen(release->next_key) != 56 ||
         minisign_key_parse((const uint8_t *)release->next_key, 56, &key) != ERR_OK))
        err = refuse(reason, ERR_SYNTAX, "next_key");
    return err;
}

/* --- bundles */

static enum err parse_bundle(const json_t *object, struct release_bundle *bundle,
                             struct reason *reason)
{
    const char *hex;
    uint64_t piece_length = 0;
    if (!json_is_object(object))
        return refuse(reason, ERR_SYNTAX, "bundle");
    enum err err = get_text(object, "base", LIMIT_PATH, &bundle->base, reason);
    if (err == ERR_OK && !path_base_ok(bundle->base))
        err = refuse(reason, ERR_BAD_NAME, "base");
    if (err == ERR_OK && (err = json_get_text(object, "infohash", 64, &hex)) != ERR_OK)
        err = refuse(reason, err, "infohash");
    if (err == ERR_OK && !hex_decode(bundle->infohash, HASH_LENGTH, hex, strlen(hex)))
        err = refuse(reason, ERR_SYNTAX, "infohash");
    if (err == ERR_OK)
        err = get_integer(object, "files", 1, LIMIT_TORRENT_FILES, &bundle->files, reason);
    if (err == ERR_OK)
        err = get_integer(object, "bytes", 0, JSON_INTEGER_MAX, &bundle->bytes, reason);
    if (err == ERR_OK)
        err = get_integer(object, "piece_length", BLOCK_LENGTH, LIMIT_PIECE_LENGTH, &piece_length,
                          reason);
    if (err == ERR_OK && (piece_length & (piece_length - 1)) != 0)
        err = refuse(reason, ERR_RANGE, "piece_length");
    bundle->piece_length = (uint32_t)piece_length;
    return err;
}

static enum err check_bundle_unique(const struct release *release, size_t index,
                                    struct reason *reason)
{
    const struct release_bundle *bundles = release->bundles;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(bundles[i].base, bundles[index].base) == 0)
            return refuse(reason, ERR_DUPLICATE, "base %.60s", bundles[i].base);
        if (memcmp(bundles[i].infohash, bundles[index].infohash, HASH_LENGTH) == 0)
            return refuse(reason, ERR_DUPLICATE, "infohash of %.60s", bundles[index].base);
    }
    return ERR_OK;
}

static enum err parse_bundles(const json_t *root, struct release *release, struct reason *reason)
{
    const json_t *array = json_object_get(root, "bundles");
    size_t count = json_array_size(array);
    if (array == NULL)
        return refuse(reason, ERR_MISSING, "bundles");
    if (!json_is_array(array))
        return refuse(reason, ERR_SYNTAX, "bundles");
    if (count > LIMIT_BUNDLES)
        return refuse(reason, ERR_TOO_LARGE, "bundles");
    release->bundles = mem_calloc(count, sizeof *release->bundles);
    release->bundle_count = count;
    for (size_t i = 0; i < count; i++) {
        enum err err = parse_bundle(json_array_get(array, i), &release->bundles[i], reason);
        if (err == ERR_OK)
            err = check_bundle_unique(release, i, reason);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static enum err parse_catalog(const json_t *root, struct release *release, struct reason *reason)
{
    const json_t *object = json_object_get(root, "catalog");
    struct release_catalog *catalog = &release->catalog;
    uint64_t bytes = 0;
    const char *hex;

    if (object == NULL)
        return ERR_OK;
    if (!json_is_object(object))
        return refuse(reason, ERR_SYNTAX, "catalog");
    enum err err = get_text(object, "base", LIMIT_PATH, &catalog->base, reason);
    if (err == ERR_OK && !path_base_ok(catalog->base))
        err = refuse(reason, ERR_BAD_NAME, "catalog: base");
    for (size_t i = 0; err == ERR_OK && i < release->bundle_count; i++)
        if (strcmp(release->bundles[i].base, catalog->base) == 0)
            err = refuse(reason, ERR_DUPLICATE, "catalog: base %.60s", catalog->base);
    if (err == ERR_OK && (err = json_get_text(object, "sha256", 64, &hex)) != ERR_OK)
        err = refuse(reason, err, "catalog: sha256");
    if (err == ERR_OK && !hex_decode(catalog->sha256, HASH_LENGTH, hex, strlen(hex)))
        err = refuse(reason, ERR_SYNTAX, "catalog: sha256");
    if (err == ERR_OK)
        err = get_integer(object, "bytes", 1, LIMIT_CATALOG_PAGE, &bytes, reason);
    if (err == ERR_OK)
        err = get_integer(object, "files", 1, LIMIT_CATALOG_FILES, &catalog->files, reason);
    catalog->bytes = (uint32_t)bytes;
    return err;
}

/* --- lists of pairs and of URLs */

/* Checks name and value and may better the name's spelling. */
typedef bool (*pair_check)(const char **name, const char *value);

static bool check_type(const char **name, const char *value)
{
    return release_suffix_ok(*name) && release_media_type_ok(value);
}

static bool check_header(const char **name, const char *value)
{
    *name = release_header_name(*name);
    return *name != NULL && release_header_value_ok(value);
}

static bool has_pair(const struct release_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(pairs[i].name, name) == 0)
            return true;
    }
    return false;
}

static enum err parse_pairs(json_t *root, const char *key, size_t max, pair_check check,
                            struct release_pair **ret, size_t *ret_count, struct reason *reason)
{
    json_t *object = json_object_get(root, key), *member;
    const char *name, *value;
    if (object == NULL)
        return ERR_OK;
    if (!json_is_object(object))
        return refuse(reason, ERR_SYNTAX, "%s", key);
    if (json_object_size(object) > max)
        return refuse(reason, ERR_TOO_LARGE, "%s", key);
    *ret = mem_calloc(max, sizeof **ret);
    json_object_foreach(object, name, member)
    {
        enum err err = json_text_of(member, LIMIT_HEADER_VALUE, &value);
        const char *spelled = name;
        if (err == ERR_OK && !check(&spelled, value))
            err = ERR_REFUSED;
        if (err == ERR_OK && has_pair(*ret, *ret_count, spelled))
            err = ERR_DUPLICATE;
        if (err != ERR_OK)
            return refuse(reason, err, "%s: %.60s", key, name);
        (*ret)[*ret_count].name = mem_strdup(spelled);
        (*ret)[(*ret_count)++].value = mem_strdup(value);
    }
    return ERR_OK;
}

static enum err parse_urls(const json_t *root, const char *key, size_t max,
                           bool (*check)(const char *url), char ***ret, size_t *ret_count,
                           struct reason *reason)
{
    const json_t *array = json_object_get(root, key);
    const char *url;
    if (array == NULL)
        return ERR_OK;
    if (!json_is_array(array))
        return refuse(reason, ERR_SYNTAX, "%s", key);
    if (json_array_size(array) > max)
        return refuse(reason, ERR_TOO_LARGE, "%s", key);
    *ret = mem_calloc(max, sizeof **ret);
    for (size_t i = 0; i < json_array_size(array); i++) {
        enum err err = json_text_of(json_array_get(array, i), LIMIT_URL, &url);
        if (err == ERR_OK && !check(url))
            err = ERR_BAD_URL;
        if (err != ERR_OK)
            return refuse(reason, err, "%s[%zu]", key, i);
        (*ret)[(*ret_count)++] = mem_strdup(url);
    }
    return ERR_OK;
}

static enum err parse_lists(json_t *root, struct release *release, struct reason *reason)
{
    enum err err = parse_pairs(root, "types", LIMIT_RELEASE_TYPES, check_type, &release->types,
                               &release->type_count, reason);
    if (err == ERR_OK)
        err = parse_pairs(root, "headers", LIMIT_RELEASE_HEADERS, check_header, &release->headers,
                          &release->header_count, reason);
    if (err == ERR_OK)
        err = parse_urls(root, "trackers", LIMIT_TRACKERS, release_tracker_ok, &release->trackers,
                         &release->tracker_count, reason);
    if (err == ERR_OK)
        err = parse_urls(root, "supernodes", LIMIT_SUPERNODES, release_supernode_ok,
                         &release->supernodes, &release->supernode_count, reason);
    return err;
}

enum err release_parse(const uint8_t *data, size_t length, struct release **ret,
                       struct reason *ret_reason)
{
    json_t *root = NULL;
    ret_reason->text[0] = '\0';
    if (length > LIMIT_RELEASE)
        return refuse(ret_reason, ERR_TOO_LARGE, "release.json");
    enum err err = json_load_object(data, length, &root);
    if (err != ERR_OK)
        return refuse(ret_reason, err, "release.json");
    struct release *release = mem_zalloc(sizeof *release);
    err = parse_numbers(root, release, ret_reason);
    if (err == ERR_OK)
        err = parse_texts(root, release, ret_reason);
    if (err == ERR_OK)
        err = parse_bundles(root, release, ret_reason);
    if (err == ERR_OK)
        err = parse_catalog(root, release, ret_reason);
    if (err == ERR_OK)
        err = parse_lists(root, release, ret_reason);
    json_decref(root);
    if (err == ERR_OK)
        *ret = release;
    else
        release_free(release);
    return err;
}

static void free_pairs(struct release_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mem_free(pairs[i].name);
        mem_free(pairs[i].value);
    }
    mem_free(pairs);
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free(texts[i]);
    mem_free(texts);
}

void release_free(struct release *release)
{
    if (release == NULL)
        return;
    for (size_t i = 0; i < release->bundle_count; i++)
        mem_free(release->bundles[i].base);
    mem_free(release->bundles);
    mem_free(release->catalog.base);
    free_pairs(release->types, release->type_count);
    free_pairs(release->headers, release->header_count);
    free_texts(release->trackers, release->tracker_count);
    free_texts(release->supernodes, release->supernode_count);
    mem_free(release->site);
    mem_free(release->version);
    mem_free(release->sharing);
    mem_free(release->next_key);
    mem_free(release);
}

/* --- questions */

bool release_is_empty(const struct release *release)
{
    return release->bundle_count == 0 && release->catalog.base == NULL;
}

const char *release_in_catalog(const struct release *release, const char *path)
{
    const char *base = release->catalog.base, *relative;

    if (base == NULL || strncmp(path, base, strlen(base)) != 0)
        return NULL;
    const struct release_bundle *bundle = release_find_bundle(release, path, &relative);
    bool nearer = bundle != NULL && strlen(bundle->base) > strlen(base);
    return nearer ? NULL : path + strlen(base);
}

const struct release_bundle *release_find_bundle(const struct release *release, const char *path,
                                                 const char **ret_relative)
{
    const struct release_bundle *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < release->bundle_count; i++) {
        size_t length = strlen(release->bundles[i].base);
        if (length > longest && strncmp(path, release->bundles[i].base, length) == 0) {
            found = &release->bundles[i];
            longest = length;
        }
    }
    if (found != NULL)
        *ret_relative = path + longest;
    return found;
}

const char *release_media_type(const struct release *release, const char *path)
{
    const char *found = NULL;
    size_t longest = 0, whole = strlen(path);
    for (size_t i = 0; i < release->type_count; i++) {
        size_t length = strlen(release->types[i].name);
        if (length > longest && length <= whole &&
            strcasecmp(path + whole - length, release->types[i].name) == 0) {
            found = release->types[i].value;
            longest = length;
        }
    }
    return found != NULL ? found : media_type(path);
}
