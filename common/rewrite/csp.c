/* Policies are read by views into them; directives that come twice are treated alike, since only the first
 * counts. */
#include "rewrite/csp.h"

#include "rewrite/page_script.h"
#include "rewrite/url_list.h"

#define SPACES " \t\n\r\f"

static bool is_space(char byte) {
    return byte != '\0' && strchr(SPACES, byte) != NULL;
}

/* The next word of *rest, which loses it and what is before it; `ret_gap` is that. */
static bool next_word(struct view *rest, struct view *ret_gap, struct view *ret_word) {
    size_t from = 0;
    while (from < rest->len && is_space(rest->ptr[from])) from++;
    size_t to = from;
    while (to < rest->len && !is_space(rest->ptr[to])) to++;
    *ret_gap = view_slice(*rest, 0, from);
    *ret_word = view_slice(*rest, from, to);
    *rest = view_skip(*rest, to);
    return to > from;
}

/* What a source list says of inline scripts. */
struct sources {
    bool exists, has_unsafe_inline, has_exact; /* a nonce, a hash or 'strict-dynamic' */
    struct view list;
};

static void look_at_sources(struct sources *sources, struct view list) {
    struct view gap, word;
    if (sources->exists) return;
    *sources = (struct sources){.exists = true, .list = list};
    while (next_word(&list, &gap, &word)) {
        if (view_eq_nocase(word, VIEW("'unsafe-inline'"))) sources->has_unsafe_inline = true;
        if (view_eq_nocase(view_slice(word, 0, 7), VIEW("'nonce-")) ||
            view_eq_nocase(view_slice(word, 0, 4), VIEW("'sha")) ||
            view_eq_nocase(word, VIEW("'strict-dynamic'")))
            sources->has_exact = true;
    }
}

static bool forbids_inline(const struct sources *sources) {
    return sources->exists && (!sources->has_unsafe_inline || sources->has_exact);
}

static size_t find_scheme_end(struct view word) {
    size_t colon = view_find(word, ':');
    return view_eq(view_slice(word, colon, colon + 3), VIEW("://")) ? colon : 0;
}

/* [scheme "://"] host [":" port] [path] */
static void rewrite_source(const struct rewrite_site *site, struct view word, const struct edit_sink *sink) {
    size_t scheme_end = find_scheme_end(word), from = scheme_end ? scheme_end + 3 : 0;
    size_t path = from + view_find(view_skip(word, from), '/');
    struct view authority = view_slice(word, from, path);
    struct view scheme = scheme_end ? view_slice(word, 0, scheme_end) : site->scheme;
    bool service = url_is_service(site, scheme_end ? scheme : VIEW("http"), authority);
    if (!service && !url_is_host(site, scheme, authority)) {
        edit_to(sink, EDIT_COPY, word);
        return;
    }
    if (service) {
        bool socket = scheme_end && (scheme.ptr[0] | 0x20) == 'w';
        struct url_edit edit = {.drop = path,
                                .put = {socket ? VIEW("ws") : VIEW("http"), VIEW("://"), site->host}};
        if (view_eq(site->scheme, VIEW("https"))) edit.put[1] = VIEW("s://");
        if (!scheme_end) edit.put[0] = edit.put[1] = (struct view){NULL, 0};
        url_apply(&edit, view_slice(word, 0, path), sink);
    } else {
        edit_to(sink, EDIT_COPY, view_slice(word, 0, path));
    }
    url_rewrite(site, view_skip(word, path), sink);
}

/* What a list of sources gets besides its own. */
enum extra { EXTRA_NONE, EXTRA_SCRIPT, EXTRA_BASE };

/* The page's script, or the <base> that it sets for a moment: of the page's scheme, whatever that is. */
static void put_extra(const struct rewrite_site *site, enum extra extra, const struct edit_sink *sink) {
    char room[PAGE_SCRIPT_SOURCE_SIZE];
    const struct view base[] = {site->host, site->prefix, VIEW("/")};
    edit_to(sink, EDIT_PUT, VIEW(" "));
    if (extra == EXTRA_SCRIPT) edit_to(sink, EDIT_PUT, page_script_source(room));
    for (size_t i = 0; extra == EXTRA_BASE && i < sizeof(base) / sizeof(base[0]); i++)
        edit_to(sink, EDIT_PUT, base[i]);
}

static void rewrite_list(const struct rewrite_site *site, struct view list, enum extra extra,
                         const struct edit_sink *sink) {
    struct view gap, word;
    while (next_word(&list, &gap, &word)) {
        edit_to(sink, EDIT_COPY, gap);
        if (extra != EXTRA_NONE && view_eq_nocase(word, VIEW("'none'")))
            edit_to(sink, EDIT_DROP, word);
        else
            rewrite_source(site, word, sink);
    }
    if (extra != EXTRA_NONE) put_extra(site, extra, sink);
    edit_to(sink, EDIT_COPY, gap);
}

static bool is_script_directive(struct view name) {
    return view_eq_nocase(name, VIEW("script-src")) || view_eq_nocase(name, VIEW("script-src-elem"));
}

static void rewrite_directive(const struct rewrite_site *site, struct view directive, bool allow_script,
                              const struct edit_sink *sink) {
    struct view gap, name;
    struct sources sources = {0};
    next_word(&directive, &gap, &name);
    edit_to(sink, EDIT_COPY, gap);
    edit_to(sink, EDIT_COPY, name);
    if (view_eq_nocase(name, VIEW("report-uri"))) {
        url_list_spaced(site, directive, sink);
        return;
    }
    enum extra extra = EXTRA_NONE;
    if (is_script_directive(name)) look_at_sources(&sources, directive);
    if (allow_script && forbids_inline(&sources)) extra = EXTRA_SCRIPT;
    if (allow_script && view_eq_nocase(name, VIEW("base-uri"))) extra = EXTRA_BASE;
    rewrite_list(site, directive, extra, sink);
}

static void put_copied(void *ctx, enum edit edit, struct view bytes) {
    if (edit != EDIT_DROP) edit_to(ctx, EDIT_PUT, bytes);
}

/* Without a directive for scripts `default-src` is theirs, and stays that of all else. */
static void add_directive(const struct rewrite_site *site, const struct sources *fallback,
                          const struct edit_sink *sink) {
    struct edit_sink to = *sink, copy = {put_copied, &to};
    edit_to(sink, EDIT_PUT, VIEW("; script-src"));
    rewrite_list(site, fallback->list, EXTRA_SCRIPT, &copy);
}

static void rewrite_policy(const struct rewrite_site *site, struct view policy, bool allow_script,
                           const struct edit_sink *sink) {
    struct sources fallback = {0};
    struct view rest = policy, directive, gap, name;
    bool has_script = false, first = true;
    while (view_split(&rest, ';', &directive)) {
        if (!first) edit_to(sink, EDIT_COPY, VIEW(";"));
        first = false;
        rewrite_directive(site, directive, allow_script, sink);
        next_word(&directive, &gap, &name);
        has_script = has_script || is_script_directive(name);
        if (view_eq_nocase(name, VIEW("default-src"))) look_at_sources(&fallback, directive);
    }
    if (allow_script && !has_script && forbids_inline(&fallback)) add_directive(site, &fallback, sink);
}

void csp_rewrite(const struct rewrite_site *site, struct view policies, bool allow_script,
                 const struct edit_sink *sink) {
    struct view policy;
    bool first = true;
    if (site->prefix.len == 0) {
        edit_to(sink, EDIT_COPY, policies);
        return;
    }
    while (view_split(&policies, ',', &policy)) {
        if (!first) edit_to(sink, EDIT_COPY, VIEW(","));
        first = false;
        rewrite_policy(site, policy, allow_script, sink);
    }
}
