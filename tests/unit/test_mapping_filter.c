/* What the filter of a stream's mapping lets through, and which patterns are refused. */
#include "apigw/mapping_filter.h"
#include "cmocka_setup.h"

static void test_matches(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *record;
        bool matches;
    } rows[] = {
        {"{}", "{\"a\":1}", true},
        {"{\"a\":[\"x\"]}", "{\"a\":\"x\",\"b\":1}", true},
        {"{\"a\":[\"x\",\"y\"]}", "{\"a\":\"y\"}", true},
        {"{\"a\":[\"x\"]}", "{\"a\":\"y\"}", false},
        {"{\"a\":[\"x\"]}", "{}", false},
        {"{\"a\":[null]}", "{\"a\":null}", true},
        {"{\"a\":[null]}", "{}", false},
        {"{\"a\":[1,true]}", "{\"a\":true}", true},
        {"{\"a\":[1]}", "{\"a\":\"1\"}", false},
        {"{\"a\":[\"x\"],\"b\":[\"y\"]}", "{\"a\":\"x\",\"b\":\"z\"}", false},
        {"{\"a\":{\"b\":{\"S\":[\"x\"]}}}", "{\"a\":{\"b\":{\"S\":\"x\"}}}", true},
        {"{\"a\":{\"b\":{\"S\":[\"x\"]}}}", "{\"a\":{\"b\":\"x\"}}", false},
        {"{\"a\":{\"b\":{\"S\":[\"x\"]}}}", "{\"a\":{}}", false},
        {"{\"a\":[{\"prefix\":\"ab\"}]}", "{\"a\":\"abc\"}", true},
        {"{\"a\":[{\"prefix\":\"ab\"}]}", "{\"a\":\"cab\"}", false},
        {"{\"a\":[{\"prefix\":\"1\"}]}", "{\"a\":1}", false},
        {"{\"a\":[{\"suffix\":\"bc\"}]}", "{\"a\":\"abc\"}", true},
        {"{\"a\":[{\"equals-ignore-case\":\"ABC\"}]}", "{\"a\":\"abc\"}", true},
        {"{\"a\":[{\"exists\":true}]}", "{\"a\":{\"b\":1}}", true},
        {"{\"a\":[{\"exists\":true}]}", "{\"b\":1}", false},
        {"{\"a\":[{\"exists\":false}]}", "{\"b\":1}", true},
        {"{\"a\":{\"b\":[{\"exists\":false}]}}", "{\"c\":1}", true},
        {"{\"a\":[{\"anything-but\":[\"x\",\"y\"]}]}", "{\"a\":\"z\"}", true},
        {"{\"a\":[{\"anything-but\":[\"x\",\"y\"]}]}", "{\"a\":\"y\"}", false},
        {"{\"a\":[{\"anything-but\":\"x\"}]}", "{\"a\":\"x\"}", false},
        {"{\"a\":[{\"anything-but\":\"x\"}]}", "{}", false},
        {"{\"a\":[{\"prefix\":\"x\"},\"y\"]}", "{\"a\":\"y\"}", true},
        {"{\"a\":{\"SS\":[\"x\"]}}", "{\"a\":{\"SS\":[\"w\",\"x\"]}}", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *pattern = json_loads(rows[i].pattern, 0, NULL), *record = json_loads(rows[i].record, 0, NULL);
        assert_non_null(record);
        const char *problem = mapping_filter_problem(pattern);
        if (problem || mapping_filter_matches(pattern, record) != rows[i].matches)
            fail_msg("%s, %s: %s", rows[i].pattern, rows[i].record, problem ? problem : "the other way");
        json_decref(pattern);
        json_decref(record);
    }
}

static void test_problems(void **state) {
    (void)state;
    static const char *const rows[] = {
        "[]",
        "{\"a\":\"x\"}",
        "{\"a\":1}",
        "{\"a\":[]}",
        "{\"a\":[[\"x\"]]}",
        "{\"a\":{\"b\":\"x\"}}",
        "{\"a\":[{}]}",
        "{\"a\":[{\"prefix\":\"a\",\"suffix\":\"b\"}]}",
        "{\"a\":[{\"prefix\":1}]}",
        "{\"a\":[{\"exists\":\"true\"}]}",
        "{\"a\":[{\"anything-but\":{\"prefix\":\"a\"}}]}",
        "{\"a\":[{\"anything-but\":[[\"a\"]]}]}",
        "{\"a\":[{\"numeric\":[\">\",1]}]}",
        "{\"a\":[{\"cidr\":\"10.0.0.0/8\"}]}",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *pattern = json_loads(rows[i], 0, NULL);
        if (!mapping_filter_problem(pattern)) fail_msg("%s is taken", rows[i]);
        json_decref(pattern);
    }
    assert_non_null(mapping_filter_problem(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matches), cmocka_unit_test(test_problems)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
