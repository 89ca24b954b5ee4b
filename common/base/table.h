/* A hash table from byte strings to entries, intrusive: the entry embeds a `struct table_node` and owns its
 * key. Keys are hashed with a per-process random seed, so that a peer who chooses keys cannot make chains
 * long. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/view.h"

struct table_node {
    struct table_node *next;
    uint64_t hash;
    struct view key; /* borrowed from the entry as long as it is in the table */
};

struct table {
    struct table_node **buckets;
    size_t bucket_count; /* 0 or a power of two */
    size_t count;
};

#define TABLE_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

void table_init(struct table *table);
/* Frees the buckets, not the entries. */
void table_done(struct table *table);

struct table_node *table_get(const struct table *table, struct view key);
/* The key must not be in the table yet. False without memory. */
bool table_put(struct table *table, struct table_node *node, struct view key);
/* The node must be in the table. */
void table_remove(struct table *table, struct table_node *node);

/* The same a part at a time, of as many nodes as `most` or a few more: begins at 0, and returns where the
 * next part does, or 0 behind the last. Between two parts nodes may come and go: who stays is seen, perhaps
 * twice. fn removes nothing. */
size_t table_part(const struct table *table, size_t from, size_t most,
                  void (*fn)(void *ctx, struct table_node *node), void *ctx);

/* Calls fn for each node; fn may remove (and free) the node it is given, nothing else. */
void table_each(struct table *table, void (*fn)(void *ctx, struct table_node *node), void *ctx);

#endif
