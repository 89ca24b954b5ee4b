/* Metrics as lines of CloudWatch's embedded metric format, for a process that nobody can scrape: what was
 * counted since the last time, under the names that a scraper sees. */
#ifndef METRICS_METRICS_EMF_H
#define METRICS_METRICS_EMF_H

#include "base/buf.h"

/* Room that any line has. */
#define METRICS_EMF_BYTES ((size_t)16 * 1024)

/* Appends one JSON object with its line's end, and sets to 0 what it tells; false, and nothing is appended,
 * when nothing was counted. A label is a dimension, of which a line has one value: call it again until it
 * says false. Of histograms with one observation it is the value, with more their mean; gauges and process_*
 * are left out. `wall_ms`: since 1970. */
bool metrics_put_emf(struct buf *out, uint64_t wall_ms);

#endif
