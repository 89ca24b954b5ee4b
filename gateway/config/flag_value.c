/* See flag_value.h. */
#include "config/flag_value.h"

bool flag_value(const char *name, int argc, char **argv, int *i, struct view *ret_value) {
    struct view argument = view_from_cstr(argv[*i]), flag = view_from_cstr(name);
    struct view behind = view_skip(argument, flag.len);
    if (!view_starts_with(argument, flag) || (behind.len && behind.ptr[0] != '=')) return false;
    if (behind.len)
        *ret_value = view_skip(behind, 1);
    else
        *ret_value = *i + 1 < argc ? view_from_cstr(argv[++*i]) : VIEW("");
    return true;
}
