/* See https_ask.h. */
#include "oidc/https_ask.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/chars.h"
#include "local/local_answer.h"
#include "net/wire.h"

#define WHOLE_MS 15000
#define HEAD_MAX ((size_t)32 * 1024)

struct target {
    char host[256], port[6], authority[264];
    struct view path; /* with the query */
};

struct asking {
    struct loop loop;
    struct timer limit;
    struct wire *wire;
    struct local_answer answer;
    struct buf request, *body;
    int status;
    bool is_over, may_try_next;
    char *error;
    size_t error_size;
};

/* ---- the URL ---- */

static bool split(struct view url, struct target *ret_target) {
    if (!view_starts_with(url, VIEW("https://")) || url.len > HTTPS_URL_MAX || !http_is_visible(url))
        return false;
    struct view rest = view_skip(url, VIEW("https://").len);
    size_t end = 0, colon;
    while (end < rest.len && !strchr("/?#", rest.ptr[end])) end++;
    struct view authority = view_slice(rest, 0, end), port = VIEW("443");
    ret_target->path = view_skip(rest, end);
    struct view host = authority;
    bool is_v6 = view_starts_with(authority, VIEW("["));
    if (is_v6) host = view_slice(authority, 1, view_find(authority, ']'));
    struct view behind = is_v6 ? view_skip(authority, host.len + 2) : authority;
    colon = view_find(behind, ':');
    if (!is_v6) host = view_slice(authority, 0, colon);
    if (colon < behind.len) port = view_skip(behind, colon + 1);
    uint64_t number;
    return host.len && view_find(authority, '@') == authority.len && view_find(url, '#') == url.len &&
           view_parse_u64(port, &number) && number > 0 && number <= 65535 &&
           view_copy_to(host, ret_target->host, sizeof(ret_target->host)) &&
           view_copy_to(port, ret_target->port, sizeof(ret_target->port)) &&
           view_copy_to(authority, ret_target->authority, sizeof(ret_target->authority));
}

bool https_url_is_sane(struct view url) {
    struct target target;
    return split(url, &target);
}

/* ---- the connection ---- */

static void over(struct asking *asking, int status, const char *error) {
    if (asking->is_over) return;
    asking->is_over = true;
    asking->status = status;
    if (error) snprintf(asking->error, asking->error_size, "%s", error);
    loop_quit(&asking->loop);
}

static void on_limit(struct timer *timer) {
    over(LIST_ENTRY(timer, struct asking, limit), 0, "it takes longer than 15 s");
}

static void on_connected(void *ctx) {
    (void)ctx;
}

static void on_up(void *ctx) {
    struct asking *asking = ctx;
    asking->may_try_next = false;
    wire_write(asking->wire, buf_view(&asking->request));
}

static void on_drained(void *ctx) {
    (void)ctx;
}

/* True: there is more to take. */
static bool take_step(struct asking *asking, enum answer_step step, struct view data) {
    switch (step) {
    case ANSWER_MORE: return false;
    case ANSWER_DATA:
        if (buf_append_view(asking->body, data)) return true;
        over(asking, 0, "its answer is larger than 64 KiB");
        return false;
    case ANSWER_END: over(asking, asking->answer.head.status, NULL); return false;
    case ANSWER_BAD:
    case ANSWER_SWITCHED: over(asking, 0, "its answer is malformed"); return false;
    case ANSWER_INTERIM:
    case ANSWER_HEAD: return true;
    }
    return false;
}

static void on_bytes(void *ctx, struct view bytes) {
    struct asking *asking = ctx;
    struct view data;
    while (!asking->is_over && take_step(asking, local_answer_next(&asking->answer, &bytes, &data), data))
        continue;
}

static const char *reason_of(const struct wire_end *end) {
    if (end->reason) return end->reason;
    return end->error ? uv_strerror(end->error) : "its answer ends too soon";
}

static void on_end(void *ctx, const struct wire_end *end) {
    struct asking *asking = ctx;
    if (end->failure == WIRE_CUT && !end->error && local_answer_eof(&asking->answer) == ANSWER_END)
        over(asking, asking->answer.head.status, NULL);
    asking->may_try_next = end->failure == WIRE_UNREACHABLE;
    over(asking, 0, reason_of(end));
}

static void try_address(struct asking *asking, const struct sockaddr *address, struct wire_tls *tls) {
    static const struct wire_events events = {.on_connected = on_connected,
                                              .on_up = on_up,
                                              .on_bytes = on_bytes,
                                              .on_drained = on_drained,
                                              .on_end = on_end};
    asking->is_over = false;
    asking->wire = wire_open(&asking->loop, address, NULL, tls, &events, asking);
    if (asking->wire)
        loop_run(&asking->loop);
    else
        over(asking, 0, "out of memory");
    wire_free(asking->wire);
}

static void try_all(struct asking *asking, const struct target *target, struct wire_tls *tls) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(target->host, target->port, &hints, &list);
    if (failed) over(asking, 0, gai_strerror(failed));
    asking->may_try_next = !failed;
    timer_start(&asking->loop.timers, &asking->limit, WHOLE_MS);
    for (const struct addrinfo *at = list; at && asking->may_try_next && timer_armed(&asking->limit);
         at = at->ai_next)
        try_address(asking, at->ai_addr, tls);
    timer_stop(&asking->loop.timers, &asking->limit);
    if (list) freeaddrinfo(list);
}

static void print_request(struct buf *out, const struct target *target, struct view form) {
    const char *slash = target->path.len && target->path.ptr[0] == '/' ? "" : "/";
    buf_printf(out, "%s %s%.*s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\nConnection: close\r\n",
               form.ptr ? "POST" : "GET", slash, VIEW_ARG(target->path), target->authority);
    if (form.ptr)
        buf_printf(out, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n",
                   form.len);
    buf_printf(out, "\r\n");
    if (form.ptr) buf_append_view(out, form);
}

int https_ask(const char *url, struct view form, const char *ca_file, struct buf *body, char *error,
              size_t error_size) {
    struct asking asking = {.body = body, .error = error, .error_size = error_size};
    const struct wire_trust trust = {.ca_file = ca_file};
    struct target target;
    snprintf(error, error_size, "it is no https URL");
    if (!split(view_from_cstr(url), &target)) return 0;
    struct wire_tls *tls = wire_tls_new(target.host, &trust, error, error_size);
    if (!tls || !loop_init(&asking.loop)) {
        wire_tls_free(tls);
        return 0;
    }
    timer_init(&asking.limit, on_limit);
    buf_init(&asking.request, HTTPS_ANSWER_MAX);
    print_request(&asking.request, &target, form);
    local_answer_init(&asking.answer, HEAD_MAX);
    local_answer_begin(&asking.answer, &(struct answer_to){.is_head = false});
    try_all(&asking, &target, tls);
    local_answer_done(&asking.answer);
    buf_done(&asking.request);
    loop_done(&asking.loop);
    wire_tls_free(tls);
    return asking.status;
}
