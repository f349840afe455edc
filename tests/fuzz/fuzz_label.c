/* A page's label in a header and in a document, and its policy. */
#include "base/mem.h"
#include "wire/csp.h"
#include "wire/label.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct label *label)
{
    uint64_t seq;
    if (strlen(label->target) > LIMIT_URL || (label_seq(label, &seq) && seq > (1ull << 53) - 1))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct label_html html;
    struct label label;
    char directive[16];
    /* A copy of exactly this size, so that a read past its end is seen. */
    uint8_t *exact = mem_alloc(size);
    memcpy(exact, data, size);
    if (label_in_header(span_of(exact, size), &label))
        check(&label);
    label_in_html(span_of(exact, size), &html);
    if (html.has_label)
        check(&html.label);
    char *text = mem_strndup((const char *)exact, size);
    if (csp_allows_worker(text, "https://a.test", "/fringe-sw.js", directive) ==
        (directive[0] != '\0'))
        abort();
    csp_allows_worker("worker-src a.test", text, text, directive);
    mem_free(text);
    mem_free(exact);
    return 0;
}
