/* libFuzzer target: the body of a form. All pairs are read, none is longer than what it was made of, and a
 * name is found where it stands. */
#include "fuzz.h"
#include "http/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct arena arena;
    char *form = exact_copy(view_of(bytes, len));
    struct view rest = view_of(form, len), name, value;
    size_t total = 0;
    arena_init(&arena, 1 << 20);
    bool is_first = true;
    while (form_next(&rest, &arena, &name, &value)) {
        total += name.len + value.len;
        if (is_first) require(view_eq(form_get(view_of(form, len), name, &arena), value));
        is_first = false;
    }
    require(total <= len);
    require(form_get(view_of(form, len), VIEW("no such name, I hope"), &arena).len <= len);
    struct arena small; /* a pair that does not fit is the last */
    arena_init(&small, 16);
    for (rest = view_of(form, len); form_next(&rest, &small, &name, &value);) require(name.ptr && value.ptr);
    arena_done(&small);
    arena_done(&arena);
    free(form);
    return 0;
}
