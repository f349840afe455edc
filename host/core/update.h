/* What a node wants done: an ordered list of effects. Layer: core (pure).
 *
 * The adapter carries the effects out in order, then clears the update (which frees what it
 * still owns). Effects for one connection keep their order on the wire. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "core/event.h"
#include "wire/address.h"
#include "wire/metainfo.h"

enum effect_kind {
    EFFECT_ANSWER,       /* send `text`, one JSON object, to the client */
    EFFECT_STREAM_HEAD,  /* begin the gateway's answer */
    EFFECT_STREAM_READY, /* the file is verified and stored from stream.first up to stream.upto */
    EFFECT_STREAM_FAIL,  /* give the stream up with stream.status */
    EFFECT_DIAL,       /* `text`: empty, or a super-node's URL, NUL-terminated, in place of `to` */
    EFFECT_SEND,       /* `text`: bytes for a peer */
    EFFECT_SEND_BLOCK, /* `text`: the 13 bytes before a block; then the block from the store */
    EFFECT_CLOSE,
    EFFECT_HTTP_GET,
    EFFECT_HTTP_CANCEL,
    EFFECT_RECEIVE,       /* read from peers and of paced responses, or stop doing so */
    EFFECT_DATAGRAM,      /* `text`: the host's name or numeric address, NUL, the datagram */
    EFFECT_DATAGRAM_END,  /* nothing more is awaited */
    EFFECT_LSD_LISTEN,    /* to local discovery's groups, or no more */
    EFFECT_LSD_SEND,      /* `text` */
    EFFECT_SURROUNDINGS,  /* tell of them from now on, or no more; -> EVENT_SURROUNDINGS, soon */
    EFFECT_LOAD_TORRENT,  /* -> EVENT_TORRENT_LOADED */
    EFFECT_LOAD_CONTENT,  /* -> EVENT_CONTENT_LOADED; meta stays valid until then or a cancel */
    EFFECT_STORE_PIECE,   /* hash, compare, write, -> EVENT_PIECE_STORED */
    EFFECT_LOAD_LEAVES,   /* read a stored piece, hash its blocks, -> EVENT_LEAVES_LOADED */
    EFFECT_EXPECT_FILE,   /* it will be stored soon: room is kept, or -> EVENT_NO_ROOM */
    EFFECT_FILES_OLD,     /* `text`: their roots; no release has them any more, ... */
    EFFECT_FILES_CURRENT, /* ... but for those of this torrent */
    EFFECT_REBUILD,       /* a file from an old one and a patch, -> EVENT_REBUILT */
    EFFECT_SAVE_SITE,
    EFFECT_SAVE_SETTINGS,
    EFFECT_SAVE_TORRENT, /* `text`: the torrent's bytes */
    EFFECT_LOG,          /* `text`: a line for the log */
    EFFECT_TRANSFER,     /* `text`: for the visitor: the site, NUL, the URL's path, NUL */
    EFFECT_STOP,         /* end the daemon */
};

struct effect {
    enum effect_kind kind;
    struct buf text; /* owned by the update; what it holds depends on the kind */
    union {
        struct {
            uint64_t client;
            bool has_body;             /* the file's bytes, whole and verified, go with it */
            struct metainfo_file file; /* a copy (path and layer not valid) */
            uint32_t piece_length;
        } answer;
        struct {
            uint64_t stream;
            int status;                  /* 200, 206, 416; fail: 404, 403, 503 */
            uint64_t first, end, length; /* head: the body is [first, end) of length */
            uint64_t upto;               /* ready */
            struct metainfo_file file;   /* head: a copy (path and layer not valid) */
            uint32_t piece_length;
            const char *site; /* head: borrowed, as below */
        } stream;             /* head: `text` is the media type, NUL-terminated */
        struct {
            uint64_t conn;
            struct address to;         /* dial */
            bool public_only;          /* dial by URL: as for http */
            struct metainfo_file file; /* send block: a copy (path and layer not valid) */
            uint32_t piece_length;
            uint64_t offset;      /* in the file */
            uint32_t length, pad; /* real bytes, then zeros */
        } peer;
        struct {
            uint64_t op;
            bool has_range;
            uint64_t first, last, max;
            uint32_t timeout_ms; /* 0: none but the stall limit */
            bool public_only;    /* never to this machine or a private network */
            uint8_t family;      /* 4, 6: only over that; 0: either */
            bool paced;          /* the body heeds EFFECT_RECEIVE */
            size_t condition;    /* where in `text` an earlier answer's validator is; 0: none */
        } http;                  /* get: `text` is the URL, NUL-terminated */
        struct {
            uint64_t op; /* the same for all that goes to that host and port, and its answers */
            uint16_t port;
            bool public_only; /* as for http */
            uint8_t family;   /* as for http; 0: IPv4 where there is an address of it */
            size_t data;      /* where in `text` the datagram begins */
        } datagram;
        struct {
            bool on;        /* listen */
            uint8_t family; /* send */
        } lsd;
        bool surroundings_on;
        struct {
            uint64_t op;
            uint8_t infohash[HASH_LENGTH]; /* load torrent, save torrent */
            const char *site;              /* whose it is; borrowed from the node for the call */
            const struct metainfo *meta;   /* load content, files current */
            struct metainfo_file file;     /* of the piece: a copy (path and layer not valid) */
            uint32_t piece_length, piece;  /* store piece, load leaves: number within the file */
            uint8_t *data;                 /* store piece: owned until taken (set NULL) */
            uint32_t length;
            uint8_t expected[HASH_LENGTH];
        } store;
        struct {
            uint64_t op;
            struct metainfo_file old, patch, file; /* copies (path and layer not valid) */
            uint32_t old_piece_length, patch_piece_length, piece_length;
            const char *site; /* borrowed, as above */
        } rebuild;            /* `text`: the hashes of the file's pieces */
        struct {
            bool held;        /* all of it */
            bool bodies_held; /* paced responses, at least */
            uint32_t chunk;   /* bytes to take at a time; 0: as many as there are */
        } receive;
        struct {
            bool shared; /* given to another visitor */
            bool no_log; /* the visitor wants no line of it */
            enum source source;
            uint64_t bytes, size, seq; /* moved; of the file; of the release */
            size_t path;               /* where in `text` */
            struct address peer;       /* family 0: none, or gone */
        } transfer;
        struct settings_record settings;
        struct site_record site; /* borrowed from the node for the call */
        enum log_level level;
    };
};

struct update {
    struct effect **effects; /* each stays where it is until the update is cleared */
    size_t count, capacity, allocated;
};

void update_init(struct update *update);
void update_clear(struct update *update); /* keeps the memory */
void update_done(struct update *update);

/* A new effect at the end, zeroed but for its kind and an empty text with room for max bytes. */
struct effect *update_add(struct update *update, enum effect_kind kind, size_t text_max);
/* A file as an effect carries it: without the pointers into the torrent. */
struct metainfo_file update_file(const struct metainfo_file *file);
/* Where bytes for a peer go: the last effect when it is a send on the same connection, so that
 * one step makes one send. */
struct buf *update_send(struct update *update, uint64_t conn);
