/* What an agent may take of what all share (agent_turn.c). The clocks are the test's, and so is what a
 * message costs; nothing is sent or received. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agents/agent_turn.h"
#include "cmocka_setup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONG_BYTES (64 * 1024)
#define MIB ((size_t)1024 * 1024)
#define ALL (4 * 256 * 1024) /* of one that is alone, all that was read */
#define TURN_WORK (16 * LINK_HEAD_WORK)
#define TURN_BYTES (256 * 1024)
#define ASKS_MAX 256
#define LINKS 4

struct link_session {
    uint64_t work;
};

/* Of the last message. */
#define OWED_MAX 512
struct core {
    bool waits; /* for a store: what is owed is told later */
    core_done_fn *done[OWED_MAX];
    void *ctx[OWED_MAX];
    size_t owed;
    char id[CONNECTION_ID_MAX + 1];
    struct view text;
    uint64_t costs_us; /* of the next one */
    int count;
};

static struct loop loop;
static struct core core;
static struct agent_ws ws;
static struct agent_link links[LINKS];
static struct link_session sessions[LINKS];
static bool is_paused[LINKS];
static unsigned refused[LINKS]; /* with this code */
static uint64_t used_ns;        /* by this thread */
static int looks;               /* at that */

/* ---- what is around it ---- */

int clock_gettime(clockid_t clock, struct timespec *ret_time) {
    if (clock != CLOCK_THREAD_CPUTIME_ID) return (int)syscall(SYS_clock_gettime, clock, ret_time);
    looks++;
    ret_time->tv_sec = (time_t)(used_ns / 1000000000);
    ret_time->tv_nsec = (long)(used_ns % 1000000000);
    return 0;
}

static size_t number_of(const struct agent_link *link) {
    return (size_t)(link - links);
}

void core_message(struct core *to, struct view connection_id, struct view text, core_done_fn *done,
                  void *ctx) {
    assert_true(view_copy_to(connection_id, to->id, sizeof(to->id)));
    to->text = text;
    to->count++;
    used_ns += to->costs_us * 1000;
    if (!to->waits) {
        done(ctx, STATUS_OK);
        return;
    }
    assert_true(to->owed < OWED_MAX);
    to->done[to->owed] = done;
    to->ctx[to->owed++] = ctx;
}

/* The store has answered so many, the last ones first. */
static void store_answers(size_t count) {
    for (; count; count--) {
        core.owed--;
        core.done[core.owed](core.ctx[core.owed], STATUS_OK);
    }
}

uint64_t link_work(const struct link_session *session) {
    return session->work;
}

void ws_end_pause(struct ws_end *end, bool paused) {
    is_paused[number_of(LIST_ENTRY(end, struct agent_link, end))] = paused;
}

void agent_link_refuse(struct agent_link *link, unsigned code, const char *why) {
    assert_string_equal(why, "too much memory is held by messages that are not complete");
    refused[number_of(link)] = code;
    link->message.len = link->message.cap = 0;
    agent_turn_count(link);
}

static uint64_t now_ms(void *ctx) {
    (void)ctx;
    return loop_now(&loop);
}

/* Much later, each of the agents with nothing to its name. */
static void begin_anew(void) {
    for (size_t i = 0; i < LINKS; i++)
        if (links[i].ws) agent_turn_done(&links[i]);
    memset(&ws, 0, sizeof(ws));
    memset(links, 0, sizeof(links));
    memset(sessions, 0, sizeof(sessions));
    memset(is_paused, 0, sizeof(is_paused));
    memset(refused, 0, sizeof(refused));
    loop.uv.time += 1000000;
    loop.turn++;
    ws.loop = &loop;
    ws.core = &core;
    list_init(&ws.unfinished);
    list_init(&ws.asks);
    core.waits = false;
    core.owed = 0;
    for (size_t i = 0; i < LINKS; i++) {
        links[i].ws = &ws;
        links[i].id[0] = (char)('a' + i);
        buf_init(&links[i].message, 100);
        agent_turn_init(&links[i]);
    }
}

static int setup(void **state) {
    (void)state;
    memset(&core, 0, sizeof(core));
    timers_init(&loop.timers, now_ms, NULL, NULL);
    begin_anew();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    for (size_t i = 0; i < LINKS; i++) agent_turn_done(&links[i]);
    assert_int_equal(ws.turn_count, 0);
    assert_int_equal(ws.held_bytes, 0);
    assert_true(list_empty(&ws.unfinished));
    assert_int_equal(core.owed, 0);
    assert_true(list_empty(&ws.asks));
    timers_done(&loop.timers);
    return 0;
}

/* ---- v1: time ---- */

static void says(size_t i, size_t len, uint64_t costs_us) {
    static const char text[LONG_BYTES];
    core.costs_us = costs_us;
    agent_turn_message(&links[i], view_of(text, len));
    assert_string_equal(core.id, links[i].id);
    assert_ptr_equal(core.text.ptr, text);
    assert_int_equal(core.text.len, len);
}

static uint64_t rest_of(size_t i) {
    assert_int_equal(timer_armed(&links[i].turn), is_paused[i]);
    return is_paused[i] ? links[i].turn.deadline_ms - loop_now(&loop) : 0;
}

static void pass(uint64_t ms) {
    loop.uv.time += ms;
    timers_run(&loop.timers);
}

static void test_a_message_that_takes_long(void **state) {
    (void)state;
    static const struct {
        size_t len;
        uint64_t costs_us, rest_ms;
    } rows[] = {
        {LONG_BYTES, 0, 0},          {LONG_BYTES, 999, 0},         {LONG_BYTES, 1000, 4},
        {LONG_BYTES, 1250, 5},       {LONG_BYTES, 249750, 999},    {LONG_BYTES, 250000, 1000},
        {LONG_BYTES, 9000000, 1000}, {LONG_BYTES - 1, 9000000, 0}, {0, 9000000, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        begin_anew();
        used_ns = 6999500000; /* another second may begin meanwhile */
        looks = 0;
        says(1, rows[i].len, rows[i].costs_us);
        assert_int_equal(core.count, i + 1);
        assert_int_equal(rest_of(1), rows[i].rest_ms);
        assert_int_equal(ws.turn_count, rows[i].rest_ms > 0);
        assert_int_equal(looks, rows[i].len == LONG_BYTES ? 2 : 0);
        if (rows[i].rest_ms) pass(rows[i].rest_ms - 1);
        assert_int_equal(is_paused[1], rows[i].rest_ms > 0);
        pass(1);
        assert_false(is_paused[1]);
        assert_int_equal(ws.turn_count, 0);
    }
}

/* All of them together have a fifth of the time. */
static void test_the_more_they_are_the_longer_they_rest(void **state) {
    (void)state;
    for (size_t i = 0; i < LINKS; i++) {
        says(i, LONG_BYTES, 10000);
        assert_int_equal(rest_of(i), 40 * (i + 1));
        assert_int_equal(ws.turn_count, i + 1);
    }
    pass(80);
    assert_int_equal(ws.turn_count, LINKS - 2);
    assert_false(is_paused[0] || is_paused[1]);
    assert_true(is_paused[2] && is_paused[3]);
    says(0, LONG_BYTES, 10000);
    assert_int_equal(rest_of(0), 40 * (LINKS - 1));
}

/* What had been read already still comes. */
static void test_who_rests_does_not_rest_twice(void **state) {
    (void)state;
    says(0, LONG_BYTES, 10000);
    pass(15);
    says(0, LONG_BYTES, 20000);
    assert_int_equal(core.count, 2);
    assert_int_equal(rest_of(0), 25);
    assert_int_equal(ws.turn_count, 1);
}

static void test_who_goes_while_he_rests(void **state) {
    (void)state;
    says(0, LONG_BYTES, 10000);
    says(1, LONG_BYTES, 10000);
    agent_turn_done(&links[2]);
    assert_int_equal(ws.turn_count, 2);
    agent_turn_done(&links[0]);
    assert_int_equal(ws.turn_count, 1);
    assert_false(timer_armed(&links[0].turn));
    pass(1000);
    assert_int_equal(ws.turn_count, 0);
}

/* ---- v1: what waits for a store ---- */

static void say(size_t i, size_t count) {
    for (; count; count--) says(i, 2, 0);
}

static void test_who_makes_the_store_work_much_is_not_read(void **state) {
    (void)state;
    core.waits = true;
    say(0, ASKS_MAX - 1);
    assert_false(is_paused[0]);
    say(0, 1);
    assert_true(is_paused[0]);
    says(1, 2, 0);
    assert_false(is_paused[1]);
    store_answers(1);
    for (int round = 0; round < 2; round++) {
        store_answers(ASKS_MAX / 2 - 1);
        assert_true(is_paused[0]);
        store_answers(1);
        assert_false(is_paused[0]);
        say(0, ASKS_MAX / 2 - 1);
        assert_false(is_paused[0]);
        say(0, 1);
        assert_true(is_paused[0]);
    }
    store_answers(core.owed);
    assert_false(is_paused[0]);
}

/* The time is not up yet, or the store has not answered. */
static void test_both_reasons_must_be_gone(void **state) {
    (void)state;
    core.waits = true;
    says(0, LONG_BYTES, 10000);
    say(0, ASKS_MAX - 1);
    store_answers(ASKS_MAX / 2);
    assert_true(is_paused[0]);
    pass(40);
    assert_false(is_paused[0]);
    says(0, LONG_BYTES, 10000);
    say(0, ASKS_MAX / 2 - 1);
    pass(40);
    assert_true(is_paused[0]);
    store_answers(core.owed);
    assert_false(is_paused[0]);
}

/* It is answered all the same; who comes after it begins with nothing. */
static void test_who_goes_while_the_store_works(void **state) {
    (void)state;
    core.waits = true;
    say(0, ASKS_MAX);
    agent_turn_done(&links[0]);
    is_paused[0] = false;
    assert_false(list_empty(&ws.asks));
    store_answers(ASKS_MAX - 1);
    assert_false(list_empty(&ws.asks));
    store_answers(1);
    assert_true(list_empty(&ws.asks));
    assert_false(is_paused[0]);
}

/* The core has gone, and tells nobody any more. */
static void test_what_nobody_tells_of_is_forgotten(void **state) {
    (void)state;
    core.waits = true;
    say(0, 1);
    say(1, 1);
    agent_turn_done(&links[0]);
    agent_turn_done(&links[1]);
    core.owed = 0;
    agent_turn_forget(&ws);
    assert_true(list_empty(&ws.asks));
}

/* ---- v2: time ---- */

static void next_turn(uint64_t ms) {
    loop.turn++;
    loop.uv.time += ms;
}

static size_t takes(size_t i) {
    links[i].session = &sessions[i];
    return agent_turn_takes(&links[i]);
}

/* A piece that costs so much; how much of what is behind it is taken. */
static size_t costs(size_t i, uint64_t work, uint64_t bytes) {
    sessions[i].work += work;
    links[i].card.answer_bytes += bytes;
    return takes(i);
}

/* Its bytes are bounded above; its messages count as heads do, and a frame as one of v2. */
static void test_what_counts_of_v1(void **state) {
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(agent_turn_takes(&links[0]), ALL);
        links[0].card.answer_bytes += 100 * TURN_BYTES;
        assert_int_equal(agent_turn_takes(&links[0]), ALL);
        for (int i = 0; i < 4 * TURN_WORK / LINK_HEAD_WORK - 1; i++) says(0, 2, 0);
        links[0].work += LINK_HEAD_WORK - 1;
        assert_false(agent_turn_has_had(&links[0]));
        assert_true(agent_turn_takes(&links[0]) > 0);
        links[0].work++;
        assert_true(agent_turn_has_had(&links[0]));
        assert_int_equal(agent_turn_takes(&links[0]), 0);
        begin_anew();
    }
    assert_int_equal(ws.rivals.last, 0);
}

/* By what the last one did. */
static void test_how_large_a_piece_is(void **state) {
    (void)state;
    assert_int_equal(takes(0), ALL);
    assert_int_equal(costs(0, TURN_WORK / 4, 0), ALL);
    assert_int_equal(costs(0, TURN_WORK / 4 + 1, 0), 4096);
    assert_int_equal(costs(0, TURN_WORK / 16, 0), 4096);
    assert_int_equal(costs(0, TURN_WORK / 16 - 1, 0), 4 * 4096);
    next_turn(1);
    assert_int_equal(takes(0), 4 * 4096); /* it may be that there was no more */
    static const size_t then[] = {16 * 4096, 64 * 4096, ALL, ALL, ALL};
    for (size_t i = 0; i < COUNT(then); i++) assert_int_equal(costs(0, 1, 0), then[i]);
    assert_int_equal(costs(0, TURN_WORK / 4 + 1, 0), 4096);
    next_turn(1);
    assert_int_equal(costs(0, TURN_WORK / 4 + 1, 0), 4096);
}

/* The work, or the bytes, of a whole turn; and how it goes on in the next one. */
static void assert_turn(size_t i, uint64_t work, uint64_t bytes) {
    assert_true(takes(i) > 0);
    assert_true(costs(i, work - 1, bytes - 1) > 0);
    assert_int_equal(costs(i, 1, 0), 0);
    assert_int_equal(takes(i), 0);
    next_turn(0);
    assert_true(takes(i) > 0);
    assert_true(costs(i, work - 1, bytes - 1) > 0);
    assert_int_equal(costs(i, 0, 1), 0);
    next_turn(0);
}

static void test_a_turn_of_one_that_is_alone(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_turn(0, 4 * TURN_WORK, 4 * TURN_BYTES);
        next_turn(500);
    }
}

/* Of one turn. */
static void takes_much(size_t i) {
    takes(i);
    costs(i, TURN_WORK, 0);
}

/* Both take, and neither of them little for so long that it counts. */
static void meet(void) {
    for (int i = 0; i < 2; i++) {
        next_turn(RIVALS_MS);
        takes_much(0);
        takes_much(1);
    }
    next_turn(0);
}

static void test_a_turn_of_one_with_a_rival(void **state) {
    (void)state;
    meet();
    assert_turn(0, TURN_WORK, TURN_BYTES);
    next_turn(0);
    assert_int_equal(takes(1), 1024);
}

static void test_how_long_one_has_a_rival(void **state) {
    (void)state;
    meet();
    next_turn(RIVALS_MS - 1);
    assert_int_equal(takes(1), 1024);
    costs(1, TURN_WORK, 0);
    next_turn(1);
    assert_int_equal(takes(1), 4096);
}

/* Less than a quarter of a turn is little. */
static void test_a_turn_beside_one_that_takes_little(void **state) {
    (void)state;
    meet();
    takes(0);
    costs(0, TURN_WORK / 4 - 1, TURN_BYTES / 4 - 1);
    next_turn(0);
    assert_int_equal(takes(1), 1024); /* that it was little shows when it comes again */
    takes_much(0);
    costs(1, TURN_WORK, 0);
    next_turn(0);
    assert_turn(1, TURN_WORK / 4, TURN_BYTES / 4);
    takes_much(1);
    next_turn(RIVALS_MS - 1);
    takes_much(0);
    assert_int_equal(takes(1), 1024 / 4);
    costs(1, TURN_WORK, 0);
    next_turn(1);
    takes_much(0);
    assert_int_equal(takes(1), 1024);
}

static void test_a_quarter_of_a_turn_is_not_little(void **state) {
    (void)state;
    meet();
    takes(0);
    costs(0, TURN_WORK / 4, 0);
    next_turn(0);
    takes(0);
    costs(0, 0, TURN_BYTES / 4);
    next_turn(0);
    takes(0);
    assert_int_equal(takes(1), 1024);
}

/* ---- v1: memory ---- */

/* A message that is not complete, in a buffer of so many bytes. */
static bool holds(size_t i, size_t bytes) {
    links[i].message.len = 1;
    links[i].message.cap = bytes;
    return agent_turn_holds(&links[i]);
}

static void test_what_is_held(void **state) {
    (void)state;
    assert_true(holds(0, 1000));
    assert_true(holds(1, 500));
    assert_int_equal(ws.held_bytes, 1500);
    assert_true(holds(0, 3000));
    assert_int_equal(ws.held_bytes, 3500);
    links[0].message.len = 0; /* complete; the buffer is kept */
    agent_turn_count(&links[0]);
    assert_int_equal(ws.held_bytes, 500);
    assert_ptr_equal(ws.unfinished.next, &links[1].unfinished);
    assert_true(list_empty(&links[0].unfinished));
}

static void test_the_oldest_goes_for_others(void **state) {
    (void)state;
    assert_true(holds(0, 20 * MIB));
    assert_true(holds(1, 30 * MIB));
    assert_true(holds(0, 34 * MIB)); /* the oldest all the same */
    assert_true(refused[0] == 0 && refused[1] == 0);
    assert_true(holds(2, 1));
    assert_int_equal(refused[0], WS_CODE_POLICY);
    assert_int_equal(ws.held_bytes, 30 * MIB + 1);
    assert_true(holds(2, 20 * MIB));
    assert_true(holds(3, 60 * MIB)); /* two go */
    assert_int_equal(refused[1], WS_CODE_POLICY);
    assert_int_equal(refused[2], WS_CODE_POLICY);
    assert_int_equal(ws.held_bytes, 60 * MIB);
}

/* It is told so by its caller. */
static void test_one_that_holds_too_much_itself(void **state) {
    (void)state;
    static const struct {
        size_t message_max, most;
    } rows[] = {{100, 64 * MIB}, {30 * MIB, 64 * MIB}, {40 * MIB, 80 * MIB}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        begin_anew();
        links[0].message.max = rows[i].message_max;
        assert_true(holds(0, rows[i].most));
        assert_false(holds(0, rows[i].most + 1));
        assert_int_equal(refused[0], 0);
        assert_int_equal(ws.held_bytes, rows[i].most + 1);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_message_that_takes_long),
        TEST(test_the_more_they_are_the_longer_they_rest),
        TEST(test_who_rests_does_not_rest_twice),
        TEST(test_who_goes_while_he_rests),
        TEST(test_what_counts_of_v1),
        TEST(test_how_large_a_piece_is),
        TEST(test_a_turn_of_one_that_is_alone),
        TEST(test_a_turn_of_one_with_a_rival),
        TEST(test_how_long_one_has_a_rival),
        TEST(test_a_turn_beside_one_that_takes_little),
        TEST(test_a_quarter_of_a_turn_is_not_little),
        TEST(test_who_makes_the_store_work_much_is_not_read),
        TEST(test_both_reasons_must_be_gone),
        TEST(test_who_goes_while_the_store_works),
        TEST(test_what_nobody_tells_of_is_forgotten),
        TEST(test_what_is_held),
        TEST(test_the_oldest_goes_for_others),
        TEST(test_one_that_holds_too_much_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
