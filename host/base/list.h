/* An intrusive doubly linked ring: the head is a node of its own, the members embed one.
 * Layer: base. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *list)
{
    list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_insert_before(struct list *at, struct list *member)
{
    member->next = at;
    member->prev = at->prev;
    at->prev->next = member;
    at->prev = member;
}

static inline void list_push_back(struct list *head, struct list *member)
{
    list_insert_before(head, member);
}

static inline void list_push_front(struct list *head, struct list *member)
{
    list_insert_before(head->next, member);
}

/* Safe on a member that is in no list, if it was initialised. */
static inline void list_remove(struct list *member)
{
    member->prev->next = member->next;
    member->next->prev = member->prev;
    list_init(member);
}

/* `to` must be empty. */
static inline void list_take_all(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    to->next = from->next;
    to->prev = from->prev;
    to->next->prev = to->prev->next = to;
    list_init(from);
}

#define list_entry(LINK, TYPE, MEMBER) ((TYPE *)(void *)((char *)(LINK)-offsetof(TYPE, MEMBER)))

/* The member at hand may be removed inside the loop; others may not. */
#define list_for_each(LINK, NEXT, HEAD)                                                            \
    for (struct list *LINK = (HEAD)->next, *NEXT = LINK->next; LINK != (HEAD);                     \
         LINK = NEXT, NEXT = LINK->next)
