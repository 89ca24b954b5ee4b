#include "handler/claim.h"

#include <stdlib.h>

bool claim_options_valid(struct view options) {
    return options.len <= CLAIM_OPTIONS_MAX && view_find(options, '\n') == options.len &&
           view_find(options, '\0') == options.len;
}

bool claim_options_keep(char **kept, struct view options) {
    char *copy = options.len ? view_to_cstr(options) : NULL;
    if (options.len && !copy) return false;
    free(*kept);
    *kept = copy;
    return true;
}
