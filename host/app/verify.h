/* The parts of `fringe verify`. Layer: app.
 *
 *   verify_get      fetches as a stranger would, several at once; or reads from a web root
 *   verify_reply    what is wrong with any reply that is to be shared
 *   verify_release  the release, its signature and key, the worker, the enter page
 *   verify_page     a page's label and policy
 *   verify_catalog  of a large site: which bundles to look at
 *   verify_files    torrents, and the files piece by piece
 *   verify_reach    trackers and super-nodes
 *   verify_report   faults and warnings, for people and as JSON
 *
 * A fault is what costs visitors something; each is reported with what was seen and what to do. */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"
#include "wire/metainfo.h"
#include "wire/release.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#define VERIFY_PAGES 64

struct verify_options {
    const char *target; /* a URL or a folder */
    const char *pages[VERIFY_PAGES];
    size_t page_count;
    const char *key_file, *ca_file, *site;
    bool all, json;
};

/* --- report */

enum verify_level { VERIFY_WARNING, VERIFY_FAULT, VERIFY_LEVELS };

struct verify_finding {
    enum verify_level level;
    const char *code; /* a short name for scripts */
    char *url, *seen, *todo;
};

/* How often a code was found: of each only the first VERIFY_SHOWN are kept. */
#define VERIFY_SHOWN 5
#define VERIFY_CODES 64

struct verify_report {
    struct verify_finding *items;
    size_t count;
    size_t found[VERIFY_LEVELS];
    struct {
        const char *code;
        size_t count;
    } codes[VERIFY_CODES];
    size_t code_count;
};

/* todo is a text of its own; seen is formatted. code: a literal. */
void verify_add(struct verify_report *report, enum verify_level level, const char *code,
                const char *url, const char *todo, const char *seen, ...)
    __attribute__((format(printf, 6, 7)));
void verify_report_done(struct verify_report *report);

/* --- fetching */

struct verify_request {
    const char *path;     /* of the URL, or a whole URL for another server */
    const char *disk;     /* the same below a web root, as raw bytes; NULL: the path */
    uint64_t first, last; /* when has_range */
    bool has_range;
    bool is_worker; /* as a browser asks for a service worker */
    uint64_t max;   /* more is cut off, and reply.too_long set */
    void *tag;      /* the caller's */
};

struct verify_reply {
    const struct verify_request *request;
    const char *url;
    CURL *easy; /* for headers; NULL from a web root */
    long status;
    struct buf body;
    bool too_long;
    char error[CURL_ERROR_SIZE]; /* "" when a whole reply came */
};

struct verify;
/* The next request to make, or false when there is none. Its texts are copied. */
typedef bool (*verify_next)(struct verify *verify, void *user, struct verify_request *ret);
typedef void (*verify_got)(struct verify *verify, void *user, const struct verify_reply *reply);

struct verify {
    const struct verify_options *options;
    struct verify_report report;
    bool on_disk;
    char *site, *start; /* start: the path of the first page */
    CURLM *multi;
    struct curl_slist *headers, *worker_headers;
    unsigned lost;        /* requests without a reply, one after the other */
    const char *announce; /* the URL of the tracker that is asked now */
    bool gone;            /* the site does not answer any more */
    struct release *release;
    struct metainfo **torrents; /* a bundle each; NULL: unknown */
    struct buf json, signature;
    uint64_t files, checked_files, checked_bytes, requests;
};

bool verify_get_init(struct verify *verify);
void verify_get_done(struct verify *verify);
/* Until `next` has no more, or the site is gone. */
void verify_get_all(struct verify *verify, verify_next next, verify_got got, void *user);
/* One request; the caller reply_done's. False when nothing whole came: that is in the report. */
bool verify_get(struct verify *verify, const struct verify_request *request,
                struct verify_reply *ret);
void verify_reply_done(struct verify_reply *reply);
/* The value of a header, number `index` of several, or NULL. */
const char *verify_header(const struct verify_reply *reply, const char *name, size_t index);
/* The URL of a path, or the path of a file below the web root. Caller frees. */
char *verify_url(const struct verify *verify, const char *path);

/* --- what is looked at */

/* A reply that anybody may keep and give on: status, redirects, cookies, caching, encoding. False
 * when its body is not worth a look. */
bool verify_reply_is_good(struct verify *verify, const struct verify_reply *reply);
/* "text/html" of "Text/HTML; charset=x"; "" without one. */
void verify_media_type(const struct verify_reply *reply, char ret[LIMIT_MEDIA_TYPE + 1]);
bool verify_looks_like_html(const struct verify_reply *reply);
/* Content-Security-Policy that forbids the worker. */
void verify_policy(struct verify *verify, const struct verify_reply *reply,
                   const char *in_document);

/* False when there is no release to compare anything with. */
bool verify_release(struct verify *verify);
void verify_site_files(struct verify *verify); /* key.pub has been seen: worker, enter page */
void verify_pages(struct verify *verify);
void verify_catalog(struct verify *verify); /* before the files */
void verify_files(struct verify *verify);
void verify_reach(struct verify *verify);

/* Prints everything; answers the exit status. */
int verify_tell(const struct verify *verify);
int verify_tell_json(const struct verify *verify);
