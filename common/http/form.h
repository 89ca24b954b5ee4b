/* The body of an HTML form (application/x-www-form-urlencoded, the URL Standard 5.1): read, never made. */
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

#include "http/headers.h"

/* Do these fields say that the body is one? */
bool form_is_one(const struct headers *headers);

/* Takes the next pair off the front of *rest and decodes both into the arena; what is no escape stands for
 * itself. False at the end, and without memory: then *ret_name is absent. */
bool form_next(struct view *rest, struct arena *arena, struct view *ret_name, struct view *ret_value);

/* The first value of that name; absent: none, or no memory. */
struct view form_get(struct view form, struct view name, struct arena *arena);

#endif
