/* Module specifiers in JavaScript, and that nothing else in it is touched. */
#include "filter_conformance.h"
#include "rewrite/text.h"

static const struct rewrite_site site = {.prefix = {"/abc", 4},
                                         .scheme = {"https", 5},
                                         .host = {"t.example", 9},
                                         .service = {"localhost:3000", 14}};

static struct filter *make_module(const struct filter_maker *maker, filter_out_fn out, void *out_ctx) {
    return text_filter_new(TEXT_JS, maker->what, out, out_ctx);
}

static struct filter *make_script(const struct filter_maker *maker, filter_out_fn out, void *out_ctx) {
    return text_filter_new(TEXT_SCRIPT, maker->what, out, out_ctx);
}

static const struct filter_maker module = {make_module, &site}, script = {make_script, &site};

static void check(const char *input, const char *expected) {
    filter_conforms(&module, view_from_cstr(input), view_from_cstr(expected));
}

static void same(const char *input) {
    check(input, input);
}

static void specifiers_are_rewritten(void **state) {
    (void)state;
    check("import '/a.js'", "import '/abc/a.js'");
    check("import a from\"/a.js\";import b,{c as d}from'/b.js'\nimport * as e from '/c.js'",
          "import a from\"/abc/a.js\";import b,{c as d}from'/abc/b.js'\nimport * as e from '/abc/c.js'");
    check("import{from}from'/a';import from from '/b';import {'x y' as z, from as y} from '/c'",
          "import{from}from'/abc/a';import from from '/abc/b';import {'x y' as z, from as y} from '/abc/c'");
    check("export * from '/a';export {a, b as default} from '/b';export * as c from\n'/c'",
          "export * from '/abc/a';export {a, b as default} from '/abc/b';export * as c from\n'/abc/c'");
    check("x = import('/a');y = await import( /* c */ \"/b\", {with: {type: '/json'}})",
          "x = import('/abc/a');y = await import( /* c */ \"/abc/b\", {with: {type: '/json'}})");
    check("import/**/'/a';import a from '\\/b'; import '\\x2fc'",
          "import/**/'/abc/a';import a from '/abc\\/b'; import '/abc\\x2fc'");
    same("import '/abc/a.js';import './a';import 'react';import 'https://cdn.example/x';import "
         "'//cdn.example/y'");
}

static void nothing_else_is(void **state) {
    (void)state;
    same("fetch('/x');a = '/y';b.import('/z');import.meta.url + '/w';c = {import: '/v'}");
    same("// import '/x'\n/* import '/y' */ `import '/z' ${`import '/w'`}`");
    same("'import \"/x\"';\"import '/y'\";export default '/z';export const a = '/w';from('/v')");
    same("Array.from('/x');export {a};from '/y'");
    same("import(x + '/y');import(x`/x`);import(x + `/x`);from`/x`;import`/x`");
    check("import(`/x`);import( `/y/${z}.js`);import(`${a}/x`);import(`a${`/x`}`);`/x`",
          "import(`/abc/x`);import( `/abc/y/${z}.js`);import(`${a}/x`);import(`a${`/x`}`);`/x`");
    check("import(`\\`/x`);import(`\\/x$`);import(`/${a}`)",
          "import(`\\`/x`);import(`/abc\\/x$`);import(`/abc/${a}`)");
}

static void a_slash_divides_or_begins_an_expression(void **state) {
    (void)state;
    check("a = b / c; import '/x'; d / e", "a = b / c; import '/abc/x'; d / e");
    check("a = /'/; import '/x'", "a = /'/; import '/abc/x'");
    check("a = /[/'\\]]/g.test(b); import '/x'", "a = /[/'\\]]/g.test(b); import '/abc/x'");
    check("if (a) /'/.test(b); import '/x'", "if (a) /'/.test(b); import '/abc/x'");
    check("f(a) / 2; g = '/'; import '/x'", "f(a) / 2; g = '/'; import '/abc/x'");
    check("{} /'/.test(a); import '/x'", "{} /'/.test(a); import '/abc/x'");
    check("a = {} / 2; b = '/'; import '/x'", "a = {} / 2; b = '/'; import '/abc/x'");
    check("return /'/; import '/x'", "return /'/; import '/abc/x'");
    check("a++ / 2; b = '/'; import '/x'", "a++ / 2; b = '/'; import '/abc/x'");
    check("a = () => {} \n/'/.test(b); import '/x'", "a = () => {} \n/'/.test(b); import '/abc/x'");
    check("`${{a: `}`}.a}`; import '/x'", "`${{a: `}`}.a}`; import '/abc/x'");
}

static void a_page_may_hold_json(void **state) {
    (void)state;
    const char *input =
        "var a = "
        "{\"ajax\":\"\\/wp-admin\\/x.php\",\"home\":\"https:\\/\\/t.example\\/y\",\"re\":\"\\/(a)\\/\"}"
        ",b = ['\\/x', \"\\/\", \"/x\", \"\\/z\"]; c(\"\\/w\", \"https:\\/\\/cdn.example\\/\")";
    const char *expected =
        "var a = "
        "{\"ajax\":\"/abc\\/wp-admin\\/x.php\",\"home\":\"https:\\/\\/t.example/abc\\/y\",\"re\":\"\\/(a)\\/"
        "\"}"
        ",b = ['\\/x', \"\\/\", \"/x\", \"/abc\\/z\"]; c(\"\\/w\", \"https:\\/\\/cdn.example\\/\")";
    filter_conforms(&script, view_from_cstr(input), view_from_cstr(expected));
    same(input);
}

static void deep_brackets_pass(void **state) {
    (void)state;
    struct buf input;
    buf_init(&input, 1 << 20);
    for (size_t i = 0; i <= JS_DEPTH_MAX; i++) buf_append_byte(&input, i % 2 ? '(' : '{');
    buf_append_view(&input, VIEW("import '/x'"));
    filter_run_same(&module, buf_view(&input), 0, 1, buf_view(&input));
    filter_run_same(&module, buf_view(&input), 0, 1000, buf_view(&input));
    buf_done(&input);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specifiers_are_rewritten),
        cmocka_unit_test(nothing_else_is),
        cmocka_unit_test(a_slash_divides_or_begins_an_expression),
        cmocka_unit_test(a_page_may_hold_json),
        cmocka_unit_test(deep_brackets_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
