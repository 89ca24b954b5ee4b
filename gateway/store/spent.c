/* See spent.h. */
#include "store/spent.h"

#include <inttypes.h>

bool spent_encode(struct buf *out, const struct spent *spent) {
    return buf_printf(out, "%.*s\n%" PRIu64 "\n%" PRIu64 "\n%.*s", VIEW_ARG(spent->gateway),
                      spent->spending.requests, spent->spending.bytes, VIEW_ARG(spent->owner));
}

static bool take_number(struct view *rest, uint64_t *ret_number) {
    struct view line;
    return view_split(rest, '\n', &line) && view_parse_u64(line, ret_number);
}

bool spent_decode(struct view text, struct spent *ret_spent) {
    struct view rest = text;
    *ret_spent = (struct spent){.gateway = {NULL, 0}};
    if (text.len > SPENT_MAX || view_find(text, '\0') < text.len) return false;
    if (!view_split(&rest, '\n', &ret_spent->gateway) || !take_number(&rest, &ret_spent->spending.requests) ||
        !take_number(&rest, &ret_spent->spending.bytes))
        return false;
    ret_spent->owner = rest;
    return rest.len > 0 && rest.len <= OWNER_MAX;
}
