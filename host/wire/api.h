/* The native API's messages as structs (host/PROTOCOL.md 2). Layer: wire (pure). JSON goes in
 * and out here and nowhere else; the caller adds the frame. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

enum zone { ZONE_OFF, ZONE_FETCH, ZONE_SHARE, ZONE_DEFAULT };
const char *zone_name(enum zone zone);
bool zone_parse(const char *text, enum zone *ret);

enum api_type {
    API_HELLO,
    API_SITE_OPEN,
    API_ASSET_WANT,
    API_DOC_CLOSE,
    API_SITE_STATUS,
    API_SITE_ZONE,
    API_SITES,
    API_STATUS,
    API_STOP,
    API_SETTINGS,
    API_PAUSE,
    API_RESUME,
    API_LOG,
    API_LOG_CLEAR,
    API_CACHE,
    API_CACHE_CLEAR,
    API_CACHE_KEEP,
    API_CACHE_QUOTA,
    API_TYPE_COUNT_
};

/* Where bytes came from. */
enum source { SOURCE_CACHE, SOURCE_PEERS, SOURCE_SUPERNODE, SOURCE_ORIGIN, SOURCE_COUNT_ };
const char *source_name(enum source source);

/* A line of the log of transfers: by its source, or TRANSFER_SHARED, given to another visitor. */
enum transfer_kind {
    TRANSFER_CACHE, /* as enum source */
    TRANSFER_PEERS,
    TRANSFER_SUPERNODE,
    TRANSFER_ORIGIN,
    TRANSFER_SHARED,
    TRANSFER_KIND_COUNT_
};
const char *transfer_kind_name(enum transfer_kind kind);
/* A bit (1 << kind) for each kind that the word stands for: a kind's name, or "fetched". */
bool transfer_kinds_parse(const char *text, unsigned *ret);

/* What the visitor may set, by name: bytes a second, bytes a month, places; 0: no limit. */
enum setting {
    SETTING_UPLOAD_RATE,
    SETTING_DOWNLOAD_RATE,
    SETTING_MONTHLY_CAP,
    SETTING_SLOTS,
    SETTING_LOCAL_DISCOVERY, /* 1: yes */
    SETTING_NO_LOG,          /* 1: no log of transfers is kept */
    SETTING_UNMETERED_ONLY,  /* 1: nothing is given over a metered network */
    SETTING_MAINS_ONLY,      /* 1: nor on battery */
    SETTING_DEFAULT_ZONE, /* of sites without a choice: enum zone + 1; 0: as the host was started */
    SETTING_CACHE_QUOTA,  /* bytes; 0: as the disk suggests */
    SETTING_COUNT_
};
const char *setting_name(enum setting setting);
/* ERR_RANGE: no such value. */
enum err setting_check(enum setting setting, uint64_t value);

struct api_request {
    uint64_t id;
    enum api_type type;
    uint32_t api;   /* hello */
    bool extension; /* hello: client is "extension" */
    enum zone zone; /* site.zone */
    uint64_t seq;
    bool given[SETTING_COUNT_]; /* settings: which are to be changed */
    uint64_t settings[SETTING_COUNT_];
    uint64_t before, limit;    /* log: 0: from the newest; as many as are given at once */
    unsigned kinds;            /* log: a bit each; 0: all */
    bool keep;                 /* cache.keep */
    uint64_t quota;            /* cache.quota: of the site; 0: none of its own */
    uint64_t minutes;          /* pause; 0: until resumed */
    uint64_t inline_max;       /* asset.want: so long a file may come with the answer; 0: none */
    char site[LIMIT_SITE + 1]; /* canonical, checked */
    char path[LIMIT_PATH + 1]; /* as sent, begins with '/'; path_decode it */
    char doc[LIMIT_DOC_ID + 1];
};

/* ERR_SYNTAX etc. with a code of PROTOCOL.md in *ret_code ("bad-request", "unknown-type", ..);
 * ret->id is 0 when even the id could not be read (then the connection ends). */
enum err api_request_parse(struct span json, struct api_request *ret, const char **ret_code);
/* The same for clients: the request as JSON. */
void api_request_write(const struct api_request *request, struct buf *out);

/* Answers are built with a small writer: open with api_answer_begin, add fields,
 * close with api_answer_end. */
struct api_answer;
struct api_answer *api_answer_begin(uint64_t id);
void api_answer_text(struct api_answer *answer, const char *key,
                     const char *value); /* NULL: null */
void api_answer_number(struct api_answer *answer, const char *key, uint64_t value);
void api_answer_bool(struct api_answer *answer, const char *key, bool value);
void api_answer_open_object(struct api_answer *answer,
                            const char *key); /* key NULL inside arrays */
void api_answer_open_array(struct api_answer *answer, const char *key);
void api_answer_item_text(struct api_answer *answer, const char *value); /* array item */
void api_answer_close(struct api_answer *answer); /* the innermost object or array */
/* Appends the JSON and frees. An answer longer than LIMIT_FRAME_OUT becomes the error "too-many",
 * such an event nothing. */
void api_answer_end(struct api_answer *answer, struct buf *out);
void api_answer_error(uint64_t id, const char *code, const char *text, struct buf *out);
struct api_answer *api_event_begin(const char *event);
