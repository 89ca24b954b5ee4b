/* See names.h. */
#include "http/names.h"

#include "base/word.h"

#define LIST_MAX 10

/* By length. Only those whose words do not simply begin with a capital. */
static const char *const known[][LIST_MAX] = {
    [2] = {"TE"},
    [3] = {"DAV", "DNT", "DPR", "ECT", "NEL", "P3P", "RTT"},
    [4] = {"ETag"},
    [6] = {"CF-Ray"},
    [7] = {"Sec-GPC"},
    [9] = {"Expect-CT", "Sec-CH-UA", "SourceMap", "X-Real-IP"},
    [10] = {"SOAPAction"},
    [11] = {"Content-DPR", "Content-MD5", "X-Client-IP"},
    [12] = {"MIME-Version", "X-B3-TraceId", "X-CSRF-Token", "X-Request-ID", "X-WebKit-CSP", "X-XSRF-Token"},
    [13] = {"Last-Event-ID"},
    [14] = {"HTTP2-Settings", "True-Client-IP", "X-GitHub-Event"},
    [15] = {"Sec-CH-UA-Model", "X-UA-Compatible"},
    [16] = {"CF-Connecting-IP", "Sec-CH-UA-Mobile", "WWW-Authenticate", "X-Correlation-ID",
            "X-XSS-Protection"},
    [17] = {"CDN-Cache-Control", "Sec-WebSocket-Key", "X-GitHub-Delivery"},
    [18] = {"Sec-CH-UA-Platform"},
    [20] = {"Sec-WebSocket-Accept"},
    [21] = {"Sec-WebSocket-Version"},
    [22] = {"Sec-WebSocket-Protocol", "X-DNS-Prefetch-Control", "X-HTTP-Method-Override"},
    [24] = {"Sec-WebSocket-Extensions"},
};

static const char *find(struct view name) {
    if (name.len >= sizeof(known) / sizeof(known[0])) return NULL;
    const char *const *list = known[name.len];
    for (size_t i = 0; i < LIST_MAX && list[i]; i++) {
        char last = list[i][name.len - 1];
        bool may_be = ((last ^ name.ptr[name.len - 1]) & ~0x20) == 0;
        if (may_be && view_eq_nocase(name, view_of(list[i], name.len))) return list[i];
    }
    return NULL;
}

/* Letters behind a '-', and the first where a part of the name begins. */
static uint64_t capitalize(uint64_t word, bool begins) {
    uint64_t initials = word_behind(word_between(word, '-', '-')) | (begins ? word_first() : 0);
    return word ^ (word_between(word, 'a', 'z') & initials) >> 2;
}

static void put_short(char *to, struct view name) {
    bool begins = true;
    for (size_t i = 0; i < name.len; i++) {
        char byte = name.ptr[i];
        to[i] = begins && byte >= 'a' && byte <= 'z' ? (char)(byte & ~0x20) : byte;
        begins = byte == '-';
    }
}

/* The last word may begin within the one before it. */
static void put_words(char *to, struct view name) {
    for (size_t i = 0; i < name.len; i += WORD_BYTES) {
        size_t at = i + WORD_BYTES <= name.len ? i : name.len - WORD_BYTES;
        bool begins = at == 0 || name.ptr[at - 1] == '-';
        word_store(to + at, capitalize(word_load(name.ptr + at), begins));
    }
}

void http_put_name(char *to, struct view name) {
    const char *usual = find(name);
    if (usual) {
        memcpy(to, usual, name.len);
        return;
    }
    if (name.len < WORD_BYTES)
        put_short(to, name);
    else
        put_words(to, name);
}
