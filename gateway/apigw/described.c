/* See described.h. */
#include "apigw/described.h"

#include <stdio.h>
#include <stdlib.h>

#include "apigw/description.h"

struct taking {
    struct described *described;
    struct config *config;
    int code; /* of what has been said already */
};

static bool is_any(const char *name, const char *const names[]) {
    for (size_t i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* Where both APIs are is the stand-in's to say. */
static bool is_place(const char *name) {
    static const char *const names[] = {"DOMAIN_NAME", "WEBSOCKET_API_ENDPOINT", NULL};
    return is_any(name, names);
}

/* A setting that is handed on to the function by this variable; the log's level there is its own. */
static const struct setting *setting_of(const char *name) {
    static const char *const own[] = {"LOG_LEVEL", NULL};
    for (size_t i = 0; i < config_settings_count && !is_any(name, own); i++) {
        const struct setting *setting = &config_settings[i];
        if (setting->variable && strcmp(setting->variable, name) == 0 && setting_applies(setting))
            return setting;
    }
    return NULL;
}

/* The level of our own log is no contradiction. */
static bool is_said_otherwise(const struct description_entry *entry) {
    const char *own = getenv(entry->name);
    return own && *own && strcmp(entry->name, "LOG_LEVEL") != 0 &&
           !view_eq(view_from_cstr(own), entry->value);
}

static bool keep_variable(struct described *described, const struct description_entry *entry,
                          struct config_problem *problem) {
    char *variable = NULL;
    const char *why = NULL;
    if (described->count == DESCRIBED_VARIABLES_MAX)
        why = "too many variables";
    else if (is_said_otherwise(entry))
        why = "the environment says something else";
    else if (asprintf(&variable, "%s=%.*s", entry->name, VIEW_ARG(entry->value)) < 0)
        why = "out of memory";
    else
        described->variables[described->count++] = variable;
    if (!why && strcmp(entry->name, "AWS_REGION") == 0) setenv("AWS_REGION", strchr(variable, '=') + 1, 0);
    if (why) snprintf(problem->text, sizeof(problem->text), "%.80s: %s", entry->place, why);
    return !why;
}

static bool take(void *ctx, const struct description_entry *entry, struct config_problem *problem) {
    struct taking *taking = ctx;
    bool is_variable = entry->kind == DESCRIBED_VARIABLE;
    if (is_variable && is_place(entry->name)) return true;
    const struct setting *setting =
        is_variable ? setting_of(entry->name) : setting_by_name(view_from_cstr(entry->name));
    if (!setting) return keep_variable(taking->described, entry, problem);
    taking->code = config_describe(taking->config, setting, entry->place, entry->value);
    return taking->code == 0;
}

static int complain(const struct config *config, const struct config_problem *problem) {
    char line[16] = "";
    if (problem->line) snprintf(line, sizeof(line), ":%u", problem->line);
    fprintf(stderr, "ttf-apigw: %s%s: %s\n", config->description, line, problem->text);
    return 2;
}

int described_read(void *ctx, struct config *config) {
    struct taking taking = {.described = ctx, .config = config};
    struct config_problem problem;
    struct buf text;
    if (!config->description) return 0;
    bool good = config_file_load(config->description, &text, &problem) &&
                description_parse(buf_view(&text), take, &taking, &problem);
    buf_done(&text);
    if (good || taking.code) return taking.code;
    return complain(config, &problem);
}

void described_done(struct described *described) {
    while (described->count) free(described->variables[--described->count]);
}
