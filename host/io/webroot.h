/* A site's own folder in the place of its web server: the same requests, answered from files, with
 * the same events as io/http.h has them. Layer: io.
 *
 * Nothing of it is trusted: whoever asks verifies what comes, as if it came over the network. So a
 * file may change at any moment. Symbolic links are followed, as a web server does; the names come
 * from the site's signed torrents and pass path_decode. */
#pragma once

#include "io/http.h"

struct webroot;

/* ERR_NOT_FOUND: there is no such folder. */
enum err webroot_new(struct loop *loop, const char *folder, const struct http_events *events,
                     struct webroot **ret);
void webroot_get(struct webroot *webroot, const struct http_request *request);
void webroot_cancel(struct webroot *webroot, uint64_t op); /* no event follows */
void webroot_receive(struct webroot *webroot, bool held);  /* as http_receive, for paced ones */
void webroot_free(struct webroot *webroot);
