/* wire/url: one form of a site, and paths that can mean only one file. */
#include "base/limits.h"
#include "base/mem.h"
#include "check_main.h"
#include "wire/host_name.h"
#include "wire/url.h"

#include <string.h>

START_TEST(sites_in_canonical_form_are_accepted)
{
    static const char *const good[] = {
        "https://game.example",
        "https://game.example:8443",
        "https://localhost",
        "http://localhost",
        "http://localhost:8080",
        "http://127.0.0.1:3000",
        "http://[::1]",
        "http://[::1]:81",
        "https://10.0.0.1",
        "https://xn--bcher-kva.test",
        "https://a-b.c_d.example",
        "https://[2001:db8::1]",
        "https://[1:0:0:2::3]",
        "https://[1::2:0:0:3:4]:444",
        "https://1password.example",
        "https://1.2.3.example",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(site_check(good[i]) == ERR_OK, "%s", good[i]);
}
END_TEST

START_TEST(sites_in_another_form_are_refused)
{
    static const char *const bad[] = {
        "",
        "https://",
        "game.example",
        "https://Game.example",
        "https://game.example/",
        "https://game.example:443",
        "http://localhost:80",
        "http://game.example",
        "http://127.0.0.2",
        "http://localhost.example",
        "https://game.example:",
        "https://a:0",
        "https://a:01",
        "https://a:65536",
        "https://a:8o",
        "https://user@game.example",
        "https://game..example",
        "https://.example",
        "https://example.",
        "https://-a.example",
        "https://a-.example",
        "https://a b",
        "https://a%62",
        "https://b\303\274cher.test",
        "https://127.1",
        "https://1.2.3.4.5",
        "https://0x7f000001",
        "https://256.1.1.1",
        "https://01.2.3.4",
        "https://1.2.3.0x4",
        "https://[::1",
        "https://[0:0:0:0:0:0:0:1]",
        "https://[::FFFF]",
        "https://[1::0:2]",
        "https://[::1]x",
        "https://::1",
        "https://[fe80::1%25eth0]",
        "https://a?b",
        "https://a#b",
        "https://a\\b",
        "ftp://a",
        "HTTPS://a",
        "https://a:8443/x",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(site_check(bad[i]) != ERR_OK, "%s", bad[i]);
    char text[LIMIT_SITE + 32] = "https://";
    memset(text + 8, 'a', sizeof text - 9);
    ck_assert_int_eq(site_check(text), ERR_TOO_LARGE);
    /* A label of 64 and a name of 254 are too long for DNS. */
    text[8 + 64] = '\0';
    ck_assert_int_eq(site_check(text), ERR_BAD_URL);
    text[8 + 63] = '\0';
    ck_assert_int_eq(site_check(text), ERR_OK);
}
END_TEST

static void expect_split(const char *url, const char *site, const char *path)
{
    char *got_site = NULL, *got_path = NULL;
    ck_assert_msg(url_split(url, &got_site, &got_path) == ERR_OK, "%s", url);
    ck_assert_str_eq(got_site, site);
    ck_assert_str_eq(got_path, path);
    mem_free(got_site);
    mem_free(got_path);
}

START_TEST(typed_urls_become_site_and_path)
{
    expect_split("https://Game.Example", "https://game.example", "/");
    expect_split("HTTPS://game.example:443/a/B", "https://game.example", "/a/B");
    expect_split("http://LOCALHOST:80/x", "http://localhost", "/x");
    expect_split("https://a.test:80/x", "https://a.test:80", "/x");
    expect_split("https://a.test/a b/\xc3\xbc.js", "https://a.test", "/a%20b/%C3%BC.js");
    expect_split("https://a.test/a%20b", "https://a.test", "/a%20b");
    expect_split("https://a.test/x:443", "https://a.test", "/x:443");

    static const char *const bad[] = {
        "a.test/x",          "https://a.test/x?y", "https://a.test/x#y",
        "https://u@a.test/", "https://a.test\\x",  "http://a.test/",
        "https:///x",        "https://a.test/\n",  "https://a.test/\xff"};
    char *site = NULL, *path = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(url_split(bad[i], &site, &path) != ERR_OK, "%s", bad[i]);
    ck_assert_ptr_null(site);
    ck_assert_ptr_null(path);
}
END_TEST

START_TEST(paths_decode_to_raw_bytes)
{
    static const char *const pairs[][2] = {
        {"/a", "/a"},     {"/a/b.js", "/a/b.js"}, {"/a%20b", "/a b"},   {"/%C3%bc", "/\xc3\xbc"},
        {"/a+b", "/a+b"}, {"/a%2Bb", "/a+b"},     {"/100%25", "/100%"}, {"/%252e%252e", "/%2e%2e"},
        {"/...", "/..."}, {"/..a", "/..a"},       {"/a%3Fb", "/a?b"},   {"/a%23b", "/a#b"},
        {"/a|b", "/a|b"},
    };
    char raw[LIMIT_PATH + 1];
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        ck_assert_msg(path_decode(pairs[i][0], strlen(pairs[i][0]), raw) == ERR_OK, "%s",
                      pairs[i][0]);
        ck_assert_str_eq(raw, pairs[i][1]);
    }
}
END_TEST

START_TEST(ambiguous_paths_are_refused)
{
    static const char *const bad[] = {
        "",          "a",          "/",       "//",     "//host/x",  "/a/",         "/a//b",
        "/.",        "/..",        "/a/../b", "/a/./b", "/%2e",      "/%2e%2e/x",   "/.%2E/x",
        "/a/%2e%2e", "/a\\b",      "/a%5Cb",  "/a%2Fb", "/a%2fb",    "/%2e%2e%2fx", "/a%00",
        "/a%0a",     "/a%7f",      "/a%1F",   "/a\tb",  "/a b",      "/a%",         "/a%2",
        "/a%zz",     "/a%%20",     "/a?b",    "/a#b",   "/\xc3\xbc", "/%ff",        "/%C3",
        "/%c0%ae",   "/%ed%a0%80",
    };
    char raw[LIMIT_PATH + 1];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(path_decode(bad[i], strlen(bad[i]), raw) == ERR_BAD_NAME, "%s", bad[i]);
    ck_assert_int_eq(path_decode("/a\0b", 4, raw), ERR_BAD_NAME);
    char text[LIMIT_PATH + 2];
    memset(text, 'a', sizeof text);
    text[0] = '/';
    ck_assert_int_eq(path_decode(text, LIMIT_PATH, raw), ERR_OK);
    ck_assert_int_eq(path_decode(text, LIMIT_PATH + 1, raw), ERR_TOO_LARGE);
}
END_TEST

/* Every name that may be in a bundle has a URL that leads back to it. */
START_TEST(encoding_is_the_reverse)
{
    char name[] = "/x?y", raw[LIMIT_PATH + 1];
    for (int c = 1; c < 128; c++) {
        name[2] = (char)c;
        if (!path_segment_ok(name + 1, 3))
            continue;
        struct buf out;
        buf_init(&out, 64);
        path_encode(name, &out);
        ck_assert_int_eq(path_decode((char *)out.data, out.length, raw), ERR_OK);
        ck_assert_str_eq(raw, name);
        buf_done(&out);
    }
    struct buf out;
    buf_init(&out, 64);
    path_encode("/a b%/\xc3\xbc+~", &out);
    buf_put_u8(&out, 0);
    ck_assert_str_eq((char *)out.data, "/a%20b%25/%C3%BC+~");
    buf_done(&out);
}
END_TEST

START_TEST(bases_are_plain_folders)
{
    static const char *const good[] = {"/static/", "/a/b/", "/v1.2/", "/@x/"};
    static const char *const bad[] = {"",           "/",    "//",     "static/", "/static",
                                      "/a//b/",     "/../", "/a/./",  "/a b/",   "/a%20b/",
                                      "/\xc3\xbc/", "/a?/", "/a\\b/", "///"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(path_base_ok(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!path_base_ok(bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(media_types_by_suffix)
{
    ck_assert_str_eq(media_type("/a/b.wasm"), "application/wasm");
    ck_assert_str_eq(media_type("B.JS"), "text/javascript");
    ck_assert_str_eq(media_type("/x.tar.gz"), "application/gzip");
    ck_assert_str_eq(media_type("/d.js/file"), "application/octet-stream");
    ck_assert_str_eq(media_type("/noname"), "application/octet-stream");
    ck_assert_str_eq(media_type(""), "application/octet-stream");
}
END_TEST

TEST_MAIN("url", TESTS(sites_in_canonical_form_are_accepted, sites_in_another_form_are_refused,
                       typed_urls_become_site_and_path, paths_decode_to_raw_bytes,
                       ambiguous_paths_are_refused, encoding_is_the_reverse,
                       bases_are_plain_folders, media_types_by_suffix))
