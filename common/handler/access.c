/* See access.h. */
#include "handler/access.h"

#include "base/log.h"
#include "handler/core.h"

enum { TARGET_SHOWN = 300, TARGET_TEXT_MAX = 512 };

void access_begin(struct access *access, uint64_t now_ms) {
    *access = (struct access){.begin_ms = now_ms};
}

void access_head(struct access *access, const struct exchange *exchange, const struct answer_head *head,
                 struct arena *arena, uint64_t now_ms) {
    access->status = head->status;
    access->error = head->error;
    access->head_ms = now_ms;
    if (!exchange) return;
    struct exchange_facts facts = exchange_facts(exchange);
    if (facts.tunnel.len) access->tunnel = arena_copy(arena, facts.tunnel);
    if (facts.request_id.len) access->request_id = arena_copy(arena, facts.request_id);
    access->sent_again = facts.sent_again;
}

static struct view or_dash(struct view text) {
    return text.len ? text : VIEW("-");
}

/* Of another gateway's request that one writes the line. */
static void write_line(const struct access *access) {
    static const char *const how[] = {"", " cut", " aborted"};
    enum log_level level = access->from_peer ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    if (!log_enabled(level)) return;
    struct buf target;
    buf_init(&target, TARGET_TEXT_MAX);
    log_redact_target(&target, view_slice(access->target, 0, TARGET_SHOWN));
    struct view code = access->error ? http_error_code(access->error) : VIEW("-");
    log_each(level, LOG_ACCESS, "%.*s %.*s %.*s %d %llums %lluB tunnel=%.*s error=%.*s%s",
             VIEW_ARG(or_dash(access->client)), VIEW_ARG(access->method), VIEW_ARG(buf_view(&target)),
             access->status, (unsigned long long)(access->end_ms - access->begin_ms),
             (unsigned long long)access->bytes_out, VIEW_ARG(or_dash(access->tunnel)), VIEW_ARG(code),
             how[access->fate]);
    buf_done(&target);
}

void access_end(struct access *access, bool is_whole, uint64_t now_ms) {
    access->end_ms = now_ms;
    access->fate = is_whole ? ACCESS_WHOLE : access->status ? ACCESS_CUT : ACCESS_ABORTED;
    write_line(access);
}
