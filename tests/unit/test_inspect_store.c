/* forwarder/inspect/store: what is kept of the requests that pass, and how much. */
#include "cmocka_setup.h"
#include "inspect/store.h"

struct fixture {
    struct store store;
    struct arena arena;
    struct headers headers;
};

static int set_up(void **state) {
    static struct fixture fixture;
    store_init(&fixture.store, STORE_BYTES_LEAST);
    arena_init(&fixture.arena, 65536);
    headers_init(&fixture.headers, &fixture.arena);
    headers_add(&fixture.headers, VIEW("host"), VIEW("localhost:3000"));
    headers_add(&fixture.headers, VIEW("x-signature"), VIEW("t=1,v1=abc"));
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    store_done(&fixture->store);
    arena_done(&fixture->arena);
    return 0;
}

static uint64_t begin(struct fixture *fixture, struct view target) {
    struct watch_request request = {.tunnel = "web",
                                    .method = VIEW("POST"),
                                    .target = target,
                                    .headers = &fixture->headers,
                                    .body_bytes = -2};
    return store_request(&fixture->store, &request, 1000, 10);
}

static void finish(struct fixture *fixture, uint64_t id) {
    struct watch_end end = {.status = 200};
    store_answer(&fixture->store, id, 200, &fixture->headers, 20);
    store_end(&fixture->store, id, &end, 30);
}

static void keeps_both_sides(void **state) {
    struct fixture *fixture = *state;
    uint64_t id = begin(fixture, VIEW("/hook?a=1"));
    store_request_body(&fixture->store, id, VIEW("{\"a\""));
    store_request_body(&fixture->store, id, VIEW(":1}"));
    assert_false(store_can_be_repeated(store_find(&fixture->store, id)));
    store_answer(&fixture->store, id, 201, &fixture->headers, 25);
    store_answer_body(&fixture->store, id, VIEW("done"));
    struct watch_end end = {.status = 201, .code = "visitor left", .detail = "he had to"};
    store_end(&fixture->store, id, &end, 40);

    const struct store_record *record = store_find(&fixture->store, id);
    assert_true(view_eq(record->method, VIEW("POST")));
    assert_true(view_eq(record->target, VIEW("/hook?a=1")));
    assert_true(view_eq(record->tunnel, VIEW("web")));
    assert_true(view_eq(buf_view(&record->request.body), VIEW("{\"a\":1}")));
    assert_true(view_eq(buf_view(&record->answer.body), VIEW("done")));
    assert_int_equal(record->request.count, 2);
    assert_true(view_eq(record->request.fields[1].name, VIEW("x-signature")));
    assert_true(view_eq(record->answer.fields[1].value, VIEW("t=1,v1=abc")));
    assert_int_equal(record->service_status, 201);
    assert_int_equal(record->head_ms, 25);
    assert_int_equal(record->ended_ms, 40);
    assert_string_equal(record->detail, "he had to");
    assert_true(store_can_be_repeated(record));
}

static void body_is_kept_to_its_bound_and_counted_beyond(void **state) {
    struct fixture *fixture = *state;
    static char piece[100000];
    uint64_t id = begin(fixture, VIEW("/"));
    for (int i = 0; i < 30; i++) store_request_body(&fixture->store, id, view_of(piece, sizeof(piece)));
    finish(fixture, id);
    const struct store_record *record = store_find(&fixture->store, id);
    assert_int_equal(record->request.body.len, STORE_BODY_MAX);
    assert_int_equal(record->request.body_bytes, 3000000);
    assert_false(store_can_be_repeated(record));
}

static void announced_body_must_have_come(void **state) {
    struct fixture *fixture = *state;
    uint64_t id = begin(fixture, VIEW("/"));
    store_find(&fixture->store, id)->announced = 5;
    store_request_body(&fixture->store, id, VIEW("four"));
    finish(fixture, id);
    assert_false(store_can_be_repeated(store_find(&fixture->store, id)));
    store_request_body(&fixture->store, id, VIEW("5"));
    assert_true(store_can_be_repeated(store_find(&fixture->store, id)));
}

static void offers_are_not_repeated(void **state) {
    struct fixture *fixture = *state;
    struct watch_request request = {.method = VIEW("GET"),
                                    .target = VIEW("/ws"),
                                    .headers = &fixture->headers,
                                    .upgrade = VIEW("websocket"),
                                    .body_bytes = -1};
    uint64_t id = store_request(&fixture->store, &request, 1, 1);
    finish(fixture, id);
    assert_true(view_eq(store_find(&fixture->store, id)->upgrade, VIEW("websocket")));
    assert_false(store_can_be_repeated(store_find(&fixture->store, id)));
}

static void a_hundred_thousand_requests_stay_within_the_bound(void **state) {
    struct fixture *fixture = *state;
    static char body[3000];
    uint64_t id = 0;
    for (int i = 0; i < 100000; i++) {
        id = begin(fixture, VIEW("/many"));
        store_request_body(&fixture->store, id, view_of(body, (size_t)(i * 7 % 3000)));
        finish(fixture, id);
        assert_true(fixture->store.bytes <= STORE_BYTES_LEAST);
    }
    assert_int_equal(fixture->store.total, 100000);
    assert_null(store_find(&fixture->store, 1));
    assert_non_null(store_find(&fixture->store, id));
    assert_non_null(store_find(&fixture->store, id - 100));
}

/* Memory of the one that goes is the next one's, and small requests are bounded by their number. */
static void the_number_is_bounded_too(void **state) {
    struct fixture *fixture = *state;
    uint64_t id = 0;
    size_t most = 0;
    fixture->store.max_bytes = (size_t)1024 * 1024 * 1024;
    for (unsigned i = 0; i < 5 * STORE_RECORDS_MAX; i++) {
        char target[600];
        memset(target, 'x', sizeof(target));
        id = begin(fixture, view_of(target, i % sizeof(target)));
        store_request_body(&fixture->store, id, view_of(target, i * 31 % sizeof(target)));
        finish(fixture, id);
        store_answer_body(&fixture->store, id, view_of(target, i * 17 % sizeof(target)));
        const struct store_record *record = store_find(&fixture->store, id);
        assert_int_equal(record->target.len, i % sizeof(target));
        assert_int_equal(record->request.body.len, i * 31 % sizeof(target));
        assert_int_equal(record->answer.body.len, i * 17 % sizeof(target));
        assert_int_equal(record->answer.count, 2);
        if (fixture->store.bytes > most) most = fixture->store.bytes;
    }
    assert_int_equal(fixture->store.next - fixture->store.first, STORE_RECORDS_MAX);
    assert_true(most < STORE_RECORDS_MAX * 4096);
    store_clear(&fixture->store);
    assert_true(fixture->store.bytes == fixture->store.cap * sizeof(void *)); /* the ring alone */
}

static void what_is_told_of_one_that_is_gone_is_dropped(void **state) {
    struct fixture *fixture = *state;
    uint64_t id = begin(fixture, VIEW("/old"));
    for (int i = 0; i < 10000; i++) finish(fixture, begin(fixture, VIEW("/new")));
    assert_null(store_find(&fixture->store, id));
    size_t bytes = fixture->store.bytes;
    store_request_body(&fixture->store, id, VIEW("late"));
    store_answer_body(&fixture->store, id, VIEW("late"));
    finish(fixture, id);
    assert_int_equal(fixture->store.bytes, bytes);
}

static void cleared_ids_go_on(void **state) {
    struct fixture *fixture = *state;
    uint64_t id = begin(fixture, VIEW("/"));
    uint64_t changes = fixture->store.changes;
    store_clear(&fixture->store);
    assert_null(store_find(&fixture->store, id));
    assert_true(fixture->store.changes > changes);
    assert_int_equal(begin(fixture, VIEW("/")), id + 1);
    assert_null(store_find(&fixture->store, 0));
    assert_null(store_find(&fixture->store, id + 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_both_sides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(body_is_kept_to_its_bound_and_counted_beyond, set_up, tear_down),
        cmocka_unit_test_setup_teardown(announced_body_must_have_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(offers_are_not_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hundred_thousand_requests_stay_within_the_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_number_is_bounded_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_told_of_one_that_is_gone_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cleared_ids_go_on, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
