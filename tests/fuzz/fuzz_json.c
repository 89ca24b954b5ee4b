/* libFuzzer target: JSON and XML, rewritten (see fuzz_rewrite.h). The first byte of the input also chooses
 * which. */
#include "fuzz_rewrite.h"
#include "rewrite/text.h"

static enum text_language language;

static struct filter *make(const struct rewrite_site *site, filter_out_fn out, void *out_ctx) {
    return text_filter_new(language, site, out, out_ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size) language = TEXT_JSON + data[0] % (TEXT_XML - TEXT_JSON + 1);
    fuzz_filter(make, data, size);
    return 0;
}
