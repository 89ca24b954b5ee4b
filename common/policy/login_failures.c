#include "policy/login_failures.h"

#include <arpa/inet.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#define SLOTS 1024

struct slot {
    uint64_t key, since_ms;
    unsigned count; /* of `tried` */
    uint64_t tried[LOGIN_FAILURES_MAX];
};

struct login_failures {
    uint64_t seed;
    struct slot slots[SLOTS];
};

struct login_failures *login_failures_new(uint64_t seed) {
    struct login_failures *failures = calloc(1, sizeof(*failures));
    if (failures) failures->seed = seed;
    return failures;
}

void login_failures_free(struct login_failures *failures) {
    free(failures);
}

/* FNV-1a. */
static uint64_t hash(uint64_t state, const void *bytes, size_t len) {
    for (const unsigned char *at = bytes, *end = at + len; at < end; at++)
        state = (state ^ *at) * 0x100000001b3u;
    return state;
}

static uint64_t key_of(const struct login_failures *failures, struct view tunnel, struct view address) {
    uint64_t state = hash(failures->seed ^ 0xcbf29ce484222325u, tunnel.ptr, tunnel.len);
    char text[INET6_ADDRSTRLEN + 1];
    unsigned char v6[16];
    state = hash(state, "/", 1);
    if (view_copy_to(address, text, sizeof(text)) && inet_pton(AF_INET6, text, v6) == 1)
        return hash(state, v6, 8);
    return hash(state, address.ptr, address.len);
}

static bool is_over(const struct slot *slot, uint64_t now_ms) {
    return slot->count == 0 || now_ms - slot->since_ms >= LOGIN_FAILURES_MS;
}

bool login_failures_shut_out(const struct login_failures *failures, struct view tunnel, struct view address,
                             uint64_t now_ms) {
    uint64_t key = key_of(failures, tunnel, address);
    const struct slot *slot = &failures->slots[key % SLOTS];
    return slot->key == key && slot->count >= LOGIN_FAILURES_MAX && !is_over(slot, now_ms);
}

/* Nobody can find two that have the same by trying, as he could with the hash of the slots. */
static uint64_t mark_of(const struct login_failures *failures, struct view shown) {
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    uint64_t mark;
    HMAC(EVP_sha256(), &failures->seed, (int)sizeof(failures->seed), (const unsigned char *)shown.ptr,
         shown.len, digest, NULL);
    memcpy(&mark, digest, sizeof(mark));
    return mark;
}

static bool was_tried(const struct slot *slot, uint64_t mark) {
    for (unsigned i = 0; i < slot->count; i++)
        if (slot->tried[i] == mark) return true;
    return false;
}

bool login_failures_note(struct login_failures *failures, struct view tunnel, struct view address,
                         struct view shown, uint64_t now_ms) {
    uint64_t key = key_of(failures, tunnel, address), mark = mark_of(failures, shown);
    struct slot *slot = &failures->slots[key % SLOTS];
    bool is_other = slot->key != key;
    if (is_other && slot->count >= LOGIN_FAILURES_MAX && !is_over(slot, now_ms)) return true;
    if (is_other || is_over(slot, now_ms)) *slot = (struct slot){.key = key, .since_ms = now_ms};
    if (was_tried(slot, mark)) return false;
    if (slot->count < LOGIN_FAILURES_MAX) slot->tried[slot->count++] = mark;
    return true;
}
