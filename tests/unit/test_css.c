/* URLs in CSS: css-parsing-tests' component values, each cut at every byte, and what is rewritten. The tests
 * are not part of the repository: TTF_TEST_DATA_CSS names their folder, else ../shared/data/css beside it is
 * looked at. */
#include <jansson.h>
#include <stdio.h>

#include "filter_conformance.h"
#include "rewrite/text.h"

static const struct rewrite_site site = {.prefix = {"/abc", 4},
                                         .scheme = {"https", 5},
                                         .host = {"t.example", 9},
                                         .service = {"localhost:3000", 14}};

static struct filter *make(const struct filter_maker *maker, filter_out_fn out, void *out_ctx) {
    return text_filter_new(TEXT_CSS, maker->what, out, out_ctx);
}

static const struct filter_maker css_maker = {make, &site};

static void check(const char *input, const char *expected) {
    filter_conforms(&css_maker, view_from_cstr(input), view_from_cstr(expected));
}

static void same(const char *input) {
    check(input, input);
}

static void urls_are_rewritten(void **state) {
    (void)state;
    check("a{b:url(/x) url( /y ) URL('/z') url(\t\"/w\"\n)}",
          "a{b:url(/abc/x) url( /abc/y ) URL('/abc/z') url(\t\"/abc/w\"\n)}");
    check("@import '/a.css';@import \"/b.css\" print;@IMPORT url(/c.css);b{c:'/d'}",
          "@import '/abc/a.css';@import \"/abc/b.css\" print;@IMPORT url(/abc/c.css);b{c:'/d'}");
    check("a{b:image-set('/a' 1x,url(/b) 2x,'/c' type('/d')) '/e';c:-webkit-image-set(\"/f\" 1x)}",
          "a{b:image-set('/abc/a' 1x,url(/abc/b) 2x,'/abc/c' type('/d')) '/e';c:-webkit-image-set(\"/abc/f\" "
          "1x)}");
    check("url(https://t.example/x) url(//localhost:3000/y) url(http://localhost:3000)",
          "url(https://t.example/abc/x) url(//t.example/abc/y) url(https://t.example/abc/)");
}

static void escapes_are_read_and_stay(void **state) {
    (void)state;
    check("\\75 rl(/x) u\\52 l('/y') \\u\\000072\r\nl(/z)",
          "\\75 rl(/abc/x) u\\52 l('/abc/y') \\u\\000072\r\nl(/abc/z)");
    check("url(\\2f x) url('\\/x') url('\\\n/x') url('\\00002F\tx')",
          "url(/abc\\2f x) url('/abc\\/x') url('\\\n/abc/x') url('/abc\\00002F\tx')");
    same("url(\\2f\\2f x/y) url('/\\/x') url(\\/abc/x)");
    check("@\\69mport '/x'", "@\\69mport '/abc/x'");
    check("url(\\2f\r\nx) url(\\00002f a)", "url(/abc\\2f\r\nx) url(/abc\\00002f a)");
    same("\\@import '/x' url\\(/x)");
}

static void all_else_stays(void **state) {
    (void)state;
    same("/* url(/x) */ 'url(/x)' \"@import '/x'\" xurl(/x) -url(/x) 1url(/x) #url(/x) url (/x) src(/x)");
    same("@namespace url(/x);@namespace a '/x';@imports '/x';@import;'/x'");
    same("url(/a b) url(/a'b) url(/a\"b) url(/a(b) url(/a\\\nb) url(/\1)");
    same("url('/a\n) '/b'");
    same("url(x) url(#x) url(data:image/svg+xml;utf8,/x) url() url('') url(");
    check("/**/url(/x)/***/url(/y)/", "/**/url(/abc/x)/***/url(/abc/y)/");
    check("url(/x", "url(/abc/x");
    check("url('/x", "url('/abc/x");
}

static void what_is_too_long_is_decided_by_its_head(void **state) {
    (void)state;
    struct buf input, expected;
    for (size_t len = URL_FOUND_MAX - 5; len < URL_FOUND_MAX + 5; len++) {
        buf_init(&input, 1 << 20);
        buf_init(&expected, 1 << 20);
        buf_append_view(&input, VIEW("a{b:url("));
        buf_append_view(&expected, VIEW("a{b:url(/abc"));
        for (size_t i = 0; i < len; i++) buf_append_byte(&input, i ? 'x' : '/');
        for (size_t i = 0; i < len; i++) buf_append_byte(&expected, i ? 'x' : '/');
        buf_append_view(&input, VIEW(") url(/y)"));
        buf_append_view(&expected, VIEW(") url(/abc/y)"));
        for (size_t step = 1; step < 10000; step *= 3)
            filter_run_same(&css_maker, buf_view(&input), 0, step, buf_view(&expected));
        buf_done(&input);
        buf_done(&expected);
    }
}

/* ---- css-parsing-tests ---- */

static void found_text(void *ctx, struct view text) {
    (void)ctx;
    assert_true(text.len > 0);
}

/* Decoded, a line each. */
static void found_url(void *ctx, struct view raw, enum url_role role) {
    (void)role;
    int byte;
    for (size_t at = 0; at < raw.len;) {
        at += css_char(raw, at, &byte);
        if (byte >= 0) buf_append_byte(ctx, (char)byte);
    }
    buf_append_byte(ctx, '\n');
}

static struct view string_of(const json_t *value) {
    return view_of(json_string_value(value), json_string_length(value));
}

/* The URLs that a list of component values holds: <url>, and the string that is first in url() or in @import.
 */
static void expect(const json_t *values, struct buf *urls) {
    size_t index;
    json_t *value;
    if (!json_is_array(values)) return;
    struct view kind = string_of(json_array_get(values, 0));
    if (view_eq(kind, VIEW("url")) && string_of(json_array_get(values, 1)).len) {
        buf_append_view(urls, string_of(json_array_get(values, 1)));
        buf_append_byte(urls, '\n');
    }
    if (view_eq(kind, VIEW("function")) &&
        view_eq_nocase(string_of(json_array_get(values, 1)), VIEW("url"))) {
        const json_t *first = json_array_get(values, 2);
        if (json_is_string(first)) first = json_array_get(values, 3); /* after white space */
        struct view text = string_of(json_array_get(first, 1));
        if (view_eq(string_of(json_array_get(first, 0)), VIEW("string")) && text.len) {
            buf_append_view(urls, text);
            buf_append_byte(urls, '\n');
        }
        return;
    }
    if (view_eq(kind, VIEW("at-rule")) && view_eq(string_of(json_array_get(values, 1)), VIEW("import"))) {
        json_array_foreach(json_array_get(values, 2), index, value) {
            if (!view_eq(string_of(json_array_get(value, 0)), VIEW("string"))) continue;
            buf_append_view(urls, string_of(json_array_get(value, 1)));
            buf_append_byte(urls, '\n');
            return;
        }
    }
    json_array_foreach((json_t *)values, index, value) expect(value, urls);
}

/* Compared are characters of ASCII; white space at the end of an unquoted URL is held as part of it. */
static void tidy(const struct buf *from, struct buf *to) {
    struct view rest = buf_view(from), line;
    while (view_split(&rest, '\n', &line)) {
        while (line.len && strchr(" \t\r\f", line.ptr[line.len - 1])) line.len--;
        for (size_t i = 0; i < line.len; i++)
            if ((unsigned char)line.ptr[i] < 0x80 && line.ptr[i]) buf_append_byte(to, line.ptr[i]);
        if (line.len) buf_append_byte(to, '\n');
    }
}

static void find(struct view input, size_t cut, struct buf *urls) {
    struct css css;
    struct url_found found = {found_text, found_url, urls};
    css_init(&css, &found);
    if (cut) css_feed(&css, view_slice(input, 0, cut));
    if (cut < input.len) css_feed(&css, view_skip(input, cut));
    css_end(&css);
}

static void check_found(struct view input, const json_t *values) {
    struct buf expected, expected_tidy;
    buf_init(&expected, 1 << 20);
    buf_init(&expected_tidy, 1 << 20);
    expect(values, &expected);
    tidy(&expected, &expected_tidy);
    for (size_t cut = 0; cut <= input.len; cut++) {
        struct buf urls, urls_tidy;
        buf_init(&urls, 1 << 20);
        buf_init(&urls_tidy, 1 << 20);
        find(input, cut, &urls);
        tidy(&urls, &urls_tidy);
        if (!view_eq(buf_view(&urls_tidy), buf_view(&expected_tidy)))
            fail_msg("cut at %zu: \"%.*s\"\ngave\n%.*snot\n%.*s", cut, VIEW_ARG(input),
                     VIEW_ARG(buf_view(&urls_tidy)), VIEW_ARG(buf_view(&expected_tidy)));
        buf_done(&urls);
        buf_done(&urls_tidy);
    }
    buf_done(&expected);
    buf_done(&expected_tidy);
}

static size_t run_file(const char *folder, const char *name) {
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    json_t *file = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!file) return 0;
    size_t count = json_array_size(file) / 2;
    for (size_t i = 0; i < count; i++)
        check_found(string_of(json_array_get(file, 2 * i)), json_array_get(file, 2 * i + 1));
    json_decref(file);
    return count;
}

static void the_public_tests_find_what_they_expect(void **state) {
    (void)state;
    const char *folder = getenv("TTF_TEST_DATA_CSS");
    if (!folder) folder = TEST_DATA "/../../shared/data/css";
    size_t count = run_file(folder, "component_value_list.json");
    if (!count) {
        print_message("skipped: nothing in %s (TTF_TEST_DATA_CSS names it)\n", folder);
        skip();
    }
    count += run_file(folder, "stylesheet.json") + run_file(folder, "declaration_list.json");
    print_message("%zu of the public tests\n", count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_rewritten),
        cmocka_unit_test(escapes_are_read_and_stay),
        cmocka_unit_test(all_else_stays),
        cmocka_unit_test(what_is_too_long_is_decided_by_its_head),
        cmocka_unit_test(the_public_tests_find_what_they_expect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
