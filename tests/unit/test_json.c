/* URLs in JSON: absolute ones everywhere, paths where they are known to be URLs. */
#include "filter_conformance.h"
#include "rewrite/text.h"

static const struct rewrite_site site = {.prefix = {"/abc", 4},
                                         .scheme = {"https", 5},
                                         .host = {"t.example", 9},
                                         .service = {"localhost:3000", 14}};

static struct filter *make(const struct filter_maker *maker, filter_out_fn out, void *out_ctx) {
    return text_filter_new(*(const enum text_language *)maker->what, &site, out, out_ctx);
}

static void check(enum text_language language, const char *input, const char *expected) {
    const struct filter_maker maker = {make, &language};
    filter_conforms(&maker, view_from_cstr(input), view_from_cstr(expected));
}

static void same(enum text_language language, const char *input) {
    check(language, input, input);
}

static void our_own_origin_is_found_everywhere(void **state) {
    (void)state;
    check(TEXT_JSON,
          "{\"root\":\"https://t.example\",\"a\":[\"http:\\/\\/localhost:3000\\/x\",\"//t.example/y\"]}",
          "{\"root\":\"https://t.example/abc\",\"a\":[\"https://t.example/abc\\/x\",\"//t.example/y\"]}");
    check(TEXT_JSON, "\"https://t.example/x.tgz\"", "\"https://t.example/abc/x.tgz\"");
    same(
        TEXT_JSON,
        "{\"https://t.example/k\":\"/x\",\"b\":\"see https://t.example/\",\"c\":\"https://other.example/\"}");
    same(TEXT_JSON,
         "{\"url\":\"/x\",\"servers\":[{\"url\":\"/x\"}],\"basePath\":\"/x\",\"host\":\"localhost:3000\"}");
    same(TEXT_JSON, "[\"\\u002fx\", \" /x\", \"\", \"\\\\x\", 1, null, tru");
}

static void descriptions_of_interfaces(void **state) {
    (void)state;
    check(TEXT_JSON,
          "{\"openapi\":\"3.1.0\",\"servers\":[{\"url\":\"/\",\"x\":\"/y\"},{\"url\":\"\\/"
          "api\"}],\"paths\":{\"/x\":{\"servers\":"
          "[{\"url\":\"/z\"},\"/s\"],\"url\":\"/u\"}},\"c\":{\"tokenUrl\":\"/token\"}}",
          "{\"openapi\":\"3.1.0\",\"servers\":[{\"url\":\"/abc\",\"x\":\"/y\"},{\"url\":\"/abc\\/"
          "api\"}],\"paths\":{\"/x\":{"
          "\"servers\":[{\"url\":\"/abc/z\"},\"/s\"],\"url\":\"/u\"}},\"c\":{\"tokenUrl\":\"/abc/token\"}}");
    check(TEXT_JSON,
          "{\"swagger\":\"2.0\",\"host\":\"localhost:3000\",\"basePath\":\"/v1\",\"a\":{\"basePath\":\"/"
          "v1\",\"host\":\"localhost:3000\"}}",
          "{\"swagger\":\"2.0\",\"host\":\"t.example\",\"basePath\":\"/abc/v1\",\"a\":{\"basePath\":\"/"
          "v1\",\"host\":\"localhost:3000\"}}");
    same(TEXT_JSON, "{\"a\":{\"openapi\":\"3\"},\"servers\":[{\"url\":\"/\"}]}");
}

static void descriptions_that_say_so_late(void **state) {
    (void)state;
    check(TEXT_JSON_API, "{\"basePath\":\"/v1\",\"host\":\"localhost:3000\",\"swagger\":\"2.0\"}",
          "{\"basePath\":\"/abc/v1\",\"host\":\"t.example\",\"swagger\":\"2.0\"}");
    check(TEXT_JSON_API, "{\"a\":{\"basePath\":\"/v1\"},\"servers\":[{\"url\":\"/\"}]}",
          "{\"a\":{\"basePath\":\"/v1\"},\"servers\":[{\"url\":\"/abc\"}]}");
}

static void integrity_in_import_maps_names_nothing_any_more(void **state) {
    (void)state;
    check(
        TEXT_JSON_URLS,
        "{\"imports\":{\"integrity\":\"/i\",\"/x\":\"/y\"},\"integrity\":{\"/x\":\"sha256-a\"}}",
        "{\"imports\":{\"integrity\":\"/abc/i\",\"/abc/x\":\"/abc/y\"},\"integrity\":{\"/x\":\"sha256-a\"}}");
}

static void manifests(void **state) {
    (void)state;
    check(TEXT_MANIFEST,
          "{\"start_url\":\"/\",\"scope\":\"/\",\"id\":\"/?a\",\"name\":\"/n\",\"icons\":[{\"src\":\"/"
          "i.png\"}],"
          "\"shortcuts\":[{\"url\":\"/s\"}],\"share_target\":{\"action\":\"/t\"}}",
          "{\"start_url\":\"/abc/\",\"scope\":\"/abc/\",\"id\":\"/abc/?a\",\"name\":\"/"
          "n\",\"icons\":[{\"src\":\"/abc/i.png\"}],"
          "\"shortcuts\":[{\"url\":\"/abc/s\"}],\"share_target\":{\"action\":\"/abc/t\"}}");
}

static void paths_where_they_are_asked_for(void **state) {
    (void)state;
    check(TEXT_JSON_ASKED,
          "[\"/api\",\"/api/x\",\"\\/v2\\/y\",\"/docs?x\",\"/apis\",\"/x.json\",\"/y.yaml\",\"/z.yml\",\"/"
          "w\",\"x.json\",\"/abc/api\"]",
          "[\"/abc/api\",\"/abc/api/x\",\"/abc\\/v2\\/y\",\"/abc/docs?x\",\"/apis\",\"/abc/x.json\",\"/abc/"
          "y.yaml\",\"/abc/z.yml\",\"/w\",\"x.json\",\"/abc/api\"]");
    same(TEXT_JSON_ASKED, "{\"/api\":{\"/x.json\":1}}");
}

static void depth_and_length_are_bounded(void **state) {
    (void)state;
    struct buf input;
    enum text_language language = TEXT_JSON;
    const struct filter_maker maker = {make, &language};
    buf_init(&input, 1 << 20);
    buf_append_view(&input, VIEW("{\"openapi\":\"3\",\"servers\":"));
    for (size_t i = 0; i < 2 * JSON_DEPTH_MAX; i++) buf_append_byte(&input, '[');
    buf_append_view(&input, VIEW("{\"url\":\"/x\"}"));
    for (size_t i = 0; i < 2 * JSON_DEPTH_MAX; i++) buf_append_byte(&input, ']');
    buf_append_view(&input, VIEW(",\"a\":\""));
    for (size_t i = 0; i < 2 * URL_FOUND_MAX; i++) buf_append_byte(&input, 'x');
    buf_append_view(&input, VIEW("\"}"));
    for (size_t step = 1; step < 20000; step *= 3)
        filter_run_same(&maker, buf_view(&input), 0, step, buf_view(&input));
    buf_done(&input);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_origin_is_found_everywhere),
        cmocka_unit_test(descriptions_that_say_so_late),
        cmocka_unit_test(integrity_in_import_maps_names_nothing_any_more),
        cmocka_unit_test(descriptions_of_interfaces),
        cmocka_unit_test(manifests),
        cmocka_unit_test(paths_where_they_are_asked_for),
        cmocka_unit_test(depth_and_length_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
