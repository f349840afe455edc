/* release.json out: indented, keys in the order of host/PROTOCOL.md, so that equal releases are
 * equal bytes and a publisher can read a diff. */
#include "base/limits.h"
#include "wire/json.h"
#include "wire/release.h"

#include <string.h>

static void put_member(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, "  \"%s\": ", key);
    json_put_string(out, value);
    buf_put_text(out, ",\n");
}

static void put_number(struct buf *out, const char *key, uint64_t value)
{
    buf_printf(out, "  \"%s\": %llu,\n", key, (unsigned long long)value);
}

static void put_bundle(struct buf *out, const struct release_bundle *bundle)
{
    char hex[HEX_LENGTH(HASH_LENGTH)];
    hex_encode(hex, bundle->infohash, HASH_LENGTH);
    buf_put_text(out, "    {\"base\": ");
    json_put_string(out, bundle->base);
    buf_printf(out, ", \"infohash\": \"%s\",\n     \"files\": %llu, \"bytes\": %llu, ", hex,
               (unsigned long long)bundle->files, (unsigned long long)bundle->bytes);
    buf_printf(out, "\"piece_length\": %u}", bundle->piece_length);
}

static void put_catalog(struct buf *out, const struct release_catalog *catalog)
{
    char hex[HEX_LENGTH(HASH_LENGTH)];

    if (catalog->base == NULL)
        return;
    hex_encode(hex, catalog->sha256, HASH_LENGTH);
    buf_put_text(out, "  \"catalog\": {\"base\": ");
    json_put_string(out, catalog->base);
    buf_printf(out, ", \"sha256\": \"%s\",\n     \"bytes\": %u, \"files\": %llu},\n", hex,
               catalog->bytes, (unsigned long long)catalog->files);
}

static void put_pairs(struct buf *out, const char *key, const struct release_pair *pairs,
                      size_t count)
{
    if (count == 0)
        return;
    buf_printf(out, "  \"%s\": {", key);
    for (size_t i = 0; i < count; i++) {
        buf_put_text(out, i == 0 ? "\n    " : ",\n    ");
        json_put_string(out, pairs[i].name);
        buf_put_text(out, ": ");
        json_put_string(out, pairs[i].value);
    }
    buf_put_text(out, "\n  },\n");
}

static void put_urls(struct buf *out, const char *key, char *const *urls, size_t count)
{
    if (count == 0)
        return;
    buf_printf(out, "  \"%s\": [", key);
    for (size_t i = 0; i < count; i++) {
        buf_put_text(out, i == 0 ? "\n    " : ",\n    ");
        json_put_string(out, urls[i]);
    }
    buf_put_text(out, "\n  ],\n");
}

static void put_release(struct buf *out, const struct release *release)
{
    buf_put_text(out, "{\n");
    put_number(out, "fringe", 1);
    put_member(out, "site", release->site);
    put_number(out, "seq", release->seq);
    if (release->version[0] != '\0')
        put_member(out, "version", release->version);
    put_number(out, "issued", release->issued);
    put_number(out, "expires", release->expires);
    put_pairs(out, "types", release->types, release->type_count);
    put_pairs(out, "headers", release->headers, release->header_count);
    put_urls(out, "trackers", release->trackers, release->tracker_count);
    put_urls(out, "supernodes", release->supernodes, release->supernode_count);
    if (strcmp(release->sharing, "peers") != 0)
        put_member(out, "sharing", release->sharing);
    if (release->next_key != NULL)
        put_member(out, "next_key", release->next_key);
    put_catalog(out, &release->catalog);
    buf_put_text(out, "  \"bundles\": [\n");
    for (size_t i = 0; i < release->bundle_count; i++) {
        put_bundle(out, &release->bundles[i]);
        buf_put_text(out, i + 1 < release->bundle_count ? ",\n" : "\n");
    }
    buf_put_text(out, "  ]\n}\n");
}

enum err release_write(const struct release *release, struct buf *out, struct reason *ret_reason)
{
    struct release *again = NULL;
    struct buf text;
    buf_init(&text, LIMIT_RELEASE + 1);
    put_release(&text, release);
    /* The reader's rules are the only rules: what it would refuse is not written. */
    enum err err = release_parse(text.data, text.length, &again, ret_reason);
    if (err == ERR_OK)
        buf_put(out, text.data, text.length);
    release_free(again);
    buf_done(&text);
    return err;
}
