/* Answers of the local service are read in turns, where there is another tunnel. */
#include "local_scene.h"

#define MANY 40
#define A_TURN (TURN_BYTES / TURN_STEP_BYTES)
#define A_FEW (TURN_FEW_BYTES / TURN_STEP_BYTES)
#define BLOCK (TURN_FEW_BYTES / 2)

static struct turns turns;
static struct turn_taker taker;
static struct probe probes[MANY];
static int services[MANY];

/* Both have been busy lately; is there one that takes little? */
static void meet(bool is_light) {
    turns.rivals.until_ms = UINT64_MAX;
    turns.rivals.light_until_ms = is_light ? UINT64_MAX : 0;
    turns.shares[taker.share].heavy_until_ms = UINT64_MAX;
}

static void begin(unsigned share) {
    memset(&turns, 0, sizeof(turns));
    turns.loop = &loop;
    taker = (struct turn_taker){.turns = &turns, .share = share};
    local_client_take_turns(client, &taker);
    for (int i = 0; i < MANY; i++) {
        get(&probes[i]);
        services[i] = serve();
    }
    UNTIL(list_empty(&client->connecting));
}

static void end(void) {
    for (int i = 0; i < MANY; i++) {
        done(&probes[i]);
        close(services[i]);
    }
}

/* And all is there to be read. */
static void all_answer(const char *text) {
    for (int i = 0; i < MANY; i++) say(services[i], text);
    for (const struct list *node = client->requests.next; node != &client->requests; node = node->next) {
        struct pollfd one = {.fd = LIST_ENTRY(node, struct local_request, node)->connection->fd,
                             .events = POLLIN};
        assert_int_equal(poll(&one, 1, (int)(PATIENCE_NS / 1000000)), 1);
    }
}

static int ended(void) {
    int count = 0;
    for (int i = 0; i < MANY; i++) count += probes[i].ends;
    return count;
}

/* Answers in a turn of the loop, once it is under way. */
static int answers_a_turn(void) {
    int before = ended();
    turn();
    return ended() - before;
}

static void test_so_many_a_turn(void **state) {
    (void)state;
    static const struct {
        const char *name;
        unsigned share;
        bool is_light;
        int a_turn;
    } rows[] = {
        {"alone", 0, false, MANY},
        {"beside one that takes much", 1, false, A_TURN},
        {"beside one that takes little", 1, true, A_FEW},
    };
    for (unsigned row = 0; row < COUNT(rows); row++) {
        begin(rows[row].share);
        meet(rows[row].is_light);
        turn();
        all_answer(HELLO);
        int first = answers_a_turn(), second = answers_a_turn();
        if (first != rows[row].a_turn) fail_msg("%s: %d", rows[row].name, first);
        if (first < MANY && (second < first - 1 || second > first)) /* less what was taken too much */
            fail_msg("%s: then %d", rows[row].name, second);
        UNTIL(ended() == MANY);
        end();
        assert_true(list_empty(&client->late));
        turn();
        assert_true(list_empty(&client->on_turn.node)); /* it costs nothing any more */
    }
}

/* Each service says as much as its socket takes, until somebody has much of it. */
static void flood_in_turns(void) {
    static char block[BLOCK];
    for (size_t most = 0; most < 100 * BLOCK; turn())
        for (int i = 0; i < MANY; i++) {
            while (send(services[i], block, BLOCK, MSG_NOSIGNAL) > 0) continue;
            if (probes[i].body.len > most) most = probes[i].body.len;
        }
}

/* Who waits is not overtaken by those that have more to say. */
static void test_in_their_order(void **state) {
    (void)state;
    for (int is_light = 0; is_light < 2; is_light++) {
        begin(1);
        meet(is_light);
        all_answer("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
        UNTIL(probes[MANY - 1].heads);
        flood_in_turns();
        for (int i = 0; i < MANY; i++)
            if (probes[i].body.len < BLOCK) fail_msg("%d of %d had %zu", i, is_light, probes[i].body.len);
        end();
    }
}

/* All have answered, and beside one that takes little a few were read. */
static void begin_with_some_late(void) {
    begin(1);
    meet(true);
    turn();
    all_answer(HELLO);
    turn();
    assert_int_equal(ended(), A_FEW);
}

/* Those that wait to be read, and nobody wants them any more. */
static void test_who_waits_may_go(void **state) {
    (void)state;
    begin_with_some_late();
    assert_int_equal(count_of(&client->late), MANY - A_FEW);
    for (int i = 0; i < MANY; i += 2) done(&probes[i]);
    assert_true(count_of(&client->late) <= MANY / 2);
    end_client();
    for (int i = 0; i < MANY; i++) probes[i].request = NULL;
    turn();
    end();
}

/* The other one has gone. */
static void test_who_is_alone_again_waits_no_more(void **state) {
    (void)state;
    begin_with_some_late();
    taker.share = 0;
    turn();
    assert_int_equal(ended(), MANY);
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_so_many_a_turn),
        TEST(test_in_their_order),
        TEST(test_who_waits_may_go),
        TEST(test_who_is_alone_again_waits_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
