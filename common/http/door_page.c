/* See door_page.h. */
#include "http/door_page.h"

#include "base/buf.h"

#define PAGE_MAX ((size_t)64 * 1024)

/* Its own form may be sent, and what answers it may lead on within the site. */
#define CSP                                                                                                  \
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors "   \
    "'none'"

static const char head[] = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                           "<meta name=\"color-scheme\" content=\"light dark\"><title>";

static const char style[] =
    "</title>\n<style>:root{color-scheme:light dark}*{box-sizing:border-box}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto;padding:0 1rem;"
    "background:#fff;color:#1b1b1b;overflow-wrap:anywhere}h1{font-size:1.5rem;line-height:1.25}"
    "label{display:block;font-weight:600}"
    "input,button{font:inherit;width:100%;padding:.6rem .75rem;margin:.35rem 0 1rem;border-radius:.4rem}"
    "input{border:1px solid #767676;background:#fff;color:inherit}"
    "button{border:0;background:#0b57d0;color:#fff;font-weight:600;cursor:pointer}"
    "input:focus-visible,button:focus-visible{outline:3px solid #7aa7f0;outline-offset:2px}"
    ".wrong{color:#a50e0e;font-weight:600}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#e3e3e3}input{background:#1e1e1e;"
    "border-color:#8e8e8e}button{background:#a8c7fa;color:#062e6f}.wrong{color:#f2b8b5}}"
    "</style></head>\n<body><main>";

static void put_escaped(struct buf *out, struct view text) {
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (strchr("&<>\"'", byte) && byte)
            buf_printf(out, "&#%d;", byte);
        else
            buf_append_byte(out, byte);
    }
}

static void put_title(struct buf *out, const char *title) {
    buf_printf(out, "%s%s%s<h1>%s</h1>\n", head, title, style, title);
}

static void put_form_begin(struct buf *out, const struct door_page *page) {
    buf_append_view(out, VIEW("<form method=\"post\" action=\""));
    put_escaped(out, page->action);
    buf_append_view(out, VIEW("\"><input type=\"hidden\" name=\"to\" value=\""));
    put_escaped(out, page->to);
    buf_append_view(out, VIEW("\">\n"));
}

static void put_password(struct buf *out, const struct door_page *page) {
    bool is_wrong = page->door == DOOR_WRONG_PASSWORD;
    put_title(out, "This page needs a password");
    buf_append_view(out, VIEW("<p>Whoever gave you its address can tell you the password.</p>\n"));
    if (is_wrong)
        buf_append_view(out, VIEW("<p class=\"wrong\" id=\"wrong\" role=\"alert\">That was not the password. "
                                  "Try again.</p>\n"));
    put_form_begin(out, page);
    buf_append_view(out,
                    VIEW("<label for=\"password\">Password</label>\n<input id=\"password\" "
                         "name=\"password\" type=\"password\" autocomplete=\"current-password\" required "
                         "autofocus"));
    if (is_wrong) buf_append_view(out, VIEW(" aria-invalid=\"true\" aria-describedby=\"wrong\""));
    buf_append_view(out, VIEW(">\n<button>Open the page</button></form></main></body></html>\n"));
}

static void put_first_visit(struct buf *out, const struct door_page *page) {
    put_title(out, "You are about to visit somebody's computer");
    buf_append_view(out, VIEW("<p><strong>"));
    put_escaped(out, page->host);
    buf_append_view(out,
                    VIEW("</strong> is a tunnel: its pages come from a computer of whoever sent you this "
                         "address, and we do not know who that is.</p>\n<p>Go on if you trust that person. "
                         "Enter no password, and no number of a card, that you use elsewhere.</p>\n"));
    put_form_begin(out, page);
    buf_append_view(out, VIEW("<button>Go to the page</button></form></main></body></html>\n"));
}

static bool add_headers(struct headers *headers, struct arena *arena) {
    headers_init(headers, arena);
    return headers_add(headers, VIEW("content-type"), VIEW("text/html; charset=utf-8")) &&
           headers_add(headers, VIEW("cache-control"), VIEW("no-store")) &&
           headers_add(headers, VIEW("x-content-type-options"), VIEW("nosniff")) &&
           headers_add(headers, VIEW("x-frame-options"), VIEW("DENY")) &&
           headers_add(headers, VIEW("referrer-policy"), VIEW("same-origin")) &&
           headers_add(headers, VIEW("content-security-policy"), VIEW(CSP));
}

struct view door_page(const struct door_page *page, struct arena *arena, struct headers *ret_headers) {
    struct buf out;
    buf_init(&out, PAGE_MAX);
    if (page->door == DOOR_FIRST_VISIT)
        put_first_visit(&out, page);
    else
        put_password(&out, page);
    bool ok = add_headers(ret_headers, arena) && !out.failed;
    struct view body = ok ? arena_copy(arena, buf_view(&out)) : (struct view){0};
    buf_done(&out);
    return body;
}
