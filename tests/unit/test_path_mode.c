/* What changes answers, between an agent of v2 and a visitor: credit, windows, ends; which answers are
 * changed at all, and what their heads say. */
#include "handler/core_state.h"
#include "test_core_streams.h"

/* ---- a visitor who keeps what comes ---- */

struct visitor {
    struct world *world;
    struct buf body;
    size_t window, unacknowledged, consumed;
    char head[2048];
    bool has_ended, was_cut;
};

static struct visitor visitor;

static void keep_head(void *ctx, const struct answer_head *head) {
    struct visitor *v = ctx;
    int len = snprintf(v->head, sizeof(v->head), "%d", head->status);
    if (head->content_length != LENGTH_UNKNOWN)
        len += snprintf(v->head + len, sizeof(v->head) - (size_t)len, " (%" PRIu64 ")", head->content_length);
    for (size_t i = 0; i < head->headers->count; i++) {
        const struct header *field = &head->headers->fields[i];
        if (view_eq(field->name, VIEW("x-tunnel-routing-mode"))) continue;
        if (view_eq(field->name, VIEW("x-robots-tag"))) continue; /* of every name that is ours */
        len += snprintf(v->head + len, sizeof(v->head) - (size_t)len, " %.*s:%.*s", VIEW_ARG(field->name),
                        VIEW_ARG(field->value));
    }
}

static void keep_data(void *ctx, struct view data) {
    struct visitor *v = ctx;
    assert_true(data.len > 0);
    v->unacknowledged += data.len;
    assert_true(v->unacknowledged <= v->window);
    assert_true(buf_append_view(&v->body, data));
}

static void keep_end(void *ctx, const struct headers *trailers) {
    struct visitor *v = ctx;
    v->world->exchange = NULL;
    v->has_ended = true;
    for (size_t i = 0; trailers && i < trailers->count; i++)
        strncat(v->head, trailers->fields[i].name.ptr, sizeof(v->head) - strlen(v->head) - 1);
}

static void keep_cut(void *ctx) {
    struct visitor *v = ctx;
    v->world->exchange = NULL;
    v->was_cut = true;
}

/* In path mode. `fields`: of the request, as read_fields() has them. */
static void ask_as(struct world *world, struct visitor *who, const char *method, const char *fields,
                   size_t window) {
    char text[512], target[128];
    struct header list[FIELDS_MAX];
    struct headers headers;
    snprintf(text, sizeof(text), "host:localhost:8080 %s", fields);
    snprintf(target, sizeof(target), "/%s/a?b=%%2F", world->tunnel);
    read_fields(text, &headers, list);
    struct forward_event event = {.method = view_from_cstr(method),
                                  .target = view_from_cstr(target),
                                  .version = VIEW("HTTP/1.1"),
                                  .headers = &headers,
                                  .client = VIEW("192.0.2.1"),
                                  .scheme = VIEW("http")};
    struct body_source source = {world, on_grant};
    struct answer_sink sink = {who, keep_head, keep_data, keep_end, keep_cut};
    buf_done(&who->body);
    *who = (struct visitor){.world = world, .window = window};
    buf_init(&who->body, (size_t)64 * 1024 * 1024);
    world->exchange = core_forward(world->core, &event, &source, &sink, window);
    settle(world);
}

static void ask(struct world *world, const char *method, const char *fields, size_t window) {
    ask_as(world, &visitor, method, fields, window);
}

static void answer_head(struct world *world, const char *args) {
    step_head(world, args);
    settle(world);
}

static void answer_data(struct world *world, struct view data) {
    world->stream->events->data(world->stream->target, data);
    settle(world);
}

static void answer_over(struct world *world) {
    step_end(world, "");
    settle(world);
}

/* The sum of the record's "consumed:N", since it was asked last. */
static size_t consumed_bytes(struct world *world) {
    size_t sum = visitor.consumed;
    visitor.consumed = 0;
    world->record[world->record_len] = '\0';
    for (const char *at = world->record; (at = strstr(at, "consumed:")); at++)
        sum += strtoul(at + 9, NULL, 10);
    world->record_len = 0;
    return sum;
}

/* Drains all there is, so much at a time, until nothing more comes. */
static void drain(struct world *world, size_t step) {
    for (int idle = 0; world->exchange && idle < 2;) {
        size_t len = visitor.unacknowledged < step ? visitor.unacknowledged : step;
        idle = len ? 0 : idle + 1;
        visitor.unacknowledged -= len;
        if (len) exchange_drained(world->exchange, len);
        world->now_ms += 2;
        settle(world);
        visitor.consumed = consumed_bytes(world);
    }
}

static void assert_body(struct world *world, const char *expected) {
    char text[1024];
    size_t at = 0;
    for (; *expected; expected++) {
        if (*expected == '%')
            at += (size_t)snprintf(text + at, sizeof(text) - at, "/%s", world->tunnel);
        else
            text[at++] = *expected;
    }
    text[at] = '\0';
    struct view body = buf_view(&visitor.body);
    if (!view_eq(body, view_from_cstr(text))) fail_msg("\"%.*s\", not \"%s\"", VIEW_ARG(body), text);
}

static int begin(void **state) {
    set_up(state);
    play(*state, "come one");
    ((struct world *)*state)->record_len = 0;
    return 0;
}

static int finish(void **state) {
    int status = tear_down(state);
    buf_done(&visitor.body);
    return status;
}

/* ---- the seam, with filters of its own ---- */

/* Gives each byte ten times, or never. */
struct times {
    struct filter filter;
    int count;
};

static void times_data(struct filter *filter, struct view bytes) {
    for (size_t i = 0; i < bytes.len; i++)
        for (int n = 0; n < ((struct times *)filter)->count; n++)
            filter->out(filter->out_ctx, view_slice(bytes, i, i + 1));
}

static void times_end(struct filter *filter) {
    if (((struct times *)filter)->count) filter->out(filter->out_ctx, VIEW("."));
}

static size_t times_held(const struct filter *filter) {
    (void)filter;
    return 0;
}

static void put_filter(struct world *world, int count) {
    static const struct filter_ops ops = {.data = times_data, .end = times_end, .held = times_held};
    struct times *times = calloc(1, sizeof(*times));
    *times = (struct times){.filter = {.ops = &ops}, .count = count};
    world->exchange->answer.chain = chain_new(NULL);
    chain_append(world->exchange->answer.chain, &times->filter);
}

enum { MANY = 50000 };

static void pass_through(struct world *world, int count, size_t window, size_t step) {
    char *bytes = malloc(MANY);
    memset(bytes, 'x', MANY);
    ask(world, "GET", "", window);
    answer_head(world, "200 etag:\"a\"");
    put_filter(world, count);
    answer_data(world, view_of(bytes, 10));
    answer_data(world, view_of(bytes, MANY - 10));
    drain(world, step);
    assert_int_equal(consumed_bytes(world), MANY);
    answer_over(world);
    drain(world, step);
    assert_true(visitor.has_ended && !visitor.was_cut);
    assert_int_equal(visitor.body.len, MANY * (size_t)count + (count ? 1 : 0));
    free(bytes);
}

static void an_answer_that_grows_tenfold_stays_within_the_window(void **state) {
    pass_through(*state, 10, 4096, 1000);
}

static void a_window_of_one_byte_is_enough(void **state) {
    struct world *world = *state;
    ask(world, "GET", "", 1);
    answer_head(world, "200 a:b");
    put_filter(world, 10);
    answer_data(world, VIEW("abc"));
    assert_int_equal(visitor.body.len, 1);
    drain(world, 1);
    assert_int_equal(visitor.body.len, 30);
    assert_int_equal(consumed_bytes(world), 3);
    answer_over(world);
    assert_false(visitor.has_ended && visitor.body.len < 31);
    drain(world, 1);
    assert_true(visitor.has_ended);
    assert_true(view_ends_with(buf_view(&visitor.body), VIEW("bbbcccccccccc.")));
}

static void an_answer_that_vanishes_is_credited_at_once(void **state) {
    struct world *world = *state;
    ask(world, "GET", "", 64);
    answer_head(world, "200 a:b");
    put_filter(world, 0);
    for (int i = 0; i < 10; i++) {
        answer_data(world, VIEW("abc"));
        assert_int_equal(consumed_bytes(world), 3);
    }
    answer_over(world);
    assert_true(visitor.has_ended);
    assert_int_equal(visitor.body.len, 0);
}

static void nothing_is_taken_while_the_sink_is_full(void **state) {
    struct world *world = *state;
    char bytes[20000];
    memset(bytes, 'x', sizeof(bytes));
    ask(world, "GET", "", 100);
    answer_head(world, "200 a:b");
    put_filter(world, 10);
    for (int i = 0; i < 20; i++) answer_data(world, view_of(bytes, sizeof(bytes)));
    const struct chain *chain = world->exchange->answer.chain;
    assert_int_equal(visitor.body.len, 100);
    assert_int_equal(chain->output.len, 10 * CHAIN_STEP_BYTES - 100);
    assert_int_equal(chain->input.len, 20 * sizeof(bytes) - CHAIN_STEP_BYTES);
    assert_int_equal(consumed_bytes(world), 0);
    step_cancel(world, "");
}

static void the_service_may_be_gone_before_all_is_out(void **state) {
    struct world *world = *state;
    ask(world, "GET", "", 4);
    answer_head(world, "200 a:b");
    put_filter(world, 10);
    answer_data(world, VIEW("abc"));
    answer_over(world);
    assert_null(world->stream); /* the stream is let go */
    assert_false(visitor.has_ended);
    play(world, "leave");
    drain(world, 3);
    assert_true(visitor.has_ended);
    assert_int_equal(visitor.body.len, 31);
}

static void a_visitor_who_leaves_in_the_middle(void **state) {
    struct world *world = *state;
    ask(world, "GET", "", 4);
    answer_head(world, "200 a:b");
    put_filter(world, 10);
    answer_data(world, VIEW("abc"));
    step_cancel(world, "");
    ask(world, "GET", "", 4);
    answer_head(world, "200 a:b");
    put_filter(world, 10);
    answer_data(world, VIEW("abc"));
    answer_over(world);
    step_cancel(world, ""); /* behind the service's end */
}

static void an_answer_that_is_cut_is_cut(void **state) {
    struct world *world = *state;
    ask(world, "GET", "", 4);
    answer_head(world, "200 a:b");
    put_filter(world, 10);
    answer_data(world, VIEW("abc"));
    step_lost(world, "lost");
    settle(world);
    assert_true(visitor.was_cut);
}

static void a_chain_without_room_cuts(void **state) {
    struct world *world = *state;
    ask(world, "GET", "", 1 << 20);
    answer_head(world, "200 a:b");
    put_filter(world, 10);
    world->exchange->answer.chain->output.max = 20;
    answer_data(world, VIEW("abc"));
    assert_true(visitor.was_cut);
}

/* Much that comes at once is made in turns, a millisecond apart. */
static void others_have_their_turn(void **state) {
    struct world *world = *state;
    const size_t len = 100 * (size_t)CHAIN_STEP_BYTES, turn = 64 * (size_t)CHAIN_STEP_BYTES;
    char *bytes = malloc(len);
    memset(bytes, 'x', len);
    for (int leaves = 0; leaves < 2; leaves++) {
        ask(world, "GET", "", len + 1);
        answer_head(world, "200 a:b");
        put_filter(world, 1);
        answer_data(world, view_of(bytes, len));
        assert_int_equal(visitor.body.len, turn);
        if (leaves) {
            step_cancel(world, "");
            world->now_ms++;
            settle(world);
            continue;
        }
        world->now_ms++;
        settle(world);
        assert_int_equal(visitor.body.len, len);
        answer_over(world);
        assert_true(visitor.has_ended);
    }
    free(bytes);
}

/* Nor do many small pieces make it more: what comes within the turn waits for the next one, the end too. */
static void small_pieces_are_no_turns_of_their_own(void **state) {
    struct world *world = *state;
    const size_t len = 100 * (size_t)CHAIN_STEP_BYTES, turn = 64 * (size_t)CHAIN_STEP_BYTES;
    char *bytes = malloc(len);
    memset(bytes, 'x', len);
    ask(world, "GET", "", len + 11);
    answer_head(world, "200 a:b");
    put_filter(world, 1);
    answer_data(world, view_of(bytes, len));
    for (int i = 0; i < 10; i++) answer_data(world, VIEW("y"));
    answer_over(world);
    assert_int_equal(visitor.body.len, turn);
    assert_false(visitor.has_ended);
    world->now_ms++;
    settle(world);
    assert_true(visitor.has_ended);
    assert_int_equal(visitor.body.len, len + 11);
    free(bytes);
}

enum { CROWD = 10, CROWD_STEPS = 100 };

struct crowd {
    struct visitor visitors[CROWD];
    struct exchange *exchanges[CROWD];
    struct agent_stream *streams[CROWD];
};

static void gather(struct world *world, struct crowd *crowd) {
    memset(crowd, 0, sizeof(*crowd));
    world->is_quiet = true;
    for (size_t i = 0; i < CROWD; i++) {
        ask_as(world, &crowd->visitors[i], "GET", "", (CROWD_STEPS + 1) * CHAIN_STEP_BYTES);
        answer_head(world, "200 a:b");
        put_filter(world, 1);
        crowd->exchanges[i] = world->exchange;
        crowd->streams[i] = world->stream;
    }
}

static size_t steps_made(const struct crowd *crowd) {
    size_t sum = 0;
    for (size_t i = 0; i < CROWD; i++) sum += crowd->visitors[i].body.len / CHAIN_STEP_BYTES;
    return sum;
}

static void next_millisecond(struct world *world) {
    world->now_ms++;
    for (size_t i = 0; i <= CROWD; i++) settle(world);
}

/* Many of a tunnel's have no more than their tunnel's part of a millisecond, and come one behind the other.
 */
static void a_crowd_takes_turns(void **state) {
    struct world *world = *state;
    struct crowd crowd;
    const size_t len = CROWD_STEPS * CHAIN_STEP_BYTES, turn = CHAIN_TURN_STEPS * CHAIN_STEP_BYTES;
    const size_t first = CHAIN_TUNNEL_STEPS / CHAIN_TURN_STEPS;
    char *bytes = malloc(len);
    memset(bytes, 'x', len);
    gather(world, &crowd);
    for (size_t i = 0; i < CROWD; i++)
        crowd.streams[i]->events->data(crowd.streams[i]->target, view_of(bytes, len));
    settle(world);
    assert_int_equal(steps_made(&crowd), CHAIN_TUNNEL_STEPS);
    exchange_cancel(crowd.exchanges[CROWD - 1]); /* while it waits */
    next_millisecond(world);
    assert_true(steps_made(&crowd) <= 2 * CHAIN_TUNNEL_STEPS); /* the ends of some are steps, too */
    for (size_t i = 0; i < first; i++) assert_int_equal(crowd.visitors[i].body.len, len);
    assert_int_equal(crowd.visitors[first].body.len, turn);
    assert_int_equal(crowd.visitors[CROWD - 2].body.len, 0);
    for (int i = 0; i < CROWD; i++) next_millisecond(world);
    assert_int_equal(steps_made(&crowd), (CROWD - 1) * CROWD_STEPS);
    for (size_t i = 0; i + 1 < CROWD; i++) exchange_cancel(crowd.exchanges[i]);
    for (size_t i = 0; i < CROWD; i++) buf_done(&crowd.visitors[i].body);
    world->exchange = NULL;
    free(bytes);
}

/* Blocks of "deflate" of which nothing comes are work, too. */
static void what_becomes_nothing_takes_turns(void **state) {
    struct world *world = *state;
    enum { BLOCKS = 50000, BLOCK = 5 };
    struct view head = VIEW("\x1f\x8b\x08\0\0\0\0\0\0\x03");
    const size_t len = head.len + (size_t)BLOCKS * BLOCK, turn = 64 * CHAIN_STEP_ENCODED_BYTES;
    char *bytes = malloc(len);
    memcpy(bytes, head.ptr, head.len);
    for (size_t i = 0; i < BLOCKS; i++) memcpy(bytes + head.len + i * BLOCK, "\0\0\0\xff\xff", BLOCK);
    ask(world, "GET", "accept-encoding:gzip", len);
    answer_head(world, "200 content-type:text/html content-encoding:gzip");
    const struct chain *chain = world->exchange->answer.chain;
    answer_data(world, view_of(bytes, len));
    for (size_t left = len; left > 0; left -= left < turn ? left : turn) {
        assert_int_equal(chain->input.len, left < turn ? 0 : left - turn);
        world->now_ms++;
        settle(world);
    }
    step_cancel(world, "");
    free(bytes);
}

static void a_visitor_may_leave_before_he_is_cut(void **state) {
    struct world *world = *state;
    ask(world, "GET", "", 1 << 20);
    answer_head(world, "200 a:b");
    put_filter(world, 10);
    world->exchange->answer.chain->output.max = 20;
    world->stream->events->data(world->stream->target, VIEW("abc"));
    step_cancel(world, "");
    settle(world);
    assert_false(visitor.was_cut);
}

static void trailers_of_a_changed_body_say_nothing_of_its_bytes(void **state) {
    struct world *world = *state;
    ask(world, "GET", "", 1 << 20);
    answer_head(world, "200 content-type:text/css");
    answer_data(world, VIEW("a"));
    step_end(world, "digest:a x-sum:1");
    settle(world);
    assert_string_equal(visitor.head, "200 content-type:text/css x-tunnel-rewrite-applied:truex-sum");
}

/* ---- which answers are changed ---- */

struct row {
    const char *what, *method, *request, *head, *body, *expected_head, *expected;
};

/* "%": the prefix. */
static const struct row rows[] = {
    {"a part of a page", "GET", "x-requested-with:a", "200 content-type:text/html content-length:11",
     "<a href=/x>",
     "200 content-type:text/html x-tunnel-rewrite-applied:true vary:sec-fetch-dest, x-requested-with",
     "<a href=%/x>"},
    {"a stylesheet", "GET", "", "200 content-type:text/css;charset=utf-8", "a{b:url(/x)}",
     "200 content-type:text/css;charset=utf-8 x-tunnel-rewrite-applied:true", "a{b:url(%/x)}"},
    {"a module", "GET", "", "200 content-type:Application/JavaScript", "import '/x'; y = '/z'",
     "200 content-type:Application/JavaScript x-tunnel-rewrite-applied:true", "import '%/x'; y = '/z'"},
    {"JSON", "GET", "", "200 content-type:application/problem+json",
     "{\"a\":\"http://localhost:8080/x\",\"b\":\"/api\"}",
     "200 content-type:application/problem+json x-tunnel-rewrite-applied:true",
     "{\"a\":\"http://localhost:8080%/x\",\"b\":\"/api\"}"},
    {"JSON where the service asks", "GET", "", "200 content-type:application/json x-tunnel-rewrite:json",
     "{\"b\":\"/api\"}", "200 content-type:application/json x-tunnel-rewrite-applied:true",
     "{\"b\":\"%/api\"}"},
    {"not where it does not want it", "GET", "",
     "200 content-type:text/html x-tunnel-rewrite:off location:/y", "<a href=/x>",
     "200 content-type:text/html location:%/y", "<a href=/x>"},
    {"not what is a part of it", "GET", "", "206 content-type:text/css content-length:5", "url(/x)",
     "206 (5) content-type:text/css", "url(/x)"},
    {"not other types", "GET", "", "200 content-type:text/plain etag:\"a\" content-length:3", "/x ",
     "200 (3) content-type:text/plain etag:\"a\"", "/x "},
    {"not events", "GET", "", "200 content-type:text/event-stream", "data: </x>",
     "200 content-type:text/event-stream", "data: </x>"},
    {"not in UTF-16", "GET", "", "200 content-type:text/css;charset=\"UTF-16LE\"", "url(/x)",
     "200 content-type:text/css;charset=\"UTF-16LE\"", "url(/x)"},
    {"what it says of its bytes goes", "GET", "",
     "200 content-type:text/css etag:\"a\" digest:a repr-digest:b content-digest:c content-md5:d "
     "accept-ranges:e",
     "x", "200 content-type:text/css etag:W/\"a\" x-tunnel-rewrite-applied:true", "x"},
    {"a weak tag stays", "GET", "", "200 content-type:text/css etag:W/\"a\"", "x",
     "200 content-type:text/css etag:W/\"a\" x-tunnel-rewrite-applied:true", "x"},
    {"HEAD has GET's head", "HEAD", "", "200 content-type:text/css content-length:9 etag:\"a\"", "",
     "200 content-type:text/css etag:W/\"a\" x-tunnel-rewrite-applied:true", ""},
    {"304", "GET", "", "304 content-type:text/css content-length:9 etag:\"a\"", "",
     "304 (9) content-type:text/css etag:\"a\"", ""},
    {"the service's own address", "GET", "",
     "200 content-type:text/css x-tunnel-service:localhost:3000 location:http://localhost:3000/y",
     "url(http://127.0.0.1:3000/x)",
     "200 content-type:text/css location:http://localhost:8080%/y x-tunnel-rewrite-applied:true",
     "url(http://localhost:8080%/x)"},
    {"a charset in quotes", "GET", "", "200 content-type:text/css;charset=\"utf-8\"", "url(/x)",
     "200 content-type:text/css;charset=\"utf-8\" x-tunnel-rewrite-applied:true", "url(%/x)"},
    {"an empty charset", "GET", "", "200 content-type:text/css;charset=", "url(/x)",
     "200 content-type:text/css;charset= x-tunnel-rewrite-applied:true", "url(%/x)"},
    {"not in a coding that we do not know", "GET", "", "200 content-type:text/css content-encoding:zip",
     "url(/x)", "200 content-type:text/css content-encoding:zip", "url(/x)"},
    {"not in two codings", "GET", "",
     "200 content-type:text/css content-encoding:identity content-encoding:identity", "url(/x)",
     "200 content-type:text/css content-encoding:identity content-encoding:identity", "url(/x)"},
    {"HEAD of what has no body", "HEAD", "", "204 content-type:text/css etag:\"a\"", "",
     "204 content-type:text/css etag:\"a\"", ""},
    {"other JSON stays", "GET", "", "200 content-type:application/json", "{\"servers\":[{\"url\":\"/api\"}]}",
     "200 content-type:application/json x-tunnel-rewrite-applied:true", "{\"servers\":[{\"url\":\"/api\"}]}"},
    {"fields", "GET", "", "302 location:/x clear-site-data:a set-cookie:a=b;path=/", "",
     "302 location:%/x set-cookie:a=b;path=%/", ""},
};

static void check_row(struct world *world, const struct row *row) {
    char expected[512], *at = expected;
    ask(world, row->method, row->request, 1 << 20);
    answer_head(world, row->head);
    if (row->body[0]) answer_data(world, view_from_cstr(row->body));
    answer_over(world);
    for (const char *c = row->expected_head; *c; c++)
        at += *c == '%' ? sprintf(at, "/%s", world->tunnel) : sprintf(at, "%c", *c);
    if (strcmp(visitor.head, expected) != 0) fail_msg("%s: %s, not %s", row->what, visitor.head, expected);
    assert_body(world, row->expected);
    assert_true(visitor.has_ended);
    buf_done(&visitor.body);
}

static void answers_are_chosen_by_their_heads(void **state) {
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) check_row(*state, &rows[i]);
}

static void a_page_gets_the_script(void **state) {
    struct world *world = *state;
    ask(world, "GET", "sec-fetch-dest:document", 1 << 20);
    answer_head(world, "200 content-type:text/html content-security-policy:default-src:'self'");
    answer_data(world, VIEW("<html><head>"));
    answer_over(world);
    assert_non_null(memmem(visitor.body.ptr, visitor.body.len, "__TUNNEL_CONTEXT__", 18));
    buf_done(&visitor.body);
    ask(world, "GET", "sec-fetch-dest:empty", 1 << 20);
    answer_head(world, "200 content-type:text/html");
    answer_data(world, VIEW("<html><head>"));
    answer_over(world);
    assert_body(world, "<html><head>");
}

#define WITH_WORLD(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(an_answer_that_grows_tenfold_stays_within_the_window),
        WITH_WORLD(a_window_of_one_byte_is_enough),
        WITH_WORLD(an_answer_that_vanishes_is_credited_at_once),
        WITH_WORLD(nothing_is_taken_while_the_sink_is_full),
        WITH_WORLD(the_service_may_be_gone_before_all_is_out),
        WITH_WORLD(a_visitor_who_leaves_in_the_middle),
        WITH_WORLD(an_answer_that_is_cut_is_cut),
        WITH_WORLD(a_chain_without_room_cuts),
        WITH_WORLD(others_have_their_turn),
        WITH_WORLD(small_pieces_are_no_turns_of_their_own),
        WITH_WORLD(a_crowd_takes_turns),
        WITH_WORLD(what_becomes_nothing_takes_turns),
        WITH_WORLD(a_visitor_may_leave_before_he_is_cut),
        WITH_WORLD(trailers_of_a_changed_body_say_nothing_of_its_bytes),
        WITH_WORLD(answers_are_chosen_by_their_heads),
        WITH_WORLD(a_page_gets_the_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
