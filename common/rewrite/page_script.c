/* The script's element, and its name in a policy. */
#include "rewrite/page_script.h"

#include "base/base64.h"

/* The agent says the service's name, so it may be anything. */
static bool is_authority(struct view text) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";
    for (size_t i = 0; i < text.len; i++)
        if (!text.ptr[i] || !strchr(allowed, text.ptr[i])) return false;
    return text.len > 0;
}

void page_script_put(const struct rewrite_site *site, const struct edit_sink *sink) {
    edit_to(sink, EDIT_PUT, VIEW("<script data-tunnel-id=\""));
    edit_to(sink, EDIT_PUT, site->tunnel_id);
    edit_to(sink, EDIT_PUT, VIEW("\" data-base-path=\""));
    edit_to(sink, EDIT_PUT, site->prefix);
    if (site->referrer_policy.len) {
        edit_to(sink, EDIT_PUT, VIEW("\" data-referrer-policy=\""));
        edit_to(sink, EDIT_PUT, site->referrer_policy);
    }
    if (is_authority(site->service)) {
        edit_to(sink, EDIT_PUT, VIEW("\" data-service=\""));
        edit_to(sink, EDIT_PUT, site->service);
    }
    edit_to(sink, EDIT_PUT, VIEW("\">"));
    edit_to(sink, EDIT_PUT, view_of(page_script_text, page_script_text_len));
    edit_to(sink, EDIT_PUT, VIEW("</script>"));
}

struct view page_script_source(char out[PAGE_SCRIPT_SOURCE_SIZE]) {
    memcpy(out, "'sha256-", 8);
    size_t len = 8 + base64_encode(view_of(page_script_sha256, PAGE_SCRIPT_SHA256_LEN), out + 8);
    out[len++] = '\'';
    out[len] = '\0';
    return view_of(out, len);
}
