/* How often the log says the same: who floods it with lines of one kind is counted instead. A kind is a
 * component and a format, both literals and known by their address; of each kind, each source (an agent, an
 * address, or nobody in particular) has LOG_REPEATS lines within LOG_REPEAT_MS, whatever stands in them, and
 * all sources together LOG_KIND_LINES. In fixed memory: sources that are too many for it are forgotten, kinds
 * are not. */
#ifndef BASE_LOG_TALLY_H
#define BASE_LOG_TALLY_H

#include "base/log.h"

struct log_line {
    enum log_level level;
    const char *component, *format;
    struct view source, text;
};

/* Of lines that were held back: their last one, and how many there were. */
typedef void log_tally_tell_fn(enum log_level level, const char *component, struct view text, unsigned lines);

/* False: it is held back, and counted. `tell` may be called for others before it returns. */
bool log_tally_admits(const struct log_line *line, log_tally_tell_fn *tell);
/* Tells what was held back and whose time is over, or all that was. Cheap where there is none. */
void log_tally_tell(bool all, log_tally_tell_fn *tell);

#endif
