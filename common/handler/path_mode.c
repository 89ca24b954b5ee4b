/* See path_mode.h. What is done to a body is decided by its type, as the service labels it. */
#include "handler/path_mode.h"

#include "handler/core_state.h"
#include "handler/stray.h"
#include "handler/urls.h"
#include "rewrite/encoder.h"
#include "rewrite/fields.h"
#include "rewrite/html.h"
#include "rewrite/text.h"

/* A value may grow by a prefix a URL. */
#define VALUE_MAX ((size_t)256 * 1024)
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* ---- fields ---- */

static enum field_fate fate_of(const struct exchange *exchange, const struct header *field, bool allow_script,
                               bool is_answer, struct buf *out) {
    return is_answer ? field_of_answer(exchange->site, field->name, field->value, allow_script, out)
                     : field_of_request(exchange->site, field->name, field->value, out);
}

/* What is to be dropped loses its value, and goes later. */
static bool map_field(const struct exchange *exchange, struct headers *headers, struct header *field,
                      bool allow_script, bool is_answer) {
    struct buf out;
    buf_init(&out, VALUE_MAX);
    enum field_fate fate = fate_of(exchange, field, allow_script, is_answer, &out);
    struct view value = field->value;
    if (fate == FIELD_CHANGED) value = arena_copy(headers->arena, buf_view(&out));
    if (fate == FIELD_DROPPED) value = (struct view){NULL, 0};
    buf_done(&out);
    if (fate == FIELD_FAILED || (fate == FIELD_CHANGED && !value.ptr)) return false;
    headers->bytes = headers->bytes - field->value.len + value.len;
    field->value = value;
    return true;
}

static bool has_no_value(void *ctx, const struct header *field) {
    (void)ctx;
    return field->value.ptr == NULL;
}

static bool map_fields(const struct exchange *exchange, struct headers *headers, bool allow_script,
                       bool is_answer) {
    for (size_t i = 0; i < headers->count; i++)
        if (!map_field(exchange, headers, &headers->fields[i], allow_script, is_answer)) return false;
    headers_remove_if(headers, has_no_value, NULL);
    return true;
}

bool path_mode_fields(struct exchange *exchange, struct headers *headers, bool allow_script) {
    return map_fields(exchange, headers, allow_script, true);
}

/* ---- requests ---- */

static struct rewrite_site *site_of(struct exchange *exchange) {
    struct arena *arena = &exchange->arena;
    struct rewrite_site *site = arena_calloc(arena, sizeof(*site));
    if (!site) return NULL;
    site->tunnel_id = exchange->route.tunnel_id;
    site->prefix = arena_printf(arena, "%.*s%.*s", VIEW_ARG(urls_base(&exchange->core->settings)),
                                VIEW_ARG(exchange->route.prefix));
    site->scheme = headers_get(&exchange->headers, VIEW("x-forwarded-proto"));
    site->host = exchange->verdict.host_field;
    site->cookie_path = stray_cookie_path(exchange);
    return site->prefix.ptr ? site : NULL;
}

bool path_mode_request(struct exchange *exchange) {
    if (exchange->route.mode != ROUTE_PATH) return true;
    exchange->site = site_of(exchange);
    exchange->tells_cookie = stray_is_to_be_remembered(exchange);
    return exchange->site && map_fields(exchange, &exchange->headers, false, false);
}

/* ---- what a body is ---- */

enum body { BODY_OTHER, BODY_PAGE, BODY_MARKUP, BODY_TEXT };

struct body_type {
    struct view type;
    enum body body;
    enum text_language language; /* BODY_TEXT */
};

#define TYPE(name) .type = {name, sizeof(name) - 1}

/* A page's script would not be XML, so none is put into what is. */
static const struct body_type types[] = {
    {TYPE("text/html"), .body = BODY_PAGE},
    {TYPE("application/xhtml+xml"), .body = BODY_MARKUP},
    {TYPE("image/svg+xml"), .body = BODY_MARKUP},
    {TYPE("text/css"), .body = BODY_TEXT, .language = TEXT_CSS},
    {TYPE("text/javascript"), .body = BODY_TEXT, .language = TEXT_JS},
    {TYPE("application/javascript"), .body = BODY_TEXT, .language = TEXT_JS},
    {TYPE("application/x-javascript"), .body = BODY_TEXT, .language = TEXT_JS},
    {TYPE("text/ecmascript"), .body = BODY_TEXT, .language = TEXT_JS},
    {TYPE("application/ecmascript"), .body = BODY_TEXT, .language = TEXT_JS},
    {TYPE("application/manifest+json"), .body = BODY_TEXT, .language = TEXT_MANIFEST},
    {TYPE("application/importmap+json"), .body = BODY_TEXT, .language = TEXT_JSON_URLS},
    {TYPE("application/speculationrules+json"), .body = BODY_TEXT, .language = TEXT_JSON_URLS},
    {TYPE("application/json"), .body = BODY_TEXT, .language = TEXT_JSON},
    {TYPE("application/xml"), .body = BODY_TEXT, .language = TEXT_XML},
    {TYPE("text/xml"), .body = BODY_TEXT, .language = TEXT_XML},
};

static struct view media_type(const struct headers *headers) {
    struct view value = headers_get(headers, VIEW("content-type"));
    return view_trim(view_slice(value, 0, view_find(value, ';')));
}

static bool ends_nocase(struct view v, struct view end) {
    return v.len >= end.len && view_eq_nocase(view_skip(v, v.len - end.len), end);
}

static struct body_type type_of(const struct headers *headers) {
    struct view type = media_type(headers);
    for (size_t i = 0; i < COUNT(types); i++)
        if (view_eq_nocase(type, types[i].type)) return types[i];
    if (ends_nocase(type, VIEW("+json"))) return (struct body_type){.body = BODY_TEXT, .language = TEXT_JSON};
    if (ends_nocase(type, VIEW("+xml"))) return (struct body_type){.body = BODY_TEXT, .language = TEXT_XML};
    return (struct body_type){.body = BODY_OTHER};
}

/* The value of `charset`, without its quotes. */
static struct view charset_of(const struct headers *headers) {
    struct view rest = headers_get(headers, VIEW("content-type")), parameter, name = VIEW("charset=");
    while (view_split(&rest, ';', &parameter)) {
        parameter = view_trim(parameter);
        if (!view_eq_nocase(view_slice(parameter, 0, name.len), name)) continue;
        parameter = view_skip(parameter, name.len);
        bool quoted = parameter.len && parameter.ptr[0] == '"';
        return quoted ? view_slice(parameter, 1, 1 + view_find(view_skip(parameter, 1), '"')) : parameter;
    }
    return (struct view){NULL, 0};
}

/* Do the bytes of ASCII stand for themselves in it, and for nothing else? */
static bool is_ascii_compatible(struct view charset) {
    static const struct view others[] = {{"utf-16", 6},    {"utf16", 5}, {"utf-32", 6},    {"utf32", 5},
                                         {"utf-7", 5},     {"ucs-", 4},  {"iso-10646", 9}, {"unicode", 7},
                                         {"iso-2022-", 9}, {"hz-", 3},   {"ibm", 3},       {"ebcdic", 6}};
    for (size_t i = 0; i < COUNT(others); i++)
        if (view_eq_nocase(view_slice(charset, 0, others[i].len), others[i])) return false;
    return true;
}

static bool may_be_rewritten(const struct exchange *exchange, const struct answer_head *head) {
    bool is_head = view_eq(exchange->method, VIEW("HEAD")) && http_answer_has_body(VIEW("GET"), head->status);
    struct view wish = headers_get(head->headers, VIEW("x-tunnel-rewrite"));
    enum coding coding;
    return (head->has_body || is_head) && head->status != 206 && !view_eq_nocase(wish, VIEW("off")) &&
           is_ascii_compatible(charset_of(head->headers)) &&
           headers_count(head->headers, VIEW("content-encoding")) < 2 &&
           coding_parse(headers_get(head->headers, VIEW("content-encoding")), &coding);
}

/* Descriptions of APIs stand under few names, and what they are may be said behind what is to be changed. */
static bool is_api_description(struct view target) {
    static const struct view names[] = {{"swagger", 7}, {"openapi", 7}, {"api-docs", 8}, {"api_docs", 8}};
    struct view path = view_slice(target, 0, view_find(target, '?'));
    for (size_t i = 0; i < COUNT(names); i++)
        if (memmem(path.ptr, path.len, names[i].ptr, names[i].len)) return true;
    return false;
}

static enum text_language json_of(const struct exchange *exchange, const struct headers *headers) {
    if (view_eq_nocase(headers_get(headers, VIEW("x-tunnel-rewrite")), VIEW("json"))) return TEXT_JSON_ASKED;
    return is_api_description(exchange->route.target) ? TEXT_JSON_API : TEXT_JSON;
}

static struct body_type body_of(const struct exchange *exchange, const struct answer_head *head) {
    struct body_type type = {.body = BODY_OTHER};
    if (may_be_rewritten(exchange, head)) type = type_of(head->headers);
    bool is_json = type.body == BODY_TEXT && type.language == TEXT_JSON;
    if (is_json) type.language = json_of(exchange, head->headers);
    return type;
}

/* What a script asks for is a part of a page, or none at all. Browsers say which it is, to secure origins. */
static bool is_page(const struct exchange *exchange) {
    static const struct view pages[] = {
        {"document", 8}, {"iframe", 6}, {"frame", 5}, {"embed", 5}, {"object", 6}};
    const struct headers *headers = &exchange->headers;
    struct view dest = headers_get(headers, VIEW("sec-fetch-dest"));
    for (size_t i = 0; i < COUNT(pages); i++)
        if (view_eq(dest, pages[i])) return true;
    return !dest.ptr && !headers_get(headers, VIEW("x-requested-with")).ptr;
}

/* ---- the head ---- */

bool path_mode_is_of_bytes(const struct header *field) {
    static const struct view names[] = {{"content-md5", 11},
                                        {"digest", 6},
                                        {"repr-digest", 11},
                                        {"content-digest", 14},
                                        {"accept-ranges", 13}};
    for (size_t i = 0; i < COUNT(names); i++)
        if (view_eq(field->name, names[i])) return true;
    return false;
}

static bool is_of_bytes(void *ctx, const struct header *field) {
    (void)ctx;
    return path_mode_is_of_bytes(field);
}

/* The coding that the body comes in, and the one that it leaves in. */
struct codings {
    enum coding from, to;
};

static struct codings codings_of(const struct exchange *exchange, const struct headers *headers) {
    struct codings codings = {CODING_IDENTITY, CODING_IDENTITY};
    coding_parse(headers_get(headers, VIEW("content-encoding")), &codings.from);
    codings.to = coding_choose(headers_get(&exchange->headers, VIEW("accept-encoding")), codings.from,
                               coding_memory_is_short(&exchange->share.tunnel->coding_memory));
    return codings;
}

/* `all` begins with `by`. */
static bool vary_by(struct headers *headers, struct view by, struct view all) {
    struct view vary = VIEW("vary");
    return headers_has_token(headers, vary, by) || headers_has_token(headers, vary, VIEW("*")) ||
           headers_add(headers, vary, all);
}

/* The coding was chosen by the visitor's wishes, now if not before. */
static bool change_coding(struct headers *headers, const struct codings *codings) {
    struct view encoding = VIEW("content-encoding");
    if (codings->from == CODING_IDENTITY) return true;
    if (codings->to == CODING_IDENTITY)
        headers_remove(headers, encoding);
    else if (!headers_set(headers, encoding, coding_name(codings->to)))
        return false;
    return vary_by(headers, VIEW("accept-encoding"), VIEW("accept-encoding"));
}

/* What a script has asked for, and a browser keeps, is no page when it is opened: it lacks the script
 * (is_page()). */
static bool tell_what_decides(struct headers *headers, enum body body) {
    return body != BODY_PAGE ||
           vary_by(headers, VIEW("sec-fetch-dest"), VIEW("sec-fetch-dest, x-requested-with"));
}

/* What it says of the bytes holds no more; of what they mean it still does (RFC 9110 8.8.1). */
static bool change_head(struct exchange *exchange, struct answer_head *head, struct headers *headers) {
    struct view tag = headers_get(headers, VIEW("etag"));
    headers_remove_if(headers, is_of_bytes, NULL);
    head->content_length = LENGTH_UNKNOWN;
    if (tag.len && tag.ptr[0] == '"') {
        tag = arena_printf(&exchange->arena, "W/%.*s", VIEW_ARG(tag));
        if (!tag.ptr || !headers_set(headers, VIEW("etag"), tag)) return false;
    }
    return headers_set(headers, VIEW("x-tunnel-rewrite-applied"), VIEW("true"));
}

/* ---- the chain ---- */

static struct filter *rewriter_new(const struct exchange *exchange, const struct body_type *type,
                                   bool with_script) {
    return type->body == BODY_TEXT ? text_filter_new(type->language, exchange->site, NULL, NULL)
                                   : html_filter_new(exchange->site, with_script, NULL, NULL);
}

static bool append(struct chain *chain, struct filter *filter) {
    if (filter) chain_append(chain, filter);
    return filter != NULL;
}

/* NULL without memory. */
static struct chain *decoding_chain(enum coding coding, struct coding_memory *memory) {
    if (coding == CODING_IDENTITY) return chain_new(NULL);
    struct decoder *decoder = decoder_new(coding, memory);
    return decoder ? chain_new(decoder) : NULL;
}

static struct chain *chain_of(const struct exchange *exchange, const struct body_type *type, bool with_script,
                              const struct codings *codings) {
    struct coding_memory *memory = &exchange->share.tunnel->coding_memory;
    struct chain *chain = decoding_chain(codings->from, memory);
    bool ok = chain && append(chain, rewriter_new(exchange, type, with_script));
    if (ok && codings->to != CODING_IDENTITY)
        ok = append(chain, encoder_filter_new(codings->to, memory, NULL, NULL));
    if (ok) return chain;
    chain_free(chain);
    return NULL;
}

/* The last word of the list counts, where browsers know it. */
static struct view referrer_policy(const struct headers *headers) {
    struct view rest = headers_get(headers, VIEW("referrer-policy")), word, last = {NULL, 0};
    while (view_split(&rest, ',', &word)) last = view_trim(word);
    for (size_t i = 0; i < last.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz-", last.ptr[i]) || !last.ptr[i])
            return (struct view){NULL, 0};
    return last;
}

/* The script changes the page's policy for a moment, and must know what it was. Copied: the page outlasts its
 * head. */
static void tell_policy(struct exchange *exchange, const struct headers *headers) {
    exchange->site->referrer_policy = arena_copy(&exchange->arena, referrer_policy(headers));
}

bool path_mode_answer(struct exchange *exchange, struct answer_head *head, struct headers *headers,
                      struct chain **ret_chain) {
    struct body_type type = body_of(exchange, head);
    struct codings codings = codings_of(exchange, headers);
    bool with_script = type.body == BODY_PAGE && is_page(exchange);
    *ret_chain = NULL;
    if (!map_fields(exchange, headers, with_script, true) || !stray_answer(exchange, headers)) return false;
    if (type.body == BODY_OTHER) return true;
    if (!change_head(exchange, head, headers) || !change_coding(headers, &codings)) return false;
    if (!tell_what_decides(headers, type.body)) return false;
    if (with_script) tell_policy(exchange, headers);
    if (head->has_body) *ret_chain = chain_of(exchange, &type, with_script, &codings);
    return !head->has_body || *ret_chain;
}
