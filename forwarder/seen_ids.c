#include "seen_ids.h"

#include <stdlib.h>

struct seen_id {
    struct table_node in_table;
    struct list node;
    char bytes[];
};

void seen_ids_init(struct seen_ids *seen) {
    table_init(&seen->table);
    list_init(&seen->oldest_first);
}

static void forget_oldest(struct seen_ids *seen) {
    struct seen_id *entry = LIST_ENTRY(list_pop(&seen->oldest_first), struct seen_id, node);
    table_remove(&seen->table, &entry->in_table);
    free(entry);
}

void seen_ids_done(struct seen_ids *seen) {
    while (!list_empty(&seen->oldest_first)) forget_oldest(seen);
    table_done(&seen->table);
}

bool seen_ids_add(struct seen_ids *seen, struct view id) {
    if (table_get(&seen->table, id)) return false;
    struct seen_id *entry = malloc(sizeof(*entry) + id.len);
    if (!entry) return true;
    if (id.len) memcpy(entry->bytes, id.ptr, id.len);
    if (!table_put(&seen->table, &entry->in_table, view_of(entry->bytes, id.len))) {
        free(entry);
        return true;
    }
    list_append(&seen->oldest_first, &entry->node);
    if (seen->table.count > SEEN_IDS_MAX) forget_oldest(seen);
    return true;
}
