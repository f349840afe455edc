/* Sites, URLs and asset paths (RFC 3986, RFC 6454). Layer: wire (pure). */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is text a site in its one canonical form? (https; http only for localhost, 127.0.0.1, [::1]) */
enum err site_check(const char *text);
/* Splits a URL typed by a person into site (canonical) and path; a query or fragment is
 * ERR_BAD_URL. Both are owned by the caller. */
enum err url_split(const char *url, char **ret_site, char **ret_path);
/* The URL path of an asset -> the raw bytes of its path in a bundle. Refuses what could mean
 * another file than it says: empty segments, "." and "..", encoded or not; backslash; "//host";
 * %2F, %5C, %00; control bytes; bad percent sequences; a query or fragment; over LIMIT_PATH.
 * ret_path must hold LIMIT_PATH + 1 bytes; it keeps the leading '/', NUL-terminated. */
enum err path_decode(const char *path, size_t length, char *ret_path);
/* The reverse, for publish and the origin fetch: percent-encodes what RFC 3986 pchar does not
 * allow. Appends. */
void path_encode(const char *raw, struct buf *out);
/* May these raw bytes be one segment of a file name in a bundle? */
bool path_segment_ok(const char *segment, size_t length);
/* The same of a whole relative path, '/' between its segments. */
bool path_segments_ok(const char *path, size_t length);
/* May this be the base of a bundle? "/" segments "/", at least one of them, made only of characters
 * that stand for themselves in a URL: so the raw and the encoded base are the same bytes. */
bool path_base_ok(const char *base);
/* The media type for a path by suffix, from the built-in table (WHATWG MIME names); never NULL
 * ("application/octet-stream"). */
const char *media_type(const char *path);
/* Row `index` of that table; false behind the last one. */
bool media_type_row(size_t index, const char **ret_suffix, const char **ret_type);
