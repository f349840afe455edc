#include "io/control_path.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Two daemons that start at once: the lock decides, the kernel drops it with its holder. */
static enum err take_lock(const char *path, int *ret_lock)
{
    char *name = mem_printf("%s.lock", path);
    int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum err err = ERR_OK;

    if (lock < 0) {
        log_error("cannot make %s: %s", name, strerror(errno));
        err = ERR_IO;
    } else if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        err = errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO;
        close(lock);
        lock = -1;
    }
    mem_free(name);
    *ret_lock = lock;
    return err;
}

/* Whoever answers here holds no lock of ours (the lock file was removed, say) but is alive. */
static bool answers(const struct sockaddr_un *address)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool alive;

    if (probe < 0)
        return false;
    /* EAGAIN: its backlog is full. */
    alive =
        connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN;
    close(probe);
    return alive;
}

static enum err clear_dead_socket(const struct sockaddr_un *address)
{
    struct stat info;

    if (lstat(address->sun_path, &info) != 0)
        return errno == ENOENT ? ERR_OK : ERR_IO;
    if (!S_ISSOCK(info.st_mode)) {
        log_error("%s is in the way: it is not a socket", address->sun_path);
        return ERR_EXISTS;
    }
    if (answers(address))
        return ERR_BUSY;
    if (unlink(address->sun_path) != 0 && errno != ENOENT) {
        log_error("cannot remove %s: %s", address->sun_path, strerror(errno));
        return ERR_IO;
    }
    return ERR_OK;
}

static enum err bind_private(const struct sockaddr_un *address, int *ret_socket)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask;
    int result;

    if (fd < 0)
        return ERR_IO;
    /* The socket's mode must be right from its first moment: chmod would come too late. */
    mask = umask(0177);
    result = bind(fd, (const struct sockaddr *)address, sizeof *address);
    umask(mask);
    if (result != 0 || listen(fd, 64) != 0) {
        log_error("cannot listen on %s: %s", address->sun_path, strerror(errno));
        close(fd);
        return errno == EADDRINUSE ? ERR_BUSY : ERR_IO;
    }
    *ret_socket = fd;
    return ERR_OK;
}

enum err control_path_take(const char *path, int *ret_socket, int *ret_lock)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    int lock;
    enum err err;

    if (length == 0 || length >= sizeof address.sun_path)
        return ERR_BAD_NAME;
    memcpy(address.sun_path, path, length);
    if (!folders_make_above(path)) {
        log_error("cannot make the folder of %s: %s", path, strerror(errno));
        return ERR_IO;
    }
    err = take_lock(path, &lock);
    if (err != ERR_OK)
        return err;
    err = clear_dead_socket(&address);
    if (err == ERR_OK)
        err = bind_private(&address, ret_socket);
    if (err != ERR_OK) {
        close(lock);
        return err;
    }
    *ret_lock = lock;
    return ERR_OK;
}
