/* The page that asks a visitor for a tunnel's password: a form that needs no script. */
#ifndef HTTP_LOGIN_PAGE_H
#define HTTP_LOGIN_PAGE_H

#include "http/headers.h"

struct login_page {
    struct view action; /* where the form goes: a path */
    struct view to;     /* what the visitor asked for; comes back as the form's "to" */
    bool is_wrong;      /* the password that came was not it */
};

/* The body, in the arena; absent without memory. *ret_headers is made with the arena and gets the body's type
 * and what keeps it from being stored, framed or taken for something else. */
struct view login_page(const struct login_page *page, struct arena *arena, struct headers *ret_headers);

#endif
