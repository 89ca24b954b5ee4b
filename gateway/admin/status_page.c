/* See status_page.h. */
#include "admin/status_page.h"

#include <stdio.h>

#include "admin/admin_state.h"
#include "base/hex.h"
#include "base/ids.h"

#define NONCE_BYTES 16
#define PAGE_BYTES_MAX ((size_t)256 * 1024)

static void make_nonce(char out[2 * NONCE_BYTES + 1]) {
    unsigned char random[NONCE_BYTES];
    ids_random(random, sizeof(random));
    *hex_print(out, random, sizeof(random)) = '\0';
}

/* The page, in whose text the number used once stands wherever it says so. */
static bool print_page(struct buf *out, const char *nonce) {
    static const struct view mark = {"@NONCE@", 7};
    struct view rest = view_of(status_html, status_html_len);
    for (const char *at; (at = memmem(rest.ptr, rest.len, mark.ptr, mark.len));) {
        size_t before = (size_t)(at - rest.ptr);
        buf_append_view(out, view_slice(rest, 0, before));
        buf_append_view(out, view_from_cstr(nonce));
        rest = view_skip(rest, before + mark.len);
    }
    return buf_append_view(out, rest);
}

enum MHD_Result status_page_answer(struct MHD_Connection *connection) {
    char nonce[2 * NONCE_BYTES + 1], policy[256];
    struct buf page;
    buf_init(&page, PAGE_BYTES_MAX);
    make_nonce(nonce);
    snprintf(policy, sizeof(policy),
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; "
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             nonce, nonce);
    enum MHD_Result result =
        print_page(&page, nonce)
            ? admin_answer_with(connection, MHD_HTTP_OK, "text/html; charset=utf-8", buf_view(&page), policy)
            : MHD_NO;
    buf_done(&page);
    return result;
}

enum MHD_Result status_page_openapi(struct MHD_Connection *connection) {
    return admin_answer(connection, MHD_HTTP_OK, "application/json", view_of(openapi_json, openapi_json_len));
}
