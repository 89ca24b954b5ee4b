/* libFuzzer target: answers of a proxy, in pieces: whatever comes, the pieces' size changes nothing, little
 * is kept, and why it failed is a line that a terminal can show. First byte: which kind of proxy; second: the
 * size of the pieces. */
#include "fuzz.h"
#include "net/proxy_shake.h"

struct outcome {
    enum proxy_shake_result result;
    size_t said, rest;
    char why[200];
};

static struct outcome run(const struct proxy *proxy, struct view bytes, size_t piece) {
    struct outcome out = {.result = PROXY_SHAKE_MORE};
    struct proxy_shake shake;
    struct buf said;
    struct view rest = {0};
    size_t at = 0;
    buf_init(&said, PROXY_ANSWER_MAX);
    require(proxy_shake_init(&shake, proxy, "gateway.example", 443, &said));
    while (at < bytes.len && out.result == PROXY_SHAKE_MORE) {
        struct view part = view_slice(bytes, at, at + piece);
        char *copy = exact_copy(part);
        out.result = proxy_shake_take(&shake, view_of(copy, part.len), &said, &rest);
        free(copy);
        at += part.len;
    }
    out.said = said.len;
    out.rest = rest.len + bytes.len - at;
    if (out.result == PROXY_SHAKE_FAILED) {
        require(shake.why[0]);
        memcpy(out.why, shake.why, sizeof(out.why));
    }
    for (const char *c = out.why; *c; c++) require(*c >= 0x20 && *c < 0x7f);
    proxy_shake_done(&shake);
    buf_done(&said);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static const char *const urls[] = {"http://p:1", "http://u:p@p:1", "socks5://p:1", "socks5://u:p@p:1"};
    struct proxy proxy;
    if (len < 2) return 0;
    require(!proxy_parse(view_from_cstr(urls[bytes[0] % 4]), &proxy));
    struct view rest = view_of(bytes + 2, len - 2);
    char text[256], host[64];
    proxy_parse(rest, &(struct proxy){0});
    if (view_copy_to(view_slice(rest, 0, 40), host, sizeof(host)) && view_copy_to(rest, text, sizeof(text)))
        proxy_list_has(view_from_cstr(text), host);
    if (len > 4096) return 0; /* beyond it, what is too long depends on the pieces */
    struct outcome whole = run(&proxy, rest, rest.len ? rest.len : 1);
    struct outcome pieces = run(&proxy, rest, (size_t)bytes[1] + 1);
    require(whole.result == pieces.result && whole.said == pieces.said);
    if (whole.result == PROXY_SHAKE_DONE) require(whole.rest == pieces.rest);
    require(strcmp(whole.why, pieces.why) == 0);
    return 0;
}
