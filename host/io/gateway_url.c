#include "io/gateway_private.h"
#include "wire/url.h"

#include <string.h>

#define TOKEN   32
#define SEQ_MAX ((UINT64_C(1) << 53) - 1)

static bool take_slash(struct reader *in)
{
    return reader_u8(in) == '/';
}

static bool take_token(struct reader *in, char *ret_token)
{
    struct span token = reader_take(in, TOKEN);

    for (size_t i = 0; i < token.length; i++)
        if (memchr("0123456789abcdef", token.data[i], 16) == NULL)
            return false;
    if (token.length == 0)
        return false;
    memcpy(ret_token, token.data, TOKEN);
    ret_token[TOKEN] = '\0';
    return true;
}

/* 1 .. 2^53-1 in the one way to write it. */
static bool take_seq(struct reader *in, uint64_t *ret_seq)
{
    uint64_t seq = 0;

    while (in->at < in->end && *in->at >= '0' && *in->at <= '9' && seq <= SEQ_MAX) {
        if (seq == 0 && *in->at == '0')
            return false;
        seq = seq * 10 + (uint64_t)(*in->at++ - '0');
    }
    *ret_seq = seq;
    return seq > 0 && seq <= SEQ_MAX;
}

/* "/" token "/" seq path. The path is looked at by the rules of an asset's path and handed on
 * as it came. */
bool gateway_url_parse(struct span target, struct gateway_url *ret_url)
{
    char decoded[LIMIT_PATH + 1];
    struct reader in;
    size_t length;

    reader_init(&in, target.data, target.length);
    if (!take_slash(&in) || !take_token(&in, ret_url->token) || !take_slash(&in) ||
        !take_seq(&in, &ret_url->seq))
        return false;
    length = reader_left(&in);
    if (length > LIMIT_PATH || path_decode((const char *)in.at, length, decoded) != ERR_OK)
        return false;
    memcpy(ret_url->path, in.at, length);
    ret_url->path[length] = '\0';
    return true;
}
