/* See config_value.h. */
#include "config/config_value.h"

bool size_parse(struct view text, size_t *ret_bytes) {
    static const struct unit units[] = {{"", 1},           {"b", 1},        {"k", 1 << 10},
                                        {"kib", 1 << 10},  {"kb", 1 << 10}, {"m", 1 << 20},
                                        {"mib", 1 << 20},  {"mb", 1 << 20}, {"g", 1u << 30},
                                        {"gib", 1u << 30}, {"gb", 1u << 30}};
    uint64_t bytes;
    if (!units_parse(text, units, sizeof(units) / sizeof(units[0]), &bytes) || bytes > SIZE_MAX / 4)
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
