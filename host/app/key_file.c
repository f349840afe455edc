#include "app/key_file.h"

#include "app/cmd.h"
#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 1024 /* as stock minisign */

bool file_read(const char *path, size_t max, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    buf_init(out, max + 1);
    if (fd < 0) {
        cmd_fail("cannot read %s: %s", path, strerror(errno));
        return false;
    }
    ssize_t got = 1;
    while (got > 0 && out->length <= max) {
        size_t step = max + 1 - out->length < KIB(16) ? max + 1 - out->length : KIB(16);
        uint8_t *at = buf_extend(out, step);
        got = read(fd, at, step);
        out->length -= step - (got > 0 ? (size_t)got : 0);
    }
    if (got < 0)
        cmd_fail("cannot read %s: %s", path, strerror(errno));
    else if (out->length > max)
        cmd_fail("%s is longer than %zu bytes: it is not the file that is wanted here", path, max);
    close(fd);
    return got >= 0 && out->length <= max;
}

void key_file_wipe(char *password)
{
    if (password != NULL)
        sodium_memzero(password, strlen(password));
    mem_free(password);
}

/* One line from the terminal without showing it. */
static bool ask_line(FILE *tty, const char *prompt, char line[PASSWORD_MAX + 2])
{
    struct termios shown, hidden;
    bool echo = tcgetattr(fileno(tty), &shown) == 0;
    if (echo) {
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(fileno(tty), TCSAFLUSH, &hidden);
    }
    /* After the flush, so that nothing typed at the prompt is lost. */
    dprintf(fileno(tty), "%s", prompt);
    bool good = fgets(line, PASSWORD_MAX + 2, tty) != NULL;
    if (echo)
        tcsetattr(fileno(tty), TCSAFLUSH, &shown);
    dprintf(fileno(tty), "\n");
    line[good ? strcspn(line, "\n") : 0] = '\0';
    return good;
}

static char *ask(bool confirm)
{
    char first[PASSWORD_MAX + 2], second[PASSWORD_MAX + 2];
    char *password = NULL;
    FILE *tty = fopen("/dev/tty", "r+");
    if (tty == NULL) {
        cmd_fail("a password is needed and there is no terminal to ask on: use --password-file");
        return NULL;
    }
    setvbuf(tty, NULL, _IONBF, 0);
    bool good = ask_line(tty, "Password: ", first);
    if (good && confirm) {
        good = ask_line(tty, "Password again: ", second) && strcmp(first, second) == 0;
        if (!good)
            cmd_fail("the two passwords differ: nothing was written");
    }
    if (good)
        password = mem_strdup(first);
    sodium_memzero(first, sizeof first);
    sodium_memzero(second, sizeof second);
    fclose(tty);
    return password;
}

char *key_file_password(const char *password_file, bool confirm)
{
    struct buf file;
    char *password = NULL;
    if (password_file == NULL)
        return ask(confirm);
    if (file_read(password_file, PASSWORD_MAX, &file)) {
        size_t length = 0;
        while (length < file.length && file.data[length] != '\n' && file.data[length] != '\0')
            length++;
        while (length > 0 && file.data[length - 1] == '\r')
            length--;
        password = mem_strndup((const char *)file.data, length);
    }
    if (file.data != NULL)
        sodium_memzero(file.data, file.length);
    buf_done(&file);
    return password;
}

static bool explain(enum err err, const char *path, const uint8_t *data, size_t length)
{
    struct minisign_key key;
    if (err == ERR_OK)
        return true;
    if (err == ERR_BAD_HASH)
        cmd_fail("the password for %s is wrong, or the file is damaged", path);
    else if (err == ERR_NO_SPACE)
        cmd_fail("not enough memory to unlock %s: it takes up to 1 GiB", path);
    else if (minisign_key_parse(data, length, &key) == ERR_OK)
        cmd_fail("%s is a public key: --key wants the secret one", path);
    else
        cmd_fail("%s is not a minisign secret key (%s): make one with `fringe keygen` or "
                 "`minisign -G`",
                 path, err_text(err));
    return false;
}

bool key_file_load(const char *path, const char *password_file, struct minisign_secret *ret)
{
    struct buf file;
    char *password = NULL;
    bool good = file_read(path, LIMIT_PUBLIC_KEY, &file);
    struct stat info;
    if (good && stat(path, &info) == 0 && (info.st_mode & 077) != 0)
        cmd_warn("other users can read %s: chmod 600 it", path);
    if (good && minisign_secret_needs_password(file.data, file.length)) {
        password = key_file_password(password_file, false);
        good = password != NULL;
    }
    if (good)
        good = explain(minisign_secret_parse(file.data, file.length, password, ret), path,
                       file.data, file.length);
    key_file_wipe(password);
    if (file.data != NULL)
        sodium_memzero(file.data, file.length);
    buf_done(&file);
    return good;
}
