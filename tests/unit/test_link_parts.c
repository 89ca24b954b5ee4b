/* What a link is made of, each by itself and to the byte: limits, rates, send queues, heads on their way out.
 */
#include <stdio.h>

#include "link/link_state.h"
#include "test_link_pair.h"

static struct pair pair;

static int setup(void **state) {
    (void)state;
    pair_begin(&pair, NULL);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pair_end(&pair);
    return 0;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- limits ---- */

static void begin_anew(const struct link_limits *limits) {
    pair_end(&pair);
    pair_begin(&pair, limits);
}

static void test_limits_are_kept_within_bounds(void **state) {
    (void)state;
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    const struct link_limits *kept = &pair.opens.session->limits;
    assert_int_equal(kept->message_bytes, limits.message_bytes);
    assert_int_equal(kept->requests_max, LINK_REQUESTS_MAX);
    limits = (struct link_limits){.headers_bytes = 1000, .window_max_bytes = 7};
    begin_anew(&limits);
    kept = &pair.opens.session->limits;
    assert_int_equal(kept->window_bytes, 1024);
    assert_int_equal(kept->window_max_bytes, 1024);
    assert_int_equal(kept->streams_max, 0);
    assert_int_equal(kept->message_bytes, 64 * 1024);
    limits = (struct link_limits){.window_bytes = UINT32_MAX,
                                  .window_max_bytes = UINT32_MAX,
                                  .streams_max = UINT32_MAX,
                                  .requests_max = UINT32_MAX,
                                  .message_bytes = 64 * 1024 + 1};
    begin_anew(&limits);
    kept = &pair.opens.session->limits;
    assert_int_equal(kept->window_bytes, 1 << 30);
    assert_int_equal(kept->window_max_bytes, 1 << 30);
    assert_int_equal(kept->streams_max, 1 << 30);
    assert_int_equal(kept->requests_max, LINK_REQUESTS_MAX);
    assert_int_equal(kept->message_bytes, 64 * 1024 + 1);
    limits.requests_max = 5;
    begin_anew(&limits);
    assert_int_equal(pair.opens.session->limits.requests_max, 5);
}

static void test_how_large_a_head_the_other_side_takes(void **state) {
    (void)state;
    assert_int_equal(link_head_most(pair.opens.session), 0); /* it has not said so yet */
    pair_run(&pair);
    assert_int_equal(link_head_most(pair.opens.session), 64 * 1024);
    assert_int_equal(link_head_most(pair.answers.session), 64 * 1024);
}

/* ---- rates ---- */

static size_t take_all(struct link_session *session, struct bucket *bucket) {
    size_t count = 0;
    while (count < 10000 && bucket_take(session, bucket)) count++;
    return count;
}

static void test_rates_are_met_exactly(void **state) {
    (void)state;
    struct link_session *session = pair.opens.session;
    uint64_t now_ms = 5000;
    assert_int_equal(take_all(session, &session->noise), 10000); /* not before the first tick */
    link_tick(session, now_ms);
    assert_int_equal(take_all(session, &session->noise), 1000); /* ten seconds' worth at once */
    assert_int_equal(take_all(session, &session->resets), 4352);
    link_tick(session, now_ms += 9);
    assert_int_equal(take_all(session, &session->noise), 0);
    assert_int_equal(take_all(session, &session->resets), 1);
    link_tick(session, now_ms += 1);
    assert_int_equal(take_all(session, &session->noise), 1); /* 100 a second */
    link_tick(session, now_ms - 1);                          /* time does not go back */
    link_tick(session, now_ms += 1000);
    assert_int_equal(take_all(session, &session->noise), 100);
    assert_int_equal(take_all(session, &session->resets), 201); /* the thousandths of before count */
    link_tick(session, now_ms += 3600 * 1000);
    assert_int_equal(take_all(session, &session->noise), 1000); /* no more are saved up */
    link_tick(session, now_ms + UINT64_MAX / 100 + 1);          /* nor does so long a rest overflow */
    assert_int_equal(take_all(session, &session->noise), 1000);
}

static void test_few_streams_may_be_reset_as_often_as_in_a_second(void **state) {
    (void)state;
    struct link_limits limits = LINK_LIMITS_DEFAULT;
    limits.streams_max = 5;
    begin_anew(&limits);
    link_tick(pair.opens.session, 1);
    assert_int_equal(take_all(pair.opens.session, &pair.opens.session->resets), 200);
}

/* ---- send queues ---- */

static char bytes[200 * 1024];

static struct view text_of(size_t len) {
    for (size_t i = 0; i < len; i++) bytes[i] = (char)('a' + i % 23);
    return view_of(bytes, len);
}

static void test_blocks_fit_what_is_queued(void **state) {
    (void)state;
    const size_t small = 4096 - sizeof(struct block) - 16, large = 64 * 1024;
    const struct {
        size_t live_count, len, cap;
    } rows[] = {
        {0, 10, 10},        {1, 10, small},
        {2, small, small},  {1, small + 1, small + 1},
        {0, small, small},  {0, large, large},
        {1, large, large},  {0, large + 1, large},
        {1, 100000, large}, {1, large - 1, large - 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct link_session session = {.live_count = rows[i].live_count};
        struct queue queue = {.bytes = 0};
        blocks_init(&session);
        assert_true(queue_append(&session, &queue, text_of(rows[i].len)));
        assert_int_equal(queue.bytes, rows[i].len);
        assert_int_equal(queue.first->cap, rows[i].cap);
        queue_clear(&session, &queue);
        assert_int_equal(session.spare_blocks.count, rows[i].cap == small ? 1 : 0); /* only those are kept */
        assert_null(queue.first);
        assert_int_equal(queue.bytes, 0);
        spares_trim(&session.spare_blocks);
        assert_int_equal(session.spare_blocks.count, 0);
        assert_null(session.spare_blocks.first);
    }
}

static void test_a_spare_block_is_used_again(void **state) {
    (void)state;
    struct link_session session = {.live_count = 1};
    struct queue queue = {.bytes = 0};
    char to[5000];
    blocks_init(&session);
    assert_true(queue_append(&session, &queue, VIEW("abc")));
    const struct block *block = queue.first;
    queue_take(&session, &queue, to, 3);
    assert_null(queue.first);
    assert_null(queue.last);
    assert_int_equal(session.spare_blocks.count, 1);
    session.live_count = 0; /* what is to fit gets a block of its own */
    assert_true(queue_append(&session, &queue, VIEW("d")));
    assert_ptr_not_equal(queue.first, block);
    assert_int_equal(session.spare_blocks.count, 1);
    queue_clear(&session, &queue);
    session.live_count = 1;
    assert_true(queue_append(&session, &queue, VIEW("ef")));
    assert_ptr_equal(queue.first, block);
    assert_int_equal(session.spare_blocks.count, 0);
    queue_take(&session, &queue, to, 2);
    assert_memory_equal(to, "ef", 2);
    spares_trim(&session.spare_blocks);
}

static void test_no_more_than_64_blocks_are_kept(void **state) {
    (void)state;
    struct link_session session = {.live_count = 1};
    struct queue queues[70] = {{.bytes = 0}};
    blocks_init(&session);
    for (size_t i = 0; i < COUNT(queues); i++) assert_true(queue_append(&session, &queues[i], VIEW("x")));
    for (size_t i = 0; i < COUNT(queues); i++) queue_clear(&session, &queues[i]);
    assert_int_equal(session.spare_blocks.count, 64);
    spares_trim(&session.spare_blocks);
}

/* In pieces of all sizes, in and out. */
static void test_a_queue_gives_what_it_got(void **state) {
    (void)state;
    static const size_t in[] = {1, 10, 4040, 4096, 5000, 65536, 70000, 3, 0, 7},
                        out[] = {1, 4056, 9, 65536, 30000};
    static char got[COUNT(bytes)];
    for (size_t live = 0; live < 2; live++) {
        struct link_session session = {.live_count = live};
        struct queue queue = {.bytes = 0};
        size_t put = 0, taken = 0;
        blocks_init(&session);
        for (size_t i = 0; i < COUNT(in); i++) put += in[i];
        struct view all = text_of(put), rest = all;
        for (size_t i = 0; i < COUNT(in); rest = view_skip(rest, in[i++]))
            assert_true(queue_append(&session, &queue, view_slice(rest, 0, in[i])));
        assert_int_equal(queue.bytes, put);
        for (size_t i = 0; taken < put; i++) {
            size_t len = out[i % COUNT(out)] < put - taken ? out[i % COUNT(out)] : put - taken;
            queue_take(&session, &queue, got + taken, len);
            taken += len;
            assert_int_equal(queue.bytes, put - taken);
        }
        assert_memory_equal(got, all.ptr, put);
        assert_null(queue.first);
        assert_null(queue.last);
        spares_trim(&session.spare_blocks);
    }
}

/* What has room in the last block makes none. */
static void test_small_pieces_share_a_block(void **state) {
    (void)state;
    struct link_session session = {.live_count = 1};
    struct queue queue = {.bytes = 0};
    blocks_init(&session);
    for (size_t i = 0; i < 4096 - sizeof(struct block) - 16; i++)
        assert_true(queue_append(&session, &queue, VIEW("x")));
    assert_ptr_equal(queue.first, queue.last);
    assert_true(queue_append(&session, &queue, VIEW("y")));
    assert_ptr_not_equal(queue.first, queue.last);
    assert_ptr_equal(queue.first->next, queue.last);
    assert_int_equal(queue.last->end, 1);
    queue_clear(&session, &queue);
    assert_int_equal(session.spare_blocks.count, 2);
    spares_trim(&session.spare_blocks);
}

/* ---- heads on their way out ---- */

static struct header one_field;
static struct headers headers_of(size_t value_len) {
    one_field = (struct header){VIEW("n"), view_of(bytes, value_len)};
    memset(bytes, 'v', value_len);
    return (struct headers){.fields = &one_field, .count = 1, .bytes = 1 + value_len + 4};
}

#define ESTIMATE(name, value_len) (sizeof(name) - 1 + (value_len) + 12)
#define MOST ((size_t)256 * 1024)

static char long_bytes[256 * 1024];

static void test_a_head_may_be_so_long(void **state) {
    (void)state;
    /* nghttp2's own estimate: 64, and for each field its bytes and 12 */
    const size_t request = 64 + ESTIMATE(":method", 3) + ESTIMATE(":scheme", 4) + ESTIMATE(":authority", 17) +
                           ESTIMATE(":path", 1) + ESTIMATE("n", 0);
    const size_t answer = 64 + ESTIMATE(":status", 3) + ESTIMATE("n", 0);
    struct headers headers = headers_of(0);
    for (size_t more = 0; more < 2; more++) {
        struct outbound_head out;
        enum status expected = more ? STATUS_TOO_LARGE : STATUS_OK;
        memset(long_bytes, 'v', sizeof(long_bytes));
        struct stream_head head = get_head(&headers);
        one_field.value = view_of(long_bytes, MOST - request + more);
        outbound_init(&out);
        assert_int_equal(outbound_request(&out, &head), expected);
        outbound_done(&out);
        one_field.value = view_of(long_bytes, MOST - answer + more);
        head = (struct stream_head){.status = 200, .headers = &headers};
        outbound_init(&out);
        assert_int_equal(outbound_answer(&out, &head), expected);
        outbound_done(&out);
    }
}

static void test_trailers_may_be_so_long(void **state) {
    (void)state;
    memset(long_bytes, 'v', sizeof(long_bytes));
    for (size_t more = 0; more < 2; more++) {
        struct headers headers = headers_of(0);
        size_t len = MOST - 12 - 5 + more;
        one_field.value = view_of(long_bytes, len);
        headers.bytes = 5 + len;
        struct trailers *trailers = trailers_new(&headers);
        assert_int_equal(trailers != NULL, more == 0);
        trailers_free(trailers);
    }
}

static void test_what_a_request_must_have(void **state) {
    (void)state;
    static const struct {
        const char *method, *protocol, *authority, *path;
        enum status status;
    } rows[] = {
        {"G", "", "a", "/", STATUS_OK},         {"", "", "a", "/", STATUS_INVALID},
        {"G", "", "", "/", STATUS_INVALID},     {"G", "", "a", "", STATUS_INVALID},
        {"CONNECT", "x", "a", "/", STATUS_OK},  {"CONNECT", "", "a", "/", STATUS_INVALID},
        {"GET", "x", "a", "/", STATUS_INVALID},
    };
    struct headers none = {.count = 0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct outbound_head out;
        struct stream_head head = {.method = view_from_cstr(rows[i].method),
                                   .protocol = view_from_cstr(rows[i].protocol),
                                   .authority = view_from_cstr(rows[i].authority),
                                   .path = view_from_cstr(rows[i].path),
                                   .headers = &none};
        outbound_init(&out);
        assert_int_equal(outbound_request(&out, &head), rows[i].status);
        if (rows[i].status == STATUS_OK) assert_int_equal(out.count, rows[i].protocol[0] ? 5 : 4);
    }
}

static void test_many_fields_get_room(void **state) {
    (void)state;
    static struct header fields[100];
    struct headers headers = {.fields = fields};
    for (size_t i = 0; i < COUNT(fields); i++) fields[i] = (struct header){VIEW("name"), VIEW(" value ")};
    for (headers.count = 30; headers.count < COUNT(fields); headers.count++) {
        struct outbound_head out;
        struct stream_head head = get_head(&headers);
        outbound_init(&out);
        assert_int_equal(outbound_request(&out, &head), STATUS_OK);
        assert_int_equal(out.count, headers.count + 4);
        assert_int_equal(out.fields[out.count - 1].valuelen, 5);
        outbound_done(&out);
        head = (struct stream_head){.status = 200, .headers = &headers};
        outbound_init(&out);
        assert_int_equal(outbound_answer(&out, &head), STATUS_OK);
        assert_int_equal(out.count, headers.count + 1);
        outbound_done(&out);
    }
}

static void test_which_statuses_there_are(void **state) {
    (void)state;
    static const struct {
        int status;
        enum status informational, answer;
    } rows[] = {{99, STATUS_INVALID, STATUS_INVALID},  {100, STATUS_OK, STATUS_INVALID},
                {101, STATUS_INVALID, STATUS_INVALID}, {103, STATUS_OK, STATUS_INVALID},
                {199, STATUS_OK, STATUS_INVALID},      {200, STATUS_OK, STATUS_OK},
                {999, STATUS_OK, STATUS_OK},           {1000, STATUS_INVALID, STATUS_INVALID}};
    struct headers none = {.count = 0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct outbound_head out;
        char digits[8];
        outbound_init(&out);
        assert_int_equal(outbound_status(&out, rows[i].status), rows[i].informational);
        snprintf(digits, sizeof(digits), "%d", rows[i].status);
        if (rows[i].informational == STATUS_OK) assert_memory_equal(out.status, digits, 3);
        struct stream_head head = {.status = rows[i].status, .headers = &none};
        outbound_init(&out);
        assert_int_equal(outbound_answer(&out, &head), rows[i].answer);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_limits_are_kept_within_bounds),
        TEST(test_how_large_a_head_the_other_side_takes),
        TEST(test_rates_are_met_exactly),
        TEST(test_few_streams_may_be_reset_as_often_as_in_a_second),
        cmocka_unit_test(test_blocks_fit_what_is_queued),
        cmocka_unit_test(test_a_spare_block_is_used_again),
        cmocka_unit_test(test_no_more_than_64_blocks_are_kept),
        cmocka_unit_test(test_a_queue_gives_what_it_got),
        cmocka_unit_test(test_small_pieces_share_a_block),
        cmocka_unit_test(test_a_head_may_be_so_long),
        cmocka_unit_test(test_trailers_may_be_so_long),
        cmocka_unit_test(test_what_a_request_must_have),
        cmocka_unit_test(test_many_fields_get_room),
        cmocka_unit_test(test_which_statuses_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
