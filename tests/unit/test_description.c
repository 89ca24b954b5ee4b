/* Descriptions of deployments: what is taken of them, what is refused and where, and what contradicts them.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "apigw/described.h"
#include "apigw/description.h"
#include "cmocka_setup.h"

#define FOLDER TEST_DATA "/../infra/schema/descriptions/"

struct seen {
    char text[8192]; /* "name=value;", variables behind a $ */
};

static bool take(void *ctx, const struct description_entry *entry, struct config_problem *problem) {
    struct seen *seen = ctx;
    size_t used = strlen(seen->text);
    (void)problem;
    snprintf(seen->text + used, sizeof(seen->text) - used, "%s%s=%.*s;",
             entry->kind == DESCRIBED_VARIABLE ? "$" : "", entry->name,
             VIEW_ARG(entry->value.ptr ? entry->value : VIEW("(none)")));
    return true;
}

static void assert_seen(const struct seen *seen, const char *entry) {
    if (!strstr(seen->text, entry)) fail_msg("no %s in %s", entry, seen->text);
}

static json_t *load(const char *name) {
    char path[512];
    snprintf(path, sizeof(path), "%s%s.json", FOLDER, name);
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    return root;
}

static bool parse(const json_t *root, struct seen *seen, struct config_problem *problem) {
    char *text = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY);
    *seen = (struct seen){0};
    bool good = description_parse(view_from_cstr(text), take, seen, problem);
    free(text);
    return good;
}

static void test_what_infra_makes(void **state) {
    (void)state;
    static const char *const names[] = {"dev", "direct", "polling", "stream"};
    struct config_problem problem;
    struct seen seen;
    for (size_t i = 0; i < 4; i++) {
        json_t *root = load(names[i]);
        if (!parse(root, &seen, &problem)) fail_msg("%s: %s", names[i], problem.text);
        assert_seen(&seen, "api-timeout=30000ms;");
        assert_seen(&seen, "api-payload=2.0;");
        assert_seen(&seen, "lambda-timeout=29s;");
        assert_seen(&seen, "lambda-memory=256MiB;");
        assert_seen(&seen, "cleanup-interval=3600s;");
        assert_seen(&seen, "$AWS_REGION=us-east-1;");
        assert_seen(&seen, i ? "api-stage=test;" : "api-stage=dev;");
        assert_seen(&seen, i ? "api-custom-domain=true;" : "api-custom-domain=false;");
        assert_seen(&seen, i ? "api-rate=10000;api-burst=5000;" : "api-rate=50;api-burst=100;");
        assert_seen(&seen,
                    i == 3 ? "stream-table=http-tunnel-pending-requests-test;" : "stream-table=(none);");
        json_decref(root);
    }
    assert_seen(&seen, "stream-filter={\"dynamodb\":{\"NewImage\":{\"status\":{\"S\":[\"completed\"]}}}};");
    assert_seen(&seen, "stream-batch=100;");
    assert_seen(&seen, "stream-retries=3;");
    assert_seen(&seen, "stream-max-age=60s;");
    assert_seen(&seen, "$WAIT_MODE=stream;");
}

/* What is put at a place of a good one (NULL: it is taken away), and what is said then. */
static const struct {
    const char *place, *value, *problem;
} rows[] = {
    {"version", "2", "version: the stand-in plays nothing but 1"},
    {"version", NULL, "version: it is missing"},
    {"colour", "1", "colour: it is not known"},
    {"function.colour", "1", "function.colour: it is not known"},
    {"http", "[]", "http: expected an object"},
    {"http", NULL, "http.host: it is missing"},
    {"http.routes.GET /", "{\"timeoutMs\":1}", "http.routes.GET /: it is not known"},
    {"http.routes.$default.payload", "null", "http.routes.$default.payload: it must not be null"},
    {"websocket.routes.$connect", NULL, "websocket.routes.$connect.timeoutMs: it is missing"},
    {"websocket.routes.$connect.timeoutMs", "1",
     "websocket.routes.$connect.timeoutMs: the stand-in plays nothing but 29000"},
    {"websocket.selection", "\"$request.body.type\"",
     "websocket.selection: the stand-in plays nothing but $request.body.action"},
    {"throttling.burst", "1.5", "throttling.burst: expected a text, a whole number, true or false"},
    {"throttling.burst", "-1", "throttling.burst: expected a text, a whole number, true or false"},
    {"throttling.burst", "null", "throttling.burst: it must not be null"},
    {"throttling.burst", "{}", "throttling.burst: expected a text, a whole number, true or false"},
    {"function.runtime", "\"nodejs22.x\"",
     "function.runtime: the stand-in plays nothing but provided.al2023"},
    {"function.reservedConcurrency", "null", NULL},
    {"function.environment", "1", "function.environment: expected an object"},
    {"function.environment", "{}", NULL},
    {"function.environment.A", "1", "function.environment.A: expected a text"},
    {"function.environment.A", "{}", "function.environment.A: expected a text"},
    {"function.environment.A=B", "\"\"", "function.environment.A=B: expected the name of a variable"},
    {"function.environment.A", "\"x\\ny\"", "function.environment.A: a line break or a control character"},
    {"function.environment.A\n", "\"\"", "function.environment: a name in it is none"},
    {"mapping", "null", NULL},
    {"mapping", NULL, "mapping: it is missing (null: there is none)"},
    {"mapping", "{}", "mapping.table: it is missing"},
    {"mapping.windowSeconds", "5", "mapping.windowSeconds: the stand-in plays nothing but 0"},
    {"stage", "\"a\\u0007b\"", "stage: a line break or a control character"},
};

static void put(json_t *root, const char *place, const char *value) {
    char copy[200];
    snprintf(copy, sizeof(copy), "%s", place);
    char *name = copy;
    for (char *dot; (dot = strchr(name, '.')); name = dot + 1) {
        *dot = '\0';
        root = json_object_get(root, name);
    }
    if (value)
        assert_int_equal(json_object_set_new(root, name, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
    else
        json_object_del(root, name);
}

static void test_refused_with_its_place(void **state) {
    (void)state;
    struct config_problem problem;
    struct seen seen;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *root = load("stream");
        put(root, rows[i].place, rows[i].value);
        bool good = parse(root, &seen, &problem);
        if (good != !rows[i].problem || strcmp(problem.text, good ? "" : rows[i].problem) != 0)
            fail_msg("%s %s: %s", rows[i].place, rows[i].value ? rows[i].value : "(away)", problem.text);
        json_decref(root);
    }
}

static void test_no_json(void **state) {
    (void)state;
    struct config_problem problem;
    struct seen seen = {0};
    assert_false(description_parse(VIEW("{\"version\":1,\n\"stage\":}"), take, &seen, &problem));
    assert_int_equal(problem.line, 2);
    assert_false(description_parse(VIEW("{\"stage\":\"a\",\"stage\":\"b\"}"), take, &seen, &problem));
    assert_non_null(strstr(problem.text, "duplicate"));
    assert_false(description_parse(VIEW("[]"), take, &seen, &problem));
    assert_string_equal(problem.text, "the description: expected an object");
    assert_false(description_parse((struct view){0}, take, &seen, &problem));
    char *deep = malloc(60000);
    memset(deep, '[', 60000);
    assert_false(description_parse(view_of(deep, 60000), take, &seen, &problem));
    free(deep);
    char *large = calloc(1, CONFIG_FILE_BYTES_MAX + 1);
    assert_false(description_parse(view_of(large, CONFIG_FILE_BYTES_MAX + 1), take, &seen, &problem));
    assert_string_equal(problem.text, "the description: it is larger than 64 KiB");
    free(large);
}

/* ---- under the settings ---- */

static int start(struct config *config, struct described *described, int argc, char **argv) {
    int code = 0;
    settings_choose(PROGRAM_APIGW);
    *described = (struct described){.count = 0};
    config_init_with(config, argc, argv, described_read, described, &code);
    return code;
}

#define BASE                                                                                                 \
    "ttf-apigw", "--bootstrap", "x", "--dynamodb-endpoint", "http://127.0.0.1:1", "--description", FOLDER

static void test_settings_are_taken(void **state) {
    (void)state;
    struct config config;
    struct described described;
    char *argv[] = {BASE "stream.json", "--ws-idle", "1s", "--api-rate", "10000", NULL};
    unsetenv("AWS_REGION");
    assert_int_equal(start(&config, &described, 11, argv), 0);
    assert_int_equal(config.api_burst, 5000);
    assert_int_equal(config.lambda_concurrency, 1000);
    assert_int_equal(config.tunnel_rate, 1000);
    assert_int_equal(config.cleanup_interval_ms, 3600000);
    assert_int_equal(config.require_auth, ANSWER_NO);
    assert_string_equal(config.stream_table, "http-tunnel-pending-requests-test");
    assert_string_equal(getenv("AWS_REGION"), "us-east-1");
    bool has_mode = false;
    for (size_t i = 0; i < described.count; i++) {
        has_mode |= strcmp(described.variables[i], "WAIT_MODE=stream") == 0;
        assert_true(strncmp(described.variables[i], "DOMAIN_NAME=", 12) != 0);
    }
    assert_true(has_mode);
    described_done(&described);
    config_done(&config);
}

static void test_contradictions_are_refused(void **state) {
    (void)state;
    static const char *const flags[][2] = {
        {"--api-rate", "9999"},       {"--api-stage", "prod"},      {"--api-payload", "1.0"},
        {"--lambda-timeout", "30s"},  {"--stream-table", "x"},      {"--api-custom-domain", "false"},
        {"--require-auth", "true"},   {"--lambda-memory", "1GiB"},  {"--per-tunnel-rate-limit", "1"},
        {"--cleanup-interval", "5s"}, {"--lambda-concurrency", "7"}};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        struct config config;
        struct described described;
        char *argv[] = {BASE "direct.json", (char *)(uintptr_t)flags[i][0], (char *)(uintptr_t)flags[i][1],
                        NULL};
        if (start(&config, &described, 9, argv) != 2) fail_msg("%s %s was taken", flags[i][0], flags[i][1]);
        described_done(&described);
        config_done(&config);
    }
}

static void test_variables_that_say_otherwise(void **state) {
    (void)state;
    static const char *const names[][2] = {{"WAIT_MODE", "polling"},
                                           {"AWS_REGION", "eu-west-1"},
                                           {"API_RATE", "1"},
                                           {"CONNECTIONS_TABLE_NAME", "other"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct config config;
        struct described described;
        char *argv[] = {BASE "direct.json", NULL};
        unsetenv("AWS_REGION");
        setenv(names[i][0], names[i][1], 1);
        if (start(&config, &described, 7, argv) != 2) fail_msg("%s=%s was taken", names[i][0], names[i][1]);
        unsetenv(names[i][0]);
        described_done(&described);
        config_done(&config);
    }
}

static void test_files_that_are_none(void **state) {
    (void)state;
    static const char *const paths[] = {"/nonexistent", "/", "/dev/zero"};
    for (size_t i = 0; i < 3; i++) {
        struct config config;
        struct described described;
        char *argv[] = {"ttf-apigw",
                        "--bootstrap",
                        "x",
                        "--dynamodb-endpoint",
                        "http://127.0.0.1:1",
                        "--description",
                        (char *)(uintptr_t)paths[i],
                        NULL};
        assert_int_equal(start(&config, &described, 7, argv), 2);
        described_done(&described);
        config_done(&config);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_infra_makes),
        cmocka_unit_test(test_refused_with_its_place),
        cmocka_unit_test(test_no_json),
        cmocka_unit_test(test_settings_are_taken),
        cmocka_unit_test(test_contradictions_are_refused),
        cmocka_unit_test(test_variables_that_say_otherwise),
        cmocka_unit_test(test_files_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
