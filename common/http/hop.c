/* Hop-by-hop fields. Connection may name fields to drop, but not those that decide where a request goes, who
 * sent it or how long it is; and only its first NAMED_MAX names count, since each costs a look at every
 * field. */
#include "http/hop.h"

#include "base/unset.h"

#define NAMED_MAX 64

struct named {
    struct view names[NAMED_MAX];
    size_t count;
};

static bool is_one_of(struct view name, const struct view *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_eq_nocase(name, list[i])) return true;
    return false;
}

#define IS_ONE_OF(name, list) is_one_of(name, list, sizeof(list) / sizeof((list)[0]))
#define LITERAL(text)                                                                                        \
    { text, sizeof(text) - 1 }

static bool is_hop(struct view name) {
    switch (name.len) {
    case 2: return view_eq_nocase(name, VIEW("te"));
    case 7: return view_eq_nocase(name, VIEW("trailer")) || view_eq_nocase(name, VIEW("upgrade"));
    case 10: return view_eq_nocase(name, VIEW("connection")) || view_eq_nocase(name, VIEW("keep-alive"));
    case 16: return view_eq_nocase(name, VIEW("proxy-connection"));
    case 17: return view_eq_nocase(name, VIEW("transfer-encoding"));
    case 18: return view_eq_nocase(name, VIEW("proxy-authenticate"));
    case 19: return view_eq_nocase(name, VIEW("proxy-authorization"));
    default: return false;
    }
}

/* A prefix ends in '-', where most names have something else. */
static bool has_prefix(struct view name, struct view prefix) {
    return name.len >= prefix.len && name.ptr[prefix.len - 1] == '-' &&
           view_eq_nocase(view_slice(name, 0, prefix.len), prefix);
}

static bool is_protected(struct view name) {
    static const struct view list[] = {
        LITERAL("host"),          LITERAL("authorization"),  LITERAL("cookie"),
        LITERAL("set-cookie"),    LITERAL("content-length"), LITERAL("content-encoding"),
        LITERAL("content-range"), LITERAL("content-type"),   LITERAL("cache-control"),
        LITERAL("date"),          LITERAL("expect"),         LITERAL("forwarded"),
        LITERAL("location"),      LITERAL("origin"),         LITERAL("referer"),
        LITERAL("via"),           LITERAL("vary"),           LITERAL("x-real-ip"),
    };
    return IS_ONE_OF(name, list) || has_prefix(name, VIEW("x-forwarded-")) ||
           has_prefix(name, VIEW("x-tunnel-"));
}

bool hop_decides(struct view name) {
    return is_hop(name) || is_protected(name);
}

static bool is_plain_option(struct view name) {
    return view_eq_nocase(name, VIEW("close")) || is_hop(name);
}

static void collect(struct named *named, struct view list) {
    struct view piece;
    while (named->count < NAMED_MAX && view_split(&list, ',', &piece)) {
        piece = view_trim(piece);
        if (piece.len == 0 || is_plain_option(piece) || is_protected(piece)) continue;
        named->names[named->count++] = piece;
    }
}

static bool drop_hop(void *ctx, const struct header *field) {
    const struct named *named = ctx;
    return is_hop(field->name) || (named->count && is_one_of(field->name, named->names, named->count));
}

void hop_strip(struct headers *headers) {
    struct named named UNSET;
    named.count = 0;
    for (size_t i = 0; i < headers->count; i++)
        if (view_eq(headers->fields[i].name, VIEW("connection"))) collect(&named, headers->fields[i].value);
    headers_remove_if(headers, drop_hop, &named);
}

static bool drop_ours(void *ctx, const struct header *field) {
    const struct view *keep = ctx;
    return has_prefix(field->name, VIEW("x-tunnel-")) && !(keep->ptr && view_eq(field->name, *keep));
}

void hop_strip_ours(struct headers *headers, struct view keep) {
    headers_remove_if(headers, drop_ours, &keep);
}
