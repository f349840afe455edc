/* The label of a page, as the extension reads it (extension/common/label.js, content/label.js):
 * Link headers (RFC 8288) and the link element in the head of a document. Layer: wire (pure). */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct label {
    char target[LIMIT_URL + 1]; /* as it stands there: perhaps relative to the document */
    char seq[24];               /* "" when it names no release */
};

/* The first link with rel=fringe and no anchor in the value of a Link header. */
bool label_in_header(struct span value, struct label *ret);
/* "" is 0, whatever is current. False: no number of a release. */
bool label_seq(const struct label *label, uint64_t *ret);

struct label_html {
    bool has_label;
    struct label label;
    char policy[4096]; /* Content-Security-Policy of a meta element, or "" */
};

/* The head of an HTML document, up to its end or to what can only be in the body. */
void label_in_html(struct span html, struct label_html *ret);
