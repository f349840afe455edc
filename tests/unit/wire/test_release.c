/* wire/release: a release is taken whole and right, or refused with the key that is wrong. */
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "wire/minisign.h"
#include "wire/release.h"
#include "wire/release_rules.h"

#include <stdio.h>
#include <string.h>

#define HASH_A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HASH_B "ff23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BUNDLE(BASE, HASH)                                                                         \
    "{\"base\":\"" BASE "\",\"infohash\":\"" HASH "\",\"files\":2,\"bytes\":9,"                    \
    "\"piece_length\":65536}"
#define HEAD "\"fringe\":1,\"site\":\"https://a.test\",\"seq\":42,\"issued\":100,\"expires\":200"
#define GOOD "{" HEAD ",\"bundles\":[" BUNDLE("/static/", HASH_A) "]}"

static struct release *parse_ok(const char *json)
{
    struct release *release = NULL;
    struct reason reason;
    enum err err = release_parse((const uint8_t *)json, strlen(json), &release, &reason);
    ck_assert_msg(err == ERR_OK, "%s: %s", json, reason.text);
    return release;
}

static void refused(const char *json, enum err expected, const char *word)
{
    struct release *release = NULL;
    struct reason reason;
    enum err err = release_parse((const uint8_t *)json, strlen(json), &release, &reason);
    ck_assert_msg(err == expected, "%s: %s", json, err_name(err));
    ck_assert_msg(strstr(reason.text, word) != NULL, "%s: %s", json, reason.text);
    ck_assert_ptr_null(release);
}

START_TEST(the_least_and_the_most)
{
    struct release *r = parse_ok(GOOD);
    ck_assert_str_eq(r->site, "https://a.test");
    ck_assert_uint_eq(r->seq, 42);
    ck_assert_str_eq(r->version, "");
    ck_assert_str_eq(r->sharing, "peers");
    ck_assert_ptr_null(r->next_key);
    ck_assert_uint_eq(r->bundle_count, 1);
    ck_assert_uint_eq(r->bundles[0].infohash[31], 0xef);
    ck_assert_uint_eq(r->bundles[0].piece_length, 65536);
    release_free(r);
    r = parse_ok(
        "{" HEAD ",\"version\":\"v1 \xc3\xbc\",\"sharing\":\"supernode-only\",\"later\":{},"
        "\"next_key\":\"RWTd+VX0tKYT7XXO9OPOj0Tav9+UMbSG0yS3f0MCbYKNibMXj6sFFdIj\","
        "\"types\":{\".wasm\":\"application/wasm\",\".js\":\"text/javascript; charset=utf-8\"},"
        "\"headers\":{\"cross-origin-embedder-policy\":\"require-corp\"},"
        "\"trackers\":[\"https://t.test/announce?k=1\",\"udp://t.test:6969\"],"
        "\"supernodes\":[\"tcp://n.test:6881\",\"wss://n.test/fringe\"],"
        "\"bundles\":[" BUNDLE("/a/", HASH_A) "," BUNDLE("/a/b/", HASH_B) "]}");
    ck_assert_uint_eq(r->tracker_count, 2);
    ck_assert_uint_eq(r->supernode_count, 2);
    ck_assert_str_eq(r->headers[0].name, "Cross-Origin-Embedder-Policy");
    ck_assert_str_eq(release_media_type(r, "/a/x.JS"), "text/javascript; charset=utf-8");
    ck_assert_str_eq(release_media_type(r, "/a/x.css"), "text/css");
    release_free(r);
}
END_TEST

/* What `fringe revoke` signs. */
START_TEST(a_release_may_share_nothing)
{
    struct release *r = parse_ok("{" HEAD ",\"bundles\":[]}"), *again;
    struct buf text;
    struct reason reason;
    const char *relative;
    ck_assert_uint_eq(r->bundle_count, 0);
    ck_assert_ptr_null(release_find_bundle(r, "/static/a", &relative));
    buf_init(&text, LIMIT_RELEASE);
    ck_assert_int_eq(release_write(r, &text, &reason), ERR_OK);
    ck_assert_int_eq(release_parse(text.data, text.length, &again, &reason), ERR_OK);
    ck_assert_uint_eq(again->bundle_count, 0);
    release_free(again);
    release_free(r);
    buf_done(&text);
}
END_TEST

#define CATALOG(BASE, SHA, BYTES, FILES)                                                           \
    "{" HEAD ",\"bundles\":[" BUNDLE("/a/", HASH_A) "],\"catalog\":{\"base\":\"" BASE              \
                                                    "\",\"sha256\":\"" SHA "\",\"bytes\":" BYTES   \
                                                    ",\"files\":" FILES "}}"

START_TEST(a_catalog_stands_for_more_bundles)
{
    struct release *r = parse_ok(CATALOG("/b/", HASH_B, "65536", "1000000")), *again;
    struct buf text;
    struct reason reason;
    ck_assert_str_eq(r->catalog.base, "/b/");
    ck_assert_uint_eq(r->catalog.bytes, 65536);
    ck_assert_uint_eq(r->catalog.files, 1000000);
    ck_assert(!release_is_empty(r));
    ck_assert_str_eq(release_in_catalog(r, "/b/x/y"), "x/y");
    ck_assert_ptr_null(release_in_catalog(r, "/a/x"));
    ck_assert_ptr_null(release_in_catalog(r, "/bb/x"));
    buf_init(&text, LIMIT_RELEASE);
    ck_assert_int_eq(release_write(r, &text, &reason), ERR_OK);
    ck_assert_int_eq(release_parse(text.data, text.length, &again, &reason), ERR_OK);
    ck_assert_str_eq(again->catalog.base, "/b/");
    ck_assert_mem_eq(again->catalog.sha256, r->catalog.sha256, HASH_LENGTH);
    release_free(again);
    release_free(r);
    buf_done(&text);
}
END_TEST

/* The longer base is the nearer one, whichever of the two has it. */
START_TEST(a_bundle_inside_a_catalog_goes_first)
{
    struct release *r = parse_ok(CATALOG("/a/b/", HASH_B, "100", "2"));
    ck_assert_str_eq(release_in_catalog(r, "/a/b/x"), "x");
    release_free(r);
    r = parse_ok("{" HEAD
                 ",\"bundles\":[" BUNDLE("/a/b/", HASH_A) "],\"catalog\":{\"base\":\"/a/\","
                                                          "\"sha256\":\"" HASH_B
                                                          "\",\"bytes\":100,\"files\":2}}");
    ck_assert_ptr_null(release_in_catalog(r, "/a/b/x"));
    ck_assert_str_eq(release_in_catalog(r, "/a/x"), "x");
    release_free(r);
}
END_TEST

START_TEST(catalogs_are_checked)
{
    refused("{" HEAD ",\"bundles\":[],\"catalog\":7}", ERR_SYNTAX, "catalog");
    refused("{" HEAD ",\"bundles\":[],\"catalog\":{}}", ERR_MISSING, "base");
    refused(CATALOG("/a/", HASH_B, "100", "2"), ERR_DUPLICATE, "base");
    refused(CATALOG("/", HASH_B, "100", "2"), ERR_BAD_NAME, "base");
    refused(CATALOG("/b/", "00", "100", "2"), ERR_SYNTAX, "sha256");
    refused(CATALOG("/b/", HASH_B, "65537", "2"), ERR_RANGE, "bytes");
    refused(CATALOG("/b/", HASH_B, "100", "0"), ERR_RANGE, "files");
}
END_TEST

START_TEST(each_wrong_key_is_named)
{
    refused("", ERR_SYNTAX, "release.json");
    refused("[]", ERR_SYNTAX, "release.json");
    refused(GOOD "x", ERR_SYNTAX, "release.json");
    refused("{}", ERR_MISSING, "fringe");
    refused("{\"fringe\":2}", ERR_UNSUPPORTED, "fringe");
    refused("{\"fringe\":\"1\"}", ERR_SYNTAX, "fringe");
    refused("{\"fringe\":1,\"seq\":0}", ERR_RANGE, "seq");
    refused("{\"fringe\":1,\"seq\":9007199254740992}", ERR_RANGE, "seq");
    refused("{\"fringe\":1,\"seq\":99999999999999999999}", ERR_SYNTAX, "release.json");
    refused("{\"fringe\":1,\"seq\":1.0}", ERR_SYNTAX, "seq");
    refused("{\"fringe\":1,\"seq\":1,\"issued\":9,\"expires\":8}", ERR_RANGE, "expires");
    refused("{\"fringe\":1,\"seq\":1,\"issued\":9,\"expires\":9}", ERR_MISSING, "site");
    refused("{\"fringe\":1,\"seq\":1,\"issued\":9,\"expires\":9,\"site\":\"http://a.test\"}",
            ERR_BAD_URL, "site");
    refused("{" HEAD ",\"version\":\"a\\u001bb\"}", ERR_SYNTAX, "version");
    refused("{" HEAD ",\"version\":7}", ERR_SYNTAX, "version");
    refused("{" HEAD ",\"sharing\":\"friends\"}", ERR_UNSUPPORTED, "friends");
    refused("{" HEAD ",\"next_key\":\"RWT\"}", ERR_SYNTAX, "next_key");
    refused("{" HEAD "}", ERR_MISSING, "bundles");
    refused("{" HEAD ",\"bundles\":{}}", ERR_SYNTAX, "bundles");
    refused("{" HEAD ",\"bundles\":[7]}", ERR_SYNTAX, "bundle");
}
END_TEST

START_TEST(bundles_are_checked)
{
    refused("{" HEAD ",\"bundles\":[" BUNDLE("/", HASH_A) "]}", ERR_BAD_NAME, "base");
    refused("{" HEAD ",\"bundles\":[" BUNDLE("/a", HASH_A) "]}", ERR_BAD_NAME, "base");
    refused("{" HEAD ",\"bundles\":[" BUNDLE("/../", HASH_A) "]}", ERR_BAD_NAME, "base");
    refused("{" HEAD ",\"bundles\":[" BUNDLE("/a%2e/", HASH_A) "]}", ERR_BAD_NAME, "base");
    refused("{" HEAD ",\"bundles\":[" BUNDLE("/a/", "00") "]}", ERR_SYNTAX, "infohash");
    refused("{" HEAD ",\"bundles\":[" BUNDLE("/a/", HASH_A) "," BUNDLE("/a/", HASH_B) "]}",
            ERR_DUPLICATE, "base");
    refused("{" HEAD ",\"bundles\":[" BUNDLE("/a/", HASH_A) "," BUNDLE("/b/", HASH_A) "]}",
            ERR_DUPLICATE, "infohash");
    refused("{" HEAD ",\"bundles\":[{\"base\":\"/a/\",\"infohash\":\"" HASH_A "\",\"files\":0}]}",
            ERR_RANGE, "files");
    refused("{" HEAD ",\"bundles\":[{\"base\":\"/a/\",\"infohash\":\"" HASH_A "\",\"files\":1,"
            "\"bytes\":1,\"piece_length\":65535}]}",
            ERR_RANGE, "piece_length");
    refused("{" HEAD ",\"bundles\":[{\"base\":\"/a/\",\"infohash\":\"" HASH_A "\",\"files\":1,"
            "\"bytes\":1,\"piece_length\":8192}]}",
            ERR_RANGE, "piece_length");
    /* Upper case would be a second spelling of the same hash. */
    refused("{" HEAD ",\"bundles\":[" BUNDLE("/a/", "ABCD456789abcdef0123456789abcdef0123456789ab"
                                                    "cdef0123456789abcdef") "]}",
            ERR_SYNTAX, "infohash");
}
END_TEST

#define WITH(MEMBER) "{" HEAD ",\"bundles\":[" BUNDLE("/static/", HASH_A) "]," MEMBER "}"

START_TEST(lists_are_checked)
{
    refused(WITH("\"types\":{\"js\":\"text/javascript\"}"), ERR_REFUSED, "types: js");
    refused(WITH("\"types\":{\".js\":\"text\"}"), ERR_REFUSED, "types");
    refused(WITH("\"types\":{\".js\":\"text/x\\r\\nSet-Cookie: a\"}"), ERR_SYNTAX, "types");
    refused(WITH("\"types\":{\".js\":\"a/b\",\".JS\":\"a/c\"}"), ERR_DUPLICATE, "types");
    refused(WITH("\"types\":[]"), ERR_SYNTAX, "types");
    refused(WITH("\"headers\":{\"Set-Cookie\":\"a=b\"}"), ERR_REFUSED, "Set-Cookie");
    refused(WITH("\"headers\":{\"SourceMap\":\"\xc3\xbc\"}"), ERR_REFUSED, "SourceMap");
    refused(WITH("\"headers\":{\"SourceMap\":\"a\\nb\"}"), ERR_SYNTAX, "SourceMap");
    refused(WITH("\"headers\":{\"SourceMap\":\"a\",\"sourcemap\":\"b\"}"), ERR_DUPLICATE,
            "headers");
    refused(WITH("\"trackers\":\"https://t.test/\""), ERR_SYNTAX, "trackers");
    refused(WITH("\"trackers\":[\"https://t.test/\",7]"), ERR_SYNTAX, "trackers[1]");
    refused(WITH("\"trackers\":[\"ftp://t.test/\"]"), ERR_BAD_URL, "trackers[0]");
    refused(WITH("\"supernodes\":[\"https://t.test/\"]"), ERR_BAD_URL, "supernodes[0]");
    refused(WITH("\"seq\":42"), ERR_DUPLICATE, "release.json");
    refused(WITH("\"later\":{\"a\":1,\"a\":2}"), ERR_DUPLICATE, "release.json");
}
END_TEST

START_TEST(urls_of_trackers_and_supernodes)
{
    ck_assert(release_tracker_ok("http://t.test:6969/announce"));
    ck_assert(release_tracker_ok("udp://[2001:db8::1]:6969/announce"));
    ck_assert(release_supernode_ok("tcp://10.0.0.1:1"));
    ck_assert(release_supernode_ok("wss://n.test"));
    static const char *const bad_trackers[] = {
        "udp://t.test",         "udp://t.test:0",    "http://",           "t.test",
        "http://u@t.test/",     "http://t.test/#a",  "http://t.test/a b", "http://T.test/",
        "http://t.test:99999/", "http://t.test:80x/"};
    for (size_t i = 0; i < sizeof bad_trackers / sizeof bad_trackers[0]; i++)
        ck_assert_msg(!release_tracker_ok(bad_trackers[i]), "%s", bad_trackers[i]);
    static const char *const bad_nodes[] = {"tcp://n.test", "tcp://n.test:1/x", "ws://n.test/",
                                            "wss://", "wss://n.test:0/"};
    for (size_t i = 0; i < sizeof bad_nodes / sizeof bad_nodes[0]; i++)
        ck_assert_msg(!release_supernode_ok(bad_nodes[i]), "%s", bad_nodes[i]);
}
END_TEST

START_TEST(too_many_of_anything)
{
    struct buf json;
    buf_init(&json, LIMIT_RELEASE);
    buf_put_text(&json, "{" HEAD ",\"bundles\":[");
    for (int i = 0; i <= LIMIT_BUNDLES; i++)
        buf_put_text(&json, i > 0 ? ",{}" : "{}");
    buf_put_text(&json, "]}");
    buf_put_u8(&json, 0);
    refused((char *)json.data, ERR_TOO_LARGE, "bundles");
    buf_clear(&json);
    buf_put_text(&json, "{" HEAD ",\"bundles\":[" BUNDLE("/s/", HASH_A) "],\"trackers\":[");
    for (int i = 0; i <= LIMIT_TRACKERS; i++)
        buf_put_text(&json, i > 0 ? ",\"http://t.test/\"" : "\"http://t.test/\"");
    buf_put_text(&json, "]}");
    buf_put_u8(&json, 0);
    refused((char *)json.data, ERR_TOO_LARGE, "trackers");
    buf_done(&json);
    char *big = mem_alloc(LIMIT_RELEASE + 2);
    memset(big, ' ', LIMIT_RELEASE + 1);
    big[LIMIT_RELEASE + 1] = '\0';
    refused(big, ERR_TOO_LARGE, "release.json");
    mem_free(big);
}
END_TEST

START_TEST(the_longest_base_wins)
{
    static const char *const orders[] = {
        "{" HEAD ",\"bundles\":[" BUNDLE("/a/", HASH_A) "," BUNDLE("/a/b/", HASH_B) "]}",
        "{" HEAD ",\"bundles\":[" BUNDLE("/a/b/", HASH_B) "," BUNDLE("/a/", HASH_A) "]}"};
    for (size_t i = 0; i < 2; i++) {
        struct release *r = parse_ok(orders[i]);
        const char *relative = NULL;
        ck_assert_ptr_eq(release_find_bundle(r, "/a/x", &relative), &r->bundles[i]);
        ck_assert_str_eq(relative, "x");
        ck_assert_ptr_eq(release_find_bundle(r, "/a/b/c/d", &relative), &r->bundles[1 - i]);
        ck_assert_str_eq(relative, "c/d");
        ck_assert_ptr_null(release_find_bundle(r, "/a", &relative));
        ck_assert_ptr_null(release_find_bundle(r, "/ab/c", &relative));
        release_free(r);
    }
}
END_TEST

START_TEST(writing_is_the_reverse_and_canonical)
{
    struct release *r = parse_ok(
                       WITH("\"version\":\"\\\"</script>\",\"trackers\":[\"http://t.test/\"],"
                            "\"types\":{\".js\":\"text/javascript\"}")),
                   *again;
    struct buf one, two;
    struct reason reason;
    buf_init(&one, LIMIT_RELEASE);
    buf_init(&two, LIMIT_RELEASE);
    ck_assert_int_eq(release_write(r, &one, &reason), ERR_OK);
    ck_assert_int_eq(release_parse(one.data, one.length, &again, &reason), ERR_OK);
    ck_assert_str_eq(again->version, "\"</script>");
    ck_assert_int_eq(release_write(again, &two, &reason), ERR_OK);
    ck_assert(span_equal(span_of(one.data, one.length), span_of(two.data, two.length)));
    /* What reading would refuse is not written. */
    again->seq = 0;
    ck_assert_int_eq(release_write(again, &two, &reason), ERR_RANGE);
    ck_assert_uint_eq(two.length, one.length);
    release_free(r);
    release_free(again);
    buf_done(&one);
    buf_done(&two);
}
END_TEST

#define COMMENT "fringe=1 site=https://a.test seq=42 expires=200 sha256=" HASH_A

START_TEST(trusted_comments)
{
    struct release_comment comment;
    ck_assert_int_eq(release_comment_parse(COMMENT, &comment), ERR_OK);
    ck_assert_str_eq(comment.site, "https://a.test");
    ck_assert_uint_eq(comment.seq, 42);
    ck_assert_uint_eq(comment.expires, 200);
    ck_assert_uint_eq(comment.sha256[0], 0x01);
    ck_assert_int_eq(release_comment_parse(COMMENT " later=1", &comment), ERR_OK);
    ck_assert_int_eq(release_comment_parse("fringe=2 anything", &comment), ERR_UNSUPPORTED);
    static const char *const bad[] = {
        "",
        "timestamp:1 file:x",
        "fringe=1",
        "fringe=1 site=https://a.test",
        "fringe=1 site=https://a.test seq=0 expires=2 sha256=" HASH_A,
        "fringe=1 site=https://a.test seq=01 expires=2 sha256=" HASH_A,
        "fringe=1 site=https://a.test seq=9007199254740992 expires=2 sha256=" HASH_A,
        "fringe=1 site=https://a.test seq=1 expires= sha256=" HASH_A,
        "fringe=1 site=https://a.test seq=1 expires=2 sha256=00",
        "fringe=1 site=https://a.test seq=1 expires=2 sha256=" HASH_A "0",
        "fringe=1  site=https://a.test seq=1 expires=2 sha256=" HASH_A,
        "fringe=1 seq=1 site=https://a.test expires=2 sha256=" HASH_A,
        "fringe=1 site=a.test seq=1 expires=2 sha256=" HASH_A,
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(release_comment_parse(bad[i], &comment) != ERR_OK, "%s", bad[i]);
}
END_TEST

/* --- release_verify */

static struct minisign_secret secret;
static struct minisign_key key;

static void sign(const char *json, const char *comment, struct buf *sig)
{
    uint8_t random[40] = {7}, hash[HASH_LENGTH];
    struct buf text;
    minisign_keypair(random, &secret, &key);
    buf_init(&text, 4096);
    if (comment == NULL) {
        struct release *release = parse_ok(json);
        sha256(json, strlen(json), hash);
        release_comment_format(release, hash, &text);
        release_free(release);
    } else {
        buf_put_text(&text, comment);
    }
    buf_put_u8(&text, 0);
    buf_init(sig, LIMIT_SIGNATURE);
    minisign_sign(&secret, json, strlen(json), (char *)text.data, sig);
    buf_done(&text);
}

static enum err verify(const char *json, const char *comment, const char *site, uint64_t now)
{
    struct buf sig;
    struct release *release = NULL;
    struct reason reason;
    sign(json, comment, &sig);
    enum err err = release_verify((const uint8_t *)json, strlen(json), sig.data, sig.length, &key,
                                  site, now, &release, &reason);
    ck_assert((err == ERR_OK) == (release != NULL));
    ck_assert((err == ERR_OK) == (reason.text[0] == '\0'));
    release_free(release);
    buf_done(&sig);
    return err;
}

START_TEST(verify_wants_everything_to_agree)
{
    ck_assert_int_eq(verify(GOOD, NULL, "https://a.test", 199), ERR_OK);
    ck_assert_int_eq(verify(GOOD, NULL, "https://a.test", 200), ERR_EXPIRED);
    ck_assert_int_eq(verify(GOOD, NULL, "https://b.test", 1), ERR_WRONG_SITE);
    ck_assert_int_eq(verify(GOOD, COMMENT, "https://a.test", 1), ERR_MISMATCH); /* sha256 */
    ck_assert_int_eq(verify(GOOD, "hello", "https://a.test", 1), ERR_SYNTAX);
    uint8_t hash[HASH_LENGTH];
    char hex[HEX_LENGTH(HASH_LENGTH)], comment[300];
    sha256(GOOD, strlen(GOOD), hash);
    hex_encode(hex, hash, HASH_LENGTH);
    static const char *const other[] = {"site=https://b.test seq=42 expires=200",
                                        "site=https://a.test seq=43 expires=200",
                                        "site=https://a.test seq=42 expires=201"};
    for (int i = 0; i < 3; i++) {
        snprintf(comment, sizeof comment, "fringe=1 %s sha256=%s", other[i], hex);
        ck_assert_int_eq(verify(GOOD, comment, "https://a.test", 1), ERR_MISMATCH);
    }
}
END_TEST

START_TEST(verify_stops_at_the_signature)
{
    struct buf sig;
    struct release *release = NULL;
    struct reason reason;
    sign(GOOD, NULL, &sig);
    char json[] = GOOD;
    json[strlen(json) - 1] = ' ';
    ck_assert_int_eq(release_verify((uint8_t *)json, strlen(json), sig.data, sig.length, &key,
                                    "https://a.test", 1, &release, &reason),
                     ERR_BAD_SIGNATURE);
    key.id[0] ^= 1;
    ck_assert_int_eq(release_verify((const uint8_t *)GOOD, strlen(GOOD), sig.data, sig.length, &key,
                                    "https://a.test", 1, &release, &reason),
                     ERR_WRONG_KEY);
    ck_assert_ptr_null(release);
    ck_assert_ptr_nonnull(strstr(reason.text, "minisig"));
    buf_done(&sig);
}
END_TEST

TEST_MAIN("release",
          TESTS(the_least_and_the_most, a_release_may_share_nothing,
                a_catalog_stands_for_more_bundles, a_bundle_inside_a_catalog_goes_first,
                catalogs_are_checked, each_wrong_key_is_named, bundles_are_checked,
                lists_are_checked, urls_of_trackers_and_supernodes, too_many_of_anything,
                the_longest_base_wins, writing_is_the_reverse_and_canonical, trusted_comments,
                verify_wants_everything_to_agree, verify_stops_at_the_signature))
