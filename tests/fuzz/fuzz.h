/* What the fuzz targets share. Each is one libFuzzer program: it hands its input to a parser of the product
 * and insists on what the parser's header promises. `./dev fuzz` runs them; a finding is kept in
 * build/fuzz/found. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As an assertion that stays, and says where; fuzz.py reads what it says. */
#define require(holds) ((holds) ? (void)0 : require_failed(#holds, __FILE__, __LINE__))

static inline _Noreturn void require_failed(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: Assertion `%s' failed.\n", file, line, what);
    abort();
}

/* In memory of its own, so that a byte read beyond its end is seen. To be freed. */
static inline char *exact_copy(struct view v) {
    char *copy = malloc(v.len);
    require(copy || !v.len);
    if (v.len) memcpy(copy, v.ptr, v.len);
    return copy;
}

/* The next line, without its LF; the rest is absent after the last. */
static inline struct view take_line(struct view *rest) {
    struct view line = {NULL, 0};
    view_split(rest, '\n', &line);
    return line;
}

#endif
