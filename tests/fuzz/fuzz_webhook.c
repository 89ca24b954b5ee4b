/* libFuzzer target: a webhook's signature. Lines: scheme, signature, time, path; then the body. Whatever is
 * said, nothing is signed with a secret that nobody has. */
#include "fuzz.h"
#include "policy/webhook.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct view rest = view_of(bytes, len), lines[4];
    for (size_t i = 0; i < 4; i++) lines[i] = take_line(&rest);
    const struct webhook_scheme *scheme = webhook_scheme(lines[0]);
    if (!scheme || !rest.ptr) return 0;
    char *body = exact_copy(rest), *signature = exact_copy(lines[1]);
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    require(headers_add(&headers, VIEW("x-forwarded-host"), VIEW("a.example")) &&
            headers_add(&headers, VIEW("content-type"), VIEW("application/x-www-form-urlencoded")) &&
            headers_add(&headers, VIEW("x-slack-request-timestamp"), view_slice(lines[2], 0, 100)));
    struct webhook_request request = {.headers = &headers,
                                      .body = view_of(body, rest.len),
                                      .path = lines[3],
                                      .now_s = 1000,
                                      .arena = &arena};
    struct view said = view_of(signature, lines[1].len);
    require(!scheme->is_signed(&request, VIEW("one that nobody has: 6f1c9b0e2d"), said));
    arena_done(&arena);
    free(body);
    free(signature);
    return 0;
}
