/* Serves a folder through io/gateway, for the bench: gateway_serve DIR. Prints the port. Each
 * request opens its file, as nginx does. */
#include "io/gateway.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct gateway *gateway;
static int folder;

static void on_open(void *user, const struct gateway_open *open)
{
    int fd = openat(folder, open->path + 1, O_RDONLY | O_CLOEXEC);
    struct stat info;

    (void)user;
    if (fd < 0 || fstat(fd, &info) != 0) {
        gateway_fail(gateway, open->stream, 404);
    } else {
        uint64_t length = (uint64_t)info.st_size;
        gateway_head(gateway, open->stream,
                     &(struct gateway_head){.status = 200,
                                            .end = length,
                                            .length = length,
                                            .content_type = "application/octet-stream",
                                            .etag = "00",
                                            .fd = fd});
        gateway_ready(gateway, open->stream, length);
    }
    if (fd >= 0)
        close(fd);
}

static void on_closed(void *user, uint64_t stream)
{
    (void)user;
    (void)stream;
}

int main(int argc, char **argv)
{
    struct gateway_events events = {.open = on_open, .closed = on_closed};
    struct loop loop;

    folder = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder < 0) {
        fprintf(stderr, "usage: gateway_serve DIR\n");
        return 2;
    }
    if (loop_init(&loop) != ERR_OK || gateway_new(&loop, &events, &gateway) != ERR_OK)
        return EXIT_FAILURE;
    printf("%u\n", gateway_port(gateway));
    fflush(stdout);
    loop_run(&loop); /* until it is killed */
    return EXIT_SUCCESS;
}
