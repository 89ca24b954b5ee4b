/* libFuzzer target: a page's scripts, rewritten (see fuzz_rewrite.h). */
#include "fuzz_rewrite.h"
#include "rewrite/text.h"

static struct filter *make(const struct rewrite_site *site, filter_out_fn out, void *out_ctx) {
    return text_filter_new(TEXT_SCRIPT, site, out, out_ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_filter(make, data, size);
    return 0;
}
