#include "wire/json.h"

#include "base/limits.h"
#include "wire/utf8.h"

#include <string.h>

/* jansson itself stops at a depth of 2048 only, and in recursion: counted before it starts. */
static bool too_deep(const char *text, size_t length)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '[') && ++depth > LIMIT_JSON_DEPTH)
            return true;
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return false;
}

enum err json_load_object(const void *data, size_t length, json_t **ret)
{
    json_error_t error;
    if (too_deep(data, length))
        return ERR_TOO_DEEP;
    json_t *root = json_loadb(data, length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        return json_error_code(&error) == json_error_duplicate_key ? ERR_DUPLICATE : ERR_SYNTAX;
    if (!json_is_object(root)) {
        json_decref(root);
        return ERR_SYNTAX;
    }
    *ret = root;
    return ERR_OK;
}

enum err json_get_integer(const json_t *object, const char *key, uint64_t min, uint64_t max,
                          uint64_t *ret)
{
    const json_t *member = json_object_get(object, key);
    if (member == NULL)
        return ERR_MISSING;
    if (!json_is_integer(member))
        return ERR_SYNTAX;
    json_int_t value = json_integer_value(member);
    if (value < 0 || (uint64_t)value < min || (uint64_t)value > max)
        return ERR_RANGE;
    *ret = (uint64_t)value;
    return ERR_OK;
}

enum err json_text_of(const json_t *value, size_t max, const char **ret)
{
    if (!json_is_string(value))
        return ERR_SYNTAX;
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    if (length > max)
        return ERR_TOO_LARGE;
    if (!utf8_printable(text, length))
        return ERR_SYNTAX;
    *ret = text;
    return ERR_OK;
}

enum err json_get_text(const json_t *object, const char *key, size_t max, const char **ret)
{
    const json_t *member = json_object_get(object, key);
    return member == NULL ? ERR_MISSING : json_text_of(member, max, ret);
}

static bool is_line_separator(const char *text, size_t step)
{
    return step == 3 && memcmp(text, "\xe2\x80", 2) == 0 && ((uint8_t)text[2] & 0xfe) == 0xa8;
}

static void put_character(struct buf *out, const char *text, size_t step)
{
    uint8_t c = (uint8_t)text[0];
    if (step == 0)
        buf_put_text(out, "\\ufffd");
    else if (is_line_separator(text, step))
        buf_printf(out, "\\u20%02x", (uint8_t)text[2] - 0x80);
    else if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f || c == '<')
        buf_printf(out, "\\u%04x", c);
    else
        buf_put(out, text, step);
}

void json_put_string(struct buf *out, const char *text)
{
    size_t length = strlen(text);
    buf_put_u8(out, '"');
    while (length > 0) {
        size_t step = utf8_sequence(text, length);
        put_character(out, text, step);
        step = step > 0 ? step : 1;
        text += step;
        length -= step;
    }
    buf_put_u8(out, '"');
}
