/* See metrics_table.h. */
#include "metrics/metrics_table.h"

#include <inttypes.h>

/* ---- labels ---- */

static struct view nothing(size_t which) {
    (void)which;
    return VIEW("");
}

static struct view version(size_t which) {
    (void)which;
    return VIEW(TTF_VERSION);
}

static struct view status(size_t which) {
    static const char *const names[METRIC_STATUS_COUNT] = {"1xx", "2xx", "3xx", "4xx", "5xx", "none"};
    return view_from_cstr(names[which]);
}

static struct view error(size_t which) {
    return http_error_code((enum http_error)(which + 1));
}

static struct view protocol(size_t which) {
    return which == METRIC_PROTOCOL_V2 ? VIEW("v2") : VIEW("v1");
}

static struct view outcome(size_t which) {
    static const char *const names[METRIC_OUTCOME_COUNT] = {"accepted",  "malformed",  "unauthorized",
                                                            "forbidden", "name_taken", "unavailable"};
    return view_from_cstr(names[which]);
}

static struct view port(size_t which) {
    static const char *const names[METRIC_PORT_COUNT] = {"public", "agent", "admin"};
    return view_from_cstr(names[which]);
}

static struct view direction(size_t which) {
    return which == METRIC_DIRECTION_OUT ? VIEW("out") : VIEW("in");
}

static struct view result(size_t which) {
    return which == METRIC_RESULT_OK ? VIEW("ok") : VIEW("failed");
}

static struct view quota(size_t which) {
    return quota_name((enum quota)(which + 1));
}

#define LABEL_NOTHING                                                                                        \
    { NULL, nothing }
#define LABEL_VERSION                                                                                        \
    { "version", version }
#define LABEL_STATUS                                                                                         \
    { "status", status }
#define LABEL_ERROR                                                                                          \
    { "error", error }
#define LABEL_PROTOCOL                                                                                       \
    { "protocol", protocol }
#define LABEL_OUTCOME                                                                                        \
    { "outcome", outcome }
#define LABEL_PORT                                                                                           \
    { "port", port }
#define LABEL_DIRECTION                                                                                      \
    { "direction", direction }
#define LABEL_RESULT                                                                                         \
    { "result", result }
#define LABEL_QUOTA                                                                                          \
    { "quota", quota }

/* ---- families ---- */

/* What is of any process stands at both ends of METRIC_LIST; METRIC_AGENT_LIST follows. */
#define OF(id)                                                                                               \
    METRIC_##id > METRIC_LAST_PROCESS_FDS_LIMIT                        ? METRIC_OF_AGENT                     \
    : METRIC_##id >= METRIC_PROCESS_CPU || METRIC_##id == METRIC_BUILD ? METRIC_OF_BOTH                      \
                                                                       : METRIC_OF_GATEWAY

const struct metric_family metric_families[] = {
#define X(id, kind_, name_, unit_, label_, help_)                                                            \
    {.of = OF(id),                                                                                           \
     .first = METRIC_##id,                                                                                   \
     .count = METRIC_LABEL_COUNT_##label_,                                                                   \
     .name = (name_),                                                                                        \
     .kind = METRIC_KIND_##kind_,                                                                            \
     .unit = METRIC_UNIT_##unit_,                                                                            \
     .label = LABEL_##label_,                                                                                \
     .help = (help_)},
    METRIC_LIST(X) METRIC_AGENT_LIST(X)
#undef X
};
const size_t metric_families_count = sizeof(metric_families) / sizeof(metric_families[0]);

const char *metric_kind_name(enum metric_kind kind) {
    static const char *const names[] = {"counter", "gauge", "histogram", "info"};
    return names[kind];
}

void metric_put_value(struct buf *out, enum metric_unit unit, uint64_t value) {
    if (unit == METRIC_UNIT_SECONDS)
        buf_printf(out, "%" PRIu64 ".%06" PRIu64, value / 1000000, value % 1000000);
    else
        buf_append_number(out, value);
}

/* ---- the document ---- */

static void put_values(struct buf *out, const struct metric_family *family) {
    if (!family->label.name || family->kind == METRIC_KIND_INFO) return;
    for (size_t i = 0; i < family->count; i++)
        buf_printf(out, "%s`%.*s`", i ? ", " : ": ", VIEW_ARG(family->label.value(i)));
}

static const char *suffix(enum metric_kind kind) {
    return kind == METRIC_KIND_COUNTER ? "_total" : kind == METRIC_KIND_INFO ? "_info" : "";
}

static void put_table(struct buf *out, enum metric_of program) {
    buf_printf(out, "| name | kind | label | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < metric_families_count; i++) {
        const struct metric_family *family = &metric_families[i];
        if (!metric_is_of(family, program)) continue;
        const char *label = family->label.name;
        buf_printf(out, "| `%s%s` | %s | %s%s%s", family->name, suffix(family->kind),
                   metric_kind_name(family->kind), label ? "`" : "", label ? label : "", label ? "`" : "");
        put_values(out, family);
        buf_printf(out, " | %s |\n", family->help);
    }
}

void metrics_put_document(struct buf *out) {
    put_table(out, METRIC_OF_GATEWAY);
    buf_printf(out, "\nBuckets of histograms, in seconds:");
    for (size_t i = 0; i < METRIC_BUCKETS - 1; i++)
        buf_printf(out, "%s %g", i ? "," : "", (double)metric_bounds[i] / 1e6);
    buf_printf(out,
               ".\n\n## What ttf has\n`/metrics` of the [inspector](INSPECTOR.md), for Prometheus as the "
               "gateway's; and for each tunnel that requests have come through "
               "`ttf_agent_tunnel_requests_total`, with the label `tunnel`.\n\n");
    put_table(out, METRIC_OF_AGENT);
}
