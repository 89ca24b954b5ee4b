/* Answers in pieces: what the core and a store promise together, whichever of them joins the pieces. */
#include <stdio.h>

#include "cmocka_setup.h"
#include "handler/core.h"
#include "store_seen.h"

#define BODY_100_KB 100000

static void on_message(void *ctx, enum status status) {
    seen_note(ctx, 42, status);
}

static struct core *core_over(const struct seen *seen) {
    const struct store_fixture *store = seen->store;
    struct core_settings settings;
    core_settings_init(&settings);
    struct ports ports = {.registry = store->registry,
                          .mailbox = store->mailbox,
                          .clock = {store->ctx, store->wall_ms, store->timers, store->tasks}};
    return core_new(&settings, &ports);
}

/* An answer to the request that is open, 100 KB of body. */
static void answer_text(const struct seen *seen, int status_code, struct buf *out) {
    buf_init(out, 2 * BODY_100_KB);
    buf_printf(
        out,
        "{\"type\":\"http_response\",\"request_id\":\"%s\",\"status_code\":%d,\"headers\":{},\"body\":\"",
        seen->request_id, status_code);
    for (int i = 0; i < BODY_100_KB / 100; i++) buf_printf(out, "%0100d", 0);
    assert_true(buf_printf(out, "\"}"));
}

/* What it comes to differs: a piece may be refused at once, or when all are there. */
static void send_piece(struct seen *seen, struct core *core, const char *connection_id,
                       const struct v1_chunk *chunk) {
    struct buf text;
    buf_init(&text, 2 * BODY_100_KB + 1024);
    assert_true(v1_encode_chunk(&text, view_from_cstr(seen->request_id), chunk));
    core_message(core, view_from_cstr(connection_id), buf_view(&text), on_message, seen);
    seen_settle(seen);
    buf_done(&text);
}

/* Piece `seq` of `total` equal ones. */
static struct v1_chunk piece(const struct buf *text, size_t seq, size_t total) {
    size_t len = (text->len + total - 1) / total;
    return (struct v1_chunk){seq, total, view_slice(buf_view(text), seq * len, (seq + 1) * len)};
}

static void send_all(struct seen *seen, struct core *core, const char *connection_id, const struct buf *text,
                     size_t total) {
    for (size_t i = 1; i <= total; i++) { /* from the second to the first */
        struct v1_chunk chunk = piece(text, i % total, total);
        send_piece(seen, core, connection_id, &chunk);
    }
}

static void assert_answered(struct seen *seen, int status_code) {
    assert_int_equal(seen_take(seen, seen->request_id), STATUS_OK);
    assert_int_equal(seen->answer->type, V1_HTTP_RESPONSE);
    assert_int_equal(seen->answer->status, status_code);
}

static void an_answer_in_pieces_comes_back_whole(void **state) {
    struct seen *seen = *state;
    struct core *core = core_over(seen);
    struct buf text;
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    answer_text(seen, 203, &text);
    for (size_t i = 0; i < 8; i++) { /* each twice */
        struct v1_chunk chunk = piece(&text, 4 - i / 2, 5);
        send_piece(seen, core, "one", &chunk);
    }
    assert_int_equal(seen_take(seen, seen->request_id), STATUS_NOT_FOUND);
    struct v1_chunk last = piece(&text, 0, 5);
    send_piece(seen, core, "one", &last);
    assert_int_equal(seen->completed, 1);
    assert_int_equal(seen_complete(seen, seen->request_id, "one", ""), STATUS_NOT_FOUND);
    assert_answered(seen, 203);
    assert_int_equal(seen->answer->body.len, BODY_100_KB / 4 * 3);
    buf_done(&text);
    core_free(core);
}

static void a_piece_of_another_total_spoils_nothing(void **state) {
    struct seen *seen = *state;
    struct core *core = core_over(seen);
    struct buf text;
    for (size_t skip = 0; skip < 2; skip++) { /* behind one of the true total, or alone */
        assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
        answer_text(seen, 203, &text);
        struct v1_chunk chunks[] = {piece(&text, 0, 5), piece(&text, 1, 6)};
        for (size_t i = skip; i < 2; i++) send_piece(seen, core, "one", &chunks[i]);
        send_all(seen, core, "one", &text, 5);
        assert_answered(seen, 203);
        buf_done(&text);
    }
    core_free(core);
}

static void pieces_longer_than_an_answer_spoil_nothing(void **state) {
    struct seen *seen = *state;
    struct core *core = core_over(seen);
    struct buf text;
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    answer_text(seen, 203, &text);
    for (size_t seq = 0; seq < 40; seq++) {
        struct v1_chunk chunk = {seq, 40, buf_view(&text)};
        send_piece(seen, core, "one", &chunk);
    }
    assert_int_equal(seen_take(seen, seen->request_id), STATUS_NOT_FOUND);
    send_all(seen, core, "one", &text, 5);
    assert_answered(seen, 203);
    buf_done(&text);
    core_free(core);
}

static void pieces_that_join_to_no_answer_are_none(void **state) {
    struct seen *seen = *state;
    struct core *core = core_over(seen);
    struct buf other;
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    answer_text(seen, 500, &other);
    for (int taken = 0; taken < 2; taken++) { /* seen by who waits before the answer comes, or not */
        struct v1_chunk garbage = {0, 1, VIEW("garbage")};
        assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
        send_piece(seen, core, "one", &garbage);
        send_all(seen, core, "one", &other, 5); /* another request's answer */
        if (taken) assert_int_equal(seen_take(seen, seen->request_id), STATUS_NOT_FOUND);
        assert_int_equal(seen_complete(seen, seen->request_id, "one", ""), STATUS_OK);
        assert_answered(seen, 201);
    }
    buf_done(&other);
    core_free(core);
}

static void pieces_behind_such_that_join_to_none_are_joined(void **state) {
    struct seen *seen = *state;
    struct core *core = core_over(seen);
    struct buf text;
    struct v1_chunk garbage = {0, 1, VIEW("garbage")};
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    answer_text(seen, 203, &text);
    send_piece(seen, core, "one", &garbage);
    send_all(seen, core, "one", &text, 5);
    assert_answered(seen, 203);
    buf_done(&text);
    core_free(core);
}

static void pieces_of_another_agent_spoil_nothing(void **state) {
    struct seen *seen = *state;
    struct core *core = core_over(seen);
    struct buf forged, text;
    assert_int_equal(seen_put(seen, "one", 30000), STATUS_OK);
    answer_text(seen, 500, &forged);
    answer_text(seen, 203, &text);
    struct v1_chunk chunk = piece(&text, 4, 5);
    send_piece(seen, core, "one", &chunk);
    send_all(seen, core, "two", &forged, 5);
    assert_int_equal(seen_take(seen, seen->request_id), STATUS_NOT_FOUND);
    send_all(seen, core, "one", &text, 5);
    assert_answered(seen, 203);
    buf_done(&forged);
    buf_done(&text);
    core_free(core);
}

int store_pieces_run(const char *name) {
#define T(test) cmocka_unit_test_setup_teardown(test, seen_set_up, seen_tear_down)
    const struct CMUnitTest tests[] = {
        T(an_answer_in_pieces_comes_back_whole),
        T(a_piece_of_another_total_spoils_nothing),
        T(pieces_longer_than_an_answer_spoil_nothing),
        T(pieces_that_join_to_no_answer_are_none),
        T(pieces_behind_such_that_join_to_none_are_joined),
        T(pieces_of_another_agent_spoil_nothing),
    };
#undef T
    char group[64];
    snprintf(group, sizeof(group), "%s, answers in pieces", name);
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
