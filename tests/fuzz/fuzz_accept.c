/* libFuzzer target: what a visitor likes best (RFC 9110 12.5): Accept, Accept-Encoding, and a service's
 * Content-Encoding. A choice is always one that was allowed. */
#include "coding/coding.h"
#include "fuzz.h"
#include "http/error.h"

/* "br" alone, as a member of its own, decides nothing else than itself. */
static void check_choice(struct view accepted) {
    for (enum coding came = CODING_IDENTITY; came <= CODING_ZSTD; came++) {
        enum coding chosen = coding_choose(accepted, came, false),
                    short_of = coding_choose(accepted, came, true);
        require(chosen <= CODING_ZSTD && short_of <= CODING_ZSTD);
        require(short_of != CODING_BR && short_of != CODING_ZSTD);
        if (accepted.len == 0 || !accepted.ptr) continue;
        bool is_named = chosen == CODING_IDENTITY;
        struct view name = coding_name(chosen);
        for (size_t i = 0; !is_named && i + name.len <= accepted.len; i++)
            is_named = view_eq_nocase(view_slice(accepted, i, i + name.len), name);
        require(is_named || view_find(accepted, '*') < accepted.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum coding coding = CODING_IDENTITY;
    char *copy = exact_copy(view_of(data, size));
    struct view text = view_of(copy, size);
    http_wants_html(text);
    check_choice(text);
    if (coding_parse(text, &coding)) require(coding <= CODING_ZSTD);
    free(copy);
    return 0;
}
