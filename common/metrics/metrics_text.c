/* See metrics_text.h. The two formats differ in the name that stands in the lines before a counter's series
 * (with `_total`, or without), in units, and in the end. */
#include "metrics/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- which one ---- */

/* Of `;q=0.5`, in thousandths; 1000 where it is not said. */
static unsigned weight_of(struct view parameters) {
    struct view one;
    while (view_split(&parameters, ';', &one)) {
        one = view_trim(one);
        if (one.len < 3 || !view_eq_nocase(view_slice(one, 0, 2), VIEW("q="))) continue;
        unsigned weight = one.ptr[2] == '1' ? 1000 : 0, worth = 100;
        for (size_t i = 4; i < one.len && i < 7 && one.ptr[i] >= '0' && one.ptr[i] <= '9'; i++, worth /= 10)
            weight += (unsigned)(one.ptr[i] - '0') * worth;
        return weight > 1000 ? 1000 : weight;
    }
    return 1000;
}

enum metrics_format metrics_choose_format(struct view accept) {
    unsigned openmetrics = 0, text = 0;
    struct view range;
    while (view_split(&accept, ',', &range)) {
        size_t end = view_find(range, ';');
        struct view type = view_trim(view_slice(range, 0, end));
        unsigned weight = weight_of(view_skip(range, end < range.len ? end + 1 : range.len));
        if (view_eq_nocase(type, VIEW("application/openmetrics-text")) && weight > openmetrics)
            openmetrics = weight;
        if (view_eq_nocase(type, VIEW("text/plain")) && weight > text) text = weight;
    }
    return openmetrics && openmetrics >= text ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}

const char *metrics_media_type(enum metrics_format format) {
    return format == METRICS_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                         : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- lines ---- */

static void put_head(struct buf *out, enum metrics_format format, const char *name, const char *suffix,
                     const char *type, const char *unit, const char *help) {
    const char *shown = format == METRICS_PROMETHEUS ? suffix : "";
    buf_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, shown, help, name, shown, type);
    if (format == METRICS_OPENMETRICS && unit) buf_printf(out, "# UNIT %s %s\n", name, unit);
}

/* Backslash, quote and newline are what a label's value cannot hold as they are; other control bytes are no
 * text. */
static void put_escaped(struct buf *out, struct view value) {
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        if (byte == '\\' || byte == '"') {
            buf_append_byte(out, '\\');
            buf_append_byte(out, (char)byte);
        } else if (byte == '\n') {
            buf_append_view(out, VIEW("\\n"));
        } else {
            buf_append_byte(out, byte < 0x20 || byte == 0x7f ? '?' : (char)byte);
        }
    }
}

static void put_name(struct buf *out, const char *name, const char *suffix, const char *label,
                     struct view value) {
    buf_printf(out, "%s%s", name, suffix);
    if (label) {
        buf_printf(out, "{%s=\"", label);
        put_escaped(out, value);
        buf_append_view(out, VIEW("\"}"));
    }
    buf_append_byte(out, ' ');
}

static const char *unit_name(enum metric_unit unit) {
    return unit == METRIC_UNIT_SECONDS ? "seconds" : unit == METRIC_UNIT_BYTES ? "bytes" : NULL;
}

static void put_histogram(struct buf *out, const struct metric_family *family) {
    const uint64_t *slots = &metrics_slots[family->first];
    uint64_t count = 0;
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        char bound[32] = "+Inf";
        count += slots[i];
        if (i < METRIC_BUCKETS - 1) snprintf(bound, sizeof(bound), "%.6g", (double)metric_bounds[i] / 1e6);
        if (i < METRIC_BUCKETS - 1 && !memchr(bound, '.', strlen(bound)))
            memcpy(bound + strlen(bound), ".0", 3); /* OpenMetrics writes bounds as floats */
        put_name(out, family->name, "_bucket", "le", view_from_cstr(bound));
        buf_append_number(out, count);
        buf_append_byte(out, '\n');
    }
    put_name(out, family->name, "_sum", NULL, VIEW(""));
    metric_put_value(out, family->unit, slots[METRIC_BUCKETS]);
    buf_printf(out, "\n%s_count %" PRIu64 "\n", family->name, count);
}

static void put_series(struct buf *out, const struct metric_family *family, const char *suffix) {
    for (size_t i = 0; i < family->count; i++) {
        put_name(out, family->name, suffix, family->label.name, family->label.value(i));
        metric_put_value(out, family->unit, metrics_slots[family->first + i]);
        buf_append_byte(out, '\n');
    }
}

static void put_family(struct buf *out, enum metrics_format format, const struct metric_family *family) {
    static const char *const suffixes[] = {"_total", "", "", "_info"};
    const char *suffix = suffixes[family->kind];
    bool has_no_info = family->kind == METRIC_KIND_INFO && format == METRICS_PROMETHEUS;
    put_head(out, format, family->name, suffix, has_no_info ? "gauge" : metric_kind_name(family->kind),
             unit_name(family->unit), family->help);
    if (family->kind == METRIC_KIND_HISTOGRAM)
        put_histogram(out, family);
    else
        put_series(out, family, suffix);
}

void metrics_put_families(struct buf *out, enum metrics_format format, enum metric_of program) {
    for (size_t i = 0; i < metric_families_count; i++)
        if (metric_is_of(&metric_families[i], program)) put_family(out, format, &metric_families[i]);
}

void metrics_put_end(struct buf *out, enum metrics_format format) {
    if (format == METRICS_OPENMETRICS) buf_append_view(out, VIEW("# EOF\n"));
}

void metrics_put_counter_head(struct buf *out, enum metrics_format format, const char *name, const char *unit,
                              const char *help) {
    put_head(out, format, name, "_total", "counter", unit, help);
}

void metrics_put_counter(struct buf *out, const char *name, const char *label, struct view value,
                         uint64_t count) {
    put_name(out, name, "_total", label, value);
    buf_append_number(out, count);
    buf_append_byte(out, '\n');
}
