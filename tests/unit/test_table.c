/* The table: growth, removal, keys with any bytes, and removal while walking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/table.h"

enum { ENTRIES = 20000 };

struct entry {
    struct table_node node;
    char key[24];
    bool present;
};

static struct entry *entry_new(size_t i) {
    struct entry *entry = calloc(1, sizeof(*entry));
    snprintf(entry->key, sizeof(entry->key), "key-%zu", i);
    return entry;
}

static struct view key_of(const struct entry *entry) {
    return view_from_cstr(entry->key);
}

static void test_empty(void **state) {
    (void)state;
    struct table table;
    table_init(&table);
    assert_null(table_get(&table, VIEW("x")));
    assert_null(table_get(&table, (struct view){NULL, 0}));
    table_each(&table, NULL, NULL);
    table_done(&table);
}

static void test_growth_and_removal(void **state) {
    (void)state;
    static struct entry *entries[ENTRIES];
    struct table table;
    table_init(&table);
    for (size_t i = 0; i < ENTRIES; i++) {
        entries[i] = entry_new(i);
        assert_null(table_get(&table, key_of(entries[i])));
        assert_true(table_put(&table, &entries[i]->node, key_of(entries[i])));
    }
    assert_int_equal(table.count, ENTRIES);
    assert_true(table.bucket_count >= ENTRIES);
    assert_int_equal(table.bucket_count & (table.bucket_count - 1), 0);
    for (size_t i = 0; i < ENTRIES; i += 2) table_remove(&table, &entries[i]->node);
    for (size_t i = 0; i < ENTRIES; i++) {
        struct table_node *node = table_get(&table, key_of(entries[i]));
        assert_ptr_equal(node, i % 2 ? &entries[i]->node : NULL);
    }
    assert_int_equal(table.count, ENTRIES / 2);
    for (size_t i = 0; i < ENTRIES; i += 2)
        assert_true(table_put(&table, &entries[i]->node, key_of(entries[i])));
    for (size_t i = 0; i < ENTRIES; i++) {
        assert_ptr_equal(TABLE_ENTRY(table_get(&table, key_of(entries[i])), struct entry, node), entries[i]);
        table_remove(&table, &entries[i]->node);
        free(entries[i]);
    }
    assert_int_equal(table.count, 0);
    table_done(&table);
}

static void test_random_run_against_flags(void **state) {
    (void)state;
    enum { KEYS = 500 };
    struct entry *entries[KEYS];
    struct table table;
    size_t count = 0;
    table_init(&table);
    srand(3);
    for (size_t i = 0; i < KEYS; i++) entries[i] = entry_new(i);
    for (int step = 0; step < 50000; step++) {
        struct entry *entry = entries[rand() % KEYS];
        if (entry->present)
            table_remove(&table, &entry->node), count--;
        else
            assert_true(table_put(&table, &entry->node, key_of(entry))), count++;
        entry->present = !entry->present;
        struct entry *other = entries[rand() % KEYS];
        assert_ptr_equal(table_get(&table, key_of(other)), other->present ? &other->node : NULL);
        assert_int_equal(table.count, count);
    }
    table_done(&table);
    for (size_t i = 0; i < KEYS; i++) free(entries[i]);
}

static void test_keys_of_any_bytes(void **state) {
    (void)state;
    static const struct view keys[] = {{"", 0},         {"\0", 1},         {"\0\0", 2},     {"a\0b", 3},
                                       {"a\0c", 3},     {"12345678", 8},   {"1234567", 7},  {"123456789", 9},
                                       {"\xff\xfe", 2}, {"12345678\0", 9}, {"1234567\0", 8}};
    enum { COUNT = sizeof(keys) / sizeof(keys[0]) };
    struct table_node nodes[COUNT];
    struct table table;
    table_init(&table);
    for (size_t i = 0; i < COUNT; i++) assert_true(table_put(&table, &nodes[i], keys[i]));
    for (size_t i = 0; i < COUNT; i++) assert_ptr_equal(table_get(&table, keys[i]), &nodes[i]);
    assert_null(table_get(&table, VIEW("a")));
    assert_null(table_get(&table, VIEW("a\0b\0")));
    table_done(&table);
}

static void test_chains_stay_short(void **state) {
    (void)state;
    static struct entry *entries[ENTRIES];
    struct table table;
    size_t longest = 0;
    table_init(&table);
    for (size_t i = 0; i < ENTRIES; i++) {
        entries[i] = entry_new(i);
        table_put(&table, &entries[i]->node, key_of(entries[i]));
    }
    for (size_t i = 0; i < table.bucket_count; i++) {
        size_t chain = 0;
        for (struct table_node *node = table.buckets[i]; node; node = node->next) chain++;
        if (chain > longest) longest = chain;
    }
    assert_in_range(longest, 2, 12);
    table_done(&table);
    for (size_t i = 0; i < ENTRIES; i++) free(entries[i]);
}

struct walk {
    struct table *table;
    size_t seen;
};

static void free_odd(void *ctx, struct table_node *node) {
    struct walk *walk = ctx;
    struct entry *entry = TABLE_ENTRY(node, struct entry, node);
    walk->seen++;
    if (strtol(entry->key + 4, NULL, 10) % 2 == 0) return;
    table_remove(walk->table, node);
    free(entry);
}

static void free_all(void *ctx, struct table_node *node) {
    struct walk *walk = ctx;
    walk->seen++;
    table_remove(walk->table, node);
    free(TABLE_ENTRY(node, struct entry, node));
}

static void test_removal_while_walking(void **state) {
    (void)state;
    struct table table;
    struct walk walk = {&table, 0};
    table_init(&table);
    for (size_t i = 0; i < 1000; i++) {
        struct entry *entry = entry_new(i);
        table_put(&table, &entry->node, key_of(entry));
    }
    table_each(&table, free_odd, &walk);
    assert_int_equal(walk.seen, 1000);
    assert_int_equal(table.count, 500);
    assert_null(table_get(&table, VIEW("key-1")));
    assert_non_null(table_get(&table, VIEW("key-2")));
    walk.seen = 0;
    table_each(&table, free_all, &walk);
    assert_int_equal(walk.seen, 500);
    assert_int_equal(table.count, 0);
    table_done(&table);
}

static void note(void *ctx, struct table_node *node) {
    size_t *calls = ctx;
    struct entry *entry = TABLE_ENTRY(node, struct entry, node);
    entry->present = true;
    ++*calls;
}

/* Whoever is there from begin to end is seen, though the table grows meanwhile. */
static void test_parts(void **state) {
    (void)state;
    struct table table;
    struct entry *entries[1000];
    struct walk walk = {&table, 0};
    size_t calls = 0, parts = 0, from = 0, made = 0;
    table_init(&table);
    assert_int_equal(table_part(&table, 0, 10, note, &calls), 0);
    for (; made < 300; made++) {
        entries[made] = entry_new(made);
        table_put(&table, &entries[made]->node, key_of(entries[made]));
    }
    do {
        size_t before = calls;
        from = table_part(&table, from, 10, note, &calls);
        assert_in_range(calls - before, 0, 30);
        parts++;
        for (size_t i = 0; i < 20 && made < 1000; i++, made++) {
            entries[made] = entry_new(made);
            table_put(&table, &entries[made]->node, key_of(entries[made]));
        }
    } while (from);
    assert_true(parts >= 30);
    for (size_t i = 0; i < 300; i++) assert_true(entries[i]->present);
    assert_int_equal(table_part(&table, 1u << 30, 10, note, &calls), 0);
    table_each(&table, free_all, &walk);
    table_done(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_growth_and_removal),
        cmocka_unit_test(test_random_run_against_flags),
        cmocka_unit_test(test_keys_of_any_bytes),
        cmocka_unit_test(test_chains_stay_short),
        cmocka_unit_test(test_removal_while_walking),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
