#include "handler/claim.h"

#include <stdlib.h>

#include "base/ids.h"

bool claim_options_valid(struct view options) {
    return options.len <= CLAIM_OPTIONS_MAX && view_find(options, '\n') == options.len &&
           view_find(options, '\0') == options.len;
}

bool claim_id_is_generated(struct view tunnel_id) {
    return tunnel_id.len == TUNNEL_ID_LEN && view_find(tunnel_id, '-') == tunnel_id.len;
}

bool claim_options_keep(char **kept, struct view options) {
    char *copy = options.len ? view_to_cstr(options) : NULL;
    if (options.len && !copy) return false;
    free(*kept);
    *kept = copy;
    return true;
}
