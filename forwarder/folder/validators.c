/* See validators.h. */
#include "folder/validators.h"

#include <stdio.h>
#include <string.h>

#include "base/view.h"

#ifdef __APPLE__
#define MODIFIED(file) ((file)->st_mtimespec)
#else
#define MODIFIED(file) ((file)->st_mtim)
#endif

#define CLOCK_STEP_S 2 /* a file may change again within it and keep its date (RFC 9110 8.8.2.2) */

void validators_of(const struct stat *file, struct validators *ret_validators) {
    struct timespec modified = MODIFIED(file);
    struct tm utc;
    *ret_validators = (struct validators){.modified_s = modified.tv_sec};
    snprintf(ret_validators->etag, sizeof(ret_validators->etag), "\"%llx-%llx.%lx\"",
             (unsigned long long)file->st_size, (unsigned long long)modified.tv_sec,
             (unsigned long)modified.tv_nsec);
    if (gmtime_r(&modified.tv_sec, &utc))
        strftime(ret_validators->modified, sizeof(ret_validators->modified), "%a, %d %b %Y %H:%M:%S GMT",
                 &utc);
}

/* ---- preconditions ---- */

/* RFC 9110 5.6.7: what is written today, and two forms of before. */
static bool parse_date(const char *text, time_t *ret_s) {
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm utc = {0};
        const char *end = strptime(text, forms[i], &utc);
        if (!end || *end) continue;
        *ret_s = timegm(&utc);
        return true;
    }
    return false;
}

/* One of a list of entity tags, "*" or `etag`. No tag of ours has a comma. */
static bool has_tag(const char *list, const char *etag, bool is_weak) {
    struct view rest = view_from_cstr(list), tag;
    while (view_split(&rest, ',', &tag)) {
        tag = view_trim(tag);
        if (is_weak && view_starts_with(tag, VIEW("W/"))) tag = view_skip(tag, 2);
        if (view_eq(tag, view_from_cstr(etag)) || view_eq(tag, VIEW("*"))) return true;
    }
    return false;
}

static bool is_refused(const struct validators *validators, const struct conditions *conditions) {
    time_t date_s;
    if (conditions->if_match) return !has_tag(conditions->if_match, validators->etag, false);
    return conditions->if_unmodified_since && parse_date(conditions->if_unmodified_since, &date_s) &&
           validators->modified_s > date_s;
}

static bool is_known(const struct validators *validators, const struct conditions *conditions) {
    time_t date_s;
    if (conditions->if_none_match) return has_tag(conditions->if_none_match, validators->etag, true);
    return conditions->if_modified_since && parse_date(conditions->if_modified_since, &date_s) &&
           validators->modified_s <= date_s;
}

/* The rest of what somebody has a part of: only if it is the rest of the same. */
static bool is_same(const struct validators *validators, const char *if_range, time_t now_s) {
    struct view said = view_from_cstr(if_range);
    if (!said.ptr || view_eq(said, view_from_cstr(validators->etag))) return true;
    return view_eq(said, view_from_cstr(validators->modified)) &&
           now_s - validators->modified_s >= CLOCK_STEP_S;
}

/* ---- ranges ---- */

/* "500-999", "500-" or "-500" (the last ones). False: it is none of these. */
static bool parse_range(struct view text, uint64_t size, struct portion *portion) {
    struct view from = view_slice(text, 0, view_find(text, '-')), to = view_skip(text, from.len + 1);
    uint64_t first = 0, last = UINT64_MAX;
    if (from.len == text.len || (!from.len && !to.len)) return false;
    if (from.len && !view_parse_u64(from, &first)) return false;
    if (to.len && !view_parse_u64(to, &last)) return false;
    if (from.len && last < first) return false;
    if (!from.len) { /* a suffix */
        first = last < size ? size - last : 0;
        if (!last) first = size;
        last = UINT64_MAX;
    }
    if (first >= size) {
        *portion = (struct portion){.status = 416};
        return true;
    }
    if (last > size - 1) last = size - 1;
    *portion = (struct portion){.status = 206, .first = first, .count = last - first + 1};
    return true;
}

struct portion validators_choose(const struct validators *validators, uint64_t size,
                                 const struct conditions *conditions, time_t now_s) {
    struct portion whole = {.status = 200, .count = size}, part;
    struct view range = view_from_cstr(conditions->range);
    if (is_refused(validators, conditions)) return (struct portion){.status = 412};
    if (is_known(validators, conditions)) return (struct portion){.status = 304, .count = size};
    if (view_find(range, '=') != 5 || !view_eq_nocase(view_slice(range, 0, 6), VIEW("bytes="))) return whole;
    if (!is_same(validators, conditions->if_range, now_s)) return whole;
    return parse_range(view_trim(view_skip(range, 6)), size, &part) ? part : whole;
}
