#include "doorman/door_cache.h"

#include <stdlib.h>

#include "base/buf.h"

#define TEXT_MAX ((size_t)64 * 1024)

struct remembered {
    struct table_node node;
    struct list age_node;
    uint64_t until_ms;
    size_t len;
    unsigned char key[DOOR_KEY_LEN];
    char text[]; /* "name:value\n" of each field */
};

void door_cache_init(struct door_cache *cache, uint64_t keep_ms) {
    table_init(&cache->entries);
    list_init(&cache->by_age);
    cache->keep_ms = keep_ms;
}

static void forget(struct door_cache *cache, struct remembered *entry) {
    table_remove(&cache->entries, &entry->node);
    list_remove(&entry->age_node);
    free(entry);
}

static struct remembered *oldest(const struct door_cache *cache) {
    return list_empty(&cache->by_age) ? NULL : LIST_ENTRY(cache->by_age.next, struct remembered, age_node);
}

void door_cache_done(struct door_cache *cache) {
    for (struct remembered *entry; (entry = oldest(cache));) forget(cache, entry);
    table_done(&cache->entries);
}

/* All are kept equally long: the oldest ends first. */
static void forget_ended(struct door_cache *cache, uint64_t now_ms) {
    for (struct remembered *entry; (entry = oldest(cache)) && entry->until_ms <= now_ms;)
        forget(cache, entry);
}

static struct remembered *find(const struct door_cache *cache, const unsigned char key[DOOR_KEY_LEN]) {
    struct table_node *node = table_get(&cache->entries, view_of(key, DOOR_KEY_LEN));
    return node ? TABLE_ENTRY(node, struct remembered, node) : NULL;
}

bool door_cache_get(struct door_cache *cache, const unsigned char key[DOOR_KEY_LEN], uint64_t now_ms,
                    struct headers *fields) {
    forget_ended(cache, now_ms);
    const struct remembered *entry = find(cache, key);
    if (!entry) return false;
    struct view rest = view_of(entry->text, entry->len), line;
    while (view_split(&rest, '\n', &line)) {
        size_t colon = view_find(line, ':');
        if (line.len && !headers_add(fields, view_slice(line, 0, colon), view_skip(line, colon + 1)))
            return false;
    }
    return true;
}

static struct remembered *remembered_new(const unsigned char key[DOOR_KEY_LEN], struct view text) {
    struct remembered *entry = malloc(sizeof(*entry) + text.len);
    if (!entry) return NULL;
    memset(entry, 0, sizeof(*entry));
    list_init(&entry->age_node);
    memcpy(entry->key, key, DOOR_KEY_LEN);
    entry->len = text.len;
    if (text.len) memcpy(entry->text, text.ptr, text.len);
    return entry;
}

static bool keep(struct door_cache *cache, struct remembered *entry) {
    if (!entry || !table_put(&cache->entries, &entry->node, view_of(entry->key, DOOR_KEY_LEN))) return false;
    list_append(&cache->by_age, &entry->age_node);
    return true;
}

void door_cache_put(struct door_cache *cache, const unsigned char key[DOOR_KEY_LEN], uint64_t now_ms,
                    const struct headers *fields) {
    struct buf text;
    struct remembered *same = find(cache, key);
    if (cache->keep_ms == 0) return;
    if (same) forget(cache, same);
    if (cache->entries.count >= DOOR_CACHE_MAX) forget(cache, oldest(cache));
    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < fields->count; i++)
        buf_printf(&text, "%.*s:%.*s\n", VIEW_ARG(fields->fields[i].name), VIEW_ARG(fields->fields[i].value));
    struct remembered *entry = text.failed ? NULL : remembered_new(key, buf_view(&text));
    if (entry) entry->until_ms = now_ms + cache->keep_ms;
    if (!keep(cache, entry)) free(entry);
    buf_done(&text);
}
