/* See proxy_shake.h. */
#include "net/proxy_shake.h"

#include <netinet/in.h>
#include <stdio.h>
#include <uv.h>

#include "base/base64.h"
#include "http/head.h"

#define SOCKS_VERSION 5
#define SOCKS_NO_AUTH 0
#define SOCKS_USER 2 /* RFC 1929 */
#define SOCKS_NO_METHOD 0xff
#define SOCKS_CONNECT 1
#define SOCKS_IPV4 1
#define SOCKS_NAME 3
#define SOCKS_IPV6 4

static enum proxy_shake_result fail(struct proxy_shake *shake, const char *what) {
    snprintf(shake->why, sizeof(shake->why), "the proxy %.80s %.100s", shake->proxy->shown, what);
    return PROXY_SHAKE_FAILED;
}

/* ---- CONNECT ---- */

static void say_connect(const struct proxy_shake *shake, struct buf *out) {
    bool is_v6 = strchr(shake->host, ':');
    const char *before = is_v6 ? "[" : "", *behind = is_v6 ? "]" : "";
    const struct proxy *proxy = shake->proxy;
    buf_printf(out, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n", before, shake->host, behind,
               shake->port, before, shake->host, behind, shake->port);
    if (proxy->has_user) {
        char plain[sizeof(proxy->user) + sizeof(proxy->password)], coded[4 * sizeof(plain) / 3 + 8];
        int len = snprintf(plain, sizeof(plain), "%s:%s", proxy->user, proxy->password);
        size_t coded_len = base64_encode(view_of(plain, (size_t)len), coded);
        buf_printf(out, "Proxy-Authorization: Basic %.*s\r\n", (int)coded_len, coded);
    }
    buf_append_view(out, VIEW("\r\n"));
}

static enum proxy_shake_result refused(struct proxy_shake *shake, const struct response_head *head) {
    char what[120], reason[48] = "";
    size_t len = 0;
    for (size_t i = 0; i < head->reason.len && len + 1 < sizeof(reason); i++) {
        char byte = head->reason.ptr[i];
        if (byte >= 0x20 && byte < 0x7f) reason[len++] = byte;
    }
    reason[len] = '\0';
    snprintf(what, sizeof(what), "refuses: %d%s%s%s", head->status, reason[0] ? " " : "", reason,
             head->status == 407 ? (shake->proxy->has_user ? " (other user or password?)"
                                                           : " (it wants http://user:password@host:port)")
                                 : "");
    return fail(shake, what);
}

static enum proxy_shake_result on_head(struct proxy_shake *shake, const struct response_head *head,
                                       size_t len) {
    if (head->status >= 200 && head->status < 300) {
        buf_consume(&shake->in, len);
        return PROXY_SHAKE_DONE;
    }
    if (head->status >= 200 || head->status == 101) return refused(shake, head);
    buf_consume(&shake->in, len);
    return PROXY_SHAKE_MORE;
}

static enum proxy_shake_result read_one_head(struct proxy_shake *shake) {
    struct arena arena;
    struct response_head head;
    size_t len = 0;
    enum proxy_shake_result result = PROXY_SHAKE_MORE;
    arena_init(&arena, 4 * PROXY_ANSWER_MAX);
    switch (response_head_parse(buf_view(&shake->in), PROXY_ANSWER_MAX, &arena, &head, &len)) {
    case HEAD_INCOMPLETE: break;
    case HEAD_COMPLETE: result = on_head(shake, &head, len); break;
    case HEAD_TOO_LARGE: result = fail(shake, "answers more than 16 KiB"); break;
    case HEAD_MALFORMED: result = fail(shake, "does not speak HTTP"); break;
    }
    arena_done(&arena);
    return result;
}

/* The final head, behind any number of 1xx. */
static enum proxy_shake_result read_head(struct proxy_shake *shake) {
    enum proxy_shake_result result;
    size_t before;
    do {
        before = shake->in.len;
        result = read_one_head(shake);
    } while (result == PROXY_SHAKE_MORE && shake->in.len && shake->in.len < before);
    return result;
}

/* ---- SOCKS5 ---- */

static void say_methods(const struct proxy_shake *shake, struct buf *out) {
    static const char with_user[] = {SOCKS_VERSION, 2, SOCKS_NO_AUTH, SOCKS_USER};
    static const char without[] = {SOCKS_VERSION, 1, SOCKS_NO_AUTH};
    if (shake->proxy->has_user)
        buf_append(out, with_user, sizeof(with_user));
    else
        buf_append(out, without, sizeof(without));
}

static void append_text(struct buf *out, const char *text) {
    size_t len = strlen(text);
    buf_append_byte(out, (char)len);
    buf_append(out, text, len);
}

static void say_user(const struct proxy_shake *shake, struct buf *out) {
    buf_append_byte(out, 1);
    append_text(out, shake->proxy->user);
    append_text(out, shake->proxy->password);
}

static void say_where(const struct proxy_shake *shake, struct buf *out) {
    static const char connect[] = {SOCKS_VERSION, SOCKS_CONNECT, 0};
    unsigned char ip[16];
    buf_append(out, connect, sizeof(connect));
    if (uv_inet_pton(AF_INET, shake->host, ip) == 0) {
        buf_append_byte(out, SOCKS_IPV4);
        buf_append(out, ip, 4);
    } else if (uv_inet_pton(AF_INET6, shake->host, ip) == 0) {
        buf_append_byte(out, SOCKS_IPV6);
        buf_append(out, ip, 16);
    } else {
        buf_append_byte(out, SOCKS_NAME);
        append_text(out, shake->host);
    }
    buf_append_byte(out, (char)(shake->port >> 8));
    buf_append_byte(out, (char)(shake->port & 0xff));
}

/* What has come; absent bytes are 0. */
static unsigned byte_at(const struct proxy_shake *shake, size_t i) {
    struct view in = buf_view(&shake->in);
    return i < in.len ? (unsigned char)in.ptr[i] : 0;
}

static enum proxy_shake_result read_method(struct proxy_shake *shake, struct buf *out) {
    unsigned method = byte_at(shake, 1);
    if (byte_at(shake, 0) != SOCKS_VERSION) return fail(shake, "does not speak SOCKS5");
    if (shake->in.len < 2) return PROXY_SHAKE_MORE;
    buf_consume(&shake->in, 2);
    if (method == SOCKS_NO_AUTH) {
        shake->stage = PROXY_SHAKE_REPLY;
        say_where(shake, out);
    } else if (method == SOCKS_USER && shake->proxy->has_user) {
        shake->stage = PROXY_SHAKE_USER;
        say_user(shake, out);
    } else {
        return fail(shake, shake->proxy->has_user
                               ? "takes neither user and password nor nobody"
                               : "refuses: it wants a user (socks5://user:password@host:port)");
    }
    return PROXY_SHAKE_MORE;
}

static enum proxy_shake_result read_user(struct proxy_shake *shake, struct buf *out) {
    if (shake->in.len < 2) return PROXY_SHAKE_MORE;
    if (byte_at(shake, 1) != 0) return fail(shake, "refuses this user or password");
    buf_consume(&shake->in, 2);
    shake->stage = PROXY_SHAKE_REPLY;
    say_where(shake, out);
    return PROXY_SHAKE_MORE;
}

static const char *reply_text(unsigned reply) {
    static const char *const texts[] = {
        "cannot reach the gateway",
        "refuses: its rules do not allow the gateway",
        "cannot reach the gateway's network",
        "cannot reach the gateway's host, or does not know its name",
        "finds nothing that listens there (connection refused)",
        "did not reach the gateway in time",
        "does not know how to connect",
        "does not know this kind of address",
    };
    return reply >= 1 && reply <= 8 ? texts[reply - 1] : "refuses";
}

/* Version, reply, 0, and the address that it connected from, which nobody needs. */
static enum proxy_shake_result read_reply(struct proxy_shake *shake) {
    if (byte_at(shake, 0) != SOCKS_VERSION) return fail(shake, "does not speak SOCKS5");
    if (shake->in.len >= 2 && byte_at(shake, 1) != 0) return fail(shake, reply_text(byte_at(shake, 1)));
    if (shake->in.len < 5) return PROXY_SHAKE_MORE;
    unsigned kind = byte_at(shake, 3);
    if (kind != SOCKS_IPV4 && kind != SOCKS_IPV6 && kind != SOCKS_NAME)
        return fail(shake, "does not speak SOCKS5");
    size_t address = kind == SOCKS_IPV4 ? 4 : kind == SOCKS_IPV6 ? 16 : 1 + (size_t)byte_at(shake, 4);
    if (shake->in.len < 4 + address + 2) return PROXY_SHAKE_MORE;
    buf_consume(&shake->in, 4 + address + 2);
    return PROXY_SHAKE_DONE;
}

/* ---- both ---- */

bool proxy_shake_init(struct proxy_shake *shake, const struct proxy *proxy, const char *host, uint16_t port,
                      struct buf *out) {
    *shake = (struct proxy_shake){.proxy = proxy, .port = port};
    buf_init(&shake->in, 2 * PROXY_ANSWER_MAX + (size_t)64 * 1024);
    if (!view_copy_to(view_from_cstr(host), shake->host, sizeof(shake->host))) return false;
    shake->stage = proxy->kind == PROXY_HTTP ? PROXY_SHAKE_CONNECT : PROXY_SHAKE_METHOD;
    if (proxy->kind == PROXY_HTTP)
        say_connect(shake, out);
    else
        say_methods(shake, out);
    return !out->failed;
}

void proxy_shake_done(struct proxy_shake *shake) {
    buf_done(&shake->in);
}

static enum proxy_shake_result step(struct proxy_shake *shake, struct buf *out) {
    switch (shake->stage) {
    case PROXY_SHAKE_CONNECT: return read_head(shake);
    case PROXY_SHAKE_METHOD: return read_method(shake, out);
    case PROXY_SHAKE_USER: return read_user(shake, out);
    case PROXY_SHAKE_REPLY: return read_reply(shake);
    }
    return PROXY_SHAKE_FAILED;
}

enum proxy_shake_result proxy_shake_take(struct proxy_shake *shake, struct view bytes, struct buf *out,
                                         struct view *ret_rest) {
    enum proxy_shake_result result;
    enum proxy_shake_stage before;
    if (!buf_append_view(&shake->in, bytes)) return fail(shake, "answers too much");
    do {
        before = shake->stage;
        result = shake->in.len ? step(shake, out) : PROXY_SHAKE_MORE;
    } while (result == PROXY_SHAKE_MORE && shake->stage != before);
    if (out->failed) return fail(shake, "is not told: out of memory");
    *ret_rest = result == PROXY_SHAKE_DONE ? buf_view(&shake->in) : (struct view){0};
    return result;
}
