/* The header list: order, repeats, set and remove, its byte count, and a full arena. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/headers.h"

static int setup(void **state) {
    static struct arena arena;
    arena_init(&arena, 1024 * 1024);
    *state = &arena;
    return 0;
}

static int teardown(void **state) {
    arena_done(*state);
    return 0;
}

/* "name=value;" for each field, and that `bytes` fits what is there. */
static void assert_fields(const struct headers *headers, const char *expected) {
    char text[1024] = "";
    size_t len = 0, bytes = 0;
    for (size_t i = 0; i < headers->count; i++) {
        const struct header *field = &headers->fields[i];
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s=%.*s;", VIEW_ARG(field->name),
                                VIEW_ARG(field->value));
        bytes += field->name.len + field->value.len + 4;
    }
    assert_string_equal(text, expected);
    assert_int_equal(headers->bytes, bytes);
}

static void fill(struct headers *headers, struct arena *arena) {
    headers_init(headers, arena);
    assert_true(headers_add(headers, VIEW("Host"), VIEW("a.b")));
    assert_true(headers_add(headers, VIEW("X-One"), VIEW("1")));
    assert_true(headers_add(headers, VIEW("Set-Cookie"), VIEW("A=b")));
    assert_true(headers_add(headers, VIEW("x-one"), VIEW("2")));
    assert_true(headers_add(headers, VIEW("X-ONE"), VIEW("")));
}

static void test_add_and_get(void **state) {
    struct headers headers;
    fill(&headers, *state);
    assert_fields(&headers, "host=a.b;x-one=1;set-cookie=A=b;x-one=2;x-one=;");
    assert_true(view_eq(headers_get(&headers, VIEW("x-one")), VIEW("1")));
    assert_null(headers_get(&headers, VIEW("x-two")).ptr);
    assert_null(headers_get(&headers, VIEW("x-on")).ptr);
    assert_int_equal(headers_count(&headers, VIEW("x-one")), 3);
    assert_int_equal(headers_count(&headers, VIEW("x")), 0);
    assert_string_equal(headers.fields[2].name.ptr, "set-cookie");
    assert_string_equal(headers.fields[2].value.ptr, "A=b");
}

static void test_a_value_that_is_empty_is_not_absent(void **state) {
    struct headers headers;
    headers_init(&headers, *state);
    assert_true(headers_add(&headers, VIEW("x"), (struct view){NULL, 0}));
    assert_non_null(headers_get(&headers, VIEW("x")).ptr);
    assert_int_equal(headers_get(&headers, VIEW("x")).len, 0);
}

static void test_the_bytes_are_copied(void **state) {
    struct headers headers;
    char name[] = "X-Name", value[] = "value";
    headers_init(&headers, *state);
    headers_add(&headers, view_from_cstr(name), view_from_cstr(value));
    memset(name, '#', 6), memset(value, '#', 5);
    assert_fields(&headers, "x-name=value;");
}

static void test_set(void **state) {
    struct headers headers;
    fill(&headers, *state);
    assert_true(headers_set(&headers, VIEW("x-one"), VIEW("new")));
    assert_fields(&headers, "host=a.b;x-one=new;set-cookie=A=b;");
    assert_true(headers_set(&headers, VIEW("X-Two"), VIEW("2")));
    assert_true(headers_set(&headers, VIEW("host"), headers_get(&headers, VIEW("host"))));
    assert_fields(&headers, "host=a.b;x-one=new;set-cookie=A=b;x-two=2;");
    assert_true(headers_set(&headers, VIEW("host"), VIEW("")));
    assert_fields(&headers, "host=;x-one=new;set-cookie=A=b;x-two=2;");
}

static void test_remove(void **state) {
    struct headers headers;
    fill(&headers, *state);
    assert_int_equal(headers_remove(&headers, VIEW("x-one")), 3);
    assert_int_equal(headers_remove(&headers, VIEW("x-one")), 0);
    assert_fields(&headers, "host=a.b;set-cookie=A=b;");
    assert_int_equal(headers_remove(&headers, VIEW("host")), 1);
    assert_int_equal(headers_remove(&headers, VIEW("set-cookie")), 1);
    assert_fields(&headers, "");
    assert_true(headers_add(&headers, VIEW("a"), VIEW("b")));
    assert_fields(&headers, "a=b;");
}

static bool has_digit(void *ctx, const struct header *field) {
    (*(int *)ctx)++;
    return field->value.len == 1;
}

static void test_remove_if(void **state) {
    struct headers headers;
    int calls = 0;
    fill(&headers, *state);
    assert_int_equal(headers_remove_if(&headers, has_digit, &calls), 2);
    assert_int_equal(calls, 5);
    assert_fields(&headers, "host=a.b;set-cookie=A=b;x-one=;");
}

static void test_has_token(void **state) {
    struct headers headers;
    headers_init(&headers, *state);
    headers_add(&headers, VIEW("connection"), VIEW("keep-alive"));
    headers_add(&headers, VIEW("connection"), VIEW(" foo ,\tUpGrade\t,, x-upgrade"));
    struct view name = VIEW("connection");
    assert_true(headers_has_token(&headers, name, VIEW("upgrade")));
    assert_true(headers_has_token(&headers, name, VIEW("Keep-Alive")));
    assert_true(headers_has_token(&headers, name, VIEW("x-upgrade")));
    assert_false(headers_has_token(&headers, name, VIEW("keep")));
    assert_false(headers_has_token(&headers, name, VIEW("alive")));
    assert_false(headers_has_token(&headers, VIEW("upgrade"), VIEW("foo")));
}

static void test_many_and_copy(void **state) {
    struct headers from, to;
    headers_init(&from, *state);
    headers_init(&to, *state);
    for (int i = 0; i < 300; i++) {
        char name[16], value[16];
        snprintf(name, sizeof(name), "n%d", i);
        snprintf(value, sizeof(value), "%d", i * i);
        assert_true(headers_add(&from, view_from_cstr(name), view_from_cstr(value)));
    }
    assert_true(headers_add(&to, VIEW("first"), VIEW("")));
    assert_true(headers_copy(&to, &from));
    assert_int_equal(to.count, 301);
    assert_int_equal(to.bytes, from.bytes + 9);
    assert_true(view_eq(headers_get(&to, VIEW("n299")), VIEW("89401")));
    assert_true(headers_copy(&from, &from));
    assert_int_equal(from.count, 600);
}

static void test_full_arena(void **state) {
    (void)state;
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 16 * sizeof(struct header) + 64);
    headers_init(&headers, &arena);
    assert_true(headers_add(&headers, VIEW("a"), VIEW("1")));
    size_t bytes = headers.bytes;
    char large[100];
    memset(large, 'x', sizeof(large));
    assert_false(headers_add(&headers, VIEW("b"), view_of(large, sizeof(large))));
    assert_false(headers_set(&headers, VIEW("a"), view_of(large, sizeof(large))));
    assert_int_equal(headers.count, 1);
    assert_int_equal(headers.bytes, bytes);
    assert_true(view_eq(headers_get(&headers, VIEW("a")), VIEW("1")));
    arena_done(&arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void test_content_length(void **state) {
    (void)state;
    static const struct {
        struct view value;
        bool is_length;
        uint64_t bytes;
    } rows[] = {
        {{NULL, 0}, false, 7},
        {{"", 0}, false, 7},
        {{"0", 1}, true, 0},
        {{" 12\t", 4}, true, 12},
        {{"-1", 2}, false, 7},
        {{"1, 1", 4}, false, 7},
        {{"9223372036854775807", 19}, true, INT64_MAX},
        {{"9223372036854775808", 19}, false, 7},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t bytes = 7;
        assert_true(http_content_length(rows[i].value, &bytes) == rows[i].is_length);
        assert_int_equal(bytes, rows[i].bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_length),
        TEST(test_add_and_get),
        TEST(test_a_value_that_is_empty_is_not_absent),
        TEST(test_the_bytes_are_copied),
        TEST(test_set),
        TEST(test_remove),
        TEST(test_remove_if),
        TEST(test_has_token),
        TEST(test_many_and_copy),
        TEST(test_full_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
