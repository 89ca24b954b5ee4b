/* See description.h. The object is walked down to its leaves; a table says of each place what it is. */
#include "apigw/description.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACE_MAX 80
#define VARIABLES "function.environment."

enum rule_kind {
    RULE_SETTING,  /* of the name `what`; its unit is `unit` */
    RULE_VARIABLE, /* of the name `what` */
    RULE_FIXED,    /* must be `what`: nothing else is played */
    RULE_PASSED    /* of no meaning here */
};

/* What stands at a place. */
struct rule {
    const char *place;
    enum rule_kind kind;
    const char *what, *unit;
    bool may_be_null, is_of_mapping;
};

/* Fields that are not named are none (-Wmissing-field-initializers allows that where one is designated). */
#define SETTING(place_, name_, unit_)                                                                        \
    .place = (place_), .kind = RULE_SETTING, .what = (name_), .unit = (unit_)
#define VARIABLE(place_, name_) .place = (place_), .kind = RULE_VARIABLE, .what = (name_)
#define FIXED(place_, value_) .place = (place_), .kind = RULE_FIXED, .what = (value_)
#define PASSED(place_) .place = (place_), .kind = RULE_PASSED
#define NULLABLE .may_be_null = true
#define IN_MAPPING .is_of_mapping = true

static const struct rule rules[] = {
    {FIXED("version", "1")},
    {VARIABLE("region", "AWS_REGION")},
    {SETTING("stage", "api-stage", "")},
    {PASSED("http.host")},
    {PASSED("http.customDomain"), NULLABLE},
    {PASSED("http.wildcard"), NULLABLE},
    {SETTING("http.routes.$default.timeoutMs", "api-timeout", "ms")},
    {SETTING("http.routes.$default.payload", "api-payload", "")},
    {PASSED("websocket.host")},
    {PASSED("websocket.customDomain"), NULLABLE},
    {FIXED("websocket.selection", "$request.body.action")},
    {FIXED("websocket.routes.$connect.timeoutMs", "29000")},
    {FIXED("websocket.routes.$default.timeoutMs", "29000")},
    {FIXED("websocket.routes.$disconnect.timeoutMs", "29000")},
    {SETTING("throttling.ratePerSecond", "api-rate", "")},
    {SETTING("throttling.burst", "api-burst", "")},
    {FIXED("function.runtime", "provided.al2023")},
    {PASSED("function.handler")},
    {PASSED("function.architecture")},
    {SETTING("function.memoryMb", "lambda-memory", "MiB")},
    {SETTING("function.timeoutSeconds", "lambda-timeout", "s")},
    {SETTING("function.reservedConcurrency", "lambda-concurrency", ""), NULLABLE},
    {PASSED("tables.connections.name")},
    {PASSED("tables.connections.hashKey")},
    {PASSED("tables.connections.ttlAttribute")},
    {PASSED("tables.connections.stream")},
    {PASSED("tables.pendingRequests.name")},
    {PASSED("tables.pendingRequests.hashKey")},
    {PASSED("tables.pendingRequests.ttlAttribute")},
    {PASSED("tables.pendingRequests.stream")},
    {SETTING("mapping.table", "stream-table", ""), IN_MAPPING},
    {SETTING("mapping.filter", "stream-filter", ""), IN_MAPPING},
    {FIXED("mapping.startingPosition", "LATEST"), IN_MAPPING},
    {SETTING("mapping.batchSize", "stream-batch", ""), IN_MAPPING},
    {FIXED("mapping.windowSeconds", "0"), IN_MAPPING},
    {SETTING("mapping.bisect", "stream-bisect", ""), IN_MAPPING},
    {SETTING("mapping.retries", "stream-retries", ""), IN_MAPPING},
    {SETTING("mapping.maximumAgeSeconds", "stream-max-age", "s"), IN_MAPPING},
    {SETTING("mapping.reportBatchItemFailures", "stream-report-failures", ""), IN_MAPPING},
    {PASSED("schedule.expression")},
    {SETTING("schedule.seconds", "cleanup-interval", "s")},
};
#define RULES (sizeof(rules) / sizeof(rules[0]))

struct walk {
    description_entry_fn *take;
    void *ctx;
    struct config_problem *problem;
    bool seen[RULES];
};

static bool refuse(struct walk *walk, const char *place, const char *why, const char *what) {
    snprintf(walk->problem->text, sizeof(walk->problem->text), "%.80s: %s%.60s", place, why, what);
    return false;
}

/* ---- leaves ---- */

static bool is_plain(struct view text) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) return false;
    return true;
}

/* As a setting is written; to be freed. NULL: it is nothing that is written so, or memory is out. */
static char *text_of(const json_t *value, const char *unit) {
    char *text = NULL;
    switch (json_typeof(value)) {
    case JSON_STRING: return strdup(json_string_value(value));
    case JSON_TRUE: return strdup("true");
    case JSON_FALSE: return strdup("false");
    case JSON_INTEGER:
        if (json_integer_value(value) < 0) return NULL;
        return asprintf(&text, "%" JSON_INTEGER_FORMAT "%s", json_integer_value(value), unit) < 0 ? NULL
                                                                                                  : text;
    default: return NULL;
    }
}

static bool give(struct walk *walk, enum description_kind kind, const char *name, const char *place,
                 const char *text) {
    const struct description_entry entry = {kind, name, place,
                                            text ? view_from_cstr(text) : (struct view){0}};
    if (!is_plain(entry.value)) return refuse(walk, place, "a line break or a control character", "");
    return walk->take(walk->ctx, &entry, walk->problem);
}

static bool obey(struct walk *walk, const struct rule *rule, const json_t *value, char *text) {
    if (json_is_null(value)) return rule->may_be_null || refuse(walk, rule->place, "it must not be null", "");
    if (!text) return refuse(walk, rule->place, "expected a text, a whole number, true or false", "");
    switch (rule->kind) {
    case RULE_SETTING: return give(walk, DESCRIBED_SETTING, rule->what, rule->place, text);
    case RULE_VARIABLE: return give(walk, DESCRIBED_VARIABLE, rule->what, rule->place, text);
    case RULE_FIXED:
        return strcmp(text, rule->what) == 0 ||
               refuse(walk, rule->place, "the stand-in plays nothing but ", rule->what);
    case RULE_PASSED: return true;
    }
    return false;
}

static bool on_variable(struct walk *walk, const char *place, const json_t *value) {
    const char *name = place + sizeof(VARIABLES) - 1;
    if (!json_is_string(value)) return refuse(walk, place, "expected a text", "");
    if (!*name || strchr(name, '=')) return refuse(walk, place, "expected the name of a variable", "");
    return give(walk, DESCRIBED_VARIABLE, name, place, json_string_value(value));
}

static const struct rule *rule_at(const char *place) {
    for (size_t i = 0; i < RULES; i++)
        if (strcmp(rules[i].place, place) == 0) return &rules[i];
    return NULL;
}

static bool on_leaf(struct walk *walk, const char *place, const json_t *value) {
    if (strncmp(place, VARIABLES, sizeof(VARIABLES) - 1) == 0) return on_variable(walk, place, value);
    const struct rule *rule = rule_at(place);
    if (!rule) return refuse(walk, place, "it is not known", "");
    walk->seen[rule - rules] = true;
    bool is_json = strcmp(place, "mapping.filter") == 0;
    char *text = is_json ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY)
                         : text_of(value, rule->unit ? rule->unit : "");
    bool good = obey(walk, rule, value, text);
    free(text);
    return good;
}

/* ---- the way there ---- */

static bool is_object_of_rules(const char *place) {
    size_t len = strlen(place);
    if (strcmp(place, "function.environment") == 0) return true;
    for (size_t i = 0; i < RULES; i++)
        if (strncmp(rules[i].place, place, len) == 0 && rules[i].place[len] == '.') return true;
    return false;
}

/* As deep as the table's places are. */
static bool descend(struct walk *walk, const char *above, json_t *object) {
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        char place[PLACE_MAX];
        int len = snprintf(place, sizeof(place), "%s%s%s", above, *above ? "." : "", name);
        if (len < 0 || (size_t)len >= sizeof(place) || !is_plain(view_from_cstr(place)))
            return refuse(walk, *above ? above : "the description", "a name in it is none", "");
        bool goes_on = is_object_of_rules(place);
        if (goes_on && json_is_null(value) && strcmp(place, "mapping") == 0) continue;
        if (goes_on && !json_is_object(value)) return refuse(walk, place, "expected an object", "");
        if (!(goes_on ? descend(walk, place, value) : on_leaf(walk, place, value))) return false;
    }
    return true;
}

/* A deployment without a mapping has no table to read, whatever is said elsewhere. */
static bool check_whole(struct walk *walk, const json_t *root) {
    const json_t *mapping = json_object_get(root, "mapping");
    if (!mapping) return refuse(walk, "mapping", "it is missing (null: there is none)", "");
    for (size_t i = 0; i < RULES; i++)
        if (!walk->seen[i] && !(rules[i].is_of_mapping && json_is_null(mapping)))
            return refuse(walk, rules[i].place, "it is missing", "");
    bool is_named = json_is_string(json_object_get(json_object_get(root, "http"), "customDomain"));
    return (json_is_object(mapping) || give(walk, DESCRIBED_SETTING, "stream-table", "mapping", NULL)) &&
           give(walk, DESCRIBED_SETTING, "api-custom-domain", "http.customDomain",
                is_named ? "true" : "false");
}

bool description_parse(struct view text, description_entry_fn *take, void *ctx,
                       struct config_problem *ret_problem) {
    struct walk walk = {.take = take, .ctx = ctx, .problem = ret_problem};
    json_error_t error;
    *ret_problem = (struct config_problem){0};
    if (text.len > CONFIG_FILE_BYTES_MAX)
        return refuse(&walk, "the description", "it is larger than 64 KiB", "");
    json_t *root = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        ret_problem->line = (unsigned)(error.line > 0 ? error.line : 1);
        snprintf(ret_problem->text, sizeof(ret_problem->text), "it is no JSON: %.150s", error.text);
        return false;
    }
    bool good = json_is_object(root) ? descend(&walk, "", root) && check_whole(&walk, root)
                                     : refuse(&walk, "the description", "expected an object", "");
    json_decref(root);
    return good;
}
