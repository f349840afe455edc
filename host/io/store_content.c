/* io/store: content files. */
#include "io/store_private.h"

#include "base/limits.h"
#include "base/log.h"
#include "io/file_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Below it a full disk shows when the only piece is written, with nothing lost, and thousands of
 * small files are made twice as fast. */
#define RESERVE_FROM KIB(64)

void store_content_name(const uint8_t root[HASH_LENGTH], char ret_name[STORE_NAME])
{
    hex_encode(ret_name, root, 1);
    ret_name[2] = '/';
    hex_encode(ret_name + 3, root, HASH_LENGTH);
}

bool store_content_stat(const struct store *store, const uint8_t root[HASH_LENGTH],
                        struct stat *ret)
{
    char name[STORE_NAME];

    store_content_name(root, name);
    return fstatat(store->content, name, ret, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(ret->st_mode);
}

/* --- opening */

/* O_NONBLOCK: a fifo in a file's place must not hold up the loop; it means nothing for a file. */
static int open_name(const struct store *store, const char *name, bool create)
{
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (create ? O_CREAT : 0);
    int fd = openat(store->content, name, flags, 0600);

    if (fd < 0 && (errno == EROFS || errno == EACCES)) { /* for those who only read */
        int why = errno;
        fd = openat(store->content, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        errno = why;
        return fd;
    }
    if (fd < 0 && errno == ENOENT && create) {
        char folder[3] = {name[0], name[1], '\0'};

        if (mkdirat(store->content, folder, 0700) != 0 && errno != EEXIST)
            return -1;
        fd = openat(store->content, name, flags, 0600);
    }
    return fd;
}

bool store_can_write(int fd)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

enum err store_content_open(struct store *store, struct store_file *file, bool create,
                            struct stat *ret_status)
{
    char name[STORE_NAME];

    store_content_name(file->root, name);
    file->fd = open_name(store, name, create);
    if (file->fd < 0 && errno == EMFILE) {
        store_close_idle(store, store->idle_count / 2);
        file->fd = open_name(store, name, create);
    }
    if (file->fd < 0 && errno == ENOENT && !create)
        return ERR_NOT_FOUND;
    if (file->fd < 0) {
        int why = errno;

        log_error("cannot open %s/content/%s: %s", store->path, name, strerror(why));
        return store_err_of(why);
    }
    if (fstat(file->fd, ret_status) != 0 || !S_ISREG(ret_status->st_mode)) {
        log_error("%s/content/%s is not a file", store->path, name);
        close(file->fd);
        file->fd = -1;
        return ERR_IO;
    }
    return ERR_OK;
}

/* Not posix_fallocate: where the file system cannot reserve, it writes to every block instead. */
static int reserve(int fd, uint64_t length)
{
    int result;

    if (length < RESERVE_FROM)
        return ftruncate(fd, (off_t)length);
    do
        result = fallocate(fd, 0, 0, (off_t)length);
    while (result != 0 && errno == EINTR);
    if (result != 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        result = ftruncate(fd, (off_t)length);
    return result;
}

enum err store_content_reserve(struct store *store, struct store_file *file,
                               const struct stat *status)
{
    char name[STORE_NAME];
    int why;

    if ((uint64_t)status->st_size > file->length) {
        if (ftruncate(file->fd, (off_t)file->length) == 0)
            return ERR_OK;
    } else if (reserve(file->fd, file->length) == 0) {
        return ERR_OK;
    }
    why = errno;
    store_content_name(file->root, name);
    log_error("no room for %llu bytes in %s/content: %s", (unsigned long long)file->length,
              store->path, strerror(why));
    if (status->st_size == 0)
        unlinkat(store->content, name, 0); /* what fallocate got before it failed goes too */
    store->refused = file->length;
    return store_err_of(why);
}

/* --- verification */

static bool piece_is_right(struct store *store, const struct store_file *file,
                           const struct metainfo_file *wanted, uint32_t piece)
{
    const uint8_t *expected = wanted->root;
    uint64_t offset = (uint64_t)piece * file->piece_length;
    uint64_t left = file->length - offset;
    size_t length = left < file->piece_length ? (size_t)left : file->piece_length;
    uint8_t hash[HASH_LENGTH];

    if (file->have.bits > 1)
        expected = wanted->layer + (size_t)piece * HASH_LENGTH;
    if (file_bytes_read(file->fd, store->piece, length, offset) != ERR_OK)
        return false;
    merkle_piece(store->piece, length, file->length, file->piece_length, hash);
    return memcmp(hash, expected, HASH_LENGTH) == 0;
}

/* The first piece at or after `piece` that is not all hole: reserved space that was never written
 * need not be read and hashed. */
static uint32_t next_written(const struct store_file *file, uint32_t piece)
{
    off_t data = lseek(file->fd, (off_t)((uint64_t)piece * file->piece_length), SEEK_DATA);

    if (data < 0)
        return errno == ENXIO ? file->have.bits : piece;
    return (uint32_t)((uint64_t)data / file->piece_length);
}

enum err store_content_verify(struct store *store, struct store_file *file,
                              const struct metainfo_file *wanted)
{
    struct stat status;
    uint32_t piece;

    if (store->piece_capacity < file->piece_length) {
        store->piece = mem_realloc(store->piece, file->piece_length);
        store->piece_capacity = file->piece_length;
    }
    bitfield_clear(&file->have);
    /* Before reading: what is written meanwhile shows as a later time. */
    if (fstat(file->fd, &status) != 0)
        return ERR_IO;
    for (piece = next_written(file, 0); piece < file->have.bits;
         piece = next_written(file, piece + 1)) {
        if (piece_is_right(store, file, wanted, piece))
            bitfield_set(&file->have, piece);
    }
    store_file_seen(file, &status);
    store_file_recount(store, file);
    store_file_change(store, file, true);
    return ERR_OK;
}
