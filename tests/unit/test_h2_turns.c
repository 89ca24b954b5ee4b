/* What tunnels may take of a turn, and whose connections of HTTP/2 come behind others in it (h2_conn.c). */
#include "h2_peer.h"

#define EVERYTHING ((size_t)3 * TURN_ALONE * TURN_BYTES) /* more than a turn's */

static uint32_t spent(const struct h2_conn *conn, enum turn_way way) {
    return core.visitors->turns.shares[conn->share].spent[way];
}

/* Its tunnel is told from nobody's. */
static struct peer_stream *comes_and_asks(const char *request, bool has_body) {
    core.tunnel_key = 7;
    peer_come();
    return peer_visits(request, NULL, has_body);
}

static void test_what_a_turn_costs(void **state) {
    (void)state;
    static const char bytes[30000];
    struct peer_stream *stream = comes_and_asks("POST /", true);
    struct h2_conn *conn = conn_of_peer();
    assert_int_equal(conn->share, turns_share(7));
    loop.turn += 1000; /* all is paid for */
    grant(sizeof(bytes));
    peer_says(stream, view_of(bytes, sizeof(bytes)), false);
    PEER_UNTIL(core.exchange->body.len == sizeof(bytes));
    assert_true(spent(conn, TURN_IN) > 0);
    loop.turn += 1000;
    assert_true(turns_may(&core.visitors->turns, conn->share, TURN_OUT));
    assert_int_equal(spent(conn, TURN_OUT), 0);
    answer_200(LENGTH_UNKNOWN);
    data(view_of(bytes, sizeof(bytes)));
    turn();
    assert_in_range(spent(conn, TURN_OUT), TURN_STEP_BYTES + sizeof(bytes),
                    8 * TURN_STEP_BYTES + 2 * sizeof(bytes));
    peer_leave();
}

/* Ends in one frame, and nothing of it has been read yet: how long the frame is. */
static size_t peer_says_at_once(struct peer_stream *stream, struct view bytes) {
    static char block[65536];
    const uint8_t *frame;
    peer_says(stream, bytes, true);
    ssize_t len = nghttp2_session_mem_send(peer.session, &frame), there = 0;
    assert_true(len > (ssize_t)bytes.len);
    assert_int_equal(send(peer.fd, frame, (size_t)len, MSG_NOSIGNAL), len);
    for (uint64_t from = uv_hrtime(); there < len; sched_yield()) {
        there = recv(conn_of_peer()->conn.fd, block, sizeof(block), MSG_PEEK);
        if (uv_hrtime() - from > PATIENCE_NS) fail_msg("only %zd of %zd bytes came", there, len);
    }
    return (size_t)len;
}

/* Its tunnel has had its turn: what is ready waits for another. */
static void test_an_answer_behind_its_turn(void **state) {
    (void)state;
    struct peer_stream *stream = comes_and_asks("GET /", false);
    struct h2_conn *conn = conn_of_peer();
    turns_spend(&core.visitors->turns, conn->share, TURN_OUT, EVERYTHING);
    answer_200(LENGTH_UNKNOWN);
    data(VIEW("hello"));
    turn();
    assert_false(list_empty(&core.visitors->h2.late));
    assert_int_equal(conn->out.len, 0);
    PEER_UNTIL(stream->body.len == 5);
    end();
    PEER_UNTIL(stream->has_ended);
    assert_true(list_empty(&core.visitors->h2.late));
    peer_leave();
}

static void test_a_body_behind_its_turn(void **state) {
    (void)state;
    struct peer_stream *stream = comes_and_asks("POST /", true);
    struct h2_conn *conn = conn_of_peer();
    grant(100);
    turns_spend(&core.visitors->turns, conn->share, TURN_IN, EVERYTHING);
    peer_says_at_once(stream, VIEW("four"));
    answer_200(LENGTH_UNKNOWN);
    turn();
    assert_int_equal(core.exchange->body.len, 0);
    PEER_UNTIL(stream->status == 200); /* the other way goes on */
    PEER_UNTIL(core.exchange->body.len == 4);
    peer_leave();
}

/* Both ways it waits, for one turn. */
static void test_a_turn_that_is_over(void **state) {
    (void)state;
    struct peer_stream *stream = comes_and_asks("POST /", true);
    struct h2_conn *conn = conn_of_peer();
    grant(100);
    turns_spend(&core.visitors->turns, conn->share, TURN_IN, EVERYTHING);
    turns_spend(&core.visitors->turns, conn->share, TURN_OUT, EVERYTHING);
    peer_says_at_once(stream, VIEW("four"));
    answer_200(LENGTH_UNKNOWN);
    conn->poll.poll_cb(&conn->poll, 0, UV_READABLE); /* behind what the core had to say */
    assert_int_equal(core.exchange->body.len, 0);
    assert_int_equal(conn->out.len, 0);
    assert_true(list_empty(&core.visitors->h2.changed));
    assert_false(list_empty(&core.visitors->h2.late));
    PEER_UNTIL(stream->status == 200 && core.exchange->body.len == 4);
    peer_leave();
}

/* ---- behind others ---- */

/* There are others, who take little, while it takes much. */
static void falls_behind(const struct h2_conn *conn) {
    struct turns *turns = &core.visitors->turns;
    turns->quantum = TURN_FEW_BYTES;
    turns->rivals.until_ms = turns->rivals.light_until_ms = UINT64_MAX;
    turns->shares[conn->share].heavy_until_ms = UINT64_MAX;
}

/* Requests that came many at a time may be many again: few bytes are read first. All is read in that turn. */
static void test_how_much_is_read_at_a_time(void **state) {
    (void)state;
    static const struct {
        bool is_behind, is_dense;
        uint32_t reads;
    } rows[] = {{true, true, 2}, {true, false, 1}, {false, true, 1}, {false, false, 1}};
    static const char bytes[4000];
    for (size_t i = 0; i < COUNT(rows); i++) {
        core.tunnel_key = 7 + i;
        peer_come();
        struct peer_stream *stream = peer_visits("POST /", NULL, true);
        struct h2_conn *conn = conn_of_peer();
        grant(sizeof(bytes));
        peer_idles();
        if (rows[i].is_behind) falls_behind(conn);
        conn->is_dense = rows[i].is_dense;
        loop.turn += 1000; /* all is paid for */
        size_t len = peer_says_at_once(stream, view_of(bytes, sizeof(bytes)));
        turn();
        assert_int_equal(core.exchange->body.len, sizeof(bytes));
        assert_int_equal(spent(conn, TURN_IN), len + rows[i].reads * TURN_STEP_BYTES);
        assert_false(conn->is_dense);
        core.visitors->turns.rivals = (struct rivals){0};
        answers_shortly(stream);
        peer_leave();
    }
}

/* Others have gone on before: it does so in the same turn, whenever it was woken. */
static void test_who_is_woken_late_in_a_turn(void **state) {
    (void)state;
    struct peer_stream *stream = comes_and_asks("GET /", false);
    struct h2_conn *conn = conn_of_peer();
    loop.turn += 1000;
    falls_behind(conn);
    answer_200(LENGTH_UNKNOWN);
    assert_false(list_empty(&core.visitors->h2.changed));
    h2_turn(core.visitors, false);
    assert_true(list_empty(&core.visitors->h2.changed) && list_empty(&core.visitors->h2.late));
    assert_true(spent(conn, TURN_OUT) > 0);
    end();
    PEER_UNTIL(stream->has_ended);
    peer_leave();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_what_a_turn_costs),          TEST(test_an_answer_behind_its_turn),
        TEST(test_a_body_behind_its_turn),     TEST(test_a_turn_that_is_over),
        TEST(test_how_much_is_read_at_a_time), TEST(test_who_is_woken_late_in_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
