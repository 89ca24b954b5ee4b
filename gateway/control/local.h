/* What this gateway answers for itself. */
#ifndef CONTROL_LOCAL_H
#define CONTROL_LOCAL_H

#include "control/control.h"

/* Rows are appended to `rows`; the answer's own view of them is left empty. False without memory. */
bool local_answer(const struct control_settings *settings, const struct question *question, struct buf *rows,
                  struct answer_text *ret_answer);

#endif
