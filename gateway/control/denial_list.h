/* Who is kept out: names, owners and tokens that the administration has denied. In memory, looked at whenever
 * an agent connects; what keeps it is denial_keep.h.
 *
 * An entry has a key and a record, both of them text:
 *   key      "name:shop"           nobody may have this name
 *            "owner:sub:alice"     this owner may have no tunnel
 *            "token:<jti>"         this token is not good any more
 *            "tokens:sub:alice"    none of this owner's that was issued before the entry was made
 *   record   since \n until \n by \n reason     times in ms since 1970, until 0: for ever; the reason is told
 * to agents, may be empty, and is one line */
#ifndef CONTROL_DENIAL_LIST_H
#define CONTROL_DENIAL_LIST_H

#include "base/buf.h"
#include "base/list.h"
#include "base/table.h"
#include "handler/ports.h"

#define DENIAL_KEY_MAX (OWNER_MAX + 8)
#define DENIAL_BY_MAX 100
#define DENIAL_REASON_MAX 120
#define DENIALS_MAX 100000

struct denial {
    struct table_node node;
    struct list all;
    uint64_t number;     /* in the order in which they were put; from 1 */
    unsigned generation; /* of the last put */
    uint64_t since_ms, until_ms;
    char key[DENIAL_KEY_MAX + 1], by[DENIAL_BY_MAX + 1], reason[DENIAL_REASON_MAX + 1];
};

struct denial_list {
    struct table table;
    struct list all;
    uint64_t last_number;
    unsigned
        generation; /* whoever loads them anew counts it up, and finds by it what was not there any more */
    uint64_t (*wall_ms)(void *ctx);
    void *wall_ctx;
    char text[DENIAL_REASON_MAX + 80]; /* of why() */
};

void denial_list_init(struct denial_list *list, uint64_t (*wall_ms)(void *ctx), void *wall_ctx);
void denial_list_done(struct denial_list *list);

/* Is it one of those above? */
bool denial_key_valid(struct view key);
bool denial_record_encode(struct buf *out, const struct denial *denial);
/* Replaces what stands at the key. STATUS_INVALID: neither makes sense; STATUS_OVERLOADED: there are
 * DENIALS_MAX; STATUS_NO_MEMORY. */
enum status denial_list_put(struct denial_list *list, struct view key, struct view record);
/* False: there was none. */
bool denial_list_drop(struct denial_list *list, struct view key);
/* It keeps nobody out any more, and has not done so for `since_ms`. */
bool denial_list_is_over(const struct denial_list *list, const struct denial *denial, uint64_t since_ms);

/* Why he may not; NULL: he may. The text lives until the next call. */
const char *denial_list_why(struct denial_list *list, const struct applicant *applicant);
/* The core's port. */
struct denials denial_list_port(struct denial_list *list);

#endif
