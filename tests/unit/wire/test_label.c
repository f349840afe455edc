/* wire: the label of a page, and policies that are in the way of the site's worker. */
#include "check_main.h"
#include "wire/csp.h"
#include "wire/label.h"

#include <stdio.h>
#include <string.h>

#define RELEASE "/.well-known/fringe/release.json"

/* "target seq", or "" when there is no label. */
static const char *header(const char *value)
{
    static char text[3000];
    struct label label;
    text[0] = '\0';
    if (label_in_header(span_text(value), &label))
        snprintf(text, sizeof text, "%s %s", label.target, label.seq);
    return text;
}

START_TEST(link_headers)
{
    ck_assert_str_eq(header("<" RELEASE ">; rel=\"fringe\"; seq=42"), RELEASE " 42");
    ck_assert_str_eq(header("<" RELEASE ">;rel=fringe"), RELEASE " ");
    ck_assert_str_eq(header("</a.css>; rel=preload, </b>; rel=\"next Fringe\"; SEQ=\"7\""), "/b 7");
    ck_assert_str_eq(header("<a,b;c>; rel=\"x\\\"y\", < /c >; rel=fringe; seq=1; seq=2"), "/c 1");
    ck_assert_str_eq(header("</a>; rel=x; rel=fringe"), "");
    ck_assert_str_eq(header("</a>; rel=fringe; anchor=\"/b\""), "");
    ck_assert_str_eq(header("</a>; rel=fringes"), "");
    ck_assert_str_eq(header("</a; rel=fringe"), "");
    ck_assert_str_eq(header("a; rel=fringe"), "");
    ck_assert_str_eq(header(""), "");
    ck_assert_str_eq(header("</a>; title; rel=fringe"), "/a ");
}
END_TEST

START_TEST(numbers)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t seq;
    } cases[] = {{"", true, 0},
                 {"42", true, 42},
                 {"9007199254740991", true, 9007199254740991},
                 {"9007199254740992", false, 0},
                 {"-1", false, 0},
                 {"4x", false, 0},
                 {"99999999999999999999", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct label label = {0};
        uint64_t seq;
        strcpy(label.seq, cases[i].text);
        ck_assert_int_eq(label_seq(&label, &seq), cases[i].good);
        if (cases[i].good)
            ck_assert_uint_eq(seq, cases[i].seq);
    }
}
END_TEST

static const char *html(const char *text)
{
    static char got[3000];
    static struct label_html found;
    label_in_html(span_text(text), &found);
    got[0] = '\0';
    if (found.has_label)
        snprintf(got, sizeof got, "%s %s", found.label.target, found.label.seq);
    return got;
}

#define LINK "<link rel=\"fringe\" href=\"/r\" data-seq=\"42\">"

START_TEST(link_elements)
{
    ck_assert_str_eq(html("<!doctype html><html lang=en><head><meta charset=utf-8>" LINK), "/r 42");
    ck_assert_str_eq(html("\xef\xbb\xbf<!-- " LINK " -->\n<LINK data-seq=7 HREF='/r' REL=Fringe>"),
                     "/r 7");
    ck_assert_str_eq(html("<title>" LINK "</title>"), "");
    ck_assert_str_eq(html("<script>'" LINK "'</script><style></style>" LINK), "/r 42");
    ck_assert_str_eq(html("<noscript>" LINK "</noscript><link rel=fringe href=/s/>"), "/s/ ");
    ck_assert_str_eq(html("<template>" LINK "</template>"), "");
    ck_assert_str_eq(html("<head></head>" LINK), "");
    ck_assert_str_eq(html("<body>" LINK), "");
    ck_assert_str_eq(html("hello" LINK), "");
    ck_assert_str_eq(html("<p>" LINK), "");
    ck_assert_str_eq(html("<link rel=fringe>" LINK), "/r 42"); /* no href: none */
    ck_assert_str_eq(html("<meta content=\"<link rel=fringe href=/x>\">"), "");
    ck_assert_str_eq(html("<link rel=\"fringe\" href=\"/r"), "/r ");
    ck_assert_str_eq(html("<link rel=\"fringe\" href=/r data-seq=123456789012345678901234567>"),
                     "/r ?");
    ck_assert_str_eq(html("<"), "");
    ck_assert_str_eq(html(""), "");
}
END_TEST

START_TEST(policies_in_the_document)
{
    static struct label_html found;
    label_in_html(span_text("<meta http-equiv=Content-Security-Policy content=\"script-src a\">"
                            "<meta http-equiv=refresh content=1>"),
                  &found);
    ck_assert_str_eq(found.policy, "script-src a");
}
END_TEST

static const char *blocked_by(const char *policy, const char *site)
{
    static char directive[16];
    csp_allows_worker(policy, site, "/fringe-sw.js", directive);
    return directive;
}

START_TEST(policies)
{
    static const char *const allow[] = {"",
                                        "img-src 'none'",
                                        "default-src 'self'",
                                        "default-src 'none'; worker-src 'self'",
                                        "script-src 'none'; worker-src *",
                                        "script-src https:",
                                        "script-src http:",
                                        "worker-src https://a.test",
                                        "worker-src a.test",
                                        "worker-src *.b.test a.test:443",
                                        "worker-src https://A.test/fringe-sw.js",
                                        "worker-src a.test/",
                                        "WORKER-SRC 'SELF'",
                                        "worker-src 'self'; worker-src 'none'",
                                        "script-src 'nonce-x' 'strict-dynamic'",
                                        "child-src 'self'; script-src 'none'"};
    static const char *const deny[][2] = {
        {"default-src 'none'", "default-src"},
        {"script-src 'nonce-x' 'sha256-y' 'unsafe-inline'", "script-src"},
        {"worker-src", "worker-src"},
        {"worker-src blob: data:; script-src 'self'", "worker-src"},
        {"worker-src *.a.test", "worker-src"},
        {"worker-src b.a.test", "worker-src"},
        {"worker-src a.test:8443", "worker-src"},
        {"worker-src https://a.test/static/", "worker-src"},
        {"worker-src https://cdn.test", "worker-src"},
        {"worker-src ws:", "worker-src"},
        {"child-src 'none'; default-src 'self'", "child-src"},
        {"default-src 'self'; script-src cdn.test", "script-src"}};
    for (size_t i = 0; i < sizeof allow / sizeof allow[0]; i++)
        ck_assert_msg(blocked_by(allow[i], "https://a.test")[0] == '\0', "%s", allow[i]);
    for (size_t i = 0; i < sizeof deny / sizeof deny[0]; i++)
        ck_assert_msg(strcmp(blocked_by(deny[i][0], "https://a.test"), deny[i][1]) == 0, "%s",
                      deny[i][0]);
    ck_assert_str_eq(blocked_by("worker-src https://a.test:8443", "https://a.test:8443"), "");
    ck_assert_str_eq(blocked_by("worker-src https://a.test:*", "https://a.test:8443"), "");
    ck_assert_str_eq(blocked_by("worker-src https://a.test", "https://a.test:8443"), "worker-src");
    ck_assert_str_eq(blocked_by("worker-src http://[::1]:80", "http://[::1]"), "");
    ck_assert_str_eq(blocked_by("worker-src https:", "http://localhost"), "worker-src");
}
END_TEST

TEST_MAIN("label", TESTS(link_headers, numbers, link_elements, policies_in_the_document, policies))
