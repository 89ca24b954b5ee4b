/* See metrics_emf.h. The line begins with directives, which say what of its members is a metric, and of which
 * dimension; a pass over the table each. */
#include "metrics/metrics_emf.h"

#include <inttypes.h>

#include "metrics/metrics_table.h"

#define MEMBERS_MAX 32
#define NAMESPACE "ttf"

struct member {
    const struct metric_family *family;
    size_t which; /* the label's value */
    uint64_t value;
};

struct line {
    struct member members[MEMBERS_MAX];
    size_t count;
};

static bool is_told(const struct metric_family *family) {
    bool is_kind = family->kind == METRIC_KIND_COUNTER || family->kind == METRIC_KIND_HISTOGRAM;
    return is_kind && view_starts_with(view_from_cstr(family->name), VIEW("ttf_"));
}

/* 0: nothing was observed. */
static uint64_t take_histogram(const struct metric_family *family) {
    uint64_t *slots = &metrics_slots[family->first], count = 0, sum = slots[METRIC_BUCKETS];
    for (size_t i = 0; i < METRIC_BUCKETS; i++) count += slots[i];
    memset(slots, 0, METRIC_WIDTH_HISTOGRAM * sizeof(*slots));
    return count ? sum / count : 0;
}

static uint64_t take_value(const struct metric_family *family, size_t which) {
    if (family->kind == METRIC_KIND_HISTOGRAM) return take_histogram(family);
    uint64_t value = metrics_slots[family->first + which];
    metrics_slots[family->first + which] = 0;
    return value;
}

/* Has the line another value of this label already? */
static bool contradicts(const struct line *line, const struct metric_family *family, struct view value) {
    for (size_t i = 0; i < line->count; i++) {
        const struct metric_label *label = &line->members[i].family->label;
        bool is_same = label->name && strcmp(label->name, family->label.name) == 0;
        if (is_same && !view_eq(label->value(line->members[i].which), value)) return true;
    }
    return false;
}

static void gather_family(struct line *line, const struct metric_family *family) {
    for (size_t which = 0; which < family->count && line->count < MEMBERS_MAX; which++) {
        bool is_counter = family->kind == METRIC_KIND_COUNTER;
        if (is_counter && !metrics_slots[family->first + which]) continue;
        if (family->label.name && contradicts(line, family, family->label.value(which))) continue;
        uint64_t value = take_value(family, which);
        if (value) line->members[line->count++] = (struct member){family, which, value};
    }
}

static const char *suffix(const struct member *member) {
    return member->family->kind == METRIC_KIND_COUNTER ? "_total" : "";
}

static void put_directive(struct buf *out, const struct member *member) {
    static const char *const units[] = {"Count", "Bytes", "Seconds"};
    const char *label = member->family->label.name, *quote = label ? "\"" : "";
    buf_printf(out,
               "{\"Namespace\":\"" NAMESPACE "\",\"Dimensions\":[[%s%s%s]],\"Metrics\":[{\"Name\":\"%s%s\","
               "\"Unit\":\"%s\"}]}",
               quote, label ? label : "", quote, member->family->name, suffix(member),
               units[member->family->unit]);
}

/* Once, though several metrics may have that dimension. */
static void put_dimension(struct buf *out, const struct line *line, size_t index) {
    const struct member *member = &line->members[index];
    const char *label = member->family->label.name;
    for (size_t i = 0; label && i < index; i++) {
        const char *earlier = line->members[i].family->label.name;
        if (earlier && strcmp(earlier, label) == 0) return;
    }
    if (label)
        buf_printf(out, ",\"%s\":\"%.*s\"", label, VIEW_ARG(member->family->label.value(member->which)));
}

bool metrics_put_emf(struct buf *out, uint64_t wall_ms) {
    struct line line = {.count = 0};
    for (size_t i = 0; i < metric_families_count; i++)
        if (is_told(&metric_families[i])) gather_family(&line, &metric_families[i]);
    if (!line.count) return false;
    buf_printf(out, "{\"_aws\":{\"Timestamp\":%" PRIu64 ",\"CloudWatchMetrics\":[", wall_ms);
    for (size_t i = 0; i < line.count; i++) {
        if (i) buf_append_byte(out, ',');
        put_directive(out, &line.members[i]);
    }
    buf_append_view(out, VIEW("]}"));
    for (size_t i = 0; i < line.count; i++) {
        const struct member *member = &line.members[i];
        put_dimension(out, &line, i);
        buf_printf(out, ",\"%s%s\":", member->family->name, suffix(member));
        metric_put_value(out, member->family->unit, member->value);
    }
    buf_append_view(out, VIEW("}\n"));
    return true;
}
