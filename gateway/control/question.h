/* What one gateway asks another of the agents that are there, and what it is answered. Texts of lines, since
 * they come through the store; what does not make sense is no question. No I/O.
 *
 *   question   1 \n verb \n after \n limit \n name \n owner     values have no line break
 *   answer     next \n count \n rows                            rows: JSON values with commas between them */
#ifndef CONTROL_QUESTION_H
#define CONTROL_QUESTION_H

#include "base/buf.h"
#include "handler/claim.h"

enum question_verb {
    QUESTION_TUNNELS = 't', /* those behind the number `after`, `limit` at most */
    QUESTION_BUSY = 'b',    /* those with most requests a second, `limit` at most */
    QUESTION_KICK = 'k',    /* closes the agents of `name`, or of `owner`; no rows */
    QUESTION_GATEWAY = 'g', /* one row: the gateway itself */
    QUESTION_DRAIN = 'd',   /* goes down, as by SIGTERM; no rows */
};

#define QUESTION_LIMIT_MAX 1000u

struct question {
    enum question_verb verb;
    uint64_t after;
    size_t limit;
    struct view name, owner; /* only these tunnels; empty: all */
};

bool question_encode(struct buf *out, const struct question *question);
/* Views point into `text`. */
bool question_parse(struct view text, struct question *ret_question);

struct answer_text {
    uint64_t next; /* `after` of the next page; 0: there is no more */
    size_t count;
    struct view rows;
};

bool answer_text_encode(struct buf *out, const struct answer_text *answer);
/* Of another gateway: its rows must be JSON. */
bool answer_text_parse(struct view text, struct answer_text *ret_answer);

#endif
