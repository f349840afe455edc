#include "native/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_FRAME_MS 1000 /* browsers send it at once */

/* A member is found without a parser, because quotes inside of JSON strings are escaped. Blanks are
 * allowed for. */
static const char *find_member(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    if (at == NULL)
        return NULL;
    at += strlen(key);
    at += strspn(at, " \t\r\n");
    if (*at != ':')
        return NULL;
    return at + 1 + strspn(at + 1, " \t\r\n");
}

static bool copy(char ret[DOCTOR_FRAME + 1], const char *text, size_t length)
{
    if (length > DOCTOR_FRAME || memchr(text, '\0', length) != NULL)
        return false;
    memcpy(ret, text, length);
    ret[length] = '\0';
    return true;
}

bool doctor_is_asked(const char *text, size_t length)
{
    char request[DOCTOR_FRAME + 1];

    if (!copy(request, text, length))
        return false;
    const char *type = find_member(request, "\"type\"");
    return type != NULL && strncmp(type, "\"doctor\"", 8) == 0;
}

/* Without `fringe` there is still this to say. */
static int answer_without(const char *request, int error)
{
    static const char next[] =
        "run installer/install from the Fringe folder again (or reinstall the package)";
    const char *id = find_member(request, "\"id\"");
    char text[1024], seen[256];

    snprintf(seen, sizeof seen, "the program fringe beside fringe-native cannot be started: %s",
             strerror(error));
    int length = snprintf(
        text, sizeof text,
        "{\"id\":%llu,\"ok\":true,\"version\":\"" FRINGE_VERSION "\",\"status\":\"fail\",\"lines\":"
        "[{\"area\":\"programs\",\"status\":\"fail\",\"seen\":\"%s\",\"next\":\"%s\"}],"
        "\"text\":\"fail  programs    %s\\n                  -> %s\\n\"}",
        id != NULL ? strtoull(id, NULL, 10) : 0, seen, next, seen, next);
    if (length < 0 || (size_t)length >= sizeof text)
        return 1;
    uint32_t head = (uint32_t)length;
    fwrite(&head, sizeof head, 1, stdout);
    fwrite(text, 1, head, stdout);
    fflush(stdout);
    return 1;
}

int doctor_answer(const char *program, const char *text, size_t length)
{
    char request[DOCTOR_FRAME + 1];

    if (!copy(request, text, length))
        return 1;
    fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) & ~O_NONBLOCK);
    execl(program, program, "doctor", "--native", request, (char *)NULL);
    int error = errno;
    fprintf(stderr, "fringe-native: cannot start %s: %s\n", program, strerror(error));
    return answer_without(request, error);
}

/* False: the browser says nothing, or something longer. */
static bool read_bytes(char *ret, size_t length)
{
    for (size_t have = 0; have < length;) {
        struct pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&wait, 1, FIRST_FRAME_MS) <= 0)
            return false;
        ssize_t got = read(STDIN_FILENO, ret + have, length - have);
        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    return true;
}

int doctor_alone(const char *program)
{
    char text[DOCTOR_FRAME];
    uint32_t length;

    if (!read_bytes((char *)&length, sizeof length) || length > sizeof text ||
        !read_bytes(text, length) || !doctor_is_asked(text, length))
        return 1;
    return doctor_answer(program, text, length);
}
