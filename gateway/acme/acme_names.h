/* The names that there is, or is to be, a certificate for, and when something is to be done about each. */
#ifndef GATEWAY_ACME_NAMES_H
#define GATEWAY_ACME_NAMES_H

#include "acme/acme_answer.h"

#define ACME_NAMES_ROOM 60
#define ACME_FAILURES_MAX 100

struct acme_name {
    char text[ACME_NAME_MAX + 1], wildcard[ACME_NAME_MAX + 3];
    bool has_wildcard;
    bool is_shared;    /* the store that gateways share has its certificate */
    bool is_ours;      /* else somebody's who has a tunnel here */
    bool is_elsewhere; /* another gateway orders, perhaps this one */
    uint64_t due_ms;   /* since 1970 */
    uint64_t came_ms;  /* when its certificate was put into the folder; 0: in an earlier life */
    unsigned failures; /* since the last success */
};

struct acme_names {
    struct acme_name items[ACME_NAMES_ROOM];
    size_t count;
};

/* Lower case, as host_parse() makes it: labels of letters, digits and hyphens, two of them at least, and no
 * address. What no authority would take is none. */
bool acme_name_is_good(struct view name);
/* NULL: there is no room, or it is no name. One that is there already is given back. */
struct acme_name *acme_names_add(struct acme_names *names, struct view text, bool is_ours);
struct acme_name *acme_names_find(struct acme_names *names, struct view text);
void acme_names_remove(struct acme_names *names, struct acme_name *name);
/* The one that is due first; NULL: there is none. */
struct acme_name *acme_names_next(struct acme_names *names);
/* Its names in an order; returns how many. */
size_t acme_name_views(const struct acme_name *name, struct view out[ACME_NAMES_MAX]);

/* Once more; past ACME_FAILURES_MAX they stay about there, as each second one goes the other way. */
void acme_name_failed(struct acme_name *name);

/* When a certificate of these dates is to be renewed: two thirds into its life, and up to a fiftieth of it
 * later by `random`. */
uint64_t acme_renewal_ms(int64_t begin_s, int64_t end_s, uint32_t random);
/* How long to wait after so many failures, a fifth more or less by `random`. Where the authority was not
 * there it is asked soon again; where it said no, and counts that, later. */
uint64_t acme_pause_ms(unsigned failures, bool is_out_of_reach, uint32_t random);
/* How long until a name is looked at again that has no tunnel, and a certificate that is good for so long. */
uint64_t acme_look_ms(uint64_t left_ms);

#endif
