#include "io/file_bytes.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum err file_bytes_read(int fd, uint8_t *data, size_t length, uint64_t offset)
{
    while (length > 0) {
        ssize_t got = pread(fd, data, length, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? ERR_TRUNCATED : ERR_IO;
        data += got;
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return ERR_OK;
}

enum err file_bytes_write(int fd, const uint8_t *data, size_t length, uint64_t offset)
{
    while (length > 0) {
        ssize_t written = pwrite(fd, data, length, (off_t)offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            int why = written < 0 ? errno : EIO;

            log_error("cannot write a content file: %s", strerror(why));
            return why == ENOSPC || why == EDQUOT || why == EFBIG ? ERR_NO_SPACE
                   : why == EROFS                                 ? ERR_READ_ONLY
                                                                  : ERR_IO;
        }
        data += written;
        offset += (uint64_t)written;
        length -= (size_t)written;
    }
    return ERR_OK;
}
