/* The pages: each must carry the label of the release that its site has now. */
#include "app/verify.h"
#include "base/mem.h"
#include "wire/label.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PAGE_MAX MIB(4)

static const char add_label[] =
    "label every page: the header Link: </.well-known/fringe/release.json>; rel=\"fringe\"; "
    "seq=N, or the link element that `fringe publish` prints";

/* The label's address, seen from the page, must be the release of this very site. */
static bool target_is_ours(const struct verify *verify, const struct verify_reply *reply,
                           const char *target)
{
    char *full = NULL, *want = mem_printf("%s/.well-known/fringe/release.json", verify->site);
    CURLU *url = curl_url();
    bool good = url != NULL &&
                curl_url_set(url, CURLUPART_URL, verify->on_disk ? verify->site : reply->url, 0) ==
                    CURLUE_OK &&
                curl_url_set(url, CURLUPART_URL, target, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_URL, &full, 0) == CURLUE_OK && strcmp(full, want) == 0;
    curl_free(full);
    curl_url_cleanup(url);
    mem_free(want);
    return good;
}

static void look_at_seq(struct verify *verify, const struct verify_reply *reply,
                        const struct label *label)
{
    uint64_t seq, now = verify->release != NULL ? verify->release->seq : 0;
    if (!label_seq(label, &seq))
        verify_add(&verify->report, VERIFY_FAULT, "label-seq", reply->url, add_label,
                   "\"%s\" is no number of a release", label->seq);
    else if (seq == 0)
        verify_add(&verify->report, VERIFY_WARNING, "label-seq", reply->url,
                   "name the release, so that the page never gets files of another one",
                   "the label names no release");
    else if (now != 0 && seq < now)
        verify_add(&verify->report, VERIFY_FAULT, "label-old", reply->url,
                   "upload the page with the new label, or clear the cache before it",
                   "the label says release %llu, the site has %llu", (unsigned long long)seq,
                   (unsigned long long)now);
    else if (now != 0 && seq > now)
        verify_add(&verify->report, VERIFY_FAULT, "label-early", reply->url,
                   "upload the release before the pages",
                   "the label says release %llu, the site has only %llu", (unsigned long long)seq,
                   (unsigned long long)now);
}

static bool find_in_headers(const struct verify_reply *reply, struct label *ret)
{
    const char *value;
    for (size_t i = 0; (value = verify_header(reply, "Link", i)) != NULL; i++) {
        if (label_in_header(span_text(value), ret))
            return true;
    }
    return false;
}

static void look_at_label(struct verify *verify, const struct verify_reply *reply,
                          const struct label_html *html)
{
    struct label header;
    bool in_header = find_in_headers(reply, &header);
    const struct label *label = in_header ? &header : html->has_label ? &html->label : NULL;
    if (label == NULL && verify->on_disk) {
        verify_add(
            &verify->report, VERIFY_WARNING, "label", reply->url,
            "let the web server send the header; `fringe verify` with the site's URL sees it",
            "no link element with the label");
        return;
    }
    if (label == NULL) {
        verify_add(&verify->report, VERIFY_FAULT, "label", reply->url, add_label,
                   "no label, in the headers or in the head of the document");
        return;
    }
    if (!target_is_ours(verify, reply, label->target))
        verify_add(&verify->report, VERIFY_FAULT, "label-target", reply->url, add_label,
                   "the label leads to %.300s", label->target);
    look_at_seq(verify, reply, label);
    if (in_header && html->has_label && strcmp(header.seq, html->label.seq) != 0)
        verify_add(&verify->report, VERIFY_FAULT, "label-twice", reply->url,
                   "leave one of the two out, or let both say the same",
                   "the header says seq=%s, the link element data-seq=%s", header.seq,
                   html->label.seq);
}

static void look_at_page(struct verify *verify, const char *path)
{
    static struct label_html html;
    struct verify_request request = {.path = path, .max = PAGE_MAX};
    struct verify_reply reply;
    char type[LIMIT_MEDIA_TYPE + 1];
    bool good = verify_get(verify, &request, &reply);
    if (good && verify->on_disk && reply.status == 404 && path == verify->start) {
        verify_add(&verify->report, VERIFY_WARNING, "page", reply.url,
                   "name your pages with --page, or verify the site's URL when it is served",
                   "no such file, so no page was looked at");
        good = false;
    } else if (good && reply.status != 200) {
        const char *to = verify_header(&reply, "Location", 0);
        verify_add(&verify->report, VERIFY_FAULT, "page", reply.url,
                   "name a page that is served at its own URL", "status %ld%s%.300s", reply.status,
                   to != NULL ? ", to " : "", to != NULL ? to : "");
        good = false;
    }
    if (good) {
        verify_media_type(&reply, type);
        if (!verify->on_disk && strcasecmp(type, "text/html") != 0 &&
            strcasecmp(type, "application/xhtml+xml") != 0)
            verify_add(&verify->report, VERIFY_WARNING, "page-type", reply.url,
                       "name the URL of a page", "Content-Type: %s", type);
        label_in_html(span_of(reply.body.data, reply.body.length), &html);
        look_at_label(verify, &reply, &html);
        verify_policy(verify, &reply, html.policy);
    }
    verify_reply_done(&reply);
}

/* "https://site/x" -> "/x"; "x.html" -> "/x.html". NULL: of another site. */
static char *path_of(const struct verify *verify, const char *page)
{
    size_t length = strlen(verify->site);
    if (strstr(page, "://") == NULL)
        return mem_printf("%s%s", page[0] == '/' ? "" : "/", page);
    if (strncmp(page, verify->site, length) == 0 && (page[length] == '/' || page[length] == '\0'))
        return mem_strdup(page[length] == '/' ? page + length : "/");
    return NULL;
}

void verify_pages(struct verify *verify)
{
    look_at_page(verify, verify->start);
    for (size_t i = 0; i < verify->options->page_count; i++) {
        char *path = path_of(verify, verify->options->pages[i]);
        if (path != NULL)
            look_at_page(verify, path);
        else
            verify_add(&verify->report, VERIFY_FAULT, "page", verify->options->pages[i],
                       "look at each site for itself", "not a page of %s", verify->site);
        mem_free(path);
    }
}
