/* See error_page.h. */
#include "http/error_page.h"

static struct view make_body(enum http_error error, bool is_html, struct arena *arena) {
    struct view text = http_error_text(error), code = http_error_code(error);
    if (!is_html) return arena_printf(arena, "%.*s: %.*s\n", VIEW_ARG(code), VIEW_ARG(text));
    return arena_printf(
        arena,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%d %.*s</title>\n"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;"
        "color:#222}code{color:#888}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}"
        "</style></head>\n<body><h1>%d</h1><p>%.*s</p><p><code>%.*s</code></p></body></html>\n",
        http_error_status(error), VIEW_ARG(code), http_error_status(error), VIEW_ARG(text), VIEW_ARG(code));
}

struct view error_page(enum http_error error, bool is_html, struct arena *arena,
                       struct headers *ret_headers) {
    headers_init(ret_headers, arena);
    headers_add(ret_headers, VIEW("x-tunnel-error"), http_error_code(error));
    headers_add(ret_headers, VIEW("content-type"),
                is_html ? VIEW("text/html; charset=utf-8") : VIEW("text/plain; charset=utf-8"));
    headers_add(ret_headers, VIEW("cache-control"), VIEW("no-store"));
    headers_add(ret_headers, VIEW("x-content-type-options"), VIEW("nosniff"));
    headers_add(ret_headers, VIEW("content-security-policy"), VIEW(HTTP_ERROR_CSP));
    if (error == HTTP_ERROR_RATE_LIMITED || error == HTTP_ERROR_OVERLOADED)
        headers_add(ret_headers, VIEW("retry-after"), VIEW("1"));
    return make_body(error, is_html, arena);
}
