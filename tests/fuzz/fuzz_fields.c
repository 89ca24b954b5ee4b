/* libFuzzer target: header fields under a prefix. The input's first line is a field's name, the rest its
 * value. */
#include "fuzz.h"
#include "rewrite/fields.h"

static const struct rewrite_site site = {.prefix = {"/abc", 4},
                                         .cookie_path = {"/abc/", 5},
                                         .scheme = {"https", 5},
                                         .host = {"t.example", 9},
                                         .service = {"localhost:3000", 14}};
static const struct rewrite_site off = {.scheme = {"https", 5}, .host = {"t.example", 9}};

static void check(enum field_fate fate, const struct buf *out, struct view value) {
    require(fate == FIELD_CHANGED || out->len == 0);
    require(fate != FIELD_CHANGED || !view_eq(buf_view(out), value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_of(data, size), name = take_line(&rest);
    char *copy = exact_copy(rest);
    struct view value = view_of(copy, rest.len);
    struct buf out, again;
    buf_init(&out, 64 * size + 4096);
    buf_init(&again, 1024 * size + 65536);
    enum field_fate fate = field_of_answer(&site, name, value, size % 2, &out);
    require(fate != FIELD_FAILED);
    check(fate, &out, value);
    require(field_of_answer(&off, name, value, true, &again) == FIELD_KEPT && again.len == 0);
    fate = field_of_request(&site, name, value, &again);
    require(fate != FIELD_FAILED);
    check(fate, &again, value);
    buf_done(&out);
    buf_done(&again);
    free(copy);
    return 0;
}
