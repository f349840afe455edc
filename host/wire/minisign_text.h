/* The lines that minisign's files are made of. Layer: wire (pure; inside minisign*.c only). */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>

#define MINISIGN_UNTRUSTED "untrusted comment: "
#define MINISIGN_TRUSTED   "trusted comment: "

/* The next line without its end, "\n" or "\r\n"; the last one may lack it. ERR_TRUNCATED. */
enum err minisign_line(struct reader *reader, struct span *ret_line);
/* Takes the prefix away; false when the line does not begin with it. */
bool minisign_strip(struct span *line, const char *prefix);
/* Base64 of exactly that many bytes, in its one canonical form. */
enum err minisign_base64(struct span line, uint8_t *ret, size_t length);
