/* A small queue of block requests: almost always used first in, first out. */
#include "base/mem.h"
#include "core/peer.h"

#include <string.h>

struct peer_request *request_queue_at(const struct request_queue *queue, uint32_t place)
{
    return &queue->items[queue->first + place];
}

static void make_room(struct request_queue *queue)
{
    if (queue->first + queue->count < queue->capacity)
        return;
    if (queue->first > 0 && queue->first >= queue->capacity / 2) {
        memmove(queue->items, queue->items + queue->first, queue->count * sizeof *queue->items);
        queue->first = 0;
        return;
    }
    queue->capacity = queue->capacity > 0 ? 2 * queue->capacity : 16;
    queue->items = mem_realloc(queue->items, queue->capacity * sizeof *queue->items);
}

void request_queue_push(struct request_queue *queue, const struct peer_request *request)
{
    make_room(queue);
    *request_queue_at(queue, queue->count++) = *request;
}

uint32_t request_queue_find(const struct request_queue *queue, uint32_t piece, uint32_t begin)
{
    for (uint32_t i = 0; i < queue->count; i++) {
        const struct peer_request *request = request_queue_at(queue, i);
        if (request->piece == piece && request->begin == begin)
            return i;
    }
    return UINT32_MAX;
}

struct peer_request request_queue_remove(struct request_queue *queue, uint32_t place)
{
    struct peer_request removed = *request_queue_at(queue, place);

    if (place == 0)
        queue->first++;
    else
        memmove(request_queue_at(queue, place), request_queue_at(queue, place + 1),
                (queue->count - place - 1) * sizeof *queue->items);
    if (--queue->count == 0)
        queue->first = 0;
    return removed;
}

void request_queue_done(struct request_queue *queue)
{
    mem_free(queue->items);
    *queue = (struct request_queue){0};
}
