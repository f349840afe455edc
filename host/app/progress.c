#include "app/progress.h"

#include "app/cmd.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS    500
#define INTERVAL_MS 100
#define BAR_WIDTH   30

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_init(struct progress *progress, const char *what, uint64_t total)
{
    *progress = (struct progress){.what = what, .total = total, .start_ms = now_ms()};
    progress->last_ms = progress->start_ms + QUIET_MS - INTERVAL_MS;
}

static void draw(const struct progress *progress, uint64_t done, uint64_t elapsed_ms)
{
    char bar[BAR_WIDTH + 1], have[BYTES_TEXT], all[BYTES_TEXT], speed[BYTES_TEXT];
    uint64_t total = progress->total > 0 ? progress->total : 1;
    unsigned filled = (unsigned)((double)done / (double)total * BAR_WIDTH);
    for (unsigned i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r%s [%s] %3u%%  %s of %s, %s/s\033[K", progress->what, bar,
            (unsigned)((double)done / (double)total * 100), cmd_bytes(done, have),
            cmd_bytes(progress->total, all), cmd_bytes(done * 1000 / elapsed_ms, speed));
    fflush(stderr);
}

void progress_show(struct progress *progress, uint64_t done)
{
    uint64_t now = now_ms();
    if (now - progress->start_ms < QUIET_MS || now - progress->last_ms < INTERVAL_MS ||
        !isatty(STDERR_FILENO))
        return;
    progress->last_ms = now;
    progress->shown = true;
    draw(progress, done < progress->total ? done : progress->total, now - progress->start_ms);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
