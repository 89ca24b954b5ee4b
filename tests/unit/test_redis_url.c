/* Where Redis is, and a claim as text. */
#include "cmocka_setup.h"
#include "store/claim_record.h"
#include "store/redis_url.h"

static void good_urls(void **state) {
    (void)state;
    static const struct {
        const char *text, *host, *path, *user, *password, *shown;
        unsigned port, database;
        bool tls;
    } rows[] = {
        {"redis://localhost", "localhost", "", "", "", "redis://localhost:6379/0", 6379, 0, false},
        {"redis://10.0.0.1:7000/3", "10.0.0.1", "", "", "", "redis://10.0.0.1:7000/3", 7000, 3, false},
        {"redis://[::1]:7000/", "::1", "", "", "", "redis://[::1]:7000/0", 7000, 0, false},
        {"redis://[fd00::1]", "fd00::1", "", "", "", "redis://[fd00::1]:6379/0", 6379, 0, false},
        {"rediss://:p@h", "h", "", "", "p", "rediss://h:6379/0", 6379, 0, true},
        {"redis://gate:p%40ss%3a%2f@h:1", "h", "", "gate", "p@ss:/", "redis://h:1/0", 1, 0, false},
        {"redis://:a@b@h", "h", "", "", "a@b", "redis://h:6379/0", 6379, 0, false},
        {"unix:///run/redis.sock", "", "/run/redis.sock", "", "", "redis+unix:///run/redis.sock?db=0", 0, 0,
         false},
        {"redis+unix://u:p@/run/r?db=12", "", "/run/r", "u", "p", "redis+unix:///run/r?db=12", 0, 12, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct redis_url url;
        const char *why = redis_url_parse(view_from_cstr(rows[i].text), &url);
        if (why) fail_msg("%s: %s", rows[i].text, why);
        assert_string_equal(url.host, rows[i].host);
        assert_int_equal(url.port, rows[i].port);
        assert_string_equal(url.path, rows[i].path);
        assert_string_equal(url.user, rows[i].user);
        assert_string_equal(url.password, rows[i].password);
        assert_string_equal(url.shown, rows[i].shown);
        assert_int_equal(url.database, rows[i].database);
        assert_int_equal(url.tls, rows[i].tls);
    }
}

static void bad_urls(void **state) {
    (void)state;
    static const char *const rows[] = {
        "",
        "redis",
        "redis://",
        "redis://:0",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:x",
        "redis://h:",
        "redis://h/x",
        "redis://h/-1",
        "redis://h/65536",
        "redis://::1",
        "redis://[::1",
        "redis://[::1]7000",
        "redis://user@h",
        "redis://user:@h",
        "redis://u:p%0@h",
        "redis://u:p%00@h",
        "redis://u:p%zz@h",
        "redis+unix://relative/path",
        "redis+unix://",
        "redis+unix:///s?x=1",
        "redis+unix:///s?db=x",
        "http://h",
        "REDIS://h",
    };
    struct redis_url url;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!redis_url_parse(view_from_cstr(rows[i]), &url)) fail_msg("\"%s\" was taken", rows[i]);
    char text[200] = "unix:///";
    memset(text + strlen(text), 'a', sizeof url.path - 1); /* one too many */
    assert_non_null(redis_url_parse(view_from_cstr(text), &url));
}

static struct claim a_claim(void) {
    return (struct claim){
        .tunnel_id = "abcdefghijkl",
        .owner = "sub:somebody\nwith lines",
        .epoch = UINT64_MAX,
        .expires_ms = UINT64_MAX,
        .member = {.epoch = UINT64_MAX,
                   .state = CLAIM_READY,
                   .link = {.gateway = "ws://g:1", .connection = "c=1", .protocol = LINK_V2},
                   .capabilities = 3,
                   .request_timeout_ms = UINT32_MAX,
                   .changed_ms = 7}};
}

static void a_record_is_read_as_written(void **state) {
    (void)state;
    struct buf text;
    struct claim claim = a_claim(), again;
    buf_init(&text, CLAIM_RECORD_MAX);
    assert_true(claim_record_encode(&text, &claim));
    assert_true(claim_record_decode(buf_view(&text), &again));
    assert_string_equal(again.tunnel_id, claim.tunnel_id);
    assert_string_equal(again.owner, claim.owner);
    assert_string_equal(again.member.link.gateway, claim.member.link.gateway);
    assert_string_equal(again.member.link.connection, claim.member.link.connection);
    assert_int_equal(again.member.link.protocol, claim.member.link.protocol);
    assert_int_equal(again.member.state, claim.member.state);
    assert_int_equal(again.member.capabilities, claim.member.capabilities);
    assert_int_equal(again.member.request_timeout_ms, claim.member.request_timeout_ms);
    assert_int_equal(again.member.changed_ms, claim.member.changed_ms);
    assert_true(again.epoch == claim.epoch && again.member.epoch == claim.epoch &&
                again.expires_ms == claim.expires_ms);
    for (size_t len = 0; len + strlen(claim.owner) <= text.len; len++) /* cut before the owner */
        assert_false(claim_record_decode(view_slice(buf_view(&text), 0, len), &again));
    buf_done(&text);
}

static void a_claim_of_the_longest_texts_fits(void **state) {
    (void)state;
    struct buf text;
    struct claim claim = a_claim(), again;
    memset(claim.tunnel_id, 'a', TUNNEL_NAME_MAX);
    memset(claim.owner, 'o', OWNER_MAX);
    memset(claim.member.link.gateway, 'g', GATEWAY_MAX);
    memset(claim.member.link.connection, 'c', CONNECTION_ID_MAX);
    buf_init(&text, CLAIM_RECORD_MAX);
    assert_true(claim_record_encode(&text, &claim));
    assert_true(claim_record_decode(buf_view(&text), &again));
    assert_string_equal(again.owner, claim.owner);
    buf_done(&text);
}

static void what_is_no_record(void **state) {
    (void)state;
    static const char *const rows[] = {
        "",
        "1",
        "0\n1\n2\n9\nc\ng\nt\n1\n0\n0\n7\no",  /* version */
        "1\n0\n2\n9\nc\ng\nt\n1\n0\n0\n7\no",  /* no epoch */
        "1\n1\n3\n9\nc\ng\nt\n1\n0\n0\n7\no",  /* no such state */
        "1\n1\n2\n-9\nc\ng\nt\n1\n0\n0\n7\no", /* sign */
        "1\n1\n2\n9\nc\ng\n\n1\n0\n0\n7\no",   /* no tunnel */
        "1\n1\n2\n9\nc\ng\nt\n9\n0\n0\n7\no",  /* protocol */
        "1\n1\n2\n9\nc\ng\nt\n1\n0\n0\n7\n",   /* no owner */
        "1\n1\n2\n99999999999999999999\nc\ng\nt\n1\n0\n0\n7\no",
    };
    struct claim claim;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (claim_record_decode(view_from_cstr(rows[i]), &claim)) fail_msg("row %zu was taken", i);
    assert_true(claim_record_decode(VIEW("1\n1\n2\n9\nc\ng\nt\n1\n0\n0\n7\no"), &claim));
    assert_false(claim_record_decode(VIEW("1\n1\n2\n9\nc\0\ng\nt\n1\n0\n0\n7\no"), &claim));
    struct buf text;
    buf_init(&text, CLAIM_RECORD_MAX);
    claim = a_claim();
    strcpy(claim.member.link.gateway, "ws://g\n:1");
    assert_false(claim_record_encode(&text, &claim));
    buf_done(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_urls),
        cmocka_unit_test(bad_urls),
        cmocka_unit_test(a_record_is_read_as_written),
        cmocka_unit_test(a_claim_of_the_longest_texts_fits),
        cmocka_unit_test(what_is_no_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
