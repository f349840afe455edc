/* DIR -> the list of its files. What is refused here could not be served under one URL, or would
 * publish what the publisher did not mean to. */
#include "app/cmd.h"
#include "app/publish.h"
#include "base/mem.h"
#include "wire/url.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scan {
    const char *dir;
    char *real;         /* DIR without symlinks */
    size_t base_length; /* of the URL's part before the relative path */
    struct publish_files *files;
    dev_t devs[LIMIT_PATH_DEPTH + 1]; /* the folders above, to see a link that leads back */
    ino_t inodes[LIMIT_PATH_DEPTH + 1];
};

static bool scan_folder(struct scan *scan, const char *relative, unsigned depth);

static bool url_length_ok(const struct scan *scan, const char *relative)
{
    struct buf url;
    buf_init(&url, 4 * LIMIT_PATH);
    path_encode(relative, &url);
    bool good = !url.failed && scan->base_length + url.length <= LIMIT_PATH;
    buf_done(&url);
    return good;
}

/* A link may stay inside DIR: then it is one more name of what is shared anyway. */
static bool link_ok(const struct scan *scan, const char *full)
{
    char *target = realpath(full, NULL);
    size_t length = strlen(scan->real);
    bool good = false;
    if (target == NULL)
        cmd_fail("%s is a link to nothing: remove it or mend it", full);
    else if (strncmp(target, scan->real, length) != 0 ||
             (target[length] != '/' && target[length] != '\0' && length > 1))
        cmd_fail("%s is a link out of the folder, to %s: copy the file into the folder, or "
                 "remove the link",
                 full, target);
    else
        good = true;
    free(target);
    return good;
}

void publish_files_add(struct publish_files *files, const char *relative, const struct stat *info)
{
    if (files->count == files->capacity) {
        files->capacity = files->capacity > 0 ? 2 * files->capacity : 64;
        files->items = mem_realloc(files->items, files->capacity * sizeof *files->items);
    }
    files->items[files->count++] =
        (struct publish_file){.path = mem_strdup(relative), .info = *info};
    files->bytes += (uint64_t)info->st_size;
}

static bool file_ok(const struct scan *scan, const char *full, const char *relative,
                    const struct stat *info)
{
    if (!S_ISREG(info->st_mode))
        cmd_fail("%s is no ordinary file: move it out of the folder", full);
    else if (!url_length_ok(scan, relative))
        cmd_fail("%s: its URL would be longer than %d bytes: shorten the names", full, LIMIT_PATH);
    else if ((uint64_t)info->st_size > LIMIT_FILE_LENGTH)
        cmd_fail("%s is larger than 1 TiB: split it", full);
    else if (scan->files->count >= LIMIT_TORRENT_FILES)
        cmd_fail("%s has more than %u files: publish parts of it with a --base each", scan->dir,
                 LIMIT_TORRENT_FILES);
    else if (access(full, R_OK) != 0)
        cmd_fail("cannot read %s: %s: make it readable, or move it out of the folder", full,
                 strerror(errno));
    else
        return true;
    return false;
}

static bool enter_folder(struct scan *scan, const char *full, const char *relative,
                         const struct stat *info, unsigned depth)
{
    if (depth > LIMIT_PATH_DEPTH)
        return cmd_fail("%s is more than %d folders deep: make it flatter", full,
                        LIMIT_PATH_DEPTH) == CMD_OK;
    for (unsigned i = 0; i < depth; i++) {
        if (scan->devs[i] == info->st_dev && scan->inodes[i] == info->st_ino)
            return cmd_fail("%s is a link back to a folder above it: remove it", full) == CMD_OK;
    }
    scan->devs[depth] = info->st_dev;
    scan->inodes[depth] = info->st_ino;
    return scan_folder(scan, relative, depth);
}

static bool scan_entry(struct scan *scan, const char *relative, unsigned depth)
{
    struct stat info;
    char *full = mem_printf("%s/%s", scan->dir, relative);
    bool good = lstat(full, &info) == 0;
    if (!good)
        cmd_fail("cannot read %s: %s", full, strerror(errno));
    if (good && S_ISLNK(info.st_mode))
        good = link_ok(scan, full) && stat(full, &info) == 0;
    if (good && S_ISDIR(info.st_mode))
        good = enter_folder(scan, full, relative, &info, depth + 1);
    else if (good && (good = file_ok(scan, full, relative, &info)))
        publish_files_add(scan->files, relative, &info);
    mem_free(full);
    return good;
}

/* Hidden names are left out: .git, .env and .htpasswd are not meant for visitors. */
static void leave_out(struct scan *scan, const char *folder, const char *name)
{
    if (scan->files->hidden++ == 0)
        snprintf(scan->files->hidden_example, sizeof scan->files->hidden_example, "%s%s", folder,
                 name);
}

static bool scan_name(struct scan *scan, const char *relative, const char *name, unsigned depth)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    if (name[0] == '.') {
        leave_out(scan, relative, name);
        return true;
    }
    if (!path_segment_ok(name, strlen(name))) {
        cmd_fail("%s/%s%s: this name cannot be part of a URL (it must be UTF-8, without "
                 "backslashes and control characters): rename it",
                 scan->dir, relative, name);
        return false;
    }
    char *path = mem_printf("%s%s", relative, name);
    bool good = scan_entry(scan, path, depth);
    mem_free(path);
    return good;
}

/* relative: "" or "a/b". */
static bool scan_folder(struct scan *scan, const char *relative, unsigned depth)
{
    char *prefix = relative[0] != '\0' ? mem_printf("%s/", relative) : mem_strdup("");
    char *full = mem_printf("%s/%s", scan->dir, relative);
    DIR *folder = opendir(full);
    bool good = folder != NULL;
    if (!good)
        cmd_fail("cannot read the folder %s: %s", full, strerror(errno));
    while (good) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL && errno != 0) {
            cmd_fail("cannot read the folder %s: %s", full, strerror(errno));
            good = false;
        }
        if (entry == NULL)
            break;
        good = scan_name(scan, prefix, entry->d_name, depth);
    }
    if (folder != NULL)
        closedir(folder);
    mem_free(full);
    mem_free(prefix);
    return good;
}

static int by_path(const void *a, const void *b)
{
    const struct publish_file *one = a, *two = b;
    return strcmp(one->path, two->path);
}

void publish_files_sort(struct publish_files *files)
{
    size_t kept = 0;
    if (files->count > 0)
        qsort(files->items, files->count, sizeof *files->items, by_path);
    for (size_t i = 0; i < files->count; i++) {
        if (kept > 0 && by_path(&files->items[kept - 1], &files->items[i]) == 0) {
            files->bytes -= (uint64_t)files->items[i].info.st_size;
            mem_free(files->items[i].path);
        } else {
            files->items[kept++] = files->items[i];
        }
    }
    files->count = kept;
}

bool publish_scan(const char *dir, const char *base, struct publish_files *ret)
{
    struct stat info;
    struct scan scan = {.dir = dir, .base_length = strlen(base), .files = ret};
    *ret = (struct publish_files){0};
    if (stat(dir, &info) != 0 || !S_ISDIR(info.st_mode) ||
        (scan.real = realpath(dir, NULL)) == NULL) {
        cmd_fail("%s is not a folder that can be read", dir);
        return false;
    }
    scan.devs[0] = info.st_dev;
    scan.inodes[0] = info.st_ino;
    bool good = scan_folder(&scan, "", 0);
    free(scan.real);
    if (good && ret->count == 0) {
        cmd_fail("%s has no files to share%s", dir,
                 ret->hidden > 0 ? ": names that begin with a dot are left out" : "");
        good = false;
    }
    /* readdir's order is the file system's: messages and hashing follow the names instead. */
    publish_files_sort(ret);
    return good;
}

void publish_files_done(struct publish_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        mem_free(files->items[i].path);
        mem_free(files->items[i].layer);
    }
    mem_free(files->items);
    *files = (struct publish_files){0};
}
