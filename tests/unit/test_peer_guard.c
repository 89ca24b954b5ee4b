/* Who is let in as a peer: each thing that may be wrong with a proof, and that none counts twice. */
#include <stdio.h>

#include "agents/peer_guard.h"
#include "agents/peer_protocol.h"
#include "cmocka_setup.h"

#define OURS "ws://10.0.0.1:8081"
#define THEIRS "ws://10.0.0.2:8081"
#define NOW 1700000000000

static const unsigned char key[SECRET_LEN] = "0123456789abcdef0123456789abcde";
static const unsigned char other_key[SECRET_LEN] = "0123456789abcdef0123456789abcdf";

static int set_up(void **state) {
    static struct peer_guard guard;
    peer_guard_init(&guard, OURS);
    peer_guard_set_key(&guard, key);
    *state = &guard;
    return 0;
}

static int tear_down(void **state) {
    peer_guard_done(*state);
    return 0;
}

struct knock {
    const char *name;
    const unsigned char *key;
    const char *to, *signed_from, *from, *nonce;
    uint64_t time_ms;
    int changed; /* a byte of the proof, from its end; 0: none */
    size_t proofs, froms;
    int status;
};

static struct peer_greeting greeting_of(const struct knock *knock) {
    return (struct peer_greeting){
        .from = view_from_cstr(knock->signed_from ? knock->signed_from : THEIRS),
        .to = view_from_cstr(knock->to ? knock->to : OURS),
        .time_ms = knock->time_ms ? knock->time_ms : NOW,
        .nonce = view_from_cstr(knock->nonce ? knock->nonce : "00112233445566778899aabbccddeeff")};
}

static int try(struct peer_guard *guard, const struct knock *knock, uint64_t now_ms,
               char reply[PEER_REPLY_LEN + 1]) {
    struct arena arena;
    struct headers headers;
    struct buf proof;
    struct view text;
    struct peer_greeting greeting = greeting_of(knock);
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    buf_init(&proof, 512);
    assert_true(peer_proof_encode(&proof, &greeting, knock->key ? knock->key : key));
    assert_true(proof.len <= PEER_PROOF_MAX);
    if (knock->changed) {
        char *byte = proof.ptr + proof.start + proof.len - (size_t)knock->changed;
        *byte = *byte == '0' ? '1' : '0';
    }
    for (size_t i = 0; i < knock->proofs; i++) headers_add(&headers, VIEW(PEER_PROOF), buf_view(&proof));
    for (size_t i = 0; i < knock->froms; i++)
        headers_add(&headers, VIEW(PEER_FROM), view_from_cstr(knock->from ? knock->from : THEIRS));
    int status = peer_guard_check(guard, &headers, now_ms, reply, &text);
    assert_true((status == 101) == (text.len == 0));
    buf_done(&proof);
    arena_done(&arena);
    return status;
}

static void each_proof_counts_once_and_only_as_it_was_made(void **state) {
    static const struct knock rows[] = {
        {.name = "no proof", .proofs = 0, .froms = 1, .status = 401},
        {.name = "two proofs", .proofs = 2, .froms = 1, .status = 401},
        {.name = "nobody", .proofs = 1, .froms = 0, .status = 401},
        {.name = "two names", .proofs = 1, .froms = 2, .status = 401},
        {.name = "another key", .key = other_key, .proofs = 1, .froms = 1, .status = 401},
        {.name = "for another gateway", .to = THEIRS, .proofs = 1, .froms = 1, .status = 401},
        {.name = "another's proof", .from = "ws://10.0.0.3", .proofs = 1, .froms = 1, .status = 401},
        {.name = "the last byte", .changed = 1, .proofs = 1, .froms = 1, .status = 401},
        {.name = "the first of the MAC", .changed = 43, .proofs = 1, .froms = 1, .status = 401},
        {.name = "the dot", .changed = 44, .proofs = 1, .froms = 1, .status = 400},
        {.name = "the nonce", .changed = 45, .proofs = 1, .froms = 1, .status = 401},
        {.name = "the time", .changed = 78, .proofs = 1, .froms = 1, .status = 401},
        {.name = "the version", .changed = 92, .proofs = 1, .froms = 1, .status = 400},
        {.name = "a nonce that begins badly",
         .nonce = "X0112233445566778899aabbccddeeff",
         .proofs = 1,
         .froms = 1,
         .status = 400},
        {.name = "a short nonce", .nonce = "0011", .proofs = 1, .froms = 1, .status = 400},
        {.name = "a foreign nonce",
         .nonce = "0011223344556677889900aabbccddeX",
         .proofs = 1,
         .froms = 1,
         .status = 400},
        {.name = "31 s ago", .time_ms = NOW - 31000, .proofs = 1, .froms = 1, .status = 401},
        {.name = "in 31 s", .time_ms = NOW + 31000, .proofs = 1, .froms = 1, .status = 401},
        {.name = "30 s ago",
         .time_ms = NOW - 30000,
         .proofs = 1,
         .froms = 1,
         .status = 101,
         .nonce = "10112233445566778899aabbccddeeff"},
        {.name = "in 30 s",
         .time_ms = NOW + 30000,
         .proofs = 1,
         .froms = 1,
         .status = 101,
         .nonce = "20112233445566778899aabbccddeeff"},
        {.name = "right", .proofs = 1, .froms = 1, .status = 101},
        {.name = "the same again", .proofs = 1, .froms = 1, .status = 401},
    };
    char reply[PEER_REPLY_LEN + 1];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status = try(*state, &rows[i], NOW, reply);
        if (status != rows[i].status) fail_msg("%s: %d", rows[i].name, status);
    }
}

static void a_number_is_remembered_as_long_as_its_proof_holds(void **state) {
    struct peer_guard *guard = *state;
    struct knock knock = {.time_ms = NOW + 30000, .proofs = 1, .froms = 1};
    char reply[PEER_REPLY_LEN + 1];
    assert_int_equal(try(guard, &knock, NOW, reply), 101);
    assert_int_equal(try(guard, &knock, NOW + 60000, reply), 401); /* held for the last time */
    assert_int_equal(try(guard, &knock, NOW + 60001, reply), 401); /* too late */
    struct knock later = {
        .time_ms = NOW + 70000, .nonce = "20112233445566778899aabbccddeeff", .proofs = 1, .froms = 1};
    assert_int_equal(try(guard, &later, NOW + 70000, reply), 101);
    assert_int_equal(guard->seen.count, 1);
}

static void the_reply_proves_the_other_side(void **state) {
    struct knock knock = {.proofs = 1, .froms = 1};
    struct peer_greeting greeting = greeting_of(&knock);
    char reply[PEER_REPLY_LEN + 1];
    assert_int_equal(try(*state, &knock, NOW, reply), 101);
    assert_true(peer_reply_check(view_from_cstr(reply), &greeting, key));
    assert_false(peer_reply_check(view_from_cstr(reply), &greeting, other_key));
    assert_false(peer_reply_check(view_slice(view_from_cstr(reply), 0, 42), &greeting, key));
    assert_false(peer_reply_check((struct view){0}, &greeting, key));
    greeting.nonce = VIEW("20112233445566778899aabbccddeeff");
    assert_false(peer_reply_check(view_from_cstr(reply), &greeting, key));
    /* nor is a proof a reply */
    struct buf proof;
    buf_init(&proof, 512);
    greeting = greeting_of(&knock);
    assert_true(peer_proof_encode(&proof, &greeting, key));
    assert_false(peer_reply_check(view_skip(buf_view(&proof), proof.len - PEER_REPLY_LEN), &greeting, key));
    buf_done(&proof);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_proof_counts_once_and_only_as_it_was_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_number_is_remembered_as_long_as_its_proof_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_reply_proves_the_other_side, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
