/* Every cap on what comes from outside, in one table. A cap is named after what it bounds; its
 * comment says who can reach it. Sizes are bytes unless the name says otherwise. Layer: base. */
#pragma once

#define KIB(n) ((n)*1024u)
#define MIB(n) ((n)*1024u * 1024u)

/* --- formats (a site, a publisher, a peer) */
#define LIMIT_BENCODE_DEPTH       64
#define LIMIT_JSON_DEPTH          16
#define LIMIT_RELEASE             KIB(64)
#define LIMIT_SIGNATURE           KIB(12)  /* .minisig: two comments and two base64 lines */
#define LIMIT_PUBLIC_KEY          KIB(2)
#define LIMIT_TORRENT             MIB(64)  /* metainfo with piece layers */
#define LIMIT_TORRENT_FILES       1000000u /* in one bundle */
#define LIMIT_TORRENT_PIECES      (KIB(256) * 8) /* so that a bitfield is one message */
#define LIMIT_TORRENT_PATHS       MIB(128)       /* all paths of one bundle together */
#define LIMIT_PATH                2048     /* of a URL or of a file in a bundle */
#define LIMIT_PATH_DEPTH          48
#define LIMIT_FILE_LENGTH         (1ull << 40)
#define LIMIT_SITE                280      /* "https://" + host name + ":port" */
#define LIMIT_URL                 2400
#define LIMIT_VERSION_TEXT        64
#define LIMIT_BUNDLES             64
#define LIMIT_CATALOG_FILES       100000000
#define LIMIT_CATALOG_SWARMS      256   /* of one release in use at a time, ... */
#define LIMIT_CATALOG_SWARMS_SERVED 4096 /* ... at a super-node */
#define LIMIT_CATALOG_PAGE        KIB(64) /* of a list of bundles in pages */
#define LIMIT_RELEASE_HEADERS     16
#define LIMIT_RELEASE_TYPES       64
#define LIMIT_HEADER_VALUE        1024
#define LIMIT_MEDIA_TYPE          128
#define LIMIT_TRACKERS            16
#define LIMIT_SUPERNODES          16
#define LIMIT_PIECE_LENGTH        MIB(16)
#define BLOCK_LENGTH              KIB(16) /* BEP 3, BEP 52: the unit of requests and leaves */

/* --- patches (a site): an old file, a new one and a patch are read and rebuilt in memory */
#define LIMIT_DELTA_MIN           KIB(64)  /* files up to that have none */
#define LIMIT_DELTA_FILE          MIB(128) /* nor have longer ones: zstd's largest window there */
#define LIMIT_DELTA_EACH          16       /* patches of one file that are looked at */

/* --- native messaging and the control socket (a browser, a local program) */
#define LIMIT_FRAME_IN            KIB(64) /* to the daemon */
#define LIMIT_FRAME_OUT           MIB(1)  /* from it: the browsers' own limit */
#define LIMIT_BATCH               64       /* messages in one frame */
#define LIMIT_BATCH_OUT           KIB(256) /* answers in one frame, unless one alone is longer */
#define LIMIT_CONTROL_CLIENTS     64
#define LIMIT_CONTROL_QUEUE       MIB(4)  /* unsent answers of one client before it is dropped */
#define LIMIT_INLINE              KIB(16) /* a file that may come with its answer */
#define LIMIT_WANTS_WAITING       4096    /* unanswered at once, for one site */
#define LIMIT_NATIVE_MANIFEST     KIB(64) /* a file that tells a browser where the host is */
#define LIMIT_MANIFEST_PATH       4096
#define LIMIT_DOCTOR_LINES        256     /* of a report */
#define LIMIT_DOC_ID              64
#define LIMIT_DOCS                1024    /* page counters kept */
#define LIMIT_DOC_FILES           8192    /* files counted a page */

/* --- the gateway (anything on this machine that can connect to loopback) */
#define LIMIT_GATEWAY_CONNECTIONS 512
#define LIMIT_GATEWAY_HEADERS     KIB(8)
#define LIMIT_GATEWAY_HEAD_MS     10000   /* from the first byte of a request's head to its last */
#define LIMIT_GATEWAY_IDLE_MS     60000   /* between requests */
#define LIMIT_GATEWAY_STALL_MS    300000  /* a client that reads nothing: a paused video does */

/* --- peers (anyone on the network) */
#define LIMIT_PEER_MESSAGE        (KIB(16) * 16 + 64) /* hashes (8192 * 32) is the largest */
#define LIMIT_PEER_REQUEST        BLOCK_LENGTH        /* as libtorrent: longer is refused */
#define LIMIT_PEER_REQUESTS_IN    512     /* queued from one peer; more are refused */
#define LIMIT_PEER_EXTENDED       (LIMIT_RELEASE + LIMIT_SIGNATURE + KIB(1)) /* BEP 10 payload:
                                           * fringe_release with a whole release is the largest */
#define LIMIT_LISTEN              4       /* addresses to listen on (the visitor sets them) */
#define LIMIT_PEERS               200     /* all swarms */
#define LIMIT_PEERS_PER_SWARM     50
#define LIMIT_PEERS_PER_ADDRESS   8
#define LIMIT_PEER_CANDIDATES     512     /* addresses known but not connected, a swarm */
#define LIMIT_PEER_SEND_QUEUE     MIB(4)
#define LIMIT_HASHES_COUNT        8192
#define LIMIT_HASH_WORK           65536   /* for one peer at once; a unit is about a microsecond */
#define LIMIT_HASH_WORK_S         8192    /* what it gets back in a second */
#define LIMIT_HASH_READS          4       /* pieces read and hashed at once for one peer */
#define LIMIT_METADATA_QUEUE      64      /* requests of one peer that wait for the store */
#define LIMIT_METADATA_S          8       /* pieces of `info` a second for one peer; at once: all
                                           * of it twice, and these for four seconds */
#define LIMIT_METADATA            LIMIT_TORRENT /* BEP 9: an info dictionary from a peer */
#define LIMIT_PEX_PEERS           50      /* added, and as many dropped, in one message */
#define LIMIT_PEX_FROM_PEER       100     /* candidates known from one peer */
#define LIMIT_CLAIM_EXTENTS       32      /* in one fringe_claim */
#define LIMIT_CLAIM_PIECES        64      /* of one extent */
#define LIMIT_CLAIM_MS            60000   /* how long a claim may want to live */
#define LIMIT_CLAIM_HOPS          4       /* how often a claim is passed on */
#define LIMIT_CLAIMS              64      /* live pieces that one claimer may have, in one swarm */
#define LIMIT_CLAIMERS            2048    /* whose serials are kept, in one swarm */
#define LIMIT_CLAIM_BURST         1024    /* fringe_claim messages from one neighbour at once, ... */
#define LIMIT_CLAIM_RATE          256     /* ... and then so many a second */
#define LIMIT_ALLOWED_FAST        16      /* pieces that a peer lets us ask for while it chokes */
#define LIMIT_SUGGESTED           16      /* pieces that a peer suggests: the newest count */
#define LIMIT_BLAME_CASES         16      /* bad pieces whose culprit is not known yet, a swarm */
#define LIMIT_STRIKES             4096    /* names of who did wrong, kept for an hour or so */
#define LIMIT_CHATTER             2048    /* messages of one peer that lead to nothing, at once */
#define LIMIT_CHATTER_S           64      /* and for ever, a second */
#define LIMIT_HANDSHAKE_MS        10000
#define LIMIT_PEER_IDLE_MS        240000  /* no byte at all: keep-alives come every 120 s */
#define LIMIT_DIAL_MS             5000

/* --- a super-node (its visitors) */
#define LIMIT_SUPERNODE_SITES     16
#define LIMIT_SUPERNODE_PEERS     65536   /* places, at the most; --connections says how many */
#define LIMIT_SUPERNODE_ADDRESS   64      /* of them for one address: a company, a provider's NAT */
#define LIMIT_SUPERNODE_QUEUE     MIB(64) /* unsent bytes over all of them; then a block each */
#define LIMIT_SUPERNODE_FILES     128     /* fetched from the site, or waiting for that */
#define LIMIT_SUPERNODE_STALL_MS  30000   /* a visitor that takes nothing of what it asked for */

/* --- origin, tracker (a web server) */
#define LIMIT_HTTP_HEADERS        KIB(64)
#define LIMIT_VALIDATOR           160     /* an ETag or a date, as a header to ask with again */
#define LIMIT_TRACKER_REPLY       KIB(256)
#define LIMIT_TRACKER_PEERS       200
#define LIMIT_SWARM_SIZE          1000000 /* that a tracker is believed */
#define LIMIT_UDP_TRACKER_REPLY   KIB(4)  /* a datagram: 200 IPv6 peers and the head */
#define LIMIT_LSD_MESSAGE         1400    /* BEP 14: a multicast datagram on the LAN */
#define LIMIT_LSD_HASHES          24      /* Infohash lines in one: more do not fit */
#define LIMIT_LSD_COOKIE          32
#define LIMIT_ORIGIN_CONNECTIONS  2       /* at once to one origin */
#define LIMIT_CHANGED_FILES       256     /* that a site's server has otherwise, of one bundle */
#define LIMIT_HTTP_CONNECT_MS     10000
#define LIMIT_HTTP_STALL_MS       15000   /* no byte of a body for so long */

/* --- fair use (the visitor sets it) */
#define LIMIT_RATE_MIN            8000u     /* bytes a second: below it a block takes too long */
#define LIMIT_RATE_MAX            1000000000000ull
#define LIMIT_PAUSE_MINUTES       10080u    /* a week; longer is until resumed */

/* --- the system bus (any program of this computer may send us what it likes) */
#define LIMIT_BUS_AT_ONCE         KIB(256) /* bytes; far more than the two services ever say */
#define LIMIT_BUS_S               KIB(8)   /* and for ever, a second */
#define LIMIT_BUS_MS              10000    /* for an answer */

/* --- the home router (whoever answers in its place on the LAN) */
#define LIMIT_ROUTER_URL          256     /* of a UPnP device */
#define LIMIT_ROUTER_DEVICES      8       /* UPnP devices that are looked at */
#define LIMIT_ROUTER_MEMORY       MIB(32) /* libminiupnpc knows no limit for a reply */
#define LIMIT_ROUTER_ANSWER       KIB(1)  /* what the process that asks may print */
#define LIMIT_ROUTER_ASK_MS       20000
#define LIMIT_ROUTER_REMOVE_MS    3000    /* the daemon's end waits for it */
#define LIMIT_ROUTER_LEASE_MIN_S  120     /* so that nobody makes us ask more often */
#define LIMIT_ROUTER_LEASE_MAX_S  86400   /* a longer one is renewed as if it were this */

/* --- the visitor's machine */
#define LIMIT_SITES               4096
#define LIMIT_LOG_LINES           20000   /* of transfers; the oldest go */
#define LIMIT_LOG_BATCH           128     /* lines in memory before they are written */
#define LIMIT_LOG_PAGE            200     /* lines that are read at once */
#define LIMIT_LOG_PEER            64      /* an address with its port */
#define LIMIT_CACHE_SITES         4096    /* in the answer to `cache`, the largest first */
#define LIMIT_QUOTA_MIN           1000000u /* of the cache: less would hold nothing */
