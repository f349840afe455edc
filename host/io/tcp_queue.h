/* What waits to be written on one connection: a chain of pooled chunks that writev takes as they
 * are. Layer: io, private to tcp and ws.
 *
 * A chunk has room for four 16 KiB blocks and their headers, so a full one is one iovec, and a
 * block's bytes go from the page cache straight to where writev finds them. Bytes once put do not
 * move until they are dropped: a write may be under way while more is put behind it. */
#pragma once

#include "base/err.h"
#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define TCP_CHUNK_LENGTH (4 * (BLOCK_LENGTH + 16))
#define TCP_CHUNK_HEAD   16 /* before the bytes of each buffer: whoever writes it may use them */
#define TCP_POOL_CHUNKS  64 /* kept for re-use: 4 MiB */

struct tcp_chunk;

struct tcp_pool {
    struct tcp_chunk *free;
    unsigned count;
};

struct tcp_queue {
    struct tcp_pool *pool; /* borrowed */
    struct tcp_chunk *first, *last;
    size_t length;
};

void tcp_pool_done(struct tcp_pool *pool);
void tcp_queue_init(struct tcp_queue *queue, struct tcp_pool *pool);
void tcp_queue_clear(struct tcp_queue *queue);
void tcp_queue_put(struct tcp_queue *queue, const void *data, size_t length);
void tcp_queue_put_zeros(struct tcp_queue *queue, size_t length);
/* ERR_IO when the file ends early or cannot be read; the queue then holds a part. */
enum err tcp_queue_put_file(struct tcp_queue *queue, int fd, uint64_t offset, size_t length);
/* Describes the front of the queue in at most `max` buffers; returns how many. */
unsigned tcp_queue_front(const struct tcp_queue *queue, uv_buf_t *ret_bufs, unsigned max);
/* Takes `length` written bytes off the front. */
void tcp_queue_drop(struct tcp_queue *queue, size_t length);
