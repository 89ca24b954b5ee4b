/* What the gateway says itself in a service's answer, and what of it no service may say. */
#include "test_core_guest.h"

static void answers(struct world *world, struct guest *guest, const char *more) {
    is_let_in(world, guest, &(struct ask){.target = "/"});
    is_answered(world, guest, more);
}

/* That visitors have seen the page of a first visit. */
static void cookies_of_ours_are_not_the_services(void **state) {
    struct world *world = *state;
    struct guest guest;
    const char *said =
        ",\"headers\":{\"Set-Cookie\":[\"x-tunnel-seen=1\",\"a=1\"],\"X-Other\":[\"x-tunnel-seen=1\"]}";
    world->settings.first_visit_page = true;
    make_core_anew(world);
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    answers(world, &guest, said);
    assert_int_equal(headers_count(&guest.headers, VIEW("set-cookie")), 1);
    assert_told(&guest, "set-cookie", "a=1");
    assert_told(&guest, "x-other", "x-tunnel-seen=1");
    forget(&guest);
    world->core->settings.first_visit_page = false;
    answers(world, &guest, said);
    assert_int_equal(headers_count(&guest.headers, VIEW("set-cookie")), 2);
    forget(&guest);
}

/* A name that nobody chose is for a few people, unless its owner says otherwise. */
static void search_engines_are_kept_away(void **state) {
    struct world *world = *state;
    struct guest guest;
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    answers(world, &guest, "");
    assert_told(&guest, "x-robots-tag", "noindex");
    assert_told(&guest, "x-tunnel-routing-mode", "subdomain");
    forget(&guest);
    agent_says(world, "one", "{\"type\":\"ready\",\"capabilities\":[\"index\"]}");
    answers(world, &guest, "");
    assert_null(told(&guest, "x-robots-tag").ptr);
    forget(&guest);
    agent_leaves(world, "one");
    assert_int_equal(agent_with_rules(world, "/?name=shop", NULL), 200);
    assert_string_equal(world->tunnel, "shop");
    answers(world, &guest, "");
    assert_null(told(&guest, "x-robots-tag").ptr);
    forget(&guest);
}

static void a_request_has_its_id(void **state) {
    struct world *world = *state;
    struct guest guest;
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    answers(world, &guest, "");
    assert_null(told(&guest, "x-request-id").ptr);
    forget(&guest);
    world->core->settings.request_ids = true;
    answers(world, &guest, "");
    assert_true(
        view_eq(told(&guest, "x-request-id"), headers_get(&last_sent(world)->headers, VIEW("x-request-id"))));
    assert_int_equal(told(&guest, "x-request-id").len, 16);
    forget(&guest);
    answers(world, &guest, ",\"headers\":{\"X-Request-Id\":[\"of-the-service\"]}");
    assert_int_equal(headers_count(&guest.headers, VIEW("x-request-id")), 1);
    assert_told(&guest, "x-request-id", "of-the-service");
    forget(&guest);
    asks(world, &guest, &(struct ask){.target = "/", .host = "none.localhost"});
    assert_int_equal(guest.visitor.status, 404);
    assert_int_equal(told(&guest, "x-request-id").len, 16);
    forget(&guest);
}

/* Hours may pass within one of events. */
static void an_answer_may_be_silent_for_long(void **state) {
    struct world *world = *state;
    static const struct {
        const char *type;
        bool may_idle;
    } rows[] = {{"text/event-stream", true}, {"text/plain", false}};
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct guest guest;
        char more[200];
        snprintf(more, sizeof(more), ",\"headers\":{\"Content-Type\":[\"%s\"]},\"body\":\"eA==\"",
                 rows[i].type);
        is_let_in(world, &guest, &(struct ask){.target = "/"});
        agent_answers(world, "one", last_sent(world)->request_id, 200, more);
        assert_int_equal(guest.visitor.status, 200);
        assert_int_equal(guest.may_idle, rows[i].may_idle);
        forget(&guest);
    }
}

static void a_head_says_the_length_of_a_body(void **state) {
    struct world *world = *state;
    static const struct {
        const char *method, *more;
        uint64_t length;
    } rows[] = {
        {"HEAD", ",\"body\":\"eHl6\"", 3},
        {"HEAD", ",\"body\":\"eA==\"", 1},
        {"HEAD", "", LENGTH_UNKNOWN},
        {"HEAD", ",\"headers\":{\"Content-Length\":[\"9\"]},\"body\":\"eHl6\"", 9},
        {"GET", ",\"body\":\"eHl6\"", 3},
    };
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct guest guest;
        is_let_in(world, &guest, &(struct ask){.target = "/", .method = rows[i].method});
        agent_answers(world, "one", last_sent(world)->request_id, 200, rows[i].more);
        assert_int_equal(guest.visitor.status, 200);
        if (guest.visitor.content_length != rows[i].length) fail_msg("row %zu", i);
        assert_null(told(&guest, "content-length").ptr);
        forget(&guest);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(cookies_of_ours_are_not_the_services),
        TEST(search_engines_are_kept_away),
        TEST(a_request_has_its_id),
        TEST(an_answer_may_be_silent_for_long),
        TEST(a_head_says_the_length_of_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
