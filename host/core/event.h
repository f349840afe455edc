/* What happens to a node: everything that the core ever learns. Layer: core (pure).
 *
 * All pointers are borrowed for the step. Numbers: a `client`, `stream` and accepted `conn` is
 * named by the adapter that made it; a dialled `conn` and every `op` by the node. An event for a
 * number that the node no longer knows is ignored: the thing was given up meanwhile. */
#pragma once

#include "base/bitfield.h"
#include "base/bytes.h"
#include "base/err.h"
#include "wire/address.h"
#include "wire/api.h"
#include "wire/minisign.h"

#include <stdbool.h>
#include <stdint.h>

/* What is remembered of a site between runs. */
struct site_record {
    const char *site;
    enum zone zone;                 /* ZONE_DEFAULT: never chosen */
    bool has_key, blocked;          /* blocked: the site has shown another key since */
    struct minisign_key key;        /* pinned at first use */
    uint64_t seq;                   /* highest accepted; 0: none */
    struct span release, signature; /* the current release's exact bytes; length 0: none */
};

/* What was moved for pages, by where it came from, and what was given to others. */
struct byte_totals {
    uint64_t bytes[SOURCE_COUNT_], uploaded;
};

/* The visitor's limits, and what must be remembered for them between runs. */
struct settings_record {
    uint64_t settings[SETTING_COUNT_];
    uint64_t month, month_bytes; /* blocks given away in that month: 12 x year + month - 1 */
    uint64_t paused_until_s;     /* 0: not paused; UINT64_MAX: until resumed */
    struct byte_totals ever;     /* in all runs */
};

/* What the system says about the network and the power here. */
enum said { SAID_NOTHING, SAID_NO, SAID_YES };
struct surroundings {
    enum said metered, on_battery;
};

/* What a connection is, in its number: accepted by us; over a WebSocket (PROTOCOL.md 4.9). */
#define CONN_ACCEPTED  (UINT64_C(1) << 63)
#define CONN_WEBSOCKET (UINT64_C(1) << 62)

enum event_kind {
    EVENT_TICK,     /* time has passed */
    EVENT_SETTINGS, /* at start: the settings from the store, before any site */
    EVENT_RESTORED, /* at start: a site from the store */
    EVENT_REQUEST,  /* a client asks */
    EVENT_CLIENT_CLOSED,
    EVENT_STREAM_OPENED, /* the gateway has a request */
    EVENT_STREAM_CLOSED, /* its client has everything, or is gone */
    EVENT_PEER_OPENED,   /* a dial worked, or a stranger connected */
    EVENT_PEER_BYTES,
    EVENT_PEER_SENT,   /* the send queue has shrunk */
    EVENT_PEER_CLOSED, /* or the dial failed */
    EVENT_HTTP_HEAD,
    EVENT_HTTP_BODY,
    EVENT_HTTP_DONE,
    EVENT_DATAGRAM,       /* from the one that an op sends to, or that cannot be reached */
    EVENT_LSD_HEARD,      /* somebody on our own network shares something (BEP 14) */
    EVENT_SURROUNDINGS,   /* after EFFECT_SURROUNDINGS: how it is, and whenever that changes */
    EVENT_TORRENT_LOADED, /* ERR_NOT_FOUND: not in the store */
    EVENT_CONTENT_LOADED, /* which pieces of a torrent are in the store */
    EVENT_PIECE_STORED,   /* ERR_OK: verified and written; ERR_BAD_HASH; or why it cannot
                             be written: ERR_NO_SPACE; ERR_READ_ONLY; ERR_IO */
    EVENT_LEAVES_LOADED,  /* ERR_OK; ERR_BAD_HASH: the piece is damaged; ERR_IO */
    EVENT_REBUILT,     /* ERR_OK: verified and written; ERR_NOT_FOUND: the old file or the patch is
                          not what was stored; ERR_NO_SPACE, ERR_IO, ERR_BUSY; else the patch is
                          no good */
    EVENT_STORE,       /* can anything be written to it? ERR_OK: yes; else why not */
    EVENT_NETWORK,     /* there is one, or there is none any more */
    EVENT_FILE_LOST,   /* the store found that its content is not what was stored */
    EVENT_NO_ROOM,     /* the cache has none for this file: ERR_QUOTA, ERR_NO_SPACE */
    EVENT_FILE_GONE,   /* the cache has let it go */
    EVENT_PORT_MAPPED, /* what the home router says about the peers' port has changed */
};

struct event {
    enum event_kind kind;
    uint64_t now_ms; /* monotonic */
    uint64_t wall_s; /* seconds since 1970, for `expires` and the month */
    union {
        const struct settings_record *settings;
        const struct site_record *restored;
        struct {
            uint64_t client;
            const struct api_request *request; /* NULL for EVENT_CLIENT_CLOSED */
        } client;
        struct {
            uint64_t stream, seq;
            const char *token, *path, *range; /* range may be NULL */
            bool head_only;
        } stream;
        struct {
            uint64_t conn;
            struct address remote; /* opened */
            struct span data;      /* bytes */
            size_t queued;         /* sent: what the system has not taken yet */
            bool has_backlog;
            size_t backlog; /* sent: of what the system has taken, waits in front of the uplink */
            enum err why;   /* closed */
        } peer;
        struct {
            uint64_t op;
            int status;                          /* head, done */
            bool has_length, has_range;          /* head */
            uint64_t length, first, last, total; /* head; total UINT64_MAX: unknown */
            const char *validator;               /* head: for asking again; NULL: none */
            uint32_t max_age_s;                  /* head; 0: not said */
            uint64_t date_s;                     /* head: the server's clock; 0: not said */
            struct span data;                    /* body */
            enum err result;                     /* done: ERR_OK for any complete response */
            uint32_t retry_after_s;              /* done; 0: not said */
        } http;
        struct {
            uint64_t op;
            enum err result; /* ERR_OK: data came; else it cannot be sent, and the op is over */
            struct address from;
            struct span data;
        } datagram;
        struct {
            struct address from;
            struct span data;
        } lsd;
        struct {
            uint64_t op;
            enum err result;
            struct span torrent; /* EVENT_TORRENT_LOADED */
            const struct bitfield
                *have; /* EVENT_CONTENT_LOADED; EVENT_REBUILT: written pieces of the file */
            struct span leaves;  /* EVENT_LEAVES_LOADED; of a piece with ERR_BAD_HASH */
            struct span data;    /* that piece's bytes */
            const uint8_t *root; /* EVENT_FILE_LOST, EVENT_FILE_GONE, EVENT_NO_ROOM */
        } store;
        bool online;
        struct surroundings surroundings;
        struct {
            struct address external;    /* where the internet reaches us; port 0: nowhere */
            const char *state, *method; /* for status; static text */
        } mapping;
    };
};
