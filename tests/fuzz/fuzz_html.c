/* libFuzzer target: HTML, rewritten (see fuzz_rewrite.h). In one of sixteen inputs a byte behind 0x01 stands
 * for very many of it, so that tags grow beyond what is kept of one. */
#include "fuzz_rewrite.h"
#include "rewrite/html.h"

#define REPEATS 6000
#define INPUT_MAX ((size_t)24 * 1024)

static struct filter *make(const struct rewrite_site *site, filter_out_fn out, void *out_ctx) {
    return html_filter_new(site, true, out, out_ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf input;
    buf_init(&input, INPUT_MAX);
    for (size_t i = 0; i < size && !input.failed; i++) {
        bool is_many = data[0] % 16 == 15 && data[i] == 1 && i + 1 < size;
        for (int times = is_many ? REPEATS : 1; times > 0; times--)
            buf_append_byte(&input, (char)data[i + is_many]);
        i += is_many;
    }
    fuzz_filter(make, (const uint8_t *)buf_view(&input).ptr, input.len);
    buf_done(&input);
    return 0;
}
