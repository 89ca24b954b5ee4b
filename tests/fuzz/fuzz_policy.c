/* libFuzzer target: who may visit. Lines: policy, method, address, authorization, cookie, target. What is no
 * policy lets nobody in, what is one can be told; and however a target is written, if a service that decodes
 * it to the end, follows ".." and cuts parameters would find /admin in it, a rule that denies /admin refuses
 * it. */
#include "fuzz.h"
#include "policy/policy.h"

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A service's reading, written another way than the product's: byte by byte, decoding what it has written. */
static size_t decode_all(char *text, size_t len) {
    for (size_t i = 0; i + 2 < len;) {
        if (text[i] != '%' || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) {
            i++;
            continue;
        }
        text[i] = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
        memmove(text + i + 1, text + i + 3, len - i - 3);
        len -= 2;
        i = i >= 2 ? i - 2 : 0; /* it may have become a part of another escape */
    }
    return len;
}

static bool finds_admin(struct view target) {
    struct view stack[512], rest, segment;
    size_t depth = 0;
    char *text = exact_copy(view_slice(target, 0, view_find(target, '?')));
    size_t len = decode_all(text, view_find(target, '?'));
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\\') text[i] = '/';
    rest = view_of(text, len);
    while (len && view_split(&rest, '/', &segment)) {
        segment = view_slice(segment, 0, view_find(segment, ';'));
        if (view_eq(segment, VIEW(".."))) {
            depth -= depth > 0;
        } else if (segment.len && !view_eq(segment, VIEW(".")) && depth < sizeof(stack) / sizeof(stack[0])) {
            stack[depth++] = segment;
        }
    }
    bool found = depth > 0 && view_eq_nocase(stack[0], VIEW("admin"));
    free(text);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct view rest = view_of(bytes, len), lines[5] = {{0}};
    char error[200];
    if (len == 0 || len > 1000) return 0;
    for (size_t i = 0; i < 5; i++)
        if (!view_split(&rest, '\n', &lines[i])) return 0;
    struct view target = rest.ptr ? rest : VIEW("/");
    char *policy = exact_copy(lines[0]), *path = exact_copy(target);
    struct arena arena;
    struct headers headers;
    struct policy_outcome outcome;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    require(headers_add(&headers, VIEW("cookie"), lines[4]));
    struct policy_request request = {.method = lines[1],
                                     .address = lines[2],
                                     .authorization = lines[3],
                                     .headers = &headers,
                                     .tunnel = VIEW("abc"),
                                     .now_s = 1000000,
                                     .is_navigation = true,
                                     .arena = &arena,
                                     .target = view_of(path, target.len)};
    struct view text = view_of(policy, lines[0].len);
    bool is_policy = !policy_fault(text, error, sizeof(error));
    (void)policy_takes(text);
    request.is_at_door = policy_is_door(request.target);
    enum policy_verdict verdict = policy_check(text, &request, &outcome);
    require(is_policy == (verdict != POLICY_FAILS));
    if (!is_policy)
        for (const char *c = error; *c; c++) require(*c >= 0x20 && *c < 0x7f);
    struct view stripped = policy_share_strip(request.target, &arena);
    require(stripped.ptr && view_eq(policy_share_strip(stripped, &arena), stripped));
    enum policy_verdict denied = policy_check(VIEW("deny-path=/admin"), &request, &outcome);
    require(denied == POLICY_LETS_IN || denied == POLICY_REFUSES);
    if (finds_admin(request.target)) require(denied == POLICY_REFUSES);
    arena_done(&arena);
    free(policy);
    free(path);
    return 0;
}
