#include "coding/coding.h"

static const struct {
    struct view name;
    enum coding coding;
} codings[] = {{{"gzip", 4}, CODING_GZIP}, {{"x-gzip", 6}, CODING_GZIP}, {{"deflate", 7}, CODING_DEFLATE},
               {{"br", 2}, CODING_BR},     {{"zstd", 4}, CODING_ZSTD},   {{"identity", 8}, CODING_IDENTITY},
               {{"", 0}, CODING_IDENTITY}};
#define CODINGS (sizeof(codings) / sizeof(codings[0]))

bool coding_parse(struct view value, enum coding *ret_coding) {
    value = view_trim(value);
    for (size_t i = 0; i < CODINGS; i++) {
        if (!view_eq_nocase(value, codings[i].name)) continue;
        *ret_coding = codings[i].coding;
        return true;
    }
    return false;
}

struct view coding_name(enum coding coding) {
    for (size_t i = 0; i < CODINGS; i++)
        if (codings[i].coding == coding) return codings[i].name;
    return VIEW("identity");
}

/* "q=0", "q=0.00" (RFC 9110 12.4.2) */
static bool is_refused(struct view parameters) {
    struct view parameter;
    while (view_split(&parameters, ';', &parameter)) {
        parameter = view_trim(parameter);
        if (!view_eq_nocase(view_slice(parameter, 0, 2), VIEW("q="))) continue;
        for (size_t i = 2; i < parameter.len; i++)
            if (parameter.ptr[i] != '0' && parameter.ptr[i] != '.') return false;
        return true;
    }
    return false;
}

static bool takes(struct view accepted, enum coding wanted) {
    struct view member;
    while (view_split(&accepted, ',', &member)) {
        size_t end = view_find(member, ';');
        enum coding coding;
        struct view name = view_trim(view_slice(member, 0, end));
        if (name.len && coding_parse(name, &coding) && coding == wanted)
            return !is_refused(view_skip(member, end));
    }
    return false;
}

enum coding coding_choose(struct view accepted, enum coding came, bool is_short) {
    static const enum coding order[] = {CODING_GZIP, CODING_DEFLATE, CODING_ZSTD, CODING_BR};
    bool is_large = came == CODING_ZSTD || came == CODING_BR;
    if (came == CODING_IDENTITY || (takes(accepted, came) && !(is_large && is_short))) return came;
    for (size_t i = 0; i < (is_short ? 2 : 4); i++)
        if (takes(accepted, order[i])) return order[i];
    return CODING_IDENTITY;
}
