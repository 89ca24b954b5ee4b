/* The access log: a line for each ended request, in the form and to the place that the host chose. Without a
 * choice it is a line of the log (base/log.h), at level info. Never in it: the query of a target unless it is
 * asked for, and then without what looks like a secret; cookies, tokens, bodies. */
#ifndef HANDLER_ACCESS_LOG_H
#define HANDLER_ACCESS_LOG_H

#include "handler/access.h"

enum access_form {
    ACCESS_FORM_TEXT,     /* the log's own */
    ACCESS_FORM_COMBINED, /* as of Apache and nginx; the owner of the tunnel stands for the user */
    ACCESS_FORM_JSON,     /* one object a line (docs/DEPLOYMENT.md) */
    ACCESS_FORM_OFF,
};

struct access_log_settings {
    enum access_form form;
    bool shows_query;
    struct view gateway; /* in JSON; borrowed as long as it is set */
    /* Takes whole lines, each with its end. NULL, with TEXT only: the log. */
    void (*write)(void *ctx, struct view line);
    void *ctx;
};

/* For the whole process; copied. */
void access_log_set(const struct access_log_settings *settings);
/* Whether facts of the exchange that only JSON shows are wanted, and fields that only COMBINED does. */
bool access_log_wants_facts(void);
bool access_log_wants_fields(void);
/* Called by access_end(). */
void access_log_write(const struct access *access);
/* "text", "combined", "json", "off". */
bool access_form_parse(struct view text, enum access_form *ret_form);
/* Lines that could not be written, said in a way that readers of that form understand: output_notice_fn. */
size_t access_log_missing(char *out, size_t size, uint64_t lines);

#endif
