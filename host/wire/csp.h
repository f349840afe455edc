/* Content-Security-Policy, as far as it decides whether a page may register the site's worker
 * (CSP level 3: worker-src, else child-src, script-src, default-src). Layer: wire (pure). */
#pragma once

#include <stdbool.h>

/* One policy, without commas. site: "https://game.example"; path: "/fringe-sw.js". When it does
 * not allow it, ret_directive (at least 16 bytes) says which directive is in the way. */
bool csp_allows_worker(const char *policy, const char *site, const char *path,
                       char ret_directive[16]);
