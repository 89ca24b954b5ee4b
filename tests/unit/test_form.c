/* Forms' bodies, as browsers write them and as nobody should. */
#include <stdio.h>

#include "base/buf.h"
#include "cmocka_setup.h"
#include "http/form.h"

static const struct {
    const char *form, *pairs; /* as "name>value|" */
} rows[] = {
    {"", ""},
    {"a=b", "a>b|"},
    {"a=b&c=d", "a>b|c>d|"},
    {"a+b=c+d", "a b>c d|"},
    {"a%2Bb=%26%3d", "a+b>&=|"},
    {"a", "a>|"},
    {"a=", "a>|"},
    {"=b", ">b|"},
    {"a=b=c", "a>b=c|"},
    {"&&a=b&&", "a>b|"},
    {"a=%", "a>%|"},
    {"a=%4", "a>%4|"},
    {"a=%zz%41", "a>%zzA|"},
    {"a=%C3%A9", "a>\xc3\xa9|"},
};

static void test_pairs(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        struct buf out;
        struct view rest = view_from_cstr(rows[i].form), name, value;
        arena_init(&arena, 4096);
        buf_init(&out, 4096);
        while (form_next(&rest, &arena, &name, &value))
            buf_printf(&out, "%.*s>%.*s|", VIEW_ARG(name), VIEW_ARG(value));
        if (!view_eq(buf_view(&out), view_from_cstr(rows[i].pairs)))
            fail_msg("%s: %.*s", rows[i].form, VIEW_ARG(buf_view(&out)));
        buf_done(&out);
        arena_done(&arena);
    }
}

static void test_get(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    struct view form = VIEW("a=1&b=2&a=3&%63=4");
    assert_true(view_eq(form_get(form, VIEW("a"), &arena), VIEW("1")));
    assert_true(view_eq(form_get(form, VIEW("c"), &arena), VIEW("4")));
    assert_null(form_get(form, VIEW("d"), &arena).ptr);
    arena_done(&arena);
    arena_init(&arena, 8);
    assert_null(form_get(VIEW("abcdefghijklmnopqrstuvwxyz=1"), VIEW("a"), &arena).ptr); /* no memory */
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs), cmocka_unit_test(test_get)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
