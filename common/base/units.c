#include "base/units.h"

bool units_parse(struct view text, const struct unit *units, size_t count, uint64_t *ret_value) {
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
    return units_parse(text, units, sizeof(units) / sizeof(units[0]), ret_ms) &&
           *ret_ms <= (uint64_t)INT64_MAX / 4;
}
