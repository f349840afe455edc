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

bool write_file(const char *path, const void *data, size_t length, mode_t mode)
{
    char *temp = mem_printf("%s.tmp-%ld", path, (long)getpid());
    unlink(temp);
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool good = fd >= 0 && put_all(fd, data, length) == 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && good) {
        good = false;
        error = errno;
    }
    if (good && rename(temp, path) != 0) {
        good = false;
        error = errno;
    }
    if (good)
        sync_folder(path);
    else {
        unlink(temp);
        cmd_fail("cannot write %s: %s", path, strerror(error));
    }
    mem_free(temp);
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
