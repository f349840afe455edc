/* libcurl's multi interface on the loop: sockets as uv_poll handles, its one timer as a uv_timer.
 * Layer: io, private to http.c. */
#pragma once

#include "io/loop.h"

#include <curl/curl.h>

struct http_multi {
    CURLM *curl;
    uv_timer_t timer;
    bool inside;                /* libcurl is on the stack: it may not be called again */
    void (*after)(void *user);  /* after each time libcurl was given something to do */
    void (*closed)(void *user); /* after http_multi_done, when nothing points here any more */
    void *user;
};

enum err http_multi_init(struct http_multi *multi, struct loop *loop, void (*after)(void *user),
                         void (*closed)(void *user), void *user);
/* Every easy handle must have been removed. The struct lives until `closed`. */
void http_multi_done(struct http_multi *multi);
