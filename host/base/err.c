#include "base/err.h"

static const struct {
    const char *name, *text;
} table[ERR_COUNT_] = {
    [ERR_OK] = {"ok", "no error"},
    [ERR_MORE] = {"more", "more bytes are needed"},
    [ERR_TRUNCATED] = {"truncated", "the data ends too early"},
    [ERR_SYNTAX] = {"syntax", "the data is malformed"},
    [ERR_NONCANONICAL] = {"noncanonical", "the data is not in canonical form"},
    [ERR_DUPLICATE] = {"duplicate", "something is listed twice"},
    [ERR_TOO_LARGE] = {"too-large", "the data is over the limit"},
    [ERR_TOO_DEEP] = {"too-deep", "the data is nested too deeply"},
    [ERR_RANGE] = {"range", "a number is out of range"},
    [ERR_MISSING] = {"missing", "a required field is missing"},
    [ERR_UNSUPPORTED] = {"unsupported", "this version or algorithm is not supported"},
    [ERR_BAD_NAME] = {"bad-name", "a file name or path is not acceptable"},
    [ERR_BAD_URL] = {"bad-url", "not an acceptable site or URL"},
    [ERR_MISMATCH] = {"mismatch", "two things that must agree do not"},
    [ERR_BAD_HASH] = {"bad-hash", "the bytes do not have the expected hash"},
    [ERR_BAD_SIGNATURE] = {"bad-signature", "the signature is not valid"},
    [ERR_WRONG_KEY] = {"wrong-key", "it is signed by another key"},
    [ERR_WRONG_SITE] = {"wrong-site", "it belongs to another site"},
    [ERR_EXPIRED] = {"expired", "it has expired"},
    [ERR_ROLLBACK] = {"rollback", "it is older than what is already known"},
    [ERR_NOT_FOUND] = {"not-found", "there is no such thing"},
    [ERR_EXISTS] = {"exists", "it is already there"},
    [ERR_REFUSED] = {"refused", "the request was refused"},
    [ERR_TIMEOUT] = {"timeout", "no answer in time"},
    [ERR_CANCELLED] = {"cancelled", "it was cancelled"},
    [ERR_BUSY] = {"busy", "too many at once, try again later"},
    [ERR_NO_SPACE] = {"no-space", "no space left"},
    [ERR_QUOTA] = {"quota", "the quota of the cache leaves no room"},
    [ERR_READ_ONLY] = {"read-only", "the disk is read-only, or may not be written"},
    [ERR_IO] = {"io", "the system refused a file operation"},
    [ERR_NETWORK] = {"network", "the connection failed"},
    [ERR_TLS] = {"tls", "the certificate or TLS handshake is bad"},
    [ERR_STATUS] = {"status", "the server answered with an unexpected status"},
    [ERR_INTERNAL] = {"internal", "an internal error"},
};

const char *err_name(enum err err)
{
    if ((unsigned)err >= ERR_COUNT_)
        return "unknown";
    return table[err].name;
}

const char *err_text(enum err err)
{
    if ((unsigned)err >= ERR_COUNT_)
        return "an unknown error";
    return table[err].text;
}
