/* libFuzzer target: a recorded body without its content coding (inspect/decoded.h). The first line is the
 * coding. There is never more than the bound of it, memory is given back, and a body of one byte less is no
 * other one at its begin. */
#include "coding/coding_memory.h"
#include "fuzz.h"
#include "inspect/decoded.h"

static bool decode(struct view coding, struct view body, struct buf *out) {
    bool is_whole, is_there = decoded_body(coding, body, out, &is_whole);
    require(out->len <= DECODED_MAX);
    require(is_there || (!out->len && !is_whole));
    require(coding_memory_bytes() == 0);
    return is_there;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = exact_copy(view_of(data, size));
    struct view rest = view_of(copy, size), coding = take_line(&rest);
    struct buf all, part;
    decode(coding, rest, &all);
    decode(coding, view_slice(rest, 0, rest.len ? rest.len - 1 : 0), &part);
    size_t len = all.len < part.len ? all.len : part.len;
    require(view_eq(view_slice(buf_view(&all), 0, len), view_slice(buf_view(&part), 0, len)));
    buf_done(&all);
    buf_done(&part);
    free(copy);
    return 0;
}
