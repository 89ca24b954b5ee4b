/* One request to the local service and its answer as both protocols have it: what goes to the service, what
 * comes back, and what people read of it (call.c). */
#include "call.h"
#include "local_scene.h"

#define HEAD(lines) "GET /x HTTP/1.1\r\n" lines "\r\n"

/* ---- the console ---- */

static struct {
    int lines, opened, faults, recoveries;
    struct console_request last;
    char target[64], code[64], detail[200], hint[300], fault[200];
} said;

static void take(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text ? text : "");
}

static void on_text(struct console *console, enum console_text kind, struct view text) {
    (void)console;
    if (kind == TEXT_HINT) view_copy_to(text, said.hint, sizeof(said.hint));
}

static void on_request(struct console *console, const struct console_request *request) {
    (void)console;
    said.lines++;
    said.opened += request->is_open;
    said.last = *request;
    view_copy_to(request->target, said.target, sizeof(said.target));
    take(said.code, sizeof(said.code), request->code);
    take(said.detail, sizeof(said.detail), request->detail);
}

static void on_service(struct console *console, const struct console_tunnel *tunnel, const char *fault) {
    (void)console;
    (void)tunnel;
    fault ? said.faults++ : said.recoveries++;
    take(said.fault, sizeof(said.fault), fault);
}

static struct console_form form = {.text = on_text, .request = on_request, .service = on_service};

/* ---- the call ---- */

static struct console console;
static struct hints hints;
static struct host_field host_field;
static struct service_state service;
static struct call_settings settings;
static struct call call;
static struct probe probe;
static struct headers answer;
static const struct http_limits limits = HTTP_LIMITS_DEFAULT;

static int setup_call(void **state) {
    if (setup(state) != 0) return -1;
    memset(&said, 0, sizeof(said));
    form.wants_kinds = false;
    console = (struct console){.form = &form};
    assert_true(host_field_init(&host_field, "preserve", "localhost", port, "http"));
    hints_init(&hints, &console, NULL, &host_field, false);
    service = (struct service_state){.console = &console, .tunnel = &service, .service = "localhost:3000"};
    settings = (struct call_settings){.loop = &loop,
                                      .label = "web",
                                      .service = &service,
                                      .client = client,
                                      .host_field = &host_field,
                                      .hints = &hints,
                                      .console = &console};
    headers_init(&headers, &arena);
    call_init(&call, &settings, &arena, VIEW("GET"), VIEW("/shown?token=x"));
    probe = (struct probe){.status = 0};
    buf_init(&probe.body, 1 << 20);
    return 0;
}

static int teardown_call(void **state) {
    call_cancel(&call);
    buf_done(&probe.body);
    end_client();
    hints_done(&hints);
    return teardown(state);
}

static void begin(const char *fields) {
    struct view rest = view_from_cstr(fields), line;
    headers_init(&headers, &arena);
    while (rest.len && view_split(&rest, '\n', &line)) {
        size_t colon = view_find(line, ':');
        assert_true(headers_add(&headers, view_slice(line, 0, colon), view_skip(line, colon + 2)));
    }
}

static void start_call(const char *method, int64_t body_bytes) {
    struct local_head head = head_of(method, body_bytes);
    head.target = VIEW("/x");
    head.headers = NULL;
    assert_true(call_start(&call, &head, &headers, VIEW("visitor.test"), &events, &probe));
    assert_non_null(call.local);
    probe.request = call.local;
}

static bool take_head(int status, const char *fields, bool drops_length) {
    struct headers received;
    struct view rest = view_from_cstr(fields), line;
    headers_init(&received, &arena);
    while (rest.len && view_split(&rest, '\n', &line)) {
        size_t colon = view_find(line, ':');
        assert_true(headers_add(&received, view_slice(line, 0, colon), view_skip(line, colon + 2)));
    }
    return call_take_head(&call, status, &received, drops_length, &limits, &answer);
}

static void assert_answer(const char *expected) {
    char fields[500] = "";
    size_t len = 0;
    for (size_t i = 0; i < answer.count; i++)
        len += (size_t)snprintf(fields + len, sizeof(fields) - len, "%.*s: %.*s\n",
                                VIEW_ARG(answer.fields[i].name), VIEW_ARG(answer.fields[i].value));
    assert_string_equal(fields, expected);
}

/* ---- the request ---- */

static void test_how_long_a_body_is(void **state) {
    (void)state;
    static const struct {
        const char *method;
        int64_t given, told;
    } rows[] = {
        {"GET", LOCAL_BODY_NONE, LOCAL_BODY_NONE},
        {"POST", LOCAL_BODY_NONE, 0},
        {"PUT", LOCAL_BODY_NONE, 0},
        {"PATCH", LOCAL_BODY_NONE, 0},
        {"DELETE", LOCAL_BODY_NONE, LOCAL_BODY_NONE},
        {"post", LOCAL_BODY_NONE, LOCAL_BODY_NONE},
        {"POST", 5, 5},
        {"GET", 5, 5},
        {"POST", LOCAL_BODY_UNKNOWN, LOCAL_BODY_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        call_init(&call, &settings, &arena, view_from_cstr(rows[i].method), VIEW("/"));
        assert_int_equal(call_body_bytes(&call, rows[i].given), rows[i].told);
    }
}

static void test_what_the_service_gets(void **state) {
    (void)state;
    static const struct {
        const char *host, *fields, *expected; /* host: the option */
    } rows[] = {
        {"preserve", "host: a.test\nx-a: 1", HEAD("Host: a.test\r\nX-A: 1\r\n")},
        {"preserve", "x-a: 1", HEAD("X-A: 1\r\nHost: visitor.test\r\n")},
        {"preserve", "host: a\ncontent-length: 7\nx-tunnel-id: 1\nx-tunnel-rewrite: off",
         HEAD("Host: a\r\n")},
        {"b.test", "host: a.test\norigin: http://a.test", HEAD("Host: b.test\r\nOrigin: http://b.test\r\n")},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(host_field_init(&host_field, rows[i].host, "localhost", port, "http"));
        call_init(&call, &settings, &arena, VIEW("GET"), VIEW("/shown"));
        begin(rows[i].fields);
        start_call("GET", LOCAL_BODY_NONE);
        int fd = serve();
        hear(fd, rows[i].expected);
        call_cancel(&call);
        assert_null(call.local);
        assert_int_equal(probe.ends, 0); /* no event any more */
        assert_int_equal(hear_out(fd), 0);
        close(fd);
    }
    call_cancel(&call); /* of nothing: nothing */
}

static void test_without_memory(void **state) {
    (void)state;
    struct arena small;
    struct headers few;
    struct local_head head = head_of("GET", LOCAL_BODY_NONE);
    arena_init(&small, 8);
    headers_init(&few, &small);
    assert_false(call_start(&call, &head, &few, VIEW("visitor.test"), &events, &probe));
    assert_null(call.local);
    arena_done(&small);
    local_client_shut(client);
    begin("host: a");
    assert_false(call_start(&call, &head, &headers, VIEW("visitor.test"), &events, &probe));
    assert_null(call.local);
}

/* Only what can be asked again without harm is kept for hints. */
static void test_what_may_be_asked_again(void **state) {
    (void)state;
    static const struct {
        const char *method;
        int64_t body_bytes;
        const char *upgrade;
        bool kept;
    } rows[] = {
        {"GET", LOCAL_BODY_NONE, NULL, true},     {"GET", 0, NULL, true},   {"GET", 1, NULL, false},
        {"GET", LOCAL_BODY_UNKNOWN, NULL, false}, {"HEAD", 0, NULL, false}, {"POST", 0, NULL, false},
        {"GET", LOCAL_BODY_NONE, "x", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct local_head head = head_of(rows[i].method, rows[i].body_bytes);
        if (rows[i].upgrade) head.upgrade = view_from_cstr(rows[i].upgrade);
        call_init(&call, &settings, &arena, VIEW("GET"), VIEW("/"));
        begin("host: a");
        assert_true(call_start(&call, &head, &headers, VIEW("v"), &events, &probe));
        if ((call.asked.count > 0) != rows[i].kept) fail_msg("row %zu", i);
        assert_true(view_eq(call.target, VIEW("/")));
        call_cancel(&call);
    }
}

/* ---- the answer ---- */

static void test_heads(void **state) {
    (void)state;
    static const struct {
        const char *name, *wish;
        int status;
        const char *fields;
        bool drops_length;
        const char *passed, *detail; /* passed: NULL where it does not pass */
    } rows[] = {
        {"plain", NULL, 200, "x-a: 1\ncontent-length: 5", false, "x-a: 1\ncontent-length: 5\n", NULL},
        {"without a length", NULL, 200, "x-a: 1\ncontent-length: 5", true, "x-a: 1\n", NULL},
        {"hop by hop", NULL, 200, "connection: x-b\nx-b: 1\nkeep-alive: 1\nx-a: 1", false, "x-a: 1\n", NULL},
        {"ours", NULL, 200, "x-tunnel-error: agent_lost\nx-tunnel-id: 1\nx-a: 1", false, "x-a: 1\n", NULL},
        {"what it wishes", NULL, 200, "x-tunnel-rewrite: off", false, "x-tunnel-rewrite: off\n", NULL},
        {"what the user wishes", "json", 200, "x-a: 1", false, "x-a: 1\nx-tunnel-rewrite: json\n", NULL},
        {"both", "json", 200, "x-tunnel-rewrite: off", false, "x-tunnel-rewrite: off\n", NULL},
        {"a switch", "json", 101, "x-a: 1\nx-tunnel-rewrite: off", false, "x-a: 1\n", NULL},
        {"nginx", NULL, 302, "location: http://visitor.test:%u/a", false, "location: http://visitor.test/a\n",
         NULL},
        {"a status that is none", NULL, 1000, "x-a: 1", false, NULL, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char fields[200];
        settings.rewrite = rows[i].wish;
        call_init(&call, &settings, &arena, VIEW("GET"), VIEW("/"));
        begin("host: visitor.test");
        start_call("GET", LOCAL_BODY_NONE);
        const char *at = strstr(rows[i].fields, "%u");
        snprintf(fields, sizeof(fields), "%.*s", at ? (int)(at - rows[i].fields) : 199, rows[i].fields);
        if (at) snprintf(fields + strlen(fields), 100, "%u%s", port, at + 2);
        bool passes = take_head(rows[i].status, fields, rows[i].drops_length);
        if (passes != (rows[i].passed != NULL)) fail_msg("%s: %s", rows[i].name, call.detail);
        if (passes) assert_answer(rows[i].passed);
        if (passes) assert_null(call.detail);
        if (!passes) assert_non_null(call.detail);
        assert_int_equal(call.status, rows[i].status);
        call_cancel(&call);
    }
}

static void test_a_head_that_is_too_large(void **state) {
    (void)state;
    struct arena small;
    struct headers received;
    begin("host: a");
    start_call("GET", LOCAL_BODY_NONE);
    arena_init(&small, 16);
    call.arena = &small;
    headers_init(&received, &arena);
    headers_add(&received, VIEW("x-a"), VIEW("more than there is room for"));
    assert_false(call_take_head(&call, 200, &received, false, &limits, &answer));
    assert_string_equal(call.detail, "the service sent too large a head");
    assert_int_equal(call.status, 200);
    arena_done(&small);
}

/* ---- the line that people read ---- */

static void test_the_line(void **state) {
    (void)state;
    begin("host: a");
    start_call("GET", LOCAL_BODY_NONE);
    assert_true(take_head(200, "", false));
    call_take_data(&call, VIEW("12345"));
    call_take_data(&call, VIEW("67"));
    call.bytes_in = 3;
    call.began_ms -= 20;
    call.code = "visitor_left";
    call.visitor_left = true;
    call_take_end(&call, LOCAL_OK, "");
    assert_null(call.local);
    assert_int_equal(said.lines, 0); /* its owner says when */
    call_show(&call);
    call_show(&call);
    assert_int_equal(said.lines, 1);
    assert_ptr_equal(said.last.tunnel, &service);
    assert_string_equal(said.last.label, "web");
    assert_true(view_eq(said.last.method, VIEW("GET")));
    assert_string_equal(said.target, "/x"); /* as the service was asked */
    assert_int_equal(said.last.status, 200);
    assert_int_equal(said.last.bytes, 7);
    assert_int_equal(said.last.bytes_in, 3);
    assert_in_range(said.last.took_ms, 20, 20000);
    assert_string_equal(said.code, "visitor_left");
    assert_true(said.last.visitor_left);
    assert_string_equal(said.detail, "");
    assert_false(said.last.is_open || said.last.was_open);
    local_request_cancel(probe.request);
}

/* One that did not begin is told by what the visitor asked for. */
static void test_the_line_of_one_that_did_not_begin(void **state) {
    (void)state;
    call.code = "bad_request";
    call_show(&call);
    assert_string_equal(said.target, "/shown?token=x");
    assert_int_equal(said.last.status, 0);
    assert_string_equal(said.code, "bad_request");
}

static void test_kinds(void **state) {
    (void)state;
    static const struct {
        bool wanted;
        int status;
        const char *asked, *answered;
        enum board_kind kind;
        bool opens;
    } rows[] = {
        {true, 200, "host: a\nsec-fetch-dest: document", "content-type: text/html", BOARD_PAGE, false},
        {true, 200, "host: a", "content-type: text/event-stream", BOARD_EVENTS, true},
        {true, 101, "host: a", "upgrade: websocket", BOARD_SOCKET, true},
        {false, 101, "host: a", "upgrade: websocket", BOARD_CALL, false},
        {false, 200, "host: a\nsec-fetch-dest: document", "content-type: text/html", BOARD_CALL, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        form.wants_kinds = rows[i].wanted;
        memset(&said, 0, sizeof(said));
        call_init(&call, &settings, &arena, VIEW("GET"), VIEW("/"));
        begin(rows[i].asked);
        start_call("GET", LOCAL_BODY_NONE);
        assert_true(take_head(rows[i].status, rows[i].answered, false));
        assert_int_equal(call.kind, rows[i].kind);
        assert_int_equal(said.opened, rows[i].opens);
        assert_int_equal(said.lines, rows[i].opens);
        if (rows[i].opens) assert_false(said.last.was_open);
        call_cancel(&call);
        call_show(&call);
        assert_int_equal(said.opened, rows[i].opens);
        assert_int_equal(said.last.was_open, rows[i].opens);
        assert_false(said.last.is_open);
    }
}

/* ---- how it ends ---- */

static void test_failures(void **state) {
    (void)state;
    char detail[] = "localhost port 3000: connection refused";
    begin("host: a");
    start_call("GET", LOCAL_BODY_NONE);
    call_take_end(&call, LOCAL_UNAVAILABLE, detail);
    assert_null(call.local);
    detail[0] = 'X'; /* it is copied */
    assert_string_equal(call.detail, "localhost port 3000: connection refused");
    assert_int_equal(said.faults, 1);
    assert_string_equal(said.fault, "localhost port 3000: connection refused");
    local_request_cancel(probe.request);

    call_init(&call, &settings, &arena, VIEW("GET"), VIEW("/"));
    begin("host: a");
    start_call("GET", LOCAL_BODY_NONE);
    call_take_end(&call, LOCAL_BROKEN, "cut"); /* it was there */
    assert_int_equal(said.faults, 1);
    assert_string_equal(call.detail, "cut");
    local_request_cancel(probe.request);

    call_init(&call, &settings, &arena, VIEW("GET"), VIEW("/"));
    begin("host: a");
    start_call("GET", LOCAL_BODY_NONE);
    assert_int_equal(said.recoveries, 0);
    assert_true(take_head(500, "", false));
    assert_int_equal(said.recoveries, 1);
}

/* What was refused as checks of hosts refuse is asked again with the service's own host; nothing else is. */
static void test_a_second_try(void **state) {
    (void)state;
    static const struct {
        const char *method;
        int status;
        bool again;
    } rows[] = {{"GET", 200, false}, {"GET", 399, false}, {"POST", 403, false}, {"GET", 403, true}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        call_init(&call, &settings, &arena, view_from_cstr(rows[i].method), VIEW("/"));
        begin("host: visitor.test\nx-a: 1");
        start_call(rows[i].method, LOCAL_BODY_NONE);
        take_head(rows[i].status, "", false);
        local_request_cancel(probe.request);
        call_take_end(&call, LOCAL_OK, "");
        assert_null(call.detail);
        if ((hints.running != NULL) != rows[i].again) fail_msg("row %zu", i);
    }
    int fd = -1;
    for (bool found = false; !found;
         close(found ? -1 : fd)) { /* the others were cancelled while they connected */
        fd = serve();
        struct buf heard;
        buf_init(&heard, 1 << 20);
        for (int j = 0; j < 200 && heard.len == 0; j++) hear_some(fd, &heard);
        struct view text = buf_view(&heard);
        found = text.len && view_starts_with(text, VIEW("GET /x HTTP/1.1\r\n"));
        if (found) assert_non_null(memmem(text.ptr, text.len, "X-A: 1\r\n", 8));
        if (found) assert_null(memmem(text.ptr, text.len, "visitor.test", 12));
        buf_done(&heard);
    }
    say(fd, HELLO);
    UNTIL(!hints.running);
    assert_non_null(strstr(said.hint, "--host-header rewrite"));
    close(fd);
}

/* The text of a refusal tells, too; bytes are counted where the body is looked at. */
static void test_a_text_that_tells(void **state) {
    (void)state;
    begin("host: a");
    start_call("GET", LOCAL_BODY_NONE);
    take_head(403, "", false);
    call.bytes = HINTS_BODY_MAX; /* so far nobody looks */
    call_take_data(&call, VIEW("Blocked request. This host"));
    assert_string_equal(said.hint, "");
    call.bytes = HINTS_BODY_MAX - 1;
    call_take_data(&call, VIEW("Blocked request. This host"));
    assert_non_null(strstr(said.hint, "--host-header rewrite"));
    assert_int_equal(call.bytes, HINTS_BODY_MAX - 1 + 26);
}

/* ---- who looks ---- */

static struct {
    char log[500];
    uint64_t id; /* that the next request gets */
} seen;

static void note(const char *what, uint64_t id, struct view text) {
    size_t len = strlen(seen.log);
    assert_int_equal(id, seen.id);
    snprintf(seen.log + len, sizeof(seen.log) - len, "%s %.*s; ", what, VIEW_ARG(text));
}

static uint64_t see_request(void *ctx, const struct watch_request *request) {
    assert_ptr_equal(ctx, &seen);
    assert_string_equal(request->tunnel, "web");
    assert_true(view_eq(request->target, VIEW("/x")));
    assert_true(view_eq(headers_get(request->headers, VIEW("host")), VIEW("a")));
    assert_int_equal(request->body_bytes, 7);
    note("request", seen.id, request->method);
    return seen.id;
}

static void see_request_body(void *ctx, uint64_t id, struct view data) {
    (void)ctx;
    note("gives", id, data);
}

static void see_answer(void *ctx, uint64_t id, int status, const struct headers *received) {
    (void)ctx;
    assert_int_equal(status, 200);
    note("answer", id, headers_get(received, VIEW("connection"))); /* as the service gave it */
}

static void see_answer_body(void *ctx, uint64_t id, struct view data) {
    (void)ctx;
    note("gets", id, data);
}

static void see_end(void *ctx, uint64_t id, const struct watch_end *end) {
    (void)ctx;
    note(end->code, id, view_from_cstr(end->status == 200 ? "200" : "?"));
}

static void test_who_looks(void **state) {
    (void)state;
    static const struct watch watch = {&seen,      see_request,     see_request_body,
                                       see_answer, see_answer_body, see_end};
    for (uint64_t id = 0; id < 3; id++) {
        seen.log[0] = '\0';
        seen.id = id; /* 0: no more is to be told */
        settings.watch = &watch;
        call_init(&call, &settings, &arena, VIEW("POST"), VIEW("/"));
        begin("host: a");
        start_call("POST", 7);
        assert_true(call_send_body(&call, VIEW("four")));
        assert_true(call_send_body(&call, VIEW("fiv")));
        assert_false(call_send_body(&call, VIEW("e"))); /* more than was announced */
        take_head(200, "connection: close", false);
        call_take_data(&call, VIEW("hello"));
        call.code = "over";
        call_cancel(&call);
        if (id == 1) call_show(&call);
        call_done(&call); /* once */
        assert_string_equal(seen.log, id == 0 ? "request POST; "
                                              : "request POST; gives four; gives fiv; gives e; answer close; "
                                                "gets hello; over 200; ");
    }
    settings.watch = NULL;
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_call, teardown_call)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_how_long_a_body_is),
        TEST(test_what_the_service_gets),
        TEST(test_without_memory),
        TEST(test_what_may_be_asked_again),
        TEST(test_heads),
        TEST(test_a_head_that_is_too_large),
        TEST(test_the_line),
        TEST(test_the_line_of_one_that_did_not_begin),
        TEST(test_kinds),
        TEST(test_failures),
        TEST(test_a_second_try),
        TEST(test_a_text_that_tells),
        TEST(test_who_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
