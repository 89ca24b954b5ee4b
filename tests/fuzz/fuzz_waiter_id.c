/* libFuzzer target: ids and tokens that a function on AWS signs and gets back. The first byte says whether
 * the rest is one as it is, or the waiter of one that is made here and then broken. */
#include "direct/waiter_id.h"
#include "fuzz.h"

#define NOW_MS 1700000000000u

static const unsigned char key[SECRET_LEN] = "a key of the fuzz target alone";

static enum direct_id_kind decode(struct view text, struct view agent, struct direct_id *ret_id) {
    char *copy = exact_copy(text);
    enum direct_id_kind kind = direct_id_decode(view_of(copy, text.len), key, agent, NOW_MS, ret_id);
    free(copy);
    return kind;
}

static void as_it_is(struct view text) {
    struct direct_id id;
    char *copy = exact_copy(text);
    require(decode(text, VIEW("agent"), &id) != DIRECT_ID_GOOD);
    require(!waiter_token_check(view_of(copy, text.len), key, NOW_MS)); /* nobody guesses a signature */
    free(copy);
}

static void made(struct view waiter, uint64_t expires_ms) {
    struct direct_id id = {.expires_ms = expires_ms}, again;
    struct buf text, token;
    buf_init(&text, 1024);
    buf_init(&token, WAITER_TOKEN_MAX);
    if (view_copy_to(waiter, id.waiter, sizeof(id.waiter)) && waiter.len &&
        direct_id_encode(&text, key, &id, VIEW("agent"))) {
        enum direct_id_kind kind = decode(buf_view(&text), VIEW("agent"), &again);
        require(expires_ms <= NOW_MS ? kind != DIRECT_ID_GOOD : kind == DIRECT_ID_GOOD);
        if (kind == DIRECT_ID_GOOD) require(strcmp(again.waiter, id.waiter) == 0);
        require(decode(buf_view(&text), VIEW("other"), &again) != DIRECT_ID_GOOD);
        text.ptr[text.start + text.len / 2] ^= 1;
        require(decode(buf_view(&text), VIEW("agent"), &again) != DIRECT_ID_GOOD);
    }
    require(waiter_token_encode(&token, key, expires_ms));
    require(waiter_token_check(buf_view(&token), key, NOW_MS) == (expires_ms > NOW_MS));
    buf_done(&token);
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    struct view rest = view_of(data + 1, size - 1);
    if (data[0] % 2)
        made(rest, NOW_MS - 64 + data[0]);
    else
        as_it_is(rest);
    return 0;
}
