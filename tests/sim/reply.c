/* What a server answers, with the faults that a test has asked for. */
#include "transfer.h"
#include "visitor.h"

#include <string.h>

uint64_t reply_limit(const struct transfer *transfer)
{
    const struct fault *fault = &transfer->fault;
    uint64_t end = fault->endless ? SERVER_NEVER : transfer->body_end - transfer->body_first;

    if (fault->stall_at < end)
        end = fault->stall_at;
    return fault->cut_at < end ? fault->cut_at : end;
}

void reply_read(struct transfer *transfer, uint64_t at, uint8_t *data, size_t length)
{
    struct resource *resource = transfer_resource(transfer);
    const uint8_t *from = transfer->own_body.data;
    size_t have = transfer->own_body.length;

    if (resource != NULL && from == NULL) {
        from = resource->data;
        have = resource->length;
    }
    for (size_t i = 0; i < length; i++)
        data[i] = at + i < have ? from[at + i] : ' ';
    if (transfer->fault.flip_at >= at && transfer->fault.flip_at - at < length)
        data[transfer->fault.flip_at - at] ^= 1;
}

static struct fault use_fault(struct server *server, struct resource *resource)
{
    struct fault *fault = resource != NULL ? &resource->fault : &server->fault;
    struct fault none = FAULT_NONE;

    if (resource != NULL && memcmp(fault, &none, sizeof none) == 0)
        fault = &server->fault;
    struct fault used = *fault;
    if (fault->times > 0 && --fault->times == 0)
        *fault = none;
    return used;
}

static void set_error(struct transfer *transfer, int status)
{
    transfer->status = status;
    buf_put_text(&transfer->own_body, "<html>not here</html>");
    transfer->body_end = transfer->own_body.length;
}

static void set_range(struct transfer *transfer, uint64_t length)
{
    transfer->status = 200;
    transfer->body_end = length;
    if (transfer->fault.ignore_range || (!transfer->has_range && !transfer->fault.other_range))
        return;
    if (!transfer->has_range)
        transfer->last = length - 1;
    if (transfer->first >= length) {
        set_error(transfer, 416);
        return;
    }
    transfer->status = 206;
    transfer->partial = true;
    transfer->first += transfer->fault.other_range;
    transfer->body_first = transfer->first;
    if (transfer->last < length)
        transfer->body_end = transfer->last + 1;
}

void reply_decide(struct transfer *transfer)
{
    struct server *server = transfer->server;
    struct resource *resource = transfer_resource(transfer);

    server->requests++;
    if (resource != NULL)
        resource->requests++;
    transfer->fault = use_fault(server, resource);
    transfer->retry_after_s = transfer->fault.retry_after_s;
    if (transfer->fault.status != 0) {
        set_error(transfer, transfer->fault.status);
    } else if (server->handle != NULL) {
        struct visitor *visitor = visitor_find(transfer->world, transfer->visitor);
        transfer->status = server->handle(server, visitor, transfer->path, &transfer->own_body);
        transfer->body_end = transfer->own_body.length;
    } else if (resource == NULL) {
        set_error(transfer, 404);
    } else if (transfer->condition != NULL &&
               strcmp(transfer->condition, resource->validator) == 0) {
        resource->unchanged++;
        transfer->status = 304;
    } else {
        set_range(transfer, resource->length);
    }
}
