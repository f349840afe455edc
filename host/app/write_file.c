#include "app/write_file.h"

#include "app/cmd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int put_all(int fd, const uint8_t *at, size_t length)
{
    while (length > 0) {
        ssize_t put = write(fd, at, length);
        if (put < 0 && errno != EINTR)
            return -1;
        at += put > 0 ? put : 0;
        length -= put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/* So that the new name itself survives a power cut. */
static void sync_folder(const char *path)
{
    char *folder = mem_strdup(path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = '\0';
    int fd = open(slash != NULL ? (slash == folder ? "/" : folder) : ".",
                  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    mem_free(folder);
}

static bool same_folder(const char *a, const char *b)
{
    const char *slash = strrchr(a, '/');
    size_t length = slash != NULL ? (size_t)(slash - a) + 1 : 0;
    return strncmp(a, b, length) == 0 && strchr(b + length, '/') == NULL;
}

static bool write_failed(const char *path, int error)
{
    cmd_fail("cannot write %s: %s", path, strerror(error));
    return false;
}

static bool write_temp(const char *temp, const void *data, size_t length, mode_t mode)
{
    unlink(temp);
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool good = fd >= 0 && put_all(fd, data, length) == 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && good) {
        good = false;
        error = errno;
    }
    if (!good)
        unlink(temp);
    errno = error;
    return good;
}

bool write_set_add(struct write_set *set, const char *path, const void *data, size_t length,
                   mode_t mode)
{
    char *temp = mem_printf("%s.tmp-%ld", path, (long)getpid());
    if (!write_temp(temp, data, length, mode)) {
        write_failed(path, errno);
        mem_free(temp);
        return false;
    }
    if (set->count == set->capacity) {
        set->capacity = set->capacity > 0 ? 2 * set->capacity : 8;
        set->items = mem_realloc(set->items, set->capacity * sizeof *set->items);
    }
    set->items[set->count++] = (struct write_item){.path = mem_strdup(path), .temp = temp};
    return true;
}

bool write_set_commit(struct write_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct write_item *item = &set->items[i];
        if (rename(item->temp, item->path) != 0)
            return write_failed(item->path, errno);
        mem_free(item->temp);
        item->temp = NULL;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (i == 0 || !same_folder(set->items[i].path, set->items[i - 1].path))
            sync_folder(set->items[i].path);
    }
    return true;
}

void write_set_done(struct write_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i].temp != NULL)
            unlink(set->items[i].temp);
        mem_free(set->items[i].temp);
        mem_free(set->items[i].path);
    }
    mem_free(set->items);
    *set = (struct write_set){0};
}

bool write_file(const char *path, const void *data, size_t length, mode_t mode)
{
    struct write_set set = {0};
    bool good = write_set_add(&set, path, data, length, mode) && write_set_commit(&set);
    write_set_done(&set);
    return good;
}

bool write_folders(const char *path)
{
    char *part = mem_strdup(path);
    bool good = true;
    for (char *at = part + 1; good && at != NULL;) {
        at = strchr(at, '/');
        if (at != NULL)
            *at = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) {
            cmd_fail("cannot make the folder %s: %s", part, strerror(errno));
            good = false;
        }
        if (at != NULL)
            *at++ = '/';
    }
    mem_free(part);
    return good;
}
