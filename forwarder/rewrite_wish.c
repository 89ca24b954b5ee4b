#include "rewrite_wish.h"

#include <string.h>

bool rewrite_wish_is_one(const char *text) {
    return strcmp(text, "on") == 0 || strcmp(text, "off") == 0 || strcmp(text, "json") == 0;
}

bool rewrite_wish_say(const char *wish, struct headers *headers) {
    struct view name = VIEW("x-tunnel-rewrite");
    if (!wish || headers_get(headers, name).ptr) return true;
    return headers_add(headers, name, view_from_cstr(wish));
}
