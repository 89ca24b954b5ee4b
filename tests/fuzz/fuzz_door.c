/* libFuzzer target: answers of the service that is asked about visitors. The first line is the status, then
 * fields, then behind an empty line the body. Whatever passes on is made of proper fields within the bounds,
 * and what was remembered is what was said. */
#include "doorman/door_cache.h"
#include "doorman/door_word.h"
#include "fuzz.h"
#include "http/gate.h"

static const struct view told[] = {{"remote-user", 11}, {"x-auth-request-email", 20}};

static bool are_same(const struct headers *a, const struct headers *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (!view_eq(a->fields[i].name, b->fields[i].name) ||
            !view_eq(a->fields[i].value, b->fields[i].value))
            return false;
    return true;
}

static void remember_nothing(const struct headers *fields) {
    static const unsigned char key[DOOR_KEY_LEN] = {1};
    struct door_cache cache;
    struct headers none = {0};
    door_cache_init(&cache, 0);
    door_cache_put(&cache, key, 0, fields);
    require(!door_cache_get(&cache, key, 0, &none));
    door_cache_done(&cache);
}

static void remember(const struct headers *fields, struct arena *arena) {
    static const unsigned char key[DOOR_KEY_LEN] = {1};
    struct door_cache cache;
    struct headers found;
    headers_init(&found, arena);
    door_cache_init(&cache, 1);
    require(!door_cache_get(&cache, key, 0, &found));
    door_cache_put(&cache, key, 0, &found);
    door_cache_put(&cache, key, 0, fields);
    if (door_cache_get(&cache, key, 0, &found)) require(are_same(fields, &found));
    require(!door_cache_get(&cache, key, 1, &found));
    for (unsigned i = 0; i < DOOR_CACHE_MAX + 2 && fields->count == 7; i++) { /* seldom: it takes its time */
        const unsigned char other[DOOR_KEY_LEN] = {2, (unsigned char)i, (unsigned char)(i >> 8),
                                                   (unsigned char)(i >> 16)};
        door_cache_put(&cache, other, 1, fields);
    }
    door_cache_done(&cache);
}

static void check(const struct door_word *word, int status, struct arena *arena) {
    bool is_open = word->says == DOOR_OPEN, is_shut = word->says == DOOR_SHUT;
    require(is_open == (status >= 200 && status < 300) || word->says == DOOR_BROKEN);
    if (is_open) {
        require(gate_check_fields(&word->fields) && gate_check_fields(&word->cookies));
        require(word->fields.bytes <= DOOR_FIELDS_MAX && word->cookies.bytes <= DOOR_FIELDS_MAX);
        remember(&word->fields, arena);
        remember_nothing(&word->fields);
    }
    if (is_shut) require(gate_check_fields(&word->headers) && word->headers.bytes <= DOOR_FIELDS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct view rest = view_of(bytes, len), line = take_line(&rest);
    struct arena arena;
    struct headers headers;
    uint64_t status = 0;
    view_parse_u64(line, &status);
    arena_init(&arena, 1 << 20);
    headers_init(&headers, &arena);
    while ((line = take_line(&rest)).len) {
        size_t colon = view_find(line, ':');
        headers_add(&headers, view_slice(line, 0, colon), view_skip(line, colon + 1));
    }
    struct door_word word = door_word_of((int)(status % 1000), &headers, rest, told, 2, &arena);
    check(&word, (int)(status % 1000), &arena);
    arena_done(&arena);
    return 0;
}
