/* The link: heads, trailers and informational answers arrive as they were sent, or not at all. */
#include <stdio.h>

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

static struct headers *make_headers(struct arena *arena, struct headers *headers,
                                    const char *const (*fields)[2], size_t count) {
    arena_init(arena, 1024 * 1024);
    headers_init(headers, arena);
    for (size_t i = 0; i < count; i++)
        assert_true(headers_add(headers, view_from_cstr(fields[i][0]), view_from_cstr(fields[i][1])));
    return headers;
}

static void assert_headers(const struct headers *headers, const char *const (*fields)[2], size_t count) {
    assert_int_equal(headers->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(headers->fields[i].name.ptr, fields[i][0]);
        assert_string_equal(headers->fields[i].value.ptr, fields[i][1]);
    }
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const request_fields[][2] = {
    {"accept", "text/html"}, {"x-empty", ""},
    {"x-many", "1"},         {"cookie", "a=b; c=d"},
    {"x-many", "2"},         {"x-latin1", "caf\xe9 \xff\x80"},
    {"x-inner", "a \t b"},   {"te", "trailers"},
    {"cookie", "e=f"},       {"!#$%&'*+-.^_`|~0z", "an odd name"},
    {"x-many", "1"},
};
static const char *const answer_fields[][2] = {
    {"set-cookie", "a=1; Path=/"}, {"content-type", "text/plain"},        {"set-cookie", "b=2"},
    {"x-utf8", "\xe2\x82\xac"},    {"x-tunnel-error", "agent_lost"},      {"x-empty", ""},
    {"location", "/there?\"x\""},  {"www-authenticate", "Basic realm=x"}, {"set-cookie", "a=1; Path=/"},
};

static void test_heads_arrive_as_they_were(void **state) {
    (void)state;
    struct arena arena, answer_arena;
    struct headers headers, answer_headers;
    make_headers(&arena, &headers, request_fields, COUNT(request_fields));
    make_headers(&answer_arena, &answer_headers, answer_fields, COUNT(answer_fields));
    struct stream_head head = {.method = VIEW("PATCH"),
                               .scheme = VIEW("https"),
                               .authority = VIEW("a-b.example.test:8443"),
                               .path = VIEW("/a/../%2e?x=[1]|\"{}<>^`\\&caf\xe9"),
                               .headers = &headers};
    for (int i = 0; i < 3; i++) { /* the later ones come out of the tables */
        pair.answers.next.quiet = true;
        struct tap *tap = pair_open_head(&pair, &head, false);
        pair_run(&pair);
        struct tap *other = last_tap(&pair.answers);
        assert_string_equal(other->method, "PATCH");
        assert_string_equal(other->scheme, "https");
        assert_string_equal(other->path, "/a/../%2e?x=[1]|\"{}<>^`\\&caf\xe9");
        assert_string_equal(other->authority, "a-b.example.test:8443");
        assert_headers(&other->headers, request_fields, COUNT(request_fields));
        assert_int_equal(other->headers.bytes, headers.bytes);
        assert_false(other->has_body);
        assert_true(other->ended);
        struct stream_head answer = {.status = 418, .headers = &answer_headers};
        assert_int_equal(link_stream_answer(other->stream, &answer, false), STATUS_OK);
        pair_run(&pair);
        assert_int_equal(tap->status, 418);
        assert_headers(&tap->headers, answer_fields, COUNT(answer_fields));
        assert_true(tap->ended && tap->done && other->done);
        assert_int_equal(tap->trailers.count, 0);
    }
    assert_all_done(&pair);
    arena_done(&arena);
    arena_done(&answer_arena);
}

/* The id of a request is new each time and stays out of the table of compression; its name does not. */
static void test_names_of_what_is_new_each_time(void **state) {
    (void)state;
    size_t first = 0;
    for (int i = 0; i < 130; i++) {
        char id[17];
        snprintf(id, sizeof(id), "%016llx", 0x9e3779b97f4a7c15ULL * (unsigned)(i + 1));
        const char *const fields[][2] = {{"x-request-id", id}};
        struct arena arena;
        struct headers headers;
        struct stream_head head = get_head(make_headers(&arena, &headers, fields, 1));
        pair_run(&pair);
        pair_open_head(&pair, &head, false);
        assert_true(side_send(&pair.opens));
        size_t len = pair.opens.pipe.len;
        if (i == 0) first = len;
        if (i % 64) assert_true(len < first);
        if (i % 64 > 1) assert_true(len <= 9 + 5 + 3 + strlen(id)); /* a frame's head, what was said before */
        pair_run(&pair);
        assert_headers(&last_tap(&pair.answers)->headers, fields, 1);
        arena_done(&arena);
    }
}

static void test_white_space_around_values_is_taken_off(void **state) {
    (void)state;
    static const char *const loose[][2] = {{"a", " x"}, {"b", "x\t "}, {"c", " \t"}, {"d", " x y "}};
    static const char *const tight[][2] = {{"a", "x"}, {"b", "x"}, {"c", ""}, {"d", "x y"}};
    struct arena arena;
    struct headers headers;
    struct stream_head head = get_head(make_headers(&arena, &headers, loose, COUNT(loose)));
    struct tap *tap = pair_open_head(&pair, &head, false);
    pair_run(&pair);
    assert_headers(&last_tap(&pair.answers)->headers, tight, COUNT(tight));
    assert_true(tap->done);
    arena_done(&arena);
}

/* So many fields of so many bytes each, counted as headers.bytes does. */
static void fill_headers(struct headers *headers, struct arena *arena, size_t count, size_t bytes) {
    char name[16], value[65536];
    arena_init(arena, 1024 * 1024);
    headers_init(headers, arena);
    for (size_t i = 0; i < count; i++) {
        int len = snprintf(name, sizeof(name), "x-%zu", i);
        size_t value_len = bytes - (size_t)len - 4;
        for (size_t j = 0; j < value_len; j++) value[j] = (char)('!' + next_random(&pair.random) % 90);
        assert_true(headers_add(headers, view_of(name, (size_t)len), view_of(value, value_len)));
    }
}

static void test_large_heads(void **state) {
    (void)state;
    static const size_t shapes[][2] = {{1, 60 * 1024}, {8, 8192}, {256, 256}, {256, 9}, {1, 65536}};
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct arena arena;
        struct headers headers;
        fill_headers(&headers, &arena, shapes[i][0], shapes[i][1]);
        struct stream_head head = get_head(&headers), answer = {.status = 200, .headers = &headers};
        pair.answers.next.quiet = true;
        struct tap *tap = pair_open_head(&pair, &head, false);
        pair_run(&pair);
        struct tap *other = last_tap(&pair.answers);
        assert_int_equal(other->headers.bytes, shapes[i][0] * shapes[i][1]);
        assert_int_equal(link_stream_answer(other->stream, &answer, false), STATUS_OK);
        pair_run(&pair);
        assert_true(tap->done);
        assert_int_equal(tap->headers.count, headers.count);
        for (size_t j = 0; j < headers.count; j++)
            assert_true(view_eq(tap->headers.fields[j].value, headers.fields[j].value));
        arena_done(&arena);
    }
    assert_all_done(&pair);
}

static void test_heads_over_the_limits_cost_their_stream_only(void **state) {
    (void)state;
    static const size_t shapes[][2] = {{1, 65537}, {257, 10}, {9, 8192}, {20, 10000}};
    struct tap *bystander = pair_open(&pair, 1000);
    bystander->hold = true;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct arena arena;
        struct headers headers;
        fill_headers(&headers, &arena, shapes[i][0], shapes[i][1]);
        struct stream_head head = get_head(&headers), answer = {.status = 200, .headers = &headers};
        struct tap *tap = pair_open_head(&pair, &head, false);
        size_t before = pair.answers.tap_count;
        pair_run(&pair);
        assert_true(tap->lost);
        assert_int_equal(tap->why, STREAM_RESET);
        if (i > 0) assert_int_equal(pair.answers.tap_count, before); /* never told */
        pair.answers.next.quiet = true;
        tap = pair_open(&pair, 0);
        pair_run(&pair);
        struct tap *other = last_tap(&pair.answers);
        assert_int_equal(link_stream_answer(other->stream, &answer, false), STATUS_OK);
        pair_run(&pair);
        assert_true(tap->lost && !tap->headed);
        assert_int_equal(tap->why, STREAM_BROKEN);
        assert_true(other->done || other->lost);
        pair.answers.next.quiet = false;
        arena_done(&arena);
    }
    assert_int_equal(link_stream_count(pair.opens.session), 0);
    assert_true(bystander->done);
    assert_int_equal(pair.opens.status, STATUS_OK);
    assert_int_equal(pair.answers.status, STATUS_OK);
}

/* The path and the host count for the head, too. */
static void test_long_paths(void **state) {
    (void)state;
    static char path[65000], authority[2000];
    struct headers none = {0};
    struct stream_head head = get_head(&none);
    memset(path, 'p', sizeof(path));
    memset(authority, 'a', sizeof(authority));
    path[0] = '/';
    head.path = view_of(path, sizeof(path));
    for (size_t len = 100; len <= sizeof(authority); len += sizeof(authority) - 100) {
        head.authority = view_of(authority, len);
        struct tap *tap = pair_open_head(&pair, &head, false);
        size_t before = pair.answers.tap_count;
        pair_run(&pair);
        bool fits = len == 100;
        assert_int_equal(pair.answers.tap_count - before, fits);
        assert_int_equal(tap->done, fits);
        if (!fits) assert_int_equal(tap->why, STREAM_RESET);
    }
    assert_int_equal(pair.opens.status, STATUS_OK);
    assert_int_equal(pair.answers.status, STATUS_OK);
}

static void test_heads_without_a_scheme(void **state) {
    (void)state;
    struct headers none = {0};
    struct stream_head head = get_head(&none);
    head.scheme = (struct view){0};
    pair_open_head(&pair, &head, false);
    pair_run(&pair);
    assert_string_equal(last_tap(&pair.answers)->scheme, "http");
}

static void test_who_waits_for_a_head(void **state) {
    (void)state;
    pair.answers.next.quiet = true;
    assert_false(link_awaits(pair.opens.session));
    struct tap *tap = pair_open(&pair, 0), *left = pair_open(&pair, 0);
    assert_true(link_awaits(pair.opens.session));
    pair_run(&pair);
    assert_true(link_awaits(pair.opens.session));
    assert_false(link_awaits(pair.answers.session)); /* which has all heads */
    struct link_stream *stream = left->stream;
    left->stream = NULL;
    link_stream_reset(stream, false);
    assert_true(link_awaits(pair.opens.session));
    struct tap *other = pair.answers.taps[0];
    struct headers none = {0};
    struct stream_head answer = {.status = 200, .headers = &none};
    link_stream_answer(other->stream, &answer, true);
    pair_run(&pair);
    assert_false(link_awaits(pair.opens.session));
    link_stream_end(other->stream, NULL);
    pair_run(&pair);
    assert_true(tap->done && !link_awaits(pair.opens.session));
}

static void test_heads_too_large_to_send(void **state) {
    (void)state;
    struct arena arena;
    struct headers headers;
    enum status status;
    struct tap unused = {0};
    fill_headers(&headers, &arena, 5, 60000);
    struct stream_head head = get_head(&headers), answer = {.status = 200, .headers = &headers};
    assert_null(link_open(pair.opens.session, &head, false, &tap_events, &unused, &status));
    assert_int_equal(status, STATUS_TOO_LARGE);
    pair.answers.next.quiet = true;
    struct tap *tap = pair_open(&pair, 0);
    pair_run(&pair);
    struct tap *other = last_tap(&pair.answers);
    assert_int_equal(link_stream_answer(other->stream, &answer, false), STATUS_TOO_LARGE);
    tap_answer(other, 502);
    pair_run(&pair);
    assert_int_equal(tap->status, 502);
    assert_all_done(&pair);
    arena_done(&arena);
}

static void test_a_head_without_its_parts_is_not_sent(void **state) {
    (void)state;
    struct headers none = {0};
    struct stream_head head;
    struct tap unused = {0};
    enum status status;
    for (int i = 0; i < 5; i++) {
        head = get_head(&none);
        if (i == 0) head.method = VIEW("");
        if (i == 1) head.path = VIEW("");
        if (i == 2) head.authority = VIEW("");
        if (i == 3) head.method = VIEW("CONNECT");
        if (i == 4) head.protocol = VIEW("websocket");
        assert_null(link_open(pair.opens.session, &head, false, &tap_events, &unused, &status));
        assert_int_equal(status, STATUS_INVALID);
    }
    pair.answers.next.quiet = true;
    pair_open(&pair, 0);
    pair_run(&pair);
    struct tap *other = last_tap(&pair.answers);
    for (int code = 0; code < 200; code += 33) {
        struct stream_head answer = {.status = code, .headers = &none};
        assert_int_equal(link_stream_answer(other->stream, &answer, false), STATUS_INVALID);
    }
    struct stream_head large = {.status = 1000, .headers = &none};
    assert_int_equal(link_stream_answer(other->stream, &large, false), STATUS_INVALID);
    assert_int_equal(link_stream_informational(other->stream, 200), STATUS_INVALID);
    assert_int_equal(link_stream_informational(other->stream, 101), STATUS_INVALID);
    tap_answer(other, 999);
    pair_run(&pair);
    assert_int_equal(pair.opens.taps[0]->status, 999);
    assert_all_done(&pair);
}

static void test_answers_without_a_body(void **state) {
    (void)state;
    static const char *const fields[][2] = {{"content-length", "1234"}};
    static const struct {
        const char *method;
        int status;
        size_t kept;
    } rows[] = {{"HEAD", 200, 1}, {"GET", 304, 1}, {"GET", 204, 0}, {"HEAD", 404, 1}};
    struct arena arena;
    struct headers headers, none = {0};
    make_headers(&arena, &headers, fields, 1);
    pair.answers.next.quiet = true;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stream_head head = get_head(&none), answer = {.status = rows[i].status, .headers = &headers};
        head.method = view_from_cstr(rows[i].method);
        struct tap *tap = pair_open_head(&pair, &head, false);
        pair_run(&pair);
        link_stream_answer(last_tap(&pair.answers)->stream, &answer, i % 2);
        if (i % 2) link_stream_end(last_tap(&pair.answers)->stream, NULL);
        pair_run(&pair);
        assert_true(tap->done);
        assert_int_equal(tap->status, rows[i].status);
        assert_int_equal(tap->headers.count, rows[i].kept);
    }
    assert_all_done(&pair);
    arena_done(&arena);
}

static void test_trailers_both_ways(void **state) {
    (void)state;
    static const char *const up[][2] = {{"x-sum", "abc"}, {"x-empty", ""}, {"x-sum", "def"}};
    static const char *const down[][2] = {{"grpc-status", "0"}, {"x-a", "caf\xe9"}};
    struct arena up_arena, down_arena;
    struct headers up_headers, down_headers, none = {0};
    make_headers(&up_arena, &up_headers, up, COUNT(up));
    make_headers(&down_arena, &down_headers, down, COUNT(down));
    for (size_t bytes = 0; bytes <= 300000; bytes += 100000) {
        struct stream_head head = get_head(&none), answer = {.status = 200, .headers = &none};
        pair.answers.next.quiet = true;
        struct tap *tap = pair_open_head(&pair, &head, true);
        for (size_t i = 0; i < bytes; i += 4000) {
            tap_put(tap, 4000);
        }
        assert_int_equal(link_stream_end(tap->stream, &up_headers), STATUS_OK);
        pair_run(&pair);
        struct tap *other = last_tap(&pair.answers);
        assert_true(other->ended);
        assert_int_equal(other->received, bytes);
        assert_headers(&other->trailers, up, COUNT(up));
        link_stream_answer(other->stream, &answer, true);
        if (bytes) tap_say(other, VIEW("body"));
        pair_run(&pair);
        assert_int_equal(tap->received, bytes ? 4 : 0);
        assert_false(tap->ended);
        link_stream_end(other->stream, &down_headers);
        pair_run(&pair);
        assert_headers(&tap->trailers, down, COUNT(down));
    }
    assert_all_done(&pair);
    arena_done(&up_arena);
    arena_done(&down_arena);
}

static void test_informational(void **state) {
    (void)state;
    struct headers none = {0};
    struct stream_head head = get_head(&none);
    pair.answers.next.quiet = true;
    struct tap *tap = pair_open_head(&pair, &head, true);
    pair_run(&pair);
    struct tap *other = last_tap(&pair.answers);
    assert_true(other->has_body && !other->ended);
    link_stream_informational(other->stream, 103);
    pair_run(&pair);
    assert_int_equal(tap->informational, 0);
    link_stream_informational(other->stream, 100);
    pair_run(&pair);
    assert_int_equal(tap->informational, 100);
    assert_false(tap->headed);
    tap_say(tap, VIEW("body"));
    link_stream_end(tap->stream, NULL);
    pair_run(&pair);
    assert_int_equal(other->received, 4);
    tap_answer(other, 201);
    assert_int_equal(link_stream_informational(other->stream ? other->stream : tap->stream, 100),
                     STATUS_INVALID);
    pair_run(&pair);
    assert_int_equal(tap->status, 201);
    assert_all_done(&pair);
}

static void test_extended_connect(void **state) {
    (void)state;
    struct headers none = {0};
    struct stream_head head = get_head(&none), answer = {.status = 200, .headers = &none};
    head.method = VIEW("CONNECT");
    head.protocol = VIEW("websocket");
    head.path = VIEW("/chat?x");
    pair.answers.next.quiet = true;
    for (int first = 0; first < 2; first++) {
        struct tap *tap = pair_open_head(&pair, &head, true);
        pair_run(&pair);
        struct tap *other = last_tap(&pair.answers);
        assert_string_equal(other->method, "CONNECT");
        assert_string_equal(other->protocol, "websocket");
        assert_string_equal(other->path, "/chat?x");
        assert_int_equal(link_stream_answer(other->stream, &answer, true), STATUS_OK);
        pair_run(&pair);
        assert_int_equal(tap->status, 200);
        for (int i = 0; i < 20; i++) {
            tap_put(tap, 1000);
            tap_put(other, (size_t)i + 1);
            pair_run(&pair);
            assert_true(tap->hash == other->written_hash && other->hash == tap->written_hash);
        }
        struct tap *early = first ? tap : other, *late = first ? other : tap;
        link_stream_end(early->stream, NULL); /* half closed */
        pair_run(&pair);
        assert_true(late->ended && !early->ended && !early->done);
        tap_put(late, 500);
        pair_run(&pair);
        link_stream_end(late->stream, NULL);
        pair_run(&pair);
        assert_true(early->done && late->done && early->hash == late->written_hash);
    }
    assert_all_done(&pair);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_heads_arrive_as_they_were),
        TEST(test_names_of_what_is_new_each_time),
        TEST(test_white_space_around_values_is_taken_off),
        TEST(test_large_heads),
        TEST(test_heads_over_the_limits_cost_their_stream_only),
        TEST(test_long_paths),
        TEST(test_heads_without_a_scheme),
        TEST(test_who_waits_for_a_head),
        TEST(test_heads_too_large_to_send),
        TEST(test_a_head_without_its_parts_is_not_sent),
        TEST(test_answers_without_a_body),
        TEST(test_trailers_both_ways),
        TEST(test_informational),
        TEST(test_extended_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
