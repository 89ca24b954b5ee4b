/* Intrusive doubly linked list. The head is a node of its own; a node that is in no list points to itself. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

/* The struct around a node. */
#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *node) {
    node->prev = node->next = node;
}
static inline bool list_empty(const struct list *head) {
    return head->next == head;
}

static inline void list_append(struct list *head, struct list *node) {
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* Harmless on a node that is in no list. */
static inline void list_remove(struct list *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The first node, taken off; NULL when the list is empty. */
static inline struct list *list_pop(struct list *head) {
    if (list_empty(head)) return NULL;
    struct list *first = head->next;
    list_remove(first);
    return first;
}

/* Moves all nodes of `from` to the empty, initialised list `to`. */
static inline void list_move_all(struct list *to, struct list *from) {
    if (list_empty(from)) return;
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    list_init(from);
}

#endif
