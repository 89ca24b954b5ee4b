/* libFuzzer target: records of claims in Redis. What is read, is read again as it was when we write it: in
 * version 2, and in version 1 where there are no options. */
#include "fuzz.h"
#include "store/claim_record.h"

static bool decode(struct view text, struct claim *ret_claim, char options[CLAIM_OPTIONS_MAX + 1]) {
    char *copy = exact_copy(text);
    struct view said;
    bool good = claim_record_decode(view_of(copy, text.len), ret_claim, &said);
    if (good) require(said.ptr && view_copy_to(said, options, CLAIM_OPTIONS_MAX + 1));
    free(copy);
    return good;
}

static void require_sound(const struct claim *claim) {
    require(claim->epoch > 0 && claim->member.epoch > 0 && claim->member.epoch <= claim->epoch);
    require(claim->tunnel_id[0] && claim->owner[0]);
    require(claim->member.link.protocol <= LINK_V2);
    require(claim->member.state == CLAIM_CONNECTING || claim->member.state == CLAIM_READY ||
            claim->member.state == CLAIM_OFFLINE);
}

static void require_same(const struct claim *a, const struct claim *b, bool with_epoch) {
    const struct member *one = &a->member, *two = &b->member;
    require(strcmp(a->tunnel_id, b->tunnel_id) == 0 && strcmp(a->owner, b->owner) == 0);
    require(a->epoch == b->epoch && a->expires_ms == b->expires_ms && one->state == two->state);
    require(!with_epoch || one->epoch == two->epoch);
    require(strcmp(one->link.gateway, two->link.gateway) == 0);
    require(strcmp(one->link.connection, two->link.connection) == 0);
    require(one->link.protocol == two->link.protocol && one->capabilities == two->capabilities);
    require(one->request_timeout_ms == two->request_timeout_ms && one->changed_ms == two->changed_ms);
    require(!with_epoch || memcmp(&one->allowance, &two->allowance, sizeof(one->allowance)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct claim claim, again;
    struct buf text;
    char options[CLAIM_OPTIONS_MAX + 1], options_again[CLAIM_OPTIONS_MAX + 1];
    if (!decode(view_of(data, size), &claim, options)) return 0;
    require(size <= CLAIM_RECORD_MAX);
    require_sound(&claim);
    buf_init(&text, CLAIM_RECORD_MAX);
    require(claim_record_encode_tagged(&text, &claim, view_from_cstr(options)));
    require(decode(buf_view(&text), &again, options_again));
    require_same(&claim, &again, true);
    require(strcmp(options, options_again) == 0);
    buf_clear(&text);
    require(claim_record_encode(&text, &claim));
    require(decode(buf_view(&text), &again, options_again));
    require_same(&claim, &again, false); /* version 1 knows one epoch, and no allowance */
    buf_done(&text);
    return 0;
}
