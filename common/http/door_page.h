/* The pages that a visitor passes before he sees a tunnel's own: forms that need no script. */
#ifndef HTTP_DOOR_PAGE_H
#define HTTP_DOOR_PAGE_H

#include "http/headers.h"

enum door {
    DOOR_PASSWORD,
    DOOR_WRONG_PASSWORD, /* likewise, and the one that came was not it */
    DOOR_FIRST_VISIT     /* somebody's tunnel, whom nobody knows: does he want to see it? */
};

struct door_page {
    enum door door;
    struct view action; /* where the form goes: a path */
    struct view to;     /* what the visitor asked for; comes back as the form's "to" */
    struct view host;   /* the visitor's, as it is shown to him */
};

/* The body, in the arena; absent without memory. *ret_headers is made with the arena and gets the body's type
 * and what keeps it from being stored, framed or taken for something else. */
struct view door_page(const struct door_page *page, struct arena *arena, struct headers *ret_headers);

#endif
