/* The keys of an issuer that are asked for by need, while the clock goes on. The client, the clock and the
 * core are the test's. (How a gateway asks: tests/e2e/test_jwks_url.py.) */
#include "cmocka_setup.h"
#include "issuer/jwks_url.h"

#define SET                                                                                                  \
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"one\","                                          \
    "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":"                                           \
    "\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}]}"
#define MINUTE_MS 60000

static struct world {
    uint64_t now_ms;
    const struct jwks *counts; /* what the core was told */
    http_call_fn *answered;    /* NULL: nobody is being asked */
    void *ctx;
    unsigned asked, done;
    struct loop loop;
} world;

static uint64_t now_ms(void *ctx) {
    (void)ctx;
    return world.now_ms;
}

uint64_t loop_wall_ms(void *ctx) {
    (void)ctx;
    return world.now_ms;
}

void core_set_token_keys(struct core *core, const struct jwks *keys) {
    (void)core;
    world.counts = keys;
}

struct http_call *http_client_start(struct http_client *client, const struct http_call_request *request,
                                    http_call_fn *done, void *ctx) {
    (void)client;
    assert_true(view_eq(request->url, VIEW("https://issuer/keys")));
    assert_int_equal(request->timeout_ms, 3000);
    world.answered = done;
    world.ctx = ctx;
    world.asked++;
    return (struct http_call *)&world;
}

void http_call_cancel(struct http_call *call) {
    (void)call;
    world.answered = NULL;
}

static void on_done(void *ctx) {
    assert_ptr_equal(ctx, &world);
    world.done++;
}

static void answer(int status, const char *body) {
    struct http_answer said = {.status = status, .body = view_from_cstr(body)};
    http_call_fn *answered = world.answered;
    world.answered = NULL;
    answered(world.ctx, STATUS_OK, &said);
}

static struct jwks_url *made;

/* An event, in which a token is shown whose key is not there: is the issuer asked? */
static bool an_event_asks(bool *ret_try_again) {
    struct jwt_source source = jwks_url_source(made);
    jwks_url_begin(made);
    bool again = source.renews(source.ctx);
    if (ret_try_again) *ret_try_again = again;
    return jwks_url_fetch(made, on_done, &world);
}

static int set_up(void **state) {
    (void)state;
    world = (struct world){.now_ms = 1700000000000};
    timers_init(&world.loop.timers, now_ms, NULL, NULL);
    made = jwks_url_new(&world.loop, NULL, "https://issuer/keys", true);
    jwks_url_start(made, (struct core *)&world);
    return made ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    jwks_url_stop(made);
    jwks_url_free(made);
    return 0;
}

static void have_keys(void) {
    assert_true(an_event_asks(NULL));
    answer(200, SET);
    assert_int_equal(jwks_count(world.counts), 1);
}

static void nobody_is_asked_without_need(void **state) {
    (void)state;
    jwks_url_begin(made);
    assert_false(jwks_url_fetch(made, on_done, &world));
    assert_int_equal(world.asked, 0);
}

static void the_first_need_is_waited_for(void **state) {
    (void)state;
    bool again = false;
    assert_true(an_event_asks(&again));
    assert_true(again);
    assert_int_equal(world.done, 0);
    answer(200, SET);
    assert_int_equal(world.done, 1);
    assert_int_equal(jwks_count(world.counts), 1);
}

static void a_key_that_is_not_known_asks_once_a_minute(void **state) {
    (void)state;
    bool again = true;
    have_keys();
    world.now_ms += MINUTE_MS - 1;
    assert_false(an_event_asks(&again));
    assert_false(again);
    world.now_ms += 1;
    assert_true(an_event_asks(&again));
    assert_true(again);
    answer(200, SET);
    assert_false(an_event_asks(NULL));
    assert_int_equal(world.asked, 2);
}

static void keys_count_for_ten_minutes(void **state) {
    (void)state;
    have_keys();
    world.now_ms += 10 * MINUTE_MS - 1;
    jwks_url_begin(made);
    assert_int_equal(jwks_count(world.counts), 1);
    world.now_ms += 1;
    jwks_url_begin(made);
    assert_int_equal(jwks_count(world.counts), 0);
    assert_int_equal(world.asked, 1);
    have_keys();
}

static void they_stay_while_the_issuer_is_away(void **state) {
    (void)state;
    have_keys();
    for (unsigned minute = 0; minute < 5; minute++) {
        world.now_ms += minute ? MINUTE_MS : 10 * MINUTE_MS;
        jwks_url_begin(made);
        assert_int_equal(jwks_count(world.counts), 0);
        assert_true(an_event_asks(NULL));
        answer(minute % 2 ? 503 : 200, "<html>");
        assert_int_equal(jwks_count(world.counts), 1);
        world.now_ms += MINUTE_MS - 1;
        jwks_url_begin(made); /* not sooner than in a minute */
        assert_int_equal(jwks_count(world.counts), 1);
        world.now_ms -= MINUTE_MS - 1;
    }
    assert_int_equal(world.asked, 6);
}

static void without_keys_it_is_asked_again_ever_later(void **state) {
    (void)state;
    static const uint64_t waits_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (size_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
        bool again = false;
        assert_true(an_event_asks(NULL));
        answer(500, "");
        world.now_ms += waits_ms[i] - 1;
        assert_false(an_event_asks(&again));
        assert_true(again); /* the agent is to try again all the same */
        world.now_ms += 1;
    }
}

static void a_clock_that_is_set_back_is_no_reason_to_wait(void **state) {
    (void)state;
    have_keys();
    world.now_ms -= 365 * 24 * 60 * (uint64_t)MINUTE_MS;
    assert_true(an_event_asks(NULL));
    answer(200, SET);
    assert_false(an_event_asks(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_is_asked_without_need, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_need_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_that_is_not_known_asks_once_a_minute, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_count_for_ten_minutes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_stay_while_the_issuer_is_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_keys_it_is_asked_again_ever_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_back_is_no_reason_to_wait, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
