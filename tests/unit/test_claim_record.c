/* A claim as text, in both versions, and what is none. */
#include <stdio.h>

#include "cmocka_setup.h"
#include "store/claim_record.h"

static struct claim a_claim(void) {
    return (struct claim){
        .tunnel_id = "abcdefghijkl",
        .owner = "sub:somebody\nwith % lines",
        .epoch = UINT64_MAX,
        .expires_ms = UINT64_MAX,
        .member = {.epoch = UINT64_MAX,
                   .state = CLAIM_READY,
                   .link = {.gateway = "ws://g:1", .connection = "c=1", .protocol = LINK_V2},
                   .capabilities = 3,
                   .request_timeout_ms = UINT32_MAX,
                   .changed_ms = 7}};
}

static void assert_same(const struct claim *a, const struct claim *b) {
    assert_string_equal(a->tunnel_id, b->tunnel_id);
    assert_string_equal(a->owner, b->owner);
    assert_true(a->epoch == b->epoch && a->expires_ms == b->expires_ms);
    assert_string_equal(a->member.link.gateway, b->member.link.gateway);
    assert_string_equal(a->member.link.connection, b->member.link.connection);
    assert_int_equal(a->member.link.protocol, b->member.link.protocol);
    assert_int_equal(a->member.state, b->member.state);
    assert_true(a->member.epoch == b->member.epoch);
    assert_int_equal(a->member.capabilities, b->member.capabilities);
    assert_int_equal(a->member.request_timeout_ms, b->member.request_timeout_ms);
    assert_int_equal(a->member.changed_ms, b->member.changed_ms);
}

static void a_record_is_read_as_written(void **state) {
    (void)state;
    struct buf text;
    struct view options;
    struct claim claim = a_claim(), again;
    buf_init(&text, CLAIM_RECORD_MAX);
    assert_true(claim_record_encode(&text, &claim));
    assert_true(claim_record_decode(buf_view(&text), &again, &options));
    assert_same(&again, &claim);
    assert_true(options.ptr && options.len == 0);
    for (size_t len = 0; len + strlen(claim.owner) <= text.len; len++) /* cut before the owner */
        assert_false(claim_record_decode(view_slice(buf_view(&text), 0, len), &again, &options));
    buf_done(&text);
}

static void a_tagged_record_is_read_as_written(void **state) {
    (void)state;
    static const struct {
        struct view said;
        const char *read;
    } rows[] = {{VIEW("{\"a\":\"b=c %0a\"}"), "{\"a\":\"b=c %0a\"}"}, {VIEW(""), ""}, {{NULL, 0}, ""}};
    struct claim claim = a_claim(), again;
    claim.member.epoch = 3;
    claim.member.allowance = (struct allowance){.rate = 1, .connections = 2, .bandwidth = 3000};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text;
        struct view options;
        buf_init(&text, CLAIM_RECORD_MAX);
        assert_true(claim_record_encode_tagged(&text, &claim, rows[i].said));
        assert_true(claim_record_decode(buf_view(&text), &again, &options));
        assert_same(&again, &claim);
        assert_true(options.ptr && view_eq(options, view_from_cstr(rows[i].read)));
        for (size_t len = 0; len < text.len; len++)
            assert_false(claim_record_decode(view_slice(buf_view(&text), 0, len), &again, &options));
        buf_done(&text);
    }
}

static void a_claim_of_the_longest_texts_fits(void **state) {
    (void)state;
    struct buf text;
    struct view options;
    char longest[CLAIM_OPTIONS_MAX];
    struct claim claim = a_claim(), again;
    memset(longest, '%', sizeof(longest));
    memset(claim.tunnel_id, 'a', TUNNEL_NAME_MAX);
    memset(claim.owner, '%', OWNER_MAX);
    memset(claim.member.link.gateway, 'g', GATEWAY_MAX);
    memset(claim.member.link.connection, 'c', CONNECTION_ID_MAX);
    buf_init(&text, CLAIM_RECORD_MAX);
    assert_true(claim_record_encode(&text, &claim));
    assert_true(claim_record_decode(buf_view(&text), &again, &options));
    assert_same(&again, &claim);
    buf_clear(&text);
    assert_true(claim_record_encode_tagged(&text, &claim, view_of(longest, sizeof(longest))));
    assert_in_range(text.len, 2000, 2300); /* what claim_record.h tells later versions */
    assert_true(claim_record_decode(buf_view(&text), &again, &options));
    assert_same(&again, &claim);
    assert_int_equal(options.len, sizeof(longest));
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
    struct view options;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (claim_record_decode(view_from_cstr(rows[i]), &claim, &options)) fail_msg("row %zu was taken", i);
    assert_true(claim_record_decode(VIEW("1\n1\n2\n9\nc\ng\nt\n1\n0\n0\n7\no"), &claim, &options));
    assert_false(claim_record_decode(VIEW("1\n1\n2\n9\nc\0\ng\nt\n1\n0\n0\n7\no"), &claim, &options));
    struct buf text;
    buf_init(&text, CLAIM_RECORD_MAX);
    claim = a_claim();
    strcpy(claim.member.link.gateway, "ws://g\n:1");
    assert_false(claim_record_encode(&text, &claim));
    assert_false(claim_record_encode_tagged(&text, &claim, VIEW("")));
    claim = a_claim();
    assert_false(claim_record_encode_tagged(&text, &claim, VIEW("two\nlines")));
    buf_done(&text);
}

/* ---- version 2, by hand ---- */

#define HEAD "2\n5\n2\n9\nc\n"
#define MEMBER                                                                                               \
    "member.gateway=\nmember.protocol=0\nmember.capabilities=0\nmember.timeout=0\nmember.changed=7\n"
#define REST "name.id=t\nname.owner=o\n" MEMBER

static void tags_of_a_later_version_are_passed_over(void **state) {
    (void)state;
    static const char *const rows[] = {
        HEAD REST,
        HEAD "name.visitors=somebody=else\n" REST,
        HEAD REST "member.load=\nanything=1\n",
        HEAD REST "name.options=x\nname.optionsOfOld=y\nnam=z\n",
    };
    struct claim claim;
    struct view options;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!claim_record_decode(view_from_cstr(rows[i]), &claim, &options)) fail_msg("row %zu", i);
        assert_string_equal(claim.tunnel_id, "t");
        assert_string_equal(claim.owner, "o");
        assert_int_equal(claim.epoch, 5);
        assert_int_equal(claim.member.epoch, 5);
        assert_int_equal(claim.member.changed_ms, 7);
        assert_string_equal(claim.member.link.connection, "c");
        assert_true(view_eq(options, i == 3 ? VIEW("x") : VIEW("")));
    }
}

static void what_is_no_tagged_record(void **state) {
    (void)state;
    static const char *const rows[] = {
        HEAD,
        "3\n5\n2\n9\nc\n" REST,
        HEAD "name.id=t\n" MEMBER,              /* nobody's */
        HEAD "name.id=\nname.owner=o\n" MEMBER, /* of no name */
        HEAD REST "name.id=u\n",                /* twice */
        HEAD REST "name.options=a\nname.options=b\n",
        HEAD REST "later",   /* not to its end */
        HEAD REST "later\n", /* no '=' */
        HEAD REST "=value\n",
        HEAD REST "\n",
        HEAD "\n" REST,
        HEAD REST "member.epoch=6\n", /* of the future */
        HEAD REST "member.epoch=0\n",
        HEAD "name.id=t\nname.owner=%41\n" MEMBER, /* what we do not escape */
        HEAD "name.id=t\nname.owner=a%0\n" MEMBER,
        HEAD "name.id=t\nname.owner=%00\n" MEMBER,
        HEAD "name.id=t\nname.owner=o\nmember.gateway=\nmember.protocol=2\nmember.capabilities=0\n"
             "member.timeout=0\nmember.changed=7\n",
        HEAD "name.id=t\nname.owner=o\nmember.gateway=\nmember.protocol=1\nmember.capabilities=4294967296\n"
             "member.timeout=0\nmember.changed=7\n",
        HEAD "name.id=t\nname.owner=o\nmember.gateway=\nmember.protocol=1\nmember.capabilities=0\n"
             "member.timeout=-1\nmember.changed=7\n",
    };
    struct claim claim;
    struct view options;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (claim_record_decode(view_from_cstr(rows[i]), &claim, &options)) fail_msg("row %zu was taken", i);
}

static void a_record_has_a_bound(void **state) {
    (void)state;
    char text[CLAIM_RECORD_MAX + 2];
    struct claim claim;
    struct view options;
    memcpy(text, HEAD REST "later=", sizeof(HEAD REST "later="));
    size_t len = strlen(text);
    memset(text + len, 'x', sizeof(text) - len);
    text[CLAIM_RECORD_MAX - 1] = text[CLAIM_RECORD_MAX] = '\n';
    assert_true(claim_record_decode(view_of(text, CLAIM_RECORD_MAX), &claim, &options));
    text[CLAIM_RECORD_MAX - 1] = 'x';
    assert_false(claim_record_decode(view_of(text, CLAIM_RECORD_MAX + 1), &claim, &options));
    char owner[sizeof(HEAD REST) + OWNER_MAX + 1];
    for (size_t o = OWNER_MAX; o <= OWNER_MAX + 1; o++) {
        char long_owner[OWNER_MAX + 2] = "";
        memset(long_owner, 'o', o);
        snprintf(owner, sizeof(owner), HEAD "name.id=t\nname.owner=%s\n" MEMBER, long_owner);
        assert_int_equal(claim_record_decode(view_from_cstr(owner), &claim, &options), o == OWNER_MAX);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read_as_written),
        cmocka_unit_test(a_tagged_record_is_read_as_written),
        cmocka_unit_test(a_claim_of_the_longest_texts_fits),
        cmocka_unit_test(what_is_no_record),
        cmocka_unit_test(tags_of_a_later_version_are_passed_over),
        cmocka_unit_test(what_is_no_tagged_record),
        cmocka_unit_test(a_record_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
