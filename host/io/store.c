/* io/store: opening, closing and the batch. */
#include "io/store_private.h"

#include "base/log.h"
#include "io/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* --- opening */

static enum err make_folders(const char *path)
{
    if (folders_make(path))
        return ERR_OK;
    enum err why = store_err_of(errno);
    log_error("cannot make the folder %s: %s", path, strerror(errno));
    return why;
}

/* Without one, every boot is another: unsynced files are then verified at each start. */
static void read_boot(uint8_t ret_boot[STORE_BOOT])
{
    char text[40] = "", hex[2 * STORE_BOOT];
    size_t length = 0;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) < 0)
            text[0] = '\0';
        close(fd);
    }
    for (const char *at = text; *at != '\0' && length < sizeof hex; at++) {
        if (*at != '-')
            hex[length++] = *at;
    }
    if (length < sizeof hex || !hex_decode(ret_boot, STORE_BOOT, hex, sizeof hex))
        randombytes_buf(ret_boot, STORE_BOOT);
}

static int open_folder(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        log_error("cannot open the folder %s: %s", name, strerror(errno));
    return fd;
}

/* On a disk that cannot be written the file may only be read, or stand for the folder itself. */
static int open_lock(struct store *store)
{
    int fd = openat(store->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        fd = openat(store->dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 ? fd : openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum err take_lock(struct store *store)
{
    store->lock = open_lock(store);
    if (store->lock < 0) {
        log_error("cannot open %s/lock: %s", store->path, strerror(errno));
        return ERR_IO;
    }
    if (flock(store->lock, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    if (errno == EWOULDBLOCK)
        return ERR_BUSY; /* the caller knows what to say */
    log_error("cannot lock %s: %s", store->path, strerror(errno));
    return ERR_IO;
}

static enum err open_all(struct store *store)
{
    enum err err = make_folders(store->path);

    if (err != ERR_OK)
        return err;
    store->dir = open_folder(AT_FDCWD, store->path);
    if (store->dir < 0)
        return ERR_IO;
    err = take_lock(store);
    if (err != ERR_OK)
        return err;
    if (mkdirat(store->dir, "content", 0700) != 0 && errno != EEXIST) {
        err = store_err_of(errno);
        log_error("cannot make the folder %s/content: %s", store->path, strerror(errno));
        return err;
    }
    store->content = open_folder(store->dir, "content");
    if (store->content < 0)
        return ERR_IO;
    return store_db_open(store);
}

/* A folder that cannot be is a mistake of who named it, another daemon or a newer index is a reason
 * to end. A full or read-only disk is neither. */
static bool is_trouble(enum err err)
{
    return err == ERR_NO_SPACE || err == ERR_READ_ONLY;
}

static enum err open_or_stand_in(struct store *store)
{
    enum err err = open_all(store);

    if (is_trouble(err)) {
        log_warning("%s cannot be written (%s): nothing new is kept until it can", store->path,
                    err_text(err));
        store->trouble = err;
        err = store_db_stand_in(store);
    }
    return err == ERR_OK ? store_row_totals(store, &store->totals) : err;
}

enum err store_err_of(int why)
{
    switch (why) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_NO_SPACE;
    case EROFS:
    case EACCES:
    case EPERM:
        return ERR_READ_ONLY;
    default:
        return ERR_IO;
    }
}

enum err store_trouble(const struct store *store)
{
    return store->trouble;
}

/* --- can it be written? */

static enum err try_to_write(int fd, uint64_t bytes)
{
    static const uint8_t some[4096];
    uint64_t room = bytes > sizeof some ? bytes : sizeof some;

    if (pwrite(fd, some, sizeof some, 0) != (ssize_t)sizeof some)
        return store_err_of(errno);
    if (fallocate(fd, 0, 0, (off_t)room) != 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return store_err_of(errno);
    return ERR_OK;
}

enum err store_probe(struct store *store)
{
    enum err err = store->dir >= 0 ? ERR_OK : make_folders(store->path);
    char *name = mem_printf("%s/probe", store->path);

    if (err == ERR_OK) {
        int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        err = fd >= 0 ? try_to_write(fd, store->refused) : store_err_of(errno);
        if (fd >= 0)
            close(fd);
        unlink(name);
    }
    mem_free(name);
    return err;
}

static void close_all(struct store *store)
{
    int fds[] = {store->content, store->lock, store->dir};

    store_db_close(store);
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    mem_free(store->piece);
    mem_free(store->unsynced);
    mem_free(store->path);
    mem_free(store);
}

enum err store_open(const char *dir, struct store **ret)
{
    struct store *store = mem_zalloc(sizeof *store);
    enum err err;

    store->path = mem_strdup(dir);
    store->dir = store->content = store->lock = -1;
    store->sync_ms = STORE_SYNC_MS;
    list_init(&store->idle);
    list_init(&store->changed);
    read_boot(store->boot);
    err = open_or_stand_in(store);
    if (err != ERR_OK) {
        close_all(store);
        return err;
    }
    *ret = store;
    return ERR_OK;
}

void store_close(struct store *store)
{
    struct store_file *file, *next;

    if (store == NULL)
        return;
    HASH_ITER(hh, store->files, file, next)
    {
        if (file->fd >= 0 && !store_file_complete(file))
            store_file_change(store, file, true); /* its time may have changed since */
    }
    store_flush(store);
    store_sync_end(store);
    HASH_ITER(hh, store->files, file, next)
    store_file_free(store, file);
    close_all(store);
}

/* --- the batch */

static enum err record_content(struct store *store, struct store_file *file)
{
    struct stat status;
    bool there = file->fd >= 0 ? fstat(file->fd, &status) == 0
                               : store_content_stat(store, file->root, &status);
    enum err err;

    if (!there)
        return store_row_delete(store, file->root);
    err = store_row_put(store, file, &status, false);
    if (err == ERR_OK)
        store_file_seen(file, &status);
    return err;
}

static enum err record_all(struct store *store)
{
    enum err err = store_db_run(store, STATEMENT_BEGIN);

    if (err != ERR_OK)
        return err;
    list_for_each(link, next, &store->changed)
    {
        struct store_file *file = list_entry(link, struct store_file, changed);

        err = file->content_changed ? record_content(store, file) : store_row_touch(store, file);
        if (err != ERR_OK)
            break;
    }
    if (err == ERR_OK)
        err = store_db_run(store, STATEMENT_COMMIT);
    if (err != ERR_OK && sqlite3_get_autocommit(store->db) == 0)
        store_db_run(store, STATEMENT_ROLLBACK);
    return err;
}

static void recorded(struct store *store)
{
    while (!list_empty(&store->changed)) {
        struct store_file *file = list_entry(store->changed.next, struct store_file, changed);

        list_remove(&file->changed);
        store->changed_count--;
        if (file->content_changed && file->have.count > 0)
            store_sync_add(store, file->root, file->mtime_ns);
        file->content_changed = false;
        store_file_release(store, file);
    }
}

/* A broken index is begun anew with what is in memory. */
static enum err renew(struct store *store)
{
    struct store_file *file, *next;
    enum err err;

    store_sync_wait(store);
    err = store_db_renew(store);
    if (err != ERR_OK)
        return err == ERR_MISMATCH ? ERR_IO : err;
    store->totals = (struct store_totals){0};
    HASH_ITER(hh, store->files, file, next)
    {
        file->counted_bytes = 0;
        file->counted_file = false;
        store_file_recount(store, file);
        store_file_change(store, file, true);
    }
    return ERR_OK;
}

enum err store_flush(struct store *store)
{
    enum err err = ERR_OK;

    if (store->stand_in == STAND_IN_READING)
        return store->trouble;
    if (store->db_broken)
        err = renew(store);
    if (err == ERR_OK && !list_empty(&store->changed)) {
        err = record_all(store);
        /* Nothing is lost when it failed: all stays marked as changed for the next time. */
        if (err == ERR_OK)
            recorded(store);
    }
    store_close_idle(store, STORE_FDS);
    if (err == ERR_OK)
        store_sync_step(store);
    return err;
}

struct store_totals store_totals(const struct store *store)
{
    return store->totals;
}
