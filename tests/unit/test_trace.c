/* What a request is known by: its id, and its trace. */
#include <string.h>

#include "cmocka_setup.h"
#include "handler/core_state.h"
#include "handler/trace.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static size_t random_calls;

/* Zeros first, then what tells bytes apart. */
static void count_up(void *bytes, size_t len) {
    unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++) at[i] = (unsigned char)(random_calls ? i : 0);
    random_calls++;
}

struct scene {
    struct core core;
    struct exchange exchange;
};

static void begin(struct scene *scene, bool ids, enum traces traces) {
    memset(scene, 0, sizeof(*scene));
    scene->core.settings.request_ids = ids;
    scene->core.settings.traces = traces;
    scene->core.ports.ids.random = count_up;
    scene->exchange.core = &scene->core;
    arena_init(&scene->exchange.arena, 64 * 1024);
    headers_init(&scene->exchange.headers, &scene->exchange.arena);
    random_calls = 0;
}

static void end(struct scene *scene) {
    arena_done(&scene->exchange.arena);
}

static void add(struct scene *scene, const char *name, const char *value) {
    assert_true(headers_add(&scene->exchange.headers, view_from_cstr(name), view_from_cstr(value)));
}

static void assert_field(const struct scene *scene, const char *name, const char *value) {
    struct view found = headers_get(&scene->exchange.headers, view_from_cstr(name));
    if (!value) {
        assert_null(found.ptr);
        return;
    }
    assert_int_equal(headers_count(&scene->exchange.headers, view_from_cstr(name)), 1);
    assert_int_equal(found.len, strlen(value));
    assert_memory_equal(found.ptr, value, found.len);
}

/* ---- the id ---- */

static void test_a_fresh_id(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, TRACES_PASSED);
    add(&scene, "x-request-id", "of-the-visitor");
    assert_true(trace_request(&scene.exchange, false));
    assert_field(&scene, "x-request-id", "0100000000000000"); /* never all zeros */
    assert_true(view_eq(scene.exchange.trace->request_id, VIEW("0100000000000000")));
    end(&scene);
}

static void test_randomness_is_used_once(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, TRACES_PASSED);
    size_t each = sizeof(scene.core.random) / 8;
    for (size_t i = 0; i < each; i++) {
        assert_true(trace_request(&scene.exchange, false));
        assert_int_equal(random_calls, 1);
    }
    assert_true(trace_request(&scene.exchange, false));
    assert_int_equal(random_calls, 2);
    assert_field(&scene, "x-request-id",
                 "f9f9fafbfcfdfeff"); /* its last eight bytes, the first of them made odd */
    assert_true(trace_request(&scene.exchange, false));
    assert_field(&scene, "x-request-id", "f1f1f2f3f4f5f6f7");
    end(&scene);
}

static void test_whose_ids_are_kept(void **state) {
    (void)state;
    static const struct {
        bool is_proxy;
        const char *said;
        bool is_kept;
    } rows[] = {
        {true, "abc-123", true}, {false, "abc-123", false}, {true, "a b", false},   {true, "", false},
        {true, "a\"b", false},   {true, "._:+/=@~-", true}, {true, "09azAZ", true}, {true, "a{", false},
        {true, "a[", false},     {true, "a`", false},       {true, "a;", false},    {true, "a\x80", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scene scene;
        begin(&scene, true, TRACES_PASSED);
        add(&scene, "x-request-id", rows[i].said);
        assert_true(trace_request(&scene.exchange, rows[i].is_proxy));
        assert_field(&scene, "x-request-id", rows[i].is_kept ? rows[i].said : "0100000000000000");
        assert_true(view_eq(scene.exchange.trace->request_id,
                            headers_get(&scene.exchange.headers, VIEW("x-request-id"))));
        end(&scene);
    }
}

static void test_two_ids_are_none(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, true, TRACES_PASSED);
    add(&scene, "x-request-id", "one");
    add(&scene, "x-request-id", "two");
    assert_true(trace_request(&scene.exchange, true));
    assert_field(&scene, "x-request-id", "0100000000000000");
    end(&scene);
}

static void test_lengths_of_ids(void **state) {
    (void)state;
    char id[X_REQUEST_ID_MAX + 1];
    memset(id, 'a', sizeof(id));
    assert_false(x_request_id_is_fine(view_of(id, 0)));
    assert_true(x_request_id_is_fine(view_of(id, 1)));
    assert_true(x_request_id_is_fine(view_of(id, X_REQUEST_ID_MAX)));
    assert_false(x_request_id_is_fine(view_of(id, X_REQUEST_ID_MAX + 1)));
    id[3] = '\0';
    assert_false(x_request_id_is_fine(view_of(id, 5)));
}

static void test_no_room(void **state) {
    (void)state;
    for (size_t room = 0; room < 400; room++) {
        struct scene scene;
        begin(&scene, true, TRACES_MADE);
        scene.exchange.arena.max_bytes = room;
        if (trace_request(&scene.exchange, false)) {
            assert_field(&scene, "x-request-id", "0100000000000000");
            assert_field(&scene, "traceparent", "00-01000000000000000000000000000000-0100000000000000-01");
        }
        end(&scene);
    }
}

/* ---- the trace ---- */

static void test_trace_ids(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_fine;
    } rows[] = {
        {TRACEPARENT, true},
        {"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true},
        {"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-what-comes-later", true},
        {"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-", true},
        {"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09x", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", false},
        {"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
        {"0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g", false},
        {"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false},
        {"00-00000000000000000000000000000000-00f067aa0ba902b7-01", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bg-01", false},
        {"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", false},
        {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false},
        {"", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct view id = trace_id_of(view_from_cstr(rows[i].text));
        assert_int_equal(id.ptr != NULL, rows[i].is_fine);
        if (rows[i].is_fine) assert_true(view_eq(id, VIEW("4bf92f3577b34da6a3ce929d0e0e4736")));
    }
}

static void test_traces(void **state) {
    (void)state;
    static const char made[] = "00-01000000000000000000000000000000-0100000000000000-01";
    static const struct {
        enum traces traces;
        const char *parent, *state; /* as the visitor sent them */
        const char *passed, *passed_state, *id;
    } rows[] = {
        {TRACES_NOTED, TRACEPARENT, "a=1", TRACEPARENT, "a=1", "4bf92f3577b34da6a3ce929d0e0e4736"},
        {TRACES_NOTED, "nonsense", "a=1", "nonsense", "a=1", NULL},
        {TRACES_NOTED, NULL, NULL, NULL, NULL, NULL},
        {TRACES_MADE, TRACEPARENT, "a=1", TRACEPARENT, "a=1", "4bf92f3577b34da6a3ce929d0e0e4736"},
        {TRACES_MADE, "nonsense", "a=1", made, NULL, "01000000000000000000000000000000"},
        {TRACES_MADE, NULL, NULL, made, NULL, "01000000000000000000000000000000"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scene scene;
        begin(&scene, false, rows[i].traces);
        if (rows[i].parent) add(&scene, "traceparent", rows[i].parent);
        if (rows[i].state) add(&scene, "tracestate", rows[i].state);
        assert_true(trace_request(&scene.exchange, true));
        assert_field(&scene, "traceparent", rows[i].passed);
        assert_field(&scene, "tracestate", rows[i].passed_state);
        assert_field(&scene, "x-request-id", NULL);
        struct view id = scene.exchange.trace->id;
        assert_int_equal(id.len, rows[i].id ? 32 : 0);
        if (rows[i].id) assert_memory_equal(id.ptr, rows[i].id, 32);
        end(&scene);
    }
}

static void test_neither(void **state) {
    (void)state;
    struct scene scene;
    begin(&scene, false, TRACES_PASSED);
    add(&scene, "x-request-id", "of-the-visitor");
    assert_true(trace_request(&scene.exchange, false));
    assert_null(scene.exchange.trace);
    assert_field(&scene, "x-request-id", "of-the-visitor");
    assert_int_equal(random_calls, 0);
    end(&scene);
}

/* ---- the answer ---- */

static void test_answers(void **state) {
    (void)state;
    for (int says = 0; says < 2; says++) {
        struct scene scene;
        struct headers answer;
        begin(&scene, true, TRACES_PASSED);
        headers_init(&answer, &scene.exchange.arena);
        if (says) headers_add(&answer, VIEW("x-request-id"), VIEW("of-the-service"));
        trace_answer(&scene.exchange, &answer); /* it has none yet */
        assert_int_equal(answer.count, says);
        assert_true(trace_request(&scene.exchange, false));
        trace_answer(&scene.exchange, &answer);
        assert_int_equal(answer.count, 1);
        assert_true(
            view_eq(answer.fields[0].value, says ? VIEW("of-the-service") : VIEW("0100000000000000")));
        end(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fresh_id),
        cmocka_unit_test(test_randomness_is_used_once),
        cmocka_unit_test(test_whose_ids_are_kept),
        cmocka_unit_test(test_two_ids_are_none),
        cmocka_unit_test(test_lengths_of_ids),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_trace_ids),
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_neither),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
