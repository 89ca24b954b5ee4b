/* How requests to the local service end, what they leave behind, and which words come before the last one
 * (local_request.c). */
#include "local_scene.h"

#define SWITCHED "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"

static bool give(struct probe *probe, const char *text) {
    return local_request_body(probe->request, view_from_cstr(text));
}

static void start_expecting(struct probe *probe, const char *method) {
    struct local_head head = head_of(method, 4);
    head.expects_continue = true;
    start_with(probe, &head);
    assert_true(give(probe, "four"));
}

static void start_upgrade(struct probe *probe, const char *method, int64_t length) {
    struct local_head head = head_of(method, length);
    head.upgrade = VIEW("x");
    start_with(probe, &head);
}

static void hear_head_of(int fd) {
    struct buf heard;
    buf_init(&heard, 1 << 20);
    UNTIL((hear_some(fd, &heard), view_ends_with(buf_view(&heard), VIEW("\r\n\r\n"))));
    buf_done(&heard);
}

/* ---- what is left of it ---- */

static void assert_no_trace(void) {
    assert_true(list_empty(&client->requests));
    assert_true(list_empty(&client->waiting));
    assert_true(list_empty(&client->expecting));
    assert_true(list_empty(&client->restless));
}

/* Cancelled while it waits for a connection, for a 100, and for the end of the turn. */
static void test_what_is_cancelled_is_in_no_list(void **state) {
    (void)state;
    struct probe busy = {.status = 0}, probe = {.status = 0};
    client->lacks_descriptors = true;
    get(&busy);
    int fd = serve();
    get(&probe);
    assert_false(list_empty(&client->waiting));
    done(&probe);
    assert_true(list_empty(&client->waiting));
    answer_hello(fd, &busy);
    done(&busy);
    start_expecting(&probe, "POST");
    UNTIL(!list_empty(&client->expecting));
    done(&probe);
    assert_no_trace();
    start(&probe, "POST", 4);
    assert_false(list_empty(&client->restless));
    done(&probe);
    assert_no_trace();
    close(fd);
}

/* Failed already, but not ended yet: no connection is put under it, and no deadline looks at it. */
static void test_what_has_failed_waits_for_nothing(void **state) {
    (void)state;
    struct probe busy = {.status = 0}, probe = {.status = 0};
    client->lacks_descriptors = true;
    get(&busy);
    int fd = serve();
    start(&probe, "POST", 4);
    assert_false(list_empty(&client->waiting));
    local_request_body_end(probe.request);
    assert_true(list_empty(&client->waiting));
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_BROKEN);
    answer_hello(fd, &busy);
    done(&busy);
    done(&probe);

    struct local_head head = head_of("POST", 4);
    head.expects_continue = true;
    start_with(&probe, &head);
    UNTIL(!list_empty(&client->expecting));
    local_request_body_end(probe.request);
    assert_true(list_empty(&client->expecting));
    UNTIL(probe.ends);
    assert_int_equal(probe.informationals, 0);
    done(&probe);
    close(fd);
}

/* ---- the last words ---- */

/* An answer that is quicker than the end of the turn: what has left is told all the same, and before. */
static void test_what_has_left_is_told_before_the_end(void **state) {
    (void)state;
    int fd = get_hello();
    struct probe probe = {.status = 0};
    start(&probe, "POST", 4);
    assert_true(give(&probe, "four"));
    list_remove(&probe.request->restless_node); /* as if nothing had been put off */
    answer_hello(fd, &probe);
    assert_int_equal(probe.sent, 4);
    done(&probe);
    close(fd);
}

static int calls; /* of on_trailers */

static void on_trailers_call(void *ctx, const struct headers *trailers) {
    const struct probe *probe = ctx;
    assert_int_equal(probe->ends, 0);
    assert_true(trailers->count > 0);
    calls++;
}

static void test_trailers_of_a_whole_answer_only(void **state) {
    (void)state;
    static const struct {
        const char *said;
        enum local_error error;
        int calls;
    } rows[] = {
        {HELLO, LOCAL_OK, 0},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", LOCAL_OK, 0},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: b\r\n\r\n", LOCAL_OK, 1},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: b\r\nno field\r\n\r\n", LOCAL_BROKEN,
         0},
    };
    struct local_events counting = events;
    counting.on_trailers = on_trailers_call;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct probe probe = {.status = 0};
        struct local_head head = head_of("GET", LOCAL_BODY_NONE);
        buf_init(&probe.body, 4096);
        calls = 0;
        probe.request = local_request_start(client, &head, &counting, &probe);
        int fd = serve();
        hear_head_of(fd);
        say(fd, rows[i].said);
        UNTIL(probe.ends);
        assert_int_equal(probe.error, rows[i].error);
        assert_int_equal(calls, rows[i].calls);
        done(&probe);
        close(fd);
        UNTIL(client->open == 0);
    }
}

/* Those that are needed alone. */
static void test_words_that_nobody_wants(void **state) {
    (void)state;
    static const struct local_events needed = {.on_head = on_head, .on_data = on_data, .on_end = on_end};
    struct probe probe = {.status = 0};
    struct local_head head = head_of("POST", 4);
    head.expects_continue = true;
    buf_init(&probe.body, 4096);
    probe.request = local_request_start(client, &head, &needed, &probe);
    assert_true(give(&probe, "four"));
    int fd = serve();
    hear_head_of(fd);
    say(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    hear(fd, "four");
    say(fd, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\na: b\r\n\r\n");
    UNTIL(probe.ends);
    assert_int_equal(probe.error, LOCAL_OK);
    done(&probe);
    head = head_of("GET", LOCAL_BODY_NONE);
    head.upgrade = VIEW("x");
    buf_init(&probe.body, 4096);
    probe.request = local_request_start(client, &head, &needed, &probe);
    assert_true(give(&probe, "early"));
    hear_head_of(fd);
    say(fd, SWITCHED "raw");
    hear(fd, "early");
    UNTIL(probe.body.len == 3);
    close(fd);
    UNTIL(probe.ends);
    assert_int_equal(probe.heads, 0);
    done(&probe);
}

/* ---- which connections are kept ---- */

static void test_which_connections_are_kept(void **state) {
    (void)state;
    static const struct {
        const char *name, *said;
        int64_t length;
        const char *given;
        bool ends, kept;
    } rows[] = {
        {"whole", HELLO, LOCAL_BODY_NONE, NULL, false, true},
        {"a byte behind it", HELLO "!", LOCAL_BODY_NONE, NULL, false, false},
        {"bytes behind it", HELLO "HTTP", LOCAL_BODY_NONE, NULL, false, false},
        {"close", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello", LOCAL_BODY_NONE,
         NULL, false, false},
        {"with all of a body", HELLO, 4, "four", false, true},
        {"without a body of no bytes", HELLO, 0, NULL, false, true},
        {"before the body's end", HELLO, 4, "fou", false, false},
        {"before the end of chunks", HELLO, LOCAL_BODY_UNKNOWN, "four", false, false},
        {"behind the end of chunks", HELLO, LOCAL_BODY_UNKNOWN, "four", true, true},
        {"malformed", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", LOCAL_BODY_NONE, NULL, false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct probe probe = {.status = 0};
        start(&probe, "POST", rows[i].length);
        int fd = serve();
        if (rows[i].given) assert_true(give(&probe, rows[i].given));
        if (rows[i].ends) local_request_body_end(probe.request);
        UNTIL(probe.request->head_sent > 0 && probe.sent == (rows[i].given ? strlen(rows[i].given) : 0));
        say(fd, rows[i].said);
        UNTIL(probe.ends);
        if ((client->open == 1) != rows[i].kept) fail_msg("%s", rows[i].name);
        assert_int_equal(count_of(&client->idle), client->open);
        done(&probe);
        close(fd);
        UNTIL(client->open == 0);
    }
}

/* An ordinary answer to what offered to switch: the body that was announced has gone whole, or has not. */
static void test_a_refused_switch(void **state) {
    (void)state;
    static const struct {
        const char *method, *given;
        int64_t length;
        bool kept;
    } rows[] = {
        {"GET", NULL, LOCAL_BODY_NONE, true},
        {"GET", "early", LOCAL_BODY_NONE, false},
        {"POST", NULL, 0, true},
        {"POST", "early", 0, false},
        {"POST", "four", 4, true},
        {"POST", "fou", 4, false},
        {"POST", "f", 1, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct probe probe = {.status = 0};
        start_upgrade(&probe, rows[i].method, rows[i].length);
        int fd = serve();
        if (rows[i].given) assert_true(give(&probe, rows[i].given));
        if (rows[i].kept) local_request_body_end(probe.request); /* all of it was given */
        UNTIL(probe.request->head_sent > 0 && (rows[i].length <= 0 || probe.sent == strlen(rows[i].given)));
        answer_hello(fd, &probe);
        if ((client->open == 1) != rows[i].kept) fail_msg("row %zu", i);
        if (rows[i].given) assert_int_equal(probe.sent, strlen(rows[i].given)); /* dropped, and told so */
        done(&probe);
        close(fd);
        UNTIL(client->open == 0);
    }
}

/* ---- a body and its answer ---- */

/* 100 is told once, and only where it was asked for. Without it a final head ends the wait. */
static void test_how_a_100_is_told(void **state) {
    (void)state;
    struct probe probe = {.status = 0};
    start_expecting(&probe, "POST");
    int fd = serve();
    hear_head_of(fd);
    say(fd, "HTTP/1.1 103 E\r\n\r\n");
    UNTIL(probe.request->answer.interims == 1);
    assert_int_equal(probe.informationals, 0);
    assert_int_equal(probe.request->way, BODY_AWAITS_100);
    say(fd, "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 101 S");
    hear(fd, "four");
    UNTIL(probe.informationals == 1);
    assert_true(list_empty(&client->expecting));
    done(&probe);
    close(fd);
    UNTIL(client->open == 0);

    start(&probe, "POST", 4); /* unasked: dropped, and the body held back no less */
    fd = serve();
    say(fd, "HTTP/1.1 100 C\r\n\r\n" HELLO);
    UNTIL(probe.ends);
    assert_int_equal(probe.informationals, 0);
    done(&probe);
    close(fd);

    start_expecting(&probe, "POST");
    fd = serve();
    hear_head_of(fd);
    assert_false(list_empty(&client->expecting));
    say(fd, "HTTP/1.1 417 No\r\ncontent-length: 5\r\n\r\nhel");
    UNTIL(probe.heads && probe.sent == 4); /* dropped, and told so */
    assert_true(list_empty(&client->expecting));
    assert_int_equal(probe.informationals, 0);
    assert_int_equal(probe.request->body.len, 0);
    say(fd, "lo");
    UNTIL(probe.ends);
    assert_int_equal(client->open, 0);
    done(&probe);
    close(fd);
}

/* One that is sent again waits for its 100 anew. */
static void test_a_second_wait_for_a_100(void **state) {
    (void)state;
    int fd = get_hello();
    struct probe probe = {.status = 0};
    start_expecting(&probe, "OPTIONS");
    UNTIL(!list_empty(&client->expecting));
    probe.request->continue_deadline_ms = 1; /* long ago */
    close(fd);
    UNTIL(probe.request->retried);
    assert_true(list_empty(&client->expecting));
    fd = serve();
    hear_head_of(fd);
    assert_false(list_empty(&client->expecting));
    assert_true(probe.request->continue_deadline_ms + 20000 > loop_now(&loop) + LOCAL_CONTINUE_MAX_MS);
    assert_true(client->tick.deadline_ms <= probe.request->continue_deadline_ms);
    assert_int_equal(probe.informationals, 0);
    say(fd, "HTTP/1.1 100 C\r\n\r\n");
    hear(fd, "four");
    answer_hello(fd, &probe);
    done(&probe);
    close(fd);
}

/* A service that begins its answer while it reads: the rest of the body still goes to it. */
static void test_an_answer_amid_the_body(void **state) {
    (void)state;
    int fd = get_hello();
    struct probe probe = {.status = 0};
    start(&probe, "POST", 8);
    assert_true(give(&probe, "four"));
    hear(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nfour");
    say(fd, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel");
    UNTIL(probe.heads);
    assert_int_equal(probe.request->way, BODY_FLOWS);
    assert_true(give(&probe, "more"));
    hear(fd, "more");
    say(fd, "lo");
    UNTIL(probe.ends);
    assert_int_equal(probe.sent, 8);
    assert_int_equal(client->open, 1);
    done(&probe);
    close(fd);
}

/* What was given early leaves with the switch, and more than was announced may be given from then on. */
static void test_a_switch(void **state) {
    (void)state;
    struct probe short_one = {.status = 0};
    start_upgrade(&short_one, "POST", 1);
    assert_true(give(&short_one, "f"));
    assert_false(give(&short_one, "!"));
    close(serve());
    UNTIL(short_one.ends);
    done(&short_one);
    for (int has_body = 0; has_body < 2; has_body++) {
        struct probe probe = {.status = 0};
        start_upgrade(&probe, has_body ? "POST" : "GET", has_body ? 5 : LOCAL_BODY_NONE);
        int fd = serve();
        assert_true(give(&probe, "early"));
        assert_int_equal(give(&probe, "!"), !has_body);
        if (!has_body) hear_head_of(fd);
        for (int i = 0; i < 3; i++) turn();
        assert_int_equal(probe.sent, has_body ? 5 : 0);
        if (has_body) {
            struct buf heard;
            buf_init(&heard, 1 << 20);
            UNTIL((hear_some(fd, &heard), view_ends_with(buf_view(&heard), VIEW("early"))));
            buf_done(&heard);
        }
        say(fd, SWITCHED);
        if (!has_body) hear(fd, "early!");
        UNTIL(probe.switches == 1);
        assert_true(give(&probe, "as much as there is"));
        hear(fd, "as much as there is");
        local_request_body_end(probe.request);
        assert_int_equal(hear_end(fd), 0);
        say(fd, "bye");
        UNTIL(probe.body.len == 3);
        assert_int_equal(probe.ends, 0);
        close(fd);
        UNTIL(probe.ends);
        assert_int_equal(probe.error, LOCAL_OK);
        assert_int_equal(probe.sent, has_body ? 24 : 25);
        assert_int_equal(client->open, 0);
        done(&probe);
    }
}

/* ---- pauses ---- */

/* While it waits for a connection, while that is made, and where there is none: nothing is read then. */
static void test_pauses_before_there_is_an_answer(void **state) {
    (void)state;
    struct probe busy = {.status = 0}, probe = {.status = 0};
    client->lacks_descriptors = true;
    get(&busy);
    get(&probe);
    assert_null(probe.request->connection);
    for (int i = 0; i < 2; i++) {
        local_request_pause(probe.request, true);
        local_request_pause(probe.request, false);
        assert_int_equal(probe.request->reading, READS_SOON);
        local_request_pause(busy.request, true);
        local_request_pause(busy.request, false);
        assert_true(busy.request->connection->stage < CONNECTION_UP);
        client->chores.fn(&client->chores);
        assert_int_equal(probe.request->reading, READS);
        assert_int_equal(busy.request->reading, READS);
        assert_int_equal(busy.ends, 0);
    }
    int fd = serve();
    answer_hello(fd, &busy);
    answer_hello(fd, &probe);
    done(&busy);
    done(&probe);
    close(fd);
}

/* The end of a turn ends no pause, and what is not paused needs no end of one. */
static void test_a_pause_lasts(void **state) {
    (void)state;
    int fd = get_hello();
    struct probe probe = {.status = 0};
    start(&probe, "POST", 4);
    local_request_pause(probe.request, true);
    UNTIL(list_empty(&client->restless));
    assert_int_equal(probe.request->reading, READS_NOT);
    assert_true(give(&probe, "four"));
    say(fd, HELLO);
    UNTIL(probe.sent == 4);
    for (int i = 0; i < 3; i++) turn();
    assert_int_equal(probe.heads, 0);
    local_request_pause(probe.request, false);
    UNTIL(probe.ends);
    assert_int_equal(probe.body.len, 5);
    done(&probe);
    get(&probe);
    local_request_pause(probe.request, false);
    assert_int_equal(probe.request->reading, READS);
    assert_true(list_empty(&client->restless));
    answer_hello(fd, &probe);
    done(&probe);
    close(fd);
}

/* ---- a service that goes ---- */

static void reset(int fd) {
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

static void test_how_a_service_goes(void **state) {
    (void)state;
    static const struct {
        const char *said;
        bool resets;
        enum local_error error;
        const char *detail;
        enum local_clue clue;
    } rows[] = {
        {"", false, LOCAL_BROKEN, "the service closed the connection without an answer", LOCAL_CLUE_SILENT},
        {"", true, LOCAL_BROKEN, "connection reset by peer", LOCAL_CLUE_SILENT},
        {"HTTP/1.1 2", false, LOCAL_BROKEN, "the service closed the connection without an answer",
         LOCAL_CLUE_NONE},
        {"HTTP/1.1 200 OK\r\n\r\nhello", false, LOCAL_OK, "", LOCAL_CLUE_NONE},
        {"HTTP/1.1 200 OK\r\n\r\nhello", true, LOCAL_BROKEN, "connection reset by peer", LOCAL_CLUE_NONE},
        {"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello", false, LOCAL_BROKEN,
         "the service closed the connection within its answer", LOCAL_CLUE_NONE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct probe probe = {.status = 0};
        end_client();
        begin_client(&(struct local_target){.host = "127.0.0.1", .port = port});
        get(&probe);
        int fd = serve();
        hear_head_of(fd);
        say(fd, rows[i].said);
        if (rows[i].said[0]) UNTIL(probe.request->answer.began);
        if (strstr(rows[i].said, "hello")) UNTIL(probe.body.len == 5);
        if (rows[i].resets)
            reset(fd);
        else
            close(fd);
        UNTIL(probe.ends);
        assert_int_equal(probe.error, rows[i].error);
        assert_string_equal(probe.detail, rows[i].detail);
        assert_int_equal(local_client_clue(client), rows[i].clue);
        assert_int_equal(client->open, 0);
        done(&probe);
    }
}

/* ---- memory ---- */

/* Nothing of a body is held where it cannot be sent again. */
static void test_no_body_is_kept_of_what_is_not_safe(void **state) {
    (void)state;
    int fd = get_hello();
    struct probe probe = {.status = 0};
    start(&probe, "POST", LOCAL_BODY_UNKNOWN);
    assert_true(give(&probe, "four"));
    UNTIL(probe.sent == 4);
    assert_int_equal(probe.request->body.len, 0);
    done(&probe);
    close(fd);
}

/* Up to 16 KiB of a head and 64 KiB of a body. */
static void test_how_much_memory_is_kept(void **state) {
    (void)state;
    static const struct {
        size_t head, body, kept_head, kept_body;
    } rows[] = {{16384, 65536, 16384, 65536}, {16385, 65536, 0, 65536}, {16384, 65537, 16384, 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct probe probe = {.status = 0};
        get(&probe);
        struct local_request *request = probe.request;
        done(&probe);
        UNTIL(client->closing == 0);
        assert_ptr_equal(LIST_ENTRY(client->spare_requests.prev, struct local_request, node), request);
        buf_done(&request->head);
        buf_done(&request->body);
        assert_non_null(buf_reserve(&request->head, rows[i].head));
        assert_non_null(buf_reserve(&request->body, rows[i].body));
        size_t head_cap = request->head.cap, body_cap = request->body.cap;
        get(&probe);
        assert_ptr_equal(probe.request, request);
        assert_int_equal(request->body.cap, rows[i].kept_body ? body_cap : 0);
        if (rows[i].kept_head) assert_int_equal(request->head.cap, head_cap);
        if (!rows[i].kept_head) assert_true(request->head.cap < head_cap);
        done(&probe);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_cancelled_is_in_no_list),
        TEST(test_what_has_failed_waits_for_nothing),
        TEST(test_what_has_left_is_told_before_the_end),
        TEST(test_trailers_of_a_whole_answer_only),
        TEST(test_words_that_nobody_wants),
        TEST(test_which_connections_are_kept),
        TEST(test_a_refused_switch),
        TEST(test_how_a_100_is_told),
        TEST(test_a_second_wait_for_a_100),
        TEST(test_an_answer_amid_the_body),
        TEST(test_a_switch),
        TEST(test_pauses_before_there_is_an_answer),
        TEST(test_a_pause_lasts),
        TEST(test_how_a_service_goes),
        TEST(test_no_body_is_kept_of_what_is_not_safe),
        TEST(test_how_much_memory_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
