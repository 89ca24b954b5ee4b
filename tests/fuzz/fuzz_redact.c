/* libFuzzer target: request targets in a log. What is behind a secret parameter's name is not shown, all else
 * is, and what was redacted once is as it was when it is redacted again. A second reading: the input as a
 * parameter's value, which must be gone. */
#include "base/log.h"
#include "fuzz.h"

static void redact(struct buf *out, struct view target) {
    char *copy = exact_copy(target);
    buf_init(out, 16 * target.len + 64);
    require(log_redact_target(out, view_of(copy, target.len)));
    free(copy);
}

static void as_target(struct view target) {
    struct buf once, twice;
    redact(&once, target);
    redact(&twice, buf_view(&once));
    require(view_eq(buf_view(&once), buf_view(&twice)));
    buf_done(&twice);
    buf_done(&once);
}

/* Not one byte of a value that ends at '&' or the end, whatever it is. */
static void as_value(struct view value) {
    static const char *const fronts[] = {"/?token=", "/?a=b&API_KEY=", "/p?%74oken=", "/?user[password]="};
    for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++) {
        struct buf target, shown;
        buf_init(&target, value.len + 64);
        buf_printf(&target, "%s", fronts[i]);
        buf_append_view(&target, value);
        redact(&shown, buf_view(&target));
        require(view_starts_with(buf_view(&shown), view_from_cstr(fronts[i])));
        struct view behind = view_skip(buf_view(&shown), strlen(fronts[i]));
        require(value.len < 4 || !view_starts_with(behind, view_slice(value, 0, 4)));
        buf_done(&shown);
        buf_done(&target);
    }
}

static bool is_plain(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if (strchr("&;#?/%=.*-", v.ptr[i])) return false; /* NUL, too */
    return v.len > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view input = view_of(data, size);
    as_target(input);
    if (is_plain(input)) as_value(input);
    return 0;
}
