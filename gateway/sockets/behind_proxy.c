/* See behind_proxy.h. */
#include "sockets/behind_proxy.h"

#include <string.h>

#include "http/forwarded.h"

#define HOPS_MAX 16

/* "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]" and "[2001:db8::1]:4711" */
static struct view without_port(struct view text) {
    if (text.len && text.ptr[0] == '[') {
        size_t end = view_find(text, ']');
        return view_slice(text, 1, end);
    }
    size_t colon = view_find(text, ':');
    bool is_only = colon < text.len && view_find(view_skip(text, colon + 1), ':') == text.len - colon - 1;
    return is_only ? view_slice(text, 0, colon) : text;
}

bool behind_proxy(const struct headers *headers, const struct clients *clients,
                  struct sockaddr_storage *ret_address, size_t *ret_hops) {
    bool found = false;
    *ret_hops = 0;
    for (size_t hops = 0; hops < HOPS_MAX; hops++) {
        struct view element = forwarded_element(headers, VIEW("x-forwarded-for"), hops);
        struct sockaddr_storage address;
        if (!element.ptr || !sockaddr_parse(without_port(element), &address)) break;
        *ret_address = address;
        *ret_hops = hops;
        found = true;
        if (!clients_is_proxy(clients, (const struct sockaddr *)&address)) break;
    }
    return found;
}
