/* io/ws: GET /metrics, for Prometheus. Who can connect to loopback may read it. */
#include "io/ws_private.h"

#include <string.h>

#define METRICS_MAX  MIB(1)
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static int begin(struct ws *ws, struct lws *wsi, struct ws_page *page, const char *path)
{
    uint8_t head[LWS_PRE + 512], *start = head + LWS_PRE, *at = start, *end = head + sizeof head;

    if (strcmp(path, "/metrics") != 0)
        return lws_return_http_status(wsi, HTTP_STATUS_NOT_FOUND, NULL) != 0 ||
               lws_http_transaction_completed(wsi);
    buf_init(&page->text, METRICS_MAX);
    for (int i = 0; i < LWS_PRE; i++)
        buf_put_u8(&page->text, 0);
    ws->events.metrics(ws->events.user, &page->text);
    if (lws_add_http_common_headers(wsi, HTTP_STATUS_OK, METRICS_TYPE, page->text.length - LWS_PRE,
                                    &at, end) != 0 ||
        lws_finalize_write_http_header(wsi, start, &at, end) != 0)
        return 1;
    page->begun = true;
    lws_callback_on_writable(wsi);
    return 0;
}

static int write_body(struct lws *wsi, struct ws_page *page)
{
    if (!page->begun)
        return 0;
    page->begun = false;
    int length = (int)(page->text.length - LWS_PRE);
    int written = lws_write(wsi, page->text.data + LWS_PRE, (size_t)length, LWS_WRITE_HTTP_FINAL);
    buf_done(&page->text);
    return written < length || lws_http_transaction_completed(wsi);
}

int ws_metrics_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                        size_t length)
{
    struct ws *ws = lws_context_user(lws_get_context(wsi));
    struct ws_page *page = user;

    (void)length;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return begin(ws, wsi, page, in);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return write_body(wsi, page);
    case LWS_CALLBACK_CLOSED_HTTP:
        if (page != NULL && page->begun)
            buf_done(&page->text);
        return 0;
    default:
        return 0;
    }
}
