/* See quota.h. */
#include "http/quota.h"

static const struct {
    struct view name, text;
} quotas[] = {{{"", 0}, {"", 0}},
#define X(id, name_, text_) {{(name_), sizeof(name_) - 1}, {(text_), sizeof(text_) - 1}},
              QUOTA_LIST(X)
#undef X
};

struct view quota_name(enum quota quota) {
    return quotas[quota].name;
}

struct view quota_text(enum quota quota) {
    return quotas[quota].text;
}

enum quota quota_from_name(struct view name) {
    for (size_t i = QUOTA_NONE + 1; i < QUOTA_END; i++)
        if (view_eq(quotas[i].name, name)) return (enum quota)i;
    return QUOTA_NONE;
}
