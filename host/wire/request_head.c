#include "wire/request_head.h"

#include <string.h>
#include <strings.h>

/*  method SP target SP "HTTP/1." ("0" | "1") CRLF
 *  *( name ":" blanks value blanks CRLF )
 *  CRLF */

static bool is_token_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!is_token_char(text.data[i]))
            return false;
    return text.length > 0;
}

static bool is_visible(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return text.length > 0;
}

/* A header's value: blanks may stand inside, controls may not. */
static bool is_value(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == 0x7f)
            return false;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct span trim(struct span text)
{
    while (text.length > 0 && is_blank(text.data[0]))
        text = span_of(text.data + 1, text.length - 1);
    while (text.length > 0 && is_blank(text.data[text.length - 1]))
        text.length--;
    return text;
}

static bool is_name(struct span name, const char *text)
{
    return name.length == strlen(text) &&
           strncasecmp((const char *)name.data, text, name.length) == 0;
}

/* Cuts *rest at the first `c`; false when there is none. */
static bool cut(struct span *rest, uint8_t c, struct span *ret_before)
{
    const uint8_t *at = rest->length == 0 ? NULL : memchr(rest->data, c, rest->length);

    if (at == NULL)
        return false;
    *ret_before = span_of(rest->data, (size_t)(at - rest->data));
    *rest = span_of(at + 1, rest->length - ret_before->length - 1);
    return true;
}

static enum err parse_line(struct span line, struct request_head *head)
{
    if (!cut(&line, ' ', &head->method) || !cut(&line, ' ', &head->target) ||
        !is_token(head->method) || !is_visible(head->target))
        return ERR_SYNTAX;
    if (line.length != 8 || memcmp(line.data, "HTTP/", 5) != 0)
        return ERR_SYNTAX;
    if (!span_is(line, "HTTP/1.1") && !span_is(line, "HTTP/1.0"))
        return ERR_UNSUPPORTED;
    head->keep_alive = line.data[7] == '1';
    return ERR_OK;
}

static enum err set_once(struct span value, struct span *ret)
{
    if (ret->data != NULL)
        return ERR_DUPLICATE;
    *ret = value;
    return ERR_OK;
}

static bool is_zero(struct span digits)
{
    return digits.length == 1 && digits.data[0] == '0';
}

/* Connection is a list. */
static bool asks_to_close(struct span list)
{
    struct span item;

    while (cut(&list, ',', &item))
        if (is_name(trim(item), "close"))
            return true;
    return is_name(trim(list), "close");
}

static enum err parse_header(struct span line, struct request_head *head)
{
    struct span name, value = line;

    if (!cut(&value, ':', &name) || !is_token(name))
        return ERR_SYNTAX;
    value = trim(value);
    if (!is_value(value))
        return ERR_SYNTAX;
    if (is_name(name, "Host"))
        return set_once(value, &head->host);
    if (is_name(name, "Range"))
        return set_once(value, &head->range);
    if (is_name(name, "Connection") && asks_to_close(value))
        head->keep_alive = false;
    if (is_name(name, "Transfer-Encoding") || (is_name(name, "Content-Length") && !is_zero(value)))
        head->has_body = true;
    return ERR_OK;
}

/* The next line without its CRLF. A line feed or a return elsewhere is a control and fails the
 * checks of whoever reads the line. */
static struct span take_line(struct span *rest)
{
    const uint8_t *end = memmem(rest->data, rest->length, "\r\n", 2);
    struct span line = span_of(rest->data, (size_t)(end - rest->data));

    *rest = span_of(end + 2, rest->length - line.length - 2);
    return line;
}

enum err request_head_parse(struct span data, struct request_head *ret_head, size_t *ret_used)
{
    const uint8_t *end = data.length == 0 ? NULL : memmem(data.data, data.length, "\r\n\r\n", 4);
    struct request_head head = {0};
    struct span rest, line;
    enum err err;

    if (end == NULL)
        return ERR_MORE;
    rest = span_of(data.data, (size_t)(end - data.data) + 2);
    err = parse_line(take_line(&rest), &head);
    while (err == ERR_OK && rest.length > 0) {
        line = take_line(&rest);
        err = parse_header(line, &head);
    }
    if (err != ERR_OK)
        return err;
    *ret_head = head;
    *ret_used = (size_t)(end - data.data) + 4;
    return ERR_OK;
}
