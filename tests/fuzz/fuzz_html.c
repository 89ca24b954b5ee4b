/* libFuzzer target: HTML, rewritten (see fuzz_rewrite.h). */
#include "fuzz_rewrite.h"

#include "rewrite/html.h"

static struct filter *make(const struct rewrite_site *site, filter_out_fn out, void *out_ctx) {
    return html_filter_new(site, true, out, out_ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_filter(make, data, size);
    return 0;
}
