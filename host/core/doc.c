/* One document: which release it belongs to, and what of it came from where. */
#include "base/mem.h"
#include "core/site.h"

#include <string.h>

#define FORGOTTEN_MS 43200000 /* asked for nothing for so long: its browser may have died */

void doc_free(struct node *node, struct doc *doc)
{
    struct doc_file *file, *next;

    HASH_ITER(hh, doc->seen, file, next)
    {
        HASH_DEL(doc->seen, file);
        mem_free(file);
    }
    if (doc->site != NULL)
        site_release_used(doc->site, doc->seq);
    HASH_DEL(node->docs, doc);
    mem_free(doc);
}

struct doc *doc_get(struct node *node, const char *id, bool create)
{
    struct doc *doc;

    HASH_FIND_STR(node->docs, id, doc);
    if (doc != NULL || !create || id[0] == '\0')
        return doc;
    if (HASH_COUNT(node->docs) >= LIMIT_DOCS)
        doc_free(node, node->docs); /* the oldest */
    doc = mem_zalloc(sizeof *doc);
    strcpy(doc->id, id);
    doc->serial = node_number(node);
    HASH_ADD_STR(node->docs, id, doc);
    return doc;
}

struct doc *doc_by_serial(struct node *node, uint64_t serial)
{
    for (struct doc *doc = node->docs; doc != NULL; doc = doc->hh.next)
        if (doc->serial == serial)
            return doc;
    return NULL;
}

void doc_close(struct node *node, const char *id)
{
    struct doc *doc = doc_get(node, id, false);
    if (doc != NULL)
        doc_free(node, doc);
}

/* --- releases */

uint64_t doc_release(struct node *node, const char *id, const struct site *site, uint64_t seq)
{
    const struct doc *doc = doc_get(node, id, false);

    return seq == 0 && doc != NULL && doc->site == site ? doc->seq : seq;
}

void doc_pin(struct node *node, const char *id, struct site *site, uint64_t seq)
{
    struct doc *doc = doc_get(node, id, true);

    if (doc == NULL)
        return;
    doc->site = site;
    doc->seq = seq;
    doc->used_ms = node->now_ms;
    site_release_used(site, seq);
}

bool docs_read(const struct site *site, uint64_t seq)
{
    for (const struct doc *doc = site->node->docs; doc != NULL; doc = doc->hh.next)
        if (doc->site == site && doc->seq == seq &&
            site->node->now_ms < doc->used_ms + FORGOTTEN_MS)
            return true;
    return false;
}

bool docs_open(const struct site *site)
{
    for (const struct doc *doc = site->node->docs; doc != NULL; doc = doc->hh.next)
        if (doc->site == site && site->node->now_ms < doc->used_ms + FORGOTTEN_MS)
            return true;
    return false;
}

void docs_forget_site(struct node *node, const struct site *site)
{
    for (struct doc *doc = node->docs; doc != NULL; doc = doc->hh.next)
        if (doc->site == site)
            doc->site = NULL;
}
