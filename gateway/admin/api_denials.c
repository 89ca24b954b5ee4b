/* Names and owners that are blocked, tokens that are revoked. */
#include <stdio.h>
#include <time.h>

#include "admin/api_state.h"
#include "http/host.h"
#include "protocol/json_text.h"

#define SECONDS_MAX 3155760000ull /* 100 years */

/* A parameter of the query, and what a key of the list begins with. */
struct word {
    const char *parameter, *prefix;
};
struct words {
    struct word of[2];
};

static const struct words blocks = {{{"name", "name:"}, {"owner", "owner:"}}};
static const struct words revocations = {{{"token", "token:"}, {"owner", "tokens:"}}};

/* ---- lists ---- */

static void put_time(struct buf *out, const char *name, uint64_t wall_ms) {
    char text[32];
    struct tm tm;
    time_t seconds = (time_t)(wall_ms / 1000);
    if (!gmtime_r(&seconds, &tm)) return;
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

static bool put_denial(struct buf *out, const struct words *words, const struct denial *denial,
                       bool is_first) {
    struct view key = view_from_cstr(denial->key);
    for (size_t i = 0; i < 2; i++) {
        struct view prefix = view_from_cstr(words->of[i].prefix);
        if (!view_starts_with(key, prefix)) continue;
        buf_printf(out, "%s{\"%s\":", is_first ? "" : ",", words->of[i].parameter);
        json_text_string(out, view_skip(key, prefix.len));
        put_time(out, "since", denial->since_ms);
        if (denial->until_ms) put_time(out, "until", denial->until_ms);
        buf_append_view(out, VIEW(",\"by\":"));
        json_text_string(out, view_from_cstr(denial->by));
        buf_append_view(out, VIEW(",\"reason\":"));
        json_text_string(out, view_from_cstr(denial->reason));
        buf_append_byte(out, '}');
        return true;
    }
    return false;
}

static enum MHD_Result list(const struct api_call *call, const char *name, const struct words *words) {
    const struct denial_list *denials = denial_keep_list(call->api->sources.denials);
    const struct list *node = denials->all.next;
    uint64_t after = 0, last = 0;
    size_t count = 0, limit = api_limit(call);
    struct buf out;
    view_parse_u64(admin_argument(call->connection, "cursor"), &after);
    buf_init(&out, WAITING_BYTES_MAX);
    buf_printf(&out, "{\"%s\":[", name);
    for (; node != &denials->all && count < limit; node = node->next) {
        const struct denial *denial = LIST_ENTRY(node, const struct denial, all);
        bool is_shown = denial->number > after && !denial_list_is_over(denials, denial, 0);
        if (!is_shown || !put_denial(&out, words, denial, count == 0)) continue;
        last = denial->number;
        count++;
    }
    buf_append_byte(&out, ']');
    if (node != &denials->all) buf_printf(&out, ",\"next\":\"%llu\"", (unsigned long long)last);
    buf_append_view(&out, VIEW("}\n"));
    enum MHD_Result result =
        out.failed ? MHD_NO : admin_answer(call->connection, MHD_HTTP_OK, API_JSON, buf_view(&out));
    buf_done(&out);
    return result;
}

enum MHD_Result api_list_blocks(struct api_call *call) {
    return list(call, "blocks", &blocks);
}

enum MHD_Result api_list_revocations(struct api_call *call) {
    return list(call, "revocations", &revocations);
}

/* ---- changes ---- */

/* One of the two parameters, as the key of an entry. */
static bool read_key(const struct api_call *call, const struct words *words, char out[DENIAL_KEY_MAX + 1]) {
    const struct word *said = NULL;
    struct view value = {0};
    for (size_t i = 0; i < 2; i++) {
        struct view text = admin_argument(call->connection, words->of[i].parameter);
        if (!text.ptr) continue;
        if (said) return false;
        said = &words->of[i];
        value = text;
    }
    if (!said || memchr(value.ptr, '\0', value.len)) return false;
    int len = snprintf(out, DENIAL_KEY_MAX + 1, "%s%.*s", said->prefix, VIEW_ARG(value));
    return len <= DENIAL_KEY_MAX && denial_key_valid(view_from_cstr(out));
}

/* Absent: for ever. */
static bool read_seconds(const struct api_call *call, uint64_t now_ms, uint64_t *ret_until_ms) {
    struct view text = admin_argument(call->connection, "seconds");
    uint64_t seconds;
    *ret_until_ms = 0;
    if (!text.ptr) return true;
    if (!view_parse_u64(text, &seconds) || !seconds || seconds > SECONDS_MAX) return false;
    *ret_until_ms = now_ms + seconds * 1000;
    return true;
}

static bool read_denial(const struct api_call *call, const struct words *words, struct denial *denial) {
    struct view reason = admin_argument(call->connection, "reason");
    *denial = (struct denial){.since_ms = loop_wall_ms(NULL)};
    snprintf(denial->by, sizeof(denial->by), "%.31s at %.63s", call->who,
             admin_client(call->connection)->text);
    return read_key(call, words, denial->key) && read_seconds(call, denial->since_ms, &denial->until_ms) &&
           view_copy_to(reason.ptr ? reason : VIEW(""), denial->reason, sizeof(denial->reason));
}

static void on_kept(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    struct waiting *waiting = target;
    if (status == STATUS_OK) {
        buf_append_view(&waiting->text, VIEW("{\"kept\":true}\n"));
        waiting_answer(waiting, MHD_HTTP_OK);
        return;
    }
    api_say_error(waiting, api_status(status),
                  status == STATUS_NOT_FOUND    ? "there is no such entry"
                  : status == STATUS_INVALID    ? "this makes no sense"
                  : status == STATUS_OVERLOADED ? "there are too many entries"
                                                : "it could not be kept; try again");
}

/* Nobody is ever called otherwise, so that such an entry would keep nobody out. NULL: it may. */
static const char *why_nobody(struct view key) {
    struct view kind;
    view_split(&key, ':', &kind);
    if (view_eq(kind, VIEW("name"))) return host_is_tunnel_label(key) ? NULL : "this is no tunnel's name";
    bool is_owner = view_eq(kind, VIEW("owner")) || view_eq(kind, VIEW("tokens"));
    bool is_good = !is_owner || view_starts_with(key, VIEW("sub:")) || view_starts_with(key, VIEW("anon:"));
    return is_good ? NULL : "this is no owner: they are sub:… or anon:…, as the list of tunnels shows them";
}

static enum MHD_Result refuse(const struct api_call *call, const char *why) {
    return api_refuse(call, MHD_HTTP_BAD_REQUEST, why);
}

static enum MHD_Result deny(struct api_call *call, const char *what, const struct words *words,
                            const char *why_not) {
    struct denial denial;
    if (!read_denial(call, words, &denial)) return refuse(call, why_not);
    const char *why = why_nobody(view_from_cstr(denial.key));
    if (why) return refuse(call, why);
    struct waiting *waiting = api_wait(call);
    if (!waiting) return MHD_NO;
    api_audit(call, what, view_from_cstr(denial.key));
    denial_keep_deny(call->api->sources.denials, &denial, on_kept, waiting);
    return MHD_YES;
}

static enum MHD_Result allow(struct api_call *call, const char *what, const struct words *words,
                             const char *why_not) {
    char key[DENIAL_KEY_MAX + 1];
    if (!read_key(call, words, key)) return refuse(call, why_not);
    struct waiting *waiting = api_wait(call);
    if (!waiting) return MHD_NO;
    api_audit(call, what, view_from_cstr(key));
    denial_keep_allow(call->api->sources.denials, view_from_cstr(key), on_kept, waiting);
    return MHD_YES;
}

static const char how_to_block[] =
    "one of ?name= and ?owner= is needed; reason= has at most 120 bytes, seconds= is a number";
static const char how_to_revoke[] =
    "one of ?token= and ?owner= is needed; reason= has at most 120 bytes, seconds= is a number";

enum MHD_Result api_block(struct api_call *call) {
    return deny(call, "block", &blocks, how_to_block);
}

enum MHD_Result api_unblock(struct api_call *call) {
    return allow(call, "unblock", &blocks, how_to_block);
}

enum MHD_Result api_revoke(struct api_call *call) {
    return deny(call, "revoke", &revocations, how_to_revoke);
}

enum MHD_Result api_unrevoke(struct api_call *call) {
    return allow(call, "unrevoke", &revocations, how_to_revoke);
}
