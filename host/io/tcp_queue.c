#include "io/tcp_queue.h"

#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct tcp_chunk {
    struct tcp_chunk *next;
    size_t begin, end; /* of what is not yet written */
    uint8_t head[TCP_CHUNK_HEAD], data[TCP_CHUNK_LENGTH];
};

static struct tcp_chunk *chunk_get(struct tcp_pool *pool)
{
    struct tcp_chunk *chunk = pool->free;

    if (chunk != NULL) {
        pool->free = chunk->next;
        pool->count--;
    } else {
        chunk = mem_alloc(sizeof *chunk);
    }
    chunk->next = NULL;
    chunk->begin = chunk->end = 0;
    return chunk;
}

static void chunk_put(struct tcp_pool *pool, struct tcp_chunk *chunk)
{
    if (pool->count >= TCP_POOL_CHUNKS) {
        mem_free(chunk);
        return;
    }
    chunk->next = pool->free;
    pool->free = chunk;
    pool->count++;
}

void tcp_pool_done(struct tcp_pool *pool)
{
    while (pool->free != NULL) {
        struct tcp_chunk *chunk = pool->free;

        pool->free = chunk->next;
        mem_free(chunk);
    }
    pool->count = 0;
}

void tcp_queue_init(struct tcp_queue *queue, struct tcp_pool *pool)
{
    *queue = (struct tcp_queue){.pool = pool};
}

static void drop_first(struct tcp_queue *queue)
{
    struct tcp_chunk *chunk = queue->first;

    queue->first = chunk->next;
    if (queue->first == NULL)
        queue->last = NULL;
    chunk_put(queue->pool, chunk);
}

void tcp_queue_clear(struct tcp_queue *queue)
{
    while (queue->first != NULL)
        drop_first(queue);
    queue->length = 0;
}

/* The chunk at the end, with at least `room` free bytes. */
static struct tcp_chunk *tail(struct tcp_queue *queue, size_t room)
{
    struct tcp_chunk *chunk = queue->last;

    if (chunk != NULL && TCP_CHUNK_LENGTH - chunk->end >= room)
        return chunk;
    chunk = chunk_get(queue->pool);
    if (queue->last != NULL)
        queue->last->next = chunk;
    else
        queue->first = chunk;
    queue->last = chunk;
    return chunk;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void grow(struct tcp_queue *queue, size_t length)
{
    queue->last->end += length;
    queue->length += length;
}

void tcp_queue_put(struct tcp_queue *queue, const void *data, size_t length)
{
    const uint8_t *from = data;

    while (length > 0) {
        struct tcp_chunk *chunk = tail(queue, 1);
        size_t part = min_size(length, TCP_CHUNK_LENGTH - chunk->end);

        memcpy(chunk->data + chunk->end, from, part);
        grow(queue, part);
        from += part;
        length -= part;
    }
}

void tcp_queue_put_zeros(struct tcp_queue *queue, size_t length)
{
    while (length > 0) {
        struct tcp_chunk *chunk = tail(queue, 1);
        size_t part = min_size(length, TCP_CHUNK_LENGTH - chunk->end);

        memset(chunk->data + chunk->end, 0, part);
        grow(queue, part);
        length -= part;
    }
}

/* One pread of a 16 KiB block costs 0.3 us more than its share of a longer one would: not worth
 * keeping blocks back to join them. */
enum err tcp_queue_put_file(struct tcp_queue *queue, int fd, uint64_t offset, size_t length)
{
    while (length > 0) {
        struct tcp_chunk *chunk = tail(queue, min_size(length, BLOCK_LENGTH));
        size_t part = min_size(length, TCP_CHUNK_LENGTH - chunk->end);
        ssize_t got = pread(fd, chunk->data + chunk->end, part, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            log_error("cannot read a content file: %s",
                      got < 0 ? strerror(errno) : "it is shorter than it was");
            return ERR_IO;
        }
        grow(queue, (size_t)got);
        offset += (size_t)got;
        length -= (size_t)got;
    }
    return ERR_OK;
}

unsigned tcp_queue_front(const struct tcp_queue *queue, uv_buf_t *ret_bufs, unsigned max)
{
    unsigned count = 0;

    for (struct tcp_chunk *chunk = queue->first; chunk != NULL && count < max;
         chunk = chunk->next) {
        ret_bufs[count++] =
            uv_buf_init((char *)chunk->data + chunk->begin, (unsigned)(chunk->end - chunk->begin));
    }
    return count;
}

void tcp_queue_drop(struct tcp_queue *queue, size_t length)
{
    assert(length <= queue->length);
    queue->length -= length;
    while (length > 0) {
        struct tcp_chunk *chunk = queue->first;
        size_t part = min_size(length, chunk->end - chunk->begin);

        chunk->begin += part;
        length -= part;
        if (chunk->begin == chunk->end)
            drop_first(queue);
    }
}
