/* See listeners.h. Of a row of the table: "  0: 0100007F:0BB8 00000000:0000 0A ...", where the port comes
 * behind the first address, and 0A is TCP_LISTEN. */
#include "listeners.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/view.h"

#define ROWS_MAX 2000
#define STATE_AT 3 /* of the words of a row, from zero; the address with its port is 1 */

/* The words of a row that are looked at. Absent: there are not as many. */
static void split(const char *row, struct view *ret_address, struct view *ret_state) {
    struct view rest = view_from_cstr(row), word;
    size_t count = 0;
    *ret_address = *ret_state = (struct view){0};
    while (count <= STATE_AT && view_split(&rest, ' ', &word)) {
        if (!word.len) continue;
        if (count == 1) *ret_address = word;
        if (count == STATE_AT) *ret_state = word;
        count++;
    }
}

/* Of "0100007F:0BB8"; -1: it is none. */
static long port_of(struct view address) {
    struct view digits = view_skip(address, view_find(address, ':'));
    return digits.len == 5 ? strtol(digits.ptr + 1, NULL, 16) : -1; /* what follows is no digit */
}

static bool table_has(const char *path, uint16_t port) {
    FILE *table = fopen(path, "re");
    char row[512];
    bool found = false, is_head = true;
    for (int i = 0; table && !found && i < ROWS_MAX && fgets(row, sizeof(row), table); i++) {
        struct view address, state;
        split(row, &address, &state);
        if (!is_head && !view_eq(state, VIEW("0A"))) break;
        found = !is_head && port_of(address) == port;
        is_head = false;
    }
    if (table) fclose(table);
    return found;
}

bool listeners_have(uint16_t port) {
    return table_has("/proc/self/net/tcp", port) || table_has("/proc/self/net/tcp6", port);
}
