/* A small document over HTTP, collected whole. */
#include "core/node_impl.h"

#include <string.h>

void download_start(struct node *node, struct download *download, const char *url, size_t max,
                    uint32_t timeout_ms)
{
    buf_done(&download->body);
    buf_init(&download->body, max);
    download->op = node_op_begin(node, OP_DOWNLOAD, download);
    struct effect *effect = update_add(node->update, EFFECT_HTTP_GET, LIMIT_URL + 1024);
    effect->http.op = download->op;
    effect->http.max = max;
    effect->http.timeout_ms = timeout_ms;
    effect->http.public_only = download->public_only;
    effect->http.family = download->family;
    buf_put(&effect->text, url, strlen(url) + 1);
    download->max_age_s = 0;
    download->date_s = 0;
    if (!download->conditional || download->validator[0] == '\0')
        return;
    effect->http.condition = effect->text.length;
    buf_put(&effect->text, download->validator, strlen(download->validator) + 1);
}

void download_cancel(struct node *node, struct download *download)
{
    if (download->op == 0)
        return;
    struct effect *effect = update_add(node->update, EFFECT_HTTP_CANCEL, 0);
    effect->http.op = download->op;
    node_op_end(node, download->op);
    download->op = 0;
}

void download_done(struct download *download)
{
    buf_done(&download->body);
}

void download_head(struct download *download, const struct event *event)
{
    const char *validator = event->http.validator;

    download->max_age_s = event->http.max_age_s;
    download->date_s = event->http.date_s;
    if (event->http.status != 200)
        return;
    download->validator[0] = '\0';
    if (validator != NULL && strlen(validator) < sizeof download->validator)
        strcpy(download->validator, validator);
}

void download_body(struct node *node, struct download *download, const struct event *event)
{
    buf_put(&download->body, event->http.data.data, event->http.data.length);
    if (!download->body.failed)
        return;
    /* The adapter caps too; a body that slipped through is refused here. */
    download_cancel(node, download);
    download->done(download->owner, download, ERR_TOO_LARGE, 0, 0);
}

void download_finish(struct node *node, struct download *download, const struct event *event)
{
    enum err result = event->http.result;

    node_op_end(node, download->op);
    download->op = 0;
    if (result == ERR_OK && event->http.status != 200)
        result = ERR_STATUS;
    download->done(download->owner, download, result, event->http.status,
                   event->http.retry_after_s);
}
