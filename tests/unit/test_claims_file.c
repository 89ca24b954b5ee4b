/* Claims on their way to the process that takes over. */
#include <stdio.h>

#include "cmocka_setup.h"
#include "store/claim_record.h"
#include "store/claims_file.h"

#define NOW 1000000

static uint64_t at_now(void *ctx) {
    (void)ctx;
    return NOW;
}

static struct claims_keep keep = {.now_ms = NOW + 5, .anonymous_ms = 100, .owned_ms = 1000};

static struct claim a_claim(const char *name, const char *owner, enum claim_state state) {
    struct claim claim = {.epoch = 7,
                          .expires_ms = UINT64_MAX,
                          .member = {.epoch = 7,
                                     .state = state,
                                     .link = {.connection = "c", .protocol = LINK_V2},
                                     .changed_ms = NOW - 50}};
    snprintf(claim.tunnel_id, sizeof(claim.tunnel_id), "%s", name);
    snprintf(claim.owner, sizeof(claim.owner), "%s", owner);
    return claim;
}

struct found {
    struct claim claim;
    char options[CLAIM_OPTIONS_MAX + 1];
    const char *name;
    size_t count;
};

static void find(void *ctx, const struct claim *claim, struct view options) {
    struct found *found = ctx;
    found->count++;
    if (strcmp(claim->tunnel_id, found->name) != 0) return;
    found->claim = *claim;
    view_copy_to(options, found->options, sizeof(found->options));
}

static struct found look(const struct store_memory *store, const char *name) {
    struct found found = {.name = name};
    store_memory_each(store, find, &found);
    return found;
}

static void agents_count_as_gone_just_now(void **state) {
    (void)state;
    struct tasks tasks;
    struct buf text;
    tasks_init(&tasks, NULL, NULL);
    buf_init(&text, 1 << 20);
    struct store_memory *one = store_memory_new(&tasks, at_now, NULL);
    struct store_memory *two = store_memory_new(&tasks, at_now, NULL);
    struct claim anonymous = a_claim("aa", "anon:0123456789abcdef0123456789abcdef", CLAIM_READY);
    struct claim owned = a_claim("bb", "sub:x\ny", CLAIM_CONNECTING);
    struct claim offline = a_claim("cc", "sub:z", CLAIM_OFFLINE);
    struct claim expired = a_claim("dd", "sub:z", CLAIM_OFFLINE);
    offline.expires_ms = NOW + 300;
    expired.expires_ms = NOW;
    assert_true(store_memory_restore(one, &anonymous, VIEW("")));
    assert_true(store_memory_restore(one, &owned, VIEW("private")));
    assert_true(store_memory_restore(one, &offline, VIEW("")));
    assert_true(store_memory_restore(one, &expired, VIEW("")));
    assert_true(claims_file_write(&text, one));

    assert_int_equal(claims_file_read(buf_view(&text), two, &keep), 3);
    struct found found = look(two, "aa");
    assert_int_equal(found.count, 3);
    assert_true(found.claim.member.state == CLAIM_OFFLINE && found.claim.epoch == 7);
    assert_true(found.claim.member.changed_ms == NOW + 5 && found.claim.expires_ms == NOW + 105);
    found = look(two, "bb");
    assert_true(found.claim.expires_ms == NOW + 1005);
    assert_string_equal(found.options, "private");
    assert_string_equal(found.claim.owner, "sub:x\ny");
    found = look(two, "cc");
    assert_true(found.claim.member.changed_ms == NOW - 50 && found.claim.expires_ms == NOW + 300);

    assert_int_equal(claims_file_read(buf_view(&text), two, &keep), 0); /* those that stand, stand */
    store_memory_free(one);
    store_memory_free(two);
    buf_done(&text);
}

static void what_cannot_be_read_is_left_out(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "\n",
                                        "5",
                                        "5\nabc",
                                        "abc\n1\n2",
                                        "0\n0\n",
                                        "99999\n1\n2\n",
                                        "-1\n",
                                        "3\n1\n2rest",
                                        "18446744073709551615\nx"};
    struct tasks tasks;
    tasks_init(&tasks, NULL, NULL);
    struct store_memory *store = store_memory_new(&tasks, at_now, NULL);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(claims_file_read(view_from_cstr(texts[i]), store, &keep), 0);
    assert_int_equal(store_memory_claims(store), 0);
    store_memory_free(store);
}

static void a_file_that_is_full_is_said(void **state) {
    (void)state;
    struct tasks tasks;
    struct buf text;
    tasks_init(&tasks, NULL, NULL);
    buf_init(&text, 60);
    struct store_memory *store = store_memory_new(&tasks, at_now, NULL);
    struct claim claim = a_claim("aa", "sub:a", CLAIM_READY);
    assert_true(store_memory_restore(store, &claim, VIEW("")));
    assert_false(claims_file_write(&text, store));
    buf_done(&text);
    store_memory_free(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agents_count_as_gone_just_now),
                                       cmocka_unit_test(what_cannot_be_read_is_left_out),
                                       cmocka_unit_test(a_file_that_is_full_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
