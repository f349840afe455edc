/* The visitor's log of transfers: effects into it, pages of it to clients. */
#include "app/daemon_impl.h"
#include "base/log.h"

#include <time.h>

void daemon_log_open(struct daemon *daemon)
{
    if (daemon->options->supernode)
        return; /* it has metrics; its visitors' addresses are not kept */
    enum err err = transfer_log_open(daemon->options->data, LIMIT_LOG_LINES, &daemon->transfers);
    if (err != ERR_OK)
        log_warning("no log of transfers is kept: %s", err_text(err));
}

void daemon_log_transfer(struct daemon *daemon, const struct effect *effect)
{
    char peer[ADDRESS_TEXT] = "";

    if (daemon->transfers == NULL || effect->transfer.no_log)
        return;
    if (effect->transfer.peer.family != 0)
        address_format(&effect->transfer.peer, peer);
    struct transfer line = {.time = (uint64_t)time(NULL),
                            .kind = effect->transfer.shared
                                        ? TRANSFER_SHARED
                                        : (enum transfer_kind)effect->transfer.source,
                            .seq = effect->transfer.seq,
                            .bytes = effect->transfer.bytes,
                            .size = effect->transfer.size,
                            .site = (const char *)effect->text.data,
                            .path = (const char *)effect->text.data + effect->transfer.path,
                            .peer = peer};
    transfer_log_add(daemon->transfers, &line); /* what does not fit is not in the log */
    daemon_flush_soon(daemon);
}

void daemon_log_flush(struct daemon *daemon)
{
    enum err err = daemon->transfers != NULL ? transfer_log_flush(daemon->transfers) : ERR_OK;

    if (err != ERR_OK)
        log_warning("the log of transfers cannot be written: %s", err_text(err));
}

static void put_line(void *user, const struct transfer *line)
{
    struct api_answer *answer = user;

    api_answer_open_object(answer, NULL);
    api_answer_number(answer, "n", line->id);
    api_answer_number(answer, "time", line->time);
    api_answer_text(answer, "kind", transfer_kind_name(line->kind));
    api_answer_text(answer, "site", line->site);
    api_answer_text(answer, "path", line->path);
    api_answer_number(answer, "seq", line->seq);
    api_answer_number(answer, "bytes", line->bytes);
    api_answer_number(answer, "size", line->size);
    api_answer_text(answer, "peer", line->peer[0] != '\0' ? line->peer : NULL);
    api_answer_close(answer);
}

static enum err put_page(struct daemon *daemon, const struct api_request *request,
                         struct api_answer *answer)
{
    struct transfer_filter filter = {.site = request->site[0] != '\0' ? request->site : NULL,
                                     .kinds = request->kinds,
                                     .before = request->before,
                                     .limit = request->limit > 0 ? request->limit : 50};

    api_answer_open_array(answer, "lines");
    enum err err = transfer_log_each(daemon->transfers, &filter, put_line, answer);
    api_answer_close(answer);
    return err;
}

/* Why no log is kept; "": one is. */
static const char *why_none(const struct daemon *daemon)
{
    struct settings_record record = node_settings(daemon->node);

    if (daemon->options->supernode)
        return "supernode";
    if (record.settings[SETTING_NO_LOG] != 0)
        return "setting";
    return daemon->transfers != NULL ? "" : "disk";
}

void daemon_log_request(struct daemon *daemon, uint64_t client, const struct api_request *request)
{
    struct api_answer *answer = api_answer_begin(request->id);
    enum err err = ERR_OK;
    struct buf json;

    buf_init(&json, LIMIT_FRAME_OUT);
    api_answer_bool(answer, "kept", why_none(daemon)[0] == '\0');
    api_answer_text(answer, "why", why_none(daemon));
    if (daemon->transfers != NULL && request->type == API_LOG)
        err = put_page(daemon, request, answer);
    else if (daemon->transfers != NULL)
        err =
            transfer_log_clear(daemon->transfers, request->site[0] != '\0' ? request->site : NULL);
    api_answer_end(answer, &json);
    if (err != ERR_OK) {
        buf_clear(&json);
        api_answer_error(request->id, "failed", err_text(err), &json);
    }
    control_send(daemon->control, client, span_of(json.data, json.length));
    buf_done(&json);
}
