/* All bytes of a run, read from or written to a file at an offset. Layer: io. Any thread. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* ERR_TRUNCATED: the file ends before. ERR_IO. */
enum err file_bytes_read(int fd, uint8_t *data, size_t length, uint64_t offset);
/* ERR_NO_SPACE, ERR_IO; the reason is in the log. */
enum err file_bytes_write(int fd, const uint8_t *data, size_t length, uint64_t offset);
