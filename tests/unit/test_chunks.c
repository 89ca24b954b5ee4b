/* Chunks: what is cut joins to the same text, whatever the order; what is hostile is bounded. */
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "protocol/chunks.h"

static const struct chunks_limits limits = {
    .message_bytes = 10000, .sender_bytes = 20000, .all_bytes = 40000, .messages = 8, .pending_ms = 1000};

static struct v1_message *parse(struct view text) {
    enum status status;
    struct v1_message *message = v1_message_parse(text, 0, &status);
    assert_non_null(message);
    assert_int_equal(message->type, V1_CHUNK);
    return message;
}

static void cut_and_join(struct view text, size_t message_max, size_t expected) {
    struct chunk_cutter cutter;
    struct chunk_joiner joiner;
    struct buf message, joined;
    enum chunk_result result = CHUNK_MORE;
    chunk_joiner_init(&joiner, text.len);
    buf_init(&message, message_max);
    buf_init(&joined, text.len);
    assert_true(chunk_cutter_init(&cutter, VIEW("id-1"), text, message_max));
    if (expected) assert_int_equal(cutter.total, expected);
    while (chunk_cutter_next(&cutter, &message)) {
        assert_int_equal(result, CHUNK_MORE);
        struct v1_message *parsed = parse(buf_view(&message));
        assert_true(view_eq(parsed->request_id, VIEW("id-1")));
        result = chunk_joiner_add(&joiner, &parsed->chunk);
        v1_message_free(parsed);
        buf_clear(&message);
    }
    assert_false(message.failed);
    assert_int_equal(result, CHUNK_COMPLETE);
    assert_true(chunk_joiner_text(&joiner, &joined));
    assert_true(view_eq(buf_view(&joined), text));
    chunk_joiner_done(&joiner);
    buf_done(&message);
    buf_done(&joined);
}

static void what_is_cut_joins_to_the_same(void **state) {
    (void)state;
    char text[5000];
    memset(text, 'a', sizeof(text));
    cut_and_join(view_of(text, 1), 200, 1);
    cut_and_join(view_of(text, sizeof(text)), 200, 0);
    memset(text, '"', sizeof(text)); /* each takes two bytes */
    cut_and_join(view_of(text, sizeof(text)), 300, 0);
    for (size_t i = 0; i < sizeof(text); i++) text[i] = i % 3 ? '\\' : 'x';
    cut_and_join(view_of(text, sizeof(text)), 257, 0);
    cut_and_join(view_of(text, sizeof(text)), 100000, 1);
}

static void too_many_pieces_are_not_cut(void **state) {
    (void)state;
    struct chunk_cutter cutter;
    char text[5000];
    memset(text, 'a', sizeof(text));
    assert_false(chunk_cutter_init(&cutter, VIEW("id"), view_of(text, sizeof(text)), 110));
    assert_false(chunk_cutter_init(&cutter, VIEW("id"), view_of(text, sizeof(text)), 10));
    char id[257];
    memset(id, '"', sizeof(id));
    assert_true(chunk_cutter_init(&cutter, view_of(id, 256), view_of(text, sizeof(text)), 1000));
}

struct piece {
    const char *data;
    uint64_t seq, total;
    enum chunk_result expected;
};

static void check_pieces(const char *name, const struct piece *pieces, size_t count, const char *expected) {
    struct chunks chunks;
    struct buf text;
    chunks_init(&chunks, &limits);
    buf_init(&text, 20000);
    for (size_t i = 0; i < count; i++) {
        struct v1_chunk chunk = {pieces[i].seq, pieces[i].total, view_from_cstr(pieces[i].data)};
        enum chunk_result result = chunks_add(&chunks, VIEW("s"), VIEW("r"), &chunk, 5, &text);
        if (result != pieces[i].expected)
            fail_msg("%s: piece %zu gave %d, not %d", name, i, (int)result, (int)pieces[i].expected);
    }
    assert_true(view_eq(buf_view(&text), view_from_cstr(expected)));
    chunks_done(&chunks);
    buf_done(&text);
}

static void pieces_are_judged_one_by_one(void **state) {
    (void)state;
    const struct piece order[] = {{"c", 2, 3, CHUNK_MORE},     {"c", 2, 3, CHUNK_REPEATED},
                                  {"a", 0, 3, CHUNK_MORE},     {"b", 1, 3, CHUNK_COMPLETE},
                                  {"b", 1, 3, CHUNK_REPEATED}, {"x", 0, 1, CHUNK_REPEATED}};
    check_pieces("any order, repeated", order, 6, "abc");
    const struct piece one[] = {{"a", 0, 1, CHUNK_COMPLETE}};
    check_pieces("one piece", one, 1, "a");
    const struct piece beyond[] = {{"a", 3, 3, CHUNK_REFUSED}, {"a", UINT64_MAX, 3, CHUNK_REFUSED}};
    check_pieces("seq beyond total", beyond, 2, "");
    const struct piece none[] = {{"a", 0, 0, CHUNK_REFUSED}, {"", 0, 1, CHUNK_REFUSED}};
    check_pieces("nothing", none, 2, "");
    const struct piece many[] = {{"a", 0, CHUNKS_TOTAL_MAX + 1, CHUNK_REFUSED},
                                 {"a", 0, UINT64_MAX, CHUNK_REFUSED}};
    check_pieces("too many", many, 2, "");
    const struct piece changed[] = {{"a", 0, 3, CHUNK_MORE},
                                    {"b", 1, 2, CHUNK_MORE}, /* begun anew */
                                    {"A", 0, 2, CHUNK_COMPLETE}};
    check_pieces("total changed", changed, 3, "Ab");
    const struct piece absurd[] = {{"a", 0, 2, CHUNK_MORE},
                                   {"b", 1, 1000, CHUNK_REFUSED}, /* and forgotten */
                                   {"b", 1, 2, CHUNK_MORE},
                                   {"A", 0, 2, CHUNK_COMPLETE}};
    check_pieces("total changed to one too many", absurd, 4, "Ab");
}

static enum chunk_result add(struct chunks *chunks, const char *sender, unsigned request, uint64_t seq,
                             size_t len, uint64_t now_ms) {
    char id[24], *data = malloc(len);
    struct buf text;
    snprintf(id, sizeof(id), "%u", request);
    memset(data, 'x', len);
    buf_init(&text, 100000);
    struct v1_chunk chunk = {seq, 10, view_of(data, len)};
    enum chunk_result result =
        chunks_add(chunks, view_from_cstr(sender), view_from_cstr(id), &chunk, now_ms, &text);
    free(data);
    buf_done(&text);
    return result;
}

static void what_is_held_is_bounded(void **state) {
    (void)state;
    struct chunks chunks;
    chunks_init(&chunks, &limits);
    assert_int_equal(add(&chunks, "a", 1, 0, 9000, 0), CHUNK_MORE);
    assert_int_equal(add(&chunks, "a", 1, 1, 1001, 0), CHUNK_REFUSED); /* of one message */
    assert_int_equal(chunks.bytes, 0);
    assert_int_equal(add(&chunks, "a", 1, 0, 10000, 0), CHUNK_MORE);
    assert_int_equal(add(&chunks, "a", 2, 0, 10000, 0), CHUNK_MORE);
    assert_int_equal(add(&chunks, "a", 3, 0, 1, 0), CHUNK_REFUSED); /* of one sender */
    assert_int_equal(add(&chunks, "b", 3, 0, 10000, 0), CHUNK_MORE);
    assert_int_equal(add(&chunks, "c", 3, 0, 9999, 0), CHUNK_MORE);
    assert_int_equal(add(&chunks, "d", 3, 0, 2, 0), CHUNK_REFUSED); /* of all */
    assert_int_equal(add(&chunks, "d", 3, 0, 1, 0), CHUNK_MORE);
    assert_int_equal(chunks.bytes, 40000);
    chunks_forget(&chunks, VIEW("a"));
    assert_int_equal(chunks.bytes, 20000);
    for (unsigned i = 0; i < 5; i++) assert_int_equal(add(&chunks, "e", i, 0, 1, 1), CHUNK_MORE);
    assert_int_equal(add(&chunks, "e", 9, 0, 1, 999), CHUNK_REFUSED); /* begun at once */
    assert_int_equal(add(&chunks, "e", 9, 0, 1, 1000), CHUNK_MORE);   /* the older ones are forgotten */
    assert_int_equal(chunks.bytes, 6);
    chunks_done(&chunks);
    assert_int_equal(chunks.bytes, 0);
}

static void senders_do_not_share_requests(void **state) {
    (void)state;
    struct chunks chunks;
    struct buf text;
    chunks_init(&chunks, &limits);
    buf_init(&text, 1000);
    struct v1_chunk first = {0, 2, VIEW("a")}, second = {1, 2, VIEW("b")};
    assert_int_equal(chunks_add(&chunks, VIEW("s"), VIEW("r"), &first, 0, &text), CHUNK_MORE);
    assert_int_equal(chunks_add(&chunks, VIEW("t"), VIEW("r"), &second, 0, &text), CHUNK_MORE);
    assert_int_equal(chunks_add(&chunks, VIEW("s"), VIEW("r"), &second, 0, &text), CHUNK_COMPLETE);
    assert_true(view_eq(buf_view(&text), VIEW("ab")));
    chunks_done(&chunks);
    buf_done(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cut_joins_to_the_same), cmocka_unit_test(too_many_pieces_are_not_cut),
        cmocka_unit_test(pieces_are_judged_one_by_one),  cmocka_unit_test(what_is_held_is_bounded),
        cmocka_unit_test(senders_do_not_share_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
