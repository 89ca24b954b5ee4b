/* The hash table: chains in a power of two of buckets, doubled when there is a node a bucket; SipHash-1-3
 * under a seed that is drawn once a process (https://www.aumasson.jp/siphash/siphash.pdf). */
#include "base/table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/ids.h"

#define FIRST_BUCKETS 16

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s) {
    s->a += s->b;
    s->b = rotate(s->b, 13) ^ s->a;
    s->a = rotate(s->a, 32);
    s->c += s->d;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = rotate(s->b, 17) ^ s->c;
    s->c = rotate(s->c, 32);
}

static inline void sip_word(struct sip *s, uint64_t word) {
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

static uint64_t siphash(struct view key, const uint64_t seed[2]) {
    struct sip s = {seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d, seed[0] ^ 0x6c7967656e657261,
                    seed[1] ^ 0x7465646279746573};
    uint64_t word, last = (uint64_t)key.len << 56;
    size_t at = 0;
    for (; key.len - at >= 8; at += 8) {
        memcpy(&word, key.ptr + at, 8);
        sip_word(&s, word);
    }
    for (size_t i = 0; at + i < key.len; i++) last |= (uint64_t)(unsigned char)key.ptr[at + i] << (8 * i);
    sip_word(&s, last);
    s.c ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

static uint64_t hash_key(struct view key) {
    static uint64_t seed[2];
    static bool seeded;
    if (!seeded) {
        ids_random(seed, sizeof(seed));
        seeded = true;
    }
    return siphash(key, seed);
}

void table_init(struct table *table) {
    *table = (struct table){0};
}

void table_done(struct table *table) {
    free(table->buckets);
    table_init(table);
}

static struct table_node **bucket_of(const struct table *table, uint64_t hash) {
    return &table->buckets[hash & (table->bucket_count - 1)];
}

struct table_node *table_get(const struct table *table, struct view key) {
    if (table->count == 0) return NULL;
    uint64_t hash = hash_key(key);
    for (struct table_node *node = *bucket_of(table, hash); node; node = node->next)
        if (node->hash == hash && view_eq(node->key, key)) return node;
    return NULL;
}

static void link_node(struct table *table, struct table_node *node) {
    struct table_node **bucket = bucket_of(table, node->hash);
    node->next = *bucket;
    *bucket = node;
}

static void grow(struct table *table) {
    struct table bigger = {.bucket_count = table->bucket_count ? table->bucket_count * 2 : FIRST_BUCKETS,
                           .count = table->count};
    bigger.buckets = calloc(bigger.bucket_count, sizeof(*bigger.buckets));
    if (!bigger.buckets) return;
    for (size_t i = 0; i < table->bucket_count; i++)
        for (struct table_node *node = table->buckets[i], *next; node; node = next) {
            next = node->next;
            link_node(&bigger, node);
        }
    free(table->buckets);
    *table = bigger;
}

bool table_put(struct table *table, struct table_node *node, struct view key) {
    /* Without memory to grow, longer chains do; only the very first buckets are indispensable. */
    if (table->count >= table->bucket_count) grow(table);
    if (!table->buckets) return false;
    node->key = key;
    node->hash = hash_key(key);
    link_node(table, node);
    table->count++;
    return true;
}

void table_remove(struct table *table, struct table_node *node) {
    assert(table->count > 0);
    struct table_node **at = bucket_of(table, node->hash);
    while (*at && *at != node) at = &(*at)->next;
    assert(*at == node);
    *at = node->next;
    node->next = NULL;
    table->count--;
}

void table_each(struct table *table, void (*fn)(void *ctx, struct table_node *node), void *ctx) {
    for (size_t i = 0; i < table->bucket_count; i++)
        for (struct table_node *node = table->buckets[i], *next; node; node = next) {
            next = node->next;
            fn(ctx, node);
        }
}

/* A table that grows moves nodes to buckets further back only. */
size_t table_part(const struct table *table, size_t from, size_t most,
                  void (*fn)(void *ctx, struct table_node *node), void *ctx) {
    size_t seen = 0;
    for (; from < table->bucket_count && seen < most; from++)
        for (struct table_node *node = table->buckets[from]; node; node = node->next, seen++) fn(ctx, node);
    return from < table->bucket_count ? from : 0;
}
