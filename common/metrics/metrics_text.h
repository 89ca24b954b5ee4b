/* All metrics as a page for a scraper: OpenMetrics 1.0, or the text format 0.0.4 of Prometheus, as its Accept
 * field wants it. */
#ifndef METRICS_METRICS_TEXT_H
#define METRICS_METRICS_TEXT_H

#include "metrics/metrics_table.h"

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };

/* Absent, or a field that names neither: Prometheus' own, which a browser shows. */
enum metrics_format metrics_choose_format(struct view accept);
/* The media type, for Content-Type. */
const char *metrics_media_type(enum metrics_format format);
/* All that the table has of that program. metrics_put_end() goes behind it and whatever follows it. */
void metrics_put_families(struct buf *out, enum metrics_format format, enum metric_of program);
void metrics_put_end(struct buf *out, enum metrics_format format);

/* For families that are not in the table: `name` without `_total`. */
void metrics_put_counter_head(struct buf *out, enum metrics_format format, const char *name, const char *unit,
                              const char *help);
/* One of its series; the label's value may hold anything. */
void metrics_put_counter(struct buf *out, const char *name, const char *label, struct view value,
                         uint64_t count);

#endif
