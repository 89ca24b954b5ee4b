/* The arena: alignment, its maximum to the byte, many sizes, and copies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

static void test_alignment_and_distinctness(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 16 * 1024 * 1024);
    unsigned char *kept[2000];
    size_t sizes[2000];
    for (size_t i = 0; i < 2000; i++) {
        sizes[i] = i % 100 == 99 ? 70000 : (i * 37) % 900;
        kept[i] = arena_alloc(&arena, sizes[i]);
        assert_non_null(kept[i]);
        assert_int_equal((uintptr_t)kept[i] % 16, 0);
        memset(kept[i], (int)(i % 255), sizes[i]);
    }
    for (size_t i = 0; i < 2000; i++)
        for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(kept[i][j], i % 255);
    arena_done(&arena);
    assert_null(arena.blocks);
    assert_int_equal(arena.used_bytes, 0);
}

static void test_a_large_block_leaves_the_first_in_use(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024 * 1024);
    char *first = arena_alloc(&arena, 16);
    assert_non_null(arena_alloc(&arena, 200000));
    char *second = arena_alloc(&arena, 16);
    assert_ptr_equal(second, first + 16);
    arena_done(&arena);
}

static void test_maximum(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    assert_non_null(arena_alloc(&arena, 33));
    assert_int_equal(arena.used_bytes, 48);
    assert_null(arena_alloc(&arena, 17));
    assert_non_null(arena_alloc(&arena, 16));
    assert_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, 0));
    arena_done(&arena);
    assert_null(arena_alloc(&arena, 65));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 8));
    assert_non_null(arena_alloc(&arena, 64));
    arena_done(&arena);
    arena_init(&arena, SIZE_MAX);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_non_null(arena_alloc(&arena, 100));
    arena_done(&arena);
    arena_init(&arena, 20);
    assert_null(arena_alloc(&arena, 20));
    arena_done(&arena);
}

static void test_calloc_is_zero(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 100000);
    char *dirty = arena_alloc(&arena, 1000);
    memset(dirty, 0xff, 1000);
    arena_done(&arena);
    const char *clean = arena_calloc(&arena, 1000);
    for (size_t i = 0; i < 1000; i++) assert_int_equal(clean[i], 0);
    assert_null(arena_calloc(&arena, 100000));
    arena_done(&arena);
}

static void test_copies(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 2000);
    struct view copy = arena_copy(&arena, VIEW("a\0b"));
    assert_true(view_eq(copy, VIEW("a\0b")));
    assert_int_equal(copy.ptr[3], '\0');
    struct view empty = arena_copy(&arena, (struct view){NULL, 0});
    assert_non_null(empty.ptr);
    assert_int_equal(empty.len, 0);
    struct view text = arena_printf(&arena, "%s-%d", "x", 42);
    assert_true(view_eq(text, VIEW("x-42")));
    struct view longer = arena_printf(&arena, "%1000d", 7);
    assert_int_equal(longer.len, 1000);
    assert_int_equal(longer.ptr[999], '7');
    assert_int_equal(longer.ptr[1000], '\0');
    assert_null(arena_printf(&arena, "%1000d", 7).ptr);
    assert_null(arena_copy(&arena, view_of(longer.ptr, 1000)).ptr);
    assert_non_null(arena_copy(&arena, VIEW("short")).ptr);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_distinctness),
        cmocka_unit_test(test_a_large_block_leaves_the_first_in_use),
        cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_calloc_is_zero),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
