/* The release, its signature and key; and what Chromium needs beside them. */
#include "app/key_file.h"
#include "app/publish.h"
#include "app/site_files.h"
#include "app/verify.h"
#include "base/mem.h"
#include "wire/minisign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define FOLDER      "/.well-known/fringe/"
#define SOON_DAYS   14
#define DAY_S       86400
#define LONG_MAX_S  3600 /* for so long a cache between may give out an old release */
#define PAGE_OF_404 "is that a page for \"not found\", with status 200?"

/* --- small files */

static bool max_age(const char *value, unsigned long *ret)
{
    const char *at = strcasestr(value, "max-age=");
    *ret = at != NULL ? strtoul(at + 8, NULL, 10) : 0;
    return at != NULL;
}

/* What may be old is served old: a new release would be late. */
static void look_at_age(struct verify *verify, const struct verify_reply *reply)
{
    const char *value = verify_header(reply, "Cache-Control", 0);
    unsigned long seconds;
    if (value != NULL && max_age(value, &seconds) && seconds > LONG_MAX_S &&
        strcasestr(value, "no-cache") == NULL)
        verify_add(&verify->report, VERIFY_WARNING, "long-lived", reply->url,
                   "send Cache-Control: no-cache for it, so that a new release is seen at once",
                   "Cache-Control: %.400s", value);
}

/* One of the small files. False when there is nothing to look at; else verify_reply_done(). */
static bool get_small(struct verify *verify, const char *path, size_t max, bool is_worker,
                      struct verify_reply *ret)
{
    struct verify_request request = {.path = path, .max = max, .is_worker = is_worker};
    if (!verify_get(verify, &request, ret)) {
        verify_reply_done(ret);
        return false;
    }
    bool good = verify_reply_is_good(verify, ret);
    if (good && ret->too_long) {
        verify_add(&verify->report, VERIFY_FAULT, "too-long", ret->url,
                   "serve the file that `fringe publish` wrote", "more than %zu bytes", max);
        good = false;
    }
    if (!good) {
        verify_reply_done(ret);
        return false;
    }
    look_at_age(verify, ret);
    return true;
}

/* The same for what is no HTML. */
static bool get_document(struct verify *verify, const char *path, size_t max,
                         struct verify_reply *ret)
{
    if (!get_small(verify, path, max, false, ret))
        return false;
    if (verify_looks_like_html(ret)) {
        verify_add(&verify->report, VERIFY_FAULT, "html", ret->url,
                   "serve the file that `fringe publish` wrote", "an HTML page; " PAGE_OF_404);
        verify_reply_done(ret);
        return false;
    }
    return true;
}

/* --- the key */

static bool parse_key(struct verify *verify, const char *where, const uint8_t *data, size_t length,
                      struct minisign_key *ret)
{
    enum err err = minisign_key_parse(data, length, ret);
    if (err != ERR_OK)
        verify_add(&verify->report, VERIFY_FAULT, "key", where,
                   "put the public key there that `fringe keygen` or `minisign -G` wrote as .pub",
                   "no minisign public key: %s", err_text(err));
    return err == ERR_OK;
}

static bool key_of_site(struct verify *verify, struct minisign_key *ret)
{
    struct verify_reply reply;
    if (!get_document(verify, FOLDER "key.pub", LIMIT_PUBLIC_KEY, &reply))
        return false;
    bool good = parse_key(verify, reply.url, reply.body.data, reply.body.length, ret);
    verify_reply_done(&reply);
    return good;
}

static bool key_of_user(struct verify *verify, struct minisign_key *ret)
{
    struct buf file;
    const char *path = verify->options->key_file;
    bool good = file_read(path, LIMIT_PUBLIC_KEY, &file) &&
                parse_key(verify, path, file.data, file.length, ret);
    buf_done(&file);
    return good;
}

/* The key that was given counts; the site's must be the same. */
static bool find_key(struct verify *verify, struct minisign_key *ret)
{
    struct minisign_key site;
    char id[17];
    bool has_site = key_of_site(verify, &site);
    *ret = site;
    if (verify->options->key_file == NULL)
        return has_site;
    if (!key_of_user(verify, ret))
        return false;
    if (has_site && memcmp(ret, &site, sizeof site) != 0) {
        char *url = verify_url(verify, FOLDER "key.pub");
        minisign_id_text(site.id, id);
        verify_add(&verify->report, VERIFY_FAULT, "other-key", url,
                   "put the right public key there; if nobody of yours has changed it, somebody "
                   "else can write to the site",
                   "another key than %s: %s", verify->options->key_file, id);
        mem_free(url);
    }
    return true;
}

/* --- the release */

static bool get_parts(struct verify *verify)
{
    struct verify_reply json, signature;
    bool has_json = get_document(verify, FOLDER "release.json", LIMIT_RELEASE, &json);
    bool has_signature =
        get_document(verify, FOLDER "release.json.minisig", LIMIT_SIGNATURE, &signature);
    if (has_json) {
        buf_put(&verify->json, json.body.data, json.body.length);
        verify_reply_done(&json);
    }
    if (has_signature) {
        buf_put(&verify->signature, signature.body.data, signature.body.length);
        verify_reply_done(&signature);
    }
    return has_json && has_signature;
}

static const char *what_to_do(enum err err)
{
    switch (err) {
    case ERR_WRONG_KEY:
        return "key.pub and the signature must be from one key: upload key.pub, release.json and "
               "release.json.minisig of one `fringe publish`";
    case ERR_WRONG_SITE:
        return "publish with the --site that visitors see in their address bar";
    default:
        return "upload release.json and release.json.minisig of one `fringe publish`; with "
               "--unsigned, sign with the comment that it prints";
    }
}

static void look_at_dates(struct verify *verify, const char *url)
{
    uint64_t now = (uint64_t)time(NULL);
    const struct release *release = verify->release;
    if (release->expires <= now)
        verify_add(&verify->report, VERIFY_FAULT, "expired", url,
                   "publish again: hosts share nothing of it any more", "expired %llu days ago",
                   (unsigned long long)((now - release->expires) / DAY_S));
    else if (release->expires - now < SOON_DAYS * DAY_S)
        verify_add(&verify->report, VERIFY_WARNING, "expires-soon", url, "publish again before",
                   "expires in %llu days", (unsigned long long)((release->expires - now) / DAY_S));
    if (release->issued > now + DAY_S)
        verify_add(&verify->report, VERIFY_WARNING, "clock", url,
                   "set the clock of the machine that publishes, or of this one",
                   "issued %llu hours from now",
                   (unsigned long long)((release->issued - now) / 3600));
}

/* Of a web root nobody says which site it is for: the release itself does. */
static char *site_of_release(const struct verify *verify)
{
    struct release *release = NULL;
    struct reason reason;
    char *site = NULL;
    if (release_parse(verify->json.data, verify->json.length, &release, &reason) == ERR_OK)
        site = mem_strdup(release->site);
    release_free(release);
    return site;
}

bool verify_release(struct verify *verify)
{
    struct minisign_key key;
    struct reason reason;
    bool has_key = find_key(verify, &key);
    if (!get_parts(verify) || !has_key)
        return false;
    char *named = verify->on_disk && verify->options->site == NULL ? site_of_release(verify) : NULL;
    char *url = verify_url(verify, FOLDER "release.json");
    enum err err = release_verify(
        verify->json.data, verify->json.length, verify->signature.data, verify->signature.length,
        &key, named != NULL ? named : verify->site, 0, &verify->release, &reason);
    if (err != ERR_OK)
        verify_add(&verify->report, VERIFY_FAULT,
                   err == ERR_WRONG_KEY || err == ERR_BAD_SIGNATURE ? "signature" : "release", url,
                   what_to_do(err), "%s", reason.text);
    else
        look_at_dates(verify, url);
    if (named != NULL) {
        mem_free(verify->site);
        verify->site = named;
    }
    mem_free(url);
    return err == ERR_OK;
}

/* --- for Chromium */

static bool is_javascript(const char *type)
{
    static const char *const types[] = {"text/javascript", "application/javascript",
                                        "application/x-javascript", "text/ecmascript",
                                        "application/ecmascript"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcasecmp(type, types[i]) == 0)
            return true;
    }
    return false;
}

/* The line that differs from release to release. */
static struct span config_line(const struct buf *script)
{
    static const char start[] = "\nconst CONFIG = ";
    const uint8_t *at =
        script->length > 0 ? memmem(script->data, script->length, start, sizeof start - 1) : NULL;
    if (at == NULL)
        return (struct span){NULL, 0};
    size_t left = (size_t)(script->data + script->length - ++at);
    const uint8_t *end = memchr(at, '\n', left);
    return span_of(at, end != NULL ? (size_t)(end - at) : left);
}

static void look_at_worker(struct verify *verify, const struct verify_reply *reply)
{
    char type[LIMIT_MEDIA_TYPE + 1];
    struct buf want;
    verify_media_type(reply, type);
    if (!verify->on_disk && !is_javascript(type))
        verify_add(&verify->report, VERIFY_FAULT, "worker-type", reply->url,
                   "serve it as text/javascript: browsers refuse it otherwise", "Content-Type: %s",
                   type[0] != '\0' ? type : "(none)");
    buf_init(&want, MIB(1));
    publish_worker(verify->release, &want);
    struct span ours = config_line(&want), theirs = config_line(&reply->body);
    if (theirs.data == NULL)
        verify_add(&verify->report, VERIFY_FAULT, "worker", reply->url,
                   "upload the fringe-sw.js that `fringe publish` wrote; a worker of your own "
                   "begins with importScripts('/fringe-sw.js')",
                   "not the worker of Fringe");
    else if (!span_equal(ours, theirs))
        verify_add(&verify->report, VERIFY_FAULT, "worker-old", reply->url,
                   "upload the fringe-sw.js that was written with this release",
                   "it is of another release: %.*s",
                   (int)(theirs.length < 200 ? theirs.length : 200), (const char *)theirs.data);
    else if (want.length != reply->body.length ||
             memcmp(want.data, reply->body.data, want.length) != 0)
        verify_add(&verify->report, VERIFY_WARNING, "worker-version", reply->url,
                   "publish again with this version of Fringe, unless you have changed it yourself",
                   "another version of the worker than this program writes");
    buf_done(&want);
}

static void look_at_enter(struct verify *verify, const struct verify_reply *reply)
{
    char type[LIMIT_MEDIA_TYPE + 1];
    verify_media_type(reply, type);
    verify_policy(verify, reply, "");
    if (!verify->on_disk && strcasecmp(type, "text/html") != 0)
        verify_add(&verify->report, VERIFY_FAULT, "enter-type", reply->url, "serve it as text/html",
                   "Content-Type: %s", type[0] != '\0' ? type : "(none)");
    if (reply->body.length != site_enter_length() ||
        memcmp(reply->body.data, site_enter, site_enter_length()) != 0)
        verify_add(&verify->report, VERIFY_WARNING, "enter", reply->url,
                   "upload the enter.html that `fringe publish` wrote",
                   "another page than this program writes");
}

void verify_site_files(struct verify *verify)
{
    struct verify_reply reply;
    if (get_small(verify, "/fringe-sw.js", MIB(1), true, &reply)) {
        look_at_worker(verify, &reply);
        verify_reply_done(&reply);
    }
    if (get_small(verify, FOLDER "enter.html", MIB(1), false, &reply)) {
        look_at_enter(verify, &reply);
        verify_reply_done(&reply);
    }
}
