/* What is wrong with a reply that visitors shall give on to each other. */
#include "app/verify.h"
#include "wire/csp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One of the names in a list such as "private, max-age=0" or "Accept-Encoding, Cookie". */
static bool list_has(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; *at != '\0';) {
        at += strspn(at, " \t,");
        size_t word = strcspn(at, " \t,=;");
        if (word == length && strncasecmp(at, name, length) == 0)
            return true;
        at += strcspn(at, ",");
    }
    return false;
}

static void fault(struct verify *verify, const struct verify_reply *reply, const char *code,
                  const char *todo, const char *name, const char *value)
{
    verify_add(&verify->report, VERIFY_FAULT, code, reply->url, todo, "%s: %.400s", name, value);
}

static void look_at_cookies(struct verify *verify, const struct verify_reply *reply)
{
    const char *value = verify_header(reply, "Set-Cookie", 0);
    if (value != NULL)
        fault(verify, reply, "cookie",
              "serve shared files without cookies: what is shared must be the same for everybody",
              "Set-Cookie", value);
}

static void look_at_caching(struct verify *verify, const struct verify_reply *reply)
{
    static const char *const personal[] = {"Cookie", "Authorization", "*"};
    const char *value;
    for (size_t i = 0; (value = verify_header(reply, "Cache-Control", i)) != NULL; i++) {
        if (list_has(value, "private") || list_has(value, "no-store"))
            fault(verify, reply, "cache-control",
                  "take private and no-store away: such a file is not meant for others",
                  "Cache-Control", value);
    }
    for (size_t i = 0; (value = verify_header(reply, "Vary", i)) != NULL; i++) {
        for (size_t k = 0; k < sizeof personal / sizeof personal[0]; k++) {
            if (list_has(value, personal[k]))
                fault(verify, reply, "vary",
                      "answer everybody alike: a shared file must not depend on who asks", "Vary",
                      value);
        }
    }
}

static void look_at_redirect(struct verify *verify, const struct verify_reply *reply)
{
    const char *to = verify_header(reply, "Location", 0);
    const char *what = "";
    if (to != NULL && strncasecmp(to, "http:", 5) == 0 && strncmp(verify->site, "https:", 6) == 0)
        what = ", which is plain http";
    else if (to != NULL && strstr(to, "://") != NULL &&
             strncmp(to, verify->site, strlen(verify->site)) != 0)
        what = ", which is another site";
    verify_add(&verify->report, VERIFY_FAULT, "redirect", reply->url,
               "serve it at this very URL: hosts follow no redirects", "%ld to %.300s%s",
               reply->status, to != NULL ? to : "nowhere", what);
}

static bool look_at_status(struct verify *verify, const struct verify_reply *reply)
{
    const char *todo = "serve it at this URL, to everybody";
    if (reply->status == 200 || (reply->status == 206 && reply->request->has_range))
        return true;
    if (reply->status >= 300 && reply->status < 400 && reply->status != 304) {
        look_at_redirect(verify, reply);
        return false;
    }
    if (reply->status == 401 || reply->status == 403)
        todo = "serve it to strangers: what needs a password cannot be shared";
    else if (reply->status == 404)
        todo = verify->on_disk
                   ? "put it there: `fringe publish` writes its own files, yours belong "
                     "where the base says"
                   : "upload it, or publish again without it";
    verify_add(&verify->report, VERIFY_FAULT, "status", reply->url, todo,
               verify->on_disk ? "no such file (%ld)" : "status %ld", reply->status);
    return false;
}

static bool look_at_encoding(struct verify *verify, const struct verify_reply *reply)
{
    const char *value = verify_header(reply, "Content-Encoding", 0);
    if (value == NULL || value[0] == '\0' || strcasecmp(value, "identity") == 0)
        return true;
    fault(verify, reply, "encoded",
          "keep the plain file as well, for who asks for \"Accept-Encoding: identity\"",
          "Content-Encoding", value);
    return false;
}

bool verify_reply_is_good(struct verify *verify, const struct verify_reply *reply)
{
    look_at_cookies(verify, reply);
    if (!look_at_status(verify, reply))
        return false;
    look_at_caching(verify, reply);
    return look_at_encoding(verify, reply);
}

void verify_media_type(const struct verify_reply *reply, char ret[LIMIT_MEDIA_TYPE + 1])
{
    const char *type = verify_header(reply, "Content-Type", 0);
    size_t length = type != NULL ? strcspn(type, "; \t") : 0;
    snprintf(ret, LIMIT_MEDIA_TYPE + 1, "%.*s", (int)(length < 128 ? length : 128),
             type != NULL ? type : "");
}

bool verify_looks_like_html(const struct verify_reply *reply)
{
    const struct buf *body = &reply->body;
    char type[LIMIT_MEDIA_TYPE + 1];
    size_t at = 0;
    verify_media_type(reply, type);
    while (at < body->length && strchr(" \t\r\n", body->data[at]) != NULL && body->data[at] != 0)
        at++;
    return strcasecmp(type, "text/html") == 0 || (at < body->length && body->data[at] == '<');
}

/* --- policies */

static void look_at_policy(struct verify *verify, const struct verify_reply *reply,
                           const char *policy)
{
    char directive[16];
    if (!csp_allows_worker(policy, verify->site, "/fringe-sw.js", directive))
        verify_add(&verify->report, VERIFY_FAULT, "csp", reply->url,
                   "add worker-src 'self', so that Chromium may register /fringe-sw.js",
                   "Content-Security-Policy: %s is in the way: %.400s", directive, policy);
}

void verify_policy(struct verify *verify, const struct verify_reply *reply, const char *in_document)
{
    const char *value;
    for (size_t i = 0; (value = verify_header(reply, "Content-Security-Policy", i)) != NULL; i++) {
        char *all = strdup(value), *rest = NULL; /* several in one header are parted by commas */
        for (char *one = all != NULL ? strtok_r(all, ",", &rest) : NULL; one != NULL;
             one = strtok_r(NULL, ",", &rest))
            look_at_policy(verify, reply, one);
        free(all);
    }
    if (in_document[0] != '\0')
        look_at_policy(verify, reply, in_document);
}
