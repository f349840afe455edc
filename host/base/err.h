/* Results. A function that can fail for a reason from outside returns `enum err`; ERR_OK is 0.
 * Layer: base. */
#pragma once

enum err {
    ERR_OK = 0,
    ERR_MORE,        /* not an error: the input ends in the middle, come back with more */
    ERR_TRUNCATED,   /* the input ends where it must not */
    ERR_SYNTAX,      /* not of the format at all */
    ERR_NONCANONICAL,/* of the format, but not in the one form that we accept */
    ERR_DUPLICATE,   /* a key or a name twice */
    ERR_TOO_LARGE,   /* over a cap in limits.h */
    ERR_TOO_DEEP,    /* nested over a cap in limits.h */
    ERR_RANGE,       /* a number outside its range */
    ERR_MISSING,     /* a required field is not there */
    ERR_UNSUPPORTED, /* a version or algorithm that we do not speak */
    ERR_BAD_NAME,    /* a file name or path that we refuse */
    ERR_BAD_URL,     /* not a site or URL that we accept */
    ERR_MISMATCH,    /* two things that must agree do not */
    ERR_BAD_HASH,    /* bytes do not have the hash they must have */
    ERR_BAD_SIGNATURE,
    ERR_WRONG_KEY,   /* signed, but by another key */
    ERR_WRONG_SITE,
    ERR_EXPIRED,
    ERR_ROLLBACK,    /* older than what we already have */
    ERR_NOT_FOUND,
    ERR_EXISTS,
    ERR_REFUSED,     /* the other side, or a rule, said no */
    ERR_TIMEOUT,
    ERR_CANCELLED,
    ERR_BUSY,        /* too many at once */
    ERR_NO_SPACE,
    ERR_QUOTA,       /* the visitor's limit for the cache leaves no room */
    ERR_READ_ONLY,   /* the disk, or what may be done with it */
    ERR_IO,          /* the system said no; errno is in the log */
    ERR_NETWORK,     /* no connection, or it broke */
    ERR_TLS,         /* the certificate or handshake is bad */
    ERR_STATUS,      /* an HTTP status other than what was needed */
    ERR_INTERNAL,
    ERR_COUNT_
};

/* A short lower-case name such as "bad-hash": for logs, traces and the API. */
const char *err_name(enum err err);

/* A sentence for people, without a full stop: "the bytes do not have the expected hash". */
const char *err_text(enum err err);
