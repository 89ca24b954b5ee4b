/* See config_value.h. */
#include "config_value.h"

struct unit {
    const char *name;
    uint64_t factor;
};

static bool parse_units(struct view text, const struct unit *units, size_t count, uint64_t *ret_value) {
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') digits++;
    uint64_t number;
    if (!view_parse_u64(view_slice(text, 0, digits), &number)) return false;
    for (size_t i = 0; i < count; i++) {
        if (!view_eq_nocase(view_skip(text, digits), view_from_cstr(units[i].name))) continue;
        return !__builtin_mul_overflow(number, units[i].factor, ret_value);
    }
    return false;
}

bool duration_parse(struct view text, uint64_t *ret_ms) {
    static const struct unit units[] = {{"ms", 1},        {"s", 1000},        {"", 1000},
                                        {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000}};
    return parse_units(text, units, sizeof(units) / sizeof(units[0]), ret_ms) &&
           *ret_ms <= (uint64_t)INT64_MAX / 4;
}

bool size_parse(struct view text, size_t *ret_bytes) {
    static const struct unit units[] = {{"", 1},           {"b", 1},        {"k", 1 << 10},
                                        {"kib", 1 << 10},  {"kb", 1 << 10}, {"m", 1 << 20},
                                        {"mib", 1 << 20},  {"mb", 1 << 20}, {"g", 1u << 30},
                                        {"gib", 1u << 30}, {"gb", 1u << 30}};
    uint64_t bytes;
    if (!parse_units(text, units, sizeof(units) / sizeof(units[0]), &bytes) || bytes > SIZE_MAX / 4)
        return false;
    *ret_bytes = (size_t)bytes;
    return true;
}

bool bool_parse(struct view text, bool *ret_value) {
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        *ret_value = view_eq_nocase(text, view_from_cstr(yes[i]));
        if (*ret_value || view_eq_nocase(text, view_from_cstr(no[i]))) return true;
    }
    return false;
}

size_t edit_distance(struct view a, struct view b) {
    size_t row[65];
    a = view_slice(a, 0, 64);
    b = view_slice(b, 0, 64);
    for (size_t j = 0; j <= b.len; j++) row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = corner + (a.ptr[i - 1] != b.ptr[j - 1]);
            corner = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.len];
}
