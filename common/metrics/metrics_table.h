/* The table of all families, for what writes them: a page for Prometheus, a line for CloudWatch, a document.
 */
#ifndef METRICS_METRICS_TABLE_H
#define METRICS_METRICS_TABLE_H

#include "base/buf.h"
#include "metrics/metrics.h"

enum metric_kind { METRIC_KIND_COUNTER, METRIC_KIND_GAUGE, METRIC_KIND_HISTOGRAM, METRIC_KIND_INFO };
enum metric_unit { METRIC_UNIT_PLAIN, METRIC_UNIT_BYTES, METRIC_UNIT_SECONDS };

struct metric_label {
    const char *name; /* NULL: the family has none, and one series */
    struct view (*value)(size_t which);
};

/* Whose page it stands on. */
enum metric_of { METRIC_OF_GATEWAY, METRIC_OF_AGENT, METRIC_OF_BOTH };

struct metric_family {
    enum metric_of of;
    size_t first; /* slot */
    size_t count; /* of series */
    const char *name;
    enum metric_kind kind;
    enum metric_unit unit;
    struct metric_label label;
    const char *help;
};

extern const struct metric_family metric_families[];
extern const size_t metric_families_count;
extern const uint64_t metric_bounds[METRIC_BUCKETS - 1]; /* microseconds */

const char *metric_kind_name(enum metric_kind kind);
/* As its unit wants it: microseconds are written as seconds. */
void metric_put_value(struct buf *out, enum metric_unit unit, uint64_t value);
static inline bool metric_is_of(const struct metric_family *family, enum metric_of program) {
    return family->of == program || family->of == METRIC_OF_BOTH;
}
/* docs/METRICS.md. */
void metrics_put_document(struct buf *out);

#endif
