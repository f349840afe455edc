/* Counters of one document: what of a page came from where. */
#include "base/mem.h"
#include "core/node_impl.h"

#include <string.h>

void doc_free(struct node *node, struct doc *doc)
{
    struct doc_file *file, *next;

    HASH_ITER(hh, doc->seen, file, next)
    {
        HASH_DEL(doc->seen, file);
        mem_free(file);
    }
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
