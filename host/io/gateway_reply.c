#include "io/gateway_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define ALWAYS "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 206:
        return "Partial Content";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 416:
        return "Range Not Satisfiable";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

static const char *connection(const struct conn *conn)
{
    return conn->keep_alive ? "" : "Connection: close\r\n";
}

static void head_written(struct conn *conn, int length)
{
    conn->head_length = (size_t)length;
    conn->head_sent = 0;
}

void reply_write_error(struct conn *conn, int status)
{
    head_written(conn, snprintf(conn->head, sizeof conn->head,
                                "HTTP/1.1 %d %s\r\n" ALWAYS "%s%sContent-Length: 0\r\n\r\n", status,
                                reason(status), status == 405 ? "Allow: GET, HEAD\r\n" : "",
                                connection(conn)));
}

/* Media types come from publishers: a line end in one would forge headers. */
static const char *safe_type(const char *type)
{
    const char *c = type;

    if (type == NULL || strlen(type) > LIMIT_MEDIA_TYPE)
        return "application/octet-stream";
    while (*c >= ' ' && *c <= '~')
        c++;
    return *c == '\0' ? type : "application/octet-stream";
}

/* Three numbers of at most 20 digits: fits into 128 bytes. */
static void write_range(char *out, size_t size, const struct gateway_head *head)
{
    out[0] = '\0';
    if (head->status == 206)
        snprintf(out, size, "Content-Range: bytes %llu-%llu/%llu\r\n",
                 (unsigned long long)head->first, (unsigned long long)head->end - 1,
                 (unsigned long long)head->length);
    else if (head->status == 416)
        snprintf(out, size, "Content-Range: bytes */%llu\r\n", (unsigned long long)head->length);
}

void reply_write_head(struct conn *conn, const struct gateway_head *head)
{
    uint64_t length = head->status == 416 ? 0 : head->end - head->first;
    char range[128], etag[128] = "";
    int written;

    assert(head->status == 416 || head->first <= head->end);
    write_range(range, sizeof range, head);
    if (head->etag != NULL && strspn(head->etag, "0123456789abcdef") == strlen(head->etag))
        snprintf(etag, sizeof etag, "ETag: \"%.64s\"\r\n", head->etag);
    written = snprintf(conn->head, sizeof conn->head,
                       "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %llu\r\n"
                       "Accept-Ranges: bytes\r\n%s%s" ALWAYS "%s\r\n",
                       head->status, reason(head->status), safe_type(head->content_type),
                       (unsigned long long)length, range, etag, connection(conn));
    head_written(conn, written); /* fits: every part is bounded */
}
